/* The tree of mailboxes: rows by id that know their parent, and an index from parent and name to id. So a rename of a
 * mailbox with a thousand below it changes one row and one key, and a name is found by as many reads as it has levels.
 *
 * A name above others whose mailbox was deleted keeps its row, marked no_select, and has no counts; it goes with the last
 * that is below it. */
#include "vault/store/folders.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "proto/imap_name.h"
#include "vault/store/edit.h"
#include "vault/store/metadata.h"

#include <inttypes.h>
#include <stdlib.h>

#define TOP ((struct mailbox_id){0})
#define MOST_SUBSCRIPTIONS (2 * MOST_MAILBOXES)

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
    f.modseq = counts->modseq;
    f.exists = counts->exists;
    f.unseen = counts->unseen;
    f.deleted = counts->deleted;
    f.bytes = counts->bytes;
    f.deleted_bytes = counts->deleted_bytes;
    /* what came since a session had a look; some of those may be gone again */
    f.recent = counts->uid_next - counts->recent < counts->exists ? counts->uid_next - counts->recent
                                                                  : counts->exists;
    return f;
}

static enum err has_names_below(struct scan *scan, struct cx *cx, bool *has)
{
    struct str key, value;

    *has = scan_next(scan, &key, &value);
    return *has ? OK : scan_error(scan, cx);
}

/* The range of the index that is below one mailbox. */
static void keys_below(struct mailbox_id parent, struct buf *from, struct buf *to)
{
    name_key_pack(from, &(struct name_key){.parent = parent.v});
    name_key_pack(to, &(struct name_key){.parent = parent.v + 1});
}

static enum err view_has_below(struct view *v, struct cx *cx, struct account_id account,
                               struct mailbox_id id, bool *has)
{
    scoped(buf_free) struct buf from = buf_make(32), to = buf_make(32);
    scoped(scan_close) struct scan *scan = NULL;
    enum err e;

    keys_below(id, &from, &to);
    e = view_scan(v, cx, name_part(account), buf_str(&from), buf_str(&to), false, &scan);
    return e ? e : has_names_below(scan, cx, has);
}

static enum err txn_has_below(struct edit *e, struct mailbox_id id, bool *has)
{
    scoped(buf_free) struct buf from = buf_make(32), to = buf_make(32);
    scoped(scan_close) struct scan *scan = NULL;
    enum err err;

    keys_below(id, &from, &to);
    err = txn_scan(e->t, e->cx, name_part(e->account), buf_str(&from), buf_str(&to), false, &scan);
    return err ? err : has_names_below(scan, e->cx, has);
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

/* All but name and subscribed. */
static enum err read_folder(struct view *v, struct cx *cx, struct account_id account,
                            struct mailbox_id id, struct mailbox_row *row, struct folder *out)
{
    struct counts_row counts;
    struct folder f;
    bool found, counted = false, has_below;
    enum err e = mailbox_row_view(v, cx, account, &(struct mailbox_key){.mailbox = id.v}, row, &found);

    if (!e && !found)
        return fail(cx, ERR_NOT_FOUND, "account %" PRIu64 " has no mailbox %" PRIu64, account.v, id.v);
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

enum err folder_find(struct view *v, struct cx *cx, struct account_id account, struct str name,
                     struct folder *out)
{
    struct name_row at = {0};
    struct mailbox_row row;
    struct folder f;
    struct str rest = name, level;
    bool found = name.n > 0 && name.n <= IMAP_NAME_MAX && name.p[name.n - 1] != IMAP_DELIMITER;
    enum err e = OK;

    while (found && !e && take_imap_name_level(&rest, &level))
        e = name_row_view(v, cx, account, &(struct name_key){.parent = at.mailbox.v, .name = level},
                          &at, &found);
    if (!e && !found)
        return fail(cx, ERR_NOT_FOUND, "account %" PRIu64 " has no mailbox of this name", account.v);
    if (!e)
        e = read_folder(v, cx, account, at.mailbox, &row, &f);
    if (e)
        return e;
    f.name = str_copy(cx->arena, name);
    e = read_subscribed(v, cx, account, &f);
    if (!e)
        *out = f;
    return e;
}

/* The parent's full name in front of a level. */
static struct str join(struct arena *a, struct str parent, struct str level)
{
    char *p;

