#include "vault/store/roster_impl.h"

#include <stdlib.h>

struct known *known_new(size_t n)
{
    struct known *k = must_alloc(sizeof(*k) + n * sizeof(*k->v));

    atomic_init(&k->refs, 1);
    k->n = n;
    return k;
}

void known_number_blocks(struct known *k)
{
    k->count = 0;
    for (size_t i = 0; i < k->n; i++) {
        k->v[i].before = k->count;
        k->count += bits_count(k->v[i].bits);
    }
}

struct known *known_hold(struct known *k)
{
    atomic_fetch_add_explicit(&k->refs, 1, memory_order_relaxed);
    return k;
}

void known_drop(struct known **k)
{
    if (*k && atomic_fetch_sub(&(*k)->refs, 1) == 1)
        free(*k);
    *k = NULL;
}

struct known *known_of(const struct roster *r)
{
    return known_hold(r->known);
}

/* ---- numbers and UIDs ---- */

uint32_t known_count(const struct known *k)
{
    return k->count;
}

uint64_t known_modseq(const struct known *k)
{
    return k->modseq;
}

size_t known_find(const struct known *k, uint32_t block)
{
    size_t least = 0, most = k->n;

    while (least < most) {
        size_t middle = (least + most) / 2;

        if (k->v[middle].number < block)
            least = middle + 1;
        else
            most = middle;
    }
    return least;
}

/* The place of the nth bit that is set, from 0. */
static unsigned nth_bit(uint64_t bits, uint32_t n)
{
    while (n--)
        bits &= bits - 1;
    return (unsigned)__builtin_ctzll(bits);
}

uint32_t known_uid(const struct known *k, uint32_t number)
{
    size_t least = 0, most = k->n;

    if (number == 0 || number > k->count)
        return 0;
    while (most - least > 1) {
        size_t middle = (least + most) / 2;

        if (k->v[middle].before < number)
            least = middle;
        else
            most = middle;
    }
    return k->v[least].number * BLOCK_UIDS + nth_bit(k->v[least].bits, number - 1 - k->v[least].before);
}

static uint32_t number_in(const struct known_block *b, uint32_t uid)
{
    return b->before + bits_count(b->bits & bits_below(uid)) + 1;
}

uint32_t known_number(const struct known *k, uint32_t uid)
{
    size_t at = known_find(k, block_of(uid));

    if (at == k->n || k->v[at].number != block_of(uid) || !(k->v[at].bits >> uid % BLOCK_UIDS & 1))
        return 0;
    return number_in(&k->v[at], uid);
}

uint32_t known_last_uid(const struct known *k)
{
    return known_uid(k, k->count);
}

struct imap_set known_uids_of(struct arena *a, const struct known *k, const struct imap_set *numbers)
{
    struct imap_range *ranges = arena_array(a, struct imap_range, numbers->count);

    for (size_t i = 0; i < numbers->count; i++)
        ranges[i] = (struct imap_range){known_uid(k, numbers->ranges[i].first),
                                        known_uid(k, numbers->ranges[i].last)};
    return (struct imap_set){.ranges = ranges, .count = numbers->count};
}

/* ---- comparing ---- */

/* Of the next block that either of them has, in *known and *there; a side that does not have it: NULL. */
static bool next_block(struct known_compare *c, const struct known_block **known,
                       const struct known_block **there)
{
    const struct known *k = c->known, *r = c->roster->known;

    *known = c->known_block < k->n ? &k->v[c->known_block] : NULL;
    *there = c->roster_block < r->n ? &r->v[c->roster_block] : NULL;
    if (*known && *there && (*known)->number != (*there)->number) {
        if ((*known)->number < (*there)->number)
            *there = NULL;
        else
            *known = NULL;
    }
    c->known_block += *known != NULL;
    c->roster_block += *there != NULL;
    return *known || *there;
}

static uint64_t changed_bits(const struct known_compare *c, uint64_t common)
{
    const struct block *b = c->roster->blocks[c->roster_block - 1];
    uint64_t bits = c->roster->known->v[c->roster_block - 1].bits, changed = 0;

    if (b->modseq <= c->known->modseq)
        return 0;
    for (size_t i = 0; bits; bits &= bits - 1, i++)
        if (b->v[i].modseq > c->known->modseq)
            changed |= bits & -bits;
    return changed & common;
}

struct known_compare known_compare(const struct known *k, const struct roster *r)
{
    return (struct known_compare){.known = k, .roster = r};
}

