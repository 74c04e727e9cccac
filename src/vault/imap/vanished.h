/* vault/imap/vanished.h: which UIDs have gone, for a client that was away (RFC 7162 §3.2.5, §3.2.6). */
#pragma once
#include "vault/imap/selected.h"

/* 1:UIDNEXT-1, in the arena. */
struct imap_set vanished_all(struct arena *a, const struct roster *r);
/* The UIDs of `within` (in order) that were removed from the selected mailbox after `since`, and are higher than
 * `known_up_to`. If the change log does not reach back so far: all that are not there. In i->arena. */
enum err vanished_since(struct imap *i, const struct roster *r, const struct imap_set *within,
                        uint64_t since, uint32_t known_up_to, struct imap_set *out);