    if (!parent.n)
        return str_copy(a, level);
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

/* ---- changing ---- */

/* What every change begins with and ends with. */
struct change_of {
    struct txn *t;
    struct edit edit;
};

static enum err begin(struct store *s, struct cx *cx, struct account_id account, struct change_of *c)
{
    c->t = txn_begin(s->engine, &(struct part){PART_ACCOUNT, account.v}, 1);
    return edit_begin(&c->edit, c->t, cx, account);
}

static enum err end(struct change_of *c, struct ticket *ticket)
{
    enum err e = edit_end(&c->edit);

    return e ? e : txn_commit(&c->t, c->edit.cx, ticket);
}

static void abandon(struct change_of *c)
{
    txn_rollback(&c->t);
}

static enum err get_row(struct edit *e, struct mailbox_id id, struct mailbox_row *row)
{
    bool found;
    enum err err =
        mailbox_row_txn(e->t, e->cx, e->account, &(struct mailbox_key){.mailbox = id.v}, row, &found);

    return !err && !found ? fail(e->cx, ERR_NOT_FOUND, "account %" PRIu64 " has no mailbox %" PRIu64,
                                 e->account.v, id.v)
                          : err;
}

static void put_row(struct edit *e, struct mailbox_id id, const struct mailbox_row *row)
{
    mailbox_row_put(e->t, e->account, &(struct mailbox_key){.mailbox = id.v}, row);
    edit_note(e, CHANGE_MAILBOX, id, STR_NONE);
}

static enum err next_uid_validity(struct edit *e, uint32_t *out)
{
    if (e->state.uid_validity == UINT32_MAX)
        return fail(e->cx, ERR_LIMIT, "account %" PRIu64 ": no UIDVALIDITY is left", e->account.v);
    *out = ++e->state.uid_validity;
    return OK;
}

static void put_no_counts(struct edit *e, struct mailbox_id id)
{
    struct counts_row none = {.uid_next = 1, .recent = 1, .modseq = e->modseq};

    counts_row_put(e->t, e->account, &(struct counts_key){.mailbox = id.v}, &none);
}

/* A new mailbox may be used by whoever may use the one above it (acl.h). */
static enum err inherit_rights(struct edit *e, struct mailbox_id parent, struct mailbox_id id)
{
    scoped(buf_free) struct buf from = buf_make(32), to = buf_make(32);
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value;
    enum err err;

    if (!parent.v)
        return OK;
    acl_key_pack(&from, &(struct acl_key){.mailbox = parent.v});
    acl_key_pack(&to, &(struct acl_key){.mailbox = parent.v + 1});
    err = txn_scan(e->t, e->cx, acl_part(e->account), buf_str(&from), buf_str(&to), false, &scan);
    while (!err && scan_next(scan, &key, &value)) {
        struct acl_key k;
        struct acl_row row;

        if (acl_key_unpack(key, &k) && acl_unpack(e->cx->arena, value, &row))
            acl_row_put(e->t, e->account, &(struct acl_key){.mailbox = id.v, .who = k.who}, &row);
    }
    return err ? err : scan_error(scan, e->cx);
}

static enum err make(struct edit *e, struct mailbox_id parent, struct str level, uint32_t roles,
                     struct mailbox_id *id)
{
    struct mailbox_row row = {.name = level, .parent = parent, .roles = roles};
    enum err err;

    if (e->state.mailboxes >= MOST_MAILBOXES)
        return fail(e->cx, ERR_LIMIT, "account %" PRIu64 ": %d mailboxes", e->account.v,
                    MOST_MAILBOXES);
    err = next_uid_validity(e, &row.uid_validity);
    if (err)
        return err;
    *id = (struct mailbox_id){e->state.next_mailbox++};
    e->state.mailboxes++;
    name_row_put(e->t, e->account, &(struct name_key){.parent = parent.v, .name = level},
                 &(struct name_row){.mailbox = *id});
    put_no_counts(e, *id);
    put_row(e, *id, &row);
    return inherit_rights(e, parent, *id);
}

/* The annotations that go give their room back. */
static enum err count_annotations(struct edit *e, struct mailbox_id id)
{
    scoped(buf_free) struct buf from = buf_make(32), to = buf_make(32);
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value;
    enum err err;

