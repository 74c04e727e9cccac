/* base/scoped.h: give it back on every way out.
 *
 *     scoped(txn_rollback) struct txn *txn = txn_begin(…);
 *
 * calls txn_rollback(&txn) wherever the block is left. */
#pragma once
#include <pthread.h>

#define scoped(close) __attribute__((cleanup(close)))

void close_fd(int *fd); /* closes and sets to -1; -1 is fine */

/* HOLD(&mutex); holds it to the end of the block. */
static inline pthread_mutex_t *hold_begin(pthread_mutex_t *m)
{
    pthread_mutex_lock(m);
    return m;
}
static inline void hold_end(pthread_mutex_t **m)
{
    pthread_mutex_unlock(*m);
}
#define HOLD(m) scoped(hold_end) __attribute__((unused)) pthread_mutex_t *held = hold_begin(m)
