/* AUTH (RFC 4954). The conversation is the vault's: bytes are taken out of their base 64 and passed on, its
 * challenges are passed back, and the end is a handle or a refusal. Who signed on, and who failed to, stands in the
 * vault's log. */
#include "gate/smtp/session.h"

#include "base/codec.h"
#include "gate/smtp/params.h"
#include "proto/sasl_line.h"

#include <stdlib.h>

static const struct mechanism {
    const char *name;
    bool client_first; /* RFC 4422 §5: it begins with what the client says */
    bool needs_keys;
} mechanisms[] = {
    {"PLAIN", true, false},
    {"LOGIN", false, false},
    {"SCRAM-SHA-256", true, true},
};
#define MECHANISMS (sizeof(mechanisms) / sizeof(*mechanisms))

struct signon {
    uint64_t id;
    const struct mechanism *mechanism;
    bool done;            /* the last challenge is out: an empty answer is all that is missing */
    struct handle handle; /* if done */
};

static bool is_offered(const struct smtp *s, const struct mechanism *m)
{
    return !m->needs_keys || s->settings->scram;
}

void write_mechanisms(const struct smtp *s, struct buf *out)
{
    for (size_t i = 0; i < MECHANISMS; i++)
        if (is_offered(s, &mechanisms[i]))
            buf_printf(out, " %s", mechanisms[i].name);
}

static const struct mechanism *find_mechanism(const struct smtp *s, struct str name)
{
    for (size_t i = 0; i < MECHANISMS; i++)
        if (is_offered(s, &mechanisms[i]) && str_same_nocase(name, str_from_c(mechanisms[i].name)))
            return &mechanisms[i];
    return NULL;
}

/* ---- its ends ---- */

static void signon_close(struct smtp *s)
{
    free(s->signon);
    s->signon = NULL;
    if (s->state == STATE_IN_AUTH)
        set_state(s, STATE_READY);
}

void signon_give_up(struct smtp *s)
{
    struct signon *a = s->signon;

    if (!a)
        return;
    if (a->done) {
        struct signon_end_request q = {.session = a->handle};
        struct signon_end_reply r;

        vault_signon_end(&s->cx, &q, &r);
    } else {
        struct signon_cancel_request q = {.signon = a->id};
        struct signon_cancel_reply r;

        vault_signon_cancel(&s->cx, &q, &r);
    }
    signon_close(s);
}

static void signon_refused(struct smtp *s, enum err e)
{
    signon_close(s);
    mistake_error(s, e);
}

static void signon_succeeded(struct smtp *s)
{
    s->session = s->signon->handle;
    s->signed_on = true;
    signon_close(s);
    reply(s, 235, "2.7.0", "signed on");
}

/* ---- its steps ---- */

static void challenge(struct smtp *s, struct str bytes)
{
    buf_add(s->out, S("334 "));
    base64_encode(s->out, bytes);
    buf_add(s->out, S("\r\n"));
}

/* A mechanism's last word has no place beside 235, so it goes as a challenge that wants an empty answer
 * (RFC 4954 §4). */
static void step(struct smtp *s, struct str bytes)
{
    struct signon_step_request q = {.signon = s->signon->id, .from_client = bytes};
    struct signon_step_reply r = {0};
    enum err e = vault_signon_step(&s->cx, &q, &r);

    if (e) {
        signon_refused(s, e);
        return;
    }
    s->signon->done = r.state == SIGNON_DONE;
    s->signon->handle = r.session;
    if (s->signon->done && r.to_client.n == 0)
        signon_succeeded(s);
    else
        challenge(s, r.to_client);
}

/* An answer that is none: RFC 4954 §4 wants the exchange ended. */
static void answer_refused(struct smtp *s, int code, const char *enhanced, const char *text)
{
    signon_give_up(s);
    mistake(s, code, enhanced, "%s", text);
}

static void take_answer(struct smtp *s, enum sasl_line what, struct str bytes)
{
    if (what == SASL_CANCEL) {
        signon_give_up(s);
        mistake_error(s, ERR_AUTH_CANCELLED);
    } else if (what == SASL_BAD) {
        answer_refused(s, 501, "5.5.2", "this is no base 64");
    } else if (s->signon->done) {
        if (bytes.n)
            answer_refused(s, 501, "5.5.2", "an empty answer was due");
        else
            signon_succeeded(s);
    } else {
        step(s, bytes);
    }
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
    enum sasl_line what = sasl_answer(&b, line);

    take_answer(s, what, buf_str(&b));
    wipe(&b);
    s->pause = true;
}

void auth_line_too_long(struct smtp *s)
{
    answer_refused(s, 500, "5.5.6", "this line of a sign-on is too long");
}

/* ---- AUTH ---- */

/* LOGIN asks before the client speaks, yet many clients (Python's smtplib among them) send the name along: the vault
 * knows what to do with it. */
static void first_step(struct smtp *s, struct str initial)
{
    struct buf b = buf_make(SASL_LINE_MAX);
    enum sasl_line what = initial.n ? sasl_initial(&b, initial) : SASL_BYTES;

    if (initial.n)
        take_answer(s, what, buf_str(&b));
    else if (s->signon->mechanism->client_first)
        challenge(s, STR_NONE);
    else
        step(s, STR_NONE);
    wipe(&b);
}

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

enum err cmd_auth(struct smtp *s, struct str args)
{
    struct signon_begin_request q = {
        .protocol = PROTOCOL_SMTP, .client = str_from_c(s->client), .tls = s->tls};
    struct signon_begin_reply r;
    const struct mechanism *m;
    struct str name;
    enum err e;

    if (!may_sign_on(s))
        return OK;
    if (!take_word(&args, &name)) {
        mistake(s, 501, "5.5.4", "say AUTH and a mechanism");
        return OK;
    }
    m = find_mechanism(s, name);
    if (!m)
        return fail(&s->cx, ERR_NO_MECHANISM, "%.*s", STR_ARG(name));
    q.mechanism = str_from_c(m->name);
    e = vault_signon_begin(&s->cx, &q, &r);
    if (e)
        return e;
    s->signon = must_alloc(sizeof(*s->signon));
    *s->signon = (struct signon){.id = r.signon, .mechanism = m};
    set_state(s, STATE_IN_AUTH);
    first_step(s, args);
    return OK;
}
