/* FETCH and UID FETCH (RFC 9051 §6.4.5; RFC 7162 §3.1.4, §3.2.6; RFC 3516, 8474, 8514, 8970, 9394, 9586).
 *
 *   handler ──► [\Seen is set, in one change] ──► [VANISHED] ──► responses, in steps
 *
 * The responses are made from one picture of the mailbox, taken when \Seen is durable. Within a message a step may end
 * between two items, or within an item whose bytes come from the message itself. */
#include "vault/imap/commands.h"

#include "base/arena.h"
#include "vault/imap/ahead.h"
#include "vault/imap/fetch.h"
#include "vault/imap/passage.h"
#include "vault/imap/threads.h"
#include "vault/imap/vanished.h"

#include <inttypes.h>

#define AHEAD_WORTH 1000     /* messages that are still to come, for a second thread to be of use */
#define AHEAD_WORTH_READ 100 /* … that have to be read */
#define AHEAD_AGAIN 200      /* after so many it is tried again */
#define READ_AT_ONCE (1024 * 1024) /* so much of messages that are through may stay in memory */

struct fetch {
    struct imap_fetch a;
    struct imap_set asked_uids, uids; /* as the client said; those that are told of */
    uint64_t seen_modseq;             /* of the change that set \Seen; 0: it was not needed */
    struct imap_set vanished;
    size_t vanished_told;
    struct roster *roster;
    struct numbers numbers;
    struct thread_pass threads;
    struct fetch_mark at;
    struct flag_text flags;
    uint64_t asked;       /* messages of the set */
    uint64_t most;        /* so many messages there may be of the set */
    bool commanded;       /* or else told unasked, a few at a time */
    struct ahead *ahead;  /* NULL: nobody goes ahead */
    uint64_t alone_until; /* so many are found */
    enum err trouble;     /* something of what was asked for could not be read */
    bool unknown_encoding;
    /* the message at hand */
    const struct roster_entry *entry; /* NULL: none */
    size_t begin;        /* where its response begins in the output; SIZE_MAX: that has left already */
    size_t att, written; /* the next item; how many were written */
    bool has_cold, has_reading;             /* in this step */
    enum { BEGINS, MEASURES, SENDS } stage; /* of an item that is read from the message */
    struct cold_row cold;
    struct reading reading;
    struct passage passage;
};

static void fetch_end_all(void *state)
{
    struct fetch *f = state;

    ahead_free(&f->ahead);
    passage_close(&f->passage);
    roster_drop(&f->roster);
}

/* ---- items ---- */

/* What cannot be read is left out, and the reply will be NO; the first reason is as good as any. */
static void is_lost(struct imap *i, struct fetch *f, enum err e)
{
    if (!f->trouble) {
        imap_log_failure(i, e);
        f->trouble = e;
    }
}

static void begin_item(struct fetch *f, struct buf *out)
{
    if (f->written++)
        buf_add_char(out, ' ');
}

static bool get_cold(struct imap *i, struct fetch *f)
{
    struct cx *cx = i->s->cx;
    struct message_reader *stored;
    bool found;
    enum err e;

    if (f->has_cold)
        return true;
    e = imap_stored(i, i->selected->at.account, f->most, &stored);
    if (!e)
        e = reader_looks(stored, cx, f->entry->body, &f->cold, &found);
    if (!e && !found)
        e = fail(cx, ERR_GONE, "body %" PRIu64 " was removed", f->entry->body.v);
    if (e)
        is_lost(i, f, e);
    return f->has_cold = !e;
}

static void write_cold_item(struct imap *i, struct fetch *f, enum imap_att att)
{
    struct buf *out = &i->s->out;

    if (!get_cold(i, f))
        return;
    begin_item(f, out);
    fetch_cold_item_write(i, out, att, f->entry, &f->cold);
}

