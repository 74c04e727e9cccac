/* Mailboxes are rows by id that know their parent, with an index from parent and name to id: a rename of a mailbox with a
 * thousand below it changes one row and one key.
 *
 * A name above others whose mailbox was deleted keeps its row, marked no_select, and has no counts; it goes with the last
 * that is below it, or when a mailbox takes its place. */
#include "vault/store/folders_edit.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "proto/imap_name.h"
#include "vault/store/edit.h"
#include "vault/store/folders.h"
#include "vault/store/metadata.h"

#include <inttypes.h>

#define TOP ((struct mailbox_id){0})

/* ---- what every change begins with and ends with ---- */

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

/* ---- one mailbox ---- */

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

/* The range of the index that is below one mailbox. */
static void keys_below(struct mailbox_id parent, struct buf *from, struct buf *to)
{
    name_key_pack(from, &(struct name_key){.parent = parent.v});
    name_key_pack(to, &(struct name_key){.parent = parent.v + 1});
}

static enum err has_below(struct edit *e, struct mailbox_id id, bool *has)
{
    scoped(buf_free) struct buf from = buf_make(32), to = buf_make(32);
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value;
    enum err err;

    keys_below(id, &from, &to);
    err = txn_scan(e->t, e->cx, name_part(e->account), buf_str(&from), buf_str(&to), false, &scan);
    *has = !err && scan_next(scan, &key, &value);
    return (err || *has) ? err : scan_error(scan, e->cx);
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

/* ---- making ---- */

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

static bool take_level(struct new_name *name, struct new_name *level)
{
    return take_imap_name_level(&name->name, &level->name) &&
           take_imap_name_level(&name->spelled, &level->spelled);
}

static void row_name(struct mailbox_row *row, struct new_name level)
{
    row->name = level.name;
    row->spelled = str_same(level.name, level.spelled) ? STR_NONE : level.spelled;
}

static enum err make(struct edit *e, struct mailbox_id parent, struct new_name level, uint32_t roles,
                     struct mailbox_id *id)
{
    struct mailbox_row row = {.parent = parent, .roles = roles};
    enum err err;

    row_name(&row, level);
    if (e->state.mailboxes >= MOST_MAILBOXES)
        return fail(e->cx, ERR_LIMIT, "account %" PRIu64 ": %d mailboxes", e->account.v,
                    MOST_MAILBOXES);
    err = next_uid_validity(e, &row.uid_validity);
    if (err)
        return err;
    *id = (struct mailbox_id){e->state.next_mailbox++};
    e->state.mailboxes++;
    name_row_put(e->t, e->account, &(struct name_key){.parent = parent.v, .name = level.name},
                 &(struct name_row){.mailbox = *id});
    put_no_counts(e, *id);
    put_row(e, *id, &row);
    return inherit_rights(e, parent, *id);
}

/* ---- taking apart ---- */

/* The annotations that go give their room back. */
static enum err count_annotations(struct edit *e, struct mailbox_id id)
{
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value;
    enum err err = annotations_scan(e, &(struct annotation_key){.mailbox = id.v},
                                    &(struct annotation_key){.mailbox = id.v + 1}, &scan);

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

/* ---- a mailbox for a bare name ---- */

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
static enum err revive(struct edit *e, struct mailbox_id old, struct new_name level, uint32_t roles,
                       struct mailbox_id *id)
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
        err = make(e, row.parent, level, roles, id);
    return err ? err : adopt(e, old, *id, children);
}

/* ---- creating ---- */

/* Down the tree by all levels of a name but the last; what is missing is made. *parent, *leaf: where the last belongs. */
static enum err reach_parent(struct edit *e, struct new_name name, struct mailbox_id *parent,
                             struct new_name *leaf)
{
    struct name_row at;
    struct new_name level = {STR_NONE, STR_NONE};
    bool found;
    enum err err = OK;

    *parent = TOP;
    while (take_level(&name, &level) && name.name.n && !err) {
        err = name_row_txn(e->t, e->cx, e->account,
                           &(struct name_key){.parent = parent->v, .name = level.name}, &at, &found);
        if (!err && found)
            *parent = at.mailbox;
        else if (!err)
            err = make(e, *parent, level, 0, parent);
    }
    *leaf = level;
    return err;
}

static enum err create(struct edit *e, struct new_name name, uint32_t roles, struct mailbox_id *id)
{
    struct name_row at;
    struct mailbox_id parent;
    struct new_name leaf;
    bool found;
    enum err err = reach_parent(e, name, &parent, &leaf);

