#include "vault/store/edit.h"

#include "base/clock.h"
#include "base/scoped.h"
#include "vault/store/messages.h"
#include "vault/store/store_impl.h"

#include <inttypes.h>

#define KEYWORDS_MOST (64 - FLAG_KEYWORD_FIRST)
#define DROPPED_IN_A_ROW 250 /* rows.def: what the collector does in one transaction */

/* ---- the account ---- */

enum err edit_begin(struct edit *e, struct txn *t, struct cx *cx, struct account_id account)
{
    bool found;
    enum err err;

    *e = (struct edit){.t = t, .cx = cx, .account = account, .now = now_ms()};
    err = state_row_txn(t, cx, account, &(struct state_key){0}, &e->state, &found);
    if (!err && !found)
        return fail(cx, ERR_NOT_FOUND, "account %" PRIu64 " was removed", account.v);
    e->used_before = e->state.used;
    e->modseq = e->state.modseq + 1;
    return err;
}

/* Room for one more in an array of the arena. */
#define GROW(arena, v, n, room)                                                                        \
    do {                                                                                               \
        if ((n) == (room)) {                                                                           \
            size_t more_ = (room) ? (room)*2 : 8;                                                      \
            void *to_ = arena_alloc_array((arena), sizeof(*(v)), more_);                               \
                                                                                                       \
            if (n)                                                                                     \
                memcpy(to_, (v), (n) * sizeof(*(v)));                                                  \
            (v) = to_;                                                                                 \
            (room) = more_;                                                                            \
        }                                                                                              \
    } while (0)

void edit_note(struct edit *e, uint32_t kind, struct mailbox_id mailbox, struct str what)
{
    GROW(e->cx->arena, e->items, e->items_count, e->items_room);
    e->items[e->items_count++] = (struct change_item){.kind = kind, .mailbox = mailbox, .what = what};
}

struct email_id edit_new_email(struct edit *e, uint64_t size)
{
    e->state.used.messages++;
    e->state.used.bytes += size;
    return (struct email_id){e->state.next_email++};
}

static uint64_t less(uint64_t v, uint64_t by)
{
    return by < v ? v - by : 0;
}

void edit_drop_email(struct edit *e, const struct roster_entry *entry)
{
    e->state.used.messages = less(e->state.used.messages, 1);
    e->state.used.bytes = less(e->state.used.bytes, entry->size);
    GROW(e->cx->arena, e->dropped, e->dropped_count, e->dropped_room);
    e->dropped[e->dropped_count++] = (struct dropped){.body = entry->body, .owner = entry->email.v};
}

static void put_dropped(struct edit *e)
{
    struct dead_row row = {.time = (uint64_t)e->now, .part = e->account.v};

    for (size_t i = 0; i < e->dropped_count; i += row.items_count) {
        size_t left = e->dropped_count - i;

        row.items = &e->dropped[i];
        row.items_count = left < DROPPED_IN_A_ROW ? left : DROPPED_IN_A_ROW;
        dead_row_put(e->t, NO_ACCOUNT, &(struct dead_key){.id = fresh_id()}, &row);
    }
}

enum err edit_end(struct edit *e)
{
    struct change_row change = {
        .time = (uint64_t)e->now, .items = e->items, .items_count = e->items_count};

    if (!edit_changed(e))
        return OK;
    e->state.modseq = e->modseq;
    put_dropped(e);
    change_row_put(e->t, e->account, &(struct change_key){.modseq = e->modseq}, &change);
    state_row_put(e->t, e->account, &(struct state_key){0}, &e->state);
    return OK;
}

/* Also before an account's rows go. What cannot be read keeps its references; `check` names them. */
static void drop_all(struct edit *e, const struct roster_entry *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        edit_drop_email(e, &v[i]);
}

