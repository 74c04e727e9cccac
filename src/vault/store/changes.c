#include "vault/store/changes.h"

#include "base/scoped.h"
#include "vault/store/folders.h"
#include "vault/store/metadata.h"
#include "vault/store/ranges.h"

#include <inttypes.h>
#include <stdlib.h>

#define FOLD_AT_ONCE 50000 /* entries of an account in one transaction */
#define ACCOUNTS_AT_ONCE 1000

static enum err read_state(struct view *v, struct cx *cx, struct account_id account,
                           struct state_row *state)
{
    bool found;
    enum err e = state_row_view(v, cx, account, &(struct state_key){0}, state, &found);

    return e || found ? e : fail(cx, ERR_NOT_FOUND, "account %" PRIu64 " was removed", account.v);
}

enum err account_figures(struct view *v, struct cx *cx, struct account_id account,
                         struct account_figures *out)
{
    struct state_row state;
    enum err e = read_state(v, cx, account, &state);

    if (!e)
        *out = (struct account_figures){.modseq = state.modseq,
                                        .log_floor = state.log_floor,
                                        .mail = state.used,
                                        .mailboxes = state.mailboxes,
                                        .metadata = state.metadata};
    return e;
}

enum err account_limits(struct view *v, struct cx *cx, struct account_id account,
                        struct account_limits *out)
{
    struct account_row row = {0};
    bool found;
    enum err e =
        account_row_view(v, cx, NO_ACCOUNT, &(struct account_key){.account = account.v}, &row, &found);

    if (!e)
        *out = (struct account_limits){
            .mail = row.limit, .mailboxes = MOST_MAILBOXES, .metadata = METADATA_BYTES_MAX};
    return e;
}

/* ---- reading ---- */

struct reading {
    struct arena *arena; /* for one entry */
    uint64_t next;       /* the modseq that comes next; another one: an entry was lost */
    bool (*look)(void *arg, const struct change *c);
    void *arg;
    bool enough, lost;
};

static void look_at_item(struct reading *r, const struct change_row *row,
                         const struct change_item *item)
{
    bool has_uids = item->kind >= CHANGE_ADDED && item->kind <= CHANGE_REMOVED;
    struct change c = {
        .modseq = r->next, .time = (int64_t)row->time, .kind = item->kind, .mailbox = item->mailbox};
    struct ranges uids;

    if (has_uids && !ranges_unpack(r->arena, item->what, &uids)) {
        r->lost = true;
        return;
    }
    if (has_uids)
        c.uids = ranges_set(&uids);
    else
        c.name = item->what;
    r->enough = !r->look(r->arg, &c);
}

/* What one entry tells is told whole, or the reader has to come back for it. */
static void look_at_entry(struct reading *r, struct str key, struct str value)
{
    struct change_key k;
    struct change_row row;

    arena_reset(r->arena);
    if (!change_key_unpack(key, &k) || k.modseq != r->next || !change_unpack(r->arena, value, &row)) {
        r->lost = true;
        return;
    }
    for (size_t i = 0; i < row.items_count && !r->enough && !r->lost; i++)
        look_at_item(r, &row, &row.items[i]);
    if (!r->enough && !r->lost)
        r->next++;
}

static enum err read_entries(struct view *v, struct cx *cx, struct account_id account,
                             struct reading *r)
{
    scoped(buf_free) struct buf from = buf_make(32);
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value;
    enum err e;

    change_key_pack(&from, &(struct change_key){.modseq = r->next});
    e = view_scan(v, cx, change_part(account), buf_str(&from), S("d"), false, &scan);
    if (e)
        return e;
    while (!r->enough && !r->lost && scan_next(scan, &key, &value))
        look_at_entry(r, key, value);
    e = scan_error(scan, cx);
    if (e == ERR_DAMAGED)
        r->lost = true;
    return e == ERR_DAMAGED ? OK : e;
}

enum err changes_since(struct view *v, struct cx *cx, struct account_id account, uint64_t since,
                       bool (*look)(void *arg, const struct change *c), void *arg, uint64_t *upto,
                       bool *complete)
{
    struct reading r = {.next = since + 1, .look = look, .arg = arg};
    struct state_row state;
    enum err e = read_state(v, cx, account, &state);

    if (e)
        return e;
    r.lost = since < state.log_floor || since > state.modseq;
    r.arena = arena_new(0);
    if (!r.lost)
        e = read_entries(v, cx, account, &r);
    arena_free(r.arena);
    if (e)
        return e;
    r.lost |= !r.enough && r.next != state.modseq + 1;
    *complete = !r.lost;
    *upto = r.lost ? state.modseq : r.next - 1;
    return OK;
}

struct removals {
    struct arena *arena;
    struct mailbox_id mailbox;
    struct imap_range *v;
    size_t n, room;
};

