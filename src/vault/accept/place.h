/* vault/accept/place.h: where one message goes, decided for all recipients at once, and then written in one
 * transaction: emails in mailboxes, queue entries for other servers, and queue entries for those of our own mailboxes
 * that do not take part in this transaction.
 *
 *     plan_add(&p, cx, rcpt, &destinations);     // as often as there are recipients; outside of a transaction
 *     t = txn_begin(engine, p.parts, p.local_count);
 *     plan_write(&p, t, cx);
 */
#pragma once
#include "vault/store/directory.h"
#include "vault/vault.h"

#define MOST_LOCAL_AT_ONCE                                                                             \
    100 /* mailboxes in the accepting transaction; a larger list goes on from the queue */

/* What the recipient asked for goes along to everybody whom its address leads to. */
struct plan_target {
    struct destination to;
    uint32_t rcpt; /* which of the message's recipients led here */
    uint32_t notify;
    struct str orcpt;
    /* Its recipient leads to others as well: where it is full, its copy waits in the queue. */
    bool of_several;
    /* after plan_write, of local targets: OK, or OVER_QUOTA: nothing was written for this one; or why plan_write failed */
    enum err result;
    enum err left_out; /* set by who tries again without this one, and why; plan_write passes it over */
};

struct plan {
    struct vault *vault;
    /* the message, set by who makes the plan */
    struct body_id message;
    uint64_t size;
    struct path reverse_path;
    struct mail_params params;
    struct account_id sender;
    const struct cold_row *looks;
    struct str facts;    /* beside them (looks.h) */
    uint32_t next_entry; /* the number of the next queue entry of this message */
    /* A full mailbox is passed over; else the message goes in all the same, but for of_several. */
    bool from_queue;
    /* made by plan_add */
    struct plan_target local[MOST_LOCAL_AT_ONCE];
    struct part parts[MOST_LOCAL_AT_ONCE]; /* to lock */
    size_t local_count;
    struct plan_target *remote, *later; /* for other servers; for our own mailboxes, from the queue */
    size_t remote_count, later_count, remote_room, later_room;
    /* made by plan_write */
    size_t delivered, queued;
};

enum err plan_add(struct plan *p, struct cx *cx, uint32_t rcpt, uint32_t notify, struct str orcpt,
                  const struct destinations *to);
/* ERR_NOT_FOUND: an account was removed meanwhile; decide again. */
enum err plan_write(struct plan *p, struct txn *t, struct cx *cx);
