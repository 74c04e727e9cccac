#include "vault/accept/place.h"

#include "base/clock.h"
#include "mail/idna.h"
#include "mail/received.h"
#include "vault/queue/queue.h"
#include "vault/store/email.h"

#include <stdlib.h>

/* ---- planning ---- */

static bool same_remote(const struct destination *a, const struct destination *b)
{
    return str_same(a->remote.local_part, b->remote.local_part) &&
           str_same_nocase(a->remote.domain, b->remote.domain);
}

static bool is_planned(const struct plan *p, const struct destination *d)
{
    if (d->kind == TARGET_REMOTE) {
        for (size_t i = 0; i < p->remote_count; i++)
            if (same_remote(&p->remote[i].to, d))
                return true;
        return false;
    }
    for (size_t i = 0; i < p->local_count; i++)
        if (p->local[i].to.account.v == d->account.v)
            return true;
    for (size_t i = 0; i < p->later_count; i++)
        if (p->later[i].to.account.v == d->account.v)
            return true;
    return false;
}

static void append(struct cx *cx, struct plan_target **v, size_t *n, size_t *room,
                   const struct plan_target *t)
{
    if (*n == *room) {
        struct plan_target *more = arena_array(cx->arena, struct plan_target, *room ? *room * 2 : 8);

        if (*n)
            memcpy(more, *v, *n * sizeof(*more));
        *room = *room ? *room * 2 : 8;
        *v = more;
    }
    (*v)[(*n)++] = *t;
}

enum err plan_add(struct plan *p, struct cx *cx, uint32_t rcpt, uint32_t notify, struct str orcpt,
                  const struct destinations *to)
{
    for (size_t i = 0; i < to->n; i++) {
        struct plan_target t = {
            .to = to->v[i], .rcpt = rcpt, .notify = notify, .orcpt = orcpt, .of_several = to->n > 1};

        if (is_planned(p, &t.to))
            continue;
        if (p->remote_count + p->later_count == MOST_DESTINATIONS)
            return fail(cx, ERR_LIMIT, "more than %d destinations", MOST_DESTINATIONS);
        if (t.to.kind == TARGET_REMOTE) {
            append(cx, &p->remote, &p->remote_count, &p->remote_room, &t);
        } else if (p->local_count < MOST_LOCAL_AT_ONCE) {
            p->parts[p->local_count] = (struct part){PART_ACCOUNT, t.to.account.v};
            p->local[p->local_count++] = t;
        } else {
            append(cx, &p->later, &p->later_count, &p->later_room, &t);
        }
    }
    return OK;
}

/* ---- writing ---- */

static struct str prefix_for(const struct plan *p, struct cx *cx, const struct path *to)
{
    struct mailbox from = {p->reverse_path.local_part, p->reverse_path.domain};
    struct buf b = buf_make(2048);
    struct str prefix;

    delivery_prefix_write(&b, &from, path_text(cx, to));
    prefix = str_copy(cx->arena, buf_str(&b));
    buf_free(&b);
    return prefix;
}

static enum err find_limit(struct txn *t, struct cx *cx, struct account_id id, struct amount *limit)
{
    struct account_row account;
    bool found;
    enum err e =
        account_row_txn(t, cx, NO_ACCOUNT, &(struct account_key){.account = id.v}, &account, &found);

    if (!e && !found)
        return fail(cx, ERR_NOT_FOUND, "an account was removed meanwhile");
    if (!e)
        *limit = account.limit;
    return e;
}

static enum err write_local(struct plan *p, struct txn *t, struct cx *cx, struct plan_target *target,
                            uint64_t now)
{
    struct new_email n = {.body = p->message,
                          .body_size = p->size,
                          .prefix = prefix_for(p, cx, &target->to.delivered_to),
                          .internal_date = now,
                          .received = now,
                          .looks = p->looks,
                          .facts = p->facts,
                          .again = p->from_queue};
    struct placed at;
    enum err e =
        p->from_queue || target->of_several ? find_limit(t, cx, target->to.account, &n.limit) : OK;

    if (e)
        return e;
    target->result = email_add(t, cx, target->to.account, INBOX, &n, &at);
    if (target->result && target->result != ERR_OVER_QUOTA)
        return target->result;
    if (target->result && !p->from_queue)
        append(cx, &p->later, &p->later_count, &p->later_room, target);
    p->delivered += !target->result;
    return OK;
}

static void entry_for(struct plan *p, struct txn *t, struct str destination, struct entry_rcpt *rcpts,
                      size_t n)
{
    struct new_entry e = {.id = {p->message.v, p->next_entry++},
                          .destination = destination,
                          .reverse_path = p->reverse_path,
                          .params = p->params,
                          .sender = p->sender,
                          .size = p->size,
                          .rcpts = rcpts,
                          .rcpts_count = n};

    queue_add(t, settings(), &e);
    p->queued += n;
}

static struct entry_rcpt rcpt_of(const struct plan_target *t)
{
    bool remote = t->to.kind == TARGET_REMOTE;

    return (struct entry_rcpt){.to = remote ? t->to.remote : t->to.delivered_to,
                               .notify = t->notify,
                               .orcpt = t->orcpt,
                               .state = RCPT_WAITING};
}

#define RCPTS_PER_ENTRY 100 /* RFC 5321 §4.5.3.1.8: what every server takes at once */

/* One entry for each destination, of at most so many recipients that any server takes. */
static void write_remote(struct plan *p, struct txn *t, struct cx *cx)
{
    struct entry_rcpt *rcpts = arena_array(cx->arena, struct entry_rcpt, RCPTS_PER_ENTRY);
    bool *done = arena_array(cx->arena, bool, p->remote_count);

    for (size_t i = 0; i < p->remote_count; i++) {
        struct str domain = p->remote[i].to.remote.domain, destination;
        size_t n = 0;

        for (size_t k = i; k < p->remote_count && n < RCPTS_PER_ENTRY; k++)
            if (!done[k] && str_same_nocase(p->remote[k].to.remote.domain, domain)) {
                rcpts[n++] = rcpt_of(&p->remote[k]);
                done[k] = true;
            }
        if (!n)
            continue;
        if (!domain_to_ascii(cx->arena, domain, &destination))
            destination = domain; /* a literal, or what the next attempt will call no domain */
        entry_for(p, t, destination, rcpts, n);
        i -= n == RCPTS_PER_ENTRY; /* there may be more of this domain */
    }
}

static void write_later(struct plan *p, struct txn *t, struct cx *cx)
{
    struct entry_rcpt *rcpts = arena_array(cx->arena, struct entry_rcpt, RCPTS_PER_ENTRY);
    size_t n = 0;

    for (size_t i = 0; i < p->later_count; i++) {
        rcpts[n++] = rcpt_of(&p->later[i]);
        if (n == RCPTS_PER_ENTRY || i + 1 == p->later_count) {
            entry_for(p, t, LOCAL_DESTINATION, rcpts, n);
            n = 0;
        }
    }
}

enum err plan_write(struct plan *p, struct txn *t, struct cx *cx)
{
    uint64_t now = (uint64_t)now_ms();

    p->delivered = p->queued = 0;
    for (size_t i = 0; i < p->local_count; i++) {
        struct plan_target *target = &p->local[i];
        enum err e = target->left_out ? OK : write_local(p, t, cx, target, now);

        if (e)
            return target->result = e;
    }
    write_remote(p, t, cx);
    write_later(p, t, cx);
    return OK;
}
