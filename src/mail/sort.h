/* mail/sort.h: the order in which SORT wants messages (RFC 5256 §3, RFC 5957, RFC 6203 §6). Pure.
 *
 *     struct sort s = sort_begin(arena, criteria, criterion_count, most);
 *     for each message, in the order of the mailbox:
 *         sort_add(&s, &message);
 *     sort_end(&s, numbers);
 *
 * What a criterion compares is copied into the arena: the facts need not outlive the call, and a message costs 16 bytes a
 * criterion, 4, its texts, and at the end 32. */
#pragma once
#include "base/arena.h"
#include "mail/facts.h"
#include "proto/imap_search.h"

struct sort_message {
    uint32_t number;           /* what the answer calls it */
    const struct facts *facts; /* may be NULL where no criterion asks for them (sort_needs_facts()) */
    const uint64_t *
        keys; /* of each criterion that asks for facts, made by sort_keys(), instead of them; of all messages
                             of a sort or, NULL, of none */
    int64_t internal_ms;
    uint64_t size;
    unsigned relevancy; /* the higher, the earlier */
};

struct sort {
    struct arena *arena; /* private, all of it */
    const struct imap_sort_criterion *criteria;
    size_t criterion_count, count, most;
    bool has_keys;
    struct str *values; /* criterion_count of each message; a number is the length of nothing */
    uint32_t *numbers;
};

bool sort_needs_facts(const struct imap_sort_criterion *criteria,
                      size_t count); /* else ARRIVAL and SIZE alone */

/* Numbers that stand for what a criterion that needs facts compares, of many messages whose packed facts are given: in the same order, and
 * equal where that is equal. So a mailbox that is sorted again compares no texts. */
void sort_keys(enum imap_sort_key criterion, const struct str *packed, size_t n, uint64_t *keys);

/* Bytes that a message takes, but for its texts. */
size_t sort_room(size_t criterion_count);
/* The criteria outlive the sort. */
struct sort sort_begin(struct arena *a, const struct imap_sort_criterion *criteria,
                       size_t criterion_count, size_t most);
void sort_add(struct sort *s, const struct sort_message *m); /* at most `most` times */
/* The numbers in order; as many as were added. */
void sort_end(struct sort *s, uint32_t *numbers);
