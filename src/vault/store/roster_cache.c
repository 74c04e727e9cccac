/* How pictures come about: from the cache, from the one that is there and what a change did to it, or the change log, or
 * from all the rows. The cache
 * keeps the newest picture of each mailbox; those that were not asked for longest go first. */
#include "vault/store/roster_impl.h"

#include "base/scoped.h"
#include "vault/store/messages.h"
#include "vault/store/ranges.h"
#include "vault/store/store_impl.h"

#include <inttypes.h>
#include <stdlib.h>

#define BUCKETS 1024
#define FOLLOW_MOST 2000 /* entries of the log; with more it is quicker to read the mailbox */

/* ---- the cache ---- */

struct cached {
    struct cached *next; /* in the bucket */
    struct cached *newer, *older;
    struct account_id account;
    struct mailbox_id mailbox;
    struct roster *roster;
    struct roster *draft; /* what comes after it, as soon as `ticket` is durable; NULL: not known */
    struct ticket ticket;
    size_t size; /* of both */
};

struct roster_cache {
    pthread_mutex_t m; /* guards all of it */
    struct cached *buckets[BUCKETS];
    struct cached *newest, *oldest; /* by when they were asked for */
    size_t bytes, most;
};

struct roster_cache *roster_cache_new(size_t most_bytes)
{
    struct roster_cache *c = must_alloc(sizeof(*c));

    pthread_mutex_init(&c->m, NULL);
    c->most = most_bytes;
    return c;
}

static struct cached **bucket_of(struct roster_cache *c, struct account_id account,
                                 struct mailbox_id mailbox)
{
    uint64_t h = (account.v * 0x9e3779b97f4a7c15u) ^ (mailbox.v * 0xc2b2ae3d27d4eb4fu);

    return &c->buckets[(h >> 32) % BUCKETS];
}

static struct cached **find(struct roster_cache *c, struct account_id account,
                            struct mailbox_id mailbox)
{
    struct cached **at = bucket_of(c, account, mailbox);

    while (*at && ((*at)->account.v != account.v || (*at)->mailbox.v != mailbox.v))
        at = &(*at)->next;
    return at;
}

static void unlink_age(struct roster_cache *c, struct cached *e)
{
    *(e->newer ? &e->newer->older : &c->newest) = e->older;
    *(e->older ? &e->older->newer : &c->oldest) = e->newer;
}

static void link_newest(struct roster_cache *c, struct cached *e)
{
    e->newer = NULL;
    e->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
}

static void discard(struct roster_cache *c, struct cached **at)
{
    struct cached *e = *at;

    *at = e->next;
    unlink_age(c, e);
    c->bytes -= e->size;
    roster_drop(&e->roster);
    roster_drop(&e->draft);
    free(e);
}

static void set_size(struct roster_cache *c, struct cached *e)
{
    c->bytes -= e->size;
    e->size = roster_size(e->roster) + (e->draft ? roster_size(e->draft) : 0);
    c->bytes += e->size;
}

static void take_draft(struct roster_cache *c, struct cached *e)
{
    roster_drop(&e->roster);
    e->roster = e->draft;
    e->draft = NULL;
    set_size(c, e);
}

static struct roster *cache_get(struct store *s, struct account_id account, struct mailbox_id mailbox)
{
    struct roster_cache *c = store_of(s)->rosters;
    HOLD(&c->m);
    struct cached *e = *find(c, account, mailbox);

    if (!e)
        return NULL;
    if (e->draft && engine_is_durable(s->engine, e->ticket))
        take_draft(c, e);
    unlink_age(c, e);
    link_newest(c, e);
    return roster_hold(e->roster);
}

/* The newest is kept however large it is. */
static void make_room(struct roster_cache *c)
{
    while (c->bytes > c->most && c->oldest != c->newest)
        discard(c, find(c, c->oldest->account, c->oldest->mailbox));
}

static bool is_newer(const struct roster *a, const struct roster *b)
{
    return a->counts.uid_validity != b->counts.uid_validity
               ? a->counts.uid_validity > b->counts.uid_validity
               : a->counts.modseq > b->counts.modseq;
}