static void drop_row(struct edit *e, struct str key, struct str value)
{
    struct roster_entry v[BLOCK_UIDS];
    struct counts_row counts;
    struct counts_key ck;
    struct block_key bk;
    size_t n;

    if (block_key_unpack(key, &bk) && bk.block <= block_of(UINT32_MAX) &&
        entries_unpack(value, bk.block * BLOCK_UIDS, v, &n))
        drop_all(e, v, n);
    if (counts_key_unpack(key, &ck) && counts_unpack(e->cx->arena, value, &counts) &&
        tail_unpack(counts.tail, v, &n))
        drop_all(e, v, n);
}

static enum err drop_rows(struct edit *e, struct str from, struct str to)
{
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value;
    enum err err = txn_scan(e->t, e->cx, block_part(e->account), from, to, false, &scan);

    while (!err) {
        while (scan_next(scan, &key, &value))
            drop_row(e, key, value);
        err = scan_error(scan, e->cx);
        if (err != ERR_DAMAGED || !scan_past_damage(scan))
            return err == ERR_DAMAGED ? OK : err;
        err = OK;
    }
    return err;
}

enum err account_drop_references(struct txn *t, struct cx *cx, struct account_id account)
{
    struct edit e = {.t = t, .cx = cx, .account = account, .now = now_ms()};
    enum err err = drop_rows(&e, S("u"), S("v"));

    if (!err)
        err = drop_rows(&e, S("n"), S("o"));
    if (!err)
        put_dropped(&e);
    return err;
}

/* ---- a mailbox ---- */

static enum err damaged_counts(const struct box *b)
{
    return fail(b->e->cx, ERR_DAMAGED,
                "account %" PRIu64 ": the counts of mailbox %" PRIu64 " make no sense", b->e->account.v,
                b->id.v);
}

enum err box_open(struct box *b, struct edit *e, struct mailbox_id id)
{
    bool found;
    enum err err;

    *b = (struct box){.e = e, .id = id};
    err = counts_row_txn(e->t, e->cx, e->account, &(struct counts_key){.mailbox = id.v}, &b->counts,
                         &found);
    if (!err && !found)
        return fail(e->cx, ERR_NOT_FOUND, "account %" PRIu64 " has no mailbox %" PRIu64, e->account.v,
                    id.v);
    if (err)
        return err;
    b->tail = arena_array(e->cx->arena, struct roster_entry, BLOCK_UIDS);
    b->tail_room = BLOCK_UIDS;
    if (!tail_unpack(b->counts.tail, b->tail, &b->tail_count) ||
        (b->tail_count && b->tail[b->tail_count - 1].uid >= b->counts.uid_next))
        return damaged_counts(b);
    return OK;
}

enum err box_row(struct box *b)
{
    bool found;
    enum err err;

    if (b->has_row)
        return OK;
    err = mailbox_row_txn(b->e->t, b->e->cx, b->e->account, &(struct mailbox_key){.mailbox = b->id.v},
                          &b->row, &found);
    if (!err && !found)
        return fail(b->e->cx, ERR_NOT_FOUND, "account %" PRIu64 " has no mailbox %" PRIu64,
                    b->e->account.v, b->id.v);
    b->has_row = !err;
    return err;
}

static void count_in(struct counts_row *c, const struct roster_entry *e)
{
    c->exists++;
    c->bytes += e->size;
    c->unseen += !(e->flags & FLAG_SEEN);
    c->deleted += !!(e->flags & FLAG_DELETED);
    c->deleted_bytes += e->flags & FLAG_DELETED ? e->size : 0;
}

static void count_out(struct counts_row *c, const struct roster_entry *e)
{
    c->exists = (uint32_t)less(c->exists, 1);
    c->bytes = less(c->bytes, e->size);
    c->unseen = (uint32_t)less(c->unseen, !(e->flags & FLAG_SEEN));
    c->deleted = (uint32_t)less(c->deleted, !!(e->flags & FLAG_DELETED));
    c->deleted_bytes = less(c->deleted_bytes, e->flags & FLAG_DELETED ? e->size : 0);
}

/* ---- walking ---- */

