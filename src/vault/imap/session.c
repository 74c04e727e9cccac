/* IMAP from the moment somebody is signed on: the authenticated and selected states of RFC 9051 §3.
 *
 * Commands run one after the other, each to its end, in the order they came (§5.5): so no command is ambiguous, however
 * the client pipelines. A command that is through is not yet answered: what it committed is made durable, then what
 * others changed is told, and last comes the tagged reply. All that may take several steps, between which the driver
 * writes what was said, waits for the disk, or changes to the long lane. */
#include "vault/imap/imap.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "vault/accept/looks.h"
#include "vault/imap/context.h"
#include "vault/imap/news.h"
#include "vault/imap/notify.h"
#include "vault/imap/selected.h"
#include "vault/imap/sync.h"
#include "vault/share.h"
#include "vault/store/metadata.h"
#include "vault/store/reader.h"

#include <inttypes.h>
#include <stdlib.h>

#define IDLE_MS (30 * 60 * 1000) /* RFC 9051 §5.4: the least there may be */
#define MUCH_TO_READ 2000        /* messages, whose rows would fill a good part of the store's cache */
#define TELL_MS (5 * 1000)       /* RFC 9585: no news for so long, and the client may wonder */
#define TELL_AGAIN_MS (15 * 1000)

#define TEXT_OF(number) TEXT_OF_(number)
#define TEXT_OF_(number) #number

enum err imap_view(struct imap *i, struct view **out)
{
    if (!i->view)
        i->view = view_open(i->s->store->engine);
    if (!i->view)
        return fail(i->s->cx, ERR_STORE, "the store is down");
    *out = i->view;
    return OK;
}

enum err imap_stored(struct imap *i, struct account_id account, uint64_t messages,
                     struct message_reader **out)
{
    bool much = messages > MUCH_TO_READ;
    struct view *v;
    enum err e = imap_view(i, &v);

    if (e)
        return e;
    if (i->stored && (i->stored_of.v != account.v || i->stored_much != much))
        reader_close(&i->stored);
    if (!i->stored) {
        i->stored = reader_open(v, account, much);
        reader_mends(i->stored, LOOKS_PARSER, looks_of_stored);
    }
    i->stored_of = account;
    i->stored_much = much;
    *out = i->stored;
    return OK;
}

/* In a mailbox of a million SORT by one text holds 160 MB and THREAD 440 MB, which are less than the quarter that an account
 * may have. By texts that somebody made long they would hold as many gigabytes. */
static struct share_pool held_by_commands = SHARE_POOL(IMAP_BUDGET);

void imap_set_budget(size_t bytes)
{
    share_pool_set(&held_by_commands, bytes);
}

enum err imap_hold(struct imap *i, size_t bytes)
{
    enum err e = OK;

    if (bytes > i->holds)
        e = share_take(&held_by_commands, i->s->cx, i->s->who.account, bytes - i->holds);
    if (!e && bytes > i->holds)
        i->holds = bytes;
    return e;
}

static void empty_arena(struct imap *i)
{
    share_give_back(&held_by_commands, i->s->who.account, i->holds);
    i->holds = 0;
    arena_release(i->arena);
}

static void close_view(struct imap *i)
{
    reader_close(&i->stored);
    view_close(&i->view);
}

void imap_offers(const struct imap *i, struct imap_offer *out)
{
    const struct config *config = i->s->store->config();

    *out = (struct imap_offer){.signed_on = true,
                               .compressed = i->compressed,
                               .unauthenticate = config->imap_unauthenticate,
                               .append_limit = config->limits.message_size,
                               .message_limit = config->limits.imap_messages};
}

static int64_t (*clock_ms)(void) = monotonic_ms;

void imap_set_clock(int64_t (*ms)(void))
{
    clock_ms = ms ? ms : monotonic_ms;
}

int64_t imap_clock_ms(void)
{
    return clock_ms();
}

/* ---- waiting ---- */

/* There are many sessions, and most of them wait for their clients at any time, in IDLE or between two commands. All that
 * they keep is here, and a struct imap is made of it when there is something to do. */
struct waiting {
    struct imap *at_work; /* NULL: it waits, and what follows counts */
    struct imap_kept kept;
};

static void begin_command(struct imap *i)
{
    i->phase = RUNNING;
    i->run.cond = "OK";
    i->run.then = COMMANDS;
    i->run.since = i->run.told = clock_ms();
}

static void take_up_idle(struct imap *i)
{
    begin_command(i);
    i->phase = IDLING;
    i->run.row = imap_row_find(S("IDLE"));
    i->run.command.tag = str_from_c(i->idle_tag);
}

