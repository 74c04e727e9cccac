/* Mail comes in: MAIL and RCPT (serve_envelope), the body (serve_body_piece) and its end (serve_deliver), which
 * decides for every recipient at once and writes everything in one transaction.
 *
 * What a gate says is a claim. Who signed on is known from the handle; whether mail may go onward is decided here,
 * from the account or else from the client's address; recipients are looked up again at the end. */
#include "base/clock.h"
#include "base/log.h"
#include "base/scoped.h"
#include "config/config.h"
#include "mail/address.h"
#include "mail/header.h"
#include "mail/idna.h"
#include "vault/accept/looks.h"
#include "vault/accept/place.h"
#include "vault/accept/sender.h"
#include "vault/accept/transactions.h"
#include "vault/caller.h"
#include "vault/queue/queue.h"
#include "vault/store/quota.h"
#include "vault/vault.h"

#include <inttypes.h>

#define MOST_RECEIVED 100 /* RFC 5321 §6.3: more is a loop */
#define MOST_TRACE_ADDED                                                                               \
    (64 * 1024)      /* what the gate's own Received may add to a message of the greatest size */
#define MOST_TRIES 5 /* to decide, while the directory keeps changing */
#define LARGEST_HEADER_SEARCHED BODY_PIECE /* loops are looked for in the first piece */

/* ---- MAIL and RCPT ---- */

static enum err check_size(struct caller *c, uint64_t size)
{
    uint64_t most = settings()->limits.message_size;

    return size > most ? fail(&c->cx, ERR_TOO_BIG, "%" PRIu64 " bytes of %" PRIu64, size, most) : OK;
}

/* A mailbox takes mail while what it holds, and what is under way to it, is below its limits. */
static enum err check_quota(struct caller *c, struct view *v, struct account_id id,
                            const struct account_row *account)
{
    struct state_row state;
    struct amount used;
    bool found;
    enum err e;

    if (!quota_limits(&account->limit))
        return OK;
    e = state_row_view(v, &c->cx, id, &(struct state_key){0}, &state, &found);
    if (e || !found)
        return e;
    used = transactions_reserved(c->vault->transactions, id);
    used.bytes += state.used.bytes;
    used.messages += state.used.messages;
    e = quota_check(&c->cx, id, &account->limit, &used, &ANY_MESSAGE);
    return e == ERR_OVER_QUOTA ? ERR_MAILBOX_FULL : e; /* it may empty: said as such (RFC 3463 §3.3) */
}

static enum err check_local(struct caller *c, struct view *v, const struct sender *from,
                            struct account_id id, struct account_row *account)
{
    bool found;
    enum err e = directory_account(v, &c->cx, id, account, &found);

    if (!e && !found)
        e = fail(&c->cx, ERR_NO_SUCH_USER, "account %" PRIu64 " was removed", id.v);
    if (!e && account->internal_only && !from->inside)
        e = fail(&c->cx, ERR_INTERNAL_ONLY, "account %" PRIu64 " takes mail from inside only", id.v);
    return e ? e : check_quota(c, v, id, account);
}

/* RFC 6409 §4.2: what leaves by submission has whole domains. A name without a dot is a host of somebody's office, and
 * who typed it learns so at once. */
static bool is_whole_domain(struct cx *cx, struct str domain)
{
    struct str ascii;
    size_t dot;

    return domain.p[0] == '[' || !domain_to_ascii(cx->arena, domain, &ascii) ||
           str_find_char(ascii, '.', &dot);
}

/* An address of somebody else's domain is its own destination; one of ours never leads to its own domain outside. */
static bool is_outside(const struct path *to, const struct destinations *leads_to)
{
    return leads_to->n == 1 && leads_to->v[0].kind == TARGET_REMOTE && to->domain.n &&
           str_same_nocase(leads_to->v[0].remote.domain, to->domain);
}

/* One recipient: where it leads, and whether this sender may send there. A list is not refused because one of its
 * members is full: that one's copy waits in the queue. */
