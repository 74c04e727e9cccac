/* RFC 5256 §3, its six steps, with parents only: who is whose child is asked but once, at the end. All lists are made by
 * going through the messages in the order of their dates, so that no list is sorted by itself.
 *
 * A link must not make a loop. To know that, somebody would have to walk from the new parent to its root; but a node that
 * has no children is nobody's ancestor, and nodes that were never joined are in different trees. That leaves the walks of
 * mail that comes in a strange order, and their steps are counted: when they become many more than there are messages and
 * references, somebody made them up, and such links are left out. */
#include "mail/thread.h"

#include "base/codec.h"
#include "base/hash.h"
#include "mail/order.h"

#include <stdlib.h>

#define NOBODY UINT32_MAX
/* If messages have more references than so many each, on the average, only so many are used of each: the last ones. */
#define MANY_REFERENCES 16
#define FEW_MESSAGES 1000 /* for which nobody needs to save */
#define STEPS_PER_LINK 64

struct thread_item thread_item_of(struct arena *a, uint32_t number, const struct facts *f,
                                  int64_t internal_ms, bool by_references)
{
    return (struct thread_item){.number = number,
                                .is_reply = f->is_reply,
                                .date_ms = facts_date(f, internal_ms),
                                .base_subject = str_copy(a, f->base_subject),
                                .message_id = f->message_id,
                                .references = by_references ? str_copy(a, f->references) : STR_NONE};
}

/* What is found by a number: ids, and the hashes of subjects. Open addressing; where a number begins to be looked for
 * nobody outside can tell. */
struct table {
    uint64_t seed;
    uint64_t *keys;
    uint32_t *values; /* NOBODY: free */
    size_t count, room;
};

static void table_make(struct table *t, size_t expected)
{
    size_t room = 64;

    while (room < 2 * expected)
        room *= 2;
    *t = (struct table){.seed = random_u64() | 1, .room = room};
    t->keys = must_alloc(room * sizeof(*t->keys));
    t->values = must_alloc(room * sizeof(*t->values));
    memset(t->values, 0xff, room * sizeof(*t->values));
}

static void table_free(struct table *t)
{
    free(t->keys);
    free(t->values);
}

/* The first place of a key; then the next one. */
static size_t table_place(const struct table *t, uint64_t key)
{
    return (size_t)((key * t->seed) >> 32) & (t->room - 1);
}

static size_t table_next(const struct table *t, size_t place)
{
    return (place + 1) & (t->room - 1);
}

static void table_grow(struct table *t)
{
    struct table old = *t;

    table_make(t, t->room);
    t->count = old.count;
    t->seed = old.seed;
    for (size_t i = 0; i < old.room; i++)
        if (old.values[i] != NOBODY) {
            size_t place = table_place(t, old.keys[i]);

            while (t->values[place] != NOBODY)
                place = table_next(t, place);
            t->keys[place] = old.keys[i];
            t->values[place] = old.values[i];
        }
    table_free(&old);
}

/* The value of a key, to be read or written; NOBODY: the key is new. */
static uint32_t *table_at(struct table *t, uint64_t key)
{
    size_t place;

    if (t->count * 2 >= t->room)
        table_grow(t);
    place = table_place(t, key);
    while (t->values[place] != NOBODY && t->keys[place] != key)
        place = table_next(t, place);
    if (t->values[place] == NOBODY) {
        t->keys[place] = key;
        t->count++; /* the caller writes it */
    }
    return &t->values[place];
}

/* A node: the first n are the messages, in their order; then come those whom nobody has seen. */
struct node {
    uint32_t parent;
    uint32_t group;             /* who it was ever joined with: leads to their first */
    uint32_t children;          /* how many */
    uint32_t first, last, next; /* in step 6: children, and the next sibling */
};

struct threads {
    const struct thread_item *items;
    size_t n;
    struct node *nodes;
    size_t count, room;
    struct table ids;
    uint64_t steps_left;
    struct order *by_date; /* the messages */
    uint32_t roots, last_root;
};

static uint32_t add_node(struct threads *t)
{
    if (t->count == t->room) {
        t->room = t->room ? t->room * 2 : 64;
        t->nodes = must_realloc(t->nodes, t->room * sizeof(*t->nodes));
    }
    t->nodes[t->count] = (struct node){NOBODY, (uint32_t)t->count, 0, NOBODY, NOBODY, NOBODY};
    return (uint32_t)t->count++;
}

