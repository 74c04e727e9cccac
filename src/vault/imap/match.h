/* vault/imap/match.h: a search program (RFC 9051 §6.4.4), made ready for one mailbox, and the question whether a message
 * fits it.
 *
 * Keys are asked in the order of what they cost: what the picture of the mailbox knows, then what is kept of the header
 * (mail/facts.h), then the header, then the body; and no more is read of a message than decides. Texts are compared by
 * i;unicode-casemap.
 *
 * Of BODY and TEXT a glance at the stored bytes (mail/glance.h, which says why that is right) decides most messages: one that
 * does not hold the word there, and of which nothing is encoded, is not taken apart, nor is it looked up what its parts are. */
#pragma once
#include "mail/facts.h"
#include "mail/text.h"
#include "proto/imap_search.h"
#include "vault/imap/facts_table.h"
#include "vault/imap/imap.h"
#include "vault/store/reading.h"
#include "vault/store/messages.h"
#include "vault/store/roster.h"

struct match;

/* What the program's sets mean, and where its messages are. */
struct match_scope {
    struct arena *arena; /* of what is made of the program */
    struct mailbox_ref at;
    const struct roster *roster;
    bool selected; /* then "$" and \Recent mean something, and message numbers are the client's */
};

/* Of a program without FILTER (filters.h). False: the reply is set (BADCHARSET). */
bool match_make(struct imap *i, const struct imap_search *s, const struct match_scope *scope,
                struct match **out);
/* What it has to read of messages at most. */
enum match_cost { MATCH_PICTURE, MATCH_FACTS, MATCH_HEADER, MATCH_BODY };
enum match_cost match_cost(const struct match *m);

/* Asks the index (vault/search/search.h), once: in the long lane, before the first message is asked about. */
void match_find_candidates(struct match *m, struct imap *i);
/* False: message `number` of the picture does not fit, without asking. */
bool match_may(const struct match *m, uint32_t number);

/* Who asks, of one message after the other: a thread's, and a step's. */
struct asker {
    struct message_reader *stored;
    struct facts_table *table; /* of the mailbox, held; may be NULL */
    struct cx cx;              /* private, and the rest: room, kept from message to message */
    struct buf header, folded;
    struct message_text text;
    struct body_id
        twins_of; /* EMAILID: the twins of this content (letters.h); 0: nobody has asked yet */
    struct buf twins;
};
struct asker asker_make(struct message_reader *stored, struct facts_table *table);
void asker_free(struct asker *a);

/* A message, and what has been found out of it so far. */
struct asked {
    const struct roster_entry *entry;
    struct asker *by;
    const struct facts *facts; /* NULL: not known yet */
    struct facts own_facts;
    bool is_open, has_header, has_thread;
    uint64_t thread; /* 0: none */
    struct reading reading;
    unsigned fuzzy_count, fuzzy_sum; /* RELEVANCY (RFC 6203): of 100 */
};
struct asked asked_make(const struct roster_entry *entry, struct asker *by); /* one at a time */
void asked_end(struct asked *a);

/* A message of which something has to be read that has gone meanwhile does not match. */
enum err match_ask(const struct match *m, struct asked *a, bool *fits);
/* What is known of a message's header, from what is kept, or else from the header itself. */
enum err asked_facts(struct asked *a, const struct facts **out);
