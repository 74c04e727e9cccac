/* vault/imap/scope.h: several mailboxes at once, as ESEARCH (RFC 7377 §2.2) and NOTIFY (RFC 5465 §6) name them. */
#pragma once
#include "proto/imap_notify.h"
#include "vault/imap/place.h"

struct scope_place {
    struct mailbox_ref at;
    struct str name; /* as this user knows it */
};
struct scope_list {
    struct scope_place *v;
    size_t n;
};

/* Those that exist, may be read, and can be selected; each once. No filter: the selected one. In i->arena. False: the
 * reply is set (nothing is selected), or *e. */
bool scope_find(struct imap *i, const struct imap_mailbox_filter *filters, size_t count,
                struct scope_list *out, enum err *e);
/* Does one filter name this mailbox? For mailboxes that come and go while somebody listens. */
bool scope_has(const struct imap *i, const struct imap_mailbox_filter *f, const struct place *p);
