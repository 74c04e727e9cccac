/* One message: MAIL, RCPT and DATA in one go where the server offers PIPELINING (RFC 2920), one by one where not;
 * then the body and the dot. */
#include "gate/smtp/client_private.h"

#include "base/arena.h"

#include <assert.h>
#include <inttypes.h>

#define MOST_UNANSWERED 100 /* commands: bounds what is written at once */

static bool is_good(const struct reply *r)
{
    return r->code / 100 == 2;
}

static uint32_t outcome_of(const struct reply *r)
{
    return r->code >= 500 ? OUTCOME_FAILED : OUTCOME_DEFERRED;
}

static void decide(struct client_rcpt *r, uint32_t outcome, struct client_words words)
{
    r->outcome = outcome;
    r->words = words;
}

static void decide_undecided(struct client_message *m, uint32_t outcome, struct client_words words)
{
    for (size_t i = 0; i < m->rcpt_count; i++)
        if (!m->rcpts[i].outcome)
            decide(&m->rcpts[i], outcome, words);
}

static void put_off(struct client_message *m, struct client_rcpt *r)
{
    r->outcome = OUTCOME_DEFERRED;
    if (!r->words.status.n)
        r->words = client_words_own(m->arena, S("4.5.3"),
                                    S("the server takes no more recipients in one session"));
}

/* Those who wait for another transaction get one if this one went well; else they wait for the next attempt. Who was
 * never named gets one anyway, since those before have been decided. */
static void message_over(struct client *c, bool went_well)
{
    struct client_message *m = c->message;
    bool may_go_on = client_may_send(c);

    for (size_t i = 0; i < m->rcpt_count; i++) {
        bool is_beyond = c->envelope.states[i] == BEYOND;

        if ((!is_beyond && c->envelope.states[i] != PUT_OFF) || m->rcpts[i].outcome ||
            (is_beyond && c->envelope.mail_refused))
            continue;
        if (may_go_on && (went_well || is_beyond))
            c->wants_rest = true;
        else
            put_off(m, &m->rcpts[i]);
    }
    c->message = NULL;
    client_set_phase(c, READY);
}

/* RFC 3461 §5.2.2: handed to a server that does no DSN, the mail is relayed, as far as who asked can ever know. */
static uint32_t success_of(const struct client *c, const struct client_rcpt *r)
{
    return c->offers.dsn || !(r->asked->notify & NOTIFY_SUCCESS) ? OUTCOME_DELIVERED : OUTCOME_RELAYED;
}

static void decide_taken(struct client *c, uint32_t outcome, struct client_words words)
{
    struct client_message *m = c->message;

    for (size_t i = 0; i < m->rcpt_count; i++)
        if (c->envelope.states[i] == TAKEN)
            decide(&m->rcpts[i], outcome ? outcome : success_of(c, &m->rcpts[i]), words);
}

void client_leave_taken(struct client *c, struct client_words words)
{
    struct arena *a = c->message->arena;

    words.status = str_copy(a, words.status);
    words.reply = str_copy(a, words.reply);
    decide_taken(c, OUTCOME_DEFERRED, words);
}

/* ---- sending ---- */

static bool next_in_state(const struct client *c, enum client_rcpt_state state, size_t *at)
{
    while (*at < c->message->rcpt_count && c->envelope.states[*at] != state)
        ++*at;
    return *at < c->message->rcpt_count;
}

static bool may_say_more(const struct client *c)
{
    const struct client_envelope *e = &c->envelope;

    if (e->data_sent || e->mail_refused)
        return false;
    return c->offers.pipelining ? e->sent - e->answered < MOST_UNANSWERED : e->sent == e->answered;
}

/* False: there is nothing to say, since nobody will have the message. */
static bool say_one(struct client *c)
{
    struct client_envelope *e = &c->envelope;

    if (!e->mail_sent) {
        client_write_mail(c);
        e->mail_sent = true;
        c->mails++;
    } else if (next_in_state(c, TO_SEND, &e->next)) {
        client_write_rcpt(c, c->message->rcpts[e->next].asked);
        e->states[e->next] = SENT;
    } else if (e->sent > e->answered || e->taken) {
        buf_add(c->out, S("DATA\r\n"));
        e->data_sent = true;
    } else {
        return false;
    }
    e->sent++;
    return true;
}

