/* vault/pop3/surrogate.h: a header with UTF-8 in it, for a client that did not ask for that (RFC 6856 §2.1).
 *
 * Each word with a character outside ASCII becomes an encoded word (RFC 2047 §2), wherever it stands. In the text of
 * a Subject that is what the sender would have written; inside an address it is what RFC 6857 §3.1.10 falls back to:
 * nobody can answer to it, but everybody sees who it was. Nothing is lost, which counts with clients that delete
 * what they fetched. Octets that are no UTF-8 leave as "?".
 *
 * RFC-GAP: RFC 6856 §2.1 would have LIST tell the surrogate's size (SHOULD): that would take reading every header at
 * sign-on. A body leaves as it is, as it always did in POP3 (8BITMIME). Pure. */
#pragma once
#include "base/buf.h"

void surrogate_write(struct buf *out, struct str header);

/* No more than this comes of n bytes: every second one a word of its own. */
#define SURROGATE_MAX(n) ((n)*10 + 64)
