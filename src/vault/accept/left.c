#include "vault/accept/left.h"

#include "base/scoped.h"
#include "vault/accept/transactions.h"
#include "vault/vault.h"

#define AT_ONCE 100

static bool take_back(struct vault *v, struct cx *cx, const struct left_body *b)
{
    scoped(txn_rollback) struct txn *t = txn_begin(v->engine, NULL, 0);
    struct ticket ticket;

    txn_rests_on(t, b->opening);
    body_forget(t, b->id, b->pieces);
    return txn_commit(&t, cx, &ticket) == OK; /* if that fails, the next start sweeps them */
}

uint64_t left_bodies_take_back(struct vault *v, struct cx *cx)
{
    struct left_body left[AT_ONCE];
    uint64_t bytes = 0;
    size_t n;

    do {
        n = transactions_take_left(v->transactions, left, AT_ONCE);
        for (size_t i = 0; i < n; i++)
            if (take_back(v, cx, &left[i]))
                bytes += (uint64_t)left[i].pieces * BODY_PIECE;
    } while (n == AT_ONCE);
    return bytes;
}
