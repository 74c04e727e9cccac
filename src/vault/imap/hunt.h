/* vault/imap/hunt.h: a search that has to read messages, by more than one thread.
 *
 * Reading, unpacking and comparing are the processor's work, and a search through all of a mailbox is one that somebody
 * waits for. So while processors are left, others help for the rest of a turn: of all hunts together never more than there
 * are processors beside the first. */
#pragma once
#include "vault/imap/match.h"

#define HUNT_MOST 16384 /* messages at once: more than a turn is enough for, mostly */

struct hunted {
    const struct roster_entry *entry;
    uint32_t number;
    bool fits;                       /* the answer */
    unsigned fuzzy_count, fuzzy_sum; /* … and how well (struct asked) */
};

struct hunt {
    struct engine *engine;
    const struct match *match;
    struct account_id account;
    struct hunted *all;
    size_t n;
    int64_t ends; /* monotonic: nothing is begun after that, but for the first few */
};

/* Asks of them in order, and as many as the time allows: *done from the first on. The asker is this thread's. */
enum err hunt(const struct hunt *h, struct asker *asker, size_t *done);
