/* The last step of a restore: the store that was copied back is made fit to be served. Nobody is served meanwhile, and the
 * mark in the store's directory keeps it so until all of it is durable. If it is interrupted, the restore begins anew. */
#include "base/clock.h"
#include "base/log.h"
#include "base/scoped.h"
#include "vault/admin/admin.h"
#include "vault/queue/queue.h"
#include "vault/store/renew.h"
#include "vault/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#define STEP_MS 500
#define ENTRIES_AT_ONCE 1000

/* ---- the queue ---- */

/* What was still to be sent when the backup was made may have been sent since: by default it waits for somebody who
 * knows. Mail for our own mailboxes has not come to those in this store, so it goes on. */
static bool is_in_doubt(const struct entry_row *e)
{
    return !str_same(e->destination, LOCAL_DESTINATION);
}

static void change_entry(struct caller *c, struct txn *t, struct entry_id id, struct entry_row *row,
                         uint32_t action)
{
    struct trace_event ev = {.kind = action == QUEUE_HOLD ? TRACE_HELD : TRACE_REMOVED,
                             .message = {id.body},
                             .entry = id.n,
                             .from = path_text(&c->cx, &row->reverse_path),
                             .text = S("restored from a backup: it may have been sent since")};

    if (row->rcpts_count)
        ev.to = path_text(&c->cx, &row->rcpts[0].to);
    entry_change(t, id, row, action);
    trace_put(t, &ev);
}

/* Some entries behind *after; those that cannot be read stay as they are. */
static enum err change_some(struct caller *c, uint32_t action, struct entry_id *after, bool *more,
                            uint64_t *count)
{
    scoped(view_close) struct view *v = view_open(c->vault->engine);
    scoped(txn_rollback) struct txn *t = txn_begin(c->vault->engine, NULL, 0);
    scoped(scan_close) struct scan *scan = NULL;
    scoped(buf_free) struct buf from = buf_make(32);
    struct ticket ticket;
    struct str k, value;
    size_t n = 0;
    enum err e = v ? OK : fail(&c->cx, ERR_STORE, "the store is closed");

    entry_key_pack(&from, &(struct entry_key){.body = after->body, .n = after->n});
    buf_add_char(&from, '\0');
    if (!e)
        e = view_scan(v, &c->cx, entry_part(NO_ACCOUNT), buf_str(&from), S("r"), false, &scan);
    while (!e && n < ENTRIES_AT_ONCE && scan_next(scan, &k, &value)) {
        struct str copy = str_copy(c->cx.arena, value);
        struct entry_key key;
        struct entry_row row;

        n++;
        if (!entry_key_unpack(k, &key))
            continue;
        *after = (struct entry_id){key.body, key.n};
        if (!entry_unpack(c->cx.arena, copy, &row) || !is_in_doubt(&row))
            continue;
        change_entry(c, t, *after, &row, action);
        ++*count;
    }
    *more = n == ENTRIES_AT_ONCE;
    if (!e)
        e = scan_error(scan, &c->cx);
    scan_close(&scan);
    view_close(&v);
    return e ? e : txn_commit(&t, &c->cx, &ticket);
}

static enum err change_queue(struct caller *c, uint32_t choice, uint64_t *count)
{
    uint32_t action = choice == RESTORE_DROP ? QUEUE_REMOVE : QUEUE_HOLD;
    struct entry_id after = {0};
    bool more = choice != RESTORE_KEEP;
    enum err e = OK;

    while (!e && more)
        e = change_some(c, action, &after, &more, count);
    return e;
}

/* ---- accounts ---- */

static enum err renew_some(struct caller *c, uint64_t *next, struct restore_step_reply *r)
{
    scoped(view_close) struct view *v = view_open(c->vault->engine);
    int64_t end = monotonic_ms() + STEP_MS, now = now_ms();
    struct account_id account;
    struct ticket ticket;
    bool found = true;
    enum err e = v ? OK : fail(&c->cx, ERR_STORE, "the store is closed");

    while (!e && found && monotonic_ms() < end) {
        e = view_next_account(v, &c->cx, *next, &account.v, &found);
        if (e || !found)
            break;
        e = account_renew(c->vault->store, &c->cx, account, now, &r->mailboxes, &ticket);
        *next = account.v;
        r->accounts++;
    }
    if (!e && !found)
        *next = UINT64_MAX;
    return e;
}

/* From here on the store may be served. */
static enum err finish(struct caller *c)
{
    scoped(close_fd) int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum err e = engine_wait(c->vault->engine, &c->cx, engine_newest(c->vault->engine));

    if (e)
        return e;
    if (here < 0 || unlink(RESTORE_MARK) || fsync(here))
        return fail(&c->cx, ERR_SYSTEM, "%s: %s", RESTORE_MARK, strerror(errno));
    log_line(LOG_INFO, "restored", "format=%d", STORE_FORMAT);
    return OK;
}

enum err serve_restore_step(struct caller *c, const struct restore_step_request *q,
                            struct restore_step_reply *r)
{
    struct ticket ticket;
    enum err e = OK;

    if (q->queue < RESTORE_KEEP || q->queue > RESTORE_DROP)
        return fail(&c->cx, ERR_BAD_CALL, "what to do with the queue: %u", q->queue);
    r->next_account = q->after_account;
    if (q->after_account == 0) {
        e = change_queue(c, q->queue, &r->entries);
        if (!e)
            e = directory_renew(c->vault->store, &c->cx, now_ms(), &ticket);
    }
    if (!e)
        e = renew_some(c, &r->next_account, r);
    if (!e && r->next_account == UINT64_MAX)
        e = finish(c);
    return e;
}
