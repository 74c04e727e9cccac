/* AUTH (RFC 4954). The conversation is the vault's: bytes are taken out of their base 64 and passed on, its
 * challenges are passed back, and the end is a handle or a refusal. Who signed on, and who failed to, stands in the
 * vault's log. */
#include "gate/smtp/session.h"

#include "base/codec.h"
#include "gate/smtp/params.h"
#include "proto/sasl_line.h"
#include "proto/sasl_mechanisms.h"

static struct sasl_offer offer_of(const struct smtp *s)
{
    /* no -PLUS: see exchange.h */
    return (struct sasl_offer){.scram = s->settings->scram, .login = true};
}

void write_mechanisms(const struct smtp *s, struct buf *out)
{
    struct sasl_offer offer = offer_of(s);

    sasl_offer_write(out, &offer);
}

/* ---- its ends ---- */

static void leave_auth(struct smtp *s)
{
    if (s->state == STATE_IN_AUTH)
        set_state(s, STATE_READY);
}

void signon_give_up(struct smtp *s)
{
    exchange_give_up(&s->exchange, &s->cx);
    leave_auth(s);
}

static void signon_refused(struct smtp *s, enum err e)
{
    leave_auth(s);
    mistake_error(s, e);
}

static void signon_succeeded(struct smtp *s)
{
    s->session = exchange_take(&s->exchange);
    s->signed_on = true;
    leave_auth(s);
    reply(s, 235, "2.7.0", "signed on");
}

/* ---- its steps ---- */

/* A mechanism's last word has no place beside 235, so it goes as a challenge that wants an empty answer
 * (RFC 4954 §4). */
static void after_step(struct smtp *s, enum err e, struct str challenge)
{
    if (e) {
        signon_refused(s, e);
    } else if (exchange_is_done(&s->exchange)) {
        signon_succeeded(s);
    } else {
        set_state(s, STATE_IN_AUTH);
        buf_add(s->out, S("334 "));
        base64_encode(s->out, challenge);
        buf_add(s->out, S("\r\n"));
    }
}

/* An answer that is none: RFC 4954 §4 wants the exchange ended. */
static void answer_refused(struct smtp *s, int code, const char *enhanced, const char *text)
{
    signon_give_up(s);
    mistake(s, code, enhanced, "%s", text);
}

static bool is_answer(struct smtp *s, enum sasl_line what)
{
    if (what == SASL_CANCEL) {
        signon_give_up(s);
        mistake_error(s, ERR_AUTH_CANCELLED);
    } else if (what == SASL_BAD) {
        answer_refused(s, 501, "5.5.2", "this is no base 64");
    }
    return what == SASL_BYTES;
}

static void take_answer(struct smtp *s, struct str said)
{
    struct str challenge = STR_NONE;
    enum err e;

    if (exchange_owes_empty(&s->exchange) && said.n) {
        answer_refused(s, 501, "5.5.2", "an empty answer was due");
        return;
    }
    e = exchange_step(&s->exchange, &s->cx, said, &challenge);
    after_step(s, e, challenge);
}

/* It may have been a password. */
static void wipe(struct buf *b)
{
    if (b->cap)
        explicit_bzero(b->p, b->cap);
    buf_free(b);
}

void feed_auth_line(struct smtp *s, struct str line)
{
    struct buf b = buf_make(SASL_LINE_MAX);

    if (is_answer(s, sasl_answer(&b, line)))
        take_answer(s, buf_str(&b));
    wipe(&b);
    s->pause = true;
}

void auth_line_too_long(struct smtp *s)
{
    answer_refused(s, 500, "5.5.6", "this line of a sign-on is too long");
}

/* ---- AUTH ---- */

static bool may_sign_on(struct smtp *s)
{
    if (!has_auth(s) || !s->esmtp)
        mistake(s, 502, "5.5.1", "sign-on is not offered here");
    else if (s->signed_on) /* RFC 4954 §4: once a session */
        mistake(s, 503, "5.5.1", "signed on already");
    else if (!offers_auth(s))
        mistake_error(s, ERR_TLS_NEEDED);
    else
        return true;
    return false;
}

/* LOGIN asks before the client speaks, yet many clients (Python's smtplib among them) send the name along: the vault
 * knows what to do with it. */
static void begin(struct smtp *s, struct str mechanism, struct str initial)
{
    struct exchange_with with = {PROTOCOL_SMTP, mechanism, str_from_c(s->client), s->tls,
                                 &(struct bindings){0}};
    struct buf said = buf_make(SASL_LINE_MAX);
    struct str challenge = STR_NONE;
    enum err e;

    if (initial.n == 0 || is_answer(s, sasl_initial(&said, initial))) {
        e = exchange_begin(&s->exchange, &s->cx, &with, buf_str(&said), &challenge);
        after_step(s, e, challenge);
    }
    wipe(&said);
}

enum err cmd_auth(struct smtp *s, struct str args)
{
    struct sasl_offer offer = offer_of(s);
    struct str name, mechanism;

    if (!may_sign_on(s))
        return OK;
    if (!take_word(&args, &name)) {
        mistake(s, 501, "5.5.4", "say AUTH and a mechanism");
        return OK;
    }
    mechanism = sasl_offered(&offer, name);
    if (!mechanism.n)
        return fail(&s->cx, ERR_NO_MECHANISM, "%.*s", STR_ARG(name));
    begin(s, mechanism, args);
    return OK;
}