static struct imap *take_up(struct session *s)
{
    struct waiting *w = s->core;
    struct imap *i;

    if (w->at_work)
        return w->at_work;
    i = w->at_work = must_alloc(sizeof(*i));
    *i = (struct imap){.s = s,
                       .reader = imap_reader_make(&imap_limits_signed_on),
                       .arena = arena_new(0),
                       .run.code = buf_make(IMAP_CODE_MAX),
                       .kept = w->kept};
    if (i->phase == IDLING)
        take_up_idle(i);
    return i;
}

static void work_free(struct imap *i)
{
    empty_arena(i);
    imap_reader_free(&i->reader);
    buf_free(&i->run.code);
    arena_free(i->arena);
    free(i);
}

/* Nothing is under way, of which more would have to be kept. */
static bool may_rest(const struct imap *i)
{
    return (i->phase == COMMANDS || i->phase == IDLING) && imap_reader_is_between(&i->reader) &&
           !i->tells_on && !i->uploads && !i->news && !(i->selected && i->selected->sync);
}

static void rest(struct imap *i)
{
    struct waiting *w = i->s->core;

    if (!may_rest(i))
        return;
    *w = (struct waiting){.kept = i->kept};
    work_free(i);
}

/* ---- opening ---- */

static void say_signed_on(struct imap *i)
{
    struct imap_offer offer;

    imap_offers(i, &offer);
    buf_printf(&i->s->out, "%.*s OK [", STR_ARG(i->s->tag));
    imap_capability_write(&i->s->out, &offer);
    buf_add(&i->s->out, S("] signed on\r\n"));
}

static enum err imap_open(struct session *s)
{
    struct waiting *w = must_alloc(sizeof(*w));

    w->kept.phase = COMMANDS;
    s->core = w;
    say_signed_on(take_up(s));
    rest(w->at_work);
    return OK;
}

/* ---- a command's end ---- */

static void forget_step(struct imap *i)
{
    if (i->run.step.end)
        i->run.step.end(i->run.step.state);
    i->run.step = (struct imap_step){0};
}

static void forget_command(struct imap *i)
{
    struct buf code = i->run.code;

    forget_step(i);
    if (i->run.row && i->run.row->mail)
        i->run.row->mail->forget(i);
    free(i->idle_tag);
    i->idle_tag = NULL;
    buf_free(&code);
    i->run = (struct imap_running){.code = code};
    empty_arena(i);
}

static void leave(struct imap *i, enum err why)
{
    imap_say(i, "BYE", err_row(why)->imap, err_row(why)->text);
    i->phase = LEAVING;
}

static void count_mistake(struct imap *i)
{
    if (++i->mistakes >= i->s->store->config()->limits.errors)
        leave(i, ERR_TOO_MANY_ERRORS);
}

/* RFC 9738 §3.1: in the tagged reply, or before it, if another code stands there. */
static void say_limit(struct imap *i)
{
    struct imap_running *r = &i->run;
    struct buf code = buf_make(100);

    if (!r->lowest || r->cond[0] == 'B')
        return;
    buf_printf(&code, "MESSAGELIMIT %" PRIu32 " %" PRIu32, i->s->store->config()->limits.imap_messages,
               r->lowest);
    if (!r->code.n) {
        buf_add(&r->code, buf_str(&code));
    } else {
        buf_add_char(&code, '\0');
        imap_say(i, "NO", code.p, "that was too much for one command");
    }
    buf_free(&code);
}

static void say_tagged(struct imap *i)
{
    const struct imap_running *r = &i->run;
    struct buf *out = &i->s->out;

    if (r->text.n)
        imap_tagged(out, r->command.tag, r->cond, buf_str(&r->code), r->text, imap_is_utf8(i));
    else
        buf_printf(out, "%.*s %s %s%.*s%s%s%s completed\r\n", STR_ARG(r->command.tag), r->cond,
                   r->code.n ? "[" : "", STR_ARG(buf_str(&r->code)), r->code.n ? "] " : "",
                   r->command.uid ? "UID " : "", r->row->name);
}

/* The command loop's own answer to a failure: the cause is for us, the row for the client (RFC 5530). */
static void answer_failure(struct imap *i, enum err e)
{
    const struct err_row *row = err_row(e);

    imap_log_failure(i, e);
    reply_no(i, row->imap, row->text);
}

static bool may_expunge(const struct imap_running *r)
{
    return !r->numbers &&
           (!(r->row->flags & NO_EXPUNGE) || (r->row->flags & HAS_UID && r->command.uid));
}