struct walk {
    struct box *b;
    const struct imap_set *uids;
    size_t at; /* in uids */
    box_visit *visit;
    void *arg;
};

/* Of one message; false: it is not there any more. */
static bool visit_one(struct walk *w, struct roster_entry *e, bool *changed)
{
    struct box *b = w->b;
    struct roster_entry before = *e;
    enum box_verdict verdict = w->visit(w->arg, e);

    if (verdict == BOX_KEEP)
        return true;
    *changed = b->counts_changed = true;
    count_out(&b->counts, &before);
    if (verdict == BOX_CHANGED) {
        e->modseq = b->e->modseq;
        count_in(&b->counts, e);
        ranges_add(b->e->cx->arena, &b->flagged, e->uid, e->uid);
        return true;
    }
    ranges_add(b->e->cx->arena, &b->removed, e->uid, e->uid);
    if (verdict == BOX_DROPPED)
        edit_drop_email(b->e, &before);
    return false;
}

static bool visit_run(struct walk *w, struct roster_entry *v, size_t *n)
{
    bool changed = false;
    size_t kept = 0;

    for (size_t i = 0; i < *n; i++)
        if (!set_reaches(w->uids, &w->at, v[i].uid) || visit_one(w, &v[i], &changed))
            v[kept++] = v[i];
    *n = kept;
    return changed;
}

static void put_block(struct box *b, uint32_t block, const struct roster_entry *v, size_t n)
{
    struct block_key key = {.mailbox = b->id.v, .block = block};
    scoped(buf_free) struct buf packed = buf_make(BUF_UNLIMITED);

    if (!n) {
        block_row_delete(b->e->t, b->e->account, &key);
        return;
    }
    entries_pack(&packed, block * BLOCK_UIDS, v, n);
    block_row_put(b->e->t, b->e->account, &key, &(struct block_row){.raw = buf_str(&packed)});
}

/* One that cannot be unpacked is passed over. */
static void visit_block(struct walk *w, uint32_t block, struct str packed)
{
    struct roster_entry v[BLOCK_UIDS];
    size_t n;

    if (entries_unpack(packed, block * BLOCK_UIDS, v, &n) && visit_run(w, v, &n))
        put_block(w->b, block, v, n);
}

static bool set_touches(const struct walk *w, uint32_t block)
{
    size_t at = w->at;

    if (!w->uids)
        return true;
    while (at < w->uids->count && block_of(w->uids->ranges[at].last) < block)
        at++;
    return at < w->uids->count && block_of(w->uids->ranges[at].first) <= block;
}

static enum err walk_one_block(struct walk *w, uint32_t block)
{
    struct edit *e = w->b->e;
    struct block_key key = {.mailbox = w->b->id.v, .block = block};
    struct block_row row;
    bool found;
    enum err err = block_row_txn(e->t, e->cx, e->account, &key, &row, &found);

    if (!err && found)
        visit_block(w, block, row.raw);
    return err == ERR_DAMAGED ? OK : err;
}

/* The scan may go on while rows that it has passed are written (overlay.h). */
static enum err walk_blocks(struct walk *w, uint32_t first, uint32_t last)
{
    struct edit *e = w->b->e;
    scoped(buf_free) struct buf from = buf_make(32), to = buf_make(32);
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value;
    enum err err;

    block_key_pack(&from, &(struct block_key){.mailbox = w->b->id.v, .block = first});
    block_key_pack(&to, &(struct block_key){.mailbox = w->b->id.v, .block = last + 1});
    err = txn_scan(e->t, e->cx, block_part(e->account), buf_str(&from), buf_str(&to), false, &scan);
    while (!err) {
        while (scan_next(scan, &key, &value)) {
            struct block_key k;

            if (block_key_unpack(key, &k) && set_touches(w, k.block))
                visit_block(w, k.block, value);
        }
        err = scan_error(scan, e->cx);
        if (err != ERR_DAMAGED || !scan_past_damage(scan))
            return err == ERR_DAMAGED ? OK : err;
        err = OK;
    }
    return err;
}

