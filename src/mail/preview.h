/* mail/preview.h: the first words of a message, for lists (RFC 8970, RFC 8621 §4.1.4 "preview"). Pure. */
#pragma once
#include "mail/imap_structure.h"

#define PREVIEW_CHARACTERS 200 /* RFC 8970 §3.2: no more than 200 is right for most, 256 is the most */

/* Appends UTF-8 on one line without controls: the beginning of the first text/plain part that is no attachment, else
 * of the first text/html part without its markup. Nothing if there is neither, or its charset is not known. False:
 * the source could not be read. */
bool preview_write(struct buf *out, const struct mime_part *parts, size_t count,
                   const struct mime_source *source);
