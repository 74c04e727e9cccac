/* Entries for our own mailboxes: what did not fit into the accepting transaction, members of a list who were full,
 * and our own reports. Each recipient is looked up again, and placed in the transaction that settles the entry. */
#include "base/log.h"
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
    size_t count;
    uint64_t version; /* of the directory, when the recipients were looked up */
};

static void set_result(struct local *l, size_t i, uint32_t outcome, enum err e)
{
    l->results[i].outcome = outcome;
    l->results[i].status = str_from_c(err_row(e)->enhanced);
    l->results[i].reply = e ? str_from_c(err_row(e)->text) : S("delivered to the mailbox");
}

/* What it says is of the kind that may pass. */
static void defer(struct local *l, size_t i, enum err why)
{
    set_result(l, i, OUTCOME_DEFERRED,
               why == ERR_OVER_QUOTA   ? ERR_MAILBOX_FULL
               : err_is_temporary(why) ? why
                                       : ERR_DAMAGED);
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
    return e ? OK : plan_add(&l->plan, l->cx, (uint32_t)i, rcpt->notify, rcpt->orcpt, &to);
}

/* Whom the message is for, and what goes into their mailboxes. */
static enum err prepare(struct local *l, struct view *v)
{
    enum err e =
        looks_of_stored(v, l->cx, (struct body_id){l->id.body}, l->entry.size, &l->looks, &l->facts);

    for (uint32_t n = 0; !e && n < l->entry.rcpts_count && l->count < MOST_AT_ONCE; n++)
        if (l->entry.rcpts[n].state == RCPT_WAITING)
            e = resolve_one(l, v, n);
    return e;
}

/* Not what the store is to blame for as a whole, or what has just changed: another try in a moment goes better. */
static bool is_lasting(enum err e)
{
    return e && e != ERR_STORE && e != ERR_NO_SPACE && e != ERR_CHANGED && e != ERR_NOT_FOUND;
}

static void log_put_off(const struct local *l, enum err why)
{
    char text[ID_TEXT_SIZE];

    entry_id_text(l->id, text);
    log_line(LOG_ERROR, "put-off", "id=%s error=%s cause=%s", text, err_row(why)->name,
             log_value(str_from_c(l->cx->cause)));
}

/* All who wait are tried again when a server that is away would be, and are given up like that. */
static void put_off(struct local *l, enum err why)
{
    l->plan.local_count = l->plan.remote_count = l->plan.later_count = l->count = 0;
    for (uint32_t n = 0; n < l->entry.rcpts_count && l->count < MOST_AT_ONCE; n++)
        if (l->entry.rcpts[n].state == RCPT_WAITING) {
            l->results[l->count] = (struct result){.n = n};
            defer(l, l->count++, why);
        }
}

static enum err read_and_prepare(struct local *l, bool *found)
{
    scoped(view_close) struct view *v = view_open(l->v->engine);
    enum err e;

    if (!v)
        return fail(l->cx, ERR_STORE, "the store is closed");
    l->version = directory_version(l->v->store);
    e = entry_read(v, l->cx, l->id, &l->entry, found);
    if (e || !*found)
        return e;
    e = prepare(l, v);
    if (is_lasting(e)) {
        log_put_off(l, e);
        put_off(l, e);
        e = OK;
    }
    return e;
}

/* A full mailbox may empty, and one that cannot be read may be repaired: its recipient waits. If the address led to
 * others as well, only that one goes on waiting, in an entry of its own. */
static void pass_over(struct local *l, struct txn *t)
{
    for (size_t i = 0; i < l->plan.local_count; i++) {
        struct plan_target *target = &l->plan.local[i];
        enum err why = target->left_out ? target->left_out : target->result;
        struct new_entry alone = {.id = {l->id.body, 0},
                                  .destination = LOCAL_DESTINATION,
                                  .reverse_path = l->entry.reverse_path,
                                  .params = l->entry.params,
                                  .sender = l->entry.sender,
                                  .size = l->entry.size,
                                  .rcpts = &(struct entry_rcpt){.to = target->to.delivered_to,
                                                                .notify = target->notify,
                                                                .orcpt = target->orcpt},
                                  .rcpts_count = 1};

        if (!why)
            continue;
        if (!target->of_several) {
            defer(l, target->rcpt, why);
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
    l->plan.from_queue = true;
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

/* What leads to one mailbox makes no entry beside its own. */
static bool may_add_entries(const struct plan *p)
{
    bool may = p->remote_count || p->later_count;

    for (size_t i = 0; i < p->local_count; i++)
        may |= p->local[i].of_several;
    return may;
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
    enum err e = may_add_entries(&l->plan) ? choose_numbers(l, t) : OK;

    if (!e)
        e = plan_write(&l->plan, t, l->cx);
    if (e)
        return e;
    pass_over(l, t);
    return queue_settle(l->v, t, l->cx, &a);
}

static enum err try_delivery(struct local *l, struct ticket *ticket)
{
    scoped(txn_rollback) struct txn *t = txn_begin(l->v->engine, l->plan.parts, l->plan.local_count);
    enum err e;

    if (directory_version(l->v->store) != l->version)
        return fail(l->cx, ERR_CHANGED, "the directory changed meanwhile"); /* it is still due */
    e = write_all(l, t);
    return e ? e : txn_commit(&t, l->cx, ticket);
}

/* One mailbox that cannot be written keeps nobody else's mail waiting. False: it was something else. */
static bool leave_out(struct local *l, enum err e)
{
    for (size_t i = 0; is_lasting(e) && i < l->plan.local_count; i++) {
        struct plan_target *target = &l->plan.local[i];

        if (target->left_out || target->result != e)
            continue;
        log_put_off(l, e);
        target->left_out = e;
        return true;
    }
    return false;
}

enum err queue_deliver_local(struct vault *v, struct cx *cx, struct entry_id id, struct ticket *ticket)
{
    struct local *l = arena_alloc(cx->arena, sizeof(*l));
    bool found = false;
    enum err e;

    make_plan(l, v, cx, id);
    e = read_and_prepare(l, &found);
    if (e || !found)
        return e;
    plan_follows_entry(l);
    do
        e = try_delivery(l, ticket);
    while (leave_out(l, e));
    if (is_lasting(e)) { /* it was no mailbox's: all of it has to wait */
        log_put_off(l, e);
        put_off(l, e);
        e = try_delivery(l, ticket);
    }
    if (!e)
        atomic_fetch_add(&v->delivered, l->plan.delivered);
    return e;
}