/* Of the selected mailbox first, then what is to be shown of its new messages, then of others. */
static enum err tell_others_changes(struct imap *i, bool selected, bool expunged, bool *done)
{
    enum err e = OK;

    *done = contexts_some(i);
    if (*done && i->selected && selected)
        e = sync_some(i, expunged, done);
    if (!e && *done)
        *done = contexts_some(i);
    return !e && *done ? notify_some(i) : e;
}

/* RFC 2180 §3.3: numbers that the client knows mean nothing any more. No command is left without its reply. */
static void hang_up_if_gone(struct imap *i)
{
    if (!i->selected || !(i->selected->gone || i->selected->forbidden) ||
        (i->phase != COMMANDS && i->phase != IDLING))
        return;
    if (i->selected->gone)
        imap_say(i, "BYE", NULL, "the selected mailbox was deleted");
    else
        imap_say(i, "BYE", "NOPERM", "the selected mailbox may not be read any more");
    i->phase = LEAVING;
}

/* Others' changes, then the tagged reply, which may be the last word of this phase. */
static void finish(struct imap *i)
{
    struct imap_running *r = &i->run;
    bool done = true;
    enum err e = OK;

    if (r->row && !(r->row->flags & NO_SYNC))
        e = tell_others_changes(i, r->row->flags & TELLS || notify_selected_events(i), may_expunge(r),
                                &done);
    if (e) { /* the command was done all the same */
        imap_log_failure(i, e);
        done = true;
    }
    if (!done || i->phase != RUNNING)
        return;
    say_limit(i);
    say_tagged(i);
    i->phase = r->then;
    if (r->cond[0] == 'B')
        count_mistake(i);
    else
        i->mistakes = 0;
    forget_command(i);
    hang_up_if_gone(i);
}

/* ---- steps ---- */

void imap_go_on(struct imap *i, const struct imap_step *step)
{
    i->run.step = *step;
}

/* A stand-in for the command that is being done, or for none. */
bool imap_run_aside(struct imap *i, struct imap_step *step)
{
    struct imap_running command = i->run;
    bool done = false;
    enum err e = OK;

    i->run = (struct imap_running){.step = *step, .code = buf_make(IMAP_CODE_MAX)};
    i->run.since = i->run.told = clock_ms();
    while (!e && !done && i->run.step.run && i->phase != LEAVING && !imap_is_enough(i)) {
        arena_reset(i->s->cx->arena);
        e = i->run.step.run(i, i->run.step.state, &done);
        done |= i->run.cond != NULL; /* it was refused */
    }
    *step = i->run.step;
    buf_free(&i->run.code);
    i->run = command;
    if (e)
        imap_log_failure(i, e);
    if (!e && !done)
        return false;
    if (step->end)
        step->end(step->state);
    *step = (struct imap_step){0};
    return true;
}

bool imap_is_enough(const struct imap *i)
{
    return i->s->out.n >= SESSION_OUT || i->s->ticket.v || clock_ms() >= i->turn_ends;
}

void imap_progress(struct imap *i, uint64_t done, uint64_t goal)
{
    i->run.progress = done;
    i->run.goal = goal;
}

/* RFC 9585 §4. Only from the long lane: what runs in the short one is told of by what it sends. */
static void tell_progress(struct imap *i)
{
    struct imap_running *r = &i->run;
    struct buf *out = &i->s->out, code = buf_make(BUF_UNLIMITED);
    int64_t now = clock_ms();

    if (out->n)
        r->told = now;
    if (now < r->told + (r->told == r->since ? TELL_MS : TELL_AGAIN_MS))
        return;
    r->told = now;
    imap_code_inprogress(&code, r->command.tag, r->progress, r->goal);
    imap_untagged(out, "OK", buf_str(&code), S("still at it"), false);
    buf_free(&code);
}

/* The handler or its last step is through. */
static void is_through(struct imap *i, enum err e)
{
    forget_step(i);
    if (e)
        answer_failure(i, e);
    i->run.finishing = true;
}

static void run_step(struct imap *i)
{
    struct imap_running *r = &i->run;
    bool done = false;
    enum err e;

    if (r->finishing) {
        finish(i);
        return;
    }
    arena_reset(i->s->cx->arena);
    e = r->step.run(i, r->step.state, &done);
    if (e || done)
        is_through(i, e);
    else if (r->step.is_long)
        tell_progress(i);
}

/* The long lane is another thread, where the driver calls `more`: so what is long waits for that. */
static bool waits_for_long_lane(const struct imap *i)
{
    return i->run.step.is_long && !i->in_long_lane && !i->run.finishing;
}

