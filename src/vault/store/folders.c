/* The tree of mailboxes: rows by id that know their parent, and an index from parent and name to id. So a name is found by
 * as many reads as it has levels; and for a list of all, two scans read every row, and the tree is made of them here. */
#include "vault/store/folders.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "proto/imap_name.h"
#include "vault/store/rows.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- one mailbox ---- */

static struct folder folder_from(struct mailbox_id id, const struct mailbox_row *row,
                                 const struct counts_row *counts)
{
    struct folder f = {.id = id,
                       .parent = row->parent,
                       .roles = row->roles,
                       .no_select = row->no_select,
                       .uid_validity = row->uid_validity};

    if (!counts)
        return f;
    f.uid_next = counts->uid_next;
    f.first_recent = counts->recent;
    f.modseq = counts->modseq;
    f.exists = counts->exists;
    f.unseen = counts->unseen;
    f.deleted = counts->deleted;
    f.bytes = counts->bytes;
    f.deleted_bytes = counts->deleted_bytes;
    return f;
}

static enum err view_has_below(struct view *v, struct cx *cx, struct account_id account,
                               struct mailbox_id id, bool *has)
{
    scoped(buf_free) struct buf from = buf_make(32), to = buf_make(32);
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value;
    enum err e;

    name_key_pack(&from, &(struct name_key){.parent = id.v});
    name_key_pack(&to, &(struct name_key){.parent = id.v + 1});
    e = view_scan(v, cx, name_part(account), buf_str(&from), buf_str(&to), false, &scan);
    *has = !e && scan_next(scan, &key, &value);
    return (e || *has) ? e : scan_error(scan, cx);
}

/* *found false also when they cannot be read: the mailbox is there without. */
static enum err read_counts(struct view *v, struct cx *cx, struct account_id account,
                            struct mailbox_id id, struct counts_row *counts, bool *found)
{
    enum err e = counts_row_view(v, cx, account, &(struct counts_key){.mailbox = id.v}, counts, found);

    if (e != ERR_DAMAGED)
        return e;
    *found = false;
    return OK;
}

static enum err read_mailbox(struct view *v, struct cx *cx, struct account_id account,
                             struct mailbox_id id, struct mailbox_row *row)
{
    bool found;
    enum err e = mailbox_row_view(v, cx, account, &(struct mailbox_key){.mailbox = id.v}, row, &found);

    if (!e && !found)
        return fail(cx, ERR_NOT_FOUND, "account %" PRIu64 " has no mailbox %" PRIu64, account.v, id.v);
    return e;
}

/* All but name and subscribed. */
static enum err read_folder(struct view *v, struct cx *cx, struct account_id account,
                            struct mailbox_id id, struct mailbox_row *row, struct folder *out)
{
    struct counts_row counts;
    struct folder f;
    bool counted = false, has_below;
    enum err e = read_mailbox(v, cx, account, id, row);

    if (!e && !row->no_select)
        e = read_counts(v, cx, account, id, &counts, &counted);
    if (!e)
        e = view_has_below(v, cx, account, id, &has_below);
    if (e)
        return e;
    f = folder_from(id, row, counted ? &counts : NULL);
    f.damaged = !counted && !row->no_select;
    f.has_children = has_below;
    *out = f;
    return OK;
}

static enum err read_subscribed(struct view *v, struct cx *cx, struct account_id account,
                                struct folder *f)
{
    struct subscription_row row;

    return subscription_row_view(v, cx, account, &(struct subscription_key){.name = f->name}, &row,
                                 &f->subscribed);
}

static enum err find_id(struct view *v, struct cx *cx, struct account_id account, struct str name,
                        struct mailbox_id *id)
{
    struct name_row at = {0};
    struct str rest = name, level;
    bool found = name.n > 0 && name.n <= IMAP_NAME_MAX && name.p[name.n - 1] != IMAP_DELIMITER;
    enum err e = OK;

    while (found && !e && take_imap_name_level(&rest, &level))
        e = name_row_view(v, cx, account, &(struct name_key){.parent = at.mailbox.v, .name = level},
                          &at, &found);
    if (!e && !found)
        return fail(cx, ERR_NOT_FOUND, "account %" PRIu64 " has no mailbox of this name", account.v);
    *id = at.mailbox;
    return e;
}

enum err folder_find(struct view *v, struct cx *cx, struct account_id account, struct str name,
                     struct folder *out)
{
    struct mailbox_row row;
    struct mailbox_id id;
    struct folder f;
    enum err e = find_id(v, cx, account, name, &id);

    if (!e)
        e = read_folder(v, cx, account, id, &row, &f);
    if (e)
        return e;
    f.name = str_copy(cx->arena, name);
    e = read_subscribed(v, cx, account, &f);
    if (!e)
        *out = f;
    return e;
}

