#include "vault/store/metadata.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "vault/store/edit.h"

#include <inttypes.h>

#define SHARED_BY_ALL 0

static bool is_private(struct str entry)
{
    return str_starts(entry, S("/private/"));
}

/* ---- reading ---- */

struct found {
    struct metadata *v;
    size_t n, room;
};

static void add(struct arena *a, struct found *f, struct str entry, struct str value)
{
    if (f->n == f->room) {
        struct metadata *grown = arena_array(a, struct metadata, f->room = f->room ? f->room * 2 : 16);

        if (f->n)
            memcpy(grown, f->v, f->n * sizeof(*grown));
        f->v = grown;
    }
    /* an empty value is a value: its .p must not be NULL */
    f->v[f->n++] =
        (struct metadata){.entry = str_copy(a, entry), .value = value.n ? str_copy(a, value) : S("")};
}

static enum err scan_entries(struct view *v, struct cx *cx, struct account_id account,
                             struct mailbox_id mailbox, uint64_t who, struct found *f)
{
    scoped(buf_free) struct buf from = buf_make(32), to = buf_make(32);
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value;
    enum err e;

    annotation_key_pack(&from, &(struct annotation_key){.mailbox = mailbox.v, .who = who});
    annotation_key_pack(&to, &(struct annotation_key){.mailbox = mailbox.v, .who = who + 1});
    e = view_scan(v, cx, annotation_part(account), buf_str(&from), buf_str(&to), false, &scan);
    while (!e && scan_next(scan, &key, &value)) {
        struct annotation_key k;
        struct annotation_row row;

        if (annotation_key_unpack(key, &k) && annotation_unpack(cx->arena, value, &row))
            add(cx->arena, f, k.entry, row.value);
    }
    return e ? e : scan_error(scan, cx);
}

/* "/private/" stands before "/shared/", so the two scans are in order. */
enum err metadata_list(struct view *v, struct cx *cx, struct account_id account,
                       struct mailbox_id mailbox, struct account_id who, struct metadata **list,
                       size_t *n)
{
    struct found f = {0};
    enum err e = scan_entries(v, cx, account, mailbox, who.v, &f);

    if (!e)
        e = scan_entries(v, cx, account, mailbox, SHARED_BY_ALL, &f);
    if (e)
        return e;
    *list = f.v;
    *n = f.n;
    return OK;
}

static struct annotation_key key_of(struct mailbox_id mailbox, struct account_id who, struct str entry)
{
    return (struct annotation_key){
        .mailbox = mailbox.v, .who = is_private(entry) ? who.v : SHARED_BY_ALL, .entry = entry};
}

enum err metadata_find(struct view *v, struct cx *cx, struct account_id account,
                       struct mailbox_id mailbox, struct account_id who, struct str entry,
                       struct str *value, bool *found)
{
    struct annotation_key key = key_of(mailbox, who, entry);
    struct annotation_row row;
    enum err e = annotation_row_view(v, cx, account, &key, &row, found);

    if (!e && *found)
        *value = row.value.n ? row.value : S("");
    return e;
}

/* ---- changing ---- */

static enum err count_entries(struct edit *e, struct mailbox_id mailbox, uint64_t who, size_t *n)
{
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value;
    enum err err =
        annotations_scan(e, &(struct annotation_key){.mailbox = mailbox.v, .who = who},
                         &(struct annotation_key){.mailbox = mailbox.v, .who = who + 1}, &scan);

    *n = 0;
    while (!err && scan_next(scan, &key, &value))
        ++*n;
    return err ? err : scan_error(scan, e->cx);
}

static enum err set_roles(struct edit *e, struct mailbox_id mailbox, const struct metadata *m)
{
    struct mailbox_row row;
    bool found;
    enum err err = mailbox_row_txn(e->t, e->cx, e->account, &(struct mailbox_key){.mailbox = mailbox.v},
                                   &row, &found);

    if (err || !found || row.roles == *m->roles)
        return err;
    row.roles = *m->roles;
    mailbox_row_put(e->t, e->account, &(struct mailbox_key){.mailbox = mailbox.v}, &row);
    edit_note(e, CHANGE_MAILBOX, mailbox, STR_NONE);
    edit_note(e, CHANGE_METADATA, mailbox, m->entry);
    return OK;
}

static enum err set(struct edit *e, struct mailbox_id mailbox, struct account_id who,
                    const struct metadata *m)
{
    struct annotation_key key = key_of(mailbox, who, m->entry);
    struct annotation_row old = {0};
    uint64_t before;
    bool found;
    enum err err;

    if (m->value.n > METADATA_VALUE_MAX)
        return fail(e->cx, ERR_TOO_BIG, "an annotation of %zu bytes", m->value.n);
    err = annotation_row_txn(e->t, e->cx, e->account, &key, &old, &found);
    if (err || (!found && !m->value.p))
        return err;
    before = found ? annotation_size(m->entry, old.value) : 0;
    e->state.metadata -= before < e->state.metadata ? before : e->state.metadata;
    e->state.metadata += m->value.p ? annotation_size(m->entry, m->value) : 0;
    if (m->value.p)
        annotation_row_put(e->t, e->account, &key, &(struct annotation_row){.value = m->value});
    else
        annotation_row_delete(e->t, e->account, &key);
    edit_note(e, CHANGE_METADATA, mailbox, m->entry);
    return OK;
}

