/* proto/imap_fetch.h: FETCH and UID FETCH (RFC 9051 §6.4.5, §7.5.2; RFC 3501 §6.4.5; RFC 3516, 7162, 8474, 8514, 8970,
 * 9394). Macros come as the items they stand for. */
#pragma once
#include "proto/imap_args.h"

/* An item, and its bit in imap_fetch.items: so a handler that needs only simple ones need not walk the list. Those
 * before IMAP_ATT_RFC822 stand in the list once, whatever the client wrote. */
enum imap_att {
    IMAP_ATT_UID,
    IMAP_ATT_FLAGS,
    IMAP_ATT_INTERNALDATE,
    IMAP_ATT_SAVEDATE, /* RFC 8514 */
    IMAP_ATT_RFC822_SIZE,
    IMAP_ATT_MODSEQ, /* RFC 7162 */
    IMAP_ATT_EMAILID,
    IMAP_ATT_THREADID, /* RFC 8474 */
    IMAP_ATT_ENVELOPE,
    IMAP_ATT_BODY, /* without a section: the short structure */
    IMAP_ATT_BODYSTRUCTURE,
    IMAP_ATT_PREVIEW,       /* RFC 8970; imap_fetch_att.lazy */
    IMAP_ATT_RFC822,        /* BODY[], which sets \Seen; RFC 3501 */
    IMAP_ATT_RFC822_HEADER, /* BODY.PEEK[HEADER] */
    IMAP_ATT_RFC822_TEXT,   /* BODY[TEXT], sets \Seen */
    IMAP_ATT_BODY_SECTION,  /* BODY[…], with .peek and .section */
    IMAP_ATT_BINARY,        /* BINARY[…]: only .section.part is used (RFC 3516, RFC 9051) */
    IMAP_ATT_BINARY_SIZE,
    IMAP_ATT_COUNT
};
#define IMAP_ATT_BIT(att) (UINT32_C(1) << (att))
/* Items that do not need the message's cold row nor its body. */
#define IMAP_ATT_HOT                                                                                   \
    (IMAP_ATT_BIT(IMAP_ATT_UID) | IMAP_ATT_BIT(IMAP_ATT_FLAGS) | IMAP_ATT_BIT(IMAP_ATT_INTERNALDATE) | \
     IMAP_ATT_BIT(IMAP_ATT_SAVEDATE) | IMAP_ATT_BIT(IMAP_ATT_RFC822_SIZE) |                            \
     IMAP_ATT_BIT(IMAP_ATT_MODSEQ))

#define IMAP_SECTION_DEPTH_MAX 51 /* of every part of a MIME tree (mail/section.c) */
#define IMAP_SECTION_FIELDS_MAX 200
#define IMAP_FETCH_ATTS_MAX 200

struct imap_section {
    const uint32_t *part; /* "1.2.3"; none: the message itself */
    size_t part_depth;
    enum imap_section_text {
        IMAP_SECTION_ALL, /* nothing named: all of the part */
        IMAP_SECTION_HEADER,
        IMAP_SECTION_FIELDS,     /* HEADER.FIELDS (…) */
        IMAP_SECTION_FIELDS_NOT, /* HEADER.FIELDS.NOT (…) */
        IMAP_SECTION_TEXT,
        IMAP_SECTION_MIME /* with a part only */
    } text;
    const struct str *fields; /* as written; compare without case */
    size_t field_count;
};

struct imap_fetch_att {
    enum imap_att att;
    bool peek;
    bool lazy; /* PREVIEW (LAZY) */
    struct imap_section section;
    bool has_partial; /* "<first.count>"; count is never 0 */
    uint64_t partial_first, partial_count;
};

/* PARTIAL's range (RFC 9394), here and in SEARCH: from the front 1:10, or from the end -1:-10. */
struct imap_partial {
    bool given, from_end;
    bool backwards;       /* 10:1 was written */
    uint32_t first, last; /* first <= last, counted from 1 from that side */
};

struct imap_fetch {
    struct imap_set set;
    uint32_t items; /* IMAP_ATT_BIT of each att */
    /* In the client's order, which is as good as any for the response; UID stands first if the command was UID FETCH
     * and did not name it (RFC 9051 §6.4.9), MODSEQ last if CHANGEDSINCE asks for it (RFC 7162 §3.1.4.1). */
    const struct imap_fetch_att *atts;
    size_t att_count;
    bool uid_unasked; /* it stands there only because of that */
    bool sets_seen;   /* some att is BODY[…], BINARY[…], RFC822 or RFC822.TEXT without PEEK */
    bool has_changed_since;
    uint64_t changed_since;
    bool
        vanished; /* RFC 7162 §3.2.6: with UID and CHANGEDSINCE only, else BAD; that QRESYNC is enabled is yours */
    struct imap_partial partial; /* with UID only (RFC 9394 §3.3) */
};
bool parse_imap_fetch(struct imap_parse *p, struct str args, bool uid, struct imap_fetch *out);

/* "BODY[1.HEADER.FIELDS (To)]<0>", "BINARY.SIZE[2]", "RFC822.TEXT": the item's name as a FETCH response spells it;
 * `utf8` as in imap_write.h. */
void imap_fetch_att_write(struct buf *out, const struct imap_fetch_att *att, bool utf8);

/* What stands inside BODY[…]: for URLs too (imap_append.h). All of `in` must be read. */
void imap_section_write(struct buf *out, const struct imap_section *section, bool utf8);
bool parse_imap_section(struct imap_parse *p, struct str in, struct imap_section *out);

/* For the other parsers: "(" fetch-att *(SP fetch-att) ")" of NOTIFY and UPDATE (RFC 5465 §5.2, §5.5), into the
 * fields items, atts, att_count and sets_seen. */
bool take_imap_fetch_atts(struct imap_parse *p, struct str *in, struct imap_fetch *out);
bool take_imap_partial(struct imap_parse *p, struct str *in, struct imap_partial *out);
