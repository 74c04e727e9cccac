/* Rights are rows of the account that gives them; that it gave any is noted in the directory too, where whoever looks for
 * "Other Users" finds it. The note is never taken back: it only says where to look. */
#include "vault/store/acl.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "vault/store/directory.h"
#include "vault/store/edit.h"

#include <inttypes.h>
#include <stdlib.h>

enum err acl_list(struct view *v, struct cx *cx, struct account_id owner, struct mailbox_id mailbox,
                  struct acl_entry **list, size_t *n)
{
    scoped(buf_free) struct buf from = buf_make(32), to = buf_make(32);
    scoped(scan_close) struct scan *scan = NULL;
    struct acl_entry *out = arena_array(cx->arena, struct acl_entry, MOST_ACL);
    struct str key, value;
    size_t count = 0;
    enum err e;

    acl_key_pack(&from, &(struct acl_key){.mailbox = mailbox.v});
    acl_key_pack(&to, &(struct acl_key){.mailbox = mailbox.v + 1});
    e = view_scan(v, cx, acl_part(owner), buf_str(&from), buf_str(&to), false, &scan);
    while (!e && count < MOST_ACL && scan_next(scan, &key, &value)) {
        struct account_row account;
        struct acl_key k;
        struct acl_row row;
        bool found = acl_key_unpack(key, &k) && acl_unpack(cx->arena, value, &row);

        if (found && k.who)
            e = directory_account(v, cx, (struct account_id){k.who}, &account, &found);
        if (found && !e)
            out[count++] = (struct acl_entry){{k.who}, row.rights, row.negative};
    }
    if (!e)
        e = scan_error(scan, cx);
    if (e)
        return e;
    *list = out;
    *n = count;
    return OK;
}

enum err acl_rights(struct view *v, struct cx *cx, struct account_id owner, struct mailbox_id mailbox,
                    struct account_id who, uint32_t *rights)
{
    struct acl_row own = {0}, all = {0};
    bool found;
    enum err e;

    if (who.v == owner.v) {
        *rights = UINT32_MAX;
        return OK;
    }
    e = acl_row_view(v, cx, owner, &(struct acl_key){.mailbox = mailbox.v, .who = who.v}, &own, &found);
    if (!e)
        e = acl_row_view(v, cx, owner, &(struct acl_key){.mailbox = mailbox.v, .who = ANYONE.v}, &all,
                         &found);
    if (!e)
        *rights = (own.rights | all.rights) & ~(own.negative | all.negative);
    return e;
}

/* ---- changing ---- */

static uint32_t changed(uint32_t old, enum acl_how how, uint32_t rights)
{
    return how == ACL_ADD ? old | rights : how == ACL_REMOVE ? old & ~rights : rights;
}

static enum err count_entries(struct edit *e, struct mailbox_id mailbox, size_t *n)
{
    scoped(buf_free) struct buf from = buf_make(32), to = buf_make(32);
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value;
    enum err err;

    acl_key_pack(&from, &(struct acl_key){.mailbox = mailbox.v});
    acl_key_pack(&to, &(struct acl_key){.mailbox = mailbox.v + 1});
    err = txn_scan(e->t, e->cx, acl_part(e->account), buf_str(&from), buf_str(&to), false, &scan);
    *n = 0;
    while (!err && scan_next(scan, &key, &value))
        ++*n;
    return err ? err : scan_error(scan, e->cx);
}

static enum err set(struct edit *e, struct mailbox_id mailbox, struct account_id who, bool negative,
                    enum acl_how how, uint32_t rights)
{
    struct acl_key key = {.mailbox = mailbox.v, .who = who.v};
    struct mailbox_row box;
    struct acl_row row = {0}, old;
    uint32_t *field = negative ? &row.negative : &row.rights;
    bool has_box, found;
    size_t n = 0;
    enum err err = mailbox_row_txn(e->t, e->cx, e->account, &(struct mailbox_key){.mailbox = mailbox.v},
                                   &box, &has_box);

