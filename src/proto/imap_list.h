/* proto/imap_list.h: LIST, LSUB and STATUS (RFC 9051 §6.3.9, §6.3.11; RFC 3501 §6.3.9; RFC 5258, 5819, 6154, 8440, 9590;
 * for STATUS also 7162, 7889, 8438, 8474, 9208). */
#pragma once
#include "proto/imap_args.h"

#define IMAP_PATTERNS_MAX 100

/* STATUS items, as bits. */
enum {
    IMAP_STATUS_MESSAGES = 1,
    IMAP_STATUS_RECENT = 2, /* RFC 3501 */
    IMAP_STATUS_UIDNEXT = 4,
    IMAP_STATUS_UIDVALIDITY = 8,
    IMAP_STATUS_UNSEEN = 16,
    IMAP_STATUS_DELETED = 32,          /* RFC 9051, RFC 9208 */
    IMAP_STATUS_SIZE = 64,             /* RFC 9051, RFC 8438 */
    IMAP_STATUS_HIGHESTMODSEQ = 128,   /* RFC 7162 */
    IMAP_STATUS_APPENDLIMIT = 256,     /* RFC 7889 */
    IMAP_STATUS_MAILBOXID = 512,       /* RFC 8474 */
    IMAP_STATUS_DELETED_STORAGE = 1024 /* RFC 9208 */
};
struct imap_status {
    struct str mailbox;
    uint32_t items;
};
bool parse_imap_status(struct imap_parse *p, struct str args, struct imap_status *out);
struct str imap_status_name(uint32_t one_bit); /* "MESSAGES" */

enum { /* selection options */
       IMAP_LIST_SUBSCRIBED = 1,
       IMAP_LIST_REMOTE = 2,
       IMAP_LIST_RECURSIVEMATCH = 4, /* only with SUBSCRIBED, else BAD */
       IMAP_LIST_SPECIAL_USE = 8
};
enum { /* return options */
       IMAP_LIST_RETURN_SUBSCRIBED = 1,
       IMAP_LIST_RETURN_CHILDREN = 2,
       IMAP_LIST_RETURN_SPECIAL_USE = 4,
       IMAP_LIST_RETURN_STATUS = 8,    /* status_items */
       IMAP_LIST_RETURN_MYRIGHTS = 16, /* RFC 8440 */
       IMAP_LIST_RETURN_METADATA = 32  /* RFC 9590: metadata_entries */
};

/* LIST, basic and extended. A selection or return option that nobody knows is BAD (RFC 5258 §3). */
struct imap_list {
    bool
        extended; /* options or several patterns: an empty pattern is then no question for the delimiter */
    uint32_t select, returns;
    struct str reference;       /* inner form */
    const struct str *patterns; /* inner form, not joined with the reference */
    size_t pattern_count;
    uint32_t status_items;
    const struct str *metadata_entries;
    size_t metadata_entry_count;
};
bool parse_imap_list(struct imap_parse *p, struct str args, struct imap_list *out);
/* LSUB: reference and one pattern */
bool parse_imap_lsub(struct imap_parse *p, struct str args, struct imap_list *out);