struct known_compare known_compare_removed(const struct known *k, const struct roster *r)
{
    return (struct known_compare){.known = k, .roster = r, .only_removed = true};
}

/* To the next block of which there is something to tell. */
static bool find_block_with_news(struct known_compare *c)
{
    const struct known_block *known, *there;

    while (next_block(c, &known, &there)) {
        c->bits_known = known ? known->bits : 0;
        c->bits_there = there ? there->bits : 0;
        c->removed = c->bits_known & ~c->bits_there;
        if (!c->only_removed) {
            c->added = c->bits_there & ~c->bits_known;
            c->changed = there ? changed_bits(c, c->bits_known & c->bits_there) : 0;
        }
        c->block = known ? known->number : there->number;
        if (c->removed | c->added | c->changed)
            return true;
    }
    return false;
}

bool known_news(struct known_compare *c, struct known_news *news)
{
    uint64_t bit, below;

    if (!(c->removed | c->added | c->changed) && !find_block_with_news(c))
        return false;
    bit = c->removed | c->added | c->changed;
    bit &= -bit;
    below = bit - 1;
    *news = (struct known_news){.kind = c->removed & bit ? KNOWN_REMOVED
                                        : c->added & bit ? KNOWN_ADDED
                                                         : KNOWN_CHANGED,
                                .uid = c->block * BLOCK_UIDS + (unsigned)__builtin_ctzll(bit)};
    if (c->bits_known & bit)
        news->number_before =
            c->known->v[c->known_block - 1].before + bits_count(c->bits_known & below) + 1;
    if (c->bits_there & bit) {
        uint32_t at = bits_count(c->bits_there & below);

        news->number_after = c->roster->known->v[c->roster_block - 1].before + at + 1;
        news->entry = &c->roster->blocks[c->roster_block - 1]->v[at];
    }
    c->removed &= ~bit;
    c->added &= ~bit;
    c->changed &= ~bit;
    return true;
}

bool known_is_current(const struct known *k, const struct roster *r)
{
    struct known_compare c = known_compare(k, r);

    return k == r->known || !find_block_with_news(&c);
}

/* ---- what comes after ---- */

static bool same_uids(const struct known *a, const struct known *b)
{
    if (a->n != b->n || a->count != b->count)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (a->v[i].number != b->v[i].number || a->v[i].bits != b->v[i].bits)
            return false;
    return true;
}

/* Blocks that hold nothing are left out. */
static struct known *finished(struct known *k, size_t n, uint64_t modseq)
{
    k->n = n;
    k->modseq = modseq;
    known_number_blocks(k);
    return k;
}

struct known *known_after(const struct known *k, const struct roster *r, bool expunged)
{
    struct known_compare c = known_compare(k, r);
    const struct known_block *known, *there;
    struct known *both;
    size_t n = 0;

    if (expunged)
        return known_hold(r->known);
    both = known_new(k->n + r->known->n);
    while (next_block(&c, &known, &there))
        both->v[n++] =
            (struct known_block){.number = known ? known->number : there->number,
                                 .bits = (known ? known->bits : 0) | (there ? there->bits : 0)};
    finished(both, n, r->known->modseq);
    if (!same_uids(both, r->known))
        return both;
    known_drop(&both);
    return known_hold(r->known);
}

/* The bits of a block that the set holds; *at moves along. */
static uint64_t bits_of_set(const struct imap_set *set, size_t *at, uint32_t block)
{
    uint32_t first = block * BLOCK_UIDS, last = first + BLOCK_UIDS - 1;
    uint64_t bits = 0;

    while (*at < set->count && set->ranges[*at].last < first)
        ++*at;
    for (size_t i = *at; i < set->count && set->ranges[i].first <= last; i++) {
        uint32_t from = set->ranges[i].first > first ? set->ranges[i].first : first;
        uint32_t to = set->ranges[i].last < last ? set->ranges[i].last : last;

        bits |= (UINT64_MAX >> (63 - (to - from))) << (from - first);
    }
    return bits;
}

struct known *known_without(const struct known *k, const struct imap_set *uids)
{
    struct known *rest = known_new(k->n);
    size_t n = 0, at = 0;

    for (size_t i = 0; i < k->n; i++) {
        uint64_t bits = k->v[i].bits & ~bits_of_set(uids, &at, k->v[i].number);

        if (bits)
            rest->v[n++] = (struct known_block){.number = k->v[i].number, .bits = bits};
    }
    return finished(rest, n, k->modseq);
}
