/* vault/search/index.h: the index of one account: which of its messages may hold a text.
 *
 * Contents (message bodies with their prefix, by body id) are added once and never taken out; what the account has no more is
 * simply not asked for. Of each the header and the body are indexed apart, since SEARCH BODY looks into one of them.
 * What the index cannot answer for, it does not know (index_knows): that must be looked into.
 *
 * One file of SQLite, `path`, a journal beside it while something is written. Any failure means that the file is of no use:
 * close the index, remove it (index_remove) and make it anew. After a crash it is as it was at some commit before.
 *
 * An index belongs to one thread at a time. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "base/ids.h"

enum index_part { INDEX_HEADER = 1, INDEX_BODY = 2 };

struct index;

/* Makes it if it is missing. identity: of the store; a file of another one is refused. ERR_DAMAGED: not to be used. */
enum err index_open(struct cx *cx, const char *path, uint64_t identity, struct index **out);
void index_close(struct index **x); /* what was not committed is lost; NULL is fine */
void index_remove(const char *path);

/* How far the account has been followed: a change log's modseq, and the first email id that has not been looked at. */
struct index_reached {
    uint64_t modseq, email;
};
struct index_reached index_reached(const struct index *x);
size_t index_count(const struct index *x); /* contents that are known, those committed */

/* Texts are folded and prepared (terms.h). `stamp` tells apart what the account calls the same body: a prefix that has
 * become another is added again. */
enum err index_add(struct index *x, struct cx *cx, struct body_id body, uint32_t stamp,
                   struct str header, struct str text);
/* All that was added is in the file, and known. */
enum err index_commit(struct index *x, struct cx *cx, struct index_reached reached);

/* Contents that were committed, in order of their ids. */
struct index_known {
    uint64_t body;
    uint32_t stamp;
    bool hit; /* scratch: index_ask's answer */
};
struct index_known *index_known(struct index *x, size_t *n);
const struct index_known *index_find(const struct index *x, struct body_id body);
/* Sets `hit` of all that are known: may the parts (of enum index_part) hold what `terms` (terms.h) asks? */
enum err index_ask(struct index *x, struct cx *cx, unsigned parts, struct str terms);
