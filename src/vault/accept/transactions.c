/* A hash table of open transactions and one of what is reserved by account, both chained, under one lock. */
#include "vault/accept/transactions.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/scoped.h"

#include <stdlib.h>

#define BUCKETS 4096
#define MOST_RESERVATIONS 1000

struct reservation {
    struct reservation *next; /* of the same account's bucket */
    struct account_id account;
    struct amount amount;
};

struct open_transaction {
    struct transaction pub; /* first */
    struct open_transaction *next;
    int64_t touched_ms;
    bool ended;                    /* while busy: transaction_give_back frees it */
    struct reservation **reserved; /* this one's, so that they can be given back */
    size_t reserved_count, reserved_room;
};

struct transactions {
    pthread_mutex_t
        lock; /* guards everything, but the pub of a busy transaction belongs to who took it */
    size_t count, most;
    struct open_transaction *by_id[BUCKETS];
    struct reservation *by_account[BUCKETS];
    struct open_transaction *left; /* freed, but for what is left of them */
};

static size_t bucket_of(uint64_t v)
{
    return (size_t)(v * 0x9e3779b97f4a7c15u >> 52) % BUCKETS;
}

struct transactions *transactions_new(size_t most)
{
    struct transactions *t = must_alloc(sizeof(*t));

    pthread_mutex_init(&t->lock, NULL);
    t->most = most;
    return t;
}

/* ---- reservations; the caller holds the lock ---- */

static void unreserve(struct transactions *t, struct reservation *r)
{
    struct reservation **at = &t->by_account[bucket_of(r->account.v)];

    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    free(r);
}

static void free_open(struct transactions *t, struct open_transaction *x)
{
    for (size_t i = 0; i < x->reserved_count; i++)
        unreserve(t, x->reserved[i]);
    free(x->reserved);
    digest_free(&x->pub.digest);
    if (x->pub.delivered || !x->pub.pieces) {
        free(x);
        return;
    }
    x->next = t->left;
    t->left = x;
}

/* Out of the table; freed now, or by who has taken it. */
static void unlink_open(struct transactions *t, struct open_transaction **at)
{
    struct open_transaction *x = *at;

    *at = x->next;
    t->count--;
    if (x->pub.busy)
        x->ended = true;
    else
        free_open(t, x);
}

/* ---- transactions ---- */

enum err transaction_open(struct transactions *t, struct cx *cx, uint64_t gate, struct body_id *id)
{
    struct open_transaction *x = must_alloc(sizeof(*x));
    HOLD(&t->lock);

    if (t->count == t->most) {
        free(x);
        return fail(cx, ERR_BUSY, "%zu SMTP transactions are open", t->most);
    }
    x->pub = (struct transaction){.id = {fresh_id()}, .gate = gate};
    x->touched_ms = monotonic_ms();
    x->next = t->by_id[bucket_of(x->pub.id.v)];
    t->by_id[bucket_of(x->pub.id.v)] = x;
    t->count++;
    *id = x->pub.id;
    return OK;
}

struct transaction *transaction_take(struct transactions *t, struct body_id id, uint64_t gate)
{
    HOLD(&t->lock);

    for (struct open_transaction *x = t->by_id[bucket_of(id.v)]; x; x = x->next)
        if (x->pub.id.v == id.v) {
            if (x->pub.gate != gate || x->pub.busy)
                return NULL;
            x->pub.busy = true;
            x->touched_ms = monotonic_ms();
            return &x->pub;
        }
    return NULL;
}

void transaction_give_back(struct transactions *t, struct transaction *taken)
{
    struct open_transaction *x = (struct open_transaction *)taken;
    HOLD(&t->lock);

    x->pub.busy = false;
    if (x->ended)
        free_open(t, x);
}

void transaction_end(struct transactions *t, struct transaction *taken)
{
    struct open_transaction *x = (struct open_transaction *)taken, **at;
    HOLD(&t->lock);

    x->pub.busy = false;
    if (x->ended) {
        free_open(t, x);
        return;
    }
    for (at = &t->by_id[bucket_of(x->pub.id.v)]; *at != x; at = &(*at)->next)
        ;
    unlink_open(t, at);
}

static void end_where(struct transactions *t,
                      bool (*is_over)(const struct open_transaction *x, int64_t arg), int64_t arg)
{
    HOLD(&t->lock);

    for (size_t i = 0; i < BUCKETS; i++)
        for (struct open_transaction **at = &t->by_id[i]; *at;)
            if (is_over(*at, arg))
                unlink_open(t, at);
            else
                at = &(*at)->next;
}

static bool is_of_gate(const struct open_transaction *x, int64_t gate)
{
    return x->pub.gate == (uint64_t)gate;
}

static bool is_forgotten(const struct open_transaction *x, int64_t before_ms)
{
    return !x->pub.busy && x->touched_ms < before_ms;
}

void transactions_end_gate(struct transactions *t, uint64_t gate)
{
    end_where(t, is_of_gate, (int64_t)gate);
}

void transactions_expire(struct transactions *t, int64_t before_ms)
{
    end_where(t, is_forgotten, before_ms);
}

static bool is_any(const struct open_transaction *x, int64_t unused)
{
    (void)x;
    (void)unused;
    return true;
}

void transactions_free(struct transactions *t)
{
    if (!t)
        return;
    end_where(t, is_any, 0);
    for (struct open_transaction *x = t->left, *next; x; x = next) { /* the next start sweeps them */
        next = x->next;
        free(x);
    }
    pthread_mutex_destroy(&t->lock);
    free(t);
}

size_t transactions_take_left(struct transactions *t, struct left_body *out, size_t most)
{
    size_t n = 0;
    HOLD(&t->lock);

    for (; n < most && t->left; n++) {
        struct open_transaction *x = t->left;

        out[n] = (struct left_body){x->pub.id, x->pub.pieces, x->pub.opening};
        t->left = x->next;
        free(x);
    }
    return n;
}

/* ---- quota under way ---- */

void transaction_reserve(struct transactions *t, struct transaction *taken, struct account_id account,
                         const struct amount *amount)
{
    struct open_transaction *x = (struct open_transaction *)taken;
    struct reservation *r;
    HOLD(&t->lock);

    if (x->reserved_count == MOST_RESERVATIONS)
        return;
    if (x->reserved_count == x->reserved_room) {
        x->reserved_room = x->reserved_room ? x->reserved_room * 2 : 4;
        x->reserved = must_realloc(x->reserved, x->reserved_room * sizeof(*x->reserved));
    }
    r = must_alloc(sizeof(*r));
    *r = (struct reservation){t->by_account[bucket_of(account.v)], account, *amount};
    t->by_account[bucket_of(account.v)] = r;
    x->reserved[x->reserved_count++] = r;
}

struct amount transactions_reserved(struct transactions *t, struct account_id account)
{
    struct amount sum = {0};
    HOLD(&t->lock);

    for (struct reservation *r = t->by_account[bucket_of(account.v)]; r; r = r->next)
        if (r->account.v == account.v) {
            sum.bytes += r->amount.bytes;
            sum.messages += r->amount.messages;
        }
    return sum;
}
