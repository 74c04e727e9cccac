/* vault/imap/news.h: FETCH responses for new messages, as NOTIFY chooses their items (RFC 5465 §5.2), or UPDATE (§7). */
#pragma once
#include "proto/imap_fetch.h"
#include "vault/imap/imap.h"

/* The set is copied; items must live until all is told. While some are still being told, nothing. */
void news_begin(struct imap *i, const struct imap_fetch *items, const struct imap_set *uids);
bool news_some(struct imap *i); /* as much as one step allows; true: that was all */
void news_end(struct imap *i);
