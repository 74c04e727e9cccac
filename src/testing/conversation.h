/* testing/conversation.h: conversations as text, for any protocol core: linked into tests only.
 *
 *   # RFC 1939 §5: what was marked is not listed.
 *   C: DELE 1\r\nSTAT\r\n     bytes from the client, with C's escapes; lines that follow one another are one piece
 *   C*500: NOOP\r\n           the same 500 times
 *   S: +OK *                  the next line of the replies; "*" stands for anything, but for itself in IMAP's "* " at
 *                             the beginning
 *   S*500: +OK                the same 500 times
 *   closed:                   the core wants to close
 *   word: value               anything else is the core's own
 *
 * A file is one test. Each runs in one piece, byte by byte and cut at random, and must give the same every time.
 * A reply that nobody expects fails it. */
#pragma once
#include "base/buf.h"

struct conversation_core {
    void (*begin)(void); /* a file begins: forget all */
    /* Takes what it wants off the front of *in, and appends what it answers. Called again with what it left, as long
     * as something moves. It opens the session when it has to. */
    void (*feed)(struct str *in, struct buf *replies);
    bool (*is_closed)(void);
    /* Its own words. False: there is no such word. */
    bool (*word)(struct str word, struct str value, struct buf *replies);
    bool (*end)(void); /* a file has ended. False: something is left open that should not be */
};

/* All *.txt of the folder, in order. Prints what went wrong; returns how many files failed, or -1 if there are none. */
int conversations_run(const char *folder, const struct conversation_core *core);

/* `text` fits `pattern`, in which "*" stands for anything. */
bool glob_match(struct str pattern, struct str text);
/* "\r\n", "\t", "\0", "\\", "\x41" */
void add_unescaped(struct buf *out, struct str s);
