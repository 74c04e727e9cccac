/* mail/glance_testing.h: what glance() is held against: the whole text, searched as SEARCH does. */
#pragma once
#include "mail/glance.h"
#include "mail/text.h"

static inline bool text_holds(struct str raw, struct str needle, unsigned what)
{
    struct mime_source source = mime_source_of(&raw);
    struct mime m = mime_make();
    struct message_text t = message_text_make();
    struct finder finder = finder_make(needle);
    struct casemap fold = {0};
    struct buf room = buf_make(BUF_UNLIMITED);
    struct str piece;
    bool found;

    mime_feed(&m, raw);
    mime_end(&m);
    message_text_begin(&t, m.parts, m.count, &source, what);
    while (message_text_next(&t, &piece))
        finder_feed(&finder, casemap_next(&fold, piece, &room));
    found = finder_feed(&finder, casemap_end(&fold, &room));
    finder_free(&finder);
    buf_free(&room);
    message_text_free(&t);
    mime_free(&m);
    return found;
}

/* A word of what the text holds is never missed. */
static inline bool glance_misses(struct str raw, struct str needle, unsigned what)
{
    struct unfolded word = glance_word(needle);

    return word.needle.n && !glance(raw, &word, what) && text_holds(raw, needle, what);
}
