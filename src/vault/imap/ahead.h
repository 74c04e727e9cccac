/* vault/imap/ahead.h: a long FETCH, written by two threads.
 *
 * While a processor is left, the messages are cut into stretches, which the session's thread and a helper write side by side;
 * they are taken in their order. There are a few of them and no more: the helper ends when the client does not take what is
 * written. Of a message that cannot be read, or for which there is no room, nothing is written, nor of what follows in its
 * stretch: these the session tells of by itself. */
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
/* The next stretch is appended, and *upto is how far it goes: maybe nowhere. Messages up to the one by which *alone_until
 * are found are the session's then. False: no more come. */
bool ahead_take(struct ahead *a, struct buf *out, struct fetch_mark *upto, uint64_t *alone_until);
void ahead_free(struct ahead **a); /* NULL is fine */
