/* proto/imap_string.h: strings as IMAP writes them (RFC 9051 §4.3, §9 "string" and "nstring"). Pure; appends.
 *
 * `utf8`: the client has enabled IMAP4rev2 or UTF8=ACCEPT, so quoted strings may hold UTF-8 (RFC 9051 §4.3, RFC 6855
 * §3). Otherwise bytes beyond ASCII go into literals (RFC 3501 §4.3). */
#pragma once
#include "base/buf.h"

/* Quoted where it can be, else a literal: for what may not be quoted, controls and what is long. A NUL, which no IMAP
 * string may hold, becomes a space. */
void imap_string_write_as(struct buf *out, struct str s, bool utf8);
void imap_nstring_write_as(struct buf *out, struct str s,
                           bool utf8); /* s.p NULL: NIL. An empty str is "" */
/* For whoever has asked for nothing: what is kept, and so must suit everybody. */
void imap_string_write(struct buf *out, struct str s);
void imap_nstring_write(struct buf *out, struct str s);
