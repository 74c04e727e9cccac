/* The engine for tests: the map is a tree that never changes, the disk is a second pointer to an older one. */
#include "vault/engine/memory.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "vault/engine/engine_impl.h"
#include "vault/engine/memory_tree.h"

#include <assert.h>
#include <stdlib.h>

struct memory {
    struct backend backend;
    pthread_mutex_t m; /* guards what follows */
    struct tree *newest;
    struct tree *flushed;    /* what a power cut leaves */
    struct tree **unflushed; /* the state after each commit since then */
    size_t unflushed_count;
    uint64_t writes, flushes;
    uint64_t cut_at_write, cut_at_flush; /* 0: never */
    size_t keep;
    bool fail_flush, fail_write, fail_open;
    bool dead; /* the power is off */
    void (*meanwhile)(void *arg);
    void *arg;
};

static struct memory *memory_of(struct backend *b)
{
    return (struct memory *)b; /* its first member */
}

static void forget_unflushed(struct memory *m)
{
    for (size_t i = 0; i < m->unflushed_count; i++)
        tree_drop(m->unflushed[i]);
    m->unflushed_count = 0;
}

static void set_tree(struct tree **at, struct tree *t)
{
    tree_drop(*at);
    *at = t;
}

static void cut_power(struct memory *m, size_t keep)
{
    if (keep > m->unflushed_count)
        keep = m->unflushed_count;
    if (keep)
        set_tree(&m->flushed, tree_hold(m->unflushed[keep - 1]));
    forget_unflushed(m);
    m->cut_at_write = m->cut_at_flush = 0;
    m->dead = true;
}

/* ---- the backend ---- */

static enum err memory_open(struct backend *b, struct cx *cx)
{
    struct memory *m = memory_of(b);
    HOLD(&m->m);

    if (m->fail_open)
        return fail(cx, ERR_NO_SPACE, "the test wants it");
    set_tree(&m->newest, tree_hold(m->flushed));
    m->dead = false;
    return OK;
}

static void memory_close(struct backend *b)
{
    struct memory *m = memory_of(b);
    HOLD(&m->m);

    forget_unflushed(m);
    set_tree(&m->newest, NULL);
}

static void memory_free(struct backend *b)
{
    struct memory *m = memory_of(b);

    tree_drop(m->flushed);
    free(m->unflushed);
    pthread_mutex_destroy(&m->m);
    free(m);
}

static void apply(struct memory *m, const struct overlay *o)
{
    for (const struct overlay_range *r = overlay_ranges(o); r; r = r->next)
        set_tree(&m->newest, tree_delete_range(m->newest, r->from, r->to));
    for (const struct overlay_row *row = overlay_first(o); row; row = overlay_next(row))
        set_tree(&m->newest, row->deleted ? tree_delete(m->newest, row->key)
                                          : tree_put(m->newest, row->key, row->value, false));
    m->unflushed = must_realloc(m->unflushed, (m->unflushed_count + 1) * sizeof(struct tree *));
    m->unflushed[m->unflushed_count++] = tree_hold(m->newest);
}

static enum err memory_write(struct backend *b, struct cx *cx, const struct overlay *o)
{
    struct memory *m = memory_of(b);
    HOLD(&m->m);

    if (m->dead || m->fail_write) {
        m->fail_write = false;
        return fail(cx, ERR_STORE, "the test wants the write to fail");
    }
    apply(m, o);
    if (++m->writes != m->cut_at_write)
        return OK;
    cut_power(m, m->keep);
    return fail(cx, ERR_STORE, "the power was cut after a write");
}

static enum err memory_flush(struct backend *b, struct cx *cx)
{
    struct memory *m = memory_of(b);
    HOLD(&m->m);

    if (m->dead || m->fail_flush) {
        m->fail_flush = false;
        return fail(cx, ERR_STORE, "the test wants the flush to fail");
    }
    set_tree(&m->flushed, tree_hold(m->newest));
    forget_unflushed(m);
    if (++m->flushes != m->cut_at_flush)
        return OK;
    cut_power(m, 0);
    return fail(cx, ERR_STORE, "the power was cut after a flush");
}

