/* COPY and MOVE, with and without UID (RFC 9051 §6.4.7, §6.4.8; RFC 4315 §3, RFC 6851). */
#include "vault/imap/commands.h"

#include "vault/imap/place.h"
#include "vault/imap/selected.h"

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

/* What both commands ask first. False: the answer is there, or the error. */
static bool prepare(struct imap *i, const struct imap_command *c, struct imap_set *uids,
                    struct place *to, enum err *e)
{
    struct imap_copy a;
    bool missing = false;
    uint64_t asked;

    *e = OK;
    if (!parse_imap_copy(imap_parsing(i), c->args, &a))
        return reply_misread(i), false;
    if (!selected_set(i, &a.set, c->uid, uids) || !place_for_target(i, a.mailbox, to, e))
        return false;
    asked = selected_numbers(i, &a.set, c->uid);
    if (asked)
        *e = find_missing(i, uids, asked, &missing);
    if (missing)
        reply_gone(i);
    return !*e && !missing;
}

enum err cmd_copy(struct imap *i, const struct imap_command *c)
{
    struct session *s = i->s;
    struct copied copied;
    struct imap_set uids;
    struct place to;
    enum err e;

    if (!prepare(i, c, &uids, &to, &e) || selected_too_many(i, &uids, &e))
        return e;
    e = messages_copy(s->store, s->cx, i->selected->at, &uids, to.at, flags_allowed(to.rights), &copied,
                      &s->ticket);
    if (!e && copied.count)
        selected_note_own(i, to.at, copied.to_first, copied.to_last);
    if (!e && is_told(&to, &copied))
        write_copyuid(reply_code(i), &copied);
    return e;
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

enum err cmd_move(struct imap *i, const struct imap_command *c)
{
    const uint32_t needed = IMAP_RIGHT_DELETE_MSG | IMAP_RIGHT_EXPUNGE; /* RFC 6851 §4.2 */
    struct session *s = i->s;
    struct copied copied;
    struct imap_set uids;
    struct place to;
    uint64_t left_out;
    enum err e;

    if (!prepare(i, c, &uids, &to, &e))
        return e;
    if (i->selected->read_only)
        return reply_no(i, "READ-ONLY", "this mailbox was opened to be read only");
    if (needed & ~i->selected->rights)
        return reply_no(i, "NOPERM", "you may not remove messages here");
    e = selected_cut(i, &uids, 1, 0, &uids, &left_out);
    if (e)
        return e;
    e = messages_move(s->store, s->cx, i->selected->at, &uids, to.at, flags_allowed(to.rights), &copied,
                      &s->ticket);
    if (!e && copied.count)
        selected_note_own(i, to.at, copied.to_first, copied.to_last);
    if (!e)
        say_moved(i, &to, &copied);
    return e;
}
