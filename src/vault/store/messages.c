#include "vault/store/messages_impl.h"

#include "base/scoped.h"
#include "vault/store/quota.h"
#include "vault/store/roster_impl.h"

#include <inttypes.h>

/* ---- what all have in common ---- */

static struct part part_of(struct account_id account)
{
    return (struct part){PART_ACCOUNT, account.v};
}

enum err two_boxes_open(struct two_boxes *b, struct store *s, struct cx *cx, struct mailbox_ref from,
                        struct mailbox_ref to)
{
    const struct part parts[] = {part_of(from.account), part_of(to.account)};
    bool one_account = from.account.v == to.account.v;
    enum err e;

    *b = (struct two_boxes){.t = txn_begin(s->engine, parts, one_account ? 1 : 2)};
    b->from_edit = b->to_edit = &b->edits[0];
    b->from = b->to = &b->boxes[0];
    if (!one_account)
        b->to_edit = &b->edits[1];
    if (!one_account || from.mailbox.v != to.mailbox.v)
        b->to = &b->boxes[1];
    e = edit_begin(b->from_edit, b->t, cx, from.account);
    if (!e && !one_account)
        e = edit_begin(b->to_edit, b->t, cx, to.account);
    if (!e)
        e = box_open(b->from, b->from_edit, from.mailbox);
    if (!e && b->to != b->from)
        e = box_open(b->to, b->to_edit, to.mailbox);
    return e;
}

enum err two_boxes_commit(struct two_boxes *b, struct ticket *ticket)
{
    struct cx *cx = b->from_edit->cx;
    enum err e = box_close(b->from);

    if (!e && b->to != b->from)
        e = box_close(b->to);
    if (!e)
        e = edit_end(b->from_edit);
    if (!e && b->to_edit != b->from_edit)
        e = edit_end(b->to_edit);
    return e ? e : txn_commit(&b->t, cx, ticket);
}

void two_boxes_close(struct two_boxes *b)
{
    txn_rollback(&b->t);
}

static uint64_t growth(uint64_t before, uint64_t now)
{
    return now > before ? now - before : 0;
}

enum err check_quota(struct edit *e)
{
    const struct amount *before = &e->used_before, *now = &e->state.used;
    struct amount more = {growth(before->bytes, now->bytes), growth(before->messages, now->messages)};
    struct account_row row = {0};
    bool found;
    enum err err = account_row_txn(e->t, e->cx, NO_ACCOUNT,
                                   &(struct account_key){.account = e->account.v}, &row, &found);

    return err ? err : quota_check(e->cx, e->account, &row.limit, before, &more);
}

static enum err flags_mask(struct box *b, const struct flag_names *names, bool add, uint64_t *mask)
{
    *mask = names->system & (((uint64_t)1 << FLAG_KEYWORD_FIRST) - 1);
    for (size_t i = 0; i < names->keyword_count; i++) {
        uint64_t one;
        enum err e = box_keyword(b, names->keywords[i], add, &one);

        if (e)
            return e;
        *mask |= one;
    }
    return OK;
}

/* ---- flags ---- */

struct flagging {
    const struct flags_change *change;
    struct arena *arena;
    struct flag_rule rule;
    struct ranges there, unheard, failed;
};

static enum box_verdict set_flags(void *arg, struct roster_entry *entry)
{
    struct flagging *f = arg;
    uint64_t flags = flags_after(&f->rule, entry->flags);
    bool changed = flags != entry->flags;

    if (f->change->has_unchanged_since && entry->modseq > f->change->unchanged_since) {
        ranges_add(f->arena, &f->failed, entry->uid, entry->uid);
        return BOX_KEEP;
    }
    ranges_add(f->arena, &f->there, entry->uid, entry->uid);
    if (changed && entry->modseq > f->change->heard_modseq)
        ranges_add(f->arena, &f->unheard, entry->uid, entry->uid);
    entry->flags = flags;
    return changed ? BOX_CHANGED : BOX_KEEP;
}

static struct flags_result result_of(const struct flagging *f, const struct box *b, uint64_t before)
{
    return (struct flags_result){.modseq = b->flagged.n ? b->e->modseq : 0,
                                 .modseq_before = before,
                                 .there = ranges_set(&f->there),
                                 .changed = ranges_set(&b->flagged),
                                 .unheard = ranges_set(&f->unheard),
                                 .failed = ranges_set(&f->failed),
                                 .new_keywords = b->row_changed};
}

enum err messages_set_flags(struct store *s, struct cx *cx, struct mailbox_ref at,
                            const struct imap_set *uids, const struct flags_change *change,
                            struct flags_result *out, struct ticket *ticket)
{
    scoped(two_boxes_close) struct two_boxes b = {0};
    struct flagging f = {
        .change = change, .arena = cx->arena, .rule = {.how = change->how, .keep = change->keep}};
    struct flags_result result;
    enum err e = two_boxes_open(&b, s, cx, at, at);
    uint64_t before;

    if (e)
        return e;
    before = b.to->counts.modseq;
    e = flags_mask(b.to, &change->flags, change->how != FLAGS_REMOVE, &f.rule.mask);
    if (!e)
        e = box_walk(b.to, uids, set_flags, &f);
    if (e)
        return e;
    result = result_of(&f, b.to, before);
    e = two_boxes_commit(&b, ticket);
    if (e)
        return e;
    *out = result;
    roster_note_flags(s, at, &f.rule, out, *ticket);
    return OK;
}

/* ---- removal ---- */

static enum box_verdict drop_any(void *arg, struct roster_entry *entry)
{
    (void)arg;
    (void)entry;
    return BOX_DROPPED;
}

