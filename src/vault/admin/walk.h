/* vault/admin/walk.h: every row of a range that can be read, in order.
 *
 *     struct walker w = {look_at_hot, say_lost, &account};
 *     rows_walk(view, hot_part(id), S("u"), S("v"), &w);
 *
 * A block that cannot be read is told once, by `lost`, and passed over. */
#pragma once
#include "vault/engine/engine.h"

struct walker {
    void (*look)(void *arg, struct str key, struct str value); /* both live until it returns */
    void (*lost)(void *arg, const char *cause);
    void *arg;
};

void rows_walk(struct view *v, struct part part, struct str from, struct str to,
               const struct walker *w);
