/* vault/store/metadata.h: annotations of mailboxes and of the account (RFC 5464).
 *
 * Mailbox 0 is the server itself, as this account sees it. Entries are named as proto/imap_access.h leaves
 * them, in lower case: "/shared/comment", "/private/filters/values/x". Private ones belong to `who`, which is the owner or
 * somebody the mailbox is shared with; shared ones are everybody's. */
#pragma once
#include "vault/store/store.h"

#define METADATA_VALUE_MAX 65536             /* bytes of a value: METADATA MAXSIZE */
#define METADATA_ENTRIES_MAX 100             /* of one mailbox and one person: METADATA TOOMANY */
#define METADATA_BYTES_MAX (4 * 1024 * 1024) /* of an account: ERR_OVER_QUOTA beyond */
/* People whom mailboxes are shared with write into their owner's room. The rest of it is the owner's, whatever they do; and
 * nobody of them takes all of theirs. */
#define METADATA_BYTES_MAX_BY_GUESTS (METADATA_BYTES_MAX / 2)
#define METADATA_BYTES_MAX_OF_GUEST (256 * 1024) /* private ones of one of them, on all mailboxes */

struct metadata {
    struct str entry;
    struct str value; /* .p NULL: NIL, which removes it */
    /* For metadata_set(): the entry stands for what the mailbox is for (ROLE_ bits, RFC 6154 §4), which is set so; nothing is
     * kept under its name. Else NULL. */
    const uint32_t *roles;
};

/* What one takes of the account's room: its name counts too. */
static inline uint64_t annotation_size(struct str entry, struct str value)
{
    return entry.n + value.n;
}

/* All that `who` sees, ascending by entry. In cx->arena. */
enum err metadata_list(struct view *v, struct cx *cx, struct account_id account,
                       struct mailbox_id mailbox, struct account_id who, struct metadata **list,
                       size_t *n);
/* One entry, likewise. *value: in cx->arena; never NULL, if found. */
enum err metadata_find(struct view *v, struct cx *cx, struct account_id account,
                       struct mailbox_id mailbox, struct account_id who, struct str entry,
                       struct str *value, bool *found);
/* All of them or none, in one transaction; the limits are for what remains then, in whatever order it is said. The mailbox's
 * modseq becomes that of the change (RFC 7162 §3.2). ERR_TOO_BIG: a value; ERR_LIMIT: too many; ERR_OVER_QUOTA; ERR_NOT_FOUND. */
enum err metadata_set(struct store *s, struct cx *cx, struct account_id account,
                      struct mailbox_id mailbox, struct account_id who, const struct metadata *v,
                      size_t n, struct ticket *ticket);
