/* vault/imap/match_impl.h: the keys of a search program, as match.c makes them ready and match_ask.c asks them. */
#pragma once
#include "mail/glance.h"
#include "vault/imap/match.h"

#define DAY_MS ((int64_t)86400 * 1000)

/* A key that is ready. */
struct node {
    enum imap_key_kind kind;
    enum match_cost cost;
    uint64_t mask;           /* FLAG, KEYWORD */
    uint64_t thread;         /* THREADID; 0: no thread is written so */
    struct letter_id letter; /* EMAILID; content 0: no letter is written so */
    struct imap_set set;     /* SEQUENCE, UID: UIDs, in order */
    int64_t from, to;        /* times in ms, days or sizes: from ≤ x < to */
    struct str field;
    unsigned fact;        /* FACTS_…: the field is one of those; 0: none */
    struct str needle;    /* folded */
    struct unfolded word; /* BODY, TEXT: of the needle, for glance() */
    bool either;          /* of FUZZY: children[0] the words as they stand, [1] all of them anywhere */
    const uint64_t *may;  /* bits of search_candidates(); NULL: all may hold the needle */
    struct node **children;
    size_t count;
};

struct match {
    struct match_scope scope;
    struct imap_set recent;
    struct node *root;
    bool asks_index, knows_candidates;
    const uint64_t *may; /* the messages that may fit, likewise */
};
