#include "vault/store/email.h"

#include "base/clock.h"
#include "vault/store/body.h"

#include <inttypes.h>

enum err account_used(struct view *v, struct cx *cx, struct account_id account, struct state_row *state,
                      bool *found)
{
    return state_row_view(v, cx, account, &(struct state_key){0}, state, found);
}

/* The rows that every change of a mailbox begins with. */
static enum err read_rows(struct txn *t, struct cx *cx, struct account_id account,
                          struct mailbox_id mailbox, struct state_row *state, struct mailbox_row *box)
{
    bool found;
    enum err e = state_row_txn(t, cx, account, &(struct state_key){0}, state, &found);

    if (!e && found)
        e = mailbox_row_txn(t, cx, account, &(struct mailbox_key){.mailbox = mailbox.v}, box, &found);
    if (!e && !found)
        return fail(cx, ERR_NOT_FOUND, "account %" PRIu64 " or its mailbox %" PRIu64 " was removed",
                    account.v, mailbox.v);
    return e;
}

static void put_cold(struct txn *t, struct account_id account, struct mailbox_id mailbox,
                     const struct new_email *n, const struct placed *at)
{
    struct membership member = {.mailbox = mailbox, .uid = at->uid};
    struct cold_row cold = *n->looks;

    cold.content = cold.body = n->body;
    cold.prefix = n->prefix;
    cold.body_size = n->body_size;
    cold.thread = n->body.v; /* a thread of its own until somebody threads it */
    cold.received = n->received;
    cold.memberships = &member;
    cold.memberships_count = 1;
    cold_row_put(t, account, &(struct cold_key){.email = at->email.v}, &cold);
}

static void put_hot(struct txn *t, struct account_id account, struct mailbox_id mailbox,
                    const struct new_email *n, const struct placed *at)
{
    struct hot_row hot = {.email = at->email,
                          .body = n->body,
                          .modseq = at->modseq,
                          .flags = n->flags,
                          .size = n->prefix.n + n->body_size,
                          .internal_date = n->internal_date};

    hot_row_put(t, account, &(struct hot_key){.mailbox = mailbox.v, .uid = at->uid}, &hot);
}

static void put_change(struct txn *t, struct account_id account, struct mailbox_id mailbox,
                       const struct placed *at)
{
    struct change_item item = {
        .kind = CHANGE_ADDED, .mailbox = mailbox, .first_uid = at->uid, .last_uid = at->uid};
    struct change_row change = {.time = (uint64_t)now_ms(), .items = &item, .items_count = 1};

    change_row_put(t, account, &(struct change_key){.modseq = at->modseq}, &change);
}

enum err email_add(struct txn *t, struct cx *cx, struct account_id account, struct mailbox_id mailbox,
                   const struct new_email *n, struct placed *out)
{
    struct mailbox_row box = {0};
    struct state_row state = {0};
    struct placed at;
    enum err e = read_rows(t, cx, account, mailbox, &state, &box);

    if (e)
        return e;
    if (n->quota && state.used >= n->quota && !n->even_over_quota)
        return fail(cx, ERR_OVER_QUOTA, "account %" PRIu64 ": %" PRIu64 " of %" PRIu64 " bytes",
                    account.v, state.used, n->quota);
    if (box.uid_next == UINT32_MAX)
        return fail(cx, ERR_LIMIT, "account %" PRIu64 ": no UID is left in mailbox %" PRIu64, account.v,
                    mailbox.v);
    at = (struct placed){{state.next_email++}, box.uid_next++, ++state.modseq};
    state.used += n->prefix.n + n->body_size;
    state.emails++;
    box.exists++;
    box.unseen += !(n->flags & FLAG_SEEN);
    box.bytes += n->prefix.n + n->body_size;
    box.modseq = at.modseq;
    put_cold(t, account, mailbox, n, &at);
    put_hot(t, account, mailbox, n, &at);
    put_change(t, account, mailbox, &at);
    state_row_put(t, account, &(struct state_key){0}, &state);
    mailbox_row_put(t, account, &(struct mailbox_key){.mailbox = mailbox.v}, &box);
    body_refer(t, n->body, account.v, at.email.v);
    *out = at;
    return OK;
}
