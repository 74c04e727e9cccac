/* Letters are taken in order, by whichever thread is ready for one. */
#include "vault/imap/looking.h"

#include "base/arena.h"
#include "base/scoped.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define WORTH_A_THREAD 12 /* letters that wait; starting one takes as long as about three */

struct looking {
    size_t most;
    struct arena *arena; /* the thread's */
    pthread_t thread;
    bool started; /* by us, and not joined yet */

    pthread_mutex_t lock; /* guards what follows */
    struct upload **v;
    size_t n, room, taken;
    size_t size; /* of what they look like */
    bool works;  /* the thread */
    bool given_up;
    enum err e;
};

static atomic_long working; /* threads, of all commands */
static long spare;          /* processors beside the first */
static pthread_once_t spare_once = PTHREAD_ONCE_INIT;

static void count_spare(void)
{
    spare = sysconf(_SC_NPROCESSORS_ONLN) - 1;
}

static bool may_work(void)
{
    pthread_once(&spare_once, count_spare);
    if (atomic_fetch_add(&working, 1) < spare)
        return true;
    atomic_fetch_sub(&working, 1);
    return false;
}

struct looking *looking_new(size_t most)
{
    struct looking *l = must_alloc(sizeof(*l));

    l->most = most;
    l->arena = arena_new(0);
    pthread_mutex_init(&l->lock, NULL);
    return l;
}

/* NULL: there is none, and a thread that hears it is at its end. */
static struct upload *take(struct looking *l, bool thread)
{
    HOLD(&l->lock);
    if (!l->e && !l->given_up && l->taken < l->n)
        return l->v[l->taken++];
    if (thread)
        l->works = false;
    return NULL;
}

static void note(struct looking *l, struct cx *cx, size_t grown, enum err e)
{
    HOLD(&l->lock);
    l->size += grown;
    if (!e && l->size > l->most)
        e = fail(cx, ERR_TOO_BIG, "what the messages of one command look like takes too much memory");
    if (e && !l->e)
        l->e = e;
}

static void look_at_all(struct looking *l, struct cx *cx, bool thread)
{
    struct upload *u;

    while ((u = take(l, thread))) {
        size_t before = arena_size(cx->arena);
        enum err e = upload_end(u, cx);

        note(l, cx, arena_size(cx->arena) - before, e);
    }
}

static void *work(void *arg)
{
    struct looking *l = arg;
    struct cx cx = {.arena = l->arena};

    look_at_all(l, &cx, true);
    atomic_fetch_sub(&working, 1);
    return NULL;
}

static void join(struct looking *l)
{
    if (l->started)
        pthread_join(l->thread, NULL);
    l->started = false;
}

/* Notes it, and whether a thread should be started. */
static bool add(struct looking *l, struct upload *u)
{
    HOLD(&l->lock);
    if (l->n == l->room) {
        l->room = l->room ? l->room * 2 : 16;
        l->v = must_realloc(l->v, l->room * sizeof(struct upload *));
    }
    l->v[l->n++] = u;
    return !l->works && l->n - l->taken >= WORTH_A_THREAD;
}

void looking_add(struct looking *l, struct upload *u)
{
    if (!add(l, u) || !may_work())
        return;
    join(l); /* the one before is at its end */
    l->works = true;
    l->started = pthread_create(&l->thread, NULL, work, l) == 0;
    if (l->started)
        return;
    l->works = false;
    atomic_fetch_sub(&working, 1);
}

enum err looking_end(struct looking *l, struct cx *cx)
{
    look_at_all(l, cx, false);
    join(l);
    return l->e;
}

void looking_free(struct looking **l)
{
    if (!*l)
        return;
    pthread_mutex_lock(&(*l)->lock);
    (*l)->given_up = true;
    pthread_mutex_unlock(&(*l)->lock);
    join(*l);
    pthread_mutex_destroy(&(*l)->lock);
    arena_free((*l)->arena);
    free((*l)->v);
    free(*l);
    *l = NULL;
}
