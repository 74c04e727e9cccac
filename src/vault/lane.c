#include "vault/lane.h"

#include "base/arena.h"
#include "base/scoped.h"

#include <assert.h>
#include <stdlib.h>

#define MOST_THREADS 8
#define MOST_WAITING 20000

struct work {
    struct work *next;
    void (*run)(void *arg);
    void *arg;
};

struct lane_pool {
    pthread_mutex_t lock; /* guards everything */
    pthread_cond_t came;
    struct work *first, **last;
    size_t waiting, idle, started, most;
    bool ending;
    pthread_t threads[MOST_THREADS];
};

static struct work *take(struct lane_pool *l)
{
    struct work *w;
    HOLD(&l->lock);

    l->idle++;
    while (!l->first && !l->ending)
        pthread_cond_wait(&l->came, &l->lock);
    l->idle--;
    w = l->first;
    if (w) {
        l->first = w->next;
        l->waiting--;
        if (!l->first)
            l->last = &l->first;
    }
    return w;
}

static void *lane_main(void *arg)
{
    struct work *w;

    while ((w = take(arg))) {
        w->run(w->arg);
        free(w);
    }
    return NULL;
}

struct lane_pool *lane_new(size_t threads)
{
    struct lane_pool *l = must_alloc(sizeof(*l));

    assert(threads <= MOST_THREADS);
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->came, NULL);
    l->last = &l->first;
    l->most = threads;
    return l;
}

/* One more waits: a thread for it, if all are busy and there may be another. False: there is none at all. */
static bool have_thread(struct lane_pool *l)
{
    if (l->idle <= l->waiting && l->started < l->most)
        l->started += pthread_create(&l->threads[l->started], NULL, lane_main, l) == 0;
    return l->started > 0;
}

bool lane_run(struct lane_pool *l, void (*run)(void *arg), void *arg)
{
    struct work *w = must_alloc(sizeof(*w));
    HOLD(&l->lock);

    if (l->waiting == MOST_WAITING || l->ending || !have_thread(l)) {
        free(w);
        return false;
    }
    *w = (struct work){.run = run, .arg = arg};
    *l->last = w;
    l->last = &w->next;
    l->waiting++;
    pthread_cond_signal(&l->came);
    return true;
}

void lane_free(struct lane_pool *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->ending = true;
    pthread_cond_broadcast(&l->came);
    pthread_mutex_unlock(&l->lock);
    for (size_t i = 0; i < l->started; i++)
        pthread_join(l->threads[i], NULL);
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->came);
    free(l);
}
