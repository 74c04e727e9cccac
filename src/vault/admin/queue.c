/* posthorn queue …: looking at entries, and changing them under a lease of our own. */
#include "base/clock.h"
#include "base/log.h"
#include "base/scoped.h"
#include "mail/idna.h"
#include "vault/admin/admin.h"
#include "vault/queue/queue.h"
#include "vault/store/body.h"
#include "vault/vault.h"

#define ACTIVE_HOLDER 0 /* the vault itself */

/* ---- looking ---- */

static struct queue_info describe(struct caller *c, struct entry_id id, const struct entry_row *e)
{
    struct queue_info q = {.entry = id,
                           .from = path_text(&c->cx, &e->reverse_path),
                           .destination = e->destination.n ? e->destination : S("(here)"),
                           .size = e->size,
                           .arrived = e->arrived,
                           .due = e->due,
                           .expires = e->expires,
                           .attempts = e->attempts,
                           .held = e->held,
                           .active = queue_is_leased(c->vault->queue, id),
                           .rcpts = arena_array(c->cx.arena, struct queue_rcpt_info, e->rcpts_count),
                           .rcpts_count = e->rcpts_count};

    for (size_t i = 0; i < e->rcpts_count; i++)
        q.rcpts[i] = (struct queue_rcpt_info){.to = path_text(&c->cx, &e->rcpts[i].to),
                                              .state = e->rcpts[i].state,
                                              .last_reply = e->rcpts[i].last_reply,
                                              .status = e->rcpts[i].status};
    return q;
}

static enum err scan_entries(struct caller *c, struct view *v, struct entry_id after,
                             struct scan **scan)
{
    struct entry_key key = {.body = after.body, .n = after.n};
    struct buf from = buf_make(32);
    enum err e;

    entry_key_pack(&from, &key);
    buf_add_char(&from, '\0');
    e = view_scan(v, &c->cx, entry_part(NO_ACCOUNT), buf_str(&from), S("r"), false, scan);
    buf_free(&from);
    return e;
}

/* A block that cannot be read costs the entries in it; `check` names them. False: the end, or scan_error() tells. */
static bool next_entry(struct scan *scan, struct cx *cx, struct str *key, struct str *value)
{
    do
        if (scan_next(scan, key, value))
            return true;
    while (scan_error(scan, cx) == ERR_DAMAGED && scan_past_damage(scan));
    return false;
}

static size_t packed_size(const struct queue_info *q)
{
    struct buf b = buf_make(BUF_UNLIMITED);
    size_t n;

    pack_queue_info(&b, q);
    n = b.n;
    buf_free(&b);
    return n;
}

enum err serve_queue_list(struct caller *c, const struct queue_list_request *q,
                          struct queue_list_reply *r)
{
    scoped(view_close) struct view *v = view_open(c->vault->engine);
    scoped(scan_close) struct scan *scan = NULL;
    struct str k, value;
    size_t bytes = 0;
    enum err e = v ? scan_entries(c, v, q->after, &scan) : ERR_STORE;

    r->entries = arena_array(c->cx.arena, struct queue_info, PAGE);
    while (!e && r->entries_count < PAGE && bytes < PAGE_BYTES &&
           next_entry(scan, &c->cx, &k, &value)) {
        struct str copy = str_copy(c->cx.arena, value);
        struct entry_row row;
        struct entry_key key;

        if (!entry_key_unpack(k, &key) || !entry_unpack(c->cx.arena, copy, &row))
            continue;
        r->entries[r->entries_count] = describe(c, (struct entry_id){key.body, key.n}, &row);
        bytes += packed_size(&r->entries[r->entries_count++]);
    }
    r->more = r->entries_count == PAGE || bytes >= PAGE_BYTES;
    return e ? e : scan_error(scan, &c->cx);
}

static enum err read_entry(struct caller *c, struct entry_id id, struct entry_row *row)
{
    scoped(view_close) struct view *v = view_open(c->vault->engine);
    char text[ID_TEXT_SIZE];
    bool found;
    enum err e =
        v ? entry_read(v, &c->cx, id, row, &found) : fail(&c->cx, ERR_STORE, "the store is closed");

    entry_id_text(id, text);
    return !e && !found ? fail(&c->cx, ERR_NOT_FOUND, "there is no queue entry %s", text) : e;
}

enum err serve_queue_show(struct caller *c, const struct queue_show_request *q,
                          struct queue_show_reply *r)
{
    struct entry_row row;
    enum err e = read_entry(c, q->entry, &row);

    if (!e)
        r->entry = describe(c, q->entry, &row);
    return e;
}

/* ---- changing ---- */

struct change {
    uint32_t action;
    enum trace_event_kind event;
    bool (*applies)(const struct entry_row *e);
};

static bool always(const struct entry_row *e)
{
    (void)e;
    return true;
}

static bool is_held(const struct entry_row *e)
{
    return e->held;
}
static bool is_not_held(const struct entry_row *e)
{
    return !e->held;
}

static const struct change changes[] = {
    {QUEUE_RETRY, TRACE_RETRIED, is_not_held},
    {QUEUE_HOLD, TRACE_HELD, is_not_held},
    {QUEUE_RELEASE, TRACE_RELEASED, is_held},
    {QUEUE_REMOVE, TRACE_REMOVED, always},
};

static const struct change *find_change(uint32_t action)
{
    for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++)
        if (changes[i].action == action)
            return &changes[i];
    return NULL;
}

