/* proto/imap_string.h: strings as IMAP writes them (RFC 9051 §4.3, §9 "string" and "nstring"). Pure; appends. */
#pragma once
#include "base/buf.h"

/* Quoted where it can be, else a literal: for bytes beyond ASCII (a client may not have asked for UTF-8), controls and
 * what is long. A NUL, which no IMAP string may hold, becomes a space. */
void imap_string_write(struct buf *out, struct str s);
void imap_nstring_write(struct buf *out, struct str s); /* s.p NULL: NIL. An empty str is "" */
