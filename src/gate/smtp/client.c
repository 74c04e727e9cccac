/* The driver's side of the client, and where a reply goes. */
#include "gate/smtp/client_private.h"

#include "base/arena.h"

#include <assert.h>
#include <stdlib.h>

#define MINUTES ((int64_t)60 * 1000)

/* RFC 5321 §4.5.3.2. ENVELOPE: MAIL and RCPT; DATA has its own time. BODY: a block of data. */
#define DATA_TIMEOUT (2 * MINUTES)
static const struct {
    enum client_want want;
    int64_t timeout_ms;
    void (*reply)(struct client *c, const struct reply *r);
} phases[] = {
    [GREETING] = {CLIENT_INPUT, 5 * MINUTES, client_greeting_reply},
    [EHLO] = {CLIENT_INPUT, 5 * MINUTES, client_greeting_reply},
    [HELO] = {CLIENT_INPUT, 5 * MINUTES, client_greeting_reply},
    [STARTTLS] = {CLIENT_INPUT, 5 * MINUTES, client_greeting_reply},
    [HANDSHAKE] = {CLIENT_TLS, 1 * MINUTES, NULL},
    [AUTH_PLAIN] = {CLIENT_INPUT, 5 * MINUTES, client_greeting_reply},
    [AUTH_LOGIN] = {CLIENT_INPUT, 5 * MINUTES, client_greeting_reply},
    [AUTH_LOGIN_USER] = {CLIENT_INPUT, 5 * MINUTES, client_greeting_reply},
    [AUTH_LOGIN_PASSWORD] = {CLIENT_INPUT, 5 * MINUTES, client_greeting_reply},
    [READY] = {CLIENT_READY, 1 * MINUTES, NULL},
    [RSET] = {CLIENT_INPUT, 1 * MINUTES, client_message_reply},
    [ENVELOPE] = {CLIENT_INPUT, 5 * MINUTES, client_message_reply},
    [BODY] = {CLIENT_BODY, 3 * MINUTES, client_message_reply},
    [DOT] = {CLIENT_INPUT, 10 * MINUTES, client_message_reply},
    [LONE_DOT] = {CLIENT_INPUT, 1 * MINUTES, client_message_reply},
    [QUIT] = {CLIENT_INPUT, MINUTES / 6, NULL},
    [OVER] = {CLIENT_CLOSE, MINUTES / 6, NULL},
};

struct client *client_new(const struct client_settings *settings, struct buf *out)
{
    struct client *c = must_alloc(sizeof(*c));

    *c = (struct client){
        .settings = settings, .out = out, .replies = replies_make(), .arena = arena_new(0)};
    return c;
}

void client_free(struct client *c)
{
    if (!c)
        return;
    replies_free(&c->replies);
    arena_free(c->arena);
    free(c);
}

void client_set_phase(struct client *c, enum client_phase phase)
{
    c->phase = phase;
    c->step++;
}

enum client_want client_wants(const struct client *c)
{
    return phases[c->phase].want;
}

int64_t client_timeout_ms(const struct client *c)
{
    const struct client_envelope *e = &c->envelope;

    if (c->phase == ENVELOPE && e->data_sent && e->answered + 1 == e->sent)
        return DATA_TIMEOUT;
    return phases[c->phase].timeout_ms;
}

uint64_t client_step(const struct client *c)
{
    return c->step;
}

bool client_wants_rest(const struct client *c)
{
    return c->wants_rest;
}

bool client_may_send(const struct client *c)
{
    return !c->offers.mail_max || c->mails < c->offers.mail_max;
}

const struct client_trouble *client_trouble(const struct client *c)
{
    return &c->trouble;
}

bool client_in_handshake(const struct client *c)
{
    return c->phase == HANDSHAKE;
}

/* ---- the end ---- */

void client_give_up(struct client *c, struct client_words words, uint32_t outcome, bool try_next)
{
    if (c->phase == OVER)
        return;
    c->trouble = (struct client_trouble){words, outcome, try_next};
    c->message = NULL;
    client_set_phase(c, OVER);
}

void client_give_up_on_reply(struct client *c, const struct reply *r, bool try_next)
{
    client_give_up(c, client_words_of(c->arena, r), OUTCOME_DEFERRED, try_next);
}

void client_lost(struct client *c, struct str status, struct str why)
{
    struct client_words words = client_words_own(c->arena, status, why);
    bool may_have_it = c->phase == DOT;

    if (c->phase == QUIT) { /* nothing more was wanted */
        client_set_phase(c, OVER);
        return;
    }
    if (may_have_it)
        client_leave_taken(c, words);
    client_give_up(c, words, OUTCOME_DEFERRED, !may_have_it);
}

/* RFC 3463 §3.6: X.5.0, other or undefined protocol status */
void client_give_up_on_babble(struct client *c)
{
    client_lost(c, S("4.5.0"), S("the server's answer makes no sense where it came"));
}

void client_quit(struct client *c)
{
    if (c->phase != READY)
        return;
    buf_add(c->out, S("QUIT\r\n"));
    client_set_phase(c, QUIT);
}

/* ---- replies ---- */

/* RFC 5321 §3.8: 421 may answer anything, and says that the server closes the channel. It is about the channel and
 * not about whatever was asked; but once the dot is sent, it is the answer. */
static void take_421(struct client *c, const struct reply *r)
{
    if (c->phase == DOT)
        client_leave_taken(c, client_words_of(c->message->arena, r));
    client_give_up_on_reply(c, r, c->phase != DOT);
}

static void dispatch(struct client *c, const struct reply *r)
{
    c->step++;
    if (c->phase == QUIT)
        client_set_phase(c, OVER); /* whatever it said */
    else if (r->code == 421)
        take_421(c, r);
    else if (phases[c->phase].reply)
        phases[c->phase].reply(c, r);
    else
        client_give_up_on_babble(c); /* READY: nothing was asked */
}

void client_feed(struct client *c, struct str *in)
{
    struct reply r;
    enum reply_result got;

    while (c->phase != OVER && c->phase != HANDSHAKE &&
           (got = take_reply(&c->replies, in, &r)) != REPLY_NONE)
        if (got == REPLY_TAKEN)
            dispatch(c, &r);
        else
            client_lost(c, S("4.5.0"), S("what answers there is no SMTP server"));
    if (c->phase == OVER ||
        c->phase == HANDSHAKE) /* RFC 3207 §4.2: nothing of before is read after it */
        *in = str_from(*in, in->n);
}

void client_secured(struct client *c)
{
    assert(c->phase == HANDSHAKE);
    replies_free(&c->replies);
    c->replies = replies_make();
    c->offers = (struct client_offers){0}; /* RFC 3207 §4.2: what was learned before is forgotten */
    c->secured = true;
    client_say_ehlo(c);
}