/* RFC 8474 §5.2. NIL: it could not be threaded, for it cannot be read. */
static void write_thread(struct imap *i, struct fetch *f)
{
    struct buf *out = &i->s->out;
    struct message_reader *stored;
    uint64_t thread;
    bool found;
    enum err e = imap_stored(i, i->selected->at.account, f->most, &stored);

    if (!e)
        e = reader_thread(stored, i->s->cx, f->entry->body, &thread, &found);
    if (e) {
        is_lost(i, f, e);
        return;
    }
    begin_item(f, out);
    buf_add(out, found ? S("THREADID (") : S("THREADID NIL"));
    if (!found)
        return;
    thread_id_write(out, thread);
    buf_add_char(out, ')');
}

/* ---- items that are read from the message ---- */

static enum err get_reading(struct imap *i, struct fetch *f)
{
    struct message_reader *stored;
    enum err e;

    if (f->has_reading)
        return OK;
    e = imap_stored(i, i->selected->at.account, f->most, &stored);
    if (!e)
        e = reading_open(&f->reading, stored, i->s->cx, f->entry->body);
    f->has_reading = !e;
    return e;
}

static void write_nothing(struct imap *i, struct fetch *f, const struct imap_fetch_att *att)
{
    begin_item(f, &i->s->out);
    fetch_passage_nil(i, &i->s->out, att);
}

static void write_head(struct imap *i, struct fetch *f, const struct imap_fetch_att *att)
{
    begin_item(f, &i->s->out);
    fetch_passage_head(i, &i->s->out, att, &f->passage);
    if (att->att == IMAP_ATT_BINARY_SIZE)
        f->passage.left = 0;
}

static enum err open_passage(struct imap *i, struct fetch *f, const struct imap_fetch_att *att)
{
    bool found;
    enum err e = passage_open(&f->passage, &f->reading, att, &found);

    if (e)
        return e;
    if (!found)
        write_nothing(i, f, att);
    else if (f->passage.unknown_encoding)
        f->unknown_encoding = true;
    else
        f->stage = MEASURES;
    return OK;
}

/* False: the step is over in the middle of it. */
static bool measure(struct imap *i, struct fetch *f, enum err *e)
{
    while (!*e && !f->passage.measured) {
        if (imap_is_enough(i))
            return false;
        *e = passage_measure(&f->passage, &f->reading);
    }
    return true;
}

static bool send_on(struct imap *i, struct fetch *f, enum err *e)
{
    while (!*e && f->passage.left) {
        if (imap_is_enough(i))
            return false;
        *e = passage_send(&f->passage, &f->reading, &i->s->out);
    }
    return true;
}

/* Behind a literal's head there is no way to say that the rest cannot be read, but to say nothing any more. */
static void break_off(struct imap *i, enum err e)
{
    imap_log_failure(i, e);
    i->phase = LEAVING;
}

/* False: the step is over in the middle of it, or the session. */
static bool write_passage(struct imap *i, struct fetch *f, const struct imap_fetch_att *att)
{
    enum err e = get_reading(i, f);

    if (!e && f->stage == BEGINS)
        e = open_passage(i, f, att);
    if (f->stage == MEASURES) {
        if (!measure(i, f, &e))
            return false;
        if (!e) {
            write_head(i, f, att);
            f->stage = SENDS;
        }
    }
    if (f->stage == SENDS && !send_on(i, f, &e))
        return false;
    if (e && f->stage == SENDS) {
        break_off(i, e);
        return false;
    }
    if (e)
        is_lost(i, f, e);
    passage_close(&f->passage);
    f->stage = BEGINS;
    return true;
}

/* ---- a message ---- */

static bool write_item(struct imap *i, struct fetch *f, const struct imap_fetch_att *att)
{
    uint32_t bit = IMAP_ATT_BIT(att->att);

    if (fetch_leaves_out(i, &f->a, att->att))
        return true;
    if (bit & IMAP_ATT_HOT) {
        begin_item(f, &i->s->out);
        fetch_hot_item_write(i, &f->flags, &i->s->out, att->att, f->entry);
        return true;
    }
    if (att->att == IMAP_ATT_THREADID) {
        write_thread(i, f);
        return true;
    }
    if (bit & FETCH_COLD) {
        if (i->s->out.n >= SESSION_OUT) /* it may be long: one at a time */
            return false;
        write_cold_item(i, f, att->att);
        return true;
    }
    return write_passage(i, f, att);
}

