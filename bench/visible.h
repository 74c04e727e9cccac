/* bench/visible.h: how many messages the mailboxes show, as any user would see it: by POP3's STAT.
 *
 * That is the end of a message's way for every server alike, whatever it does after its 250. */
#pragma once
#include "options.h"
#include "report.h"

/* Asks every account once: counts[o->accounts]. */
bool visible_count(const struct options *o, int64_t deadline_ms, uint32_t *counts,
                   struct report *report);

/* Returns when each account shows at least want[account] messages; `likely_last` is asked until it does before
 * the others are bothered, so that a server with work left is not kept from it. */
bool visible_wait(const struct options *o, int64_t deadline_ms, const uint32_t *want,
                  uint64_t likely_last, struct report *report);