enum err box_walk(struct box *b, const struct imap_set *uids, box_visit *visit, void *arg)
{
    struct walk w = {.b = b, .uids = uids, .visit = visit, .arg = arg};
    uint32_t first = 0, last = block_of(b->counts.uid_next);
    enum err err = OK;

    if (uids && !uids->count)
        return OK;
    if (uids) {
        first = block_of(uids->ranges[0].first);
        if (block_of(uids->ranges[uids->count - 1].last) < last)
            last = block_of(uids->ranges[uids->count - 1].last);
    }
    if (first == last)
        err = walk_one_block(&w, first);
    else if (first < last)
        err = walk_blocks(&w, first, last);
    if (!err)
        visit_run(&w, b->tail, &b->tail_count);
    return err;
}

enum err box_add(struct box *b, struct roster_entry *entry)
{
    if (b->counts.uid_next == UINT32_MAX)
        return fail(b->e->cx, ERR_LIMIT, "account %" PRIu64 ": no UID is left in mailbox %" PRIu64,
                    b->e->account.v, b->id.v);
    entry->uid = b->counts.uid_next++;
    entry->modseq = b->e->modseq;
    b->counts_changed = true;
    count_in(&b->counts, entry);
    ranges_add(b->e->cx->arena, &b->added, entry->uid, entry->uid);
    GROW(b->e->cx->arena, b->tail, b->tail_count, b->tail_room);
    b->tail[b->tail_count++] = *entry;
    return OK;
}

/* ---- keywords ---- */

static uint64_t keyword_mask(size_t i)
{
    return (uint64_t)1 << (FLAG_KEYWORD_FIRST + i);
}

static enum box_verdict note_flags(void *arg, struct roster_entry *entry)
{
    *(uint64_t *)arg |= entry->flags;
    return BOX_KEEP;
}

/* When all are taken: those that no message has any more are free again. */
static enum err free_unused_keywords(struct box *b)
{
    uint64_t used = 0;
    enum err err = box_walk(b, NULL, note_flags, &used);

    used |= b->keywords_named;
    for (size_t i = 0; !err && i < b->row.keywords_count; i++)
        if (!(used & keyword_mask(i)))
            b->row.keywords[i].name = STR_NONE;
    return err;
}

static size_t free_keyword(const struct box *b)
{
    size_t i = 0;

    while (i < b->row.keywords_count && b->row.keywords[i].name.n)
        i++;
    return i;
}

static enum err add_keyword(struct box *b, struct str name, uint64_t *mask)
{
    struct keyword *list = arena_array(b->e->cx->arena, struct keyword, KEYWORDS_MOST);
    enum err err = OK;
    size_t i;

    if (name.n > KEYWORD_MAX)
        return fail(b->e->cx, ERR_LIMIT, "a keyword of %zu bytes", name.n);
    if (free_keyword(b) == KEYWORDS_MOST)
        err = free_unused_keywords(b);
    if (err)
        return err;
    i = free_keyword(b);
    if (i == KEYWORDS_MOST)
        return fail(b->e->cx, ERR_LIMIT, "account %" PRIu64 ": mailbox %" PRIu64 " uses %d keywords",
                    b->e->account.v, b->id.v, KEYWORDS_MOST);
    for (size_t k = 0; k < b->row.keywords_count; k++)
        list[k] = b->row.keywords[k];
    b->row.keywords = list;
    if (i == b->row.keywords_count)
        b->row.keywords_count++;
    list[i].name = str_copy(b->e->cx->arena, name);
    b->row_changed = true;
    b->keywords_named |= *mask = keyword_mask(i);
    return OK;
}

enum err box_keyword(struct box *b, struct str name, bool add, uint64_t *mask)
{
    enum err err = box_row(b);

    if (err)
        return err;
    *mask = 0;
    for (size_t i = 0; i < b->row.keywords_count; i++)
        if (str_same_nocase(b->row.keywords[i].name, name))
            return b->keywords_named |= *mask = keyword_mask(i), OK;
    return add ? add_keyword(b, name, mask) : OK;
}

