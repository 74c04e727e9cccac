/* proto/replies.h: what an SMTP server answers (RFC 5321 §4.2), from bytes cut anywhere.
 *
 *     struct replies r = replies_make();
 *     while ((got = take_reply(&r, &in, &reply)) == REPLY_TAKEN)
 *         …
 *
 * Kind where servers err: lines may end in LF, a code may stand alone, lines of one reply may bear different codes
 * (the last one counts, as Postfix has it). Text beyond the limits is left out, and a reply that never ends is
 * broken. No I/O; a struct belongs to one thread at a time. */
#pragma once
#include "proto/lines.h"

/* RFC 5321 §4.5.3.1.5 says 512 octets a line; Exchange and others send more. */
#define REPLY_LINE_MAX 4096
#define REPLY_TEXT_MAX 16384 /* kept of one reply; EHLO of the most talkative server is a tenth */
#define REPLY_LINES_MAX 1000 /* beyond it the server is not answering but babbling */

struct reply {
    int code; /* 200 to 599 */
    struct str
        enhanced; /* RFC 2034: "5.1.1", inside text; empty when there is none, or its class is not the code's */
    struct str
        text; /* verbatim without codes and hyphens, lines divided by '\n'; until the next take_reply() */
};

struct replies {
    struct lines lines; /* private, like the rest */
    struct buf text;
    size_t line_count;
    bool given;
};

enum reply_result {
    REPLY_NONE,  /* *in is used up */
    REPLY_TAKEN, /* one whole reply */
    REPLY_BROKEN /* this is no SMTP server: hang up. *out is untouched */
};

struct replies replies_make(void);
void replies_free(struct replies *r);
/* What came before the answer to STARTTLS was complete must not be read after it (RFC 3207 §4.2). */
bool replies_are_waiting(const struct replies *r);

enum reply_result take_reply(struct replies *r, struct str *in, struct reply *out);
