/* Scans: the rows of the database and those of a transaction's overlay, merged. Where both have a key the
 * overlay's row is the one that counts, and if it says "deleted", none is. */
#include "vault/engine/engine_impl.h"

#include "base/arena.h"

#include <assert.h>
#include <stdlib.h>

struct scan {
    const struct backend_ops *ops;
    struct cursor *cursor;
    const struct overlay *overlay;     /* NULL: a view's */
    const struct overlay_row *written; /* where we stand in it; NULL: at its end */
    bool backwards;
    size_t prefix;
    struct whole_key from, to;
    struct str key, value; /* where we stand in the database */
    bool stored, ended;    /* there is such a row; there are no more */
};

static struct str bytes_of(const struct whole_key *k)
{
    return (struct str){k->bytes, k->n};
}

static const struct overlay_row *within(const struct scan *s, const struct overlay_row *row)
{
    bool inside = row && str_compare(row->key, bytes_of(&s->from)) >= 0 &&
                  str_compare(row->key, bytes_of(&s->to)) < 0;

    return inside ? row : NULL;
}

static const struct overlay_row *first_written(const struct scan *s)
{
    if (!s->overlay)
        return NULL;
    return within(s, s->backwards ? overlay_below(s->overlay, bytes_of(&s->to))
                                  : overlay_at_least(s->overlay, bytes_of(&s->from)));
}

static const struct overlay_row *next_written(const struct scan *s)
{
    return within(s,
                  s->backwards ? overlay_below(s->overlay, s->written->key) : overlay_next(s->written));
}

struct scan *scan_new(struct engine *e, struct snapshot *snapshot, const struct overlay *overlay,
                      struct part part, struct str from, struct str to, enum scan_how how)
{
    struct scan *s = must_alloc(sizeof(*s));

    s->ops = e->ops;
    s->overlay = overlay;
    s->backwards = how == SCAN_BACKWARDS;
    s->prefix = part_prefix_size(part);
    whole_key(&s->from, part, from);
    if (to.n)
        whole_key(&s->to, part, to);
    else
        part_end(&s->to, part);
    s->cursor = s->ops->cursor_open(e->backend, snapshot, bytes_of(&s->from), bytes_of(&s->to), how);
    s->written = first_written(s);
    return s;
}

/* Less than 0: the database's row comes next. 0: both have it. More: the overlay's. */
static int compare_fronts(const struct scan *s)
{
    int order;

    if (!s->stored || !s->written)
        return s->stored ? -1 : 1;
    order = str_compare(s->key, s->written->key);
    return s->backwards ? -order : order;
}

static bool damaged(const struct scan *s)
{
    struct cx cx;

    return s->ops->cursor_error(s->cursor, &cx) != OK;
}

static void look_at_stored(struct scan *s)
{
    if (s->stored || s->ended)
        return;
    s->stored = s->ops->cursor_next(s->cursor, &s->key, &s->value);
    s->ended = !s->stored;
}

bool scan_next(struct scan *s, struct str *key, struct str *value)
{
    for (;;) {
        const struct overlay_row *row = s->written;
        int order;

        look_at_stored(s);
        if ((!s->stored && !row) || (s->ended && damaged(s)))
            return false;
        order = compare_fronts(s);
        if (order <= 0)
            s->stored = false; /* taken, or hidden; what it points to lives until the cursor moves */
        if (order >= 0)
            s->written = next_written(s);
        if (order >= 0 && row->deleted)
            continue;
        *key = str_from(order < 0 ? s->key : row->key, s->prefix);
        *value = order < 0 ? s->value : row->value;
        return true;
    }
}

void scan_skip(struct scan *s, struct str to)
{
    struct whole_key key;

    assert(!s->backwards && s->prefix + to.n <= WHOLE_KEY_SIZE);
    memcpy(key.bytes, s->from.bytes, s->prefix);
    memcpy(key.bytes + s->prefix, to.p, to.n);
    key.n = s->prefix + to.n;
    if (str_compare(bytes_of(&key), bytes_of(&s->from)) < 0)
        return;
    s->ops->cursor_skip(s->cursor, bytes_of(&key));
    s->stored = s->ended = false;
    if (s->overlay)
        s->written = within(s, overlay_at_least(s->overlay, bytes_of(&key)));
}

enum err scan_error(const struct scan *s, struct cx *cx)
{
    return s->ops->cursor_error(s->cursor, cx);
}

bool scan_past_damage(struct scan *s)
{
    if (!damaged(s) || !s->ops->cursor_past_damage(s->cursor))
        return false;
    s->ended = false;
    return true;
}

void scan_close(struct scan **s)
{
    if (!*s)
        return;
    (*s)->ops->cursor_close((*s)->cursor);
    free(*s);
    *s = NULL;
}