static void run_steps(struct imap *i)
{
    while (i->phase == RUNNING && !imap_is_enough(i) && !waits_for_long_lane(i))
        run_step(i);
}

/* ---- commands ---- */

static const char *refusal(const struct imap *i, const struct imap_row *row,
                           const struct imap_command *c)
{
    if (!row)
        return "there is no such command";
    if (!row->states)
        return "you are signed on already";
    if (!(row->states & (i->selected ? SELECTED : AUTH)))
        return i->selected ? "a mailbox is selected" : "select a mailbox first";
    if (c->uid && !(row->flags & (HAS_UID | ONLY_UID)))
        return "this command has no UID form";
    if (!c->uid && row->flags & ONLY_UID)
        return "this command has a UID form only";
    return NULL;
}

/* RFC 9586 §3.3 */
static bool needs_uid(const struct imap_running *r)
{
    return r->row->flags & HAS_UID && !(r->row->flags & NO_NUMBERS) && !r->command.uid;
}

static void run_command(struct imap *i, struct str text)
{
    struct imap_running *r = &i->run;
    const char *why;
    enum err e = OK;

    begin_command(i);
    if (!parse_imap_command(str_copy(i->arena, text), &r->command)) {
        if (!r->command.tag.n)
            r->command.tag = S("*");
        reply_bad(i, "this is no command: a tag, a space, a name");
        is_through(i, OK);
        return;
    }
    r->row = imap_row_find(r->command.name);
    why = refusal(i, r->row, &r->command);
    if (why)
        reply_bad(i, why);
    else if (imap_is_uidonly(i) && needs_uid(r))
        reply_bad_code(i, "UIDREQUIRED", "message numbers are not used any more");
    else
        e = r->row->run(i, &r->command);
    if (why)
        r->row = NULL; /* nothing of it was done, and nothing follows */
    if (i->phase == RUNNING && (e || !r->step.run))
        is_through(i, e);
}

/* The reader's own answer, "BAD …" or "NO …", for a command that is over before it was whole. */
static void answer_refused(struct imap *i)
{
    buf_printf(&i->s->out, "%.*s %s\r\n", STR_ARG(i->reader.tag.n ? i->reader.tag : S("*")),
               i->reader.why);
    if (i->reader.why[0] == 'B')
        count_mistake(i);
    forget_command(i);
}

static const struct imap_mail_ops *mail_ops(struct imap *i)
{
    return i->run.row ? i->run.row->mail : NULL;
}

/* It becomes part of the command. A value too long to be kept is not even read, and still hears why (RFC 5464 §4.3). */
static void take_argument(struct imap *i)
{
    struct imap_reader *r = &i->reader;
    const struct imap_row *row = i->run.row;

    if (row && row->flags & SETS_VALUES && r->literal.size > METADATA_VALUE_MAX)
        imap_refuse(r, "NO [METADATA MAXSIZE " TEXT_OF(METADATA_VALUE_MAX) "] a value is too long");
    else
        imap_literal_inline(r, &i->s->out);
}

/* Is it the data of a message, and may it come? */
static void take_literal(struct imap *i)
{
    struct imap_reader *r = &i->reader;
    struct imap_command c;
    const char *why;

    i->run.row = parse_imap_command(r->text, &c) ? imap_row_find(c.name) : NULL;
    if (!mail_ops(i) || !(i->run.row->states & (i->selected ? SELECTED : AUTH)) ||
        !imap_literal_is_message(imap_parsing(i), r->text, &i->run.seen)) {
        take_argument(i);
        return;
    }
    why = mail_ops(i)->begin(i, &i->run.seen, &r->literal);
    if (why)
        imap_refuse(r, why);
    else
        imap_literal_bulk(r, &i->s->out);
}

static void take_mail(struct imap *i, bool is_end)
{
    const char *why = is_end ? mail_ops(i)->end(i) : mail_ops(i)->data(i, i->reader.data);

    if (why)
        imap_refuse(&i->reader, why);
}

/* False: the input is used up. */
static bool read_command(struct imap *i, struct str *in)
{
    switch (imap_read(&i->reader, in)) {
    case IMAP_MORE:
        return false;
    case IMAP_LITERAL:
        take_literal(i);
        break;
    case IMAP_DATA:
        take_mail(i, false);
        break;
    case IMAP_DATA_END:
        take_mail(i, true);
        break;
    case IMAP_COMMAND:
        run_command(i, i->reader.text);
        break;
    case IMAP_REFUSED:
        answer_refused(i);
        break;
    case IMAP_HANG_UP:
        imap_say(i, "BYE", NULL, i->reader.why);
        i->phase = LEAVING;
        break;
    }
    return true;
}

