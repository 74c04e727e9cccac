/* Group commit. Tickets are settled in order: `settled` says up to where, and a flush moves it to what `newest`
 * was when the flush began. Nobody has the post of flusher: whoever waits and finds none at work is it, for one
 * round, and passes it on when others wait.
 *
 * A round: take a snapshot, make the log durable, publish the snapshot as the new durable state, then tell the
 * watches, the callers and the sleepers, each kind with one call. What the snapshot shows was written before the
 * flush began, so nothing is shown that is not durable.
 *
 * Lingering: a flush of one message costs the disk as much as one of fifty. Where the last group was large, as
 * many are likely to come again within a moment (they have just been answered), so the flusher waits for half
 * of them, `linger_us` at most. A single session is a group of one and never waited for. */
#include "vault/engine/engine_impl.h"

#include "base/arena.h"
#include "base/scoped.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

bool ticket_is_settled(const struct engine *e, uint64_t ticket, enum err *how)
{
    if (ticket > e->settled)
        return false;
    *how = OK;
    for (size_t i = 0; i < e->failure_count; i++)
        if (ticket > e->failures[i].after && ticket <= e->failures[i].last)
            *how = ERR_STORE;
    return true;
}

/* ---- durable states ---- */

/* Which state the directory is in: even numbers count its commits. Where one is just being written, it may be in the
 * snapshot or not, so that the state is like no other: an odd number. */
static uint64_t directory_state(struct engine *e)
{
    if (e->directory_begun == e->directory_written)
        return 2 * e->directory_written;
    return 2 * ++e->directory_mixed + 1;
}

struct durable *durable_take(struct engine *e)
{
    struct durable *d = must_alloc(sizeof(*d));

    *d = (struct durable){
        .snapshot = e->ops->snapshot_take(e->backend), .refs = 1, .directory = directory_state(e)};
    return d;
}

void durable_release(struct engine *e, struct durable **d)
{
    if (*d && --(*d)->refs == 0) {
        e->ops->snapshot_release(e->backend, (*d)->snapshot);
        free(*d);
    }
    *d = NULL;
}

/* ---- one round ---- */

/* The callers whose tickets are settled, in the order they came. */
static struct caller *take_settled(struct engine *e)
{
    struct caller *due = NULL, **due_end = &due;

    for (struct caller **at = &e->callers; *at;) {
        struct caller *c = *at;
        enum err ignored;

        if (!ticket_is_settled(e, c->ticket, &ignored)) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        c->next = NULL;
        *due_end = c;
        due_end = &c->next;
    }
    e->callers_end = &e->callers;
    while (*e->callers_end)
        e->callers_end = &(*e->callers_end)->next;
    return due;
}

static void call_one(struct engine *e, struct caller *c)
{
    enum err how = OK;

    pthread_mutex_lock(&e->m);
    ticket_is_settled(e, c->ticket, &how);
    pthread_mutex_unlock(&e->m);
    c->done(c->arg, how);
    free(c);
}

/* With e->m held, which it gives back meanwhile. */
static void tell_settled(struct engine *e)
{
    struct caller *due = take_settled(e);
    uint64_t settled = e->settled;

    pthread_cond_broadcast(&e->settled_cond);
    pthread_mutex_unlock(&e->m);
    watches_call(&e->watches, settled);
    while (due) {
        struct caller *next = due->next;

        call_one(e, due);
        due = next;
    }
    pthread_mutex_lock(&e->m);
}

static struct timespec time_from_now(uint32_t us)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_nsec += (long)us * 1000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

static void linger(struct engine *e)
{
    struct timespec until;

    if (e->options.linger_us == 0 || e->gathering >= e->last_group / 2)
        return;
    until = time_from_now(e->options.linger_us);
    e->hoped_for = e->last_group / 2;
    while (e->gathering < e->hoped_for &&
           pthread_cond_timedwait(&e->gathered, &e->m, &until) != ETIMEDOUT)
        ;
    e->hoped_for = 0;
}

static void publish(struct engine *e, struct durable *next, uint64_t upto)
{
    durable_release(e, &e->durable);
    e->durable = next;
    e->settled = upto;
    e->flushes++;
}