/* A held entry has no row in the index of due ones: the schedule does not see it. */
void entry_change(struct txn *t, struct entry_id id, struct entry_row *e, uint32_t action)
{
    struct entry_key key = {.body = id.body, .n = id.n};
    struct due_key before = {.due = e->due, .body = id.body, .n = id.n}, after = before;

    due_row_delete(t, NO_ACCOUNT, &before);
    if (action == QUEUE_REMOVE) {
        entry_row_delete(t, NO_ACCOUNT, &key);
        body_release(t, (struct body_id){id.body}, QUEUE_PART, id.n);
        return;
    }
    e->held = action == QUEUE_HOLD;
    e->by_hand = action != QUEUE_HOLD;
    e->due = after.due = (uint64_t)now_ms();
    entry_row_put(t, NO_ACCOUNT, &key, e);
    if (!e->held)
        due_row_put(t, NO_ACCOUNT, &after, &(struct due_row){0});
}

/* An entry that cannot be read can still be removed, by its key; its place in the schedule is found by looking. */
static enum err remove_unreadable(struct caller *c, struct txn *t, struct entry_id id)
{
    scoped(scan_close) struct scan *scan = NULL;
    struct entry_key key = {.body = id.body, .n = id.n};
    struct due_key due;
    bool is_due = false;
    struct str k, value;
    enum err e = txn_scan(t, &c->cx, due_part(NO_ACCOUNT), S("d"), S("e"), false, &scan);

    while (!e && !is_due && scan_next(scan, &k, &value))
        is_due = due_key_unpack(k, &due) && due.body == id.body && due.n == id.n;
    if (!e && !is_due)
        e = scan_error(scan, &c->cx);
    scan_close(&scan);
    if (is_due)
        due_row_delete(t, NO_ACCOUNT, &due);
    entry_row_delete(t, NO_ACCOUNT, &key);
    body_release(t, (struct body_id){id.body}, QUEUE_PART, id.n);
    return e;
}

/* With the lease. Not OK only if the store fails. */
static enum err change_leased(struct caller *c, struct entry_id id, const struct change *change,
                              bool *changed)
{
    scoped(txn_rollback) struct txn *t = txn_begin(c->vault->engine, NULL, 0);
    struct trace_event ev = {.kind = change->event, .message = {id.body}, .entry = id.n};
    struct entry_row row;
    struct ticket ticket;
    enum err e = read_entry(c, id, &row);

    *changed = false;
    if (e == ERR_DAMAGED && change->action == QUEUE_REMOVE) {
        e = remove_unreadable(c, t, id);
        if (e)
            return e;
    } else if (e || !change->applies(&row)) {
        return e == ERR_NOT_FOUND ? OK : e;
    } else {
        entry_change(t, id, &row, change->action);
        ev.from = path_text(&c->cx, &row.reverse_path);
        ev.to = row.rcpts_count ? path_text(&c->cx, &row.rcpts[0].to) : STR_NONE;
    }
    ev.text = S("by the postmaster");
    trace_put(t, &ev);
    e = txn_commit(&t, &c->cx, &ticket);
    if (!e)
        e = engine_wait(c->vault->engine, &c->cx, ticket);
    *changed = !e;
    return e;
}

static enum err change_one(struct caller *c, struct entry_id id, const struct change *change,
                           uint32_t *count)
{
    char text[ID_TEXT_SIZE];
    bool changed = false;
    enum err e;

    entry_id_text(id, text);
    if (!queue_lease(c->vault->queue, id, ACTIVE_HOLDER, STR_NONE))
        return fail(&c->cx, ERR_BUSY, "%s is being delivered at this moment", text);
    e = change_leased(c, id, change, &changed);
    queue_unlease(c->vault->queue, id);
    *count += changed;
    return e;
}

struct choice {
    struct entry_id *ids;
    size_t n;
};

static enum err choose(struct caller *c, const struct queue_change_request *q, struct entry_id after,
                       struct choice *out)
{
    scoped(view_close) struct view *v = view_open(c->vault->engine);
    scoped(scan_close) struct scan *scan = NULL;
    struct str k, value, domain = q->domain;
    enum err e = v ? scan_entries(c, v, after, &scan) : ERR_STORE;

    domain_to_ascii(c->cx.arena, q->domain, &domain);
    while (!e && out->n < PAGE && next_entry(scan, &c->cx, &k, &value)) {
        struct entry_row row;
        struct entry_key key;

        if (entry_key_unpack(k, &key) && entry_unpack(c->cx.arena, value, &row) &&
            (q->all || str_same_nocase(row.destination, domain)))
            out->ids[out->n++] = (struct entry_id){key.body, key.n};
    }
    return e ? e : scan_error(scan, &c->cx);
}

enum err serve_queue_change(struct caller *c, const struct queue_change_request *q,
                            struct queue_change_reply *r)
{
    const struct change *change = find_change(q->action);
    struct choice chosen = {.ids = arena_array(c->cx.arena, struct entry_id, PAGE)};
    struct entry_id after = {0};
    struct entry_row row;
    enum err e;

    if (!change)
        return fail(&c->cx, ERR_BAD_CALL, "action %u", q->action);
    if (!q->all && !q->domain.n) {
        e = read_entry(c, q->entry, &row);
        if (e == ERR_DAMAGED && q->action == QUEUE_REMOVE)
            e = OK;
        e = e ? e : change_one(c, q->entry, change, &r->changed);
        queue_hint(c->vault->queue);
        return e;
    }
    do {
        chosen.n = 0;
        e = choose(c, q, after, &chosen);
        for (size_t i = 0; !e && i < chosen.n; i++) {
            e = change_one(c, chosen.ids[i], change, &r->changed);
            if (e == ERR_BUSY) /* it is on its way already */
                e = OK;
            after = chosen.ids[i];
        }
    } while (!e && chosen.n == PAGE);
    queue_hint(c->vault->queue);
    return e;
}
