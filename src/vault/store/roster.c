#include "vault/store/roster_impl.h"

#include <assert.h>
#include <stdlib.h>

/* ---- blocks ---- */

struct block *block_new(const struct roster_entry *v, size_t n)
{
    struct block *b = must_alloc(sizeof(*b) + n * sizeof(*v));

    atomic_init(&b->refs, 1);
    b->count = (uint32_t)n;
    memcpy(b->v, v, n * sizeof(*v));
    for (size_t i = 0; i < n; i++) {
        bool deleted = v[i].flags & FLAG_DELETED;

        b->unseen += !(v[i].flags & FLAG_SEEN);
        b->deleted += deleted;
        b->bytes += v[i].size;
        b->deleted_bytes += deleted ? v[i].size : 0;
        b->modseq = v[i].modseq > b->modseq ? v[i].modseq : b->modseq;
    }
    return b;
}

void block_drop(struct block *b)
{
    if (atomic_fetch_sub(&b->refs, 1) == 1)
        free(b);
}

/* ---- the picture ---- */

struct roster *roster_hold(struct roster *r)
{
    atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
    return r;
}

void roster_drop(struct roster **r)
{
    if (*r && atomic_fetch_sub(&(*r)->refs, 1) == 1) {
        for (size_t i = 0; i < (*r)->known->n; i++)
            block_drop((*r)->blocks[i]);
        known_drop(&(*r)->known);
        free((*r)->blocks);
        free((*r)->keyword_text);
        free(*r);
    }
    *r = NULL;
}

size_t roster_size(const struct roster *r)
{
    return sizeof(*r) +
           r->known->n * (sizeof(*r->known->v) + sizeof(*r->blocks) + sizeof(struct block)) +
           r->known->count * sizeof(struct roster_entry);
}

const struct roster_counts *roster_counts(const struct roster *r)
{
    return &r->counts;
}

struct str roster_keyword(const struct roster *r, unsigned bit)
{
    assert(bit >= FLAG_KEYWORD_FIRST && bit < 64);
    return r->keywords[bit - FLAG_KEYWORD_FIRST];
}

uint64_t roster_keyword_mask(const struct roster *r, struct str name)
{
    for (unsigned bit = FLAG_KEYWORD_FIRST; bit < 64 && name.n; bit++)
        if (str_same_nocase(roster_keyword(r, bit), name))
            return (uint64_t)1 << bit;
    return 0;
}

/* ---- messages ---- */

const struct roster_entry *roster_find(const struct roster *r, uint32_t uid)
{
    const struct known *k = r->known;
    size_t at = known_find(k, block_of(uid));

    if (at == k->n || k->v[at].number != block_of(uid) || !(k->v[at].bits >> uid % BLOCK_UIDS & 1))
        return NULL;
    return &r->blocks[at]->v[bits_count(k->v[at].bits & bits_below(uid))];
}

const struct roster_entry *roster_at(const struct roster *r, uint32_t number)
{
    uint32_t uid = known_uid(r->known, number);

    return uid ? roster_find(r, uid) : NULL;
}

uint32_t roster_number(const struct roster *r, uint32_t uid)
{
    return known_number(r->known, uid);
}

uint32_t roster_first_unseen(const struct roster *r)
{
    for (size_t i = 0; i < r->known->n; i++) {
        const struct block *b = r->blocks[i];

        for (uint32_t k = 0; b->unseen && k < b->count; k++)
            if (!(b->v[k].flags & FLAG_SEEN))
                return r->known->v[i].before + k + 1;
    }
    return 0;
}

/* ---- walking ---- */

struct roster_walk roster_walk(const struct roster *r, const struct imap_set *set)
{
    return (struct roster_walk){.roster = r, .set = set};
}

/* To the first message with this UID or a greater one; it is ahead. */
static void walk_to(struct roster_walk *w, uint32_t uid)
{
    const struct known *k = w->roster->known;

    if (k->v[w->block].number < block_of(uid)) {
        w->block++;
        if (w->block < k->n && k->v[w->block].number < block_of(uid))
            w->block = known_find(k, block_of(uid));
        w->in_block = 0;
    }
    if (w->block < k->n && k->v[w->block].number == block_of(uid))
        w->in_block = bits_count(k->v[w->block].bits & bits_below(uid));
}

const struct roster_entry *roster_next(struct roster_walk *w)
{
    const struct known *k = w->roster->known;
    const struct imap_set *set = w->set;

    while (w->block < k->n) {
        const struct block *b = w->roster->blocks[w->block];
        const struct roster_entry *e;

        if (w->in_block == b->count) {
            w->block++;
            w->in_block = 0;
            continue;
        }
        e = &b->v[w->in_block];
        while (set && w->range < set->count && set->ranges[w->range].last < e->uid)
            w->range++;
        if (set && w->range == set->count)
            return NULL;
        if (set && set->ranges[w->range].first > e->uid) {
            walk_to(w, set->ranges[w->range].first);
            continue;
        }
        w->in_block++;
        w->number = k->v[w->block].before + w->in_block;
        return e;
    }
    return NULL;
}