    annotation_key_pack(&from, &(struct annotation_key){.mailbox = id.v});
    annotation_key_pack(&to, &(struct annotation_key){.mailbox = id.v + 1});
    err =
        txn_scan(e->t, e->cx, annotation_part(e->account), buf_str(&from), buf_str(&to), false, &scan);
    while (!err && scan_next(scan, &key, &value)) {
        struct annotation_key ak;
        struct annotation_row row;
        uint64_t size;

        if (!annotation_key_unpack(key, &ak) || !annotation_unpack(e->cx->arena, value, &row))
            continue;
        size = annotation_size(ak.entry, row.value);
        e->state.metadata -= size < e->state.metadata ? size : e->state.metadata;
    }
    return err ? err : scan_error(scan, e->cx);
}

/* Rights and annotations of a mailbox. */
static enum err delete_attributes(struct edit *e, struct mailbox_id id)
{
    scoped(buf_free) struct buf from = buf_make(32), to = buf_make(32);
    enum err err = count_annotations(e, id);

    if (err)
        return err;
    acl_key_pack(&from, &(struct acl_key){.mailbox = id.v});
    acl_key_pack(&to, &(struct acl_key){.mailbox = id.v + 1});
    txn_delete_range(e->t, acl_part(e->account), buf_str(&from), buf_str(&to));
    buf_clear(&from);
    buf_clear(&to);
    annotation_key_pack(&from, &(struct annotation_key){.mailbox = id.v});
    annotation_key_pack(&to, &(struct annotation_key){.mailbox = id.v + 1});
    txn_delete_range(e->t, annotation_part(e->account), buf_str(&from), buf_str(&to));
    return OK;
}

static enum err unmake(struct edit *e, struct mailbox_id id, const struct mailbox_row *row)
{
    name_row_delete(e->t, e->account, &(struct name_key){.parent = row->parent.v, .name = row->name});
    mailbox_row_delete(e->t, e->account, &(struct mailbox_key){.mailbox = id.v});
    e->state.mailboxes -= e->state.mailboxes > 0;
    edit_note(e, CHANGE_MAILBOX, id, STR_NONE);
    return delete_attributes(e, id);
}

struct child {
    struct mailbox_id id;
    struct str name;
    struct child *next;
};

static enum err children_of(struct edit *e, struct mailbox_id parent, struct child **list)
{
    scoped(buf_free) struct buf from = buf_make(32), to = buf_make(32);
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value;
    enum err err;

    *list = NULL;
    keys_below(parent, &from, &to);
    err = txn_scan(e->t, e->cx, name_part(e->account), buf_str(&from), buf_str(&to), false, &scan);
    while (!err && scan_next(scan, &key, &value)) {
        struct child *child = arena_alloc(e->cx->arena, sizeof(*child));
        struct name_key k;
        struct name_row row;

        if (!name_key_unpack(key, &k) || !name_unpack(e->cx->arena, value, &row))
            continue;
        *child = (struct child){row.mailbox, str_copy(e->cx->arena, k.name), *list};
        *list = child;
    }
    return err ? err : scan_error(scan, e->cx);
}

static enum err adopt(struct edit *e, struct mailbox_id from, struct mailbox_id to,
                      const struct child *list)
{
    enum err err = OK;

    for (const struct child *c = list; c && !err; c = c->next) {
        struct mailbox_row row;

        name_row_delete(e->t, e->account, &(struct name_key){.parent = from.v, .name = c->name});
        name_row_put(e->t, e->account, &(struct name_key){.parent = to.v, .name = c->name},
                     &(struct name_row){.mailbox = c->id});
        err = get_row(e, c->id, &row);
        if (err)
            break;
        row.parent = to;
        put_row(e, c->id, &row);
    }
    return err;
}

/* A name above others becomes a mailbox again: a new one, which takes the place of the name alone. Under the old id it
 * would be the mailbox that was deleted, with another UIDVALIDITY, which RFC 8474 §4 forbids. */
static enum err revive(struct edit *e, struct mailbox_id old, uint32_t roles, struct mailbox_id *id)
{
    struct mailbox_row row;
    struct child *children;
    enum err err = get_row(e, old, &row);

    if (!err && !row.no_select)
        return fail(e->cx, ERR_EXISTS, "account %" PRIu64 " has a mailbox of this name", e->account.v);
    if (!err)
        err = children_of(e, old, &children);
    if (!err)
        err = unmake(e, old, &row);
    if (!err)
        err = make(e, row.parent, row.name, roles, id);
    return err ? err : adopt(e, old, *id, children);
}

/* Down the tree by all levels of a name but the last; what is missing is made. *parent, *leaf: where the last belongs. */
static enum err reach_parent(struct edit *e, struct str name, struct mailbox_id *parent,
                             struct str *leaf)
{
    struct name_row at;
    struct str level;
    bool found;
    enum err err = OK;