/* Whose they are stands behind the mailbox in a key: so all are gone through, which METADATA_BYTES_MAX bounds. */
static enum err count_bytes_of(struct edit *e, struct account_id who, uint64_t *n)
{
    scoped(scan_close) struct scan *scan = NULL;
    struct annotation_key k;
    struct str key, value;
    enum err err = annotations_scan(e, &(struct annotation_key){0},
                                    &(struct annotation_key){.mailbox = UINT64_MAX}, &scan);

    *n = 0;
    while (!err && scan_next(scan, &key, &value))
        if (annotation_key_unpack(key, &k) && k.who == who.v)
            *n += k.entry.n + value.n;
    return err ? err : scan_error(scan, e->cx);
}

/* If they have more than before. */
static enum err check_guest(struct edit *e, struct account_id who)
{
    uint64_t own;
    enum err err = count_bytes_of(e, who, &own);

    if (!err && (own > METADATA_BYTES_MAX_OF_GUEST || e->state.metadata > METADATA_BYTES_MAX_BY_GUESTS))
        err = fail(e->cx, ERR_OVER_QUOTA,
                   "account %" PRIu64 ": %" PRIu64 " bytes of annotations, %" PRIu64
                   " of them account %" PRIu64 "'s",
                   e->account.v, e->state.metadata, own, who.v);
    return err;
}

/* What remains counts, in whatever order it was said: one that makes room may stand behind the one that needs it. What was
 * beyond a limit before may stay, and become less. */
static enum err check_limits(struct edit *e, struct mailbox_id mailbox, const uint64_t who[2],
                             const size_t had[2], uint64_t bytes_before)
{
    if (e->state.metadata > METADATA_BYTES_MAX && e->state.metadata > bytes_before)
        return fail(e->cx, ERR_OVER_QUOTA, "account %" PRIu64 ": %" PRIu64 " bytes of annotations",
                    e->account.v, e->state.metadata);
    for (size_t i = 0; i < 2; i++) {
        size_t n;
        enum err err = count_entries(e, mailbox, who[i], &n);

        if (err)
            return err;
        if (n > METADATA_ENTRIES_MAX && n > had[i])
            return fail(e->cx, ERR_LIMIT, "mailbox %" PRIu64 ": %zu annotations", mailbox.v, n);
    }
    return OK;
}

static enum err set_all(struct edit *e, struct mailbox_id mailbox, struct account_id who,
                        const struct metadata *v, size_t n)
{
    const uint64_t whose[2] = {who.v, SHARED_BY_ALL};
    uint64_t bytes = e->state.metadata;
    size_t had[2];
    enum err err = count_entries(e, mailbox, whose[0], &had[0]);

    if (!err)
        err = count_entries(e, mailbox, whose[1], &had[1]);
    for (size_t i = 0; i < n && !err; i++)
        err = v[i].roles ? set_roles(e, mailbox, &v[i]) : set(e, mailbox, who, &v[i]);
    if (!err && who.v != e->account.v && e->state.metadata > bytes)
        err = check_guest(e, who);
    return err ? err : check_limits(e, mailbox, whose, had, bytes);
}

/* *selectable: it has messages, and a modseq. */
static enum err has_mailbox(struct edit *e, struct mailbox_id mailbox, bool *selectable)
{
    struct mailbox_row row;
    bool found;
    enum err err;

    *selectable = false;
    if (!mailbox.v)
        return OK;
    err = mailbox_row_txn(e->t, e->cx, e->account, &(struct mailbox_key){.mailbox = mailbox.v}, &row,
                          &found);
    if (!err && !found)
        err = fail(e->cx, ERR_NOT_FOUND, "account %" PRIu64 " has no mailbox %" PRIu64, e->account.v,
                   mailbox.v);
    *selectable = !err && !row.no_select;
    return err;
}

enum err metadata_set(struct store *s, struct cx *cx, struct account_id account,
                      struct mailbox_id mailbox, struct account_id who, const struct metadata *v,
                      size_t n, struct ticket *ticket)
{
    scoped(txn_rollback) struct txn *t =
        txn_begin(s->engine, &(struct part){PART_ACCOUNT, account.v}, 1);
    struct edit edit;
    bool selectable;
    enum err e = edit_begin(&edit, t, cx, account);

    if (!e)
        e = has_mailbox(&edit, mailbox, &selectable);
    if (!e)
        e = set_all(&edit, mailbox, who, v, n);
    if (!e && selectable && edit_changed(&edit))
        e = box_touch(&edit, mailbox);
    if (!e)
        e = edit_end(&edit);
    return e ? e : txn_commit(&t, cx, ticket);
}
