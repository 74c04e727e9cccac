/* The states of a session:
 *
 *   START ──EHLO──► READY ──MAIL──► MAIL ──RCPT──► RCPT ──DATA──► IN_DATA ──CRLF.CRLF──► DELIVERING ──answer──► READY
 *                   │  ▲                             └───BDAT──► IN_CHUNK ──its last octet──► CHUNKS
 *                 AUTH │                                             ▲ └──LAST──► DELIVERING     │
 *                   ▼  │                                             └────────────BDAT───────────┘
 *                  IN_AUTH           RSET and EHLO: READY.           QUIT, 421: ENDED
 *
 *   START      no name was given, or TLS has made us forget it; envelope, body, signon are NULL
 *   READY      envelope is NULL
 *   MAIL       envelope is there, no recipient is noted or accepted
 *   RCPT       recipients are accepted, or noted and not answered yet
 *   IN_DATA    body takes what comes, up to the dot
 *   IN_CHUNK   chunk_left octets are to come; body NULL: they are swallowed, see body.c
 *   CHUNKS     a chunk is done, another one must come
 *   DELIVERING nothing is read until the vault has said whether it keeps the message
 *   IN_AUTH    signon is there; each line is an answer of SASL
 *   ENDED      nothing more is read
 *
 * MAIL and RCPT move the state when they are noted; answer_envelope() may move it back. */
#include "gate/smtp/session.h"

#include "base/log.h"
#include "gate/answers.h"
#include "gate/smtp/params.h"
#include "proto/sasl_line.h"

#include <assert.h>
#include <stdlib.h>

_Static_assert(sizeof(struct smtp) < 768, "ten thousand of them are idle most of the time");

void set_state(struct smtp *s, enum smtp_state state)
{
    if (s->state == state)
        return;
    if (log_wants(LOG_DEBUG))
        log_line(LOG_DEBUG, "smtp-state", "client=%s from=%d to=%d", s->client, s->state, state);
    s->state = state;
    if (state == STATE_ENDED)
        s->want = SMTP_CLOSE;
    else if (state == STATE_DELIVERING)
        s->want = SMTP_ANSWER;
    else if (s->want == SMTP_ANSWER)
        s->want = SMTP_INPUT;
}

void transaction_end(struct smtp *s, bool tell_vault)
{
    if (s->envelope && s->envelope->transaction.v && tell_vault) {
        struct envelope_end_request q = {.transaction = s->envelope->transaction};
        struct envelope_end_reply r;

        vault_envelope_end(&s->cx, &q,
                           &r); /* if it cannot hear us it has forgotten the transaction anyway */
    }
    body_free(s->body);
    envelope_free(s->envelope);
    s->body = NULL;
    s->envelope = NULL;
    if (s->state &
        (STATE_MAIL | STATE_RCPT | STATE_CHUNKS | STATE_IN_DATA | STATE_IN_CHUNK | STATE_DELIVERING))
        set_state(s, STATE_READY);
}

/* ---- made, secured, ended ---- */

struct smtp *smtp_new(const struct smtp_settings *settings, enum smtp_role role, struct str client,
                      struct buf *out)
{
    struct smtp *s = must_alloc(sizeof(*s));

    *s = (struct smtp){.settings = settings, .out = out, .role = role, .state = STATE_START};
    s->lines = lines_make(role == SMTP_SUBMISSION ? SASL_LINE_MAX : MAIL_LINE_MAX, LINE_END_CRLF);
    client = str_upto(client, sizeof(s->client) - 1);
    memcpy(s->client, client.p, client.n);
    return s;
}

void signoff(struct smtp *s)
{
    struct signon_end_request q = {.session = s->session};
    struct signon_end_reply r;

    if (s->signed_on)
        vault_signon_end(&s->cx, &q, &r);
    s->signed_on = false;
}

/* Some things are said to the vault outside of a feed. */
static void begin_cx(struct smtp *s)
{
    if (!s->cx.arena)
        s->cx.arena = arena_new(0);
    s->cx.cause[0] = '\0';
}

static void end_cx(struct smtp *s)
{
    arena_free(s->cx.arena);
    s->cx.arena = NULL;
}

/* Of the envelope, before its body begins, or of the message, when that has ended. */
static bool asks_envelope(const struct smtp *s)
{
    return !s->body;
}

void smtp_free(struct smtp *s)
{
    if (!s)
        return;
    begin_cx(s);
    answers_forget(&s->awaited, asks_envelope(s) ? envelope_came_late : NULL);
    transaction_end(s, true);
    signon_give_up(s);
    signoff(s);
    end_cx(s);
    lines_free(&s->lines);
    free(s->helo);
    free(s->tls_text);
    free(s);
}