static bool note_removed(void *arg, const struct change *c)
{
    struct removals *r = arg;

    if (c->kind != CHANGE_REMOVED || c->mailbox.v != r->mailbox.v)
        return true;
    while (r->room - r->n < c->uids.count) {
        r->room = r->room ? r->room * 2 : 64;
        r->v = must_realloc(r->v, r->room * sizeof(*r->v));
    }
    memcpy(&r->v[r->n], c->uids.ranges, c->uids.count * sizeof(*r->v));
    r->n += c->uids.count;
    return true;
}

static int by_first(const void *a, const void *b)
{
    const struct imap_range *x = a, *y = b;

    return x->first < y->first ? -1 : x->first > y->first;
}

/* A UID is removed once, so the ranges do not overlap. */
static struct imap_set in_order(struct removals *r)
{
    struct ranges all = {0};

    if (r->n)
        qsort(r->v, r->n, sizeof(*r->v), by_first);
    for (size_t i = 0; i < r->n; i++)
        ranges_add(r->arena, &all, r->v[i].first, r->v[i].last);
    return ranges_set(&all);
}

enum err changes_removed(struct view *v, struct cx *cx, struct account_id account,
                         struct mailbox_id mailbox, uint64_t since, struct imap_set *uids,
                         bool *complete)
{
    struct removals r = {.arena = cx->arena, .mailbox = mailbox};
    uint64_t upto;
    enum err e = changes_since(v, cx, account, since, note_removed, &r, &upto, complete);

    if (!e)
        *uids = in_order(&r);
    free(r.v);
    return e;
}

/* ---- folding ---- */

/* The last entry, up to `most`, that is older than `before`. */
static enum err last_to_fold(struct view *v, struct cx *cx, struct account_id account, uint64_t floor,
                             uint64_t most, int64_t before, uint64_t *last)
{
    scoped(buf_free) struct buf from = buf_make(32), to = buf_make(32);
    scoped(scan_close) struct scan *scan = NULL;
    struct arena *a;
    struct str key, value;
    enum err e;

    *last = floor;
    change_key_pack(&from, &(struct change_key){.modseq = floor + 1});
    change_key_pack(&to, &(struct change_key){.modseq = most + 1});
    e = view_scan(v, cx, change_part(account), buf_str(&from), buf_str(&to), false, &scan);
    if (e)
        return e;
    a = arena_new(0);
    while (scan_next(scan, &key, &value)) {
        struct change_key k;
        struct change_row row;

        arena_reset(a);
        if (change_key_unpack(key, &k) && change_unpack(a, value, &row) && (int64_t)row.time >= before)
            break;
        *last = k.modseq;
    }
    arena_free(a);
    return scan_error(scan, cx);
}

static enum err raise_floor(struct store *s, struct cx *cx, struct account_id account, uint64_t floor)
{
    scoped(txn_rollback) struct txn *t =
        txn_begin(s->engine, &(struct part){PART_ACCOUNT, account.v}, 1);
    scoped(buf_free) struct buf from = buf_make(32), to = buf_make(32);
    struct state_row state;
    struct ticket ticket;
    bool found;
    enum err e = state_row_txn(t, cx, account, &(struct state_key){0}, &state, &found);

    if (e || !found)
        return e;
    state.log_floor = floor;
    change_key_pack(&from, &(struct change_key){.modseq = 0});
    change_key_pack(&to, &(struct change_key){.modseq = floor + 1});
    txn_delete_range(t, change_part(account), buf_str(&from), buf_str(&to));
    state_row_put(t, account, &(struct state_key){0}, &state);
    return txn_commit(&t, cx, &ticket);
}

static enum err fold(struct store *s, struct view *v, struct cx *cx, struct account_id account,
                     int64_t before)
{
    struct state_row state;
    uint64_t most, last;
    enum err e = read_state(v, cx, account, &state);

    if (e)
        return e == ERR_NOT_FOUND || e == ERR_DAMAGED ? OK : e;
    if (state.modseq - state.log_floor <= CHANGES_KEPT || state.modseq < state.log_floor)
        return OK;
    most = state.modseq - CHANGES_KEPT;
    if (most - state.log_floor > FOLD_AT_ONCE)
        most = state.log_floor + FOLD_AT_ONCE;
    e = last_to_fold(v, cx, account, state.log_floor, most, before, &last);
    if (e == ERR_DAMAGED)
        return OK;
    return e || last == state.log_floor ? e : raise_floor(s, cx, account, last);
}

enum err changes_fold(struct store *s, struct cx *cx, int64_t now, struct account_id *next)
{
    scoped(view_close) struct view *v = view_open(s->engine);
    bool found = true;
    enum err e = v ? OK : fail(cx, ERR_STORE, "the store is closed");

    for (int i = 0; i < ACCOUNTS_AT_ONCE && found && !e; i++) {
        e = view_next_account(v, cx, next->v, &next->v, &found);
        if (!e && found)
            e = fold(s, v, cx, *next, now - CHANGES_KEPT_MS);
    }
    if (!found)
        next->v = 0;
    return e;
}
