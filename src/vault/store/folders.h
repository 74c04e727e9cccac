/* vault/store/folders.h: the mailboxes of an account: names, what each is, and what is in it, in numbers. (To change them:
 * folders_edit.h.)
 *
 * Full names are UTF-8 in their inner form (proto/imap_name.h): levels divided by "/", INBOX in capitals. A mailbox's id
 * never changes and is never given again: MAILBOXID (RFC 8474).
 *
 * Reading goes through a view: what is durable. Results live in cx->arena. Safe from any thread. */
#pragma once
#include "vault/store/store.h"

#define MOST_MAILBOXES 10000 /* of an account, \Noselect ones included: ERR_LIMIT beyond */

/* What a mailbox is for (RFC 6154, RFC 8457), as bits: the values of proto/imap_args.h. */
enum {
    ROLE_ALL = 1,
    ROLE_ARCHIVE = 2,
    ROLE_DRAFTS = 4,
    ROLE_FLAGGED = 8,
    ROLE_JUNK = 16,
    ROLE_SENT = 32,
    ROLE_TRASH = 64,
    ROLE_IMPORTANT = 128,
};

struct folder {
    struct mailbox_id id;     /* 0: only its name is subscribed to (folder_subscriptions) */
    struct mailbox_id parent; /* 0: top */
    struct str name;          /* full */
    uint32_t roles;
    bool no_select;    /* \Noselect: only a name above others */
    bool has_children; /* \HasChildren */
    bool subscribed;
    uint32_t uid_validity, uid_next;
    uint32_t first_recent; /* the UID from which on no session had a look, by what is durable */
    uint64_t modseq;       /* HIGHESTMODSEQ */
    uint32_t exists, unseen, deleted;
    uint64_t bytes, deleted_bytes;
    bool damaged; /* its counts cannot be read: they are 0, uid_next and modseq too */
};

/* ERR_NOT_FOUND: there is none of this name. A \Noselect one is found. */
enum err folder_find(struct view *v, struct cx *cx, struct account_id account, struct str name,
                     struct folder *out);
/* The same for who only wants to go there: what is in it, has_children and subscribed are not read. */
enum err folder_find_alone(struct view *v, struct cx *cx, struct account_id account, struct str name,
                           struct folder *out);
enum err folder_of(struct view *v, struct cx *cx, struct account_id account, struct mailbox_id id,
                   struct folder *out);
/* Its full name as those spelled it who made it and what is above it (RFC 3501 §5.1.3). */
enum err folder_spelling(struct view *v, struct cx *cx, struct account_id account, struct mailbox_id id,
                         struct str *name);
/* All of them with their counts, in one pass, in the order of a tree: INBOX first, then by name, each before what is
 * below it. One that cannot be read is left out, and what is below it stands at the top. */
enum err folder_list(struct view *v, struct cx *cx, struct account_id account, struct folder **list,
                     size_t *n);
/* The names that are subscribed to, ascending, whether a mailbox of the name exists or not (RFC 9051 §6.3.7). */
enum err folder_subscriptions(struct view *v, struct cx *cx, struct account_id account,
                              struct str **names, size_t *n);