static void cache_put(struct roster_cache *c, struct account_id account, struct mailbox_id mailbox,
                      struct roster *r)
{
    HOLD(&c->m);
    struct cached **at = find(c, account, mailbox), *e;

    if (*at && !is_newer(r, (*at)->roster))
        return; /* another thread was first */
    if (*at)
        discard(c, at);
    e = must_alloc(sizeof(*e));
    *e = (struct cached){
        .account = account, .mailbox = mailbox, .roster = roster_hold(r), .size = roster_size(r)};
    at = bucket_of(c, account, mailbox);
    e->next = *at;
    *at = e;
    link_newest(c, e);
    c->bytes += e->size;
    make_room(c);
}

/* Of the picture `old`; if that is the newest no longer, of nothing. Takes it over. */
static void cache_draft(struct roster_cache *c, struct account_id account, struct mailbox_id mailbox,
                        const struct roster *old, struct roster *draft, struct ticket ticket)
{
    HOLD(&c->m);
    struct cached *e = *find(c, account, mailbox);

    if (!e || e->roster != old) {
        roster_drop(&draft);
        return;
    }
    roster_drop(&e->draft);
    e->draft = draft;
    e->ticket = ticket;
    set_size(c, e);
    make_room(c);
}

static void cache_forget(struct roster_cache *c, struct account_id account, struct mailbox_id mailbox)
{
    HOLD(&c->m);
    struct cached **at = find(c, account, mailbox);

    if (*at)
        discard(c, at);
}

void roster_cache_free(struct roster_cache *c)
{
    if (!c)
        return;
    while (c->newest)
        discard(c, find(c, c->newest->account, c->newest->mailbox));
    pthread_mutex_destroy(&c->m);
    free(c);
}

/* ---- gathering blocks ---- */

/* Messages come in ascending order, in runs; a block may come in two. */
struct gathering {
    struct roster_entry pending[BLOCK_UIDS];
    size_t pending_count;
    struct known_block *numbers;
    struct block **blocks;
    size_t n, room;
};

static void add_block(struct gathering *g, uint32_t number, uint64_t bits, struct block *b)
{
    if (g->n == g->room) {
        g->room = g->room ? g->room * 2 : 16;
        g->numbers = must_realloc(g->numbers, g->room * sizeof(*g->numbers));
        g->blocks = must_realloc(g->blocks, g->room * sizeof(struct block *));
    }
    g->numbers[g->n] = (struct known_block){.number = number, .bits = bits};
    g->blocks[g->n++] = b;
}

static void end_block(struct gathering *g)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < g->pending_count; i++)
        bits |= (uint64_t)1 << g->pending[i].uid % BLOCK_UIDS;
    if (g->pending_count)
        add_block(g, block_of(g->pending[0].uid), bits, block_new(g->pending, g->pending_count));
    g->pending_count = 0;
}

static void gather(void *arg, const struct roster_entry *v, size_t n)
{
    struct gathering *g = arg;

    for (size_t i = 0; i < n; i++) {
        if (g->pending_count && block_of(g->pending[0].uid) != block_of(v[i].uid))
            end_block(g);
        if (g->pending_count && g->pending[g->pending_count - 1].uid >= v[i].uid)
            continue; /* only a damaged store tells of a UID twice */
        g->pending[g->pending_count++] = v[i];
    }
}

static void gathering_free(struct gathering *g)
{
    for (size_t i = 0; i < g->n; i++)
        block_drop(g->blocks[i]);
    free(g->numbers);
    free(g->blocks);
}

/* ---- making one ---- */

struct making {
    struct view *v;
    struct cx *cx;
    struct account_id account;
    struct mailbox_id mailbox;
    struct mailbox_row row;
    struct counts_row counts;
    struct state_row state;
};

static void copy_keywords(struct roster *r, const struct str *names, size_t count)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        n += names[i].n;
    r->keyword_text = must_alloc(n + 1);
    n = 0;
    for (size_t i = 0; i < count; i++) {
        if (names[i].n)
            memcpy(r->keyword_text + n, names[i].p, names[i].n);
        r->keywords[i] = (struct str){r->keyword_text + n, names[i].n};
        n += names[i].n;
    }
}

