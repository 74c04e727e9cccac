/* mail/charset.h: text in the character sets of mail, as UTF-8. Pure; tables are built in, since the rooms' roots hold
 * no files to load them from. */
#pragma once
#include "base/buf.h"

/* Appends. False, with nothing appended: the charset is not known here. Bytes that are none of its characters become
 * U+FFFD. An empty name is US-ASCII; US-ASCII beyond 127 is read as UTF-8, which it then most often is. */
bool charset_to_utf8(struct buf *out, struct str charset, struct str bytes);
