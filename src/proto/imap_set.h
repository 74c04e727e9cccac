/* proto/imap_set.h: sets of message numbers or UIDs (RFC 9051 §9 sequence-set and uid-set; RFC 5182; RFC 7162).
 *
 * A set is parsed as it is written, for only the mailbox knows what "*" is; imap_set_resolve() puts it in order, and
 * what follows works on sets in order. Memory: the arena that is named. Pure. */
#pragma once
#include "proto/imap_token.h"

struct imap_range {
    uint32_t first,
        last; /* as parsed: in either order, 0 stands for "*". In order: first <= last, no 0 */
};

struct imap_set {
    const struct imap_range *ranges;
    size_t count;
    bool saved; /* "$": what the last SEARCH saved (RFC 5182); then count is 0 */
};

/* A line of IMAP_LINE_MAX holds fewer; this bounds those that come by literal or from a caller. */
#define IMAP_SET_RANGES_MAX 32768

bool take_imap_set(struct imap_parse *p, struct str *in, struct imap_set *out);
/* uid-set, known-uids, known-sequence-set: no "*", no "$"; the result is in order. */
bool take_imap_uid_set(struct imap_parse *p, struct str *in, struct imap_set *out);
/* known-uids may be matched with numbers one by one (seq-match-data): the ranges stay as they are written. */
bool take_imap_ordered_set(struct imap_parse *p, struct str *in, struct imap_set *out);

/* In order: "*" becomes max, ranges are turned round, sorted and joined, and cut to 1..max if `clip`. max 0 (an empty
 * mailbox) with clip gives an empty set. A set that is in order already is not copied. */
struct imap_set imap_set_resolve(struct arena *a, const struct imap_set *set, uint32_t max, bool clip);
/* The highest number that is written in it ("*" does not count); 0 if none: a message number beyond EXISTS is BAD
 * (RFC 9051 §9 seq-number). */
uint32_t imap_set_highest(const struct imap_set *set);
bool imap_set_is_star(const struct imap_set *set); /* holds "*" somewhere */

/* Of sets in order: */
struct imap_set imap_set_copy(struct arena *a, const struct imap_set *set);
bool imap_set_has(const struct imap_set *set, uint32_t n); /* by bisection */
uint64_t imap_set_size(const struct imap_set *set);        /* how many numbers */

/* for (struct imap_set_walk w = {set}; imap_set_next(&w, &n);) … */
struct imap_set_walk {
    const struct imap_set *set;
    size_t range;  /* private */
    uint32_t done; /* private: how many of that range */
};
bool imap_set_next(struct imap_set_walk *w, uint32_t *n);

/* Growing a set one number at a time, ascending; what follows on is joined. The memory is the builder's own. */
struct imap_set_builder {
    struct imap_range *ranges;
    size_t count, cap;
};
void imap_set_add(struct imap_set_builder *b, uint32_t n); /* n > all before; the same again is fine */
void imap_set_add_range(struct imap_set_builder *b, uint32_t first, uint32_t last);
struct imap_set
imap_set_built(const struct imap_set_builder *b); /* lives as long as the builder is not changed */
void imap_set_builder_free(struct imap_set_builder *b);

/* "1:3,7". A set in order, or one as written ("*" and "$" are written back). Nothing for an empty one: the caller
 * leaves the response out. */
void imap_set_write(struct buf *out, const struct imap_set *set);
void imap_numbers_write(struct buf *out, const uint32_t *ascending, size_t count);
