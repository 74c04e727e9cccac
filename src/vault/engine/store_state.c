/* Open, failed, closed. The store fails once and for all at the first write or flush that goes wrong: RocksDB
 * does not know then what is on the disk, and a second fsync after a failed one can report success for pages
 * that are lost. Closing and opening it reads what really is there.
 *
 *   OPEN ──a write or flush fails──► FAILED ──engine_tend(): room, nobody inside──► CLOSED ──it opens──► OPEN
 *
 * FAILED: nothing is written, nobody waits (all tickets are settled); views still show what is durable.
 * CLOSED: nobody is inside (users = 0), no snapshot is left, the backend is closed. */
#include "vault/engine/engine_impl.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/wait.h"

#include <assert.h>
#include <stdlib.h>

/* ---- who is inside ---- */

bool store_enter(struct engine *e, bool to_write)
{
    HOLD(&e->m);
    if (e->closing || e->state == STORE_CLOSED || (to_write && e->state != STORE_OPEN))
        return false;
    e->users++;
    return true;
}

void store_leave(struct engine *e)
{
    HOLD(&e->m);
    if (--e->users == 0)
        pthread_cond_broadcast(&e->unused);
}

bool engine_is_open(struct engine *e)
{
    HOLD(&e->m);
    return e->state == STORE_OPEN;
}

/* ---- failing ---- */

static void remember_failure(struct engine *e)
{
    if (e->failure_count == MAX_FAILURES) {
        e->failures[0].last = e->failures[1].last;
        memmove(&e->failures[1], &e->failures[2], (MAX_FAILURES - 2) * sizeof(e->failures[0]));
        e->failure_count--;
    }
    e->failures[e->failure_count++] = (struct failed_tickets){.after = e->settled, .last = e->newest};
    e->settled = e->newest;
}

void store_failed(struct engine *e, const struct cx *cx)
{
    if (e->state != STORE_OPEN)
        return;
    log_line(LOG_ERROR, "store-failed", "uncertain=%llu cause=%s",
             (unsigned long long)(e->newest - e->settled), log_value(str_from_c(cx->cause)));
    e->state = STORE_FAILED;
    remember_failure(e);
    pthread_cond_broadcast(&e->settled_cond);
    pthread_cond_broadcast(&e->gathered);
}

/* ---- closing and opening again ---- */

/* With e->m held, which it gives back meanwhile. Nobody comes in any more; who is inside finishes first. */
static void close_store(struct engine *e)
{
    e->closing = true;
    while (e->users > 0)
        pthread_cond_wait(&e->unused, &e->m);
    durable_release(e, &e->durable);
    e->state = STORE_CLOSED;
    e->closing = false;
    pthread_mutex_unlock(&e->m);
    e->ops->close(e->backend);
    pthread_mutex_lock(&e->m);
}

/* With e->m held, which it gives back meanwhile: opening reads the whole log. */
static enum err open_store(struct engine *e, struct cx *cx)
{
    enum err err;

    pthread_mutex_unlock(&e->m);
    err = e->ops->open(e->backend, cx);
    pthread_mutex_lock(&e->m);
    if (err)
        return err;
    e->directory_begun = ++e->directory_written; /* commits that failed may be there now, or not */
    e->durable = durable_take(e);
    e->openings++;
    e->state = STORE_OPEN;
    return OK;
}

static void try_to_open(struct engine *e)
{
    struct cx cx = {.arena = NULL};
    enum err err;

    if (e->state == STORE_FAILED)
        close_store(e);
    err = open_store(e, &cx);
    if (err)
        log_line(LOG_ERROR, "store-closed", "error=%s cause=%s", err_row(err)->name,
                 log_value(str_from_c(cx.cause)));
    else
        log_line(LOG_INFO, "store-open", "after=failure");
}

/* Nobody waits for these commits, but views should show them some time. */
static void flush_leftovers(struct engine *e)
{
    if (e->wanted < e->newest)
        e->wanted = e->newest;
    pthread_mutex_unlock(&e->m);
    engine_flush(e);
    pthread_mutex_lock(&e->m);
}

void engine_tend(struct engine *e)
{
    bool opened = false;

    pthread_mutex_lock(&e->m);
    if (e->state == STORE_OPEN) {
        flush_leftovers(e);
    } else if (!e->tending && e->ops->disk_free(e->backend) >= e->ops->room_to_open(e->backend)) {
        e->tending = true;
        try_to_open(e);
        e->tending = false;
        opened = e->state == STORE_OPEN;
    }
    pthread_mutex_unlock(&e->m);
    if (opened) {
        watches_mark_all(&e->watches);
        watches_call(&e->watches, UINT64_MAX);
    }
}

/* ---- start and end ---- */

static void init_conditions(struct engine *e)
{
    pthread_cond_init(&e->settled_cond, NULL);
    cond_init_monotonic(&e->gathered);
    pthread_cond_init(&e->unused, NULL);
    pthread_mutex_init(&e->m, NULL);
    pthread_mutex_init(&e->room, NULL);
}

static void free_engine(struct engine *e)
{
    e->ops->free(e->backend);
    row_cache_free(e->directory);
    watches_destroy(&e->watches);
    locks_destroy(&e->locks);
    pthread_mutex_destroy(&e->m);
    pthread_mutex_destroy(&e->room);
    pthread_cond_destroy(&e->settled_cond);
    pthread_cond_destroy(&e->gathered);
    pthread_cond_destroy(&e->unused);
    free(e);
}

enum err engine_start(struct cx *cx, const struct engine_options *options, struct backend *b,
                      struct engine **out)
{
    struct engine *e = must_alloc(sizeof(*e));
    enum err err;

    e->backend = b;
    e->ops = b->ops;
    e->options = *options;
    e->options.path = NULL; /* the caller's; the backend has its own copy */
    e->disk_reserve = options->disk_reserve;
    e->state = STORE_CLOSED;
    e->directory = row_cache_new();
    e->callers_end = &e->callers;
    locks_init(&e->locks);
    watches_init(&e->watches);
    init_conditions(e);
    pthread_mutex_lock(&e->m);
    err = open_store(e, cx);
    pthread_mutex_unlock(&e->m);
    if (err)
        free_engine(e);
    else
        *out = e;
    return err;
}

void engine_close(struct engine *e)
{
    if (!e)
        return;
    pthread_mutex_lock(&e->m);
    if (e->state == STORE_OPEN)
        flush_leftovers(e);
    assert(e->users == 0 && !e->flushing);
    if (e->state != STORE_CLOSED)
        close_store(e);
    pthread_mutex_unlock(&e->m);
    free_engine(e);
}