/* RFC 9051 §6.4.5: \Seen, where this command has set it, is told along; with the UID and the modseq where these belong to
 * all that is told of changes (RFC 7162 §3.2.4). */
static void write_seen(struct imap *i, struct fetch *f)
{
    struct buf *out = &i->s->out;

    if (f->entry->modseq != f->seen_modseq)
        return;
    if (imap_has_condstore(i) && !(f->a.items & IMAP_ATT_BIT(IMAP_ATT_UID)) && !imap_is_uidonly(i)) {
        begin_item(f, out);
        fetch_hot_item_write(i, &f->flags, out, IMAP_ATT_UID, f->entry);
    }
    if (!(f->a.items & IMAP_ATT_BIT(IMAP_ATT_FLAGS))) {
        begin_item(f, out);
        flag_text_write(&f->flags, i, out, f->entry);
    }
    if (imap_has_condstore(i) && !(f->a.items & IMAP_ATT_BIT(IMAP_ATT_MODSEQ)))
        modseq_write(out, f->entry->modseq);
}

static void end_message(struct imap *i, struct fetch *f)
{
    struct buf *out = &i->s->out;

    write_seen(i, f);
    if (!f->written && f->begin == SIZE_MAX) /* a list may not be empty */
        fetch_hot_item_write(i, &f->flags, out, IMAP_ATT_UID, f->entry);
    if (!f->written && f->begin < SIZE_MAX)
        out->n = f->begin; /* nothing of what was asked for could be read */
    else
        buf_add(out, S(")\r\n"));
    f->entry = NULL;
    f->has_cold = f->has_reading = false;
    if (arena_size(i->s->cx->arena) > READ_AT_ONCE)
        arena_reset(i->s->cx->arena);
    imap_progress(i, ++f->at.told, f->asked);
}

static void begin_message(struct imap *i, struct fetch *f, uint32_t number)
{
    struct buf *out = &i->s->out;

    f->begin = out->n;
    fetch_begin(i, out, number, f->entry->uid, false);
    f->att = f->written = 0;
}

/* False: the step is over in the middle of it. */
static bool go_on_with_message(struct imap *i, struct fetch *f)
{
    for (; f->att < f->a.att_count; f->att++)
        if (!write_item(i, f, &f->a.atts[f->att]))
            return false;
    end_message(i, f);
    return true;
}

/* The next one that is asked for; 0: none. */
static uint32_t next_message(struct fetch *f)
{
    return fetch_next(&f->at, &f->numbers, f->a.changed_since, &f->entry);
}

/* ---- steps ---- */

static void end_fetch(struct imap *i, struct fetch *f)
{
    if (f->unknown_encoding)
        reply_no(i, "UNKNOWN-CTE", "a part is encoded in a way that is not known");
    else if (f->trouble)
        reply_no(i, err_row(f->trouble)->imap, err_row(f->trouble)->text);
    else if (f->at.found < f->asked) /* RFC 5530 §3: the client has not been told yet */
        reply_gone(i);
}

/* Hot items alone. */
static bool run_quick(struct imap *i, struct fetch *f)
{
    unsigned looks = 0;
    uint32_t number;

    while (!imap_is_enough_among(i, &looks)) {
        number = next_message(f);
        if (!number)
            return true;
        if (!fetch_hot_write(i, &f->flags, &i->s->out, &f->a, number, f->entry)) {
            begin_message(i, f, number);
            go_on_with_message(i, f);
        }
        f->entry = NULL;
    }
    return false;
}

/* Is it long enough, and of such items alone as somebody else may write? */
static bool may_go_ahead(const struct fetch *f)
{
    uint32_t items = f->a.items;
    uint64_t worth = items & FETCH_PASSAGES ? AHEAD_WORTH_READ : AHEAD_WORTH;

    return f->commanded && !(items & ~(IMAP_ATT_HOT | FETCH_COLD | FETCH_PASSAGES)) && !f->entry &&
           !f->seen_modseq && f->at.found >= f->alone_until && f->most >= f->at.found + worth;
}

