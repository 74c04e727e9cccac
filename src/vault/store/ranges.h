/* vault/store/ranges.h: sets of UIDs that grow from the front: ascending, joined, in an arena. */
#pragma once
#include "base/arena.h"
#include "proto/imap_set.h"

struct ranges {
    struct imap_range *v;
    size_t n, room;
};

/* first > all before. */
void ranges_add(struct arena *a, struct ranges *r, uint32_t first, uint32_t last);
uint64_t ranges_size(const struct ranges *r); /* how many UIDs */

static inline struct imap_set ranges_set(const struct ranges *r)
{
    return (struct imap_set){.ranges = r->v, .count = r->n};
}

/* As bytes, and back: false for what is no such set. */
struct str ranges_pack(struct arena *a, const struct ranges *r);
bool ranges_unpack(struct arena *a, struct str in, struct ranges *r);

/* Is a UID in a set? For UIDs that come in ascending order: *at moves along. A set of NULL holds all. */
static inline bool set_reaches(const struct imap_set *set, size_t *at, uint32_t uid)
{
    if (!set)
        return true;
    while (*at < set->count && set->ranges[*at].last < uid)
        ++*at;
    return *at < set->count && set->ranges[*at].first <= uid;
}
