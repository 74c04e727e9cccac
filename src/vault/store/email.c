#include "vault/store/email.h"

#include "vault/store/body.h"
#include "vault/store/email_impl.h"
#include "vault/store/letters.h"
#include "vault/store/quota.h"

enum err account_used(struct view *v, struct cx *cx, struct account_id account, struct state_row *state,
                      bool *found)
{
    return state_row_view(v, cx, account, &(struct state_key){0}, state, found);
}

static void put_cold(struct edit *edit, struct mailbox_id mailbox, const struct new_email *n,
                     const struct roster_entry *entry)
{
    struct cold_row cold = *n->looks;

    cold.prefix = n->prefix;
    cold.body_size = n->body_size;
    cold.received = n->received;
    cold.first_mailbox = mailbox;
    cold.first_uid = entry->uid;
    cold_row_put(edit->t, edit->account, &(struct cold_key){.body = n->body.v}, &cold);
    if (n->facts.n)
        facts_row_put(edit->t, edit->account, &(struct facts_key){.body = n->body.v},
                      &(struct facts_row){.raw = n->facts});
}

enum err edit_add_email(struct edit *edit, struct box *box, const struct new_email *n,
                        struct roster_entry *entry)
{
    enum err e;

    *entry = (struct roster_entry){.body = n->body,
                                   .flags = n->flags,
                                   .size = n->prefix.n + n->body_size,
                                   .internal_date = (int64_t)n->internal_date,
                                   .save_date = edit->now};
    entry->email = edit_new_email(edit, entry->size);
    e = box_add(box, entry);
    if (e)
        return e;
    put_cold(edit, box->id, n, entry);
    body_refer(edit->t, n->body, edit->account.v, entry->email.v);
    return OK;
}

enum err email_add(struct txn *t, struct cx *cx, struct account_id account, struct mailbox_id mailbox,
                   const struct new_email *n, struct placed *out)
{
    struct new_email own = *n;
    struct roster_entry entry;
    struct edit edit;
    struct box box;
    enum err e = edit_begin(&edit, t, cx, account);

    if (!e)
        e = quota_check(cx, account, &n->limit, &edit.state.used, &ANY_MESSAGE);
    if (!e)
        e = box_open(&box, &edit, mailbox);
    if (!e && n->again)
        e = letter_place_new(t, cx, account, &own.body);
    if (!e)
        e = edit_add_email(&edit, &box, &own, &entry);
    if (!e)
        e = box_close(&box);
    if (!e)
        e = edit_end(&edit);
    if (!e)
        *out = (struct placed){entry.email, entry.uid, entry.modseq};
    return e;
}
