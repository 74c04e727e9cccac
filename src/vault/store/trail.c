/* Where a scan is of no use, because the rows of others lie between, it is given up for a while; and the longer, the more
 * often that was so. One that was of use, until a whole stretch was left out, goes on behind that. */
#include "vault/store/trail.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/scoped.h"

#include <stdlib.h>

#define STEPS_MOST 4 /* rows that are passed over on the way to the next one */
#define PATIENCE 8   /* rows got one by one after the scan was of no use, at first */
#define PATIENCE_MOST 4096

struct trail {
    struct view *v;
    struct part part;
    bool much;
    struct scan *scan;     /* NULL: none */
    struct str key, value; /* where it stands */
    struct buf last;       /* asked for before */
    unsigned found;        /* so often did the scan stand where it was wanted, since it was opened */
    unsigned one_by_one, patience;
};

struct trail *trail_open(struct view *v, struct part part, bool much)
{
    struct trail *t = must_alloc(sizeof(*t));

    *t = (struct trail){
        .v = v, .part = part, .much = much, .last = buf_make(ENGINE_MAX_KEY), .patience = PATIENCE};
    return t;
}

void trail_close(struct trail **t)
{
    if (!*t)
        return;
    scan_close(&(*t)->scan);
    buf_free(&(*t)->last);
    free(*t);
    *t = NULL;
}

/* False: the end, or something that cannot be read. */
static bool step(struct trail *t)
{
    return scan_next(t->scan, &t->key, &t->value);
}

static bool open_scan(struct trail *t, struct cx *cx, struct str key)
{
    char end = (char)(key.p[0] + 1);
    struct str to = {&end, 1};

    t->found = 0;
    if (t->scan) {
        scan_skip(t->scan, key);
        return step(t);
    }
    if (t->much ? view_scan_much(t->v, cx, t->part, key, to, &t->scan)
                : view_scan(t->v, cx, t->part, key, to, false, &t->scan))
        return false;
    return step(t);
}

static void give_up(struct trail *t)
{
    scan_close(&t->scan);
    t->one_by_one = t->patience;
    if (t->patience < PATIENCE_MOST)
        t->patience *= 2;
}

/* Where the scan stands: before the key, on it, or behind it. */
static int move_on(struct trail *t, struct str key)
{
    int order = str_compare(t->key, key);

    for (int i = 0; order < 0 && i < STEPS_MOST && step(t); i++)
        order = str_compare(t->key, key);
    return order;
}

/* The scan stands on the row that is wanted. */
static bool move(struct trail *t, struct cx *cx, struct str key)
{
    int order = -1;

    if (t->scan && str_same(t->key, key))
        return true;
    if (t->one_by_one || !t->last.n || str_compare(key, buf_str(&t->last)) <= 0)
        return false;
    if (t->scan)
        order = move_on(t, key);
    if (order < 0 && (!t->scan || t->found >= PATIENCE) && open_scan(t, cx, key))
        order = str_compare(t->key, key);
    if (order == 0) {
        t->found++;
        t->patience = PATIENCE;
    } else if (order < 0) {
        give_up(t);
    }
    return order == 0;
}

enum err trail_get(struct trail *t, struct cx *cx, struct str key, struct str *value, bool *found)
{
    bool there = move(t, cx, key);

    buf_clear(&t->last);
    buf_add(&t->last, key);
    if (!there) {
        t->one_by_one -= t->one_by_one > 0;
        return view_get(t->v, cx, t->part, key, value, found);
    }
    *value = t->value;
    *found = true;
    return OK;
}
