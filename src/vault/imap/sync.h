/* vault/imap/sync.h: telling the client what has changed in the selected mailbox, by others or by itself (RFC 9051 §5.2,
 * §7.4, §7.5; RFC 7162 §3.2.10; RFC 9586). */
#pragma once
#include "vault/imap/selected.h"

/* Takes the newest picture and says what is news, as much as one step allows; *done: that was all. To be called again
 * otherwise, before anything else is said of the mailbox. Without may_expunge nobody is said to be gone. If the
 * mailbox itself is gone, it says BYE. */
enum err sync_some(struct imap *i, bool may_expunge, bool *done);
void sync_forget(struct selected *s); /* one under way is given up */
