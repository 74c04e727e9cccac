/* Entries as rows, and what an attempt makes of one. */
#include "vault/queue/queue.h"

#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "vault/store/body.h"
#include "vault/vault.h"

#include <assert.h>

static struct entry_key key_of(struct entry_id id)
{
    return (struct entry_key){.body = id.body, .n = id.n};
}

static struct due_key due_of(struct entry_id id, uint64_t due)
{
    return (struct due_key){.due = due, .body = id.body, .n = id.n};
}

enum err entry_read(struct view *v, struct cx *cx, struct entry_id id, struct entry_row *row,
                    bool *found)
{
    struct entry_key key = key_of(id);

    return entry_row_view(v, cx, NO_ACCOUNT, &key, row, found);
}

void queue_add(struct txn *t, const struct config *config, const struct new_entry *n)
{
    uint64_t now = (uint64_t)now_ms();
    struct entry_key key = key_of(n->id);
    struct due_key due = due_of(n->id, now);
    struct entry_row row = {.destination = n->destination,
                            .reverse_path = n->reverse_path,
                            .params = n->params,
                            .sender = n->sender,
                            .size = n->size,
                            .arrived = now,
                            .due = now,
                            .expires = now + (uint64_t)config->queue.give_up_after,
                            .rcpts = n->rcpts,
                            .rcpts_count = n->rcpts_count};

    entry_row_put(t, NO_ACCOUNT, &key, &row);
    due_row_put(t, NO_ACCOUNT, &due, &(struct due_row){0});
    body_refer(t, (struct body_id){n->id.body}, QUEUE_PART, n->id.n);
}

/* ---- settling an attempt ---- */

/* Of what a gate says that a server said, which stays with the entry and is told to the postmaster: more than any server
 * says (RFC 5321 §4.5.3.1.5), and less than would keep the queue from being listed. */
#define STATUS_KEPT 16
#define REMOTE_KEPT 255
#define REPLY_KEPT 2000

static uint32_t state_after(uint32_t outcome)
{
    return outcome == OUTCOME_FAILED     ? RCPT_FAILED
           : outcome == OUTCOME_DEFERRED ? RCPT_WAITING
                                         : RCPT_DONE;
}

static enum trace_event_kind event_of(uint32_t outcome, bool local)
{
    if (outcome == OUTCOME_FAILED)
        return TRACE_FAILED;
    if (outcome == OUTCOME_DEFERRED)
        return TRACE_DEFERRED;
    return local ? TRACE_DELIVERED : TRACE_SENT;
}

static struct str outcome_text(struct cx *cx, const struct result *r)
{
    struct buf b = buf_make(4096);
    struct str s;

    if (r->remote.n)
        buf_printf(&b, "%.*s said: ", STR_ARG(str_upto(r->remote, REMOTE_KEPT)));
    buf_add(&b, str_upto(r->reply, REPLY_KEPT));
    s = str_copy(cx->arena, buf_str(&b));
    buf_free(&b);
    return s;
}

static void settle_rcpt(struct txn *t, struct cx *cx, const struct attempt *a, const struct result *r)
{
    struct entry_rcpt *to = &a->entry->rcpts[r->n];
    struct trace_event ev = {.kind = event_of(r->outcome, a->local),
                             .message = {a->id.body},
                             .entry = a->id.n,
                             .from = path_text(cx, &a->entry->reverse_path),
                             .to = path_text(cx, &to->to),
                             .text = outcome_text(cx, r)};
    char id[ID_TEXT_SIZE];

    to->state = state_after(r->outcome);
    to->status = str_upto(r->status, STATUS_KEPT);
    to->last_reply = str_upto(r->reply, REPLY_KEPT);
    to->remote = str_upto(r->remote, REMOTE_KEPT);
    trace_put(t, &ev);
    entry_id_text(a->id, id);
    log_line(r->outcome == OUTCOME_FAILED ? LOG_WARNING : LOG_INFO, trace_event_name(ev.kind),
             "id=%s to=%s status=%s remote=%s reply=%s", id, log_value(ev.to), log_value(r->status),
             log_value(r->remote), log_value(r->reply));
}

static uint64_t next_due(const struct config *config, const struct entry_row *e, uint64_t now)
{
    size_t last = config->queue.retry.n - 1;
    size_t i = e->attempts > last ? last : e->attempts;
    uint64_t due = now + (uint64_t)config->queue.retry.v[i];

    return due < e->expires ? due : e->expires;
}