    if (!err && !has_box)
        return fail(e->cx, ERR_NOT_FOUND, "account %" PRIu64 " has no mailbox %" PRIu64, e->account.v,
                    mailbox.v);
    if (!err)
        err = acl_row_txn(e->t, e->cx, e->account, &key, &row, &found);
    if (err)
        return err;
    old = row;
    *field = changed(*field, how, rights);
    if (row.rights == old.rights && row.negative == old.negative)
        return OK;
    if (!found)
        err = count_entries(e, mailbox, &n);
    if (err)
        return err;
    if (n >= MOST_ACL)
        return fail(e->cx, ERR_LIMIT, "mailbox %" PRIu64 ": %zu rights", mailbox.v, n);
    if (row.rights || row.negative)
        acl_row_put(e->t, e->account, &key, &row);
    else
        acl_row_delete(e->t, e->account, &key);
    if (row.rights)
        share_row_put(e->t, NO_ACCOUNT, &(struct share_key){.who = who.v, .owner = e->account.v},
                      &(struct share_row){0});
    edit_note(e, CHANGE_MAILBOX, mailbox, STR_NONE);
    return OK;
}

enum err acl_set(struct store *s, struct cx *cx, struct account_id owner, struct mailbox_id mailbox,
                 struct account_id who, bool negative, enum acl_how how, uint32_t rights,
                 struct ticket *ticket)
{
    const struct part parts[] = {{PART_ACCOUNT, owner.v}, {PART_DIRECTORY, 0}};
    scoped(txn_rollback) struct txn *t = NULL;
    struct edit edit;
    enum err e;

    if (who.v == owner.v)
        return fail(cx, ERR_DENIED, "the owner has every right");
    t = txn_begin(s->engine, parts, 2);
    e = edit_begin(&edit, t, cx, owner);
    if (!e)
        e = set(&edit, mailbox, who, negative, how, rights);
    if (!e)
        e = edit_end(&edit);
    return e ? e : txn_commit(&t, cx, ticket);
}

/* ---- who has given rights ---- */

struct owners {
    struct account_id *v;
    size_t n, room;
};

static void add_owner(struct arena *a, struct owners *o, uint64_t owner)
{
    if (o->n == o->room) {
        struct account_id *grown =
            arena_array(a, struct account_id, o->room = o->room ? o->room * 2 : 16);

        if (o->n)
            memcpy(grown, o->v, o->n * sizeof(*grown));
        o->v = grown;
    }
    o->v[o->n++] = (struct account_id){owner};
}

static enum err scan_owners(struct view *v, struct cx *cx, struct account_id who, struct account_id but,
                            struct owners *o)
{
    scoped(buf_free) struct buf from = buf_make(32), to = buf_make(32);
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value;
    struct share_key k;
    enum err e;

    share_key_pack(&from, &(struct share_key){.who = who.v});
    share_key_pack(&to, &(struct share_key){.who = who.v + 1});
    e = view_scan(v, cx, share_part(NO_ACCOUNT), buf_str(&from), buf_str(&to), false, &scan);
    while (!e && scan_next(scan, &key, &value))
        if (share_key_unpack(key, &k) && k.owner != but.v)
            add_owner(cx->arena, o, k.owner);
    return e ? e : scan_error(scan, cx);
}

static int compare_ids(const void *a, const void *b)
{
    uint64_t x = ((const struct account_id *)a)->v, y = ((const struct account_id *)b)->v;

    return (x > y) - (x < y);
}

enum err acl_owners(struct view *v, struct cx *cx, struct account_id who, struct account_id **owners,
                    size_t *n)
{
    struct owners o = {0};
    size_t kept = 0;
    enum err e = scan_owners(v, cx, ANYONE, who, &o);

    if (!e)
        e = scan_owners(v, cx, who, who, &o);
    if (e)
        return e;
    if (o.n)
        qsort(o.v, o.n, sizeof(*o.v), compare_ids);
    for (size_t i = 0; i < o.n; i++)
        if (!kept || o.v[kept - 1].v != o.v[i].v)
            o.v[kept++] = o.v[i];
    *owners = o.v;
    *n = kept;
    return OK;
}
