/* vault/imap/context.h: contexts (RFC 5267 §4.3): searches of the selected mailbox whose results the client is kept up to
 * date on, with ADDTO and REMOVEFROM. They end with the mailbox, or by CANCELUPDATE.
 *
 * After each sync the messages that came or changed are asked once more; what was sorted is sorted anew. */
#pragma once
#include "vault/imap/search_answer.h"
#include "vault/imap/selected.h"

#define CONTEXTS_MOST 4           /* of one session: NOUPDATE beyond (§4.3.1) */
#define CONTEXT_SORTED_MOST 20000 /* results of SORT */

struct context;
struct context_news;
struct contexts; /* selected->contexts; NULL: there are none */

/* ---- for cmd_search.c ---- */

bool context_has_tag(const struct imap *i, struct str tag);
/* A search with UPDATE has its result: it is kept, or NO [NOUPDATE] is said. args: the command's; search: what
 * was made of them, with its filters put in. */
void context_begin(struct imap *i, const struct search_result *r, struct str args,
                   const struct imap_search *search);
/* A search for a context is through (search_again): what is to be told of it, in i->arena. */
struct context_news *context_found(struct imap *i, struct context *c, const struct search_result *r);
/* … or it failed: NO [NOUPDATE] is said, and nothing more of it. */
void context_lost(struct imap *i, struct context *c);
bool context_tell(struct imap *i, struct context_news *news); /* false: enough for one step */

/* The same search again; of these UIDs only, if `among` is not NULL. As a step's beginning. */
struct search_again {
    struct context *context;
    enum result_kind kind;
    bool uid;
    const struct imap_search *search;
    const struct imap_sort *sort;
    const struct imap_set *among;
};
enum err search_again(struct imap *i, const struct search_again *a);

/* ---- for sync.c and the session ---- */

/* These UIDs will be said to be gone now: before that, while message numbers still name them.
 * *next begins as 0. True: that was all; false: enough for one step. */
bool contexts_removed(struct imap *i, const struct imap_set *uids, size_t *next);
/* These have come or changed, and that was told; from first_new on they are new. */
void contexts_moved(struct imap *i, const struct imap_set *uids, uint32_t first_new);
/* Says what follows from that, as much as one step allows; true: that was all. */
bool contexts_some(struct imap *i);
void contexts_end(struct imap *i);
