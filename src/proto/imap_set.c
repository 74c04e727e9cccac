/* A set is an array of ranges. Commas are counted first, so that the array is made once and has the right size. */
#include "proto/imap_set.h"

#include "base/buf.h"

#include <assert.h>
#include <stdlib.h>

/* seq-number = nz-number / "*" */
static bool take_seq_number(struct str *in, uint32_t *out)
{
    if (take_char(in, '*')) {
        *out = 0;
        return true;
    }
    return take_imap_nz_number(in, out);
}

/* seq-number / seq-range */
static bool take_range(struct str *in, struct imap_range *out)
{
    struct str s = *in;
    struct imap_range r;

    if (!take_seq_number(&s, &r.first))
        return false;
    r.last = r.first;
    if (take_char(&s, ':') && !take_seq_number(&s, &r.last))
        return false;
    *in = s;
    *out = r;
    return true;
}

static size_t count_ranges(struct str in)
{
    size_t n = 1;

    for (size_t i = 0;
         i < in.n && (is_digit(in.p[i]) || in.p[i] == ':' || in.p[i] == ',' || in.p[i] == '*'); i++)
        n += in.p[i] == ',';
    return n;
}

static bool take_ranges(struct imap_parse *p, struct str *in, struct imap_set *out)
{
    struct str s = *in;
    size_t count = count_ranges(s), n = 0;
    struct imap_range first, *ranges;

    if (!take_range(&s, &first))
        return false;
    if (count > IMAP_SET_RANGES_MAX)
        return imap_no(p, "LIMIT", "a set has too many ranges");
    ranges = arena_array(p->arena, struct imap_range, count);
    ranges[n++] = first;
    while (take_char(&s, ','))
        if (!take_range(&s, &ranges[n++]))
            return false;
    assert(n <= count);
    *in = s;
    *out = (struct imap_set){.ranges = ranges, .count = n};
    return true;
}

bool take_imap_set(struct imap_parse *p, struct str *in, struct imap_set *out)
{
    if (take_imap_word(in, S("$"))) {
        *out = (struct imap_set){.saved = true};
        return true;
    }
    return take_ranges(p, in, out);
}

bool take_imap_uid_set(struct imap_parse *p, struct str *in, struct imap_set *out)
{
    struct str s = *in;
    struct imap_set set;

    if (!take_ranges(p, &s, &set) || imap_set_is_star(&set))
        return false;
    *in = s;
    *out = imap_set_resolve(p->arena, &set, 0, false);
    return true;
}

bool take_imap_ordered_set(struct imap_parse *p, struct str *in, struct imap_set *out)
{
    struct str s = *in;
    uint32_t before = 0;
    struct imap_set set;

    if (!take_ranges(p, &s, &set))
        return false;
    for (size_t i = 0; i < set.count; before = set.ranges[i++].last)
        if (set.ranges[i].first <= before || set.ranges[i].last < set.ranges[i].first)
            return false;
    *in = s;
    *out = set;
    return true;
}

bool imap_set_is_star(const struct imap_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->ranges[i].first == 0 || set->ranges[i].last == 0)
            return true;
    return false;
}

uint32_t imap_set_highest(const struct imap_set *set)
{
    uint32_t highest = 0;

    for (size_t i = 0; i < set->count; i++) {
        const struct imap_range *r = &set->ranges[i];
        uint32_t h = r->first > r->last ? r->first : r->last;

        highest = h > highest ? h : highest;
    }
    return highest;
}

/* ---- in order ---- */

static bool is_in_order(const struct imap_set *set, uint32_t max, bool clip)
{
    uint64_t before = 0;

    for (size_t i = 0; i < set->count; before = set->ranges[i++].last) {
        const struct imap_range *r = &set->ranges[i];

        if (r->first <= before + (i > 0) || r->last < r->first || (clip && r->last > max))
            return false;
    }
    return true;
}

static int by_first(const void *a, const void *b)
{
    const struct imap_range *x = a, *y = b;

    return x->first < y->first ? -1 : x->first > y->first;
}

/* One range with "*" settled, turned round and cut; false: nothing is left of it. */
static bool settle(struct imap_range in, uint32_t max, bool clip, struct imap_range *out)
{
    uint32_t a = in.first ? in.first : max, b = in.last ? in.last : max;

    *out = a <= b ? (struct imap_range){a, b} : (struct imap_range){b, a};
    if (clip && out->last > max)
        out->last = max;
    if (out->first == 0)
        out->first = 1;
    return out->first <= out->last;
}

