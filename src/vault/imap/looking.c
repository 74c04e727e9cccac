/* Letters are taken in order, by whichever thread is ready for one. The helper also writes down the bytes of letters as
 * soon as there are enough of them, looked at or not: the commit and its flush then have only the rest to write. */
#include "vault/imap/looking.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "vault/lane.h"
#include "vault/spare.h"

#include <pthread.h>
#include <stdlib.h>

#define WORTH_A_HELPER 6 /* letters that wait; waking one takes as long as looking at a few */
#define WORTH_WRITING ((size_t)64 * 1024) /* bytes; a transaction of its own costs some rows */
#define MOST_HELPERS 4

struct looking {
    size_t most;
    struct arena *arena; /* the helper's */

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t left;  /* the helper */
    struct upload **v;
    size_t n, room, taken;
    size_t written;   /* of v: whose bytes went ahead */
    size_t unwritten; /* bytes of the others */
    size_t size;      /* of what they look like */
    bool called;      /* a helper, who has not left yet */
    bool works;       /* it is in here */
    bool given_up;
    unsigned holders; /* the command, and a helper that was called */
    enum err e;
};

/* ---- helpers ---- */

static struct spare_user lookers = {.most = MOST_HELPERS};
static struct lane_pool *helpers;
static pthread_once_t helpers_once = PTHREAD_ONCE_INIT;

static void make_helpers(void)
{
    helpers = lane_new(MOST_HELPERS);
}

static bool has_helper(void)
{
    pthread_once(&helpers_once, make_helpers);
    return spare_take(&lookers, 1) == 1;
}

void looking_stop(void)
{
    lane_free(helpers);
    helpers = NULL;
}

/* ---- a command's letters ---- */

struct looking *looking_new(size_t most)
{
    struct looking *l = must_alloc(sizeof(*l));

    l->most = most;
    l->holders = 1;
    l->arena = arena_new(0);
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->left, NULL);
    return l;
}

static void release(struct looking *l)
{
    unsigned others;

    pthread_mutex_lock(&l->lock);
    others = --l->holders;
    pthread_mutex_unlock(&l->lock);
    if (others)
        return;
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->left);
    arena_free(l->arena);
    free(l->v);
    free(l);
}

static bool is_over(const struct looking *l)
{
    return l->e || l->given_up;
}

static struct upload *take(struct looking *l)
{
    HOLD(&l->lock);
    return !is_over(l) && l->taken < l->n ? l->v[l->taken++] : NULL;
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

static bool look_at_one(struct looking *l, struct cx *cx)
{
    struct upload *u = take(l);
    size_t before = arena_size(cx->arena);
    enum err e;

    if (!u)
        return false;
    e = upload_end(u, cx);
    note(l, cx, arena_size(cx->arena) - before, e);
    return true;
}

/* Those that are to be written now; none, as long as they are few. Their bytes stay as they are while they are looked at. */
static size_t take_unwritten(struct looking *l, struct upload **v)
{
    HOLD(&l->lock);
    size_t n = 0;

    if (is_over(l) || l->unwritten < WORTH_WRITING)
        return 0;
    while (n < BODIES_TOGETHER && l->written < l->n) {
        v[n] = l->v[l->written++];
        l->unwritten -= v[n++]->last.n;
    }
    return n;
}

static bool write_some(struct looking *l, struct cx *cx)
{
    struct upload *v[BODIES_TOGETHER];
    size_t n = take_unwritten(l, v);

    if (n)
        note(l, cx, 0, uploads_put_ahead(v, n, cx));
    return n > 0;
}

/* False: what it was called for has been done without it. */
static bool enter(struct looking *l)
{
    HOLD(&l->lock);
    l->works = !l->given_up;
    return l->works;
}

/* False: more has come meanwhile. */
static bool leave(struct looking *l)
{
    HOLD(&l->lock);
    if (!is_over(l) && (l->taken < l->n || l->unwritten >= WORTH_WRITING))
        return false;
    l->works = l->called = false;
    pthread_cond_signal(&l->left);
    return true;
}

static void help(void *arg)
{
    struct looking *l = arg;
    struct cx cx = {.arena = l->arena};

    if (enter(l))
        do
            while (write_some(l, &cx) || look_at_one(l, &cx))
                ;
        while (!leave(l));
    spare_give_back(&lookers, 1);
    release(l);
}

/* Notes it, and whether a helper should be called. */
static bool add(struct looking *l, struct upload *u)
{
    HOLD(&l->lock);
    if (l->n == l->room) {
        l->room = l->room ? l->room * 2 : 16;
        l->v = must_realloc(l->v, l->room * sizeof(struct upload *));
    }
    l->v[l->n++] = u;
    l->unwritten += u->last.n;
    if (l->called || l->n - l->taken < WORTH_A_HELPER || !has_helper())
        return false;
    l->called = true;
    l->holders++;
    return true;
}

void looking_add(struct looking *l, struct upload *u)
{
    if (!add(l, u) || lane_run(helpers, help, l))
        return;
    pthread_mutex_lock(&l->lock); /* no helper is to be had */
    l->called = false;
    l->holders--;
    pthread_mutex_unlock(&l->lock);
    spare_give_back(&lookers, 1);
}

/* One that has not come yet is not waited for. */
static void dismiss(struct looking *l)
{
    HOLD(&l->lock);
    l->given_up = true;
    while (l->works)
        pthread_cond_wait(&l->left, &l->lock);
}

enum err looking_end(struct looking *l, struct cx *cx)
{
    while (look_at_one(l, cx))
        ;
    dismiss(l);
    return l->e;
}

void looking_free(struct looking **l, struct cx *cx)
{
    if (!*l)
        return;
    dismiss(*l);
    uploads_take_back((*l)->v, (*l)->written, cx);
    release(*l);
    *l = NULL;
}
