/* vault/pop3/sending.h: a message on its way to the client: RETR and TOP.
 *
 * Piece by piece, so that what is under way is bounded however long the message is. Without UTF8 mode (RFC 6856) a
 * header that is not ASCII leaves as a surrogate. No I/O of its own but what message_piece() reads. */
#pragma once
#include "proto/dots.h"
#include "vault/store/mailbox.h"

/* Where in a message we are: the header ends with its first empty line. */
struct header_walk {
    bool ended;
    bool in_line; /* the bytes before ended inside a line */
};

struct sending {
    struct message message; /* but its prefix, which has left already */
    uint32_t next;          /* piece */
    bool whole;             /* RETR; else TOP with so many lines of the body: */
    uint64_t lines;
    bool as_it_is; /* UTF8 mode */
    struct header_walk header;
    struct stuffing stuffing;
};

/* How much of s belongs to the header, its empty line included; moves the walk on. */
size_t header_part(struct header_walk *w, struct str s);

/* True: everything of it can be read. Only needed where a failure would come after "+OK". */
enum err message_check(struct view *v, struct cx *cx, const struct message *m);

/* Appends bytes of the message, in order. */
void sending_add(struct sending *g, struct buf *out, struct str bytes);
/* Appends the next piece. *done: it was the last that matters, and the dot is out as well. */
enum err sending_next(struct sending *g, struct view *v, struct cx *cx, struct buf *out, bool *done);
