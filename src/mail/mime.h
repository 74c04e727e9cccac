/* mail/mime.h: where the parts of a message lie (RFC 2045, RFC 2046).
 *
 *     struct mime m = mime_make();
 *     mime_feed(&m, piece);                 // as often as there are pieces, cut anywhere
 *     mime_end(&m);                         // m.parts, m.count
 *     mime_free(&m);
 *
 * One pass over the bytes as they come; what is kept does not grow with the message but with its parts, which are
 * limited. Broken mail always gives some tree and never an error: a boundary that never comes leaves an empty
 * multipart, an outer boundary closes whatever is open inside. No I/O; a struct belongs to one thread at a time. */
#pragma once
#include "base/buf.h"

/* Beyond these a multipart or a message inside is a leaf, so that nobody's walk over the tree is long or deep. */
#define MIME_PARTS_MAX 1000
#define MIME_DEPTH_MAX 50 /* the message itself has depth 0 */

enum mime_kind {
    MIME_LEAF,
    MIME_MULTIPART, /* its children are its body parts; there may be none */
    MIME_MESSAGE    /* message/rfc822 or message/global: one child, the message inside */
};

/* Offsets count from the message's first byte. The parts stand in order of their starts: each after its parent. */
struct mime_part {
    uint32_t parent; /* its index; the message itself, parts[0], has 0 */
    uint64_t start;  /* its header */
    uint64_t body;   /* behind the header's empty line */
    uint64_t
        end; /* behind its last byte: the line end before a boundary is not its own (RFC 2046 §5.1.1) */
    uint64_t lines; /* of its body; an open last line counts */
    uint32_t kind;
};

struct mime_open;

struct mime {
    struct mime_part *parts; /* valid after mime_end(), until mime_free() or mime_reset() */
    size_t count;
    bool utf8_header;     /* so far: some header, at any level, is not all ASCII (RFC 6532) */
    bool utf8_own_header; /* the message's own is not */
    bool is_cut;          /* beyond the limits there may be parts, and headers, that nobody looked at */
    size_t room;          /* private, and the rest */
    struct mime_open *open;
    size_t depth, open_room;
    struct buf boundaries, line, type, encoding;
    uint64_t line_start, line_length, line_count;
    unsigned last_line_end;
    bool last_line_empty, in_header, cr;
    int field;
};

struct mime mime_make(void);
void mime_free(struct mime *m);
void mime_reset(struct mime *m); /* for the next message; keeps its memory */
void mime_feed(struct mime *m, struct str piece);
void mime_end(struct mime *m);

/* Whether somebody else's tree is one that mime_feed() could have made of a message of that size, as far as can be
 * told without reading it: nested, ordered, inside the message and within the limits. */
bool mime_check(const struct mime_part *parts, size_t count, uint64_t size);
