/* vault/store/messages.h: what IMAP (and later JMAP) does with messages: flags, copies, removal, new ones.
 *
 * Each function is one transaction, with one modseq and one entry in the change log for each account that it changes,
 * however many messages it touches. It gives the ticket: nobody is told before that is durable. Sets of UIDs are in
 * order (imap_set_resolve). UIDs that are not there any more, because somebody else removed them meanwhile, are passed
 * over; the results say what was there. Results live in cx->arena.
 *
 * Errors that all may give: ERR_NOT_FOUND (the account or a mailbox has gone, or is \Noselect: TRYCREATE where it was to
 * receive), ERR_STORE, ERR_DAMAGED. A block of messages that cannot be read is passed over like messages that are
 * gone; a mailbox whose own row cannot be read is ERR_DAMAGED. Safe from any thread. */
#pragma once
#include "proto/imap_set.h"
#include "vault/store/body.h"
#include "vault/store/store.h"

struct mailbox_ref { /* one mailbox of one account */
    struct account_id account;
    struct mailbox_id mailbox;
};

static inline bool mailbox_ref_same(struct mailbox_ref a, struct mailbox_ref b)
{
    return a.account.v == b.account.v && a.mailbox.v == b.mailbox.v;
}

/* ---- flags (RFC 9051 §6.4.6, RFC 7162 §3.1.3) ---- */

/* Flags as they are spelled: the system's as FLAG_ bits, keywords by name. A name that the mailbox does not have yet is
 * added to its list; ERR_LIMIT when 56 are in use. Keywords have no case; the spelling that came first stays. */
struct flag_names {
    uint64_t system; /* FLAG_SEEN | … */
    const struct str *keywords;
    size_t keyword_count;
};
#define KEYWORD_MAX 100 /* bytes of a keyword's name; a longer one is ERR_LIMIT */

enum flags_how { FLAGS_REPLACE, FLAGS_ADD, FLAGS_REMOVE };

struct flags_change {
    enum flags_how how;
    struct flag_names flags;
    uint64_t keep; /* bits that REPLACE leaves as they are (whose right is missing, RFC 4314 §4) */
    bool has_unchanged_since; /* UNCHANGEDSINCE */
    uint64_t unchanged_since;
    uint64_t heard_modseq; /* up to which whoever asks has heard of changes: for `unheard` */
};

/* Sets of UIDs, in cx->arena. */
struct flags_result {
    uint64_t modseq;         /* of the change; 0: nothing had to be changed */
    uint64_t modseq_before;  /* of the mailbox */
    struct imap_set there;   /* all of the set that are there, but those of `failed` */
    struct imap_set changed; /* of those; their modseq is the one above */
    struct imap_set unheard; /* of the changed ones: where a change came before that was not heard of */
    struct imap_set failed;  /* modified since `unchanged_since`: MODIFIED (RFC 7162 §3.1.3) */
    bool
        new_keywords; /* the mailbox has keywords that it had not before: FLAGS and PERMANENTFLAGS first */
};
enum err messages_set_flags(struct store *s, struct cx *cx, struct mailbox_ref at,
                            const struct imap_set *uids, const struct flags_change *change,
                            struct flags_result *out, struct ticket *ticket);

/* ---- copies (RFC 9051 §6.4.7, §6.4.8) ---- */

struct copied {
    struct imap_set from; /* UIDs that were there */
    uint32_t to_first,
        to_last;  /* what they are in the other mailbox, in the same order, without gaps */
    size_t count; /* 0: nothing was there, and nothing was changed */
    uint32_t to_uid_validity;
    uint64_t modseq; /* of the mailbox they were moved away from; MOVE only */
};
/* A copy is a new email with the same content, thread, flags and internal date; its save date is now (RFC 8514). It
 * counts for the quota of the account that receives: ERR_OVER_QUOTA, and nothing is copied. Keywords go by name;
 * ERR_LIMIT if the other mailbox can hold no more. Both may be the same mailbox. may_have: flags that the copies may have,
 * keywords by any of their bits (RFC 4314 §4). */
enum err messages_copy(struct store *s, struct cx *cx, struct mailbox_ref from,
                       const struct imap_set *uids, struct mailbox_ref to, uint64_t may_have,
                       struct copied *out, struct ticket *ticket);
/* Within an account the email stays what it is and only its place changes; to another account it is copied and removed
 * in one transaction. Always all or nothing. */
enum err messages_move(struct store *s, struct cx *cx, struct mailbox_ref from,
                       const struct imap_set *uids, struct mailbox_ref to, uint64_t may_have,
                       struct copied *out, struct ticket *ticket);

/* ---- removal (RFC 9051 §6.4.3, §6.4.9) ---- */

struct removed {
    struct imap_set uids;
    uint64_t modseq; /* 0: nothing was there to be removed */
};
/* uids NULL: all. What is removed can still be read (message_find) until the collector's grace is over. */
enum err messages_remove(struct store *s, struct cx *cx, struct mailbox_ref at,
                         const struct imap_set *uids,
                         bool only_deleted /* with \Deleted: EXPUNGE, CLOSE */, struct removed *out,
                         struct ticket *ticket);

/* ---- new messages (RFC 9051 §6.3.12, RFC 3502, RFC 8508) ---- */

struct new_message {
    /* The body. Pieces may have gone ahead (body_put_ahead, a transaction of its own), all of them even, which keeps
     * memory bounded: then body.last is empty. The looks come from vault/accept/looks.h. */
    struct new_body body;
    const struct cold_row *looks;
    struct str facts; /* beside them */
    struct flag_names flags;
    int64_t internal_date;
};

struct added {
    uint32_t first_uid; /* of n messages, without gaps, in the order given */
    uint32_t uid_validity;
    uint64_t modseq;
    uint64_t removed_modseq; /* replace: of the removal */
};
/* All of them or none. ERR_OVER_QUOTA, ERR_LIMIT (keywords, UIDs). When it fails, pieces that went ahead are still
 * there: take them back with body_forget(). */
enum err messages_append(struct store *s, struct cx *cx, struct mailbox_ref at,
                         const struct new_message *v, size_t n, struct added *out,
                         struct ticket *ticket);
/* The new message comes and the old one goes, at once. ERR_GONE: the old one has gone already, and nothing is done. */
enum err messages_replace(struct store *s, struct cx *cx, struct mailbox_ref from, uint32_t uid,
                          struct mailbox_ref to, const struct new_message *m, struct added *out,
                          struct ticket *ticket);

/* ---- \Recent (RFC 3501 §2.3.2) ---- */

/* A session selects the mailbox: messages with UIDs ≥ *first are recent to it, and to no session after it. EXAMINE only
 * looks (take false). Nobody needs to wait for it: what a power cut forgets is recent once more; until then others are
 * told by what was taken, durable or not. */
enum err mailbox_recent(struct store *s, struct cx *cx, struct mailbox_ref at, bool take,
                        uint32_t *first);
