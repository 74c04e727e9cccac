/* vault/search/search.h: full text: which messages of a mailbox may hold a text, from an index for each account.
 *
 * The index only names candidates, which the caller compares. A message that the index has not reached, or cannot answer
 * for, is always one; where there is no index, or the text has fewer than three characters, all are.
 *
 * An account gets an index when a text is looked for in a mailbox of SEARCH_WORTH messages, or by `posthorn index`; from
 * then on a background thread follows its change log. An index that is damaged or of another store is thrown away and made
 * anew; one whose account has gone is removed. Nothing is lost with an index: no backup has them.
 *
 * Safe from any thread. */
#pragma once
#include "vault/search/index.h"
#include "vault/store/roster.h"

#define SEARCH_WORTH 1000

struct search;

/* Starts the thread. directory: of the indexes, made with the first; the string stays where it is. Close it before the store. */
struct search *search_open(struct store *store, const char *directory);
void search_close(struct search **s); /* NULL is fine */

/* Of a picture of one of the account's mailboxes: bit n - 1 is set if message number n may hold the folded text in one of
 * these parts (of enum index_part). In the arena. NULL: all may. Reads files: for the long lane. */
const uint64_t *search_candidates(struct search *s, struct arena *a, struct account_id account,
                                  const struct roster *r, unsigned parts, struct str folded);
static inline bool search_is_candidate(const uint64_t *bits, uint32_t number)
{
    return !bits || bits[(number - 1) / 64] >> ((number - 1) % 64) & 1;
}

/* A session has just been served: for a moment the thread keeps to a small part of a processor. Index or not, a search finds
 * the same. */
void search_note_work(struct search *s, int64_t now);

/* Throws the account's index away; the thread makes it anew. */
void search_rebuild(struct search *s, struct account_id account);
struct search_progress {
    uint64_t messages, goal; /* indexed, of so many */
    bool done;
};
/* Waits until it has got further, a moment at most. An account that has gone is done. The error is what the making failed
 * with last; it is tried again. */
enum err search_wait(struct search *s, struct cx *cx, struct account_id account,
                     struct search_progress *out);
