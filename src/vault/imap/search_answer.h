/* vault/imap/search_answer.h: what a search found, as the client wants to hear of it (RFC 9051 §7.3.4; RFC 4731, 5182,
 * 5256, 5267, 6203, 7162, 7377, 9394). Pure, but for what it asks of the session: UTF-8. */
#pragma once
#include "vault/store/messages.h"
#include "proto/imap_search.h"
#include "vault/imap/imap.h"

enum result_kind { RESULT_SEARCH, RESULT_SORT, RESULT_THREAD };

struct found {
    uint32_t uid, name; /* name: what the answer calls it, message number or UID */
    uint64_t modseq;
    uint8_t relevancy; /* 1 to 100 */
};

struct search_result {
    enum result_kind kind;
    struct arena *arena;
    struct str tag;
    bool uid;
    bool esearch; /* "* ESEARCH", else "* SEARCH" or "* SORT" */
    bool with_modseq;
    bool over_mailboxes; /* with the name of the mailbox, and nothing of one where nothing was found */
    struct mailbox_ref at;
    struct str mailbox;
    uint32_t uid_validity;
    struct imap_return returns;
    struct found *v; /* in the order of the mailbox, or sorted */
    size_t n;
};

/* The whole response line or lines; nothing if nothing is to be said. */
void search_answer_write(struct buf *out, struct imap *i, const struct search_result *r);
/* The UIDs that SAVE keeps. */
void search_saved(const struct search_result *r, struct imap_set_builder *out);
