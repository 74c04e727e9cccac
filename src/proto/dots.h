/* proto/dots.h: the body after DATA, as it crosses the wire (RFC 5321 §4.1.1.4, §4.5.2), both ways.
 *
 * Reading takes the dots away and finds the end, which is CRLF . CRLF and nothing else. Writing doubles the
 * dots, for POP3 (RFC 1939 §3) and the SMTP client. Both take bytes cut anywhere. No I/O, no memory of their
 * own; a struct belongs to one thread at a time. */
#pragma once
#include "base/buf.h"

/* Reading. All zero is where a body begins: struct dots d = {0}; */
struct dots {
    bool ended;   /* CRLF . CRLF has been read: what follows is a command */
    bool bare_cr; /* seen: a CR without LF after it */
    bool bare_lf; /* seen: an LF without CR before it; or the line "." ended in one */
    bool nul;     /* seen */
    int at;       /* private */
};

/* The next bytes of the body, in *piece, which points into the input (or to a constant) and is as long as the
 * input allows: it ends only where a dot is taken away. False: *in is used up, or d->ended. A body that begins
 * with the line "." is empty. The CRLF before the last dot belongs to the body.
 *
 * The body is never changed: bare CR, bare LF and NUL pass through and are told in the flags, since the only
 * safe answer to them is a refusal at the end. */
bool take_body(struct dots *d, struct str *in, struct str *piece);

/* BDAT (RFC 3030 §2): there are no dots and the caller counts. Only the flags are kept up. After the last chunk
 * body_done() says what a CR at the very end was. */
void note_body(struct dots *d, struct str piece);
void body_done(struct dots *d);

/* Writing. All zero is where a body begins: struct stuffing w = {0}; */
struct stuffing {
    int at; /* private */
};

/* Appends the piece with its dots doubled. A bare CR or bare LF leaves as CRLF, since the wire may carry neither
 * (RFC 5321 §2.3.8); mail that came in by SMTP has none. */
void stuff_body(struct stuffing *w, struct buf *out, struct str piece);
/* Ends the last line if it did not end, and appends the dot. */
void stuff_end(struct stuffing *w, struct buf *out);
