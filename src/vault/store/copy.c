/* COPY and MOVE: the messages are gathered from the one mailbox, taken away if they are to move, and added to the other.
 * Within an account the content's rows are not touched at all. */
#include "vault/store/messages_impl.h"

#include "base/scoped.h"
#include "vault/store/letters.h"
#include "vault/store/threads.h"

#include <inttypes.h>

struct gathering {
    struct arena *arena;
    enum box_verdict verdict; /* what becomes of them where they were */
    struct roster_entry *v;
    size_t n, room;
    struct ranges uids;
};

static enum box_verdict gather(void *arg, struct roster_entry *entry)
{
    struct gathering *g = arg;

    if (g->n == g->room) {
        size_t room = g->room ? g->room * 2 : 64;
        struct roster_entry *more = arena_array(g->arena, struct roster_entry, room);

        if (g->n)
            memcpy(more, g->v, g->n * sizeof(*more));
        g->v = more;
        g->room = room;
    }
    g->v[g->n++] = *entry;
    ranges_add(g->arena, &g->uids, entry->uid, entry->uid);
    return g->verdict;
}

static enum err copy_facts(struct two_boxes *b, struct body_id from, struct body_id to)
{
    struct facts_row row;
    bool found;
    enum err e = facts_row_txn(b->t, b->to_edit->cx, b->from_edit->account,
                               &(struct facts_key){.body = from.v}, &row, &found);

    if (!e && found)
        facts_row_put(b->t, b->to_edit->account, &(struct facts_key){.body = to.v}, &row);
    return e;
}

static enum err put_looks(struct two_boxes *b, const struct roster_entry *entry,
                          struct letter_id letter, struct body_id body, struct cold_row *row)
{
    row->first_mailbox = b->to->id;
    row->first_uid = b->to->counts.uid_next;
    letter_row(row, b->to_edit->account, letter, body);
    cold_row_put(b->t, b->to_edit->account, &(struct cold_key){.body = body.v}, row);
    return copy_facts(b, entry->body, body);
}

/* Into another account, which has looks of its own of each letter. Its thread comes along (RFC 8474 §5.2). */
static enum err bring_letter(struct two_boxes *b, struct roster_entry *entry)
{
    struct account_id from = b->from_edit->account, to = b->to_edit->account;
    struct cx *cx = b->to_edit->cx;
    struct cold_row row, other;
    struct letter_id letter;
    struct body_id body;
    bool there;
    enum err e = cold_row_txn(b->t, cx, from, &(struct cold_key){.body = entry->body.v}, &row, &there);

    if (e || !there)
        return e ? e
                 : fail(cx, ERR_DAMAGED, "account %" PRIu64 ": a message's looks are missing", from.v);
    letter = letter_id_of(&row, from, entry->body);
    e = letter_place(b->t, cx, to, letter, &body, &other, &there);
    if (!e && !there)
        e = put_looks(b, entry, letter, body, &row);
    if (!e && there)
        entry->size = other.prefix.n + other.body_size; /* a repair may have lost one of the prefixes */
    if (!e)
        e = thread_bring(b->t, cx, from, entry->body, to, body);
    entry->body = body;
    return e;
}

static enum err add_one(struct two_boxes *b, struct roster_entry *entry, bool new_email)
{
    enum err e = OK;

    if (b->from_edit != b->to_edit)
        e = bring_letter(b, entry);
    if (e)
        return e;
    entry->save_date = b->to_edit->now;
    if (new_email) {
        entry->email = edit_new_email(b->to_edit, entry->size);
        body_refer(b->t, entry->body, b->to_edit->account.v, entry->email.v);
    }
    return box_add(b->to, entry);
}

static enum err add_all(struct two_boxes *b, struct gathering *g, uint64_t may_have, bool new_emails)
{
    uint64_t flags = 0, mapped = 0; /* neighbours often have the same */
    enum err e = box_row(b->from);

    for (size_t i = 0; i < g->n && !e; i++) {
        g->v[i].flags &= may_have;
        if (b->from != b->to && g->v[i].flags != flags) {
            flags = g->v[i].flags;
            e = box_map_flags(b->to, &b->from->row, flags, &mapped);
        }
        if (b->from != b->to)
            g->v[i].flags = mapped;
        if (!e)
            e = add_one(b, &g->v[i], new_emails);
    }
    return e;
}

static enum err transfer(struct store *s, struct cx *cx, struct mailbox_ref from,
                         const struct imap_set *uids, struct mailbox_ref to, uint64_t may_have,
                         bool move, struct copied *out, struct ticket *ticket)
{
    scoped(two_boxes_close) struct two_boxes b = {0};
    bool new_emails = !move || from.account.v != to.account.v;
    struct gathering g = {.arena = cx->arena,
                          .verdict = !move        ? BOX_KEEP
                                     : new_emails ? BOX_DROPPED
                                                  : BOX_MOVED};
    struct copied result;
    enum err e = two_boxes_open(&b, s, cx, from, to);
    uint32_t first = b.to->counts.uid_next;

    if (!e)
        e = box_walk(b.from, uids, gather, &g);
    if (!e)
        e = add_all(&b, &g, may_have, new_emails);
    if (!e)
        e = check_quota(b.to_edit);
    if (!e)
        e = box_row(b.to);
    if (e)
        return e;
    result = (struct copied){.from = ranges_set(&g.uids),
                             .count = g.n,
                             .to_uid_validity = b.to->row.uid_validity,
                             .modseq = b.from->removed.n ? b.from_edit->modseq : 0};
    if (g.n) {
        result.to_first = first;
        result.to_last = b.to->counts.uid_next - 1;
    }
    e = two_boxes_commit(&b, ticket);
    if (!e)
        *out = result;
    return e;
}

enum err messages_copy(struct store *s, struct cx *cx, struct mailbox_ref from,
                       const struct imap_set *uids, struct mailbox_ref to, uint64_t may_have,
                       struct copied *out, struct ticket *ticket)
{
    return transfer(s, cx, from, uids, to, may_have, false, out, ticket);
}

enum err messages_move(struct store *s, struct cx *cx, struct mailbox_ref from,
                       const struct imap_set *uids, struct mailbox_ref to, uint64_t may_have,
                       struct copied *out, struct ticket *ticket)
{
    return transfer(s, cx, from, uids, to, may_have, true, out, ticket);
}
