/* COPY and MOVE, with and without UID (RFC 9051 §6.4.7, §6.4.8; RFC 4315 §3, RFC 6851). */
#include "vault/imap/commands.h"

#include "base/arena.h"
#include "vault/imap/place.h"
#include "vault/imap/selected.h"
#include "vault/imap/threads.h"

#include <inttypes.h>

/* Is some message gone that a message number still stands for? Then nothing is copied (RFC 9051 §6.4.7: all or none).*/
static enum err find_missing(struct imap *i, const struct imap_set *uids, uint64_t asked, bool *missing)
{
    struct roster *r;
    struct roster_walk w;
    uint64_t there = 0;
    enum err e = selected_roster(i, &r);

    if (e)
        return e;
    for (w = roster_walk(r, uids); roster_next(&w);)
        there++;
    *missing = there < asked;
    roster_drop(&r);
    return OK;
}

/* Who may not open the other mailbox is not told what is in it (RFC 9051 §6.4.7). */
static bool is_told(const struct place *to, const struct copied *copied)
{
    return copied->count && to->rights & IMAP_RIGHT_READ;
}

static void write_copyuid(struct buf *out, const struct copied *copied)
{
    struct imap_range range = {copied->to_first, copied->to_last};
    struct imap_set to = {.ranges = &range, .count = 1};

    imap_code_copyuid(out, copied->to_uid_validity, &copied->from, &to);
}

/* Flags that the copies may have (RFC 4314 §4). */
static uint64_t flags_allowed(uint32_t rights)
{
    uint64_t flags = rights & IMAP_RIGHT_WRITE ? ~(uint64_t)(FLAG_SEEN | FLAG_DELETED) : 0;

    if (rights & IMAP_RIGHT_SEEN)
        flags |= FLAG_SEEN;
    if (rights & IMAP_RIGHT_DELETE_MSG)
        flags |= FLAG_DELETED;
    return flags;
}

struct copying {
    bool move;
    /* The messages were named by so many numbers: all are copied, or none. 0: by UIDs. */
    uint64_t asked;
    struct imap_set uids;
    struct place to;
    struct roster *roster; /* while they are threaded */
    struct thread_pass threads;
};

/* What both commands ask first. False: the answer is there, or the error. */
static bool prepare(struct imap *i, const struct imap_command *c, struct copying *x, enum err *e)
{
    struct imap_copy a;
    bool missing = false;

    *e = OK;
    if (!parse_imap_copy(imap_parsing(i), c->args, &a))
        return reply_misread(i), false;
    if (!selected_set(i, &a.set, c->uid, &x->uids) || !place_for_target(i, a.mailbox, &x->to, e))
        return false;
    x->asked = selected_numbers(i, &a.set, c->uid);
    if (x->asked)
        *e = find_missing(i, &x->uids, x->asked, &missing);
    if (missing)
        reply_gone(i);
    return !*e && !missing;
}

/* The untagged OK with COPYUID leaves before sync.c says that the messages are gone (RFC 9051 §6.4.8). */
static void say_moved(struct imap *i, const struct place *to, const struct copied *copied)
{
    if (is_told(to, copied)) {
        buf_add(&i->s->out, S("* OK ["));
        write_copyuid(&i->s->out, copied);
        buf_add(&i->s->out, S("] moved\r\n"));
    }
    if (copied->count && imap_has_condstore(i)) /* RFC 6851 §4.4 */
        buf_printf(reply_code(i), "HIGHESTMODSEQ %" PRIu64, copied->modseq);
}

static enum err transfer(struct imap *i, const struct copying *x)
{
    struct session *s = i->s;
    struct copied copied;
    enum err e =
        (x->move ? messages_move : messages_copy)(s->store, s->cx, i->selected->at, &x->uids, x->to.at,
                                                  flags_allowed(x->to.rights), &copied, &s->ticket);

    if (e)
        return e;
    if (copied.count)
        selected_note_own(i, x->to.at, copied.to_first, copied.to_last);
    if (x->move)
        say_moved(i, &x->to, &copied);
    else if (is_told(&x->to, &copied))
        write_copyuid(reply_code(i), &copied);
    return OK;
}

/* In another account a letter is in the thread in which it is here (RFC 8474 §5.2), so by then that has to be known. */
static enum err transfer_on(struct imap *i, void *state, bool *done)
{
    struct copying *x = state;
    bool through, missing = false;
    enum err e = x->roster ? OK : selected_roster(i, &x->roster);

    if (!e)
        e = thread_pass_some(i, &x->threads, i->selected->at, x->roster, &x->uids, &through);
    if (e || !through) {
        i->run.step.is_long = !i->s->ticket.v;
        return e;
    }
    *done = true;
    if (x->asked)
        e = find_missing(i, &x->uids, x->asked, &missing);
    if (e || missing)
        return e ? e : reply_gone(i);
    return transfer(i, x);
}

static void end_transfer(void *state)
{
    struct copying *x = state;

    roster_drop(&x->roster);
}

static enum err begin_transfer(struct imap *i, const struct copying *x)
{
    struct copying *kept;

    if (x->to.at.account.v == i->selected->at.account.v)
        return transfer(i, x);
    kept = arena_alloc(i->arena, sizeof(*kept));
    *kept = *x;
    imap_go_on(i, &(struct imap_step){.run = transfer_on, .end = end_transfer, .state = kept});
    return OK;
}

enum err cmd_copy(struct imap *i, const struct imap_command *c)
{
    struct copying x = {0};
    enum err e;

    if (!prepare(i, c, &x, &e) || selected_too_many(i, &x.uids, &e))
        return e;
    return begin_transfer(i, &x);
}

enum err cmd_move(struct imap *i, const struct imap_command *c)
{
    const uint32_t needed = IMAP_RIGHT_DELETE_MSG | IMAP_RIGHT_EXPUNGE; /* RFC 6851 §4.2 */
    struct copying x = {.move = true};
    uint64_t left_out;
    enum err e;

    if (!prepare(i, c, &x, &e))
        return e;
    if (i->selected->read_only)
        return reply_read_only(i);
    if (needed & ~i->selected->rights)
        return reply_no(i, "NOPERM", "you may not remove messages here");
    e = selected_cut(i, &x.uids, 1, 0, &x.uids, &left_out);
    x.asked -= left_out < x.asked ? left_out : x.asked;
    return e ? e : begin_transfer(i, &x);
}