static void keywords_of_row(struct roster *r, const struct mailbox_row *row)
{
    struct str names[64 - FLAG_KEYWORD_FIRST];

    for (size_t i = 0; i < row->keywords_count; i++)
        names[i] = row->keywords[i].name;
    copy_keywords(r, names, row->keywords_count);
}

static void sum_up(struct roster *r)
{
    struct roster_counts *c = &r->counts;

    c->exists = r->known->count;
    for (size_t i = 0; i < r->known->n; i++) {
        const struct block *b = r->blocks[i];

        c->unseen += b->unseen;
        c->deleted += b->deleted;
        c->bytes += b->bytes;
        c->deleted_bytes += b->deleted_bytes;
    }
}

/* Takes the blocks over. The counts that they tell are added; what else it has is for the caller to set. */
static struct roster *roster_of_blocks(struct gathering *g, const struct roster_counts *counts)
{
    struct roster *r = must_alloc(sizeof(*r));

    atomic_init(&r->refs, 1);
    r->counts = *counts;
    r->known = known_new(g->n);
    r->known->modseq = counts->modseq;
    if (g->n)
        memcpy(r->known->v, g->numbers, g->n * sizeof(*g->numbers));
    known_number_blocks(r->known);
    r->blocks = g->blocks;
    g->blocks = NULL;
    g->n = 0;
    sum_up(r);
    return r;
}

static struct roster *roster_new(const struct making *m, struct gathering *g, uint32_t damaged)
{
    struct roster *r = roster_of_blocks(g, &(struct roster_counts){.uid_validity = m->row.uid_validity,
                                                                   .uid_next = m->counts.uid_next,
                                                                   .modseq = m->counts.modseq,
                                                                   .damaged = damaged});

    r->followed = m->state.modseq;
    keywords_of_row(r, &m->row);
    return r;
}

static enum err read_blocks(const struct making *m, struct gathering *g, uint32_t first, uint32_t last,
                            uint32_t *damaged)
{
    struct block_reader reader = {.v = m->v,
                                  .cx = m->cx,
                                  .account = m->account,
                                  .mailbox = m->mailbox,
                                  .tail = m->counts.tail,
                                  .look = gather,
                                  .arg = g};
    enum err e = blocks_read(&reader, first, last);

    end_block(g);
    *damaged += reader.damaged;
    return e;
}

static enum err load(const struct making *m, struct roster **out)
{
    scoped(gathering_free) struct gathering g = {.n = 0};
    uint32_t damaged = 0;
    enum err e = read_blocks(m, &g, 0, UINT32_MAX, &damaged);

    if (!e)
        *out = roster_new(m, &g, damaged);
    return e;
}

/* ---- following the change log ---- */

/* Blocks that have changed, ascending and each once in the end. */
struct dirty {
    uint32_t *v;
    size_t n, room;
};

static void dirty_free(struct dirty *d)
{
    free(d->v);
}

