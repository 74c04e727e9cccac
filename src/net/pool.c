/* The numbers of threads, total and blocked, are atomics that anybody may read; whoever reads that there are too
 * few takes the lock and looks again. The first place belongs to the thread that called pool_run(). */
#include "net/pool.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/scoped.h"
#include "net/loop.h"

#include <assert.h>
#include <stdlib.h>

/* Of this thread: its pool, how deep it is in blocking calls, its scratch memory. */
static _Thread_local struct pool *my_pool;
static _Thread_local unsigned my_depth;
static _Thread_local char *my_scratch;

static void work(struct pool *p)
{
    my_pool = p;
    my_scratch = must_alloc(LOOP_SCRATCH_SIZE);
    p->body(p->arg);
    free(my_scratch);
    my_scratch = NULL;
    my_pool = NULL;
}

struct seat { /* what a new thread has to know */
    struct pool *pool;
    size_t i;
};

static void *thread_main(void *arg)
{
    struct seat seat = *(struct seat *)arg;

    free(arg);
    work(seat.pool);
    HOLD(&seat.pool->lock);
    seat.pool->threads[seat.i].place = PLACE_ENDED;
    return NULL;
}

/* Under the lock. */
static bool take_place(struct pool *p, size_t *i)
{
    for (*i = 1; *i < p->most; (*i)++) {
        if (p->threads[*i].place == PLACE_ENDED) {
            pthread_join(p->threads[*i].thread, NULL);
            p->threads[*i].place = PLACE_FREE;
        }
        if (p->threads[*i].place == PLACE_FREE)
            return true;
    }
    return false;
}

static bool has_too_few(struct pool *p)
{
    unsigned total = atomic_load(&p->total), blocked = atomic_load(&p->blocked);

    return total < p->most && total < p->least + blocked && !p->ending;
}

static void grow(struct pool *p)
{
    HOLD(&p->lock);
    size_t i;

    while (has_too_few(p) && take_place(p, &i)) {
        struct seat *seat = must_alloc(sizeof(*seat));

        *seat = (struct seat){p, i};
        if (pthread_create(&p->threads[i].thread, NULL, thread_main, seat) != 0) {
            free(seat);
            log_line(LOG_WARNING, "no-thread", "have=%u", atomic_load(&p->total));
            return;
        }
        p->threads[i].place = PLACE_RUNNING;
        atomic_fetch_add(&p->total, 1);
    }
}

void pool_init(struct pool *p, unsigned least, unsigned most, void (*body)(void *arg), void *arg)
{
    *p = (struct pool){.body = body, .arg = arg, .least = least, .most = most};
    assert(least > 0 && most <= POOL_MOST && least <= most);
    pthread_mutex_init(&p->lock, NULL);
}

void pool_destroy(struct pool *p)
{
    pthread_mutex_destroy(&p->lock);
}

void pool_run(struct pool *p)
{
    p->threads[0].thread = pthread_self();
    atomic_fetch_add(&p->total, 1);
    grow(p);
    work(p);
    pthread_mutex_lock(&p->lock);
    p->ending = true;
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 1; i < p->most; i++) {
        pthread_mutex_lock(&p->lock);
        bool to_join = p->threads[i].place != PLACE_FREE;
        pthread_mutex_unlock(&p->lock);
        if (to_join)
            pthread_join(p->threads[i].thread, NULL);
        p->threads[i].place = PLACE_FREE;
    }
    atomic_store(&p->total, 0);
}

bool pool_has_surplus(struct pool *p)
{
    return atomic_load(&p->total) > p->least + atomic_load(&p->blocked);
}

bool pool_let_go(struct pool *p)
{
    HOLD(&p->lock);
    if (!pool_has_surplus(p) || pthread_equal(pthread_self(), p->threads[0].thread))
        return false;
    atomic_fetch_sub(&p->total, 1);
    if (!has_too_few(p))
        return true;
    atomic_fetch_add(&p->total, 1); /* somebody blocked meanwhile, and counted on this thread */
    return false;
}

void pool_blocking_begin(void)
{
    if (!my_pool || my_depth++ > 0)
        return;
    atomic_fetch_add(&my_pool->blocked, 1);
    if (has_too_few(my_pool))
        grow(my_pool);
    if (my_pool->blocks)
        my_pool->blocks(my_pool->arg);
}

void pool_blocking_end(void)
{
    if (!my_pool || --my_depth > 0)
        return;
    atomic_fetch_sub(&my_pool->blocked, 1);
}

char *pool_scratch(void)
{
    return my_scratch;
}
