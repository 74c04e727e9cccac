/* MAIL and RCPT are only noted as they come. The vault is asked about all of them in one call: when the input runs
 * dry, when another command comes, or when ENVELOPE_CALL_MAX are noted. So a pipelined envelope costs one trip, and
 * the replies still stand in order. No thread waits for the answer but where a list is long or a command senseless.
 * What is noted lives in the arena of this smtp_feed(), which stays until it is answered; what is accepted is copied
 * into the envelope's own. Why somebody was refused stands in the vault's log. */
#include "gate/smtp/session.h"

#include "base/log.h"
#include "gate/answers.h"
#include "gate/smtp/params.h"

#include <inttypes.h>
#include <stdlib.h>

#define FEW_RCPTS 4           /* what most mail has at most */
#define ENVELOPE_CALL_MAX 100 /* recipients of one call, as calls.def says */

#define ENVELOPE_BYTES_MAX ((size_t)2 * 1024 * 1024) /* half of a frame (rpc/frame.h) */

/* Who tries one name after another is not sending mail. A list with so many dead members can try again. */
#define REFUSALS_MAX 100

static struct path path_copy(struct arena *a, const struct path *p)
{
    return (struct path){str_copy(a, p->local_part), str_copy(a, p->domain)};
}

const char *path_text(struct smtp *s, const struct path *p)
{
    size_t n = p->local_part.n + p->domain.n;
    char *out = arena_alloc(s->cx.arena, n + sizeof("<@>")), *at = out;

    *at++ = '<';
    if (p->local_part.n)
        memcpy(at, p->local_part.p, p->local_part.n);
    at += p->local_part.n;
    if (p->domain.n) {
        *at++ = '@';
        memcpy(at, p->domain.p, p->domain.n);
        at += p->domain.n;
    }
    *at = '>';
    return out;
}

/* ---- what cannot be parsed ---- */

static enum err args_mistake(struct smtp *s, enum args_fault fault, bool is_mail)
{
    static const struct {
        int code;
        const char *enhanced, *text;
    } rows[][2] = {
        [ARGS_SYNTAX] = {{501, "5.5.2", "say RCPT TO:<address>"},
                         {501, "5.5.2", "say MAIL FROM:<address>"}},
        [ARGS_ADDRESS] = {{501, "5.1.3", "this is no recipient address"},
                          {501, "5.1.7", "this is no sender address"}},
        /* RFC 6531 §3.5 has two codes for it */
        [ARGS_NOT_ASCII] = {{553, "5.6.7", "an international address needs SMTPUTF8 in MAIL"},
                            {550, "5.6.7", "an international address needs SMTPUTF8"}},
        [ARGS_UNKNOWN_PARAM] = {{555, "5.5.4", "a parameter of RCPT is not known here"},
                                {555, "5.5.4", "a parameter of MAIL is not known here"}},
        [ARGS_BAD_PARAM] = {{501, "5.5.4", "a parameter of RCPT has a bad value"},
                            {501, "5.5.4", "a parameter of MAIL has a bad value"}},
        [ARGS_TWICE] = {{501, "5.5.4", "a parameter of RCPT stands twice"},
                        {501, "5.5.4", "a parameter of MAIL stands twice"}},
    };

    answer_envelope(s);
    mistake(s, rows[fault][is_mail].code, rows[fault][is_mail].enhanced, "%s",
            rows[fault][is_mail].text);
    return OK;
}

/* ---- MAIL (RFC 5321 §4.1.1.2) ---- */

enum err cmd_mail(struct smtp *s, struct str args)
{
    struct mail_params params;
    struct path from;
    struct arena *arena;
    enum args_fault fault;

    if (s->role == SMTP_SUBMISSION && !s->signed_on) /* RFC 6409 §4.3 */
        return fail(&s->cx, ERR_AUTH_NEEDED, "MAIL before AUTH");
    fault = parse_mail_args(s->cx.arena, args, s->role != SMTP_MX, has_auth(s), &from, &params);
    if (fault)
        return args_mistake(s, fault, true);
    if (params.size > s->settings->message_size) /* RFC 1870 §6.1 (2) */
        return fail(&s->cx, ERR_TOO_BIG, "SIZE=%" PRIu64, params.size);
    arena = arena_new(1024);
    params.envid = str_copy(arena, params.envid);
    s->envelope = must_alloc(sizeof(*s->envelope));
    *s->envelope = (struct envelope){.arena = arena,
                                     .reverse_path = path_copy(arena, &from),
                                     .params = params,
                                     .rcpts = must_alloc(FEW_RCPTS * sizeof(struct rcpt)),
                                     .capacity = FEW_RCPTS};
    set_state(s, STATE_MAIL);
    return OK;
}

/* ---- RCPT (RFC 5321 §4.1.1.3) ---- */

static void note_rcpt(struct envelope *e, const struct rcpt *r)
{
    size_t count = e->accepted + e->noted;

    if (count == e->capacity) {
        e->capacity *= 2;
        e->rcpts = must_realloc(e->rcpts, e->capacity * sizeof(*e->rcpts));
    }
    e->rcpts[count] = *r;
    e->noted++;
}

/* Of recipients, or of their bytes: all of them go into one call at the end. */
static bool is_full(const struct smtp *s)
{
    const struct envelope *e = s->envelope;

    return e->accepted + e->noted == s->settings->recipients ||
           arena_size(e->arena) > ENVELOPE_BYTES_MAX;
}

/* MAIL was refused while its recipients were on their way. That is no mistake of the peer: it could not know. */
static enum err no_transaction(struct smtp *s)
{
    if (s->state != STATE_ENDED)
        reply(s, 503, "5.5.1", "MAIL was refused");
    return OK;
}

