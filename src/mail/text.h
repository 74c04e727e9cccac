/* mail/text.h: the text of a message, as people read it, for SEARCH and for the full-text index.
 *
 *     struct message_text t = message_text_make();
 *     message_text_begin(&t, parts, count, &source, TEXT_BODY);
 *     while (message_text_next(&t, &text))
 *         …
 *     if (t.failed) …                          // the source could not be read
 *     message_text_free(&t);
 *
 * What it holds (RFC 9051 §6.4.4 lets servers be flexible):
 *   TEXT_HEADER  the message's own header, each field on one line, encoded words decoded
 *   TEXT_PARTS   the MIME headers of its parts, in the same manner
 *   TEXT_BODY    the bodies of text parts, transfer encoding and charset undone, HTML without its markup (html.h); and the
 *                headers of messages inside, which are part of the body (TEXT and BODY both find a forwarded Subject)
 * SEARCH BODY is TEXT_BODY, SEARCH TEXT all three. A text in a charset that is not known is given with U+FFFD for
 * what is not UTF-8. Parts that are no text (images, archives) are passed over; so is what stands between the parts, and
 * what a header holds beyond TEXT_HEADER_MAX.
 *
 * Pieces are UTF-8, cut at characters. A lone line feed stands between two parts, so that nothing matches across.
 * Memory is bounded: a few pieces of TEXT_PIECE. Pure; a struct belongs to one thread at a time, and may be put aside
 * between two calls. */
#pragma once
#include "mail/charset.h"
#include "mail/html.h"
#include "mail/imap_structure.h"
#include "mail/transfer.h"

#define TEXT_PIECE (64 * 1024)
#define TEXT_HEADER_MAX (256 * 1024)

enum { TEXT_HEADER = 1, TEXT_PARTS = 2, TEXT_BODY = 4, TEXT_ALL = 7 };

struct message_text {
    bool failed;
    const struct mime_part *parts; /* private, and the rest */
    size_t count, part;
    const struct mime_source *source;
    unsigned what;
    int state;
    bool is_html;
    uint64_t at; /* of the part's body: up to here it was read */
    struct transfer transfer;
    struct charset_decoder charset;
    struct html html;
    struct buf raw, bytes, text, bare;
};

struct message_text message_text_make(void);
/* Again for another message is fine, and keeps the memory. */
void message_text_begin(struct message_text *t, const struct mime_part *parts, size_t count,
                        const struct mime_source *source, unsigned what);
void message_text_free(struct message_text *t);
/* The next piece, which is not empty and lives until the next call. False: the end, or the source failed. */
bool message_text_next(struct message_text *t, struct str *text);
