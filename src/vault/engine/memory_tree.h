/* vault/engine/memory_tree.h: an ordered map that never changes: each change gives a new one, which shares with
 * the old one all that is the same. So a snapshot is a pointer, and so is the state that a power cut leaves.
 *
 * Trees are counted references: what a function returns is the caller's to drop; what it is given stays his. A
 * tree may be read, held and dropped from any thread. NULL is the empty tree. */
#pragma once
#include "base/str.h"

struct tree;
struct tree_row {
    struct str key, value;
    bool damaged; /* a test wants it unreadable */
};

struct tree *tree_hold(struct tree *t);
void tree_drop(struct tree *t);
struct tree *tree_put(struct tree *t, struct str key, struct str value, bool damaged);
struct tree *tree_delete(struct tree *t, struct str key);
struct tree *tree_delete_range(struct tree *t, struct str from, struct str to); /* from ≤ key < to */
uint64_t tree_bytes(const struct tree *t);

/* NULL: there is no such row. A row lives as long as the tree. */
const struct tree_row *tree_find(const struct tree *t, struct str key);
const struct tree_row *tree_at_least(const struct tree *t, struct str key);
const struct tree_row *tree_above(const struct tree *t, struct str key);
const struct tree_row *tree_below(const struct tree *t, struct str key);