enum err folder_find_alone(struct view *v, struct cx *cx, struct account_id account, struct str name,
                           struct folder *out)
{
    struct mailbox_row row;
    struct mailbox_id id;
    enum err e = find_id(v, cx, account, name, &id);

    if (!e)
        e = read_mailbox(v, cx, account, id, &row);
    if (e)
        return e;
    *out = folder_from(id, &row, NULL);
    out->name = str_copy(cx->arena, name);
    return OK;
}

/* The parent's full name in front of a level, or of several; either may be empty. */
static struct str join(struct arena *a, struct str parent, struct str level)
{
    char *p;

    if (!parent.n || !level.n)
        return str_copy(a, parent.n ? parent : level);
    p = arena_alloc(a, parent.n + 1 + level.n);
    memcpy(p, parent.p, parent.n);
    p[parent.n] = IMAP_DELIMITER;
    memcpy(p + parent.n + 1, level.p, level.n);
    return (struct str){p, parent.n + 1 + level.n};
}

enum err folder_of(struct view *v, struct cx *cx, struct account_id account, struct mailbox_id id,
                   struct folder *out)
{
    struct mailbox_row row;
    struct folder f;
    bool found = true;
    enum err e = read_folder(v, cx, account, id, &row, &f);

    if (e)
        return e;
    f.name = str_copy(cx->arena, row.name);
    for (size_t levels = 1; row.parent.v && found && !e && levels < IMAP_NAME_LEVELS_MAX; levels++) {
        e = mailbox_row_view(v, cx, account, &(struct mailbox_key){.mailbox = row.parent.v}, &row,
                             &found);
        if (!e && found)
            f.name = join(cx->arena, row.name, f.name);
    }
    if (!e)
        e = read_subscribed(v, cx, account, &f);
    if (!e)
        *out = f;
    return e;
}

enum err folder_spelling(struct view *v, struct cx *cx, struct account_id account, struct mailbox_id id,
                         struct str *name)
{
    struct mailbox_row row = {.parent = id};
    struct str rest = STR_NONE;
    enum err e = OK;

    for (size_t levels = 0; row.parent.v && !e && levels < IMAP_NAME_LEVELS_MAX; levels++) {
        e = read_mailbox(v, cx, account, row.parent, &row);
        if (!e)
            rest = join(cx->arena, row.spelled.n ? row.spelled : row.name, rest);
    }
    *name = rest;
    return e;
}

/* ---- all of them ---- */

struct node {
    struct folder f;                  /* name: one level at first */
    size_t first_child, next_sibling; /* in the sorted array; SIZE_MAX: none */
    bool placed;
};

struct tree {
    struct node *v;
    size_t n, room;
    struct str *subscriptions;
    size_t subscription_count;
};

static struct node *add_node(struct arena *a, struct tree *t)
{
    if (t->n == t->room) {
        size_t room = t->room ? t->room * 2 : 32;
        struct node *grown = arena_array(a, struct node, room);

        if (t->n)
            memcpy(grown, t->v, t->n * sizeof(*grown));
        t->v = grown;
        t->room = room;
    }
    return &t->v[t->n++];
}

/* Every row of one kind, passing over what cannot be read. */
static enum err scan_rows(struct view *v, struct cx *cx, struct account_id account, struct str from,
                          struct str to,
                          void (*row)(struct tree *t, struct cx *cx, struct str key, struct str value),
                          struct tree *t)
{
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value;
    enum err e = view_scan(v, cx, mailbox_part(account), from, to, false, &scan);

    if (e)
        return e;
    do {
        while (scan_next(scan, &key, &value))
            row(t, cx, key, value);
        e = scan_error(scan, cx);
    } while (e == ERR_DAMAGED && scan_past_damage(scan));
    return e == ERR_DAMAGED ? OK : e;
}

static void take_mailbox(struct tree *t, struct cx *cx, struct str key, struct str value)
{
    struct mailbox_key k;
    struct mailbox_row row;
    struct node *n;

    if (!mailbox_key_unpack(key, &k) || !mailbox_unpack(cx->arena, value, &row))
        return;
    n = add_node(cx->arena, t);
    *n = (struct node){.f = folder_from((struct mailbox_id){k.mailbox}, &row, NULL)};
    n->f.damaged = !row.no_select; /* until its counts are read */
    n->f.name = str_copy(cx->arena, row.name);
}

