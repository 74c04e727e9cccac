/* vault/imap/notify.h: NOTIFY (RFC 5465) and ENABLE METADATA (RFC 5464 §4.4): what a client hears without asking, of the
 * selected mailbox and of others. The command is in cmd_notify.c, the rest behind notify_impl.h.
 *
 * For each account that it listens to, a session remembers up to which modseq it has told; when the account has changed,
 * the change log says what is new. Names are compared with those that there were before: they are kept only for who wants
 * to hear of names. */
#pragma once
#include "vault/imap/imap.h"

struct imap_fetch;

/* What of the selected mailbox is told by itself, as IMAP_EVENT_ bits; everything if NOTIFY was never used. 0: not even
 * with a command (RFC 5465 §3.1). */
uint32_t notify_selected_events(const struct imap *i);
/* Is it told even while no command runs, and may that be that messages are gone? (§6.1) */
bool notify_tells_selected(const struct imap *i, bool *may_expunge);
/* What is told of new messages in it; NULL: nothing but that they are there (§5.2). */
const struct imap_fetch *notify_items_of_new(const struct imap *i);

/* ENABLE was said: annotations that others change are told from now on, if it named METADATA or METADATA-SERVER. */
enum err notify_enabled(struct imap *i);
/* What is new elsewhere. */
enum err notify_some(struct imap *i);
/* At the end of a step: the session's watches are those that NOTIFY needs. */
void notify_watch(struct imap *i);
void notify_end(struct imap *i);