static enum err check_rcpt(struct caller *c, struct view *v, const struct sender *from,
                           const struct path *to, struct transaction *x, uint64_t size)
{
    struct destinations leads_to = {0};
    enum err e = directory_resolve(c->vault->store, v, &c->cx, to, &leads_to);
    bool outside = !e && is_outside(to, &leads_to);

    if (outside && !from->may_relay)
        return fail(&c->cx, ERR_NO_RELAY, "%s from %s", log_value(to->domain), log_value(from->client));
    if (outside && from->internal_only)
        return fail(&c->cx, ERR_INTERNAL_ONLY, "account %" PRIu64 " may not send outside",
                    from->account.v);
    if (outside && from->account.v && !is_whole_domain(&c->cx, to->domain))
        return fail(&c->cx, ERR_BAD_ADDRESS, "%s is not fully qualified", log_value(to->domain));
    for (size_t i = 0; !e && i < leads_to.n; i++) {
        struct account_row account;

        if (leads_to.v[i].kind != TARGET_ACCOUNT)
            continue;
        e = check_local(c, v, from, leads_to.v[i].account, &account);
        if (e == ERR_MAILBOX_FULL && leads_to.n > 1)
            e = OK;
        else if (!e && quota_limits(&account.limit))
            transaction_reserve(c->vault->transactions, x, leads_to.v[i].account,
                                &(struct amount){size ? size : 1, 1});
    }
    return e;
}

static enum err check_mail(struct caller *c, struct view *v, const struct envelope_request *q,
                           const struct sender *from)
{
    enum err e = check_size(c, q->params.size);

    if (!e && !engine_has_room(c->vault->engine))
        e = fail(&c->cx, ERR_NO_SPACE, "the disk's reserve is reached");
    return e ? e : sender_check_reverse_path(c->vault, v, &c->cx, from, &q->reverse_path);
}

static void log_refused(const struct caller *c, const char *what, const struct path *path, enum err e,
                        struct str client)
{
    log_line(LOG_INFO, "refused", "%s=%s@%s address=%s error=%s cause=%s", what,
             log_value(path->local_part), log_value(path->domain), log_value(client), err_row(e)->name,
             log_value(str_from_c(c->cx.cause)));
}

static enum err answer_mail(struct caller *c, struct view *v, const struct envelope_request *q,
                            const struct sender *from, struct envelope_reply *r)
{
    r->mail = check_mail(c, v, q, from);
    if (r->mail)
        log_refused(c, "from", &q->reverse_path, r->mail, q->client);
    return r->mail ? OK : transaction_open(c->vault->transactions, &c->cx, c->gate, &r->transaction);
}

/* Before anything is read: what it makes has to be durable to be seen. */
static enum err prepare_for_postmaster(struct caller *c, const struct envelope_request *q)
{
    for (size_t i = 0; i < q->rcpts_count; i++)
        if (str_same_nocase(q->rcpts[i].to.local_part, S("postmaster")))
            return store_ensure_postmaster(c->vault->store, &c->cx);
    return OK;
}

enum err serve_envelope(struct caller *c, const struct envelope_request *q, struct envelope_reply *r)
{
    enum err e = prepare_for_postmaster(c, q);
    scoped(view_close) struct view *v = view_open(c->vault->engine);
    struct sender from;
    struct transaction *x;

    if (!e)
        e = v ? sender_find(c, v, q->session, q->client, &from) : ERR_STORE;
    r->transaction = q->transaction;
    if (!e && !q->transaction.v)
        e = answer_mail(c, v, q, &from, r);
    if (e || r->mail)
        return e;
    x = transaction_take(c->vault->transactions, r->transaction, c->gate);
    if (!x)
        return fail(&c->cx, ERR_BAD_CALL, "no such transaction");
    r->rcpts = arena_array(c->cx.arena, struct rcpt_answer, q->rcpts_count);
    r->rcpts_count = q->rcpts_count;
    for (size_t i = 0; i < q->rcpts_count; i++) {
        struct path to = sender_complete(&from, &q->rcpts[i].to);

        r->rcpts[i].answer = check_rcpt(c, v, &from, &to, x, q->params.size);
        if (r->rcpts[i].answer)
            log_refused(c, "to", &to, r->rcpts[i].answer, q->client);
    }
    transaction_give_back(c->vault->transactions, x);
    return OK;
}

enum err serve_envelope_end(struct caller *c, const struct envelope_end_request *q,
                            struct envelope_end_reply *r)
{
    struct transactions *all = c->vault->transactions;
    struct transaction *x = transaction_take(all, q->transaction, c->gate);

    (void)r;
    if (x) /* else it was over already */
        transaction_end(all, x);
    return OK;
}

/* ---- the body ---- */

