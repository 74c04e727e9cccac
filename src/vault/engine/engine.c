/* Transactions and reads: what is the same for every engine. A transaction gathers its writes in an overlay,
 * which its own reads see, and hands them to the backend in one piece at the end. */
#include "vault/engine/engine_impl.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/scoped.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

struct txn_part { /* one that was named at the beginning, or one of the blind ones */
    struct part part;
    bool touched;
};

static const enum part_kind blind_kinds[] = {PART_BODY, PART_REF, PART_QUEUE, PART_TRACE};
#define BLIND_KINDS (sizeof(blind_kinds) / sizeof(*blind_kinds))

struct txn {
    struct engine *engine;
    struct arena *arena;
    struct overlay *overlay;
    struct lock_set locks;
    struct txn_part *parts;
    size_t part_count;
    bool entered;      /* the store was open when it began, and stays so until it ends */
    uint64_t rests_on; /* an opening of the store; 0: on none */
};

struct view {
    struct engine *engine;
    struct durable *durable;
};

/* ---- keys ---- */

size_t part_prefix_size(struct part part)
{
    return part.kind == PART_ACCOUNT ? PREFIX_SIZE : 1;
}

static void put_prefix(struct whole_key *out, struct part part)
{
    assert(part.kind == PART_ACCOUNT || part.id == 0);
    out->bytes[0] = (char)part.kind;
    out->n = part_prefix_size(part);
    for (size_t i = 1; i < out->n; i++)
        out->bytes[i] = (char)(part.id >> (8 * (PREFIX_SIZE - 1 - i)));
}

struct str whole_key(struct whole_key *out, struct part part, struct str key)
{
    assert(key.n <= ENGINE_MAX_KEY);
    put_prefix(out, part);
    if (key.n)
        memcpy(out->bytes + out->n, key.p, key.n);
    out->n += key.n;
    return (struct str){out->bytes, out->n};
}

struct str part_end(struct whole_key *out, struct part part)
{
    put_prefix(out, part);
    for (size_t i = out->n; i-- > 0;)
        if (++out->bytes[i] != 0) /* no carry */
            break;
    return (struct str){out->bytes, out->n};
}

uint64_t account_of_key(struct str whole)
{
    uint64_t id = 0;

    for (size_t i = 1; i < PREFIX_SIZE; i++)
        id = id << 8 | (uint8_t)whole.p[i];
    return id;
}

/* ---- transactions ---- */

static void note_parts(struct txn *t, const struct part *parts, size_t n)
{
    t->parts = arena_array(t->arena, struct txn_part, n + BLIND_KINDS);
    for (size_t i = 0; i < BLIND_KINDS; i++)
        t->parts[i].part.kind = blind_kinds[i];
    for (size_t i = 0; i < n; i++)
        t->parts[BLIND_KINDS + i].part = parts[i];
    t->part_count = n + BLIND_KINDS;
}

struct txn *txn_begin(struct engine *e, const struct part *parts, size_t n)
{
    struct txn *t = must_alloc(sizeof(*t));

    t->engine = e;
    t->arena = arena_new(0);
    t->overlay = overlay_new(t->arena);
    note_parts(t, parts, n);
    t->locks = lock_set_of(t->arena, parts, n);
    locks_take(&e->locks, &t->locks);
    t->entered = store_enter(e, true);
    return t;
}

static void txn_end(struct txn **t)
{
    if ((*t)->entered)
        store_leave((*t)->engine);
    locks_give_back(&(*t)->engine->locks, &(*t)->locks);
    arena_free((*t)->arena);
    free(*t);
    *t = NULL;
}

void txn_rollback(struct txn **t)
{
    if (*t)
        txn_end(t);
}

static enum err closed(struct cx *cx)
{
    return fail(cx, ERR_STORE, "the store is closed after a failure");
}

enum err txn_get(struct txn *t, struct cx *cx, struct part part, struct str key, struct str *value,
                 bool *found)
{
    struct whole_key w;
    struct str whole = whole_key(&w, part, key);
    const struct overlay_row *row = overlay_find(t->overlay, whole);

    if (!t->entered)
        return closed(cx);
    if (!row)
        return t->engine->ops->get(t->engine->backend, cx, NULL, whole, value, found);
    *found = !row->deleted;
    if (*found)
        *value = str_copy(cx->arena, row->value);
    return OK;
}

static bool same_part(struct part a, struct part b)
{
    return a.kind == b.kind && a.id == b.id;
}

/* Writing to a part that was not named at the beginning is our own mistake. */
static void touch(struct txn *t, struct part part)
{
    size_t i = 0;

    while (i < t->part_count && !same_part(t->parts[i].part, part))
        i++;
    assert(i < t->part_count);
    t->parts[i].touched = true;
}

