/* net/pool.h: threads that all do the same, as many as are needed.
 *
 * A thread inside a blocking call does not count: another one is started for it, up to a greatest number. One
 * that comes back and finds enough others ends after some time without work. Private to the loop, except
 * pool_blocking_begin() and _end(), which loop.h shows. */
#pragma once
#include "base/str.h"

#include <pthread.h>
#include <stdatomic.h>

#define POOL_MOST 64
#define POOL_LINGER_MS 5000 /* a thread too many waits so long for work before it ends */

enum pool_place { PLACE_FREE, PLACE_RUNNING, PLACE_ENDED }; /* ENDED: still to be joined */

struct pool {
    void (*body)(void *arg);   /* the work: returns when the thread shall end */
    void (*blocks)(void *arg); /* a thread is about to block; NULL: nothing to do then */
    void *arg;
    unsigned least, most;
    atomic_uint total, blocked;
    atomic_bool ending;   /* no new thread */
    pthread_mutex_t lock; /* guards places; total changes and ending is set under it */
    struct {
        enum pool_place place;
        pthread_t thread;
    } threads[POOL_MOST];
};

void pool_init(struct pool *p, unsigned least, unsigned most, void (*body)(void *arg), void *arg);
void pool_destroy(struct pool *p);
/* The calling thread works too, until body() returns; then all the others are waited for. */
void pool_run(struct pool *p);
bool pool_has_surplus(struct pool *p); /* more threads than needed are not blocked */
/* The calling thread had no work for POOL_LINGER_MS. True: it shall end. */
bool pool_let_go(struct pool *p);
char *pool_scratch(void); /* of the calling thread, LOOP_SCRATCH_SIZE */
