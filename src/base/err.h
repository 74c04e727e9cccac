/* base/err.h: what can go wrong is one list, and one line is enough to fail.
 *
 *     if (size > room)
 *         return fail(cx, ERR_OVER_QUOTA, "account %" PRIu64 ": %zu bytes, room for %zu", id.v, size, room);
 *
 * A function that can fail returns enum err and writes its result only on success. fail() keeps the cause for
 * our log; a stranger sees only the row. Library code never logs an error it returns: the command loop does. */
#pragma once
#include "base/str.h"

#define ERR(name, ...) ERR_##name,
enum err {
#include "base/errors.def"
    ERR_COUNT
};
#undef ERR
#define OK ERR_OK

struct err_row {
    const char *name; /* "OVER_QUOTA": for logs and the command line's JSON */
    int smtp;
    const char *enhanced; /* RFC 3463 */
    const char *imap;     /* RFC 5530 response code */
    const char *pop3;     /* RFC 3206 response code */
    const char *jmap;     /* RFC 8620 §3.6 */
    const char *text;
};

const struct err_row *err_row(enum err e); /* never NULL; an unknown number reads as BUG */
bool err_is_temporary(enum err e);         /* the SMTP code is 4xx */

/* What a command carries with it: its arena, and the cause of its last failure. One thread at a time. */
struct cx {
    struct arena *arena; /* the command's own: emptied after each reply */
    char cause[256];
};

enum err fail(struct cx *cx, enum err e, const char *format, ...) __attribute__((format(printf, 3, 4)));