static bool is_dummy(const struct threads *t, uint32_t node)
{
    return node >= t->n;
}

/* ---- step 1 ---- */

static uint32_t group_of(struct threads *t, uint32_t node)
{
    struct node *nodes = t->nodes;

    while (nodes[node].group != node) {
        nodes[node].group = nodes[nodes[node].group].group;
        node = nodes[node].group;
    }
    return node;
}

static bool makes_loop(struct threads *t, uint32_t parent, uint32_t child)
{
    if (parent == child)
        return true;
    if (t->nodes[child].children == 0 || group_of(t, parent) != group_of(t, child))
        return false;
    while (parent != NOBODY && parent != child && t->steps_left) {
        parent = t->nodes[parent].parent;
        t->steps_left--;
    }
    return parent != NOBODY;
}

/* The child has no parent. */
static void link_nodes(struct threads *t, uint32_t parent, uint32_t child)
{
    if (makes_loop(t, parent, child))
        return;
    t->nodes[child].parent = parent;
    t->nodes[parent].children++;
    t->nodes[group_of(t, child)].group = group_of(t, parent);
}

static void unlink_node(struct threads *t, uint32_t child)
{
    uint32_t parent = t->nodes[child].parent;

    if (parent != NOBODY)
        t->nodes[parent].children--;
    t->nodes[child].parent = NOBODY;
}

static uint32_t node_of_id(struct threads *t, uint64_t id)
{
    uint32_t *node = table_at(&t->ids, id);

    if (*node == NOBODY)
        *node = add_node(t);
    return *node;
}

static void link_references(struct threads *t, uint32_t message, size_t most)
{
    struct str references = t->items[message].references;
    size_t n = facts_reference_count(references);
    uint32_t before = NOBODY;

    for (size_t i = n > most ? n - most : 0; i < n; i++) {
        uint32_t node = node_of_id(t, facts_reference(references, i));

        if (before != NOBODY && t->nodes[node].parent == NOBODY)
            link_nodes(t, before, node);
        before = node;
    }
    unlink_node(t, message);
    if (before != NOBODY)
        link_nodes(t, before, message);
}

/* The first message with an id has it; others have none that anybody could refer to. */
static void name_messages(struct threads *t)
{
    for (uint32_t i = 0; i < t->n; i++) {
        uint32_t node = add_node(t), *named;

        if (!t->items[i].message_id)
            continue;
        named = table_at(&t->ids, t->items[i].message_id);
        if (*named == NOBODY)
            *named = node;
    }
}

/* False: there are more than `most_nodes`. */
static bool link_messages(struct threads *t, size_t most_nodes)
{
    size_t references = 0, most = SIZE_MAX;

    for (size_t i = 0; i < t->n; i++)
        references += facts_reference_count(t->items[i].references);
    if (t->n > FEW_MESSAGES && references > MANY_REFERENCES * t->n)
        most = MANY_REFERENCES;
    t->steps_left = STEPS_PER_LINK * (uint64_t)(t->n + references);
    name_messages(t);
    for (uint32_t i = 0; i < t->n && t->count <= most_nodes; i++)
        link_references(t, i, most);
    return t->count <= most_nodes;
}

/* ---- steps 2 and 3 ---- */

/* From one that nobody has seen, up to the next message; or, if there is none above it, to the uppermost. What it passes
 * is led there as well. */
static uint32_t climb(struct threads *t, uint32_t dummy)
{
    uint32_t top = dummy, next;

    while (is_dummy(t, top) && t->nodes[top].parent != NOBODY)
        top = t->nodes[top].parent;
    for (; dummy != top; dummy = next) {
        next = t->nodes[dummy].parent;
        t->nodes[dummy].parent = top;
    }
    return top;
}

/* Every message becomes the child of a message, of an uppermost dummy with at least two children, or of nobody. */
static void prune(struct threads *t)
{
    for (size_t i = 0; i < t->count; i++)
        t->nodes[i].children = 0;
    for (uint32_t i = 0; i < t->n; i++) {
        struct node *node = &t->nodes[i];

        if (node->parent != NOBODY && is_dummy(t, node->parent))
            node->parent = climb(t, node->parent);
        if (node->parent != NOBODY)
            t->nodes[node->parent].children++;
    }
    for (uint32_t i = 0; i < t->n; i++) {
        uint32_t parent = t->nodes[i].parent;

        if (parent != NOBODY && is_dummy(t, parent) && t->nodes[parent].children == 1)
            unlink_node(t, i);
    }
}

