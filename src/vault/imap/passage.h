/* vault/imap/passage.h: what is named by BODY[…], BINARY[…], RFC822 and its kin (RFC 9051 §6.4.5.1), on its way out.
 *
 * How long it is must be known before it is sent, and of a filtered header or a decoded part it is known only when all of
 * it has been read; so there are two passes over those, unless what comes out is short enough to be kept.
 *
 *     e = passage_open(&p, &reading, &att, &found);         // found false: NIL
 *     while (!e && !p.measured) e = passage_measure(&p, &reading);
 *     … p.n bytes …
 *     while (!e && p.left) e = passage_send(&p, &reading, out);
 *     passage_close(&p);
 *
 * Each of the calls in the loops reads a piece at most, so nothing grows with the length of a message. A passage may last
 * for several steps, each with its own reading of the message; att must last as long. */
#pragma once
#include "mail/section.h"
#include "vault/store/reading.h"

#define PASSAGE_KEPT (64 * 1024)

struct passage {
    bool measured;
    uint64_t size;                    /* of the whole section, as BINARY.SIZE wants it */
    uint64_t n;                       /* of what is asked for: what the literal's head says */
    uint64_t left;                    /* still to be sent */
    bool has_nul;                     /* of a BINARY section: it must be a literal8 */
    bool unknown_encoding;            /* instead of all this: NO [UNKNOWN-CTE] */
    const struct imap_fetch_att *att; /* private, and the rest */
    enum { PASSAGE_RAW, PASSAGE_FIELDS, PASSAGE_BINARY } kind;
    struct section_range range;
    uint64_t at, skip; /* read up to here; to be left out before the first byte that is sent */
    enum transfer_encoding encoding;
    bool crlf;
    struct header_filter filter;
    struct binary binary;
    struct buf room, kept;
};

enum err passage_open(struct passage *p, struct reading *r, const struct imap_fetch_att *att,
                      bool *found);
enum err passage_measure(struct passage *p, struct reading *r);
enum err passage_send(struct passage *p, struct reading *r, struct buf *out);
void passage_close(struct passage *p); /* again is fine */