void smtp_greet(struct smtp *s)
{
    reply(s, 220, NULL, "%.*s ESMTP", STR_ARG(s->settings->hostname));
}

void smtp_identify(struct smtp *s, const struct handle *session)
{
    s->session = *session;
    s->signed_on = true;
}

/* RFC 5321 §3.1 has 554 for it, which 5xx rows are not; 421 is for those who may come again. */
void smtp_refuse(struct smtp *s, enum err e)
{
    const struct err_row *row = err_row(e);
    bool forever = row->smtp / 100 == 5;

    reply(s, forever ? 554 : 421, row->enhanced, "%s", row->text);
    set_state(s, STATE_ENDED);
}

bool smtp_has_moved(struct smtp *s)
{
    uint64_t now = s->steps + body_octets(s->body) / SMTP_BODY_STEP;
    bool moved = now != s->moved;

    s->moved = now;
    return moved;
}

enum smtp_want smtp_wants(const struct smtp *s)
{
    return s->want;
}

/* RFC 3207 §4.2: what was said before is forgotten, EHLO too. (A sign-on was by cmd_starttls().) */
void smtp_secured(struct smtp *s, struct str version, struct str cipher)
{
    s->tls = true;
    s->tls_text = must_alloc(version.n + cipher.n + 2);
    memcpy(s->tls_text, version.p, version.n);
    s->tls_text[version.n] = ' ';
    memcpy(s->tls_text + version.n + 1, cipher.p, cipher.n);
    free(s->helo);
    s->helo = NULL;
    lines_forget(&s->lines);
    s->want = SMTP_INPUT;
    set_state(s, STATE_START);
}

void smtp_time_out(struct smtp *s)
{
    reply_error(s, ERR_TIMEOUT);
}

/* What is under way is a body, a sign-on, or a question to the vault. */
static void stop_if_idle(struct smtp *s)
{
    if (s->stopping && s->want != SMTP_ANSWER &&
        s->state & (STATE_START | STATE_READY | STATE_MAIL | STATE_RCPT))
        reply_error(s, ERR_STOPPING);
}

void smtp_stop(struct smtp *s)
{
    s->stopping = true;
    stop_if_idle(s);
}

/* ---- commands ---- */

/* NUL and controls are in no command (RFC 5321 §4.1.2); a bare CR or LF may hide a second one. */
static bool is_clean(struct str line, bool may_be_utf8)
{
    for (size_t i = 0; i < line.n; i++) {
        unsigned char c = (unsigned char)line.p[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f || (c >= 0x80 && !may_be_utf8))
            return false;
    }
    return !may_be_utf8 || is_utf8(line);
}

struct fault {
    int code;
    const char *enhanced, *text;
};

/* What is wrong with a command whatever the state; NULL: nothing. */
static const struct fault *command_fault(const struct smtp_command *c, struct str line, struct str args)
{
    static const struct fault unknown = {500, "5.5.1", "command not recognized"},
                              too_long = {500, "5.5.2", "line too long"},
                              bad_byte = {501, "5.5.2", "a byte that no command may hold"},
                              argument = {501, "5.5.4", "this command takes no argument"};

    if (!c)
        return &unknown;
    if (line.n + 2 > c->line_max)
        return &too_long;
    if (!is_clean(line, c->flags & MAY_BE_UTF8))
        return &bad_byte;
    return (c->flags & NO_ARGUMENT) && args.n ? &argument : NULL;
}

static void command_failed(struct smtp *s, const struct smtp_command *c, enum err e)
{
    answer_envelope(s);
    log_line(LOG_INFO, "command-refused", "client=%s command=%s error=%s cause=%s",
             log_value(str_from_c(s->client)), c->name, err_row(e)->name,
             log_value(str_from_c(s->cx.cause)));
    mistake_error(s, e);
}

static void refuse_command(struct smtp *s, const struct smtp_command *c, const struct fault *fault)
{
    mistake(s, fault->code, fault->enhanced, "%s", fault->text);
    if (c && (c->flags &
              CHUNK_FOLLOWS)) /* it must not be taken for commands, and how long it is nobody knows */
        set_state(s, STATE_ENDED);
}

/* What is harmless once keeps a connection busy for ever: 421, as Postfix answers junk commands. */
static bool is_one_too_many(struct smtp *s, const struct smtp_command *c)
{
    if (!c || !(c->flags & LEADS_NOWHERE) || ++s->idle_commands <= s->settings->idle_commands)
        return false;
    log_line(LOG_INFO, "too-many-idle-commands", "client=%s commands=%u",
             log_value(str_from_c(s->client)), s->settings->idle_commands);
    reply(s, 421, "4.7.0", "too many commands without a message, closing the connection");
    return true;
}