static enum err put_ahead(struct caller *c, struct transaction *x, const struct body_piece_request *q)
{
    uint64_t size = (uint64_t)(q->n + 1) * BODY_PIECE;
    struct ticket ticket;
    enum err e;

    if (q->n != x->pieces || q->piece.n != BODY_PIECE)
        return fail(&c->cx, ERR_BAD_CALL, "piece %u of %zu bytes, after %u", q->n, q->piece.n,
                    x->pieces);
    e = check_size(c, size > MOST_TRACE_ADDED ? size - MOST_TRACE_ADDED : 0);
    if (!e && !engine_has_room(c->vault->engine))
        e = fail(&c->cx, ERR_NO_SPACE, "the disk's reserve is reached");
    if (e)
        return e;
    scoped(txn_rollback) struct txn *t = txn_begin(c->vault->engine, NULL, 0);

    txn_is_built_on(t, &x->opening);
    body_put_ahead(t, x->id, q->n, q->piece);
    e = txn_commit(&t, &c->cx,
                   &ticket); /* it becomes durable with its `deliver`, which comes later in the log */
    if (e)
        return e;
    if (!x->digest)
        x->digest = digest_new();
    digest_feed(x->digest, q->piece);
    x->pieces++;
    return OK;
}

enum err serve_body_piece(struct caller *c, const struct body_piece_request *q,
                          struct body_piece_reply *r)
{
    struct transactions *all = c->vault->transactions;
    struct transaction *x = transaction_take(all, q->transaction, c->gate);
    enum err e;

    (void)r;
    if (!x)
        return fail(&c->cx, ERR_BAD_CALL, "no such transaction");
    e = put_ahead(c, x, q);
    transaction_give_back(all, x);
    return e;
}

/* ---- the end of the body ---- */

struct delivery {
    struct caller *c;
    const struct deliver_request *q;
    struct transaction *x;
    struct sender from;
    struct path reverse_path;
    struct cold_row looks;
    struct plan plan;
    struct entry_rcpt
        *expanded; /* recipients with several members, whose sender wants to hear of success */
    size_t expanded_count;
    uint64_t size;
    struct str head; /* the first piece, or what there is */
};

static enum err read_head(struct delivery *d, struct txn *t)
{
    struct piece_row row;
    bool found;
    enum err e;

    d->head = d->q->last;
    if (!d->x->pieces)
        return OK;
    e = piece_row_txn(t, &d->c->cx, NO_ACCOUNT, &(struct piece_key){.body = d->x->id.v}, &row, &found);
    if (!e && !found)
        return fail(&d->c->cx, ERR_BAD_CALL, "the first piece is not there");
    d->head = row.raw;
    return e;
}

/* RFC 5321 §6.3: a hundred servers is too many, and so is this mailbox for the second time. */
static enum err check_loops(struct delivery *d)
{
    struct str header = str_upto(d->head, header_length(str_upto(d->head, LARGEST_HEADER_SEARCHED)));
    struct header_field f;
    size_t hops = 0;

    for (struct str rest = header; take_header_field(&rest, &f);) {
        hops += str_same_nocase(f.name, S("Received"));
        if (!str_same_nocase(f.name, S("Delivered-To")))
            continue;
        for (size_t i = 0; i < d->plan.local_count; i++)
            if (str_same_nocase(str_trim(f.body),
                                path_text(&d->c->cx, &d->plan.local[i].to.delivered_to)))
                return fail(&d->c->cx, ERR_MAIL_LOOP, "was delivered to %s before",
                            log_value(str_trim(f.body)));
    }
    return hops > MOST_RECEIVED ? fail(&d->c->cx, ERR_MAIL_LOOP, "%zu Received fields", hops) : OK;
}

/* RFC 3461 §5.2.7.3 (c): members do not report success, in the place of all of them the address does that they stand
 * behind: "expanded". What is left of NOTIFY=SUCCESS alone is the wish to hear of nothing else. */
static uint32_t note_expanded(struct delivery *d, const struct rcpt *r, const struct path *to)
{
    uint32_t rest = r->notify & ~(uint32_t)NOTIFY_SUCCESS;

    if (rest == r->notify)
        return rest;
    d->expanded[d->expanded_count++] = (struct entry_rcpt){
        .to = *to, .notify = r->notify, .orcpt = r->orcpt, .state = RCPT_DONE, .status = S("2.0.0")};
    return rest ? rest : NOTIFY_NEVER;
}