    *parent = TOP;
    while (take_imap_name_level(&name, &level) && name.n && !err) {
        err = name_row_txn(e->t, e->cx, e->account,
                           &(struct name_key){.parent = parent->v, .name = level}, &at, &found);
        if (!err && found)
            *parent = at.mailbox;
        else if (!err)
            err = make(e, *parent, level, 0, parent);
    }
    *leaf = level;
    return err;
}

static enum err create(struct edit *e, struct str name, uint32_t roles, struct mailbox_id *id)
{
    struct name_row at;
    struct mailbox_id parent;
    struct str leaf;
    bool found;
    enum err err = reach_parent(e, name, &parent, &leaf);

    if (!err)
        err = name_row_txn(e->t, e->cx, e->account,
                           &(struct name_key){.parent = parent.v, .name = leaf}, &at, &found);
    if (err)
        return err;
    if (!found)
        return make(e, parent, leaf, roles, id);
    return revive(e, at.mailbox, roles, id);
}

enum err folder_create(struct store *s, struct cx *cx, struct account_id account, struct str name,
                       uint32_t roles, struct mailbox_id *id, struct ticket *ticket)
{
    scoped(abandon) struct change_of c = {0};
    enum err e = begin(s, cx, account, &c);

    if (!e)
        e = create(&c.edit, name, roles, id);
    return e ? e : end(&c, ticket);
}

/* ---- deleting ---- */

static enum box_verdict drop(void *arg, struct roster_entry *entry)
{
    (void)arg;
    (void)entry;
    return BOX_DROPPED;
}

static enum err delete_messages(struct edit *e, struct mailbox_id id)
{
    struct box box;
    enum err err = box_open(&box, e, id);

    if (!err)
        err = box_walk(&box, NULL, drop, NULL);
    if (!err)
        err = box_close(&box);
    if (!err)
        counts_row_delete(e->t, e->account, &(struct counts_key){.mailbox = id.v});
    return err;
}

/* Names above that were only kept for what was below them. */
static enum err prune(struct edit *e, struct mailbox_id id)
{
    struct mailbox_row row;
    bool has_below = false;
    enum err err = OK;

    for (size_t levels = 0; id.v && levels < IMAP_NAME_LEVELS_MAX && !err; levels++) {
        err = txn_has_below(e, id, &has_below);
        if (!err && !has_below)
            err = get_row(e, id, &row);
        if (err || has_below || !row.no_select)
            return err;
        err = unmake(e, id, &row);
        id = row.parent;
    }
    return err;
}

static enum err delete_folder(struct edit *e, struct mailbox_id id)
{
    struct mailbox_row row;
    bool has_below;
    enum err err = get_row(e, id, &row);

    if (!err)
        err = txn_has_below(e, id, &has_below);
    if (!err && has_below && row.no_select)
        return fail(e->cx, ERR_EXISTS, "mailbox %" PRIu64 " has others below it", id.v);
    if (!err && !row.no_select)
        err = delete_messages(e, id);
    if (!err && !has_below) {
        err = unmake(e, id, &row);
        return err ? err : prune(e, row.parent);
    }
    if (!err)
        err = delete_attributes(e, id);
    if (err)
        return err;
    row.no_select = true;
    row.roles = 0;
    row.keywords_count = 0;
    put_row(e, id, &row);
    return OK;
}

enum err folder_delete(struct store *s, struct cx *cx, struct account_id account, struct mailbox_id id,
                       struct ticket *ticket)
{
    scoped(abandon) struct change_of c = {0};
    enum err e;

    if (id.v == INBOX.v)
        return fail(cx, ERR_DENIED, "INBOX stays");
    e = begin(s, cx, account, &c);
    if (!e)
        e = delete_folder(&c.edit, id);
    return e ? e : end(&c, ticket);
}

/* ---- renaming ---- */

struct moved {
    struct arena *arena;
    struct roster_entry *v;
    size_t n, room;
};

static enum box_verdict move_out(void *arg, struct roster_entry *entry)
{
    struct moved *m = arg;

    if (m->n == m->room) {
        struct roster_entry *grown =
            arena_array(m->arena, struct roster_entry, m->room = m->room ? m->room * 2 : 64);

        if (m->n)
            memcpy(grown, m->v, m->n * sizeof(*grown));
        m->v = grown;
    }
    m->v[m->n++] = *entry;
    return BOX_MOVED;
}

/* RFC 9051 §6.3.6: its messages go to a new mailbox, and INBOX is empty. */
static enum err rename_inbox(struct edit *e, struct str name)
{
    struct moved moved = {.arena = e->cx->arena};
    struct mailbox_id id;
    struct box from, to;
    enum err err = create(e, name, 0, &id);

