/* vault/engine/overlay.h: what a transaction has written so far, in order of keys: a skip list.
 *
 * Keys here are whole ones, the part in front. Keys and values are copied into the arena it was made with; rows
 * stay where they are until that is emptied, so a scan may stand on one while others are added. One thread. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

struct overlay;

struct overlay_row {
    struct str key;
    struct str value;
    bool deleted;
    struct overlay_row *next[]; /* private, but for overlay_next() */
};

struct
    overlay_range { /* rows the database has there go; those of the overlay have been marked already */
    struct str from, to;
    struct overlay_range *next;
};

struct overlay *overlay_new(struct arena *a);
bool overlay_is_empty(const struct overlay *o);
void overlay_put(struct overlay *o, struct str key, struct str value);
void overlay_put_piece(struct overlay *o, struct str key,
                       struct str value); /* the value stays the caller's */
void overlay_delete(struct overlay *o, struct str key);
void overlay_delete_range(struct overlay *o, struct str from, struct str to);

/* Each gives NULL when there is no such row. */
const struct overlay_row *overlay_find(const struct overlay *o, struct str key);
const struct overlay_row *overlay_first(const struct overlay *o);
const struct overlay_row *overlay_at_least(const struct overlay *o, struct str key);
const struct overlay_row *overlay_below(const struct overlay *o,
                                        struct str key); /* the last one before key */
const struct overlay_row *overlay_next(const struct overlay_row *row);

/* In the order they were asked for. To be applied before the rows. */
const struct overlay_range *overlay_ranges(const struct overlay *o);