struct snapshot { /* not the tree itself: that of an empty store is NULL */
    struct tree *tree;
};

static struct tree *hold_newest(struct memory *m)
{
    HOLD(&m->m);
    return tree_hold(m->newest);
}

static struct snapshot *memory_snapshot_take(struct backend *b)
{
    struct snapshot *s = must_alloc(sizeof(*s));

    s->tree = hold_newest(memory_of(b));
    return s;
}

static void memory_snapshot_release(struct backend *b, struct snapshot *s)
{
    (void)b;
    tree_drop(s->tree);
    free(s);
}

static struct tree *tree_of(struct backend *b, const struct snapshot *s)
{
    return s ? tree_hold(s->tree) : hold_newest(memory_of(b));
}

static enum err damaged(struct cx *cx)
{
    return fail(cx, ERR_DAMAGED, "the test wants the row damaged");
}

static enum err memory_get(struct backend *b, struct cx *cx, struct snapshot *s, struct str key,
                           struct str *value, bool *found)
{
    struct tree *t = tree_of(b, s);
    const struct tree_row *row = tree_find(t, key);
    enum err err = row && row->damaged ? damaged(cx) : OK;

    if (!err)
        *found = row != NULL;
    if (!err && row)
        *value = str_copy(cx->arena, row->value);
    tree_drop(t);
    return err;
}

/* ---- cursors ---- */

struct cursor {
    struct tree *tree;
    struct whole_key from, to;
    bool backwards, damaged;
    const struct tree_row *at; /* the last one given; NULL: none yet */
};

static struct str bytes_of(const struct whole_key *k)
{
    return (struct str){k->bytes, k->n};
}

static void copy_key(struct whole_key *out, struct str key)
{
    memcpy(out->bytes, key.p, key.n);
    out->n = key.n;
}

static struct cursor *memory_cursor_open(struct backend *b, struct snapshot *s, struct str from,
                                         struct str to, enum scan_how how)
{
    struct cursor *c = must_alloc(sizeof(*c));

    c->tree = tree_of(b, s);
    c->backwards = how == SCAN_BACKWARDS;
    copy_key(&c->from, from);
    copy_key(&c->to, to);
    return c;
}

static const struct tree_row *step(const struct cursor *c)
{
    const struct tree_row *row;

    if (c->backwards)
        row = tree_below(c->tree, c->at ? c->at->key : bytes_of(&c->to));
    else
        row = c->at ? tree_above(c->tree, c->at->key) : tree_at_least(c->tree, bytes_of(&c->from));
    if (!row || str_compare(row->key, bytes_of(&c->from)) < 0 ||
        str_compare(row->key, bytes_of(&c->to)) >= 0)
        return NULL;
    return row;
}

static bool memory_cursor_next(struct cursor *c, struct str *key, struct str *value)
{
    const struct tree_row *row = c->damaged ? NULL : step(c);

    if (!row)
        return false;
    c->at = row;
    c->damaged = row->damaged;
    *key = row->key;
    *value = row->value;
    return !row->damaged;
}

static void memory_cursor_skip(struct cursor *c, struct str to)
{
    copy_key(&c->from, to);
    c->at = NULL;
    c->damaged = false;
}

static enum err memory_cursor_error(const struct cursor *c, struct cx *cx)
{
    return c->damaged ? damaged(cx) : OK;
}

static bool memory_cursor_past_damage(struct cursor *c)
{
    bool was = c->damaged;

    c->damaged = false;
    return was;
}

static void memory_cursor_close(struct cursor *c)
{
    tree_drop(c->tree);
    free(c);
}

/* ---- the rest ---- */

static enum err memory_compact(struct backend *b, struct cx *cx, enum part_kind kind)
{
    (void)b, (void)cx, (void)kind;
    return OK;
}

static bool memory_damaged(struct backend *b)
{
    (void)b;
    return false;
}

static uint64_t memory_disk_used(struct backend *b)
{
    struct memory *m = memory_of(b);
    HOLD(&m->m);

    return tree_bytes(m->newest);
}

