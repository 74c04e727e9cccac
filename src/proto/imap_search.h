/* proto/imap_search.h: SEARCH, SORT, THREAD and ESEARCH (RFC 9051 §6.4.4; RFC 4466, 4731, 5032, 5182, 5256, 5267, 5466,
 * 5957, 6203, 7162, 7377, 8474, 8514, 9394). A program of keys comes as a tree. */
#pragma once
#include "proto/imap_fetch.h"
#include "proto/imap_notify.h"

#define IMAP_SEARCH_DEPTH_MAX 50 /* NOT, OR, FUZZY and brackets inside each other */
#define IMAP_ESEARCH_SOURCES_MAX 50
#define IMAP_SEARCH_KEYS_MAX                                                                           \
    2000 /* nodes of one tree. Clients that look for many Message-IDs use some hundred */

enum imap_key_kind {
    /* of other keys */
    IMAP_KEY_AND, /* keys[0 … key_count): all of them; the root is always one, brackets around several too */
    IMAP_KEY_OR,  /* keys[0], keys[1] */
    IMAP_KEY_NOT, /* keys[0] */
    /* of what the list of messages knows */
    IMAP_KEY_ALL,
    IMAP_KEY_SEQUENCE, /* set: message numbers (or "$") */
    IMAP_KEY_UID,      /* set: UIDs (or "$") */
    IMAP_KEY_FLAG,     /* flags: one system flag is set; UNSEEN is NOT of it. KEYWORD \X never comes */
    IMAP_KEY_KEYWORD,  /* text: a keyword is set */
    IMAP_KEY_RECENT,   /* RFC 3501; NEW is AND(RECENT, NOT SEEN), OLD is NOT RECENT */
    IMAP_KEY_LARGER,   /* number */
    IMAP_KEY_SMALLER,  /* number */
    IMAP_KEY_BEFORE,   /* date: of the internal date; ON and SINCE likewise */
    IMAP_KEY_ON,
    IMAP_KEY_SINCE,
    IMAP_KEY_SAVED_BEFORE, /* date: RFC 8514 */
    IMAP_KEY_SAVED_ON,
    IMAP_KEY_SAVED_SINCE,
    IMAP_KEY_SAVEDATE_SUPPORTED,
    IMAP_KEY_OLDER,   /* number: seconds (RFC 5032) */
    IMAP_KEY_YOUNGER, /* number */
    IMAP_KEY_MODSEQ, /* number: at least. The entry's name and type were checked, and do not matter here: all flags
                         are shared, and a message has one modseq (RFC 7162 §3.1.5 allows it) */
    /* of its headers */
    IMAP_KEY_EMAILID,     /* text: RFC 8474, case counts */
    IMAP_KEY_THREADID,    /* text */
    IMAP_KEY_SENT_BEFORE, /* date: of the Date field */
    IMAP_KEY_SENT_ON,
    IMAP_KEY_SENT_SINCE,
    IMAP_KEY_HEADER, /* field, text; FROM, TO, CC, BCC and SUBJECT come as this, with field in capitals. An empty
                        text: the field is there */
    /* of its text */
    IMAP_KEY_BODY, /* text */
    IMAP_KEY_TEXT, /* text */
    /* named by the user (RFC 5466): text is the name. The core parses what is stored with parse_imap_filter() */
    IMAP_KEY_FILTER,
};

struct imap_key {
    enum imap_key_kind kind;
    bool fuzzy; /* FUZZY stands before it, or before something around it (RFC 6203 §3) */
    uint32_t flags;
    int32_t date; /* days since 1970-01-01 */
    uint64_t number;
    struct str text, field; /* text: bytes in imap_search.charset, not yet decoded */
    struct imap_set set;    /* as written */
    const struct imap_key *keys;
    size_t key_count;
};