/* ---- IDLE (RFC 9051 §6.3.13) ---- */

static bool read_done(struct imap *i, struct str *in)
{
    struct str line;
    enum imap_raw raw = imap_read_raw(&i->reader, in, &line);

    if (raw == IMAP_RAW_MORE)
        return false;
    i->s->watched_count = 0;
    i->s->watch_changed = true;
    i->phase = RUNNING;
    if (raw != IMAP_RAW_LINE || !str_same_nocase(str_trim(line), S("DONE")))
        reply_bad(i, "IDLE ends with DONE");
    is_through(i, OK);
    return true;
}

/* Nothing was asked: IDLE, or NOTIFY, whose client listens between its commands too (RFC 5465 §3.1). */
static void tell_unasked(struct imap *i)
{
    bool idle = i->phase == IDLING, done = true, may_expunge;
    bool selected = notify_tells_selected(i, &may_expunge) || (idle && notify_selected_events(i));
    enum err e;

    if (!idle && (!i->notify || !imap_reader_is_between(&i->reader)))
        return;
    e = tell_others_changes(i, selected, idle || may_expunge, &done);
    if (e)
        imap_log_failure(i, e);
    i->tells_on = !e && !done;
    hang_up_if_gone(i);
    if (!i->tells_on)
        empty_arena(i); /* no command is there that would have something in it */
}

/* ---- the driver's side ---- */

static struct imap *begin_turn(struct session *s)
{
    struct imap *i = take_up(s);

    i->turn_ends = clock_ms() + (i->in_long_lane ? SESSION_LONG_TURN_MS : SESSION_TURN_MS);
    return i;
}

static enum session_wish wish_of(struct imap *i)
{
    close_view(i);
    notify_watch(i);
    i->in_long_lane = false;
    switch (i->phase) {
    case LEAVING:
        return SESSION_CLOSE;
    case SIGNING_OFF:
        return SESSION_SIGN_OFF;
    case COMPRESSING:
        i->phase = COMMANDS;
        i->compressed = true;
        return SESSION_COMPRESS;
    case RUNNING:
        i->in_long_lane = waits_for_long_lane(i);
        return i->in_long_lane ? SESSION_LONG : SESSION_WRITE;
    case IDLING:
        return i->tells_on ? SESSION_WRITE : SESSION_MORE;
    case COMMANDS:
        break;
    }
    if (i->tells_on)
        return SESSION_WRITE;
    return imap_is_enough(i) ? SESSION_WRITE : SESSION_MORE;
}

static enum session_wish end_turn(struct imap *i)
{
    enum session_wish wish = wish_of(i);

    if (wish == SESSION_MORE)
        rest(i);
    return wish;
}

static bool reads(const struct imap *i)
{
    return (i->phase == COMMANDS || i->phase == IDLING) && !i->tells_on && !imap_is_enough(i);
}

static enum session_wish imap_feed(struct session *s, struct str *in)
{
    struct imap *i = begin_turn(s);

    while (reads(i) && (i->phase == IDLING ? read_done(i, in) : read_command(i, in)))
        run_steps(i);
    return end_turn(i);
}

static enum session_wish imap_more(struct session *s)
{
    struct imap *i = begin_turn(s);

    if (i->phase == RUNNING)
        run_steps(i);
    else if (i->phase == IDLING || i->tells_on)
        tell_unasked(i);
    return end_turn(i);
}

static enum session_wish imap_woken(struct session *s)
{
    struct imap *i = begin_turn(s);

    if (i->phase == IDLING || i->phase == COMMANDS)
        tell_unasked(i);
    return end_turn(i);
}

static void imap_last_words(struct session *s, enum err why)
{
    leave(take_up(s), why);
}

static void imap_close(struct session *s)
{
    struct imap *i = take_up(s);

    forget_command(i);
    close_view(i);
    news_end(i);
    selected_end(i);
    notify_end(i);
    work_free(i);
    free(s->core);
    s->core = NULL;
}

const struct session_ops imap_session = {.protocol = PROTOCOL_IMAP,
                                         .has_tags = true,
                                         .idle_ms = IDLE_MS,
                                         .open = imap_open,
                                         .feed = imap_feed,
                                         .more = imap_more,
                                         .woken = imap_woken,
                                         .last_words = imap_last_words,
                                         .close = imap_close};