/* It comes again when the envelope is answered. */
static void hold_command(struct smtp *s, struct str line)
{
    s->held = str_copy(s->cx.arena, line);
    s->holds = true;
    s->want = SMTP_ANSWER;
}

static void run_command(struct smtp *s, struct str line)
{
    struct str args = line, name;
    const struct smtp_command *c = take_word(&args, &name) ? find_command(name) : NULL;
    const struct fault *fault;
    enum err e = OK;

    args = str_trim(args); /* RFC 5321 §4.1.1: blanks before the CRLF are tolerated */
    fault = command_fault(c, line, args);
    if (envelope_waits(s) && (fault || !(c->flags & JOINS_ENVELOPE) || !(c->states & s->state))) {
        hold_command(s, line);
        return;
    }
    if (s->state == STATE_ENDED || is_one_too_many(s, c))
        return;
    if (fault)
        refuse_command(s, c, fault);
    else if (!(c->states & s->state))
        wrong_order(s, c);
    else
        e = c->run(s, args);
    if (e)
        command_failed(s, c, e);
    s->pause = !c || c->flags & ENDS_PIPELINE; /* RFC 2920 §3.2 rules 5 and 6 */
}

/* One line, if it is there. */
static void feed_line(struct smtp *s, struct str *in)
{
    struct str line;
    enum line_result r = take_line(&s->lines, in, &line);

    if (r == LINE_NONE)
        return;
    s->steps++;
    if (s->state == STATE_IN_AUTH) {
        if (r == LINE_TOO_LONG)
            auth_line_too_long(s);
        else
            feed_auth_line(s, line);
    } else if (r == LINE_TOO_LONG) {
        answer_envelope(s);
        if (s->state != STATE_ENDED)
            mistake(s, 500, "5.5.2", "line too long");
        s->pause = true;
    } else {
        run_command(s, line);
    }
}

static void feed_one(struct smtp *s, struct str *in)
{
    if (s->state == STATE_IN_DATA)
        feed_data(s, in);
    else if (s->state == STATE_IN_CHUNK)
        feed_chunk(s, in);
    else
        feed_line(s, in);
}

/* RFC 3207 §4.2, RFC 5321 §4.1.1.10: what stands behind STARTTLS would be taken for protected, what stands behind
 * QUIT is answered by nobody. (The beginning of a line cannot have been taken: the line before it is the last.) */
static void drop_rest(struct smtp *s, struct str *in)
{
    if (in->n && s->want == SMTP_TLS)
        log_line(LOG_WARNING, "starttls-injection", "client=%s bytes=%zu",
                 log_value(str_from_c(s->client)), in->n);
    *in = str_from(*in, in->n);
}

/* What a step leaves: an envelope to be answered, or nothing of what it needed. */
static void step_end(struct smtp *s)
{
    if (s->want == SMTP_INPUT && envelope_waits(s))
        s->want = SMTP_ANSWER;
    stop_if_idle(s);
    if (s->want != SMTP_ANSWER)
        end_cx(s);
}

void smtp_feed(struct smtp *s, struct str *in)
{
    begin_cx(s);
    s->pause = false;
    while (in->n && s->want == SMTP_INPUT && !s->pause && s->out->n <= SMTP_OUT_HIGH)
        feed_one(s, in);
    step_end(s);
    if (s->want == SMTP_TLS || s->want == SMTP_CLOSE)
        drop_rest(s, in);
    if (lines_waiting(&s->lines).n == 0)
        lines_free(&s->lines); /* who waits for hours shall not hold the longest line of his life */
}

/* ---- answers that no thread waits for ---- */

static enum err ask(struct smtp *s, struct watch_id who)
{
    return asks_envelope(s) ? ask_envelope(s, who) : ask_delivery(s, who);
}

static void take_answer(struct smtp *s, enum err e, struct str answer)
{
    bool holds = s->holds;

    s->want = SMTP_INPUT;
    s->holds = false;
    if (asks_envelope(s))
        envelope_answered(s, e, answer);
    else
        delivery_answered(s, e, answer);
    if (holds && s->state != STATE_ENDED)
        run_command(s, s->held);
}

bool smtp_await(struct smtp *s, struct watch_id who)
{
    struct str answer = STR_NONE;
    enum err e;

    begin_cx(s);
    if (s->awaited) {
        if (!answers_look(&s->cx, &s->awaited, &e, &answer))
            return false;
    } else {
        e = ask(s, who);
        if (!e)
            return false;
    }
    take_answer(s, e, answer);
    step_end(s);
    return true;
}
