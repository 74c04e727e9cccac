/* POP3 from the moment somebody is signed on: the TRANSACTION and UPDATE states of RFC 1939.
 *
 * The maildrop is the picture of the mailbox when the session opens: two sessions on one mailbox are both served
 * (RFC 1939 §4 would have the second refused, and a client that crashed locked out), each with its own numbers. What the
 * other deleted can still be read until the collector's grace is over. Nothing is read to take it if the mailbox is as it
 * was when anybody looked last, however large: programs ask every few minutes, mostly in vain.
 *
 * Commands that came together are answered together: the loop runs until the input is used up or `out` holds
 * SESSION_OUT, under one view. */
#include "vault/pop3/pop3.h"

#include "base/arena.h"
#include "base/log.h"
#include "config/config.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- replies ---- */

#define REPLY_MAX 512 /* RFC 2449 §4, with its line end */

__attribute__((format(printf, 2, 0))) static void say_v(struct pop3 *p, const char *format,
                                                        va_list args)
{
    char text[REPLY_MAX - 2];

    vsnprintf(text, sizeof(text), format, args);
    buf_add_c(&p->s->out, text);
    buf_add(&p->s->out, S("\r\n"));
}

void say(struct pop3 *p, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say_v(p, format, args);
    va_end(args);
}

void mistake(struct pop3 *p, const char *format, ...)
{
    va_list args;

    if (++p->mistakes >= p->s->store->config()->limits.errors) {
        say(p, "-ERR [%s] %s", err_row(ERR_TOO_MANY_ERRORS)->pop3, err_row(ERR_TOO_MANY_ERRORS)->text);
        p->state = LEAVING;
        return;
    }
    va_start(args, format);
    say_v(p, format, args);
    va_end(args);
}

void log_failure(struct pop3 *p, enum err e)
{
    log_line(LOG_WARNING, "pop3-failed", "account=%" PRIu64 " address=%s error=%s cause=%s",
             p->s->who.account.v, p->s->who.client, err_row(e)->name,
             log_value(str_from_c(p->s->cx->cause)));
}

/* The cause is for us, the row for the client (RFC 3206). */
static void reply_error(struct pop3 *p, enum err e)
{
    const struct err_row *row = err_row(e);

    log_failure(p, e);
    say(p, "-ERR [%s] %s", row->pop3, row->text);
}

enum err pop3_view(struct pop3 *p, struct view **out)
{
    if (!p->view)
        p->view = view_open(p->s->store->engine);
    if (!p->view)
        return fail(p->s->cx, ERR_STORE, "the store is down");
    *out = p->view;
    return OK;
}

/* ---- opening ---- */

static enum err take_maildrop(struct pop3 *p)
{
    enum err e = roster_get(p->s->store, p->s->cx, p->s->who.account, INBOX, &p->roster);

    if (e)
        return e;
    p->counts = roster_counts(p->roster);
    if (p->counts->damaged)
        log_line(LOG_ERROR, "pop3-damaged", "account=%" PRIu64 " rows=%" PRIu32, p->s->who.account.v,
                 p->counts->damaged);
    p->deleted = must_alloc(((size_t)p->counts->exists + 1) * sizeof(*p->deleted));
    p->left = p->counts->exists;
    p->left_bytes = p->counts->bytes;
    return OK;
}

static void free_core(struct pop3 *p)
{
    view_close(&p->view);
    lines_free(&p->lines);
    roster_drop(&p->roster);
    free(p->deleted);
    free(p);
}

/* Says the "+OK" to PASS or AUTH, or the "-ERR" if there is no maildrop to be had. */
static enum err pop3_open(struct session *s)
{
    struct pop3 *p = must_alloc(sizeof(*p));
    enum err e;

    p->s = s;
    p->lines = lines_make(POP3_LINE_MAX, LINE_END_LF);
    p->utf8 = s->modes & MODE_UTF8;
    e = take_maildrop(p);
    if (e) {
        reply_error(p, e);
        free_core(p);
        return e;
    }
    say(p, "+OK %zu messages (%" PRIu64 " octets)", p->left, p->left_bytes);
    s->core = p;
    return OK;
}

static void pop3_close(struct session *s)
{
    free_core(s->core);
    s->core = NULL;
}

/* ---- commands ---- */

/* "Keywords and arguments are each separated by a single SPACE" (RFC 1939 §3); more than one, and one at the end, are
 * forgiven. False: too many arguments. */
static bool split(struct str line, struct str *name, struct args *a)
{
    struct str word;

    *a = (struct args){.n = 0};
    *name = STR_NONE;
    while ((line = str_trim(line)).n) {
        if (!take_until(&line, ' ', &word)) {
            word = line;
            line = STR_NONE;
        }
        if (!name->n)
            *name = word;
        else if (a->n < MOST_ARGS)
            a->v[a->n++] = word;
        else
            return false;
    }
    return true;
}

static void run_line(struct pop3 *p, struct str line)
{
    const struct pop3_command *c;
    struct args a;
    struct str name;
    bool fits = split(line, &name, &a);
    enum err e = OK;

    c = pop3_command_find(name);
    if (!c)
        mistake(p, "-ERR there is no such command");
    else if (!(c->states & TRANSACTION))
        mistake(p, "-ERR you are signed on already");
    else if (!fits || a.n < c->least || a.n > c->most)
        mistake(p, "-ERR %s takes %zu to %zu arguments", c->name, c->least, c->most);
    else
        e = c->run(p, &a);
    if (e)
        reply_error(p, e);
}

/* ---- steps ---- */

static enum session_wish end_step(struct pop3 *p)
{
    view_close(&p->view);
    if (p->state == LEAVING)
        return SESSION_CLOSE;
    return p->state != COMMANDS || p->s->out.n >= SESSION_OUT ? SESSION_WRITE : SESSION_MORE;
}

static enum session_wish pop3_feed(struct session *s, struct str *in)
{
    struct pop3 *p = s->core;
    enum line_result r = LINE_TAKEN;
    struct str line;

    while (p->state == COMMANDS && s->out.n < SESSION_OUT &&
           (r = take_line(&p->lines, in, &line)) != LINE_NONE) {
        if (r == LINE_TOO_LONG)
            mistake(p, "-ERR this line is too long");
        else
            run_line(p, line);
    }
    return end_step(p);
}

static enum session_wish pop3_more(struct session *s)
{
    struct pop3 *p = s->core;

    if (p->state == LISTING)
        list_on(p);
    else if (p->state == SENDING)
        send_on(p);
    return end_step(p);
}

/* RFC 1939 §3: silence for too long ends the session without UPDATE and without a word, so there are no last words. */
const struct session_ops pop3_session = {.protocol = PROTOCOL_POP3,
                                         .idle_ms = LEAST_IDLE_MS,
                                         .open = pop3_open,
                                         .feed = pop3_feed,
                                         .more = pop3_more,
                                         .close = pop3_close};