void txn_put(struct txn *t, struct part part, struct str key, struct str value)
{
    struct whole_key w;

    touch(t, part);
    overlay_put(t->overlay, whole_key(&w, part, key), value);
}

void txn_put_piece(struct txn *t, struct part part, struct str key, struct str value)
{
    struct whole_key w;

    touch(t, part);
    overlay_put_piece(t->overlay, whole_key(&w, part, key), value);
}

void txn_delete(struct txn *t, struct part part, struct str key)
{
    struct whole_key w;

    touch(t, part);
    overlay_delete(t->overlay, whole_key(&w, part, key));
}

void txn_delete_range(struct txn *t, struct part part, struct str from, struct str to)
{
    struct whole_key a, b;

    touch(t, part);
    overlay_delete_range(t->overlay, whole_key(&a, part, from),
                         to.n ? whole_key(&b, part, to) : part_end(&b, part));
}

enum err txn_scan(struct txn *t, struct cx *cx, struct part part, struct str from, struct str to,
                  bool backwards, struct scan **out)
{
    if (!t->entered)
        return closed(cx);
    *out = scan_new(t->engine, NULL, t->overlay, part, from, to,
                    backwards ? SCAN_BACKWARDS : SCAN_FORWARDS);
    return OK;
}

static void mark_watches(const struct txn *t, uint64_t ticket)
{
    struct watches *watches = &t->engine->watches;

    if (!watches_has_any(watches))
        return;
    for (size_t i = 0; i < t->part_count; i++)
        if (t->parts[i].touched)
            watches_mark(watches, t->parts[i].part, ticket);
}

/* The ticket is drawn after the write, and the flusher looks at `newest` before it begins: so a flush that covers
 * the ticket has begun after the write. */
static enum err draw_ticket(const struct txn *t, struct cx *cx, struct ticket *ticket)
{
    struct engine *e = t->engine;
    HOLD(&e->m);

    if (e->state != STORE_OPEN)
        return fail(cx, ERR_STORE, "the store failed meanwhile");
    e->commits++;
    ticket->v = ++e->newest;
    mark_watches(t, ticket->v);
    return OK;
}

static bool touches_directory(const struct txn *t)
{
    for (size_t i = 0; i < t->part_count; i++)
        if (t->parts[i].touched && t->parts[i].part.kind == PART_DIRECTORY)
            return true;
    return false;
}

/* On two of them at once it cannot rest: one is over. */
void txn_rests_on(struct txn *t, uint64_t opening)
{
    if (opening)
        t->rests_on = t->rests_on && t->rests_on != opening ? UINT64_MAX : opening;
}

void txn_is_built_on(struct txn *t, uint64_t *opening)
{
    if (!*opening && t->entered)
        *opening = t->engine->openings;
    txn_rests_on(t, *opening);
}

static enum err write_rows(struct txn *t, struct cx *cx)
{
    struct engine *e = t->engine;
    bool directory = touches_directory(t);
    enum err err;

    if (directory) {
        HOLD(&e->m);
        e->directory_begun++;
    }
    err = e->ops->write(e->backend, cx, t->overlay);
    if (directory) {
        HOLD(&e->m);
        e->directory_written++;
    }
    return err;
}

static enum err write_and_draw(struct txn *t, struct cx *cx, struct ticket *ticket)
{
    struct engine *e = t->engine;
    enum err err;

    if (!t->entered || !engine_is_open(e))
        return closed(cx);
    if (t->rests_on && t->rests_on != e->openings)
        return fail(cx, ERR_STORE, "what it rests on was lost, perhaps, when the store failed");
    err = write_rows(t, cx);
    if (!err)
        return draw_ticket(t, cx, ticket);
    HOLD(&e->m);
    store_failed(e, cx);
    return err;
}

enum err txn_commit(struct txn **t, struct cx *cx, struct ticket *ticket)
{
    struct engine *e = (*t)->engine;
    enum err err = OK;

    if (overlay_is_empty((*t)->overlay))
        *ticket = engine_newest(e);
    else
        err = write_and_draw(*t, cx, ticket);
    txn_end(t);
    if (err)
        tell_failure(e);
    return err;
}

/* ---- views ---- */

struct view *view_open(struct engine *e)
{
    struct view *v;

    if (!store_enter(e, false))
        return NULL;
    v = must_alloc(sizeof(*v));
    v->engine = e;
    HOLD(&e->m);
    v->durable = e->durable;
    v->durable->refs++;
    return v;
}

void view_close(struct view **v)
{
    struct engine *e;

    if (!*v)
        return;
    e = (*v)->engine;
    pthread_mutex_lock(&e->m);
    durable_release(e, &(*v)->durable);
    pthread_mutex_unlock(&e->m);
    store_leave(e);
    free(*v);
    *v = NULL;
}

