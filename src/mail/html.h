/* mail/html.h: the words of an HTML text, without its markup, as the bytes come. Pure.
 *
 *     struct html h = html_begin();
 *     html_strip(&h, piece, &out);      // UTF-8, cut anywhere; appends
 *     html_end(&h, &out);
 *
 * Not a parser of HTML: tags go, what style, script, head and title hold goes, character references become what they
 * stand for, and a tag that parts words leaves a space. */
#pragma once
#include "base/buf.h"

#define HTML_HELD 16 /* the name of a tag or reference that means something is shorter */

struct html {
    int state; /* private, all of it */
    char quote, last;
    unsigned char held_n, dashes;
    char held[HTML_HELD];
    const struct str *hidden; /* the element whose content is being passed over */
};

struct html html_begin(void);
void html_strip(struct html *h, struct str piece, struct buf *out);
void html_end(struct html *h, struct buf *out);