/* What a tree needs, so that nobody has to walk it first. */
enum {
    IMAP_NEEDS_HEADER = 1, /* a HEADER or SENT… key */
    IMAP_NEEDS_BODY = 2,   /* BODY, TEXT */
    IMAP_NEEDS_MODSEQ =
        4, /* MODSEQ: switches CONDSTORE on, and the response tells the highest (RFC 7162 §3.1.5) */
    IMAP_NEEDS_FUZZY = 8,
    IMAP_NEEDS_FILTER = 16,
    IMAP_NEEDS_SAVED = 32, /* "$" */
    IMAP_NEEDS_SEQUENCE =
        64, /* message numbers: not after UIDONLY (RFC 9586), not in ESEARCH over mailboxes */
    IMAP_NEEDS_THREAD = 128, /* THREADID */
};

/* RETURN (…) */
enum {
    IMAP_RETURN_MIN = 1,
    IMAP_RETURN_MAX = 2,
    IMAP_RETURN_ALL = 4,
    IMAP_RETURN_COUNT = 8,
    IMAP_RETURN_SAVE = 16,      /* RFC 5182 */
    IMAP_RETURN_PARTIAL = 32,   /* RFC 9394, RFC 5267 */
    IMAP_RETURN_CONTEXT = 64,   /* RFC 5267: a hint */
    IMAP_RETURN_UPDATE = 128,   /* RFC 5267 */
    IMAP_RETURN_RELEVANCY = 256 /* RFC 6203 */
};
struct imap_return {
    bool given;       /* RETURN stood there, if only "RETURN ()", which is ALL (RFC 4731 §3.1) */
    uint32_t options; /* IMAP_RETURN_… */
    struct imap_partial partial;
    struct imap_fetch update; /* UPDATE (fetch-att …) of RFC 5465: att_count 0 if none are named */
};

struct imap_search {
    struct imap_return returns;
    struct str
        charset; /* as written; empty if not given: US-ASCII and, kind, UTF-8. Unknown ones are yours to refuse
                           with NO [BADCHARSET] */
    struct imap_key program; /* an IMAP_KEY_AND */
    uint32_t needs;          /* IMAP_NEEDS_… */
};
bool parse_imap_search(struct imap_parse *p, struct str args, struct imap_search *out);
/* The same, but the text of a filter: search-criteria in UTF-8 and nothing else (RFC 5466 §4). */
bool parse_imap_filter(struct imap_parse *p, struct str text, struct imap_search *out);

/* SORT (RFC 5256 §3, RFC 5957) */
enum imap_sort_key {
    IMAP_SORT_ARRIVAL,
    IMAP_SORT_CC,
    IMAP_SORT_DATE,
    IMAP_SORT_FROM,
    IMAP_SORT_SIZE,
    IMAP_SORT_SUBJECT,
    IMAP_SORT_TO,
    IMAP_SORT_DISPLAYFROM,
    IMAP_SORT_DISPLAYTO,
    IMAP_SORT_RELEVANCY
};
#define IMAP_SORT_CRITERIA_MAX 20
struct imap_sort {
    struct imap_search search; /* charset is always given */
    struct imap_sort_criterion {
        enum imap_sort_key key;
        bool reverse;
    } criteria[IMAP_SORT_CRITERIA_MAX];
    size_t criterion_count;
};
bool parse_imap_sort(struct imap_parse *p, struct str args, struct imap_sort *out);

/* THREAD (RFC 5256 §4). Another algorithm is BAD. */
struct imap_thread {
    enum imap_thread_algorithm { IMAP_THREAD_ORDEREDSUBJECT, IMAP_THREAD_REFERENCES } algorithm;
    struct imap_search search;
};
bool parse_imap_thread(struct imap_parse *p, struct str args, struct imap_thread *out);

/* ESEARCH (RFC 7377): SEARCH over mailboxes. Without IN: in the selected one, by UID. */
struct imap_esearch {
    const struct imap_mailbox_filter *sources; /* "selected-delayed" never comes (§4) */
    size_t source_count;                       /* 0: no IN */
    struct imap_search search;
};
bool parse_imap_esearch(struct imap_parse *p, struct str args, struct imap_esearch *out);
