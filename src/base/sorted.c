#include "base/sorted.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

void sort_u64(uint64_t *v, size_t n)
{
    if (n)
        qsort(v, n, sizeof(*v), compare);
}

size_t sort_u64_once(uint64_t *v, size_t n)
{
    size_t to = 0;

    sort_u64(v, n);
    for (size_t i = 0; i < n; i++)
        if (!to || v[to - 1] != v[i])
            v[to++] = v[i];
    return to;
}
