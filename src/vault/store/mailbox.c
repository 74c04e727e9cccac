#include "vault/store/mailbox.h"

#include "base/clock.h"
#include "base/scoped.h"
#include "vault/store/body.h"
#include "vault/store/store_impl.h"

#include <inttypes.h>
#include <stdlib.h>

enum err mailbox_state(struct view *v, struct cx *cx, struct account_id account,
                       struct mailbox_id mailbox, struct mailbox_row *row)
{
    bool found;
    enum err e =
        mailbox_row_view(v, cx, account, &(struct mailbox_key){.mailbox = mailbox.v}, row, &found);

    return !e && !found ? fail(cx, ERR_NOT_FOUND, "account %" PRIu64 " has no mailbox %" PRIu64,
                               account.v, mailbox.v)
                        : e;
}

/* ---- listing ---- */

struct list_builder {
    struct listed *v;
    size_t n, room, most, damaged;
};

static bool list_add(struct list_builder *b, struct cx *cx, struct str key, struct str value)
{
    struct hot_key k;
    struct hot_row row;

    if (!hot_key_unpack(key, &k) || !hot_unpack(cx->arena, value, &row)) {
        b->damaged++;
        return true;
    }
    if (b->n == b->most)
        return false;
    if (b->n == b->room) {
        b->room = b->room ? b->room * 2 : 64;
        b->v = must_realloc(b->v, b->room * sizeof(*b->v));
    }
    b->v[b->n++] =
        (struct listed){.email = row.email, .body = row.body, .size = row.size, .uid = k.uid};
    return true;
}

/* From `uid` on to the mailbox's end. A row that cannot be read ends the scan; *last says after which. */
static enum err list_from(struct view *v, struct cx *cx, struct account_id account,
                          struct mailbox_id mailbox, uint32_t uid, struct list_builder *b)
{
    scoped(buf_free) struct buf from = buf_make(32), to = buf_make(32);
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value;
    enum err e;

    hot_key_pack(&from, &(struct hot_key){.mailbox = mailbox.v, .uid = uid});
    hot_key_pack(&to, &(struct hot_key){.mailbox = mailbox.v + 1});
    e = view_scan(v, cx, hot_part(account), buf_str(&from), buf_str(&to), false, &scan);
    if (e)
        return e;
    while (scan_next(scan, &key, &value))
        if (!list_add(b, cx, key, value))
            return fail(cx, ERR_LIMIT, "account %" PRIu64 ": more than %zu messages", account.v,
                        b->most);
    return scan_error(scan, cx);
}

/* Behind a damaged block the rest can still be read: each UID that is left is asked for by itself. */
static void list_around_damage(struct view *v, struct cx *cx, struct account_id account,
                               struct mailbox_id mailbox, struct list_builder *b)
{
    struct mailbox_row box = {0};
    uint32_t uid = b->n ? b->v[b->n - 1].uid + 1 : 1;

    if (mailbox_state(v, cx, account, mailbox, &box))
        return;
    for (; uid < box.uid_next && b->n < b->most; uid++) {
        struct hot_row row;
        bool found;
        enum err e = hot_row_view(v, cx, account, &(struct hot_key){.mailbox = mailbox.v, .uid = uid},
                                  &row, &found);

        b->damaged += e == ERR_DAMAGED;
        if (!e && found && b->n == b->room)
            b->v = must_realloc(b->v, (b->room = b->room ? b->room * 2 : 64) * sizeof(*b->v));
        if (!e && found)
            b->v[b->n++] =
                (struct listed){.email = row.email, .body = row.body, .size = row.size, .uid = uid};
    }
}

enum err mailbox_list(struct view *v, struct cx *cx, struct account_id account,
                      struct mailbox_id mailbox, size_t most, struct listed **list, size_t *n,
                      size_t *damaged)
{
    struct list_builder b = {.most = most ? most : SIZE_MAX};
    enum err e = list_from(v, cx, account, mailbox, 0, &b);

    if (e == ERR_DAMAGED) {
        list_around_damage(v, cx, account, mailbox, &b);
        e = OK;
    }
    if (e) {
        free(b.v);
        return e;
    }
    *list = b.v;
    *n = b.n;
    *damaged = b.damaged;
    return OK;
}

/* ---- reading ---- */

enum err message_find(struct view *v, struct cx *cx, struct account_id account, struct email_id email,
                      struct message *out)
{
    struct cold_row row;
    bool found;
    enum err e = cold_row_view(v, cx, account, &(struct cold_key){.email = email.v}, &row, &found);

    if (!e && !found)
        return fail(cx, ERR_GONE, "account %" PRIu64 ": email %" PRIu64 " was removed", account.v,
                    email.v);
    if (e)
        return e;
    *out = (struct message){.prefix = row.prefix,
                            .body = row.body,
                            .body_size = row.body_size,
                            .pieces = body_pieces(row.body_size)};
    return OK;
}

enum err message_piece(struct view *v, struct cx *cx, const struct message *m, uint32_t n,
                       struct str *piece)
{
    return body_piece(v, cx, m->body, m->body_size, n, piece);
}

/* ---- removing ---- */

