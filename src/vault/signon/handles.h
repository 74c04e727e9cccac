/* vault/signon/handles.h: who is signed on.
 *
 * A handle is 128 random bits; it dies when its sign-on ends, when the gate that got it dies, or when the account is
 * suspended or removed. Safe from any thread: one lock, held for a look-up. */
#pragma once
#include "base/ids.h"
#include "base/err.h"

struct handles;

struct signed_on {
    struct account_id account;
    uint64_t gate; /* the life of the users gate it was given to: no other may use it */
    uint32_t
        protocol; /* PROTOCOL_… it was made for; PROTOCOL_LOCAL: a user of this machine, no account */
    bool tls;
    bool bound;      /* its TLS has a channel binding, so that -PLUS was offered */
    bool any_sender; /* PROTOCOL_LOCAL: an operator, who may write under any name */
    char client[48]; /* the peer's address as text; PROTOCOL_LOCAL: the login, or empty */
};

struct handles *handles_new(size_t most);
void handles_free(struct handles *h);
enum err handle_give(struct handles *h, struct cx *cx, const struct signed_on *who, struct handle *out);
/* False: nobody's (any more), or another gate's. */
bool handle_find(struct handles *h, struct handle handle, uint64_t gate, struct signed_on *out);
/* Like handle_find, but true only the first time: `attach` works once. */
bool handle_attach(struct handles *h, struct handle handle, uint64_t gate, struct signed_on *out);
void handle_end(struct handles *h, struct handle handle);
/* Of an account that was suspended or removed, or whose password changed. Call it when that is *durable*: a sign-on
 * reads durable rows, looks at them once more after it gave its handle, and so cannot slip between. */
void handles_end_account(struct handles *h, struct account_id account);
void handles_end_gate(struct handles *h, uint64_t gate);
size_t handles_count(struct handles *h);
