/* mail/facts.h: what SEARCH, SORT and THREAD ask of a header, found out once, when a message comes, and kept packed.
 *
 * Texts are folded by i;unicode-casemap (casemap.h), so that they are compared and searched as they are. Pure. */
#pragma once
#include "base/buf.h"

/* The version that facts_write() writes; facts_read() refuses others, and whoever keeps them makes them anew. */
#define FACTS_VERSION 1
/* No text is kept longer, and no more ids: what is left out, `whole` tells. */
#define FACTS_TEXT_MAX 2000
#define FACTS_REFERENCES_MAX 100

enum facts_whole { /* the text holds all there is: what is not found in it is not in the field */
                   FACTS_SUBJECT = 1,
                   FACTS_FROM = 2,
                   FACTS_TO = 4,
                   FACTS_CC = 8,
                   FACTS_BCC = 16
};

/* The addresses of a field: "display name <local@domain>, local@domain". */
struct facts_addresses {
    struct str text;
    struct str
        mailbox; /* SORT's key: the local part of the first one (RFC 5256 §3); a part of the text */
    struct str display; /* SORT=DISPLAY's (RFC 5957 §3): its name, or its address; a part of the text */
};

struct facts {
    unsigned whole;
    bool has_date;   /* there is a Date that can be read; else the internal date stands for it */
    int64_t date_ms; /* UTC */
    int32_t
        sent_day; /* days since 1970 as the Date names them, its zone left aside: SENTON (RFC 9051 §6.4.4) */
    bool is_reply;
    struct str subject;      /* on one line; a part of it is */
    struct str base_subject; /* SORT's and THREAD's (RFC 5256 §2.1) */
    struct facts_addresses from, to, cc, bcc;
    /* For THREAD=REFERENCES: ids as numbers (message_id_number()); 0: none. */
    uint64_t message_id;
    struct str
        references; /* 8 bytes each, as facts_reference() reads them; oldest first, the parent last */
};

/* Appends the packed facts of a header block. Never fails. */
void facts_write(struct buf *out, struct str header);
/* Everything points into `packed`. False: it is none of ours, or damaged; *out is then empty. */
bool facts_read(struct str packed, struct facts *out);

static inline size_t facts_reference_count(const struct facts *f)
{
    return f->references.n / 8;
}
uint64_t facts_reference(const struct facts *f, size_t i);
