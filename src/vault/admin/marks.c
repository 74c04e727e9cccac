#include "vault/admin/marks.h"

#include "base/arena.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    const struct mark *x = a, *y = b;

    if (x->body != y->body)
        return x->body < y->body ? -1 : 1;
    if (x->part != y->part)
        return x->part < y->part ? -1 : 1;
    return x->owner < y->owner ? -1 : x->owner > y->owner;
}

bool marks_add(struct marks *m, struct arena *a, struct str dead_row)
{
    struct dead_row row;

    if (!dead_unpack(a, dead_row, &row))
        return false;
    while (m->room - m->n < row.items_count) {
        m->room = m->room ? m->room * 2 : 256;
        m->v = must_realloc(m->v, m->room * sizeof(*m->v));
    }
    for (size_t i = 0; i < row.items_count; i++)
        m->v[m->n++] = (struct mark){row.items[i].body.v, row.part, row.items[i].owner};
    return true;
}

void marks_sort(struct marks *m)
{
    if (m->n)
        qsort(m->v, m->n, sizeof(*m->v), compare);
}

bool marks_have(const struct marks *m, struct body_id body, uint64_t part, uint64_t owner)
{
    struct mark wanted = {body.v, part, owner};

    return m->n && bsearch(&wanted, m->v, m->n, sizeof(*m->v), compare);
}

void marks_free(struct marks *m)
{
    free(m->v);
    *m = (struct marks){0};
}
