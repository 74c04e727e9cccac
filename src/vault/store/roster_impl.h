/* vault/store/roster_impl.h: what roster.c (pictures), roster_cache.c (how they come about) and known.c share.
 *
 * A picture is an index and a block for each of its rows. The index says which UIDs there are, and how many come before;
 * it is the same as what a client knows that has just been told everything, and is shared with that. */
#pragma once
#include "vault/store/block.h"
#include "vault/store/mailbox.h"
#include "vault/store/messages.h"

#include <stdatomic.h>

struct known_block {
    uint32_t number; /* block_of() of its UIDs */
    uint32_t before; /* messages in those before it */
    uint64_t bits;   /* UIDs that are there */
};

struct known {
    atomic_size_t refs;
    uint64_t modseq;
    uint32_t count; /* messages */
    size_t n;       /* blocks */
    struct known_block v[];
};

struct block {
    atomic_size_t refs;
    uint32_t count, unseen, deleted;
    uint64_t bytes, deleted_bytes;
    uint64_t modseq; /* the greatest */
    struct roster_entry v[];
};

struct roster {
    atomic_size_t refs;
    struct roster_counts counts;
    uint64_t followed; /* the account's modseq when it was taken: no later change is in it */
    char *keyword_text;
    struct str keywords[64 - FLAG_KEYWORD_FIRST];
    struct known *known;
    struct block **blocks; /* known->n */
};

/* UIDs of its block below this one. */
static inline uint64_t bits_below(uint32_t uid)
{
    return ((uint64_t)1 << uid % BLOCK_UIDS) - 1;
}
static inline uint32_t bits_count(uint64_t bits)
{
    return (uint32_t)__builtin_popcountll(bits);
}

/* n blocks, with numbers and bits to be set; then known_number_blocks(). */
struct known *known_new(size_t n);
void known_number_blocks(struct known *k);
/* The first block with this number or a greater one; n: none. */
size_t known_find(const struct known *k, uint32_t block);

/* One reference each is taken over. */
struct block *block_new(const struct roster_entry *v, size_t n);
void block_drop(struct block *b);
static inline struct block *block_hold(struct block *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}
size_t roster_size(const struct roster *r); /* bytes, all of its blocks counted */

/* What a change makes of a message's flags. */
struct flag_rule {
    enum flags_how how;
    uint64_t mask;
    uint64_t keep; /* bits that REPLACE leaves as they are */
};
static inline uint64_t flags_after(const struct flag_rule *rule, uint64_t flags)
{
    return rule->how == FLAGS_ADD      ? flags | rule->mask
           : rule->how == FLAGS_REMOVE ? flags & ~rule->mask
                                       : (flags & rule->keep) | (rule->mask & ~rule->keep);
}

/* A change of flags that was committed. If the cache has the picture of the mailbox before it, the next one is made from
 * that and not read, and taken when the change is durable. */
void roster_note_flags(struct store *s, struct mailbox_ref at, const struct flag_rule *rule,
                       const struct flags_result *result, struct ticket ticket);

/* The cache of a store. */
struct roster_cache;
struct roster_cache *roster_cache_new(size_t most_bytes);
void roster_cache_free(struct roster_cache *c); /* NULL is fine */
