/* vault/store/acl.h: who else may use a mailbox (RFC 4314).
 *
 * The owner has every right, always. Others are named by account, so that an address which is given to somebody else
 * later carries no rights along; account 0 is "anyone", everybody who has signed on. Each has rights and negative rights
 * ("-fred"); bits are those of proto/imap_access.h. A new mailbox takes over what the one above it has. */
#pragma once
#include "vault/store/store.h"

#define ANYONE ((struct account_id){0})
#define MOST_ACL 1000 /* entries of a mailbox: ERR_LIMIT beyond */

struct acl_entry {
    struct account_id who;
    uint32_t rights, negative;
};

/* Ascending by account; "anyone" first. In cx->arena. Entries of accounts that were removed are left out. */
enum err acl_list(struct view *v, struct cx *cx, struct account_id owner, struct mailbox_id mailbox,
                  struct acl_entry **list, size_t *n);
/* What `who` may do: theirs and anyone's, without the negative ones of both (RFC 4314 §2). The owner: all (UINT32_MAX). */
enum err acl_rights(struct view *v, struct cx *cx, struct account_id owner, struct mailbox_id mailbox,
                    struct account_id who, uint32_t *rights);

enum acl_how { ACL_REPLACE, ACL_ADD, ACL_REMOVE };
/* SETACL and DELETEACL (replace by 0). ERR_DENIED: the owner's rights are not to be changed. */
enum err acl_set(struct store *s, struct cx *cx, struct account_id owner, struct mailbox_id mailbox,
                 struct account_id who, bool negative, enum acl_how how, uint32_t rights,
                 struct ticket *ticket);

/* The accounts that have given `who`, or anyone, a right on some mailbox: where "Other Users" begins. Ascending, without
 * `who`. In cx->arena. It is a hint: which mailboxes, and whether any is left, acl_rights() says. */
enum err acl_owners(struct view *v, struct cx *cx, struct account_id who, struct account_id **owners,
                    size_t *n);
