/* vault/signon/conversations.h: the sign-ons that are under way.
 *
 * Each belongs to the life of the gate that began it, and to one thread while that takes a step. One that nobody
 * touches for two minutes ends; so do all of a gate when it dies. Any thread. */
#pragma once
#include "base/err.h"
#include "base/ids.h"
#include "vault/signon/sasl.h"

#define CONVERSATION_IDLE_MS (2 * 60 * 1000)

struct conversation {
    uint64_t gate;
    uint32_t protocol;
    bool tls, bound;
    char client[48];  /* as text, canonical */
    char network[24]; /* whom the client's limits count for: 16 bytes and a length, as bytes */
    struct exchange *exchange;
    unsigned steps;
    bool claimed;              /* the exchange is over, its claim has still to be checked */
    struct account_id account; /* of a SCRAM exchange: whose keys were given, 0 nobody's */
    uint64_t version;          /* and of which credential */

    /* private: */
    uint64_t id;
    bool taken, ended;
    int64_t touched_ms;
    struct conversation *same_bucket, *older, *newer;
};

struct conversations;

struct conversations *conversations_new(size_t most, int64_t (*clock_ms)(void));
void conversations_free(struct conversations *c);

/* Takes over what is in *begun, its exchange too if it succeeds. ERR_AUTH_BUSY: too many. */
enum err conversation_begin(struct conversations *c, struct cx *cx, const struct conversation *begun,
                            uint64_t *id);
/* NULL: there is none of this gate's under that id, or another thread has it. */
struct conversation *conversation_take(struct conversations *c, uint64_t id, uint64_t gate);
/* One that was taken: it goes on, or is over. */
void conversation_give_back(struct conversations *c, struct conversation *v);
void conversation_end(struct conversations *c, struct conversation *v);
void conversations_end_gate(struct conversations *c, uint64_t gate);
size_t conversations_count(struct conversations *c);