static void say_envelope(struct client *c)
{
    while (may_say_more(c) && say_one(c))
        ;
    if (c->envelope.answered == c->envelope.sent) /* and DATA is not under way: nobody is left */
        message_over(c, false);
}

static void envelope_begin(struct client *c)
{
    struct client_message *m = c->message;
    uint64_t named = 0;

    c->envelope = (struct client_envelope){.states = arena_alloc(m->arena, m->rcpt_count)};
    for (size_t i = 0; i < m->rcpt_count; i++) {
        bool beyond = c->offers.rcpt_max && named == c->offers.rcpt_max;

        c->envelope.states[i] = m->rcpts[i].outcome ? LEFT_OUT : beyond ? BEYOND : TO_SEND;
        named += c->envelope.states[i] == TO_SEND;
    }
    c->stuffing = (struct stuffing){0};
    client_set_phase(c, ENVELOPE);
    say_envelope(c);
}

static void fail_all(struct client_message *m, const char *status, struct str text)
{
    decide_undecided(m, OUTCOME_FAILED, client_words_own(m->arena, str_from_c(status), text));
}

static void fail_too_big(const struct client *c, struct client_message *m)
{
    struct buf b = buf_make(200);

    buf_printf(&b, "the message has %" PRIu64 " bytes, and the server takes no more than %" PRIu64,
               m->params.size, c->offers.size_limit);
    fail_all(m, "5.3.4", buf_str(&b));
    buf_free(&b);
}

/* What is known without asking. */
static void refuse_beforehand(const struct client *c, struct client_message *m)
{
    const struct client_words bad =
        client_words_own(m->arena, S("5.1.3"), S("this address cannot be said in SMTP"));

    if (c->offers.size_limit && m->params.size > c->offers.size_limit)
        fail_too_big(c, m); /* RFC 1870 §6.1 */
    else if (m->needs_smtputf8 && !c->offers.smtputf8)
        fail_all(m, "5.6.7",
                 S("the next server cannot take international addresses")); /* RFC 6531 §3.2 */
    else if (!client_path_is_sound(&m->reverse_path))
        fail_all(m, "5.1.7", S("the sender's address cannot be said in SMTP"));
    for (size_t i = 0; i < m->rcpt_count; i++)
        if (!m->rcpts[i].outcome &&
            (!m->rcpts[i].asked->to.local_part.n || !client_path_is_sound(&m->rcpts[i].asked->to)))
            decide(&m->rcpts[i], OUTCOME_FAILED, bad);
}

static bool anybody_is_undecided(const struct client_message *m)
{
    for (size_t i = 0; i < m->rcpt_count; i++)
        if (!m->rcpts[i].outcome)
            return true;
    return false;
}

void client_send(struct client *c, struct client_message *m)
{
    assert(c->phase == READY && !c->message);
    c->wants_rest = false;
    m->dot_sent = false;
    c->trouble = (struct client_trouble){0};
    refuse_beforehand(c, m);
    client_set_phase(c, READY);
    if (!anybody_is_undecided(m))
        return;
    c->message = m;
    if (c->dirty) {
        buf_add(c->out, S("RSET\r\n"));
        client_set_phase(c, RSET);
    } else {
        envelope_begin(c);
    }
}

void client_body(struct client *c, struct str piece, bool last)
{
    if (c->phase != BODY)
        return;
    c->step++;
    stuff_body(&c->stuffing, c->out, piece);
    if (!last)
        return;
    stuff_end(&c->stuffing, c->out);
    c->message->dot_sent = true;
    client_set_phase(c, DOT);
}

/* ---- replies ---- */

