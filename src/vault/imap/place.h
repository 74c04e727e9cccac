/* vault/imap/place.h: mailboxes by name: whose they are, and what this user may do there.
 *
 * The user's own are at the top; "Other Users/<address>/<name>" are those that others share, and "Shared/<address>/<name>"
 * those of accounts that nobody signs on to, since they have no password: info@, the team's (RFC 2342 §3, RFC 4314). */
#pragma once
#include "proto/imap_access.h"
#include "vault/imap/imap.h"
#include "vault/store/folders.h"
#include "vault/store/messages.h"

#define OTHER_USERS "Other Users"
#define SHARED "Shared"

struct place {
    struct mailbox_ref at;
    struct folder
        folder; /* special uses (RFC 6154) are its owner's alone: or else somebody could offer another one his own
                             mailbox to put what he sends into */
    struct str name; /* as this user knows it: in cx.arena, or the caller's */
    uint32_t rights; /* IMAP_RIGHT_ bits */
};

/* The mailbox of this name, with the rights that are needed; none: it may be seen. Who has the rights need not see it (RFC
 * 4314 §4): a mailbox may be there to drop letters into. A name that leads nowhere, or to something that the user may
 * neither use so nor see, is ERR_NOT_FOUND (RFC 4314 §6); missing rights are ERR_DENIED. A \Noselect one is found, if
 * `needed` has nothing to do with messages. With PLACE_ALONE beside the rights, of `folder` only what it is, and not what is
 * in it, below it or subscribed to: most who append to it, copy or select it do so again and again. */
#define PLACE_ALONE ((uint32_t)1 << 31)
/* One of the rights that MYRIGHTS asks for (RFC 4314 §4), instead of all. */
#define PLACE_ANY ((uint32_t)1 << 30)
enum err place_find(struct imap *i, struct str name, uint32_t needed, struct place *out);
/* The same for a handler that ends with it: it has set the reply, NO with NONEXISTENT (or TRYCREATE, where messages are
 * to go), NOPERM, CANNOT, and returns false; an error of the store is in *e, to be returned. */
bool place_for(struct imap *i, struct str name, uint32_t needed, struct place *out, enum err *e);
bool place_for_target(struct imap *i, struct str name, struct place *out,
                      enum err *e); /* IMAP_RIGHT_INSERT */

/* Whose mailboxes a name is among: *account, and *inside the name within that account. False: nobody's. */
enum err place_owner(struct imap *i, struct str name, struct account_id *account, struct str *inside,
                     bool *found);

/* The space that the mailboxes of another account stand in: "Other Users" or "Shared". */
enum err place_space(struct view *v, struct cx *cx, struct account_id owner, struct str *space);
/* Has this user subscribed to the name? The owner of a mailbox that is shared may have, or not. */
enum err place_subscribed(struct imap *i, struct str name, bool *yes);

/* The mailbox's name for this client: in UTF-8, or in modified UTF-7 as it was spelled by who made it (RFC 3501 §5.1.3: that
 * form is preserved exactly). at.mailbox 0: there is none of this name. */
void place_name_write(struct imap *i, struct buf *out, struct mailbox_ref at, struct str name);
