/* mail/transfer.h: transfer encodings (RFC 2045 §6), undone as the bytes come. Pure.
 *
 *     struct transfer t = transfer_begin(transfer_encoding_of(part_header));
 *     bytes = transfer_decode(&t, piece, &room);    // as often as there are pieces, cut anywhere
 *     bytes = transfer_end(&t, &room);
 *
 * Tolerant: in base 64 what is not of its alphabet is passed over (§6.8), and each padding ends a run, so that encoded
 * pieces which somebody joined are all read; in quoted-printable a "=" that begins no escape stands for itself, and white
 * space at a line's end is dropped (§6.7 (3)). */
#pragma once
#include "base/buf.h"

#define TRANSFER_HELD 1024 /* what may come out beyond the length of a piece */

enum transfer_encoding {
    TRANSFER_IDENTITY, /* 7bit, 8bit, binary, or nothing said */
    TRANSFER_QUOTED_PRINTABLE,
    TRANSFER_BASE64,
    TRANSFER_UNKNOWN /* some other word: IMAP's BINARY refuses it with UNKNOWN-CTE; decoding leaves it as it is */
};

/* By the first Content-Transfer-Encoding of a part's header. */
enum transfer_encoding transfer_encoding_of(struct str part_header);
enum transfer_encoding transfer_encoding_parse(struct str field); /* its body; empty: there is none */

struct transfer {
    enum transfer_encoding encoding; /* private, and the rest */
    uint32_t bits;
    unsigned have;
    struct buf held; /* quoted-printable: a beginning that the next piece may go on with */
};

struct transfer transfer_begin(enum transfer_encoding encoding);
/* The bytes of the next piece: the piece itself where nothing is encoded, else in *room, whose former content goes, and
 * whose limit is to be as long as the piece and TRANSFER_HELD at least. */
struct str transfer_decode(struct transfer *t, struct str piece, struct buf *room);
struct str transfer_end(struct transfer *t, struct buf *room); /* gives the memory back as well */
