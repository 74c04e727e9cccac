/* rpc/parts.h: a message's part tree as the calls carry it. The tree itself, and its order, are mail/mime.h's. */
#pragma once
#include "base/arena.h"
#include "mail/mime.h"
#include "rpc/calls.h"

/* n of them, in the arena. */
static inline struct body_part *body_parts_of(struct arena *a, const struct mime_part *parts, size_t n)
{
    struct body_part *to = arena_array(a, struct body_part, n);

    for (size_t i = 0; i < n; i++)
        to[i] = (struct body_part){.parent = parts[i].parent,
                                   .start = parts[i].start,
                                   .body = parts[i].body,
                                   .end = parts[i].end,
                                   .lines = parts[i].lines,
                                   .kind = parts[i].kind};
    return to;
}