    if (!err)
        err = box_open(&from, e, INBOX);
    if (!err)
        err = box_row(&from);
    if (!err)
        err = box_walk(&from, NULL, move_out, &moved);
    if (!err)
        err = box_close(&from);
    if (!err)
        err = box_open(&to, e, id);
    for (size_t i = 0; i < moved.n && !err; i++) {
        err = box_map_flags(&to, &from.row, moved.v[i].flags, &moved.v[i].flags);
        if (!err)
            err = box_add(&to, &moved.v[i]);
    }
    return err ? err : box_close(&to);
}

/* How long names below get, and how deep: nothing may come to lie beyond the limits. */
static enum err check_lengths(struct edit *e, struct mailbox_id id, struct str name)
{
    scoped(scan_close) struct scan *scan = NULL;
    size_t most_bytes = 0, most_levels = 0;
    struct str key, value;
    enum err err = txn_scan(e->t, e->cx, mailbox_part(e->account), S("b"), S("c"), false, &scan);

    while (!err && scan_next(scan, &key, &value)) {
        struct mailbox_row row;
        size_t bytes = 0, levels = 0;
        bool found = mailbox_unpack(e->cx->arena, value, &row);

        while (found && !err && row.parent.v && row.parent.v != id.v && levels < IMAP_NAME_LEVELS_MAX) {
            bytes += row.name.n + 1;
            levels++;
            err = mailbox_row_txn(e->t, e->cx, e->account,
                                  &(struct mailbox_key){.mailbox = row.parent.v}, &row, &found);
        }
        if (found && row.parent.v == id.v) {
            bytes += row.name.n + 1;
            most_bytes = bytes > most_bytes ? bytes : most_bytes;
            most_levels = levels + 1 > most_levels ? levels + 1 : most_levels;
        }
    }
    if (!err)
        err = scan_error(scan, e->cx);
    if (!err && (name.n + most_bytes > IMAP_NAME_MAX ||
                 imap_name_levels(name) + most_levels > IMAP_NAME_LEVELS_MAX))
        return fail(e->cx, ERR_LIMIT, "a name below would be too long");
    return err;
}

/* Is a mailbox the one, or below it? */
static enum err is_within(struct edit *e, struct mailbox_id at, struct mailbox_id id, bool *within)
{
    struct mailbox_row row;
    enum err err = OK;

    for (size_t levels = 0; at.v && at.v != id.v && levels <= IMAP_NAME_LEVELS_MAX && !err; levels++) {
        err = get_row(e, at, &row);
        at = row.parent;
    }
    *within = at.v == id.v;
    return err;
}

static enum err rename_folder(struct edit *e, struct mailbox_id id, struct str name)
{
    struct mailbox_row row;
    struct mailbox_id parent, old_parent;
    struct name_row at;
    struct str leaf;
    bool found, within, has_below;
    enum err err = get_row(e, id, &row);

    if (!err)
        err = reach_parent(e, name, &parent, &leaf);
    if (!err)
        err = is_within(e, parent, id, &within);
    if (!err && within)
        return fail(e->cx, ERR_BAD_VALUE, "mailbox %" PRIu64 " cannot be put below itself", id.v);
    if (!err)
        err = name_row_txn(e->t, e->cx, e->account,
                           &(struct name_key){.parent = parent.v, .name = leaf}, &at, &found);
    if (!err && found)
        return fail(e->cx, ERR_EXISTS, "account %" PRIu64 " has a mailbox of this name", e->account.v);
    if (!err)
        err = txn_has_below(e, id, &has_below);
    if (!err && has_below)
        err = check_lengths(e, id, name);
    if (err)
        return err;
    old_parent = row.parent;
    name_row_delete(e->t, e->account, &(struct name_key){.parent = old_parent.v, .name = row.name});
    name_row_put(e->t, e->account, &(struct name_key){.parent = parent.v, .name = leaf},
                 &(struct name_row){.mailbox = id});
    row.parent = parent;
    row.name = leaf;
    put_row(e, id, &row);
    return prune(e, old_parent);
}

enum err folder_rename(struct store *s, struct cx *cx, struct account_id account, struct mailbox_id id,
                       struct str name, struct ticket *ticket)
{
    scoped(abandon) struct change_of c = {0};
    enum err e = begin(s, cx, account, &c);

