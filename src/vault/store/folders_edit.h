/* vault/store/folders_edit.h: making, deleting, renaming and subscribing to mailboxes. (To look at them: folders.h.)
 *
 * Names are as folders.h has them. Whether one may be made is for the caller to check (imap_name_check); existence and
 * limits are checked here: MOST_MAILBOXES with those that are made on the way.
 *
 * Each change is one transaction and gives its ticket. It takes a modseq, and is seen in the change log as CHANGE_MAILBOX
 * (or _SUBSCRIPTION). Safe from any thread. */
#pragma once
#include "vault/store/store.h"

/* A name that comes to be, and how whoever makes it spells it, level by level: that is kept besides (folder_spelling()). */
struct new_name {
    struct str name, spelled;
};

static inline struct new_name spelled_so(struct str name)
{
    return (struct new_name){name, name};
}

#define MOST_SUBSCRIPTIONS 20000 /* of an account: mailboxes of other people are among them */

/* Mailboxes above that do not exist are made as well (RFC 9051 §6.3.4). In place of a \Noselect one comes a new mailbox,
 * with an id and a UIDVALIDITY of its own, above what was below. Rights (acl.h) are taken over from the one above.
 * ERR_EXISTS; ERR_LIMIT. */
enum err folder_create(struct store *s, struct cx *cx, struct account_id account, struct new_name name,
                       uint32_t roles, struct mailbox_id *id, struct ticket *ticket);
/* Its messages go. One with others below it stays as a \Noselect name, until the last of them goes; such a name with
 * others below it is ERR_EXISTS (HASCHILDREN). INBOX: ERR_DENIED. */
enum err folder_delete(struct store *s, struct cx *cx, struct account_id account, struct mailbox_id id,
                       struct ticket *ticket);
/* What is below goes along; ids, UIDs and UIDVALIDITY stay. Mailboxes above the new name are made. INBOX: its messages
 * are moved into a new mailbox of that name, what is below it stays (RFC 9051 §6.3.6). ERR_EXISTS; ERR_BAD_VALUE: into
 * itself; ERR_LIMIT: a name below would be too long. */
enum err folder_rename(struct store *s, struct cx *cx, struct account_id account, struct mailbox_id id,
                       struct new_name name, struct ticket *ticket);
/* By name, which need not exist. Again is fine. ERR_LIMIT: the name is empty or too long, or there are too many. */
enum err folder_subscribe(struct store *s, struct cx *cx, struct account_id account, struct str name,
                          bool yes, struct ticket *ticket);

/* ---- for making accounts ---- */

/* The state and the first mailboxes of a new account (INBOX, and Archive, Drafts, Junk, Sent, Trash with their roles, all
 * subscribed), in the transaction that makes it. */
void folders_begin(struct txn *t, struct account_id account, uint32_t uid_validity);
