#include "vault/trace/trace.h"

#include "base/clock.h"
#include "base/scoped.h"
#include "vault/caller.h"
#include "vault/vault.h"

#include <stdatomic.h>

const char *trace_event_name(unsigned kind)
{
    static const char *const names[] = {"?",    "accepted", "delivered", "queued",
                                        "sent", "deferred", "failed",    "reported",
                                        "held", "released", "retried",   "removed"};

    return names[kind <= TRACE_REMOVED ? kind : 0];
}

/* `n` keeps events of one message in one millisecond apart, and in order. */
void trace_put(struct txn *t, const struct trace_event *ev)
{
    static _Atomic uint32_t count;
    struct event_key key = {
        .time = (uint64_t)now_ms(), .message = ev->message.v, .n = atomic_fetch_add(&count, 1)};
    struct event_row row = {
        .entry = ev->entry, .event = ev->kind, .from = ev->from, .to = ev->to, .text = ev->text};

    event_row_put(t, NO_ACCOUNT, &key, &row);
}

enum err trace_drop_before(struct store *s, struct cx *cx, int64_t before_ms)
{
    scoped(txn_rollback) struct txn *t = txn_begin(s->engine, NULL, 0);
    scoped(buf_free) struct buf to = buf_make(64);
    struct ticket ticket;

    event_key_pack(&to, &(struct event_key){.time = (uint64_t)before_ms});
    txn_delete_range(t, event_part(NO_ACCOUNT), S("t"), buf_str(&to));
    return txn_commit(&t, cx, &ticket);
}

struct str path_text(struct cx *cx, const struct path *p)
{
    struct buf b = buf_make(1024);
    struct str s;

    if (!p->local_part.n)
        return S("<>");
    buf_add(&b, p->local_part);
    if (p->domain.n)
        buf_add_char(&b, '@');
    buf_add(&b, p->domain);
    s = str_copy(cx->arena, buf_str(&b));
    buf_free(&b);
    return s;
}

/* ---- posthorn trace ---- */

#define MOST_MATCHED 1000
#define MOST_ROWS 1000

struct search {
    struct str what;
    uint64_t id; /* 0: not an id */
    uint64_t matched[MOST_MATCHED];
    size_t matched_count;
};

static bool is_matched(const struct search *s, uint64_t message)
{
    for (size_t i = 0; i < s->matched_count; i++)
        if (s->matched[i] == message)
            return true;
    return false;
}

static bool holds_nocase(struct str text, struct str what)
{
    for (size_t i = 0; what.n && i + what.n <= text.n; i++)
        if (str_same_nocase(str_upto(str_from(text, i), what.n), what))
            return true;
    return false;
}

/* A message belongs to the answer from the first event on that names what is asked for. */
static bool belongs(struct search *s, const struct event_key *key, const struct event_row *row)
{
    if (s->id)
        return key->message == s->id;
    if (is_matched(s, key->message))
        return true;
    if (!holds_nocase(row->from, s->what) && !holds_nocase(row->to, s->what) &&
        !holds_nocase(row->text, s->what))
        return false;
    if (s->matched_count < MOST_MATCHED)
        s->matched[s->matched_count++] = key->message;
    return true;
}

static void add_row(struct cx *cx, struct trace_reply *r, const struct event_key *key,
                    const struct event_row *row)
{
    r->rows[r->rows_count++] = (struct trace_info){.time = key->time,
                                                   .message = {key->message},
                                                   .entry = row->entry,
                                                   .event = row->event,
                                                   .from = str_copy(cx->arena, row->from),
                                                   .to = str_copy(cx->arena, row->to),
                                                   .text = str_copy(cx->arena, row->text)};
}

static void parse_what(struct str what, struct search *s)
{
    struct entry_id entry;

    *s = (struct search){.what = what};
    if (parse_entry_id(what, &entry))
        s->id = entry.body;
    else if (!parse_id(what, &s->id))
        s->id = 0;
}

enum err serve_trace(struct caller *c, const struct trace_request *q, struct trace_reply *r)
{
    scoped(view_close) struct view *v = view_open(c->vault->engine);
    scoped(scan_close) struct scan *scan = NULL;
    struct arena *rows = arena_new(0); /* most rows are looked at and forgotten */
    struct cx row_cx = {.arena = rows};
    struct search search;
    struct str k, value;
    enum err e;

    parse_what(q->what, &search);
    r->rows = arena_array(c->cx.arena, struct trace_info, MOST_ROWS);
    e = v ? view_scan(v, &row_cx, event_part(NO_ACCOUNT), S("t"), S("u"), false, &scan) : ERR_STORE;
    while (!e && r->rows_count < MOST_ROWS && scan_next(scan, &k, &value)) {
        struct event_key key;
        struct event_row row;

        if (event_key_unpack(k, &key) && event_unpack(rows, value, &row) &&
            belongs(&search, &key, &row))
            add_row(&c->cx, r, &key, &row);
        arena_reset(rows);
    }
    r->more = r->rows_count == MOST_ROWS;
    scan_close(&scan);
    arena_free(rows);
    return e;
}
