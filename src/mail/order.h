/* mail/order.h: putting many things in order by a number each, or by what only begins with it. Pure. */
#pragma once
#include "base/str.h"

struct order {
    uint64_t key;
    uint32_t index; /* of the caller's things */
};

/* < 0: the thing at a comes first. Of those that are equal the one that stood first stays first. */
typedef int order_compare(const void *ctx, uint32_t a, uint32_t b);

/* By key; then by `tie`, if there is one. `room` is as large as `things`. What is in order already costs one look at
 * each. */
void order_sort(struct order *things, struct order *room, size_t n, order_compare *tie,
                const void *ctx);

/* Numbers of either sign, as keys. */
static inline uint64_t order_key(int64_t v)
{
    return (uint64_t)v ^ (uint64_t)1 << 63;
}
/* The beginning of a text, as a key: texts in order have keys in order, but equal keys say nothing. */
uint64_t order_key_of_text(struct str text);