static uint64_t memory_disk_free(struct backend *b)
{
    const struct memory *m = memory_of(b);

    if (m->meanwhile)
        m->meanwhile(m->arg);
    return UINT64_MAX;
}

static uint64_t memory_room_to_open(struct backend *b)
{
    (void)b;
    return 0;
}

static const struct backend_ops memory_ops = {
    .open = memory_open,
    .close = memory_close,
    .free = memory_free,
    .write = memory_write,
    .flush = memory_flush,
    .snapshot_take = memory_snapshot_take,
    .snapshot_release = memory_snapshot_release,
    .get = memory_get,
    .cursor_open = memory_cursor_open,
    .cursor_next = memory_cursor_next,
    .cursor_skip = memory_cursor_skip,
    .cursor_error = memory_cursor_error,
    .cursor_past_damage = memory_cursor_past_damage,
    .cursor_close = memory_cursor_close,
    .compact = memory_compact,
    .damaged = memory_damaged,
    .disk_used = memory_disk_used,
    .disk_free = memory_disk_free,
    .room_to_open = memory_room_to_open,
};

static enum err start(struct cx *cx, const struct engine_options *options, struct tree *flushed,
                      struct engine **out)
{
    struct memory *m = must_alloc(sizeof(*m));

    m->backend.ops = &memory_ops;
    m->flushed = flushed;
    pthread_mutex_init(&m->m, NULL);
    return engine_start(cx, options, &m->backend, out);
}

enum err engine_open_memory(struct cx *cx, const struct engine_options *options, struct engine **out)
{
    return start(cx, options, NULL, out);
}

/* ---- breaking it ---- */

static struct memory *memory_in(struct engine *e)
{
    assert(e->ops == &memory_ops);
    return memory_of(e->backend);
}

enum err memory_engine_copy(struct cx *cx, struct engine *of, struct engine **out)
{
    struct memory *m = memory_in(of);
    struct tree *flushed;

    {
        HOLD(&m->m);
        flushed = tree_hold(m->flushed);
    }
    return start(cx, &(struct engine_options){0}, flushed, out);
}

void memory_engine_cut_power(struct engine *e, size_t keep)
{
    struct memory *m = memory_in(e);
    struct cx cx = {.cause = "the power was cut"};

    pthread_mutex_lock(&e->m);
    pthread_mutex_lock(&m->m);
    cut_power(m, keep);
    pthread_mutex_unlock(&m->m);
    store_failed(e, &cx);
    pthread_mutex_unlock(&e->m);
    tell_failure(e);
}

void memory_engine_cut_power_at_commit(struct engine *e, uint64_t nth, size_t keep)
{
    struct memory *m = memory_in(e);
    HOLD(&m->m);

    m->cut_at_write = m->writes + nth;
    m->keep = keep;
}

void memory_engine_cut_power_after_flush(struct engine *e, uint64_t nth)
{
    struct memory *m = memory_in(e);
    HOLD(&m->m);

    m->cut_at_flush = m->flushes + nth;
}

void memory_engine_fail_next_flush(struct engine *e)
{
    struct memory *m = memory_in(e);
    HOLD(&m->m);

    m->fail_flush = true;
}

void memory_engine_fail_next_write(struct engine *e)
{
    struct memory *m = memory_in(e);
    HOLD(&m->m);

    m->fail_write = true;
}

void memory_engine_fail_opening(struct engine *e, bool yes)
{
    struct memory *m = memory_in(e);
    HOLD(&m->m);

    m->fail_open = yes;
}

void memory_engine_while_looking(struct engine *e, void (*meanwhile)(void *arg), void *arg)
{
    struct memory *m = memory_in(e);

    m->meanwhile = meanwhile;
    m->arg = arg;
}

void memory_engine_damage(struct engine *e, struct part part, struct str key)
{
    struct memory *m = memory_in(e);
    struct whole_key w;
    struct str whole = whole_key(&w, part, key);
    HOLD(&m->m);

    set_tree(&m->newest, tree_put(m->newest, whole, STR_NONE, true));
    set_tree(&m->flushed, tree_put(m->flushed, whole, STR_NONE, true));
}
