/* vault/imap/news.h: FETCH responses for new messages, as NOTIFY chooses their items (RFC 5465 §5.2), or UPDATE (§7).
 *
 * Both may want something of the same message: it is told in one response, after every ADDTO (§5.2: MUST; §7 has it before
 * them, which cannot be had as well). */
#pragma once
#include "proto/imap_fetch.h"
#include "vault/imap/imap.h"

/* These items of these messages, with the next news_some(). The set is copied; items must live until all is told. */
void news_want(struct imap *i, const struct imap_fetch *items, const struct imap_set *uids);
bool news_some(struct imap *i); /* as much as one step allows; true: that was all */
void news_end(struct imap *i);
