/* vault/imap/response.h: pieces of responses that several commands write. */
#pragma once
#include "vault/imap/place.h"
#include "vault/imap/selected.h"
#include "vault/store/letters.h"

/* Flags of one mailbox's messages as text: most messages have flags that others had a moment ago. */
#define FLAG_TEXT_MAX 200
struct flag_text {
    struct imap_keyword_names names;
    struct str rows[64 - FLAG_KEYWORD_FIRST];
    struct flag_words { /* private */
        uint64_t flags;
        bool begun, recent;
        uint16_t n; /* 0: too long for it */
        char text[FLAG_TEXT_MAX];
    } remembered[16];
};
void flag_text_begin(struct flag_text *t, const struct roster *r); /* the roster must outlive it */
/* "FLAGS (\Seen $Junk)", with \Recent where that is so. */
void flag_text_write(struct flag_text *t, const struct imap *i, struct buf *out,
                     const struct roster_entry *entry);

/* The same, to be copied: valid until the next call. False: it is longer than FLAG_TEXT_MAX. */
bool flag_text_find(struct flag_text *t, const struct imap *i, const struct roster_entry *entry,
                    struct str *text);
/* "MODSEQ (17)", behind a space if something stands before it. */
void modseq_write(struct buf *out, uint64_t modseq);

/* "* 5 FETCH (" or, with UIDONLY, "* 17 UIDFETCH (" (RFC 9586 §3.1). with_uid: and "UID 17 " in the former. */
void fetch_begin(const struct imap *i, struct buf *out, uint32_t number, uint32_t uid, bool with_uid);
void fetch_end(struct buf *out); /* ")" CRLF; a space at the end is taken back */

/* "* VANISHED (EARLIER) 1:3,7", several if need be; nothing for an empty set (RFC 7162 §3.2.10). `from`: which of the
 * set's ranges is next; true: that was all, false: enough for one step. */
bool vanished_write(struct imap *i, const struct imap_set *uids, bool earlier, size_t *from);

/* "* FLAGS (…)" and "* OK [PERMANENTFLAGS (…)]" (RFC 9051 §7.3.5, §7.1), if they are not what the client heard last: at
 * SELECT, and before a message has a keyword that the client has not heard of. */
void mailbox_flags_tell(struct imap *i, const struct roster *r);

/* Object ids (RFC 8474 §4 to §6), without brackets. */
void mailbox_id_write(struct buf *out, struct mailbox_ref at);
void email_id_write(struct buf *out, struct letter_id letter);
void thread_id_write(struct buf *out, uint64_t thread);

/* One of a LIST response's attributes, with a space before all but the first. */
void list_attribute_write(struct buf *out, struct str name, bool *first);
/* "(\HasNoChildren \Sent) "/" Sent": behind "* LIST ". */
void list_entry_write(struct imap *i, struct buf *out, const struct place *p);
/* ` ("OLDNAME" (INBOX))`, if the client spelled the name otherwise (RFC 9051 §6.3.9.7). */
void oldname_write(struct buf *out, struct str name, struct str given);
/* "* LIST (attributes) …" with that, for who may be sent it: a client of rev2. */
void oldname_say(struct imap *i, const char *attributes, struct str name, struct str given);
