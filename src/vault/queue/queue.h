/* vault/queue/queue.h: messages still to be delivered: entries, leases, schedule.
 *
 * An entry is one message for one destination, with those of its recipients that live there. It is changed only by
 * who holds its lease, which lives in memory: the gate that delivers it (until queue_done, or until that gate's life
 * ends), the local deliverer, or the postmaster's command. A lease goes back when the change is durable, because the
 * schedule reads durable state: nobody is handed an entry that was just delivered.
 *
 * Locks: the queue's own, held for table look-ups only, never during engine calls. */
#pragma once
#include "vault/store/store.h"
#include "vault/trace/trace.h"

struct queue;
struct vault;

#define LOCAL_DESTINATION S("") /* of entries for our own mailboxes */

/* ---- entries, inside somebody's transaction (the keys are fresh: no lock) ---- */

struct new_entry {
    struct entry_id id;
    struct str destination;
    struct path reverse_path;
    struct mail_params params;
    struct account_id sender; /* who signed on, or 0 */
    uint64_t size;
    struct entry_rcpt *rcpts; /* RCPT_WAITING, with no reply yet */
    size_t rcpts_count;
};
/* Due at once. The body's reference comes with it. */
void queue_add(struct txn *t, const struct config *config, const struct new_entry *n);

/* What became of an attempt. Updates the entry, writes trace and reports, deletes it when nobody is left waiting;
 * else sets when it is due again. The caller holds the lease and commits. */
struct attempt {
    struct entry_id id;
    struct entry_row *entry;
    const struct result *results;
    size_t results_count;
    bool local;
};
enum err queue_settle(struct vault *v, struct txn *t, struct cx *cx, const struct attempt *a);

/* ---- leases and schedule ---- */

struct queue *queue_open(struct vault *v); /* starts the scheduling thread */
void queue_close(struct queue *q); /* ends it; open queue_take calls are answered with STOPPING */
void queue_gate_ended(struct queue *q, uint64_t gate);
void queue_hint(struct queue *q); /* something may be due */

/* False: somebody else has it. holder 0: the vault itself. */
bool queue_lease(struct queue *q, struct entry_id id, uint64_t holder, struct str destination);
/* The same for an entry that was seen to be due. Reads it again once the lease is held, and is false if it is not due any
 * more: whoever had the lease may have delivered it, or put it off, since the view was opened in which it was seen. */
bool queue_lease_due(struct queue *q, struct cx *cx, struct entry_id id, uint64_t holder,
                     struct entry_row *entry);
bool queue_has_lease(struct queue *q, struct entry_id id, uint64_t holder);
/* From now on the vault itself has that lease, since it writes down what became of the attempt: should the holder end, or
 * report once more, before that is durable, the entry must not look as if nothing had been tried. False: it has none. */
bool queue_take_over(struct queue *q, struct entry_id id, uint64_t holder);
bool queue_is_leased(struct queue *q, struct entry_id id); /* by anybody: it is being delivered */
void queue_unlease(struct queue *q, struct entry_id id);
/* Gives the lease back when the ticket is durable (or has failed). */
void queue_unlease_when_durable(struct queue *q, struct entry_id id, struct ticket ticket);

/* ---- local entries ---- */

/* Delivers an entry for our own mailboxes, whose lease the caller holds. */
enum err queue_deliver_local(struct vault *v, struct cx *cx, struct entry_id id, struct ticket *ticket);

/* ---- reports (RFC 3464) ---- */

/* ABOUT_EXPANSION: success as far as we can tell, for an address that leads to several (RFC 3461 §5.2.7.3). */
enum report_about { ABOUT_FAILURE, ABOUT_DELAY, ABOUT_SUCCESS, ABOUT_EXPANSION };
/* A message to the entry's reverse-path about some of its recipients, queued in this transaction. Nothing for the
 * null reverse-path, or for recipients whose NOTIFY does not ask for it: never a report about a report. */
enum err report_add(struct vault *v, struct txn *t, struct cx *cx, struct entry_id id,
                    const struct entry_row *entry, enum report_about about, const bool *which);

/* The same, when the first piece of the body is at hand and not in the store yet. */
enum err report_add_from(struct vault *v, struct txn *t, struct cx *cx, struct entry_id id,
                         const struct entry_row *entry, enum report_about about, const bool *which,
                         struct str head);

enum err entry_read(struct view *v, struct cx *cx, struct entry_id id, struct entry_row *row,
                    bool *found);
