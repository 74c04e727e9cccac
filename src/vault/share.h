/* vault/share.h: memory that all accounts take from one pool, and none of them can take whole.
 *
 * An account may hold a quarter of what the others leave. So one that takes all it can leaves three quarters, the next
 * that does so leaves three quarters of those, and whoever comes then may take a quarter of what there is: five greedy
 * accounts leave 24 %, ten 6 %. A limit that is the same for everybody would have to be small to hold off ten, and then
 * nobody could do anything large even where nobody else is at work. It does not matter in how many sessions an account
 * asks, nor from how many addresses.
 *
 * Who counts is the account that signed on, not the one whose mailbox it works with: nobody pays for a guest. Nothing is
 * taken from who has it, so what was granted is a promise. Safe from any thread: one lock, held for a look-up. */
#pragma once
#include "base/err.h"
#include "base/ids.h"

#include <pthread.h>

#define SHARE_BUCKETS 512

struct share_pool { /* static; private, all of it */
    size_t most, taken;
    pthread_mutex_t lock;
    struct share *buckets[SHARE_BUCKETS]; /* of accounts that hold something */
};

#define SHARE_POOL(bytes)                                                                              \
    {                                                                                                  \
        .most = (bytes), .lock = PTHREAD_MUTEX_INITIALIZER                                             \
    }

/* ERR_NO_MEMORY: the others leave too little, and this account holds nothing. ERR_TOO_MUCH: it holds its share, or asks
 * for more than there ever is. Nothing has changed then. */
enum err share_take(struct share_pool *p, struct cx *cx, struct account_id account, size_t bytes);
void share_give_back(struct share_pool *p, struct account_id account, size_t bytes);

void share_pool_set(struct share_pool *p, size_t bytes); /* in all; for tests */
size_t share_pool_taken(struct share_pool *p);