static enum box_verdict drop_deleted(void *arg, struct roster_entry *entry)
{
    (void)arg;
    return entry->flags & FLAG_DELETED ? BOX_DROPPED : BOX_KEEP;
}

enum err messages_remove(struct store *s, struct cx *cx, struct mailbox_ref at,
                         const struct imap_set *uids, bool only_deleted, struct removed *out,
                         struct ticket *ticket)
{
    scoped(two_boxes_close) struct two_boxes b = {0};
    struct removed result;
    enum err e = two_boxes_open(&b, s, cx, at, at);

    if (!e && !(only_deleted && !b.from->counts.deleted))
        e = box_walk(b.from, uids, only_deleted ? drop_deleted : drop_any, NULL);
    if (e)
        return e;
    result = (struct removed){.uids = ranges_set(&b.from->removed),
                              .modseq = b.from->removed.n ? b.from_edit->modseq : 0};
    e = two_boxes_commit(&b, ticket);
    if (!e)
        *out = result;
    return e;
}

/* ---- new messages ---- */

static enum err append_one(struct two_boxes *b, const struct new_message *m)
{
    struct new_email n = {.body = m->body.id,
                          .body_size = m->body.size,
                          .internal_date = (uint64_t)m->internal_date,
                          .received = (uint64_t)b->to_edit->now,
                          .looks = m->looks,
                          .facts = m->facts};
    struct roster_entry entry;
    enum err e = flags_mask(b->to, &m->flags, true, &n.flags);

    if (e)
        return e;
    body_put(b->t, &m->body);
    return edit_add_email(b->to_edit, b->to, &n, &entry);
}

static enum err added(struct two_boxes *b, uint32_t first_uid, struct added *out, struct ticket *ticket)
{
    struct added result = {.first_uid = first_uid,
                           .modseq = b->to_edit->modseq,
                           .removed_modseq = b->from->removed.n ? b->from_edit->modseq : 0};
    enum err e = check_quota(b->to_edit);

    if (!e)
        e = box_row(b->to);
    result.uid_validity = b->to->row.uid_validity;
    if (!e)
        e = two_boxes_commit(b, ticket);
    if (!e)
        *out = result;
    return e;
}

enum err messages_append(struct store *s, struct cx *cx, struct mailbox_ref at,
                         const struct new_message *v, size_t n, struct added *out,
                         struct ticket *ticket)
{
    scoped(two_boxes_close) struct two_boxes b = {0};
    enum err e = two_boxes_open(&b, s, cx, at, at);
    uint32_t first_uid = b.to->counts.uid_next;

    for (size_t i = 0; i < n && !e; i++)
        e = append_one(&b, &v[i]);
    return e ? e : added(&b, first_uid, out, ticket);
}

enum err messages_replace(struct store *s, struct cx *cx, struct mailbox_ref from, uint32_t uid,
                          struct mailbox_ref to, const struct new_message *m, struct added *out,
                          struct ticket *ticket)
{
    scoped(two_boxes_close) struct two_boxes b = {0};
    const struct imap_range range = {uid, uid};
    const struct imap_set old = {.ranges = &range, .count = 1};
    enum err e = two_boxes_open(&b, s, cx, from, to);
    uint32_t first_uid = b.to->counts.uid_next;

    if (!e)
        e = box_walk(b.from, &old, drop_any, NULL);
    if (!e && !b.from->removed.n)
        e = fail(cx, ERR_GONE, "account %" PRIu64 ": UID %u of mailbox %" PRIu64 " was removed",
                 from.account.v, uid, from.mailbox.v);
    if (!e)
        e = append_one(&b, m);
    return e ? e : added(&b, first_uid, out, ticket);
}

/* ---- \Recent ---- */

/* By the newest row, durable or not: what a session took a moment ago is recent to nobody else. */
static enum err newest_recent(struct store *s, struct cx *cx, struct mailbox_ref at, bool take,
                              uint32_t *first)
{
    struct part part = part_of(at.account);
    scoped(txn_rollback) struct txn *t = txn_begin(s->engine, &part, 1);
    struct counts_key key = {.mailbox = at.mailbox.v};
    struct counts_row row;
    struct ticket ticket;
    bool found;
    enum err e = counts_row_txn(t, cx, at.account, &key, &row, &found);

    if (e || !found)
        return e;
    *first = row.recent;
    if (!take)
        return OK;
    row.recent = row.uid_next;
    counts_row_put(t, at.account, &key, &row);
    return txn_commit(&t, cx, &ticket);
}

static enum err read_counts(struct store *s, struct cx *cx, struct mailbox_ref at,
                            struct counts_row *row)
{
    scoped(view_close) struct view *v = view_open(s->engine);
    bool found;
    enum err e;

    if (!v)
        return fail(cx, ERR_STORE, "the store is closed");
    e = counts_row_view(v, cx, at.account, &(struct counts_key){.mailbox = at.mailbox.v}, row, &found);
    return e || found ? e
                      : fail(cx, ERR_NOT_FOUND, "account %" PRIu64 " has no mailbox %" PRIu64,
                             at.account.v, at.mailbox.v);
}

/* Nothing is locked where nothing is new, which is the usual case. */
enum err mailbox_recent(struct store *s, struct cx *cx, struct mailbox_ref at, bool take,
                        uint32_t *first)
{
    struct counts_row row;
    uint32_t from;
    enum err e = read_counts(s, cx, at, &row);

    if (e)
        return e;
    from = row.recent;
    if (row.recent < row.uid_next)
        e = newest_recent(s, cx, at, take, &from);
    if (!e)
        *first = from;
    return e;
}
