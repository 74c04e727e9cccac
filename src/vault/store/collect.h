/* vault/store/collect.h: gives back the room of what nobody refers to any more.
 *
 * Durable state only, after a grace, so that sessions which still list a removed message can read it. */
#pragma once
#include "vault/store/store.h"

#define COLLECT_GRACE_MS ((int64_t)10 * 60 * 1000)

struct collected {
    size_t references, bodies;
    uint64_t bytes;
    bool more; /* there is more to do at once */
};

/* One round, about 1,000 references: those that were given back before `before_ms`. From a background thread. */
enum err collect(struct store *s, struct cx *cx, int64_t before_ms, struct collected *out);