static void add_dirty(struct dirty *d, uint32_t block)
{
    if (d->n && d->v[d->n - 1] == block)
        return;
    if (d->n == d->room) {
        d->room = d->room ? d->room * 2 : 16;
        d->v = must_realloc(d->v, d->room * sizeof(*d->v));
    }
    d->v[d->n++] = block;
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static void sort_dirty(struct dirty *d)
{
    size_t kept = 0;

    if (d->n)
        qsort(d->v, d->n, sizeof(*d->v), compare_u32);
    for (size_t i = 0; i < d->n; i++)
        if (!kept || d->v[kept - 1] != d->v[i])
            d->v[kept++] = d->v[i];
    d->n = kept;
}

/* False: the entry says what cannot be understood, or so much that the whole mailbox is read more quickly. */
static bool note_item(const struct making *m, struct arena *a, const struct change_item *item,
                      struct dirty *d, size_t most)
{
    struct ranges r;

    if (item->mailbox.v != m->mailbox.v || item->kind < CHANGE_ADDED || item->kind > CHANGE_REMOVED)
        return true;
    if (!ranges_unpack(a, item->what, &r))
        return false;
    for (size_t i = 0; i < r.n; i++)
        for (uint32_t b = block_of(r.v[i].first); b <= block_of(r.v[i].last) && d->n <= most; b++)
            add_dirty(d, b);
    return d->n <= most;
}

/* *whole: the change log tells all of it. */
static enum err read_log(const struct making *m, struct arena *a, uint64_t since, size_t most,
                         struct dirty *d, bool *whole)
{
    scoped(buf_free) struct buf from = buf_make(32);
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value;
    struct change_row row;
    size_t n = 0;
    enum err e;

    change_key_pack(&from, &(struct change_key){.modseq = since + 1});
    e = view_scan(m->v, m->cx, change_part(m->account), buf_str(&from), S("d"), false, &scan);
    *whole = !e;
    while (*whole && scan_next(scan, &key, &value)) {
        arena_reset(a);
        *whole = ++n <= FOLLOW_MOST && change_unpack(a, value, &row);
        for (size_t i = 0; *whole && i < row.items_count; i++)
            *whole = note_item(m, a, &row.items[i], d, most);
    }
    if (*whole)
        e = scan_error(scan, m->cx);
    if (e == ERR_DAMAGED) {
        *whole = false;
        e = OK;
    }
    return e;
}

/* The old blocks up to this one, as far as they have not changed. */
static void keep_blocks(const struct roster *old, size_t *at, uint32_t before, struct gathering *g)
{
    const struct known *k = old->known;

    for (; *at < k->n && k->v[*at].number < before; ++*at)
        add_block(g, k->v[*at].number, k->v[*at].bits, block_hold(old->blocks[*at]));
}

/* Dirty blocks that stand side by side are read together. */
static enum err merge(const struct making *m, const struct roster *old, const struct dirty *d,
                      struct gathering *g, uint32_t *damaged)
{
    enum err e = OK;
    size_t at = 0;

    for (size_t i = 0, n; i < d->n && !e; i += n) {
        uint32_t first = d->v[i] * BLOCK_UIDS;

        for (n = 1; i + n < d->n && d->v[i + n] == d->v[i] + n; n++)
            ;
        keep_blocks(old, &at, d->v[i], g);
        while (at < old->known->n && old->known->v[at].number < d->v[i] + n)
            at++;
        e = read_blocks(m, g, first, first + (uint32_t)(n * BLOCK_UIDS - 1), damaged);
    }
    keep_blocks(old, &at, UINT32_MAX, g);
    return e;
}

/* *out stays NULL where it cannot be followed. */
static enum err follow(const struct making *m, const struct roster *old, struct roster **out)
{
    scoped(gathering_free) struct gathering g = {.n = 0};
    scoped(dirty_free) struct dirty d = {.n = 0};
    struct arena *a;
    uint32_t damaged = 0;
    bool whole;
    enum err e;

    if (old->counts.uid_validity != m->row.uid_validity || old->counts.damaged ||
        old->followed < m->state.log_floor || old->followed > m->state.modseq)
        return OK;
    a = arena_new(0);
    e = read_log(m, a, old->followed, 16 + old->known->n / 2, &d, &whole);
    arena_free(a);
    if (e || !whole)
        return e;
    sort_dirty(&d);
    e = merge(m, old, &d, &g, &damaged);
    if (!e && !damaged)
        *out = roster_new(m, &g, 0);
    return e;
}

/* ---- from a change of flags ---- */

struct flagging {
    const struct flag_rule *rule;
    const struct flags_result *result;
    size_t range;   /* in result->changed: those before it end before the block at hand */
    uint64_t count; /* messages that were found */
};

/* The same messages, with the flags that were changed. */
static struct block *flagged_block(struct flagging *f, const struct block *old)
{
    struct roster_entry entries[BLOCK_UIDS];

    memcpy(entries, old->v, old->count * sizeof(*entries));
    for (size_t i = 0; i < old->count; i++)
        if (set_reaches(&f->result->changed, &f->range, entries[i].uid)) {
            entries[i].flags = flags_after(f->rule, entries[i].flags);
            entries[i].modseq = f->result->modseq;
            f->count++;
        }
    return block_new(entries, old->count);
}

/* The next block that has any of them; UINT32_MAX: there is none. */
static uint32_t next_flagged(struct flagging *f, uint32_t from)
{
    const struct imap_set *s = &f->result->changed;
    uint32_t first;

    while (f->range < s->count && block_of(s->ranges[f->range].last) < from)
        f->range++;
    if (f->range == s->count)
        return UINT32_MAX;
    first = block_of(s->ranges[f->range].first);
    return first > from ? first : from;
}

/* False: a message is not where it should be. */
static bool flagged_blocks(const struct roster *old, struct flagging *f, struct gathering *g)
{
    const struct known *k = old->known;
    size_t at = 0;

    for (uint32_t next = 0; (next = next_flagged(f, next)) != UINT32_MAX; next++) {
        keep_blocks(old, &at, next, g);
        if (at == k->n || k->v[at].number != next)
            return false;
        add_block(g, next, k->v[at].bits, flagged_block(f, old->blocks[at]));
        at++;
    }
    keep_blocks(old, &at, UINT32_MAX, g);
    return f->count == imap_set_size(&f->result->changed);
}

static struct roster *flagged(const struct roster *old, struct flagging *f)
{
    scoped(gathering_free) struct gathering g = {.n = 0};
    struct roster *r;

    if (!flagged_blocks(old, f, &g))
        return NULL;
    r = roster_of_blocks(&g, &(struct roster_counts){.uid_validity = old->counts.uid_validity,
                                                     .uid_next = old->counts.uid_next,
                                                     .modseq = f->result->modseq});
    r->followed = f->result->modseq;
    copy_keywords(r, old->keywords, 64 - FLAG_KEYWORD_FIRST);
    return r;
}

void roster_note_flags(struct store *s, struct mailbox_ref at, const struct flag_rule *rule,
                       const struct flags_result *result, struct ticket ticket)
{
    scoped(roster_drop) struct roster *old = cache_get(s, at.account, at.mailbox);
    struct flagging f = {.rule = rule, .result = result};
    struct roster *draft;

    if (!old || old->counts.modseq != result->modseq_before || old->counts.damaged || !result->modseq ||
        result->new_keywords)
        return;
    draft = flagged(old, &f);
    if (draft)
        cache_draft(store_of(s)->rosters, at.account, at.mailbox, old, draft, ticket);
}

/* ---- the way in ---- */

static enum err read_rows(struct making *m)
{
    bool found;
    enum err e = mailbox_row_view(m->v, m->cx, m->account,
                                  &(struct mailbox_key){.mailbox = m->mailbox.v}, &m->row, &found);

    if (!e && found)
        e = state_row_view(m->v, m->cx, m->account, &(struct state_key){0}, &m->state, &found);
    return e || found ? e : fail(m->cx, ERR_NOT_FOUND, "account %" PRIu64 " was removed", m->account.v);
}

static enum err read_counts(struct making *m)
{
    bool found;
    enum err e = counts_row_view(m->v, m->cx, m->account, &(struct counts_key){.mailbox = m->mailbox.v},
                                 &m->counts, &found);

    return e || found ? e
                      : fail(m->cx, ERR_NOT_FOUND, "account %" PRIu64 " has no mailbox %" PRIu64,
                             m->account.v, m->mailbox.v);
}

static enum err make(struct making *m, const struct roster *old, struct roster **out)
{
    enum err e = read_rows(m);

    *out = NULL;
    if (!e && old)
        e = follow(m, old, out);
    return e || *out ? e : load(m, out);
}

enum err roster_get(struct store *s, struct cx *cx, struct account_id account,
                    struct mailbox_id mailbox, struct roster **out)
{
    struct roster_cache *cache = store_of(s)->rosters;
    scoped(roster_drop) struct roster *old = cache_get(s, account, mailbox);
    scoped(view_close) struct view *v = view_open(s->engine);
    struct making m = {.v = v, .cx = cx, .account = account, .mailbox = mailbox};
    struct roster *made;
    enum err e = v ? read_counts(&m) : fail(cx, ERR_STORE, "the store is closed");

    if (e == ERR_NOT_FOUND)
        cache_forget(cache, account, mailbox);
    if (e)
        return e;
    if (old && old->counts.modseq >= m.counts.modseq) { /* or the view is the older one */
        *out = roster_hold(old);
        return OK;
    }
    e = make(&m, old, &made);
    if (e)
        return e;
    cache_put(cache, account, mailbox, made);
    *out = made;
    return OK;
}
