/* mail/facts.h: what SEARCH, SORT and THREAD ask of a header, found out once, when a message comes, and kept packed.
 *
 * Texts are folded by i;unicode-casemap (casemap.h), so that they are compared and searched as they are. Pure. */
#pragma once
#include "base/buf.h"

/* The version that facts_write() writes; facts_read() refuses others, and whoever keeps them makes them anew. */
#define FACTS_VERSION 5
/* No text is kept longer, and no more ids: what is left out, `whole` tells. */
#define FACTS_TEXT_MAX 2000
#define FACTS_REFERENCES_MAX 100
#define FACTS_ANSWERED_MAX 4

enum facts_field {
    FACTS_SUBJECT = 1,
    FACTS_FROM = 2,
    FACTS_TO = 4,
    FACTS_CC = 8,
    FACTS_BCC = 16,
    FACTS_MESSAGE_ID = 32
};

/* The addresses of a field: "display name <local@domain>, local@domain, group: local@domain;" */
struct facts_addresses {
    struct str text;
    struct str mailbox; /* SORT's key: the first one's local part (RFC 5256 §3); a part of the text */
    struct str display; /* SORT=DISPLAY's (RFC 5957 §3): its name, or its address; a part of the text */
};

struct facts {
    unsigned has; /* fields that are there, if only with nothing in them */
    unsigned
        whole; /* fields of which all is known: what is not found in the text is not in the message */
    bool
        has_date; /* there is a Date that can be read; else the internal date stands for it (RFC 5256 §2.2) */
    int64_t date_ms; /* UTC */
    int32_t
        sent_day; /* days since 1970 as the Date names them, its zone left aside: SENTON (RFC 9051 §6.4.4) */
    bool is_reply;
    struct str subject;      /* on one line, any white space one space */
    struct str base_subject; /* SORT's and THREAD's (RFC 5256 §2.1); a part of it */
    struct facts_addresses from, to, cc, bcc;
    /* For THREAD=REFERENCES: ids as numbers (message_id_number()); 0: none. */
    uint64_t message_id;
    uint64_t folded_id; /* the same of the folded id, for SEARCH HEADER Message-ID */
    struct str
        references; /* 8 bytes each, as facts_reference() reads them; oldest first, the parent last */
    /* The first ids of In-Reply-To, but for the last of `references`: THREAD=REFERENCES leaves them aside, THREADID does
     * not. */
    struct str answered;
};

/* Appends the packed facts of a header block. Never fails. */
void facts_write(struct buf *out, struct str header);
/* Everything points into `packed`. False: it is none of ours, or damaged; *out is then empty. */
bool facts_read(struct str packed, struct facts *out);

/* The bit of a field's name, in any case; 0: it is none of those. */
unsigned facts_field(struct str name);
/* Whether a folded text stands in a field; an empty one, whether the field is there (RFC 9051 §6.4.4 HEADER). Where the
 * facts cannot tell, the header has to be read: when not all of the field is known, or when the text holds what is written
 * otherwise here, such as quotes or white space of its own. Of a Message-ID only a whole one, with its brackets, is known. */
enum facts_answer { FACTS_NO, FACTS_YES, FACTS_ASK_HEADER };
enum facts_answer facts_search(const struct facts *f, unsigned field, struct str folded);
/* Whether it never says FACTS_ASK_HEADER of a field of which all is known. */
bool facts_can_tell(unsigned field, struct str folded);
/* SORT's and THREAD's date. */
static inline int64_t facts_date(const struct facts *f, int64_t internal_ms)
{
    return f->has_date ? f->date_ms : internal_ms;
}

/* Of struct facts.references and .answered. */
size_t facts_reference_count(struct str references);
uint64_t facts_reference(struct str references, size_t i);
