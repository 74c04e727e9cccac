#include "vault/admin/walk.h"

#include "base/arena.h"
#include "base/scoped.h"

static void walk(struct view *v, struct cx *cx, struct part part, struct str from, struct str to,
                 const struct walker *w)
{
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value;

    if (view_scan(v, cx, part, from, to, false, &scan)) {
        w->lost(w->arg, cx->cause);
        return;
    }
    do {
        while (scan_next(scan, &key, &value))
            w->look(w->arg, key, value);
        if (!scan_error(scan, cx))
            return;
        w->lost(w->arg, cx->cause);
    } while (scan_past_damage(scan));
}

void rows_walk(struct view *v, struct part part, struct str from, struct str to, const struct walker *w)
{
    struct cx cx = {.arena = arena_new(0)};

    walk(v, &cx, part, from, to, w);
    arena_free(cx.arena);
}