enum err view_get(struct view *v, struct cx *cx, struct part part, struct str key, struct str *value,
                  bool *found)
{
    struct engine *e = v->engine;
    struct whole_key w;
    struct str whole = whole_key(&w, part, key);
    bool kept = part.kind == PART_DIRECTORY;
    enum err err;

    if (kept && row_cache_find(e->directory, v->durable->directory, whole, cx->arena, value, found))
        return OK;
    err = e->ops->get(e->backend, cx, v->durable->snapshot, whole, value, found);
    if (kept && !err)
        row_cache_keep(e->directory, v->durable->directory, whole, *found ? *value : STR_NONE, *found);
    return err;
}

enum err view_scan(struct view *v, struct cx *cx, struct part part, struct str from, struct str to,
                   bool backwards, struct scan **out)
{
    (void)cx;
    *out = scan_new(v->engine, v->durable->snapshot, NULL, part, from, to,
                    backwards ? SCAN_BACKWARDS : SCAN_FORWARDS);
    return OK;
}

enum err view_scan_much(struct view *v, struct cx *cx, struct part part, struct str from, struct str to,
                        struct scan **out)
{
    (void)cx;
    *out = scan_new(v->engine, v->durable->snapshot, NULL, part, from, to, SCAN_MUCH);
    return OK;
}

enum err view_next_account(struct view *v, struct cx *cx, uint64_t after, uint64_t *id, bool *found)
{
    const struct backend_ops *ops = v->engine->ops;
    struct whole_key from, to;
    struct str key, value;
    struct cursor *c;
    enum err err;

    part_end(&from, (struct part){PART_ACCOUNT, after});
    part_end(&to, (struct part){PART_ACCOUNT, UINT64_MAX});
    c = ops->cursor_open(v->engine->backend, v->durable->snapshot, (struct str){from.bytes, from.n},
                         (struct str){to.bytes, to.n}, SCAN_FORWARDS);
    do
        *found = ops->cursor_next(c, &key, &value);
    while (!*found && ops->cursor_past_damage(c));
    if (*found)
        *id = account_of_key(key);
    err = ops->cursor_error(c, cx);
    ops->cursor_close(c);
    return err;
}

/* ---- upkeep ---- */

#define LOOK_AT_DISK_MS 1000

void engine_set_reserve(struct engine *e, uint64_t disk_reserve)
{
    HOLD(&e->room);

    e->disk_reserve = disk_reserve;
    e->room_looked_at = 0;
}

/* Nobody looks at `posthorn status` all the time; the log says when it begins and when it is over. */
static void tell_about_room(struct engine *e, uint64_t disk_free)
{
    if (e->has_told == !e->has_room)
        return;
    e->has_told = !e->has_room;
    log_line(e->has_room ? LOG_INFO : LOG_WARNING, e->has_room ? "disk-has-room" : "disk-full",
             "free=%" PRIu64 " disk-reserve=%" PRIu64 " accepts-mail=%s", disk_free, e->disk_reserve,
             e->has_room ? "yes" : "no");
}

/* Whoever asks while another looks waits for what that one finds, and must not hear what was true before, which at first is
 * nothing. */
bool engine_has_room(struct engine *e)
{
    int64_t now = monotonic_ms();
    HOLD(&e->room);

    if (!e->room_looked_at || now - e->room_looked_at >= LOOK_AT_DISK_MS) {
        uint64_t disk_free = e->ops->disk_free(e->backend);

        e->room_looked_at = now;
        e->has_room = disk_free >= e->disk_reserve;
        tell_about_room(e, disk_free);
    }
    return e->has_room;
}

enum err engine_compact(struct engine *e, struct cx *cx, enum part_kind kind)
{
    enum err err;

    if (!store_enter(e, true))
        return closed(cx);
    err = e->ops->compact(e->backend, cx, kind);
    store_leave(e);
    return err;
}

enum err engine_checkpoint(struct engine *e, struct cx *cx, const char *name)
{
    enum err err;

    if (!e->ops->checkpoint)
        return fail(cx, ERR_SYSTEM, "this engine keeps no files that could be copied");
    if (!store_enter(e, true))
        return closed(cx);
    err = e->ops->checkpoint(e->backend, cx, name);
    store_leave(e);
    return err;
}

void engine_figures(struct engine *e, struct engine_figures *out)
{
    *out = (struct engine_figures){.disk_free = e->ops->disk_free(e->backend),
                                   .disk_used = e->ops->disk_used(e->backend),
                                   .damaged = e->ops->damaged(e->backend)};
    HOLD(&e->m);
    out->flushes = e->flushes;
    out->commits = e->commits;
}