    if (!e)
        e = id.v == INBOX.v ? rename_inbox(&c.edit, name) : rename_folder(&c.edit, id, name);
    return e ? e : end(&c, ticket);
}

enum err folder_set_roles(struct store *s, struct cx *cx, struct account_id account,
                          struct mailbox_id id, uint32_t roles, struct ticket *ticket)
{
    scoped(abandon) struct change_of c = {0};
    struct mailbox_row row;
    enum err e = begin(s, cx, account, &c);

    if (!e)
        e = get_row(&c.edit, id, &row);
    if (e)
        return e;
    if (row.roles != roles) {
        row.roles = roles;
        put_row(&c.edit, id, &row);
    }
    return end(&c, ticket);
}

/* ---- subscriptions ---- */

static enum err count_subscriptions(struct edit *e, size_t *n)
{
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value;
    enum err err = txn_scan(e->t, e->cx, subscription_part(e->account), S("w"), S("x"), false, &scan);

    *n = 0;
    while (!err && scan_next(scan, &key, &value))
        ++*n;
    return err ? err : scan_error(scan, e->cx);
}

static enum err subscribe(struct edit *e, struct str name, bool yes)
{
    struct subscription_key key = {.name = name};
    struct subscription_row row;
    bool found;
    size_t n = 0;
    enum err err = subscription_row_txn(e->t, e->cx, e->account, &key, &row, &found);

    if (!err && yes && !found)
        err = count_subscriptions(e, &n);
    if (err || yes == found)
        return err;
    if (n >= MOST_SUBSCRIPTIONS)
        return fail(e->cx, ERR_LIMIT, "account %" PRIu64 ": %zu subscriptions", e->account.v, n);
    if (yes)
        subscription_row_put(e->t, e->account, &key, &row);
    else
        subscription_row_delete(e->t, e->account, &key);
    edit_note(e, CHANGE_SUBSCRIPTION, TOP, name);
    return OK;
}

enum err folder_subscribe(struct store *s, struct cx *cx, struct account_id account, struct str name,
                          bool yes, struct ticket *ticket)
{
    scoped(abandon) struct change_of c = {0};
    enum err e;

    if (!name.n || name.n > IMAP_NAME_MAX)
        return fail(cx, ERR_LIMIT, "a name of %zu bytes", name.n);
    e = begin(s, cx, account, &c);
    if (!e)
        e = subscribe(&c.edit, name, yes);
    return e ? e : end(&c, ticket);
}

/* ---- a new account ---- */

static void put_folder(struct txn *t, struct account_id account, uint64_t id, struct str name,
                       uint32_t roles, uint32_t uid_validity)
{
    struct mailbox_row row = {.name = name, .roles = roles, .uid_validity = uid_validity};
    struct counts_row counts = {.uid_next = 1, .recent = 1, .modseq = 1};

    mailbox_row_put(t, account, &(struct mailbox_key){.mailbox = id}, &row);
    counts_row_put(t, account, &(struct counts_key){.mailbox = id}, &counts);
    name_row_put(t, account, &(struct name_key){.name = name}, &(struct name_row){.mailbox = {id}});
    subscription_row_put(t, account, &(struct subscription_key){.name = name},
                         &(struct subscription_row){0});
}

/* What clients would make at once, each under a name of its own, if it were not there: RFC 6154 tells them these. */
void folders_begin(struct txn *t, struct account_id account, uint32_t uid_validity)
{
    static const struct {
        struct str name;
        uint32_t roles;
    } first[] = {
        {{"INBOX", 5}, 0},        {{"Drafts", 6}, ROLE_DRAFTS}, {{"Sent", 4}, ROLE_SENT},
        {{"Junk", 4}, ROLE_JUNK}, {{"Trash", 5}, ROLE_TRASH},   {{"Archive", 7}, ROLE_ARCHIVE},
    };
    const size_t n = sizeof(first) / sizeof(*first);
    struct state_row state = {.version = STORE_FORMAT,
                              .modseq = 1,
                              .log_floor = 1,
                              .next_email = 1,
                              .next_mailbox = INBOX.v + n,
                              .uid_validity = uid_validity,
                              .mailboxes = n};

    for (size_t i = 0; i < n; i++)
        put_folder(t, account, INBOX.v + i, first[i].name, first[i].roles, uid_validity);
    state_row_put(t, account, &(struct state_key){0}, &state);
}
