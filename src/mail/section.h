/* mail/section.h: the parts of a message as IMAP addresses them (RFC 9051 §6.4.5.1): "1.2.HEADER.FIELDS (Subject)".
 *
 * A message is `prefix` bytes of header lines (Return-Path and the like) and, behind them, the body that the part tree
 * was made of; a range counts from the first byte of the prefix. Pure. */
#pragma once
#include "mail/imap_structure.h"
#include "mail/transfer.h"
#include "proto/imap_fetch.h"

struct section_range {
    uint64_t at, n; /* of the message */
    size_t part;    /* whose it is: its index in the tree */
};

/* False: the message has no such part, and the answer is NIL. A HEADER.FIELDS section gives the whole header, to be
 * passed through a header_filter. The tree must have passed mime_check(). */
bool section_find(const struct imap_section *s, const struct mime_part *parts, size_t count,
                  uint64_t prefix, struct section_range *out);
/* BINARY[…]: the same range; *encoding is the one to undo, TRANSFER_UNKNOWN the reason to answer UNKNOWN-CTE. Of the whole
 * message and of multiparts nothing is undone, for they are not encoded themselves (RFC 2045 §6.4). *crlf: it is text,
 * in which a lone LF is to become CRLF, also where nothing is to be undone (RFC 9051 §7.5.2). *failed: the source, of the
 * body alone, could not be read. */
bool section_find_binary(const struct imap_section *s, const struct mime_part *parts, size_t count,
                         uint64_t prefix, const struct mime_source *source, struct section_range *out,
                         enum transfer_encoding *encoding, bool *crlf, bool *failed);

/* BINARY's bytes: what the transfer encoding hides, lines ended by CRLF where told so. For the size they are counted. */
struct binary {
    struct transfer transfer; /* private, all of it */
    bool crlf, cr;
    struct buf room;
};
struct binary binary_begin(enum transfer_encoding encoding, bool crlf);
struct str binary_next(struct binary *b, struct str piece, struct buf *room); /* as transfer_decode() */
struct str binary_end(struct binary *b, struct buf *room);                    /* frees */

/* HEADER.FIELDS and HEADER.FIELDS.NOT: of a header that comes in pieces, cut anywhere, the lines to be shown. The empty
 * line at the end, where there is one, is always shown. Appends. */
#define HEADER_FILTER_NAME 256 /* a longer field name is none that was asked for */
struct header_filter {
    const struct str *names; /* private, all of it */
    size_t count;
    bool except, show;
    int state;
    unsigned short begun_n;
    char begun[HEADER_FILTER_NAME]; /* of a line of which it is not yet known whether it is shown */
};
/* The section's fields outlive the filter. */
struct header_filter header_filter_begin(const struct imap_section *s);
void header_filter_feed(struct header_filter *f, struct str piece, struct buf *out);
void header_filter_end(struct header_filter *f, struct buf *out);
