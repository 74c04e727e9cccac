/* Few things are merged from below: runs of one, of two, of four. Two runs that follow each other already are only
 * copied. Many are dealt out by their keys' bytes, the last byte first, and only those of one key are then compared. */
#include "mail/order.h"

#define MANY 128
#define KEY_BYTES 8

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

static void merge_all(const struct merge *m, struct order *things, struct order *room, size_t n)
{
    struct order *from = things, *to = room;

    for (size_t run = 1; run < n; run *= 2) {
        struct order *swap = from;

        for (size_t at = 0; at < n; at += 2 * run)
            merge(m, from + at, run, n - at < 2 * run ? n - at : 2 * run, to + at);
        from = to;
        to = swap;
    }
    if (from != things)
        memcpy(things, from, n * sizeof(*things));
}

/* ---- many ---- */

static unsigned char key_byte(const struct order *o, unsigned which)
{
    return (unsigned char)(o->key >> 8 * which);
}

/* counts: how often each value of the byte is there. */
static void deal(const struct order *from, size_t n, unsigned which, const size_t counts[256],
                 struct order *to)
{
    size_t next[256], at = 0;

    for (size_t value = 0; value < 256; value++) {
        next[value] = at;
        at += counts[value];
    }
    for (size_t i = 0; i < n; i++)
        to[next[key_byte(&from[i], which)]++] = from[i];
}

static void deal_all(struct order *things, struct order *room, size_t n)
{
    size_t counts[KEY_BYTES][256] = {0};
    struct order *from = things, *to = room;

    for (size_t i = 0; i < n; i++)
        for (unsigned which = 0; which < KEY_BYTES; which++)
            counts[which][key_byte(&things[i], which)]++;
    for (unsigned which = 0; which < KEY_BYTES; which++) {
        struct order *swap = from;

        if (counts[which][key_byte(&things[0], which)] == n) /* it is the same in all */
            continue;
        deal(from, n, which, counts[which], to);
        from = to;
        to = swap;
    }
    if (from != things)
        memcpy(things, from, n * sizeof(*things));
}

static void settle_ties(const struct merge *m, struct order *things, struct order *room, size_t n)
{
    for (size_t at = 0, end; at < n; at = end) {
        for (end = at + 1; end < n && things[end].key == things[at].key; end++)
            ;
        merge_all(m, things + at, room, end - at);
    }
}

void order_sort(struct order *things, struct order *room, size_t n, order_compare *tie, const void *ctx)
{
    const struct merge m = {tie, ctx};

    if (is_sorted(&m, things, n))
        return;
    if (n < MANY) {
        merge_all(&m, things, room, n);
        return;
    }
    deal_all(things, room, n);
    if (tie)
        settle_ties(&m, things, room, n);
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
