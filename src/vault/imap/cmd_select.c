/* SELECT, EXAMINE (RFC 9051 §6.3.2; RFC 7162 §3.1.8, §3.2.5), CLOSE and UNSELECT (§6.4.1, §6.4.2). */
#include "vault/imap/commands.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/scoped.h"
#include "vault/imap/gather.h"
#include "vault/imap/response.h"
#include "vault/imap/vanished.h"

#include <inttypes.h>

/* ---- what a client that was here before does not know ---- */

struct resync {
    struct roster *roster;
    struct imap_set within; /* the UIDs that it knows */
    uint64_t since;
    struct imap_set vanished;
    size_t told;
    struct roster_walk walk;
    struct flag_text flags;
};

static void resync_end(void *state)
{
    struct resync *r = state;

    roster_drop(&r->roster);
}

/* UIDs up to the last pair that still fits are known to be right (RFC 7162 §3.2.5.2). */
static uint32_t matched_up_to(const struct roster *r, const struct imap_select *a)
{
    struct imap_set_walk seqs = {&a->known_seqs}, uids = {&a->known_seq_uids};
    uint32_t seq, uid, last = 0;

    while (a->has_match && imap_set_next(&seqs, &seq) && imap_set_next(&uids, &uid)) {
        const struct roster_entry *entry = roster_at(r, seq);

        if (!entry || entry->uid != uid)
            break;
        last = uid;
    }
    return last;
}

static bool resync_is_told(struct imap *i, struct resync *r)
{
    struct buf *out = &i->s->out;
    const struct roster_entry *entry;

    if (!vanished_write(i, &r->vanished, true, &r->told))
        return false;
    while (!imap_is_enough(i)) {
        entry = roster_next(&r->walk);
        if (!entry)
            return true;
        if (entry->modseq <= r->since)
            continue;
        fetch_begin(i, out, r->walk.number, entry->uid, true);
        flag_text_write(&r->flags, i, out, entry);
        buf_printf(out, " MODSEQ (%" PRIu64 "))\r\n", entry->modseq);
    }
    return false;
}

static enum err resync_run(struct imap *i, void *state, bool *done)
{
    *done = resync_is_told(i, state);
    return OK;
}

/* RFC 7162 §3.2.5.1: what was removed, then what was changed, of the UIDs that the client knows. */
static enum err resync_begin(struct imap *i, struct roster *roster, const struct imap_select *a)
{
    const struct roster_counts *counts = roster_counts(roster);
    struct resync *r;
    enum err e;

    if (a->uid_validity != counts->uid_validity)
        return OK; /* what the client knows is worth nothing, and it will see that */
    r = arena_alloc(i->arena, sizeof(*r));
    r->since = a->modseq;
    r->within = a->has_known_uids ? a->known_uids : vanished_all(i->arena, roster);
    e = vanished_since(i, roster, &r->within, a->modseq, matched_up_to(roster, a), &r->vanished);
    if (e)
        return e;
    r->roster = roster_hold(roster);
    r->walk = roster_walk(r->roster, &r->within);
    flag_text_begin(&r->flags, r->roster);
    imap_go_on(i, &(struct imap_step){.run = resync_run, .end = resync_end, .state = r});
    return OK;
}

/* ---- SELECT and EXAMINE ---- */

#define RIGHTS_THAT_WRITE                                                                              \
    (IMAP_RIGHT_SEEN | IMAP_RIGHT_WRITE | IMAP_RIGHT_INSERT | IMAP_RIGHT_DELETE_MSG |                  \
     IMAP_RIGHT_EXPUNGE)

static void write_counts(struct imap *i, const struct roster *r, const struct place *p)
{
    const struct roster_counts *n = roster_counts(r);
    struct buf *out = &i->s->out;
    uint32_t unseen = roster_first_unseen(r);

    buf_printf(out, "* %" PRIu32 " EXISTS\r\n", n->exists);
    if (!imap_is_rev2(i))
        buf_printf(out, "* %" PRIu32 " RECENT\r\n", selected_recent_count(i, r));
    if (!imap_is_rev2(i) && unseen && !imap_is_uidonly(i))
        buf_printf(out, "* OK [UNSEEN %" PRIu32 "] the first that is not seen\r\n", unseen);
    buf_printf(out, "* OK [UIDVALIDITY %" PRIu32 "] UIDs valid\r\n", n->uid_validity);
    buf_printf(out, "* OK [UIDNEXT %" PRIu32 "] the next UID\r\n", n->uid_next);
    buf_printf(out, "* OK [HIGHESTMODSEQ %" PRIu64 "] the highest so far\r\n", n->modseq);
    buf_add(out, S("* OK [MAILBOXID (")); /* RFC 8474 §4.2 */
    mailbox_id_write(out, p->at);
    buf_add(out, S(")] this mailbox\r\n"));
    if (imap_is_rev2(i)) {
        buf_add(out, S("* LIST "));
        list_entry_write(i, out, p);
        oldname_write(out, p->name, i->parse.given);
        buf_add(out, S("\r\n"));
    }
}

