/* A chained hash table of the accounts that hold something: as many as there are commands under way at most. */
#include "vault/share.h"

#include "base/arena.h"
#include "base/scoped.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#define PARTS 4 /* an account may hold one of so many parts of what the others leave */

struct share {
    struct share *next;
    struct account_id account;
    size_t bytes;
};

/* Where the pointer to an account's share is; it points to NULL if it holds nothing. */
static struct share **find(struct share_pool *p, struct account_id account)
{
    struct share **at = &p->buckets[account.v % SHARE_BUCKETS];

    while (*at && (*at)->account.v != account.v)
        at = &(*at)->next;
    return at;
}

static bool may_hold(const struct share_pool *p, size_t others, size_t bytes)
{
    return others <= p->most && bytes <= (p->most - others) / PARTS;
}

enum err share_take(struct share_pool *p, struct cx *cx, struct account_id account, size_t bytes)
{
    HOLD(&p->lock);
    struct share **at = find(p, account);
    size_t has = *at ? (*at)->bytes : 0;

    if (!bytes)
        return OK;
    if (bytes > p->most || /* so that the sum does not overflow */
        !may_hold(p, p->taken - has, has + bytes))
        return fail(cx, has || !may_hold(p, 0, bytes) ? ERR_TOO_MUCH : ERR_NO_MEMORY,
                    "account %" PRIu64 " holds %zu bytes, all together %zu, and it asks for %zu",
                    account.v, has, p->taken, bytes);
    if (!*at) {
        *at = must_alloc(sizeof(**at));
        (*at)->account = account;
    }
    (*at)->bytes += bytes;
    p->taken += bytes;
    return OK;
}

void share_give_back(struct share_pool *p, struct account_id account, size_t bytes)
{
    HOLD(&p->lock);
    struct share **at = find(p, account), *s = *at;

    if (!bytes)
        return;
    assert(s && s->bytes >= bytes);
    p->taken -= bytes;
    s->bytes -= bytes;
    if (s->bytes)
        return;
    *at = s->next;
    free(s);
}

void share_pool_set(struct share_pool *p, size_t bytes)
{
    HOLD(&p->lock);
    p->most = bytes;
}

size_t share_pool_taken(struct share_pool *p)
{
    HOLD(&p->lock);
    return p->taken;
}
