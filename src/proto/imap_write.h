/* proto/imap_write.h: what a server writes (RFC 9051 §7, §9). Appends to a struct buf; pure.
 *
 * `utf8` as in imap_string.h, which has the strings: the client has enabled IMAP4rev2 or UTF8=ACCEPT. Otherwise names
 * go into modified UTF-7. */
#pragma once
#include "proto/imap_set.h"
#include "proto/imap_string.h"

#include "base/buf.h"

/* As an atom where it can be one (and is not "NIL"), else as a string. */
void imap_astring_write(struct buf *out, struct str s, bool utf8);
/* "{n}" CRLF, or "~{n}" CRLF: the n bytes are the caller's. */
void imap_literal_head(struct buf *out, uint64_t n);
void imap_literal8_head(struct buf *out, uint64_t n);

/* A name in its inner form (imap_name.h), as astring. */
void imap_mailbox_write(struct buf *out, struct str name, bool utf8);

/* The names of bits 8 to 63, row by row; .n 0: not in use. */
struct imap_keyword_names {
    const struct str *names;
    size_t count; /* at most 56 */
};
/* "\Seen $Junk", without brackets. Bits without a name are left out. */
void imap_flags_write(struct buf *out, uint64_t flags, const struct imap_keyword_names *keywords);
/* "(\Seen \Draft …)" */
void imap_flag_list_write(struct buf *out, uint64_t flags, const struct imap_keyword_names *keywords);
struct str imap_flag_name(uint32_t system_flag); /* "\Seen" */

/* date-time with its quotes: " 7-Feb-1994 22:43:04 -0800". */
void imap_date_time_write(struct buf *out, int64_t ms, int zone_minutes);
#define IMAP_DATE_TIME_SIZE 28
void imap_date_time_text(char out[IMAP_DATE_TIME_SIZE], int64_t ms, int zone_minutes);
/* date-text: "1-Feb-1994" */
void imap_date_write(struct buf *out, int32_t days);

/* "* OK [code] text" and "tag OK [code] text", with CRLF; an empty code: none. */
void imap_untagged(struct buf *out, const char *cond, struct str code, struct str text, bool utf8);
void imap_tagged(struct buf *out, struct str tag, const char *cond, struct str code, struct str text,
                 bool utf8);
/* resp-text's text: a control character becomes a space; what is not ASCII, or with utf8 not UTF-8, a "?". */
void imap_text_write(struct buf *out, struct str text, bool utf8);

/* Response codes with something in them, without brackets. */
void imap_code_appenduid(struct buf *out, uint32_t uid_validity, const struct imap_set *uids);
void imap_code_copyuid(struct buf *out, uint32_t uid_validity, const struct imap_set *from,
                       const struct imap_set *to);
/* RFC 9585 §4: so much is done, of so much; neither where `done` has reached the goal, which may be 0: not known. */
void imap_code_inprogress(struct buf *out, struct str tag, uint64_t done, uint64_t goal);

/* The names of FETCH items are written by imap_fetch.h, rights by imap_access.h. */
