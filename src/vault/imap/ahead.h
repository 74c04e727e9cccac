/* vault/imap/ahead.h: what a long FETCH says next, written by a second thread while the session's own sends.
 *
 * For items that are kept beside a message (fetch.h). While a processor is left, a thread goes ahead of the
 * session and writes whole responses in pieces, a few of them and no more: it ends when the client does not take them. What
 * it cannot read or has no room for it leaves to the session, which then goes on alone from there. */
#pragma once
#include "vault/imap/fetch.h"

/* All of it must outlive the thread, and stay as it is. */
struct ahead_of {
    const struct imap *i;
    const struct imap_fetch *items;
    const struct roster *roster;
    struct numbers numbers;
    struct account_id account;
};

struct ahead;

/* NULL: the session has to do without. */
struct ahead *ahead_start(const struct ahead_of *of, const struct fetch_mark *from);
/* Waits for the next piece, which is appended: at least SESSION_OUT bytes if it is not the last. False: no more come. */
bool ahead_take(struct ahead *a, struct buf *out, struct fetch_mark *upto);
bool ahead_is_stuck(const struct ahead *a); /* … and another one would get no further */
void ahead_free(struct ahead **a);          /* NULL is fine */
