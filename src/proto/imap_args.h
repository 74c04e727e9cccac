/* proto/imap_args.h: a command's name, and its arguments as structs (RFC 9051 §6 and the extensions).
 *
 *     if (!parse_imap_command(text, &c)) … BAD …
 *     row = the core's own table, by c.name …
 *     struct imap_parse p = imap_parse_make(arena, utf8_names);
 *     if (!parse_imap_store(&p, c.args, c.uid, &store))
 *         p.code ? "NO [p.code] p.why" : "BAD p.why"
 *
 * Every parse_imap_x() takes the whole text behind the command's name, leading space included, and wants all of it
 * read. Names of mailboxes come in their inner form (imap_name.h), but unchecked (imap_name_check()). Strings point
 * into the text, which must outlive them, or into p->arena. On false *out is worth nothing.
 *
 * Larger commands have headers of their own: imap_append.h (APPEND, REPLACE), imap_fetch.h, imap_search.h (SEARCH,
 * SORT, THREAD, ESEARCH), imap_list.h (LIST, LSUB, STATUS), imap_notify.h, imap_access.h (ACL, QUOTA, METADATA).
 *
 * Kind where it harms nobody: one or more spaces at the end of a command (several clients), and what each parser
 * says. Elsewhere SP is one space, as RFC 9051 §9 note 2 demands. */
#pragma once
#include "proto/imap_name.h"
#include "proto/imap_set.h"

struct imap_command {
    struct str tag;
    struct str name; /* the word as written, without "UID": compare with str_same_nocase() */
    bool uid;        /* "UID" stood before it */
    struct str args; /* what follows, from the space on; empty if nothing does */
};

/* command = tag SP name …. False: not even that; out->tag is what could be read of a tag (maybe empty), for the BAD. */
bool parse_imap_command(struct str text, struct imap_command *out);

/* CAPABILITY, NOOP, LOGOUT, STARTTLS, IDLE, NAMESPACE, CLOSE, UNSELECT, EXPUNGE, CHECK, UNAUTHENTICATE: nothing. */
bool parse_imap_no_args(struct imap_parse *p, struct str args);

struct imap_login {
    struct str userid, password; /* any bytes but NUL; the SASLprep is whoever's that checks it */
};
bool parse_imap_login(struct imap_parse *p, struct str args, struct imap_login *out);

/* RFC 9051 §6.2.2, RFC 4959 */
struct imap_authenticate {
    struct str mechanism;
    bool has_initial;
    struct str initial; /* decoded; empty for "=" */
};
bool parse_imap_authenticate(struct imap_parse *p, struct str args, struct imap_authenticate *out);

/* RFC 2971 §3.1, §3.3: at most 30 pairs, names of 30 bytes, values of 1024. Too much of it is BAD. NIL: count 0. */
#define IMAP_ID_PAIRS_MAX 30
struct imap_id {
    struct imap_id_pair {
        struct str field, value; /* value.p NULL: NIL */
    } pairs[IMAP_ID_PAIRS_MAX];
    size_t count;
};
bool parse_imap_id(struct imap_parse *p, struct str args, struct imap_id *out);

/* RFC 5161: what is not known is ignored, so the result is only words; imap_enable_bits() (imap_capability.h). */
struct imap_enable {
    const struct str *capabilities;
    size_t count;
};
bool parse_imap_enable(struct imap_parse *p, struct str args, struct imap_enable *out);

/* SELECT and EXAMINE, with CONDSTORE and QRESYNC (RFC 7162 §3.1.8, §3.2.5). */
struct imap_select {
    struct str mailbox;
    bool condstore;
    bool qresync;
    uint32_t uid_validity; /* with qresync, from here on */
    uint64_t modseq;       /* never 0 */
    bool has_known_uids;
    struct imap_set known_uids; /* in order */
    bool has_match;
    /* seq-match-data: the nth number of one belongs to the nth of the other, so both are as written: ascending
     * ranges; and of equal size (else BAD). Walk them side by side with imap_set_next(). */
    struct imap_set known_seqs, known_seq_uids;
};
bool parse_imap_select(struct imap_parse *p, struct str args, struct imap_select *out);

/* Special uses (RFC 6154, RFC 8457), as bits. */
enum {
    IMAP_USE_ALL = 1,
    IMAP_USE_ARCHIVE = 2,
    IMAP_USE_DRAFTS = 4,
    IMAP_USE_FLAGGED = 8,
    IMAP_USE_JUNK = 16,
    IMAP_USE_SENT = 32,
    IMAP_USE_TRASH = 64,
    IMAP_USE_IMPORTANT = 128,
};
struct str imap_use_name(uint32_t one_bit); /* "\Sent" */
/* "\Sent \Drafts", or nothing: the value of /private/specialuse (RFC 6154 §4). */
bool parse_imap_uses(struct imap_parse *p, struct str in, uint32_t *out);

struct imap_create {
    struct str mailbox; /* without the "/" that a client may put at the end (RFC 9051 §6.3.4) */
    bool
        only_as_parent; /* that "/" was there: no mailbox need be made, only names below are meant to come */
    uint32_t special_uses; /* CREATE-SPECIAL-USE. Another use than those above is NO [USEATTR] */
};
bool parse_imap_create(struct imap_parse *p, struct str args, struct imap_create *out);

/* DELETE, SUBSCRIBE, UNSUBSCRIBE, GETACL, MYRIGHTS, GETQUOTAROOT */
bool parse_imap_mailbox(struct imap_parse *p, struct str args, struct str *mailbox);

struct imap_rename {
    struct str from, to;   /* to: without a "/" at the end */
    struct str from_given; /* as the client spelled it */
};
bool parse_imap_rename(struct imap_parse *p, struct str args, struct imap_rename *out);

/* STORE and UID STORE (RFC 9051 §6.4.6, RFC 7162 §3.1.3) */
struct imap_store {
    struct imap_set set;
    enum imap_store_how { IMAP_STORE_REPLACE, IMAP_STORE_ADD, IMAP_STORE_REMOVE } how;
    bool silent;
    bool has_unchanged_since;
    uint64_t unchanged_since; /* may be 0: then nothing with a modseq matches */
    struct imap_flags flags;
};
bool parse_imap_store(struct imap_parse *p, struct str args, struct imap_store *out);

/* COPY and MOVE, with and without UID */
struct imap_copy {
    struct imap_set set;
    struct str mailbox;
};
bool parse_imap_copy(struct imap_parse *p, struct str args, struct imap_copy *out);

/* UID EXPUNGE (RFC 4315); EXPUNGE has parse_imap_no_args() */
bool parse_imap_uid_expunge(struct imap_parse *p, struct str args, struct imap_set *out);

/* COMPRESS (RFC 4978): the one algorithm is DEFLATE; another is BAD. */
bool parse_imap_compress(struct imap_parse *p, struct str args);

/* CANCELUPDATE (RFC 5267 §4.3.5): tags */
struct imap_cancel_update {
    const struct str *tags;
    size_t count;
};
bool parse_imap_cancel_update(struct imap_parse *p, struct str args, struct imap_cancel_update *out);

/* For the parsers in imap_*.c: mailbox = "INBOX" / astring, in its inner form. A name that is no name is NO
 * [CANNOT], not BAD: it is known not to exist. */
bool take_imap_mailbox(struct imap_parse *p, struct str *in, struct str *name);
/* The end of a command: nothing but spaces. */
bool take_imap_end(struct imap_parse *p, struct str *in);
