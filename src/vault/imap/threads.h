/* vault/imap/threads.h: before THREADID is told or searched for, and before letters are copied into another account, which
 * take theirs along: letters that were not asked about yet are threaded
 * (vault/store/threads.h), also in a mailbox that is only to be read: it is no change of the user's. */
#pragma once
#include "vault/imap/imap.h"
#include "vault/store/messages.h"
#include "vault/store/roster.h"

struct thread_pass {
    bool begun, over; /* private, all of it */
    struct roster_walk walk;
};

/* Of the picture's messages of this set (NULL: all), some: for the beginning of a step, until *through. Where it is not, the
 * step ends: what was written must be durable, or the time is up. A letter that cannot be read has no thread. */
enum err thread_pass_some(struct imap *i, struct thread_pass *p, struct mailbox_ref at,
                          const struct roster *r, const struct imap_set *uids, bool *through);
