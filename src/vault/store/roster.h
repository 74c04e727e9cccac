/* vault/store/roster.h: a mailbox in memory.
 *
 * A *roster* is a picture of one mailbox at one moment, durable and never changed: which messages there are, with
 * their flags, sizes and dates. It is counted by references and shared by all sessions that look at the mailbox; the
 * next picture shares with it everything that is still the same. Hold one while a command runs, and no longer: the
 * cache can only give back what nobody holds. (A POP3 session keeps the one it began with: its maildrop must not change.)
 *
 * What a session remembers between commands is much smaller: *known UIDs*, which UIDs its client knows and up to which
 * modseq. They give message numbers their meaning (RFC 9051 §2.3.1.2), and comparing them with a newer roster gives all
 * that the client is to be told. Known UIDs are counted by references too and never changed.
 *
 *     known = known_of(roster);                              // SELECT
 *     …
 *     roster_get(store, cx, account, mailbox, &roster);      // any later command
 *     for (c = known_compare(known, roster); known_news(&c, &news);) … tell the client …
 *     newer = known_after(known, roster, may_expunge);       // what it knows then
 *
 * Reading goes by durable state. A command that follows one of the session's own changes must wait until that
 * change's ticket is durable before it calls roster_get(), else it would not see it.
 *
 * All functions may be called from any thread; walks and comparisons belong to one. Errors leave *out untouched. */
#pragma once
#include "proto/imap_set.h"
#include "vault/store/store.h"

struct roster;
struct known;

/* One message. Lives as long as the roster it was read from. */
struct roster_entry {
    uint32_t uid;
    struct email_id email;
    struct body_id body; /* its content: EMAILID, and what message_find() wants */
    uint64_t modseq;
    uint64_t flags; /* FLAG_… (rows.h); bits from FLAG_KEYWORD on: roster_keyword() */
    uint64_t size;  /* prefix and body: RFC822.SIZE */
    int64_t internal_date, save_date; /* ms since 1970; RFC 9051 §2.3.3, RFC 8514 */
};

/* The newest durable picture: from the cache if nothing has changed (the usual case), else made from the cached one and
 * the change log, else read. ERR_NOT_FOUND: there is no such mailbox (any more), or it is \Noselect. A view that is
 * opened afterwards shows at least what the picture shows. */
enum err roster_get(struct store *s, struct cx *cx, struct account_id account,
                    struct mailbox_id mailbox, struct roster **out);
struct roster *roster_hold(struct roster *r);
void roster_drop(struct roster **r); /* for scoped(); NULL is fine */

/* ---- the mailbox ---- */

struct roster_counts {
    uint32_t uid_validity, uid_next;
    uint64_t modseq; /* HIGHESTMODSEQ, never 0 */
    uint32_t exists, unseen, deleted;
    uint64_t bytes, deleted_bytes;
    uint32_t damaged; /* blocks that could not be read: their messages are missing here */
};
const struct roster_counts *roster_counts(const struct roster *r);
/* The keywords of the mailbox: name of bit `bit` (FLAG_KEYWORD_FIRST ≤ bit < 64), empty if that bit has none. */
struct str roster_keyword(const struct roster *r, unsigned bit);
/* Without case (RFC 9051 §2.3.2). 0: no message has it, nor ever had; else the bit's mask. */
uint64_t roster_keyword_mask(const struct roster *r, struct str name);

/* ---- messages ---- */

/* By its number in the picture, from 1, and by UID. NULL: there is none. Quick: two bisections at most. */
const struct roster_entry *roster_at(const struct roster *r, uint32_t number);
const struct roster_entry *roster_find(const struct roster *r, uint32_t uid);
/* The number of a UID in the picture; 0: not there. */
uint32_t roster_number(const struct roster *r, uint32_t uid);
/* The number of the first message without \Seen (RFC 3501 §7.1 UNSEEN); 0: there is none. */
uint32_t roster_first_unseen(const struct roster *r);

/* In order of UIDs; of a set of UIDs in order (imap_set_resolve), or of all (set NULL):
 *     struct roster_walk w = roster_walk(r, set);
 *     while ((entry = roster_next(&w))) … w.number …                                                          */
struct roster_walk {
    uint32_t number;             /* of the entry given last, in the picture */
    const struct roster *roster; /* private from here */
    const struct imap_set *set;
    size_t block, range;
    uint32_t in_block;
};
struct roster_walk roster_walk(const struct roster *r, const struct imap_set *set);
const struct roster_entry *roster_next(struct roster_walk *w);

/* ---- what a client knows ---- */

struct known *known_of(const struct roster *r);
struct known *known_hold(struct known *k);
void known_drop(struct known **k); /* NULL is fine */

uint32_t known_count(const struct known *k); /* EXISTS, as the client has it */
uint64_t known_modseq(const struct known *k);
uint32_t known_uid(const struct known *k, uint32_t number); /* 0: no such number */
uint32_t known_number(const struct known *k, uint32_t uid); /* 0: not known */
uint32_t known_last_uid(const struct known *k); /* 0: none: what "*" means (RFC 9051 §9 seq-number) */
/* A set of message numbers (in order, clipped to known_count) as the set of their UIDs. In the arena. */
struct imap_set known_uids_of(struct arena *a, const struct known *k, const struct imap_set *numbers);

/* In order of UIDs: what has happened between what is known and the picture. */
enum known_kind { KNOWN_REMOVED, KNOWN_CHANGED, KNOWN_ADDED };
struct known_news {
    enum known_kind kind;
    uint32_t uid;
    uint32_t number_before;           /* in what is known; 0 for ADDED */
    uint32_t number_after;            /* in the picture; 0 for REMOVED */
    const struct roster_entry *entry; /* NULL for REMOVED */
};
struct known_compare {
    const struct known *known; /* private */
    const struct roster *roster;
    bool only_removed;
    size_t known_block, roster_block;
    uint64_t removed, changed, added, bits_known, bits_there; /* of the block at hand, not yet told */
    uint32_t block;
};
struct known_compare known_compare(const struct known *k, const struct roster *r);
struct known_compare known_compare_removed(const struct known *k,
                                           const struct roster *r); /* KNOWN_REMOVED alone */
bool known_news(struct known_compare *c, struct known_news *news);  /* false: that was all */
/* Is there nothing to tell? Quicker than comparing. */
bool known_is_current(const struct known *k, const struct roster *r);

/* What the client knows when it has been told. Without `expunged` the removals are still kept from it (RFC 9051 §7.5.1:
 * no EXPUNGE during FETCH, STORE, SEARCH): those UIDs keep their numbers and are news again next time. The modseq is the
 * picture's either way. Shared with the picture and with other sessions where they know the same. */
struct known *known_after(const struct known *k, const struct roster *r, bool expunged);
/* After the session's own EXPUNGE: without these UIDs (in order). The modseq stays. */
struct known *known_without(const struct known *k, const struct imap_set *uids);