/* Where all recipients lead now. An answer that was given at RCPT is not taken back for some of them: if one no longer
 * holds, the whole message is asked for again. */
static enum err decide(struct delivery *d, struct view *v)
{
    struct cx *cx = &d->c->cx;

    d->plan = (struct plan){.vault = d->c->vault,
                            .message = d->x->id,
                            .size = d->size,
                            .reverse_path = d->reverse_path,
                            .params = d->q->params,
                            .sender = d->from.account,
                            .looks = &d->looks,
                            .next_entry = 1};
    d->expanded = arena_array(cx->arena, struct entry_rcpt, d->q->rcpts_count);
    d->expanded_count = 0;
    for (size_t i = 0; i < d->q->rcpts_count; i++) {
        const struct rcpt *rcpt = &d->q->rcpts[i];
        struct path to = sender_complete(&d->from, &rcpt->to);
        struct destinations leads_to = {0};
        enum err e = directory_resolve(d->c->vault->store, v, cx, &to, &leads_to);

        if (!e && is_outside(&to, &leads_to) && (!d->from.may_relay || d->from.internal_only))
            e = fail(cx, ERR_NO_RELAY, "%s", log_value(to.domain));
        if (!e)
            e = plan_add(&d->plan, cx, (uint32_t)i,
                         leads_to.n > 1 ? note_expanded(d, rcpt, &to) : rcpt->notify, rcpt->orcpt,
                         &leads_to);
        if (e)
            return e == ERR_NO_SUCH_USER ? ERR_CHANGED : e;
    }
    return OK;
}

static void put_body(struct delivery *d, struct txn *t)
{
    struct new_body b = {.id = d->x->id,
                         .ahead = d->x->pieces,
                         .opening = d->x->opening,
                         .last = d->q->last,
                         .size = d->size};

    if (d->x->digest) {
        struct digest *whole = digest_copy(d->x->digest); /* the transaction may be tried again */

        digest_feed(whole, d->q->last);
        digest_end(whole, b.sha256);
        digest_free(&whole);
    } else {
        digest_of(d->q->last, b.sha256);
    }
    body_put(t, &b);
}

static struct str message_id_of(const struct delivery *d)
{
    struct header_field f;

    return find_header_field(str_upto(d->head, header_length(d->head)), S("Message-ID"), &f)
               ? str_upto(str_trim(f.body), 250)
               : STR_NONE;
}

/* Who got it, for the trace: the first hundred by name. */
static struct str recipients_text(const struct delivery *d)
{
    struct buf b = buf_make(16 * 1024);
    struct str s;

    for (size_t i = 0; i < d->q->rcpts_count && i < 100; i++) {
        struct path to = sender_complete(&d->from, &d->q->rcpts[i].to);

        buf_add(&b, i ? S(" ") : S(""));
        buf_add(&b, path_text(&d->c->cx, &to));
    }
    s = str_copy(d->c->cx.arena, buf_str(&b));
    buf_free(&b);
    return s;
}

static void put_trace(const struct delivery *d, struct txn *t)
{
    struct trace_event ev = {.kind = TRACE_ACCEPTED,
                             .message = d->x->id,
                             .from = path_text(&d->c->cx, &d->reverse_path),
                             .to = recipients_text(d)};
    struct buf b = buf_make(2048);

    buf_printf(&b, "%" PRIu64 " bytes from %s (%s), %zu into mailboxes, %zu queued, Message-ID %.*s",
               d->size, log_value(d->q->client), log_value(d->q->helo), d->plan.delivered,
               d->plan.queued, STR_ARG(message_id_of(d)));
    ev.text = buf_str(&b);
    trace_put(t, &ev);
    buf_free(&b);
}

static enum err put_report(const struct delivery *d, struct txn *t, enum report_about what,
                           struct entry_rcpt *rcpts, size_t n)
{
    struct entry_row about = {.reverse_path = d->reverse_path,
                              .params = d->q->params,
                              .size = d->size,
                              .arrived = (uint64_t)now_ms(),
                              .rcpts = rcpts,
                              .rcpts_count = n};
    bool *all = arena_array(d->c->cx.arena, bool, n);