/* Time is over: who still waits has failed, with what the last server said. RFC 3463: X.4.7. */
static void expire_waiting(struct txn *t, struct cx *cx, const struct attempt *a, bool *failed)
{
    struct entry_row *e = a->entry;

    for (size_t i = 0; i < e->rcpts_count; i++) {
        struct trace_event ev = {.kind = TRACE_FAILED, .message = {a->id.body}, .entry = a->id.n};

        if (e->rcpts[i].state != RCPT_WAITING)
            continue;
        e->rcpts[i].state = RCPT_FAILED;
        if (!e->rcpts[i].status.n)
            e->rcpts[i].status = S("4.4.7");
        failed[i] = true;
        ev.from = path_text(cx, &e->reverse_path);
        ev.to = path_text(cx, &e->rcpts[i].to);
        ev.text = S("tried until the time for it was over");
        trace_put(t, &ev);
    }
}

static bool anybody_waits(const struct entry_row *e)
{
    for (size_t i = 0; i < e->rcpts_count; i++)
        if (e->rcpts[i].state == RCPT_WAITING)
            return true;
    return false;
}

static void note_waiting(const struct entry_row *e, bool *which)
{
    for (size_t i = 0; i < e->rcpts_count; i++)
        which[i] = e->rcpts[i].state == RCPT_WAITING;
}

/* Try again: when, and whether the sender is to be told that it takes long. */
static enum err reschedule(struct vault *v, struct txn *t, struct cx *cx, const struct attempt *a,
                           uint64_t now)
{
    struct entry_row *e = a->entry;
    struct entry_key key = key_of(a->id);
    struct due_key due;
    enum err err = OK;

    e->due = next_due(settings(), e, now);
    e->attempts++;
    e->by_hand = false;
    if (!e->warned && now - e->arrived >= (uint64_t)settings()->queue.warn_after) {
        bool *waiting = arena_array(cx->arena, bool, e->rcpts_count);

        note_waiting(e, waiting);
        e->warned = true;
        err = report_add(v, t, cx, a->id, e, ABOUT_DELAY, waiting);
    }
    due = due_of(a->id, e->due);
    entry_row_put(t, NO_ACCOUNT, &key, e);
    due_row_put(t, NO_ACCOUNT, &due, &(struct due_row){0});
    return err;
}

static void finish(struct txn *t, const struct attempt *a)
{
    struct entry_key key = key_of(a->id);

    entry_row_delete(t, NO_ACCOUNT, &key);
    body_release(t, (struct body_id){a->id.body}, QUEUE_PART, a->id.n);
}

enum err queue_settle(struct vault *v, struct txn *t, struct cx *cx, const struct attempt *a)
{
    struct entry_row *entry = a->entry;
    bool *failed = arena_array(cx->arena, bool, entry->rcpts_count);
    bool *succeeded = arena_array(cx->arena, bool, entry->rcpts_count);
    struct due_key before = due_of(a->id, entry->due);
    uint64_t now = (uint64_t)now_ms();
    enum err e;

    for (size_t i = 0; i < a->results_count; i++) {
        const struct result *r = &a->results[i];

        if (r->n >= entry->rcpts_count || r->outcome < OUTCOME_DELIVERED ||
            r->outcome > OUTCOME_DEFERRED)
            return fail(cx, ERR_BAD_CALL, "a result for recipient %u of %zu", r->n, entry->rcpts_count);
        if (entry->rcpts[r->n].state != RCPT_WAITING)
            continue;
        settle_rcpt(t, cx, a, r);
        failed[r->n] = r->outcome == OUTCOME_FAILED;
        /* RFC 3461 §5.2: who passes it on with its DSN parameters leaves the report to the next server */
        succeeded[r->n] =
            r->outcome == OUTCOME_RELAYED || (a->local && r->outcome == OUTCOME_DELIVERED);
    }
    due_row_delete(t, NO_ACCOUNT, &before);
    if (anybody_waits(entry) && now >= entry->expires)
        expire_waiting(t, cx, a, failed);
    e = report_add(v, t, cx, a->id, entry, ABOUT_FAILURE, failed);
    if (!e)
        e = report_add(v, t, cx, a->id, entry, ABOUT_SUCCESS, succeeded);
    if (e)
        return e;
    if (anybody_waits(entry))
        return reschedule(v, t, cx, a, now);
    finish(t, a);
    return OK;
}
