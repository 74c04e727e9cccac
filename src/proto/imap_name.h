/* proto/imap_name.h: names of mailboxes (RFC 9051 §5.1, RFC 3501 §5.1.3, RFC 6855 §3).
 *
 * Inside we know one form: UTF-8 in composed characters (NFC), levels divided by "/", "INBOX" in capitals where it is the first level. On the wire
 * it is that form once IMAP4rev2 or UTF8=ACCEPT is enabled, else modified UTF-7. Pure. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"

#define IMAP_DELIMITER '/'
#define IMAP_NAME_MAX 1000      /* bytes of a full name, UTF-8 */
#define IMAP_NAME_LEVEL_MAX 255 /* bytes of one level: what file names and other servers hold */
#define IMAP_NAME_LEVELS_MAX 20

/* Modified UTF-7 (RFC 3501 §5.1.3). Decoding is strict: shifts that were not needed, surrogates alone, bits left over
 * and 8-bit bytes are false, for two spellings of one name would be two names to some. */
bool imap_utf7_decode(struct buf *out, struct str in);
void imap_utf7_encode(struct buf *out, struct str utf8); /* must be well-formed UTF-8 */

/* From the wire to the inner form, in the arena: decoded, composed (NFC), INBOX in capitals. So every command knows a
 * mailbox by whatever spelling it was made with (RFC 9051 §5.1). Does not say whether such a mailbox may be made. NULL:
 * fine; otherwise the reason ("the mailbox name is not valid modified UTF-7"). A name in UTF-8 that comes without having
 * been enabled is taken as it is (kind to clients that skip ENABLE). Patterns of LIST are read so too: "*" and "%" stay
 * as they are. */
const char *imap_name_read(struct arena *a, struct str wire, bool utf8_names, struct str *name);
/* Its two halves: as the client wrote it, in UTF-8; and what is meant by that. */
const char *imap_name_decode(struct arena *a, struct str wire, bool utf8_names, struct str *name);
struct str imap_name_normal(struct arena *a, struct str name);

/* May a mailbox be made under this name? NULL: yes; else why not. No empty level, none of "." or "..", no control
 * character, U+2028 or U+2029, no byte order mark in front, nothing that is no character or not assigned (RFC 9051 §5.1,
 * RFC 5198 §2), no "*" or "%" (which LIST could not name), the limits above. */
const char *imap_name_check(struct str name);

bool imap_name_is_inbox(struct str name);     /* "INBOX", in any case */
struct str imap_name_parent(struct str name); /* without the last level; empty at the top */
struct str imap_name_leaf(struct str name);   /* the last level */
bool imap_name_is_below(struct str name,
                        struct str parent); /* strictly; an empty parent is above everything */
size_t imap_name_levels(struct str name);
/* The next level of a name, from the front: for walking down a tree. */
bool take_imap_name_level(struct str *name, struct str *level);

/* reference and pattern joined as RFC 9051 §6.3.9 has it: put one after the other (a pattern that begins with "/"
 * stands alone). In the arena. */
struct str imap_pattern_join(struct arena *a, struct str reference, struct str pattern);
/* "*" matches anything, "%" anything but "/"; INBOX without case. Time grows with the product of both lengths at
 * worst, never more. */
bool imap_pattern_matches(struct str pattern, struct str name);
/* Could the pattern match something below this name? For not walking into what cannot match. */
bool imap_pattern_may_match_below(struct str pattern, struct str name);
