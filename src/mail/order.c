/* Merging from below: runs of one, of two, of four. Two runs that follow each other already are only copied. */
#include "mail/order.h"

struct merge {
    order_compare *tie;
    const void *ctx;
};

static bool is_after(const struct merge *m, const struct order *a, const struct order *b)
{
    if (a->key != b->key)
        return a->key > b->key;
    return m->tie && m->tie(m->ctx, a->index, b->index) > 0;
}

static void merge(const struct merge *m, const struct order *from, size_t left, size_t n,
                  struct order *to)
{
    size_t i = 0, k = left;

    if (left >= n || !is_after(m, &from[left - 1], &from[left])) {
        memcpy(to, from, n * sizeof(*to));
        return;
    }
    while (i < left && k < n)
        *to++ = is_after(m, &from[i], &from[k]) ? from[k++] : from[i++];
    memcpy(to, from + i, (left - i) * sizeof(*to));
    memcpy(to + (left - i), from + k, (n - k) * sizeof(*to));
}

static bool is_sorted(const struct merge *m, const struct order *things, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (is_after(m, &things[i - 1], &things[i]))
            return false;
    return true;
}

void order_sort(struct order *things, struct order *room, size_t n, order_compare *tie, const void *ctx)
{
    const struct merge m = {tie, ctx};
    struct order *from = things, *to = room;

    if (is_sorted(&m, things, n))
        return;
    for (size_t run = 1; run < n; run *= 2) {
        struct order *swap = from;

        for (size_t at = 0; at < n; at += 2 * run)
            merge(&m, from + at, run, n - at < 2 * run ? n - at : 2 * run, to + at);
        from = to;
        to = swap;
    }
    if (from != things)
        memcpy(things, from, n * sizeof(*things));
}

uint64_t order_key_of_text(struct str text)
{
    unsigned char bytes[8] = {0};
    uint64_t v = 0;

    memcpy(bytes, text.p ? text.p : "", text.n < 8 ? text.n : 8);
    for (size_t i = 0; i < 8; i++)
        v = v << 8 | bytes[i];
    return v;
}