/* 4xx: another host of the domain may be in a better mood. 5xx is final (RFC 5321 §4.2.1). */
static void mail_reply(struct client *c, const struct reply *r)
{
    struct client_message *m = c->message;

    c->dirty = is_good(r);
    if (is_good(r))
        return;
    c->envelope.mail_refused = true;
    if (r->code >= 500)
        decide_undecided(m, OUTCOME_FAILED, client_words_of(m->arena, r));
    else
        c->trouble = (struct client_trouble){client_words_of(c->arena, r), OUTCOME_DEFERRED, true};
}

/* RFC 5321 §4.5.3.1.10: 452 is "too many recipients", and 552 means the same here. With another subject of RFC 3463
 * it is about the mailbox. */
static bool is_too_many(const struct client *c, const struct reply *r)
{
    return (r->code == 452 || r->code == 552) && c->envelope.taken &&
           (!r->enhanced.n || str_same(str_from(r->enhanced, 1), S(".5.3")));
}

static void rcpt_reply(struct client *c, const struct reply *r)
{
    struct client_envelope *e = &c->envelope;
    struct client_rcpt *to = &c->message->rcpts[e->next_answer];
    uint8_t *state = &e->states[e->next_answer];

    if (e->mail_refused) {
        *state = ANSWERED;
    } else if (is_good(r)) {
        *state = TAKEN;
        e->taken++;
    } else if (is_too_many(c, r)) {
        *state = PUT_OFF;
        to->words = client_words_of(c->message->arena, r);
    } else {
        *state = ANSWERED;
        decide(to, outcome_of(r), client_words_of(c->message->arena, r));
    }
}

static void data_reply(struct client *c, const struct reply *r)
{
    bool goes_on = r->code / 100 == 3;

    if (goes_on && c->envelope.taken) {
        client_set_phase(c, BODY);
    } else if (goes_on) { /* RFC 2920 §3.1: 354 although every RCPT was refused */
        buf_add(c->out, S(".\r\n"));
        client_set_phase(c, LONE_DOT);
    } else {
        decide_taken(c, outcome_of(r), client_words_of(c->message->arena, r));
        message_over(c, false);
    }
}

static void envelope_reply(struct client *c, const struct reply *r)
{
    struct client_envelope *e = &c->envelope;
    bool is_data = e->data_sent && e->answered + 1 == e->sent;

    /* 3xx belongs to DATA alone, and 2xx does not belong there */
    if (e->answered == e->sent || (r->code / 100 == 3) != (is_data && r->code < 400)) {
        client_give_up_on_babble(c);
        return;
    }
    e->answered++;
    if (e->answered == 1)
        mail_reply(c, r);
    else if (is_data)
        data_reply(c, r);
    else if (next_in_state(c, SENT, &e->next_answer))
        rcpt_reply(c, r);
    if (c->phase == ENVELOPE)
        say_envelope(c);
}

/* Before the dot: the server has seen enough. The way to stop DATA is to hang up. */
static void early_reply(struct client *c, const struct reply *r)
{
    if (r->code < 400) {
        client_give_up_on_babble(c);
        return;
    }
    decide_taken(c, outcome_of(r), client_words_of(c->message->arena, r));
    client_give_up_on_reply(c, r, true);
}

static void dot_reply(struct client *c, const struct reply *r)
{
    if (r->code / 100 == 3) {
        client_give_up_on_babble(c);
        return;
    }
    decide_taken(c, is_good(r) ? 0 : outcome_of(r), client_words_of(c->message->arena, r));
    c->dirty = false;
    message_over(c, is_good(r));
}

void client_message_reply(struct client *c, const struct reply *r)
{
    if (c->phase == ENVELOPE) {
        envelope_reply(c, r);
    } else if (c->phase == BODY) {
        early_reply(c, r);
    } else if (c->phase == DOT) {
        dot_reply(c, r);
    } else if (c->phase == LONE_DOT) {
        message_over(c, false);
    } else if (is_good(r)) { /* RSET */
        c->dirty = false;
        envelope_begin(c);
    } else {
        client_give_up_on_reply(c, r, true);
    }
}
