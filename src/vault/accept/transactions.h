/* vault/accept/transactions.h: SMTP transactions under way, from MAIL to the end of the body.
 *
 * The vault remembers what it answered, so that a gate cannot claim it: an id is this vault's own, belongs to one
 * life of one gate, and is used for one message. What a transaction was told it may bring counts against the quota of
 * its recipients until it ends. One lock; held for look-ups only. Safe from any thread. */
#pragma once
#include "base/err.h"
#include "base/ids.h"
#include "vault/store/body.h"

struct transactions;

struct transaction {
    struct body_id id;     /* of the message and its body */
    uint64_t gate;         /* the life of the gate that opened it */
    uint32_t pieces;       /* of the body, that came ahead */
    uint64_t opening;      /* of the store in which they did (engine.h) */
    struct digest *digest; /* of those; NULL before the first */
    bool delivered;        /* the store has the body; else, with pieces, it is left */
    bool busy;             /* somebody works on it: see transaction_take */
};

struct transactions *transactions_new(size_t most);
void transactions_free(struct transactions *t);

/* ERR_BUSY: too many are open. */
enum err transaction_open(struct transactions *t, struct cx *cx, uint64_t gate, struct body_id *id);
/* Takes it for one call: nobody else gets it until transaction_give_back or transaction_end. NULL: not this gate's,
 * ended, or taken at the moment. */
struct transaction *transaction_take(struct transactions *t, struct body_id id, uint64_t gate);
void transaction_give_back(struct transactions *t, struct transaction *x);
/* It is over: what it reserved is free again. *x is gone. */
void transaction_end(struct transactions *t, struct transaction *x);
void transactions_end_gate(struct transactions *t, uint64_t gate);
/* Those that nobody touched since `before_ms` (monotonic): a gate forgot them. */
void transactions_expire(struct transactions *t, int64_t before_ms);

/* A body of which pieces came ahead, and whose transaction has ended without it. */
struct left_body {
    struct body_id id;
    uint32_t pieces;
    uint64_t opening;
};
/* At most `most` of them, which are the caller's now, to take back. */
size_t transactions_take_left(struct transactions *t, struct left_body *out, size_t most);

/* Quota under way: so much more may come into this account by this transaction. At most 1,000 a transaction. */
void transaction_reserve(struct transactions *t, struct transaction *x, struct account_id account,
                         const struct amount *amount);
/* What all open transactions may still bring into it. */
struct amount transactions_reserved(struct transactions *t, struct account_id account);