/* The flush itself, without e->m. It is tried once: see store_state.c. */
static void flush_backend(struct engine *e, struct durable *next, uint64_t upto)
{
    struct cx cx = {.arena = NULL};
    enum err err = e->options.skip_flush ? OK : e->ops->flush(e->backend, &cx);
    HOLD(&e->m);

    if (err)
        store_failed(e, &cx);
    if (e->state == STORE_OPEN)
        publish(e, next, upto);
    else
        durable_release(e, &next); /* a write may have failed in another thread meanwhile */
}

/* With e->m held, which it gives back meanwhile. */
static void flush_round(struct engine *e)
{
    struct durable *next;
    uint64_t upto;

    linger(e);
    if (e->state != STORE_OPEN)
        return;
    e->last_group = e->gathering;
    e->gathering = 0;
    upto = e->newest;
    next = durable_take(e);
    e->users++;
    pthread_mutex_unlock(&e->m);
    flush_backend(e, next, upto);
    store_leave(e);
    pthread_mutex_lock(&e->m);
    tell_settled(e);
}

void tell_failure(struct engine *e)
{
    HOLD(&e->m);
    if (!e->flushing) /* else its round ends with the same */
        tell_settled(e);
}

/* ---- waiting ---- */

static bool somebody_waits(const struct engine *e)
{
    return e->state == STORE_OPEN && e->wanted > e->settled;
}

static void begin_to_wait(struct engine *e, uint64_t ticket)
{
    if (e->wanted < ticket)
        e->wanted = ticket;
    e->gathering++;
    if (e->hoped_for && e->gathering >= e->hoped_for)
        pthread_cond_signal(&e->gathered);
}

static void sleep_until_settled(struct engine *e, uint64_t ticket)
{
    if (e->sleepers_want < ticket)
        e->sleepers_want = ticket;
    pthread_cond_wait(&e->settled_cond, &e->m);
}

/* Rounds until our own ticket is settled; further ones are for the sleepers to do, so that under load no thread
 * works for others for ever. Where only callers are left, who cannot, we go on. */
static void flush_until(struct engine *e, uint64_t ticket)
{
    e->flushing = true;
    while (somebody_waits(e) && !(ticket <= e->settled && e->sleepers_want > e->settled))
        flush_round(e);
    e->flushing = false;
    pthread_cond_broadcast(&e->settled_cond);
}

enum err engine_wait(struct engine *e, struct cx *cx, struct ticket ticket)
{
    enum err how;
    HOLD(&e->m);

    if (!ticket_is_settled(e, ticket.v, &how))
        begin_to_wait(e, ticket.v);
    while (!ticket_is_settled(e, ticket.v, &how))
        if (e->flushing)
            sleep_until_settled(e, ticket.v);
        else
            flush_until(e, ticket.v);
    return how ? fail(cx, how, "the log could not be made durable") : OK;
}

/* True: it is settled already, and done() is for the caller to call. */
static bool settled_or_noted(struct engine *e, struct caller *c, enum err *how)
{
    HOLD(&e->m);
    if (ticket_is_settled(e, c->ticket, how))
        return true;
    *e->callers_end = c;
    e->callers_end = &c->next;
    begin_to_wait(e, c->ticket);
    return false;
}

void engine_when_durable(struct engine *e, struct ticket ticket, void (*done)(void *arg, enum err e),
                         void *arg)
{
    struct caller *c = must_alloc(sizeof(*c));
    enum err how;

    *c = (struct caller){.ticket = ticket.v, .done = done, .arg = arg};
    if (!settled_or_noted(e, c, &how))
        return;
    free(c);
    done(arg, how);
}

bool engine_is_durable(struct engine *e, struct ticket ticket)
{
    enum err how;
    HOLD(&e->m);

    return ticket_is_settled(e, ticket.v, &how) && !how;
}

bool engine_flush(struct engine *e)
{
    HOLD(&e->m);
    if (e->flushing || !somebody_waits(e))
        return false;
    flush_until(e, UINT64_MAX);
    return true;
}

bool engine_flush_once(struct engine *e)
{
    HOLD(&e->m);
    if (e->flushing || !somebody_waits(e))
        return false;
    e->flushing = true;
    flush_round(e);
    e->flushing = false;
    pthread_cond_broadcast(&e->settled_cond);
    return true;
}

bool engine_wants_flush(struct engine *e)
{
    HOLD(&e->m);
    return !e->flushing && somebody_waits(e);
}

struct ticket engine_newest(struct engine *e)
{
    HOLD(&e->m);
    return (struct ticket){e->newest};
}