static void become_selected(struct imap *i, const struct place *p, struct roster *r, bool examine)
{
    struct selected *s = must_alloc(sizeof(*s) + p->name.n);

    memcpy(s->name_bytes, p->name.p, p->name.n);
    s->at = p->at;
    s->name = (struct str){s->name_bytes, p->name.n};
    s->known = known_of(r);
    s->told_whole = known_modseq(s->known);
    s->rights = examine ? p->rights & ~(uint32_t)RIGHTS_THAT_WRITE : p->rights;
    s->read_only = !(s->rights & RIGHTS_THAT_WRITE);
    i->selected = s;
}

static enum err select_place(struct imap *i, const struct place *p, const struct imap_select *a,
                             bool examine)
{
    scoped(roster_drop) struct roster *r = NULL;
    enum err e = roster_get(i->s->store, i->s->cx, p->at.account, p->at.mailbox, &r);

    if (e)
        return e;
    if (a->condstore) /* its HIGHESTMODSEQ is that of write_counts() */
        imap_enable(i, IMAP_ENABLE_CONDSTORE);
    become_selected(i, p, r, examine);
    if (roster_counts(r)->damaged)
        log_line(LOG_ERROR, "imap-damaged", "account=%" PRIu64 " mailbox=%" PRIu64 " blocks=%" PRIu32,
                 p->at.account.v, p->at.mailbox.v, roster_counts(r)->damaged);
    e = selected_take_recent(i, r);
    if (e) /* none is \Recent, and nothing else is lost */
        imap_log_failure(i, e);
    mailbox_flags_tell(i, r);
    write_counts(i, r, p);
    buf_add(reply_code(i), i->selected->read_only ? S("READ-ONLY") : S("READ-WRITE"));
    return a->qresync ? resync_begin(i, r, a) : OK;
}

/* Whether or not another one is opened (RFC 9051 §6.3.2); but a BAD changes nothing (§6). */
static void leave_former(struct imap *i)
{
    if (!i->selected)
        return;
    selected_end(i);
    imap_say(i, "OK", "CLOSED", "the mailbox before is closed");
}

static enum err do_select(struct imap *i, const struct imap_command *c, bool examine)
{
    struct imap_select a;
    struct place p;
    enum err e;

    if (!parse_imap_select(imap_parsing(i), c->args, &a)) {
        if (i->parse.code)
            leave_former(i);
        return reply_misread(i);
    }
    if (a.qresync && !imap_has_qresync(i))
        return reply_bad(i, "ENABLE QRESYNC first"); /* RFC 7162 §3.2.5 */
    if (a.has_match && imap_is_uidonly(i))           /* RFC 9586 §3 */
        return reply_bad_code(i, "UIDREQUIRED", "message numbers are not used any more");
    leave_former(i);
    /* whether there is something below it, say, only LIST tells, which rev1 does without here */
    if (!place_for(i, a.mailbox, IMAP_RIGHT_READ | (imap_is_rev2(i) ? 0 : PLACE_ALONE), &p, &e))
        return e;
    if (imap_is_rev2(i))
        e = gather_children(i, &p);
    if (!e)
        e = select_place(i, &p, &a, examine);
    if (e)
        selected_end(i);
    return e;
}

enum err cmd_select(struct imap *i, const struct imap_command *c)
{
    return do_select(i, c, false);
}

enum err cmd_examine(struct imap *i, const struct imap_command *c)
{
    return do_select(i, c, true);
}

/* ---- leaving it ---- */

enum err cmd_unselect(struct imap *i, const struct imap_command *c)
{
    if (!parse_imap_no_args(imap_parsing(i), c->args))
        return reply_misread(i);
    selected_end(i);
    return OK;
}

/* What is \Deleted goes, and nobody is told (RFC 9051 §6.4.1); without the right to, it is only left. */
enum err cmd_close(struct imap *i, const struct imap_command *c)
{
    struct selected *s = i->selected;
    struct removed removed;
    enum err e = OK;

    if (!parse_imap_no_args(imap_parsing(i), c->args))
        return reply_misread(i);
    if (s->rights & IMAP_RIGHT_EXPUNGE)
        e = messages_remove(i->s->store, i->s->cx, s->at, NULL, true, &removed, &i->s->ticket);
    if (e && e != ERR_NOT_FOUND)
        return e;
    selected_end(i);
    return OK;
}