/* ---- steps 4 and 6 ---- */

static void sort_by_date(struct threads *t)
{
    struct order *room = must_alloc(t->n * sizeof(*room) + 1);

    t->by_date = must_alloc(t->n * sizeof(*t->by_date) + 1);
    for (uint32_t i = 0; i < t->n; i++)
        t->by_date[i] = (struct order){order_key(t->items[i].date_ms), i};
    order_sort(t->by_date, room, t->n, NULL, NULL);
    free(room);
}

static void append(struct threads *t, uint32_t *first, uint32_t *last, uint32_t node)
{
    if (*first == NOBODY)
        *first = node;
    else
        t->nodes[*last].next = node;
    *last = node;
    t->nodes[node].next = NOBODY;
}

/* A dummy stands where its first child would. */
static void list_roots(struct threads *t)
{
    t->roots = t->last_root = NOBODY;
    for (size_t i = 0; i < t->count; i++)
        t->nodes[i].first = NOBODY;
    for (size_t i = 0; i < t->n; i++) {
        uint32_t message = t->by_date[i].index, parent = t->nodes[message].parent;

        if (parent == NOBODY) {
            append(t, &t->roots, &t->last_root, message);
        } else if (is_dummy(t, parent) && t->nodes[parent].first == NOBODY) {
            t->nodes[parent].first = message;
            append(t, &t->roots, &t->last_root, parent);
        }
    }
}

static void list_children(struct threads *t)
{
    list_roots(t);
    for (size_t i = 0; i < t->count; i++) {
        t->nodes[i].first = NOBODY;
        t->nodes[i].children = 0;
    }
    for (size_t i = 0; i < t->n; i++) {
        uint32_t message = t->by_date[i].index, parent = t->nodes[message].parent;

        if (parent == NOBODY)
            continue;
        append(t, &t->nodes[parent].first, &t->nodes[parent].last, message);
        t->nodes[parent].children++;
    }
}

static void give_tree(const struct threads *t, struct arena *a, struct thread_tree *out)
{
    uint32_t node = t->roots, depth = 0;

    *out = (struct thread_tree){arena_array(a, struct thread_node, t->count), 0};
    while (node != NOBODY) {
        out->nodes[out->count++] = (struct thread_node){is_dummy(t, node) ? 0 : t->items[node].number,
                                                        depth, t->nodes[node].children};
        if (t->nodes[node].first != NOBODY) {
            node = t->nodes[node].first;
            depth++;
            continue;
        }
        while (node != NOBODY && t->nodes[node].next == NOBODY) {
            node = t->nodes[node].parent;
            depth--;
        }
        if (node != NOBODY)
            node = t->nodes[node].next;
    }
}

/* ---- step 5 ---- */

static uint64_t hash_of(struct str s, uint64_t seed)
{
    uint64_t h = seed;

    for (size_t i = 0; i < s.n; i++)
        h = hash_step(h, s.p[i]);
    return h ^ h >> 32;
}

/* Of a thread: its message's, or of a dummy its first child's. */
static struct str subject_of(const struct threads *t, uint32_t root)
{
    return t->items[is_dummy(t, root) ? t->nodes[root].first : root].base_subject;
}

/* Where the one with this subject stands. Other subjects of the same hash go on behind it. */
static uint32_t *find_subject(struct threads *t, struct table *subjects, struct str subject)
{
    for (uint64_t hash = hash_of(subject, subjects->seed);; hash = hash * 0x9e3779b97f4a7c15 + 1) {
        uint32_t *root = table_at(subjects, hash);

        if (*root == NOBODY || str_same(subject_of(t, *root), subject))
            return root;
    }
}

/* Step 5 (B) (iv): who of two represents the subject. */
static bool is_better(const struct threads *t, uint32_t root, uint32_t than)
{
    if (is_dummy(t, than))
        return false;
    return is_dummy(t, root) || (t->items[than].is_reply && !t->items[root].is_reply);
}

static void fill_subjects(struct threads *t, struct table *subjects)
{
    for (uint32_t root = t->roots; root != NOBODY; root = t->nodes[root].next) {
        struct str subject = subject_of(t, root);
        uint32_t *best;

        if (subject.n == 0)
            continue;
        best = find_subject(t, subjects, subject);
        if (*best == NOBODY || is_better(t, root, *best))
            *best = root;
    }
}