struct removal {
    struct txn *t;
    struct cx *cx;
    struct account_id account;
    struct mailbox_id mailbox;
    struct state_row state;
    struct mailbox_row box;
    struct change_row change;
};

static void note_removed(struct removal *r, uint32_t uid)
{
    struct change_item *last =
        r->change.items_count ? &r->change.items[r->change.items_count - 1] : NULL;

    if (last && last->last_uid + 1 == uid) {
        last->last_uid = uid;
        return;
    }
    r->change.items[r->change.items_count++] = (struct change_item){
        .kind = CHANGE_REMOVED, .mailbox = r->mailbox, .first_uid = uid, .last_uid = uid};
}

/* The email loses this membership. With its last it only waits for the collector. */
static enum err drop_membership(struct removal *r, const struct hot_row *hot, uint32_t uid)
{
    struct cold_key key = {.email = hot->email.v};
    struct cold_row cold;
    size_t kept = 0;
    bool found;
    enum err e = cold_row_txn(r->t, r->cx, r->account, &key, &cold, &found);

    if (e == ERR_DAMAGED || (!e && !found)) { /* unreadable: the reference can still be given back */
        body_release(r->t, hot->body, r->account.v, hot->email.v);
        r->state.emails -= r->state.emails > 0;
        r->state.used -= hot->size < r->state.used ? hot->size : r->state.used;
        return OK;
    }
    if (e)
        return e;
    for (size_t i = 0; i < cold.memberships_count; i++)
        if (cold.memberships[i].mailbox.v != r->mailbox.v || cold.memberships[i].uid != uid)
            cold.memberships[kept++] = cold.memberships[i];
    cold.memberships_count = kept;
    cold_row_put(r->t, r->account, &key, &cold);
    if (!kept) {
        body_release(r->t, cold.body, r->account.v, hot->email.v);
        r->state.emails -= r->state.emails > 0;
        r->state.used -= hot->size < r->state.used ? hot->size : r->state.used;
    }
    return OK;
}

static enum err remove_one(struct removal *r, uint32_t uid)
{
    struct hot_key key = {.mailbox = r->mailbox.v, .uid = uid};
    struct hot_row hot;
    bool found;
    enum err e = hot_row_txn(r->t, r->cx, r->account, &key, &hot, &found);

    if (e || !found)
        return e;
    e = drop_membership(r, &hot, uid);
    if (e)
        return e;
    hot_row_delete(r->t, r->account, &key);
    r->box.exists -= r->box.exists > 0;
    r->box.unseen -= r->box.unseen > 0 && !(hot.flags & FLAG_SEEN);
    r->box.bytes -= hot.size < r->box.bytes ? hot.size : r->box.bytes;
    note_removed(r, uid);
    return OK;
}

static enum err removal_begin(struct removal *r)
{
    bool found;
    enum err e = state_row_txn(r->t, r->cx, r->account, &(struct state_key){0}, &r->state, &found);

    if (!e && found)
        e = mailbox_row_txn(r->t, r->cx, r->account, &(struct mailbox_key){.mailbox = r->mailbox.v},
                            &r->box, &found);
    return !e && !found ? fail(r->cx, ERR_NOT_FOUND, "account %" PRIu64 " was removed", r->account.v)
                        : e;
}

static void removal_end(struct removal *r)
{
    r->box.modseq = ++r->state.modseq;
    r->change.time = (uint64_t)now_ms();
    change_row_put(r->t, r->account, &(struct change_key){.modseq = r->state.modseq}, &r->change);
    state_row_put(r->t, r->account, &(struct state_key){0}, &r->state);
    mailbox_row_put(r->t, r->account, &(struct mailbox_key){.mailbox = r->mailbox.v}, &r->box);
}

enum err mailbox_remove(struct store *s, struct cx *cx, struct account_id account,
                        struct mailbox_id mailbox, const uint32_t *uids, size_t n,
                        struct ticket *ticket)
{
    scoped(txn_rollback) struct txn *t =
        txn_begin(s->engine, &(struct part){PART_ACCOUNT, account.v}, 1);
    struct removal r = {.t = t, .cx = cx, .account = account, .mailbox = mailbox};
    enum err e;

    r.change.items = arena_array(cx->arena, struct change_item, n);
    e = removal_begin(&r);
    for (size_t i = 0; i < n && !e; i++)
        e = remove_one(&r, uids[i]);
    if (e)
        return e;
    if (!r.change.items_count) { /* all were gone already, perhaps not durably yet */
        *ticket = engine_newest(s->engine);
        return OK;
    }
    removal_end(&r);
    return txn_commit(&t, cx, ticket);
}

enum err account_drop_references(struct txn *t, struct cx *cx, struct account_id account)
{
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value;
    enum err e = txn_scan(t, cx, cold_part(account), S("e"), S("f"), false, &scan);

    if (e)
        return e;
    while (scan_next(scan, &key, &value)) {
        struct cold_key k;
        struct cold_row row;

        if (cold_key_unpack(key, &k) && cold_unpack(cx->arena, value, &row))
            body_release(t, row.body, account.v, k.email);
    }
    return scan_error(scan, cx);
}