    if (!err)
        err = name_row_txn(e->t, e->cx, e->account,
                           &(struct name_key){.parent = parent.v, .name = leaf.name}, &at, &found);
    if (err)
        return err;
    if (!found)
        return make(e, parent, leaf, roles, id);
    return revive(e, at.mailbox, leaf, roles, id);
}

enum err folder_create(struct store *s, struct cx *cx, struct account_id account, struct new_name name,
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
    bool has = false;
    enum err err = OK;

    for (size_t levels = 0; id.v && levels < IMAP_NAME_LEVELS_MAX && !err; levels++) {
        err = has_below(e, id, &has);
        if (!err && !has)
            err = get_row(e, id, &row);
        if (err || has || !row.no_select)
            return err;
        err = unmake(e, id, &row);
        id = row.parent;
    }
    return err;
}

static enum err delete_folder(struct edit *e, struct mailbox_id id)
{
    struct mailbox_row row;
    bool has;
    enum err err = get_row(e, id, &row);

    if (!err)
        err = has_below(e, id, &has);
    if (!err && has && row.no_select)
        return fail(e->cx, ERR_EXISTS, "mailbox %" PRIu64 " has others below it", id.v);
    if (!err && !row.no_select)
        err = delete_messages(e, id);
    if (!err && !has) {
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

/* RFC 5464 §4.1: INBOX keeps its annotations, and the new mailbox has them as well, as far as there is room. Guests may
 * have no rights there: theirs are left. */
static enum err copy_annotations(struct edit *e, struct mailbox_id to)
{
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value;
    enum err err = annotations_scan(e, &(struct annotation_key){.mailbox = INBOX.v},
                                    &(struct annotation_key){.mailbox = INBOX.v + 1}, &scan);

    while (!err && scan_next(scan, &key, &value)) {
        struct annotation_key ak;
        struct annotation_row row;
        uint64_t size;

        if (!annotation_key_unpack(key, &ak) || (ak.who && ak.who != e->account.v) ||
            !annotation_unpack(e->cx->arena, value, &row))
            continue;
        size = annotation_size(ak.entry, row.value);
        if (e->state.metadata + size > METADATA_BYTES_MAX)
            break;
        e->state.metadata += size;
        ak.entry = str_copy(e->cx->arena, ak.entry);
        ak.mailbox = to.v;
        annotation_row_put(e->t, e->account, &ak, &row);
    }
    return err ? err : scan_error(scan, e->cx);
}

/* RFC 9051 §6.3.6: its messages go to a new mailbox, and INBOX is empty. */
static enum err rename_inbox(struct edit *e, struct new_name name)
{
    struct moved moved = {.arena = e->cx->arena};
    struct mailbox_id id;
    struct box from, to;
    enum err err = create(e, name, 0, &id);

    if (!err)
        err = copy_annotations(e, id);
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

static enum err rename_folder(struct edit *e, struct mailbox_id id, struct new_name name)
{
    struct mailbox_row row;
    struct mailbox_id parent, old_parent;
    struct name_row at;
    struct new_name leaf;
    bool found, within, has;
    enum err err = get_row(e, id, &row);

    if (!err)
        err = reach_parent(e, name, &parent, &leaf);
    if (!err)
        err = is_within(e, parent, id, &within);
    if (!err && within)
        return fail(e->cx, ERR_BAD_VALUE, "mailbox %" PRIu64 " cannot be put below itself", id.v);
    if (!err)
        err = name_row_txn(e->t, e->cx, e->account,
                           &(struct name_key){.parent = parent.v, .name = leaf.name}, &at, &found);
    if (!err && found)
        return fail(e->cx, ERR_EXISTS, "account %" PRIu64 " has a mailbox of this name", e->account.v);
    if (!err)
        err = has_below(e, id, &has);
    if (!err && has)
        err = check_lengths(e, id, name.name);
    if (err)
        return err;
    old_parent = row.parent;
    name_row_delete(e->t, e->account, &(struct name_key){.parent = old_parent.v, .name = row.name});
    name_row_put(e->t, e->account, &(struct name_key){.parent = parent.v, .name = leaf.name},
                 &(struct name_row){.mailbox = id});
    row.parent = parent;
    row_name(&row, leaf);
    put_row(e, id, &row);
    return prune(e, old_parent);
}

enum err folder_rename(struct store *s, struct cx *cx, struct account_id account, struct mailbox_id id,
                       struct new_name name, struct ticket *ticket)
{
    scoped(abandon) struct change_of c = {0};
    enum err e = begin(s, cx, account, &c);

    if (!e)
        e = id.v == INBOX.v ? rename_inbox(&c.edit, name) : rename_folder(&c.edit, id, name);
    return e ? e : end(&c, ticket);
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
