/* mail/imap_structure.h: how IMAP describes a message (RFC 9051 §7.5.2): ENVELOPE and BODYSTRUCTURE as text, made once
 * from headers and the part tree, and kept beside the email.
 *
 * Pure: the bytes of headers come from a source the caller gives. A source may hold something else than the tree was
 * made of: then the text is odd, but well-formed. */
#pragma once
#include "mail/mime.h"

/* More of a header than this is not read: what it says further down is not shown in lists. */
#define MIME_HEADER_READ_MAX (64 * 1024)

struct mime_source {
    /* Appends the bytes from `at` on, n of them or up to the message's end. False: they cannot be read. */
    bool (*read)(void *ctx, uint64_t at, size_t n, struct buf *out);
    void *ctx;
    struct str whole; /* .p not NULL: all of the message is in memory, and need not be copied from */
};

/* A message that is whole in memory; *message lives as long as the source. */
struct mime_source mime_source_of(struct str *message);

/* The bytes from `at` on, n of them or up to the message's end: where they lie, or in `room`, which is emptied. */
bool mime_bytes(const struct mime_source *source, uint64_t at, uint64_t n, struct buf *room,
                struct str *out);
/* Part i's header, at most MIME_HEADER_READ_MAX of it: the same way; or appended. */
bool mime_header(const struct mime_part *parts, size_t i, const struct mime_source *source,
                 struct buf *room, struct str *out);
bool mime_read_header(const struct mime_part *parts, size_t i, const struct mime_source *source,
                      struct buf *out);

/* Kept texts suit every client, what is not ASCII standing in literals, but for one thing: parameters that told their
 * charset (RFC 2231) are kept as "name*" "utf-8''caf%C3%A9", which IMAP4rev1's clients know how to read. A client that has
 * enabled IMAP4rev2 is to be given "name*" and the value as UTF-8 (RFC 9051 §7.5.2): that is what this makes of a
 * BODYSTRUCTURE or BODY that was kept. Appends; what is no list goes as it is. */
void imap_structure_decode(struct buf *out, struct str structure);

/* "(date subject from sender reply-to to cc bcc in-reply-to message-id)" of a header block. */
void imap_envelope_write(struct buf *out, struct str header);

/* The tree must have passed mime_check(). extended: BODYSTRUCTURE, else BODY. False: the source could not be read;
 * *out holds a part. */
bool imap_structure_write(struct buf *out, const struct mime_part *parts, size_t count,
                          const struct mime_source *source, bool extended);

/* BODY of a BODYSTRUCTURE that imap_structure_write() made: the same without extension data. What is no such text gives
 * some text. */
void imap_structure_shorten(struct buf *out, struct str bodystructure);
