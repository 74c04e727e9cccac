/* vault/store/renew.h: counters of a store that was restored from a backup.
 *
 * The store is older than what clients have seen: between the backup and its loss more was given out than it knows of. So
 * every counter jumps beyond all that can ever have been given, which only the clock can tell:
 *
 *   UIDVALIDITY   of every mailbox: a new one, and so all UIDs are new to a client (RFC 9051 §2.3.1.1)
 *   modseq        and the change log's floor with it: who asks since an older one, or one from the time that is lost, is
 *                 told everything (RFC 7162 §3.2.6, RFC 8620 §5.2)
 *   ids           of mailboxes and emails, which are never used again (RFC 8474 §4, §5), and of accounts
 *
 * Ids of bodies and of the queue come from the clock anyway (base/ids.h), and those of threads are the ids of the letters
 * that began them, so neither is ever another's. One transaction an account; to be called before
 * anybody is served. Again is fine: the counters jump once more. */
#pragma once
#include "vault/store/store.h"

/* Adds to *mailboxes. An account that has no rows is passed over. */
enum err account_renew(struct store *s, struct cx *cx, struct account_id account, int64_t now,
                       uint64_t *mailboxes, struct ticket *ticket);
/* What accounts share: the next account's id. */
enum err directory_renew(struct store *s, struct cx *cx, int64_t now, struct ticket *ticket);