enum err box_map_flags(struct box *b, const struct mailbox_row *from, uint64_t flags, uint64_t *mapped)
{
    uint64_t out = flags & (keyword_mask(0) - 1), mask;

    for (size_t i = 0; i < from->keywords_count; i++) {
        enum err err;

        if (!(flags & keyword_mask(i)) || !from->keywords[i].name.n)
            continue;
        err = box_keyword(b, from->keywords[i].name, true, &mask);
        if (err)
            return err;
        out |= mask;
    }
    *mapped = out;
    return OK;
}

/* ---- the end ---- */

/* What is there already of a block that messages of the tail belong to. A row that cannot be read is written
 * anew, for new mail must have a place; `check` misses what was in it, and a repair finds it by its references. */
static enum err read_block(struct box *b, uint32_t block, struct roster_entry *v, size_t *n)
{
    struct block_key key = {.mailbox = b->id.v, .block = block};
    struct block_row row;
    bool found;
    enum err err = block_row_txn(b->e->t, b->e->cx, b->e->account, &key, &row, &found);

    *n = 0;
    if (err && err != ERR_DAMAGED)
        return err;
    if (err || !found || !entries_unpack(row.raw, block * BLOCK_UIDS, v, n))
        *n = 0;
    return OK;
}

static enum err tail_to_blocks(struct box *b)
{
    for (size_t i = 0; i < b->tail_count;) {
        struct roster_entry v[BLOCK_UIDS];
        uint32_t block = block_of(b->tail[i].uid);
        size_t n = 0;
        enum err err = read_block(b, block, v, &n);

        if (err)
            return err;
        if (n && v[n - 1].uid >= b->tail[i].uid)
            return fail(b->e->cx, ERR_DAMAGED,
                        "account %" PRIu64 ": mailbox %" PRIu64 " gives UIDs a second time",
                        b->e->account.v, b->id.v);
        while (i < b->tail_count && block_of(b->tail[i].uid) == block)
            v[n++] = b->tail[i++];
        put_block(b, block, v, n);
    }
    b->tail_count = 0;
    return OK;
}

static void note(struct box *b, uint32_t kind, const struct ranges *r)
{
    if (r->n)
        edit_note(b->e, kind, b->id, ranges_pack(b->e->cx->arena, r));
}

enum err box_close(struct box *b)
{
    struct edit *e = b->e;
    enum err err = OK;

    if (!b->counts_changed && !b->row_changed)
        return OK;
    if (!tail_fits(b->tail, b->tail_count))
        err = tail_to_blocks(b);
    if (err)
        return err;
    b->counts.modseq = e->modseq;
    b->counts.tail = tail_pack(e->cx->arena, b->tail, b->tail_count);
    counts_row_put(e->t, e->account, &(struct counts_key){.mailbox = b->id.v}, &b->counts);
    if (b->row_changed) {
        mailbox_row_put(e->t, e->account, &(struct mailbox_key){.mailbox = b->id.v}, &b->row);
        edit_note(e, CHANGE_MAILBOX, b->id, STR_NONE);
    }
    note(b, CHANGE_ADDED, &b->added);
    note(b, CHANGE_FLAGS, &b->flagged);
    note(b, CHANGE_REMOVED, &b->removed);
    return OK;
}

enum err box_touch(struct edit *e, struct mailbox_id id)
{
    struct box b;
    enum err err = box_open(&b, e, id);

    b.counts_changed = true;
    return err ? err : box_close(&b);
}

enum err annotations_scan(struct edit *e, const struct annotation_key *from,
                          const struct annotation_key *to, struct scan **out)
{
    scoped(buf_free) struct buf first = buf_make(32), end = buf_make(32);

    annotation_key_pack(&first, from);
    annotation_key_pack(&end, to);
    return txn_scan(e->t, e->cx, annotation_part(e->account), buf_str(&first), buf_str(&end), false,
                    out);
}
