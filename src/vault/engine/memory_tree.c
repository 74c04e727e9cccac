/* A treap: a search tree by key that is a heap by a number made from the key, which keeps it balanced. Everything
 * is done with two operations, split and join, which copy the nodes on their way down and share the rest. */
#include "vault/engine/memory_tree.h"

#include "base/arena.h"
#include "base/hash.h"

#include <stdatomic.h>
#include <stdlib.h>

struct counted_row {
    struct tree_row row;
    atomic_size_t refs;
    uint64_t priority;
    char bytes[];
};

struct tree {
    atomic_size_t refs;
    uint64_t bytes; /* keys and values below */
    struct counted_row *row;
    struct tree *left, *right;
};

static struct counted_row *row_new(struct str key, struct str value, bool damaged)
{
    struct counted_row *r = must_alloc(sizeof(*r) + key.n + value.n);

    if (key.n)
        memcpy(r->bytes, key.p, key.n);
    if (value.n)
        memcpy(r->bytes + key.n, value.p, value.n);
    r->row = (struct tree_row){{r->bytes, key.n}, {r->bytes + key.n, value.n}, damaged};
    r->priority = hash_bytes(key);
    atomic_init(&r->refs, 1);
    return r;
}

static struct counted_row *row_hold(struct counted_row *r)
{
    atomic_fetch_add(&r->refs, 1);
    return r;
}

static void row_drop(struct counted_row *r)
{
    if (atomic_fetch_sub(&r->refs, 1) == 1)
        free(r);
}

struct tree *tree_hold(struct tree *t)
{
    if (t)
        atomic_fetch_add(&t->refs, 1);
    return t;
}

void tree_drop(struct tree *t)
{
    if (!t || atomic_fetch_sub(&t->refs, 1) != 1)
        return;
    tree_drop(t->left);
    tree_drop(t->right);
    row_drop(t->row);
    free(t);
}

uint64_t tree_bytes(const struct tree *t)
{
    return t ? t->bytes : 0;
}

/* Takes over what it is given. */
static struct tree *node_new(struct counted_row *row, struct tree *left, struct tree *right)
{
    struct tree *t = must_alloc(sizeof(*t));

    t->row = row;
    t->left = left;
    t->right = right;
    t->bytes = tree_bytes(left) + tree_bytes(right) + row->row.key.n + row->row.value.n;
    atomic_init(&t->refs, 1);
    return t;
}

/* *low gets the keys below `key` (and key itself, if `with`), *high the others. */
static void split(const struct tree *t, struct str key, bool with, struct tree **low,
                  struct tree **high)
{
    struct tree *middle;
    int order;

    *low = *high = NULL;
    if (!t)
        return;
    order = str_compare(t->row->row.key, key);
    if (order < 0 || (order == 0 && with)) {
        split(t->right, key, with, &middle, high);
        *low = node_new(row_hold(t->row), tree_hold(t->left), middle);
    } else {
        split(t->left, key, with, low, &middle);
        *high = node_new(row_hold(t->row), middle, tree_hold(t->right));
    }
}

/* All of `low` is below all of `high`. Takes both over. */
static struct tree *join(struct tree *low, struct tree *high)
{
    struct tree *t;

    if (!low || !high)
        return low ? low : high;
    if (low->row->priority >= high->row->priority) {
        t = node_new(row_hold(low->row), tree_hold(low->left), join(tree_hold(low->right), high));
        tree_drop(low);
    } else {
        t = node_new(row_hold(high->row), join(low, tree_hold(high->left)), tree_hold(high->right));
        tree_drop(high);
    }
    return t;
}

/* What lies between goes; `instead`, which is taken over, comes in its place. */
static struct tree *replace(struct tree *t, struct str from, struct str to, bool with_to,
                            struct tree *instead)
{
    struct tree *low, *rest, *middle, *high;

    split(t, from, false, &low, &rest);
    split(rest, to, with_to, &middle, &high);
    tree_drop(rest);
    tree_drop(middle);
    return join(join(low, instead), high);
}

struct tree *tree_put(struct tree *t, struct str key, struct str value, bool damaged)
{
    return replace(t, key, key, true, node_new(row_new(key, value, damaged), NULL, NULL));
}

struct tree *tree_delete(struct tree *t, struct str key)
{
    return replace(t, key, key, true, NULL);
}

struct tree *tree_delete_range(struct tree *t, struct str from, struct str to)
{
    return str_compare(from, to) < 0 ? replace(t, from, to, false, NULL) : tree_hold(t);
}

/* The first row that is greater than key, or, if `with`, equal to it. */
static const struct tree_row *first_from(const struct tree *t, struct str key, bool with)
{
    const struct tree_row *best = NULL;

    while (t) {
        int order = str_compare(t->row->row.key, key);

        if (order > 0 || (order == 0 && with)) {
            best = &t->row->row;
            t = t->left;
        } else {
            t = t->right;
        }
    }
    return best;
}

const struct tree_row *tree_at_least(const struct tree *t, struct str key)
{
    return first_from(t, key, true);
}

const struct tree_row *tree_above(const struct tree *t, struct str key)
{
    return first_from(t, key, false);
}

const struct tree_row *tree_below(const struct tree *t, struct str key)
{
    const struct tree_row *best = NULL;

    while (t)
        if (str_compare(t->row->row.key, key) < 0) {
            best = &t->row->row;
            t = t->right;
        } else {
            t = t->left;
        }
    return best;
}

const struct tree_row *tree_find(const struct tree *t, struct str key)
{
    const struct tree_row *row = tree_at_least(t, key);

    return row && str_same(row->key, key) ? row : NULL;
}