enum err cmd_rcpt(struct smtp *s, struct str args)
{
    struct envelope *e = s->envelope;
    struct arena *a = s->cx.arena;
    struct rcpt rcpt;
    enum args_fault fault = parse_rcpt_args(a, args, s->role != SMTP_MX, e->params.smtputf8, &rcpt);

    if (fault)
        return args_mistake(s, fault, false);
    if (is_full(s)) {
        answer_envelope(s); /* and then perhaps it is not */
        if (!s->envelope)
            return no_transaction(s);
        if (is_full(s))
            return fail(&s->cx, ERR_TOO_MANY_RCPTS, "%zu recipients", s->settings->recipients);
    }
    rcpt.to = path_copy(a, &rcpt.to);
    note_rcpt(e, &rcpt);
    set_state(s, STATE_RCPT);
    if (e->noted == ENVELOPE_CALL_MAX)
        answer_envelope(s);
    return OK;
}

/* ---- the vault's answer ---- */

bool envelope_waits(const struct smtp *s)
{
    return s->envelope && (!s->envelope->mail_answered || s->envelope->noted);
}

static struct envelope_request request_of(const struct smtp *s)
{
    const struct envelope *e = s->envelope;

    return (struct envelope_request){
        .transaction = e->transaction,
        .session = s->session,
        .client = str_from_c(s->client),
        .reverse_path = e->reverse_path,
        .params = e->params,
        .rcpts = e->rcpts + e->accepted,
        .rcpts_count = e->noted,
    };
}

/* MAIL was refused, so there is no transaction that the recipients noted behind it could be part of. */
static void mail_refused(struct smtp *s, enum err err)
{
    size_t noted = s->envelope->noted;

    transaction_end(s, false);
    mistake_error(s, err);
    for (size_t i = 0; i < noted; i++)
        no_transaction(s);
}

static void rcpt_refused(struct smtp *s, const struct rcpt *r, enum err err)
{
    const struct err_row *row = err_row(err);

    s->envelope->refused++;
    if (++s->refusals > REFUSALS_MAX)
        reply_error(s, ERR_TOO_MANY_ERRORS);
    else
        reply(s, row->smtp, row->enhanced, "%s: %s", path_text(s, &r->to), row->text);
}

static void rcpt_accepted(struct smtp *s, struct envelope *e, const struct rcpt *r)
{
    reply(s, 250, "2.1.5", "%s ok", path_text(s, &r->to));
    e->rcpts[e->accepted++] =
        (struct rcpt){path_copy(e->arena, &r->to), r->notify, str_copy(e->arena, r->orcpt)};
}

static void answer_rcpts(struct smtp *s, struct envelope *e, enum err err,
                         const struct rcpt_answer *answers)
{
    const struct rcpt *noted = e->rcpts + e->accepted;
    size_t count = e->noted;

    e->noted = 0;
    for (size_t i = 0; i < count && s->state != STATE_ENDED; i++) {
        struct rcpt r = noted[i];
        enum err answer = err ? err : answers[i].answer;

        if (answer)
            rcpt_refused(s, &r, answer);
        else
            rcpt_accepted(s, e, &r);
    }
    if (s->state != STATE_ENDED)
        set_state(s, e->accepted ? STATE_RCPT : STATE_MAIL);
}

static void reply_to_all(struct smtp *s, enum err err, const struct envelope_reply *r)
{
    struct envelope *e = s->envelope;

    if (!err && !r->mail && r->rcpts_count != e->noted)
        err = fail(&s->cx, ERR_BUG, "%zu answers to %zu recipients", r->rcpts_count, e->noted);
    if (err)
        log_line(LOG_WARNING, "envelope", "client=%s error=%s cause=%s",
                 log_value(str_from_c(s->client)), err_row(err)->name,
                 log_value(str_from_c(s->cx.cause)));
    if (!e->mail_answered && (err || r->mail)) {
        mail_refused(s, err ? err : r->mail);
        return;
    }
    if (!e->mail_answered) {
        e->transaction = r->transaction;
        e->mail_answered = true;
        reply(s, 250, "2.1.0", "%s ok", path_text(s, &e->reverse_path));
    }
    answer_rcpts(s, e, err ? err : r->mail, r->rcpts);
}

void answer_envelope(struct smtp *s)
{
    struct envelope_request q;
    struct envelope_reply r = {0};

    if (!envelope_waits(s))
        return;
    q = request_of(s);
    reply_to_all(s, vault_envelope(&s->cx, &q, &r), &r);
}

enum err ask_envelope(struct smtp *s, struct watch_id who)
{
    struct envelope_request q = request_of(s);
    struct rpc_channel *ch;
    enum err e = answers_begin(&s->cx, CALL_envelope, &ch);

    if (e)
        return e;
    pack_envelope_request(rpc_request(ch), &q);
    return answers_ask(&s->cx, ch, NULL, 0, who, &s->awaited);
}

void envelope_answered(struct smtp *s, enum err e, struct str answer)
{
    struct envelope_reply r = {0};

    if (!e)
        e = read_envelope_reply(&s->cx, answer, &r);
    reply_to_all(s, e, &r);
}

/* Else the transaction that it has opened would be nobody's. */
void envelope_came_late(struct cx *cx, enum err e, struct str answer)
{
    struct envelope_reply r = {0};
    struct envelope_end_request q;
    struct envelope_end_reply done;

    if (e || read_envelope_reply(cx, answer, &r) || !r.transaction.v)
        return;
    q.transaction = r.transaction;
    vault_envelope_end(cx, &q, &done);
}

void envelope_free(struct envelope *e)
{
    if (!e)
        return;
    arena_free(e->arena);
    free(e->rcpts);
    free(e);
}
