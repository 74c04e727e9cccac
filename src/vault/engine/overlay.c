/* A skip list: a transaction has a dozen rows as a rule, but one that empties a mailbox has hundreds of
 * thousands, in no order, and scans between them. */
#include "vault/engine/overlay.h"

#define MAX_HEIGHT 16 /* with one in four going a level up: 4^16 rows */

struct overlay {
    struct arena *arena;
    struct overlay_row *heads[MAX_HEIGHT];
    struct overlay_range *ranges, **ranges_end;
    uint64_t random;
};

struct overlay *overlay_new(struct arena *a)
{
    struct overlay *o = arena_alloc(a, sizeof(*o));

    o->arena = a;
    o->ranges_end = &o->ranges;
    o->random = 0x9e3779b97f4a7c15u;
    return o;
}

bool overlay_is_empty(const struct overlay *o)
{
    return !o->heads[0] && !o->ranges;
}

/* Marsaglia's xorshift. It only balances, so everybody may guess it: our own ids are what stands in keys. */
static size_t random_height(struct overlay *o)
{
    size_t height = 1;

    o->random ^= o->random << 13;
    o->random ^= o->random >> 7;
    o->random ^= o->random << 17;
    for (uint64_t bits = o->random >> 20; height < MAX_HEIGHT && (bits & 3) == 0; bits >>= 2)
        height++;
    return height;
}

/* Fills `links` with the pointers that a row of this key hangs on, or would hang on, one a level. */
static void find_links(struct overlay *o, struct str key, struct overlay_row **links[MAX_HEIGHT])
{
    struct overlay_row **at = o->heads;

    for (size_t level = MAX_HEIGHT; level-- > 0;) {
        while (at[level] && str_compare(at[level]->key, key) < 0)
            at = at[level]->next;
        links[level] = &at[level];
    }
}

static struct overlay_row *row_for(struct overlay *o, struct str key)
{
    struct overlay_row **links[MAX_HEIGHT];
    struct overlay_row *row;
    size_t height;

    find_links(o, key, links);
    row = *links[0];
    if (row && str_same(row->key, key))
        return row;
    height = random_height(o);
    row = arena_alloc(o->arena, sizeof(*row) + height * sizeof(row->next[0]));
    row->key = str_copy(o->arena, key);
    for (size_t level = 0; level < height; level++) {
        row->next[level] = *links[level];
        *links[level] = row;
    }
    return row;
}

void overlay_put_piece(struct overlay *o, struct str key, struct str value)
{
    struct overlay_row *row = row_for(o, key);

    row->value = value;
    row->deleted = false;
}

void overlay_put(struct overlay *o, struct str key, struct str value)
{
    overlay_put_piece(o, key, str_copy(o->arena, value));
}

void overlay_delete(struct overlay *o, struct str key)
{
    struct overlay_row *row = row_for(o, key);

    row->value = STR_NONE;
    row->deleted = true;
}

void overlay_delete_range(struct overlay *o, struct str from, struct str to)
{
    struct overlay_range *range = arena_alloc(o->arena, sizeof(*range));
    struct overlay_row **links[MAX_HEIGHT];

    range->from = str_copy(o->arena, from);
    range->to = str_copy(o->arena, to);
    *o->ranges_end = range;
    o->ranges_end = &range->next;
    find_links(o, from, links);
    for (struct overlay_row *row = *links[0]; row && str_compare(row->key, to) < 0;
         row = row->next[0]) {
        row->value = STR_NONE;
        row->deleted = true;
    }
}

/* The last row that is less than key, or NULL. */
const struct overlay_row *overlay_below(const struct overlay *o, struct str key)
{
    const struct overlay_row *below = NULL;
    struct overlay_row *const *at = o->heads;

    for (size_t level = MAX_HEIGHT; level-- > 0;)
        while (at[level] && str_compare(at[level]->key, key) < 0) {
            below = at[level];
            at = below->next;
        }
    return below;
}

const struct overlay_row *overlay_at_least(const struct overlay *o, struct str key)
{
    const struct overlay_row *below = overlay_below(o, key);

    return below ? below->next[0] : o->heads[0];
}

const struct overlay_row *overlay_find(const struct overlay *o, struct str key)
{
    const struct overlay_row *row = overlay_at_least(o, key);

    return row && str_same(row->key, key) ? row : NULL;
}

const struct overlay_row *overlay_first(const struct overlay *o)
{
    return o->heads[0];
}

const struct overlay_row *overlay_next(const struct overlay_row *row)
{
    return row->next[0];
}

const struct overlay_range *overlay_ranges(const struct overlay *o)
{
    return o->ranges;
}