static struct node *find_node(const struct tree *t, uint64_t id)
{
    size_t low = 0, high = t->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (t->v[middle].f.id.v < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < t->n && t->v[low].f.id.v == id ? &t->v[low] : NULL;
}

static void take_counts(struct tree *t, struct cx *cx, struct str key, struct str value)
{
    struct counts_key k;
    struct counts_row counts;
    struct node *n;
    struct folder f;

    if (!counts_key_unpack(key, &k) || !counts_unpack(cx->arena, value, &counts) ||
        !(n = find_node(t, k.mailbox)))
        return;
    f = folder_from(n->f.id,
                    &(struct mailbox_row){
                        .parent = n->f.parent, .roles = n->f.roles, .uid_validity = n->f.uid_validity},
                    &counts);
    f.name = n->f.name;
    f.no_select = n->f.no_select;
    n->f = f;
}

/* INBOX first, then by name. */
static int compare_siblings(const void *a, const void *b)
{
    const struct node *x = *(struct node *const *)a, *y = *(struct node *const *)b;
    int by_inbox = (y->f.id.v == INBOX.v) - (x->f.id.v == INBOX.v);

    return by_inbox ? by_inbox : str_compare(x->f.name, y->f.name);
}

/* Links each to its parent's list of children, in order; *top: the first without one. A parent that cannot be read
 * leaves its children at the top. */
static size_t link_tree(struct arena *a, struct tree *t)
{
    struct node **sorted = arena_array(a, struct node *, t->n);
    size_t top = SIZE_MAX;

    for (size_t i = 0; i < t->n; i++) {
        sorted[i] = &t->v[i];
        t->v[i].first_child = t->v[i].next_sibling = SIZE_MAX;
    }
    qsort(sorted, t->n, sizeof(*sorted), compare_siblings);
    for (size_t i = t->n; i-- > 0;) {
        struct node *parent = find_node(t, sorted[i]->f.parent.v);
        size_t *list = parent ? &parent->first_child : &top;

        sorted[i]->next_sibling = *list;
        *list = (size_t)(sorted[i] - t->v);
        if (parent)
            parent->f.has_children = true;
    }
    return top;
}

static bool is_subscribed(const struct tree *t, struct str name)
{
    size_t low = 0, high = t->subscription_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_compare(t->subscriptions[middle], name);

        if (!order)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* Depth first, with a stack of siblings still to come. What hangs in a circle, which only damage can make, is not
 * reached. */
static size_t walk_tree(struct arena *a, struct tree *t, size_t top, struct folder *out)
{
    struct {
        size_t next;
        struct str parent;
    } stack[IMAP_NAME_LEVELS_MAX + 1] = {{top, STR_NONE}};
    size_t depth = 1, n = 0;

    while (depth) {
        struct node *at;

        if (stack[depth - 1].next == SIZE_MAX) {
            depth--;
            continue;
        }
        at = &t->v[stack[depth - 1].next];
        stack[depth - 1].next = at->next_sibling;
        at->f.name = join(a, stack[depth - 1].parent, at->f.name);
        at->f.subscribed = is_subscribed(t, at->f.name);
        out[n++] = at->f;
        if (at->first_child != SIZE_MAX && depth < IMAP_NAME_LEVELS_MAX + 1) {
            stack[depth].next = at->first_child;
            stack[depth++].parent = at->f.name;
        }
    }
    return n;
}

enum err folder_list(struct view *v, struct cx *cx, struct account_id account, struct folder **list,
                     size_t *n)
{
    struct tree t = {0};
    struct folder *out;
    enum err e = scan_rows(v, cx, account, S("b"), S("c"), take_mailbox, &t);

    if (!e)
        e = scan_rows(v, cx, account, S("n"), S("o"), take_counts, &t);
    if (!e)
        e = folder_subscriptions(v, cx, account, &t.subscriptions, &t.subscription_count);
    if (e)
        return e;
    out = arena_array(cx->arena, struct folder, t.n + 1);
    *n = walk_tree(cx->arena, &t, link_tree(cx->arena, &t), out);
    *list = out;
    return OK;
}

enum err folder_subscriptions(struct view *v, struct cx *cx, struct account_id account,
                              struct str **names, size_t *n)
{
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value, *list = NULL;
    size_t count = 0, room = 0;
    enum err e = view_scan(v, cx, subscription_part(account), S("w"), S("x"), false, &scan);

    while (!e && scan_next(scan, &key, &value)) {
        struct subscription_key k;

        if (!subscription_key_unpack(key, &k))
            continue;
        if (count == room) {
            struct str *grown = arena_array(cx->arena, struct str, room = room ? room * 2 : 32);

            if (count)
                memcpy(grown, list, count * sizeof(*grown));
            list = grown;
        }
        list[count++] = str_copy(cx->arena, k.name);
    }
    if (!e)
        e = scan_error(scan, cx);
    if (e)
        return e;
    *names = list;
    *n = count;
    return OK;
}
