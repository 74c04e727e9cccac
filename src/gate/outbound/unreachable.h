/* gate/outbound/unreachable.h: addresses where nobody answered a short while ago, so that a thousand messages for
 * a dead host do not each wait for it. Any thread. */
#pragma once
#include "base/arena.h"
#include "net/sockaddr.h"

struct unreachable;

struct unreachable *unreachable_new(void);
void unreachable_free(struct unreachable *u);

/* At most 1,024 addresses, those noted last. why: how the attempt ended, for the sender. */
void unreachable_note(struct unreachable *u, const struct endpoint *e, struct str why,
                      int64_t until_ms);
/* True: it was noted, and its time is not over; *why is in the arena. */
bool unreachable_find(struct unreachable *u, const struct endpoint *e, int64_t now_ms,
                      struct arena *arena, struct str *why);