/* Step 5 (C) (iv). A dummy whose children have gone to another has that one as its parent. */
static void merge(struct threads *t, uint32_t *best, uint32_t root)
{
    uint32_t dummy;

    if (is_dummy(t, *best) || (t->items[root].is_reply && !t->items[*best].is_reply)) {
        t->nodes[root].parent = *best;
        return;
    }
    dummy = add_node(t);
    t->nodes[dummy].first = *best; /* for its subject */
    t->nodes[*best].parent = dummy;
    t->nodes[root].parent = dummy;
    *best = dummy;
}

static void merge_subjects(struct threads *t)
{
    struct table subjects;
    uint32_t root, next;

    table_make(&subjects, 64);
    fill_subjects(t, &subjects);
    for (root = t->roots; root != NOBODY; root = next) {
        struct str subject = subject_of(t, root);
        uint32_t *best;

        next = t->nodes[root].next;
        if (subject.n == 0 || t->nodes[root].parent != NOBODY) /* it is no root any more */
            continue;
        best = find_subject(t, &subjects, subject);
        if (*best != root)
            merge(t, best, root);
    }
    table_free(&subjects);
    for (uint32_t i = 0; i < t->n; i++) {
        uint32_t parent = t->nodes[i].parent;

        if (parent != NOBODY && is_dummy(t, parent) && t->nodes[parent].parent != NOBODY)
            t->nodes[i].parent = t->nodes[parent].parent;
    }
}

static void threads_free(struct threads *t)
{
    free(t->by_date);
    free(t->nodes);
    table_free(&t->ids);
}

static void end(struct threads *t, struct arena *a, struct thread_tree *out)
{
    list_children(t);
    give_tree(t, a, out);
    threads_free(t);
}

bool thread_by_references(struct arena *a, const struct thread_item *items, size_t n, size_t most,
                          struct thread_tree *out)
{
    struct threads t = {.items = items, .n = n};

    table_make(&t.ids, n);
    if (!link_messages(&t, most)) {
        threads_free(&t);
        return false;
    }
    prune(&t);
    sort_by_date(&t);
    list_roots(&t);
    merge_subjects(&t);
    end(&t, a, out);
    return true;
}

/* Lists and tables double, and tables are half empty at the most crowded. Two messages of one subject may need another
 * node; by_date needs twice its room while it is sorted. */
size_t thread_room(size_t n, size_t most)
{
    size_t table = 4 * (sizeof(uint64_t) + sizeof(uint32_t));

    most += n / 2;
    return most * (2 * sizeof(struct node) + table + sizeof(struct thread_node)) +
           n * (table + 2 * sizeof(struct order));
}

/* The first of each subject, by date, is the parent of the others. */
void thread_by_subject(struct arena *a, const struct thread_item *items, size_t n,
                       struct thread_tree *out)
{
    struct threads t = {.items = items, .n = n};

    table_make(&t.ids, 64);
    for (size_t i = 0; i < n; i++)
        add_node(&t);
    sort_by_date(&t);
    for (size_t i = 0; i < n; i++) {
        uint32_t message = t.by_date[i].index,
                 *first = find_subject(&t, &t.ids, items[message].base_subject);

        if (*first == NOBODY)
            *first = message;
        else
            t.nodes[message].parent = *first;
    }
    end(&t, a, out);
}

/* ---- the answer ---- */

/* Of the way from the root to the present node: how many children each one has, and whether it began a list. */
struct step {
    uint32_t children;
    bool opened;
};

static void close_lists(struct buf *out, const struct step *way, size_t from, size_t to)
{
    while (to-- > from)
        if (way[to].opened)
            buf_add_char(out, ')');
}

/* thread-list = "(" (thread-members / thread-nested) ")": an only child follows its parent, of several each one has a list. */
void thread_write(struct buf *out, const struct thread_tree *tree)
{
    struct step *way = must_alloc((tree->count + 1) * sizeof(*way));
    size_t depth = 0; /* of the way */

    for (size_t i = 0; i < tree->count; i++) {
        const struct thread_node *node = &tree->nodes[i];
        bool child = node->depth > 0, opens = !child || way[node->depth - 1].children > 1;
        bool after_number = child && depth == node->depth && tree->nodes[i - 1].number;

        close_lists(out, way, node->depth, depth);
        if (after_number)
            buf_add_char(out, ' ');
        if (opens)
            buf_add_char(out, '(');
        if (node->number)
            buf_printf(out, "%u", node->number);
        way[node->depth] = (struct step){node->children, opens};
        depth = node->depth + 1;
    }
    close_lists(out, way, 0, depth);
    free(way);
}