static void start_ahead(struct imap *i, struct fetch *f)
{
    struct ahead_of of = {.i = i,
                          .items = &f->a,
                          .roster = f->roster,
                          .numbers = f->numbers,
                          .account = i->selected->at.account};

    f->ahead = ahead_start(&of, &f->at);
    if (!f->ahead)
        f->alone_until = f->at.found + AHEAD_AGAIN;
}

/* True: some were written otherwise than one by one. */
static bool take_ahead(struct imap *i, struct fetch *f)
{
    if (!f->ahead && may_go_ahead(f))
        start_ahead(i, f);
    if (!f->ahead || f->at.found < f->alone_until)
        return false;
    if (ahead_take(f->ahead, &i->s->out, &f->at, &f->alone_until)) {
        imap_progress(i, f->at.told, f->asked);
        return true;
    }
    ahead_free(&f->ahead);
    return false;
}

static bool run_whole(struct imap *i, struct fetch *f)
{
    uint32_t number;

    while (!imap_is_enough(i)) {
        if (!f->entry && take_ahead(i, f))
            continue;
        if (!f->entry) {
            number = next_message(f);
            if (!number)
                return true;
            begin_message(i, f, number);
        }
        if (!go_on_with_message(i, f))
            return false;
    }
    return false;
}

/* What was written before the step ended has left, and what was read into its memory is gone. */
static void next_step(struct fetch *f)
{
    f->begin = SIZE_MAX;
    f->has_cold = f->has_reading = false;
}

static enum err begin_run(struct imap *i, struct fetch *f)
{
    enum err e = selected_roster(i, &f->roster);

    if (e)
        return e;
    f->numbers = numbers_of(i, f->roster);
    f->most = imap_set_size(&f->uids);
    if (f->most > roster_counts(f->roster)->exists)
        f->most = roster_counts(f->roster)->exists;
    f->at.walk = roster_walk(f->roster, &f->uids);
    flag_text_begin(&f->flags, f->roster);
    mailbox_flags_tell(i, f->roster);
    if (!f->a.vanished)
        return OK;
    return vanished_since(i, f->roster, &f->asked_uids, f->a.changed_since, 0, &f->vanished);
}

/* False: the step is over before anything is told. */
static bool is_threaded(struct imap *i, struct fetch *f, enum err *e)
{
    bool through = true;

    if (f->a.items & IMAP_ATT_BIT(IMAP_ATT_THREADID))
        *e = thread_pass_some(i, &f->threads, i->selected->at, f->roster, &f->uids, &through);
    if (!*e && !through && !i->s->ticket.v)
        i->run.step.is_long = true;
    return !*e && through;
}

static enum err fetch_run(struct imap *i, void *state, bool *done)
{
    struct fetch *f = state;
    enum err e = f->roster ? OK : begin_run(i, f);

    if (e || !is_threaded(i, f, &e))
        return e;
    next_step(f);
    if (!vanished_write(i, &f->vanished, true, &f->vanished_told))
        return OK;
    *done = f->a.items & ~IMAP_ATT_HOT || f->entry ? run_whole(i, f) : run_quick(i, f);
    if (*done)
        end_fetch(i, f);
    else if (i->s->out.n < SESSION_OUT) /* it was time that ran out: others want theirs */
        i->run.step.is_long = true;
    return OK;
}

/* ---- before ---- */

/* PARTIAL: so many of the messages that are there, from one side (RFC 9394 §3.3, §3.4). */
static enum err take_partial(struct imap *i, struct fetch *f)
{
    const struct imap_partial *p = &f->a.partial;
    struct imap_set_builder chosen = {0};
    const struct roster_entry *entry;
    struct roster *r;
    struct numbers numbers;
    struct roster_walk w;
    uint64_t count = 0, first = p->first, last = p->last, at = 0;
    enum err e = selected_roster(i, &r);