    for (size_t i = 0; i < n; i++)
        all[i] = true;
    return n ? report_add_from(d->c->vault, t, &d->c->cx, (struct entry_id){d->x->id.v, 0}, &about,
                               what, all, d->head)
             : OK;
}

/* RFC 3461 §5.2.1: who asked to hear of success hears of it, for what is in a mailbox now, or on its way to members. */
static enum err put_success_reports(const struct delivery *d, struct txn *t)
{
    struct entry_rcpt *there = arena_array(d->c->cx.arena, struct entry_rcpt, d->plan.local_count);
    size_t n = 0;
    enum err e;

    for (size_t i = 0; i < d->plan.local_count; i++) {
        const struct plan_target *to = &d->plan.local[i];

        if (!to->result && to->notify & NOTIFY_SUCCESS)
            there[n++] = (struct entry_rcpt){.to = to->to.delivered_to,
                                             .notify = to->notify,
                                             .orcpt = to->orcpt,
                                             .state = RCPT_DONE,
                                             .status = S("2.0.0"),
                                             .last_reply = S("delivered to the mailbox")};
    }
    e = put_report(d, t, ABOUT_SUCCESS, there, n);
    return e ? e : put_report(d, t, ABOUT_EXPANSION, d->expanded, d->expanded_count);
}

/* One try: decides on durable state, locks, makes sure that nothing it rested on has changed, writes. */
static enum err try_delivery(struct delivery *d)
{
    struct engine *engine = d->c->vault->engine;
    struct cx *cx = &d->c->cx;
    uint64_t version = directory_version(d->c->vault->store);
    enum err e;

    {
        scoped(view_close) struct view *v = view_open(engine);

        e = v ? sender_find(d->c, v, d->q->session, d->q->client, &d->from) : ERR_STORE;
        d->reverse_path = sender_complete(&d->from, &d->q->reverse_path);
        if (!e)
            e = sender_check_reverse_path(d->c->vault, v, cx, &d->from, &d->q->reverse_path);
        if (!e)
            e = decide(d, v);
    }
    if (e)
        return e;
    scoped(txn_rollback) struct txn *t = txn_begin(engine, d->plan.parts, d->plan.local_count);

    if (directory_version(d->c->vault->store) != version)
        return ERR_CHANGED;
    e = read_head(d, t);
    if (!e)
        e = check_loops(d);
    if (!e)
        e = looks_of_new(t, cx, d->x->id, d->x->pieces, d->q->last, d->q->parts, d->q->parts_count,
                         &d->looks, &d->plan.facts);
    if (!e)
        e = plan_write(&d->plan, t, cx);
    if (!e)
        e = put_success_reports(d, t);
    if (e)
        return e == ERR_NOT_FOUND ? ERR_CHANGED : e;
    put_body(d, t);
    put_trace(d, t);
    return txn_commit(&t, cx, &d->c->ticket);
}

static enum err check_delivery(struct delivery *d)
{
    const struct deliver_request *q = d->q;

    if (q->pieces_before != d->x->pieces || q->last.n > BODY_PIECE || !q->rcpts_count)
        return fail(&d->c->cx, ERR_BAD_CALL, "%u pieces came, %u are claimed, %zu recipients",
                    d->x->pieces, q->pieces_before, q->rcpts_count);
    d->size = (uint64_t)d->x->pieces * BODY_PIECE + q->last.n;
    return check_size(d->c, d->size > MOST_TRACE_ADDED ? d->size - MOST_TRACE_ADDED : 0);
}

enum err serve_deliver(struct caller *c, const struct deliver_request *q, struct deliver_reply *r)
{
    struct transactions *all = c->vault->transactions;
    struct delivery *d = arena_alloc(c->cx.arena, sizeof(*d));
    struct transaction *x = transaction_take(all, q->transaction, c->gate);
    enum err e;

    if (!x)
        return fail(&c->cx, ERR_BAD_CALL, "no such transaction");
    *d = (struct delivery){.c = c, .q = q, .x = x};
    e = check_delivery(d);
    if (!e) {
        int tries = 0;

        do
            e = try_delivery(d);
        while (e == ERR_CHANGED && ++tries < MOST_TRIES);
    }
    r->local = (uint32_t)d->plan.delivered;
    r->queued = (uint32_t)d->plan.queued;
    if (!e)
        atomic_fetch_add(&c->vault->delivered, d->plan.delivered);
    x->delivered = e == OK;
    transaction_end(all, x);
    return e;
}
