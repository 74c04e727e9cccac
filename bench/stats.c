/* Four bytes a message: a million messages are 4 MB, so nothing has to be estimated. */
#include "stats.h"

#include <stdlib.h>

#include "base/arena.h"

void sample_free(struct sample *s)
{
    free(s->us);
    *s = (struct sample){0};
}

void sample_add(struct sample *s, int64_t us)
{
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 4096;
        s->us = must_realloc(s->us, s->cap * sizeof *s->us);
    }
    s->us[s->n++] = us < 0 ? 0 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

void sample_sort(struct sample *s)
{
    if (s->n)
        qsort(s->us, s->n, sizeof *s->us, by_value);
}

uint32_t sample_percentile(const struct sample *s, double percent)
{
    double exact = (double)s->n * percent / 100;
    size_t rank = (size_t)exact;

    if (!s->n)
        return 0;
    if ((double)rank < exact)
        rank++;
    return s->us[rank ? rank - 1 : 0];
}