    if (e)
        return e;
    numbers = numbers_of(i, r);
    for (w = roster_walk(r, &f->uids); (entry = roster_next(&w));)
        count += number_of(&numbers, &w, entry) != 0;
    if (p->from_end) {
        first = count >= p->last ? count - p->last + 1 : 1;
        last = count >= p->first ? count - p->first + 1 : 0;
    }
    for (w = roster_walk(r, &f->uids); at < last && (entry = roster_next(&w));)
        if (number_of(&numbers, &w, entry) && ++at >= first)
            imap_set_add(&chosen, entry->uid);
    f->uids = imap_set_built(&chosen);
    f->uids = imap_set_copy(i->arena, &f->uids);
    imap_set_builder_free(&chosen);
    roster_drop(&r);
    return OK;
}

/* The messages without \Seen of which something is about to be shown. */
static enum err find_unseen(struct imap *i, struct fetch *f, struct imap_set_builder *out)
{
    const struct roster_entry *entry;
    struct roster *r;
    struct numbers numbers;
    struct roster_walk w;
    enum err e = selected_roster(i, &r);

    if (e)
        return e;
    numbers = numbers_of(i, r);
    for (w = roster_walk(r, &f->uids); (entry = roster_next(&w));)
        if (!(entry->flags & FLAG_SEEN) && entry->modseq > f->a.changed_since &&
            number_of(&numbers, &w, entry))
            imap_set_add(out, entry->uid);
    roster_drop(&r);
    return OK;
}

/* \Seen is no reason not to show a message: if it cannot be set, it stays as it is. */
static void set_seen(struct imap *i, struct fetch *f)
{
    struct flags_change change = {.how = FLAGS_ADD, .flags = {.system = FLAG_SEEN}};
    struct imap_set_builder unseen = {0};
    struct flags_result result;
    struct imap_set set;
    enum err e = find_unseen(i, f, &unseen);

    set = imap_set_built(&unseen);
    if (!e && set.count) {
        e = messages_set_flags(i->s->store, i->s->cx, i->selected->at, &set, &change, &result,
                               &i->s->ticket);
        if (!e) {
            f->seen_modseq = result.modseq;
            selected_tells(i, &result);
        }
    }
    if (e)
        imap_log_failure(i, e);
    imap_set_builder_free(&unseen);
}

enum err cmd_fetch(struct imap *i, const struct imap_command *c)
{
    struct fetch *f = arena_alloc(i->arena, sizeof(*f));
    uint64_t left_out;
    enum err e = OK;

    if (!parse_imap_fetch(imap_parsing(i), c->args, c->uid, &f->a))
        return reply_misread(i);
    if (f->a.vanished && !imap_has_qresync(i))
        return reply_bad(i, "ENABLE QRESYNC first"); /* RFC 7162 §3.2.6 */
    if (!selected_set(i, &f->a.set, c->uid, &f->uids))
        return OK;
    f->commanded = true;
    f->asked = selected_numbers(i, &f->a.set, c->uid);
    if (f->a.items & IMAP_ATT_BIT(IMAP_ATT_MODSEQ)) /* RFC 7162 §3.1 */
        imap_enable(i, IMAP_ENABLE_CONDSTORE);
    f->asked_uids = f->uids;
    if (f->a.vanished && imap_set_is_star(&f->a.set)) /* the highest UIDs may have gone as well */
        f->asked_uids = imap_set_resolve(i->arena, &f->a.set, UINT32_MAX, false);
    if (f->a.partial.given)
        e = take_partial(i, f);
    if (e)
        return e;
    if (f->a.partial.given && selected_too_many(i, &f->uids, &e))
        return e;
    e = selected_cut(i, &f->uids, 1, 0, &f->uids, &left_out);
    if (e)
        return e;
    f->asked -= left_out < f->asked ? left_out : f->asked;
    if (f->a.sets_seen && i->selected->rights & IMAP_RIGHT_SEEN)
        set_seen(i, f);
    imap_go_on(i, &(struct imap_step){.run = fetch_run, .end = fetch_end_all, .state = f});
    return OK;
}

struct imap_step fetch_step(struct arena *a, const struct imap_fetch *items,
                            const struct imap_set *uids)
{
    struct fetch *f = arena_alloc(a, sizeof(*f));

    f->a = *items;
    f->uids = imap_set_copy(a, uids);
    return (struct imap_step){.run = fetch_run, .end = fetch_end_all, .state = f};
}