struct imap_set imap_set_resolve(struct arena *a, const struct imap_set *set, uint32_t max, bool clip)
{
    struct imap_range *ranges;
    size_t n = 0, joined = 0;

    if (set->saved || is_in_order(set, max, clip))
        return *set;
    ranges = arena_array(a, struct imap_range, set->count);
    for (size_t i = 0; i < set->count; i++)
        n += settle(set->ranges[i], max, clip, &ranges[n]);
    qsort(ranges, n, sizeof(*ranges), by_first);
    for (size_t i = 0; i < n; i++)
        if (joined && ranges[i].first <= (uint64_t)ranges[joined - 1].last + 1) {
            if (ranges[i].last > ranges[joined - 1].last)
                ranges[joined - 1].last = ranges[i].last;
        } else {
            ranges[joined++] = ranges[i];
        }
    return (struct imap_set){.ranges = ranges, .count = joined};
}

struct imap_set imap_set_copy(struct arena *a, const struct imap_set *set)
{
    struct imap_range *ranges = arena_array(a, struct imap_range, set->count);

    if (set->count)
        memcpy(ranges, set->ranges, set->count * sizeof(*ranges));
    return (struct imap_set){.ranges = ranges, .count = set->count};
}

bool imap_set_has(const struct imap_set *set, uint32_t n)
{
    size_t low = 0, high = set->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (n > set->ranges[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < set->count && n >= set->ranges[low].first;
}

uint64_t imap_set_size(const struct imap_set *set)
{
    uint64_t size = 0;

    for (size_t i = 0; i < set->count; i++)
        size += (uint64_t)set->ranges[i].last - set->ranges[i].first + 1;
    return size;
}

bool imap_set_next(struct imap_set_walk *w, uint32_t *n)
{
    const struct imap_range *r;

    if (w->range == w->set->count)
        return false;
    r = &w->set->ranges[w->range];
    *n = r->first + w->done;
    if (*n == r->last) {
        w->range++;
        w->done = 0;
    } else {
        w->done++;
    }
    return true;
}

/* ---- growing ---- */

void imap_set_add_range(struct imap_set_builder *b, uint32_t first, uint32_t last)
{
    struct imap_range *end = b->count ? &b->ranges[b->count - 1] : NULL;

    assert(first && first <= last && (!end || first >= end->first));
    if (end && first <= (uint64_t)end->last + 1) {
        end->last = last > end->last ? last : end->last;
        return;
    }
    if (b->count == b->cap) {
        b->cap = b->cap ? 2 * b->cap : 16;
        b->ranges = must_realloc(b->ranges, b->cap * sizeof(*b->ranges));
    }
    b->ranges[b->count++] = (struct imap_range){first, last};
}

void imap_set_add(struct imap_set_builder *b, uint32_t n)
{
    imap_set_add_range(b, n, n);
}

struct imap_set imap_set_built(const struct imap_set_builder *b)
{
    return (struct imap_set){.ranges = b->ranges, .count = b->count};
}

void imap_set_builder_free(struct imap_set_builder *b)
{
    free(b->ranges);
    *b = (struct imap_set_builder){0};
}

/* ---- writing ---- */

static void write_number(struct buf *out, uint32_t n)
{
    if (n)
        buf_add_u64(out, n);
    else
        buf_add_char(out, '*');
}

static void write_range(struct buf *out, struct imap_range r, bool is_first)
{
    if (!is_first)
        buf_add_char(out, ',');
    write_number(out, r.first);
    if (r.last != r.first) {
        buf_add_char(out, ':');
        write_number(out, r.last);
    }
}

void imap_set_write(struct buf *out, const struct imap_set *set)
{
    if (set->saved)
        buf_add_char(out, '$');
    for (size_t i = 0; i < set->count; i++)
        write_range(out, set->ranges[i], i == 0);
}

void imap_numbers_write(struct buf *out, const uint32_t *ascending, size_t count)
{
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && ascending[to] == ascending[to - 1] + 1; to++)
            ;
        write_range(out, (struct imap_range){ascending[from], ascending[to - 1]}, from == 0);
    }
}
