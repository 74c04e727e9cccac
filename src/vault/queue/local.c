/* Entries for our own mailboxes: what did not fit into the accepting transaction, members of a list who were full,
 * and our own reports. Each recipient is looked up again, and placed in the transaction that settles the entry. */
#include "base/clock.h"
#include "base/scoped.h"
#include "config/config.h"
#include "vault/accept/looks.h"
#include "vault/accept/place.h"
#include "vault/caller.h"
#include "vault/queue/queue.h"
#include "vault/store/body.h"
#include "vault/store/directory.h"
#include "vault/vault.h"

#define MOST_AT_ONCE MOST_LOCAL_AT_ONCE /* recipients of the entry; the rest waits for the next round */

struct local {
    struct vault *v;
    struct cx *cx;
    struct entry_id id;
    struct entry_row entry;
    struct cold_row looks;
    struct str facts;
    struct plan plan;
    struct result results[MOST_AT_ONCE];
    size_t leads_to[MOST_AT_ONCE]; /* how many destinations a recipient has */
    size_t count;
    uint64_t version; /* of the directory, when the recipients were looked up */
};

static void set_result(struct local *l, size_t i, uint32_t outcome, enum err e)
{
    l->results[i].outcome = outcome;
    l->results[i].status = str_from_c(err_row(e)->enhanced);
    l->results[i].reply = e ? str_from_c(err_row(e)->text) : S("delivered to the mailbox");
}

/* An address that is gone is a failure for good; whatever passes is tried again. */
static enum err resolve_one(struct local *l, struct view *v, uint32_t n)
{
    const struct entry_rcpt *rcpt = &l->entry.rcpts[n];
    struct destinations to = {0};
    size_t i = l->count++;
    enum err e = directory_resolve(l->v->store, v, l->cx, &rcpt->to, &to);

    l->results[i] = (struct result){.n = n};
    set_result(l, i,
               !e                    ? OUTCOME_DELIVERED
               : err_is_temporary(e) ? OUTCOME_DEFERRED
                                     : OUTCOME_FAILED,
               e);
    l->leads_to[i] = to.n;
    return e ? OK : plan_add(&l->plan, l->cx, (uint32_t)i, rcpt->notify, rcpt->orcpt, &to);
}

static enum err prepare(struct local *l, bool *found)
{
    scoped(view_close) struct view *v = view_open(l->v->engine);
    enum err e;

    if (!v)
        return fail(l->cx, ERR_STORE, "the store is closed");
    l->version = directory_version(l->v->store);
    e = entry_read(v, l->cx, l->id, &l->entry, found);
    if (!e && *found)
        e = looks_of_stored(v, l->cx, (struct body_id){l->id.body}, l->entry.size, &l->looks,
                            &l->facts);
    for (uint32_t n = 0; !e && *found && n < l->entry.rcpts_count && l->count < MOST_AT_ONCE; n++)
        if (l->entry.rcpts[n].state == RCPT_WAITING)
            e = resolve_one(l, v, n);
    return e;
}

/* A full mailbox may empty: its recipient waits. If the address led to others as well, only the full one goes on
 * waiting, in an entry of its own. */
static void pass_over_full(struct local *l, struct txn *t)
{
    for (size_t i = 0; i < l->plan.local_count; i++) {
        struct plan_target *full = &l->plan.local[i];
        struct new_entry alone = {.id = {l->id.body, 0},
                                  .destination = LOCAL_DESTINATION,
                                  .reverse_path = l->entry.reverse_path,
                                  .params = l->entry.params,
                                  .sender = l->entry.sender,
                                  .size = l->entry.size,
                                  .rcpts = &(struct entry_rcpt){.to = full->to.delivered_to,
                                                                .notify = full->notify,
                                                                .orcpt = full->orcpt},
                                  .rcpts_count = 1};

        if (full->result != ERR_OVER_QUOTA)
            continue;
        if (l->leads_to[full->rcpt] == 1) {
            set_result(l, full->rcpt, OUTCOME_DEFERRED, ERR_MAILBOX_FULL);
            continue;
        }
        alone.id.n = l->plan.next_entry++;
        queue_add(t, settings(), &alone);
    }
}

static void make_plan(struct local *l, struct vault *v, struct cx *cx, struct entry_id id)
{
    l->v = v;
    l->cx = cx;
    l->id = id;
    l->plan.vault = v;
    l->plan.message = (struct body_id){id.body};
    l->plan.looks = &l->looks;
    l->plan.facts = l->facts;
    l->plan.quota_matters = true;
}

/* A number that no entry of this message has or had a moment ago: finished ones still hold their reference until the
 * collector's grace is over. Only this thread adds entries to a message that was accepted. */
static enum err choose_numbers(struct local *l, struct txn *t)
{
    scoped(buf_free) struct buf from = buf_make(32), to = buf_make(32);
    scoped(scan_close) struct scan *scan = NULL;
    struct ref_key last = {0};
    struct str key, value;
    enum err e;

    ref_key_pack(&from, &(struct ref_key){.body = l->id.body, .part = QUEUE_PART});
    ref_key_pack(&to, &(struct ref_key){.body = l->id.body, .part = QUEUE_PART + 1});
    e = txn_scan(t, l->cx, ref_part(NO_ACCOUNT), buf_str(&from), buf_str(&to), true, &scan);
    if (e)
        return e;
    if (scan_next(scan, &key, &value) && !ref_key_unpack(key, &last))
        return fail(l->cx, ERR_DAMAGED, "a reference that cannot be unpacked");
    l->plan.next_entry = (uint32_t)last.owner + 1;
    return scan_error(scan, l->cx);
}

static void plan_follows_entry(struct local *l)
{
    l->plan.size = l->entry.size;
    l->plan.reverse_path = l->entry.reverse_path;
    l->plan.params = l->entry.params;
    l->plan.sender = l->entry.sender;
}

static enum err write_all(struct local *l, struct txn *t)
{
    struct attempt a = {.id = l->id,
                        .entry = &l->entry,
                        .results = l->results,
                        .results_count = l->count,
                        .local = true};
    enum err e = choose_numbers(l, t);

    if (!e)
        e = plan_write(&l->plan, t, l->cx);
    if (e)
        return e;
    pass_over_full(l, t);
    return queue_settle(l->v, t, l->cx, &a);
}

enum err queue_deliver_local(struct vault *v, struct cx *cx, struct entry_id id, struct ticket *ticket)
{
    struct local *l = arena_alloc(cx->arena, sizeof(*l));
    bool found = false;
    enum err e;

    make_plan(l, v, cx, id);
    e = prepare(l, &found);
    if (e || !found)
        return e;
    plan_follows_entry(l);
    scoped(txn_rollback) struct txn *t = txn_begin(v->engine, l->plan.parts, l->plan.local_count);

    if (directory_version(v->store) != l->version)
        return fail(cx, ERR_CHANGED, "the directory changed meanwhile"); /* it is still due */
    e = write_all(l, t);
    if (!e)
        e = txn_commit(&t, cx, ticket);
    if (!e)
        atomic_fetch_add(&v->delivered, l->plan.delivered);
    return e;
}
