#include "gate/smtp/standin.h"

#include "gate/answers.h"
#include "gate/smtp/local.h"
#include "mail/mime.h"
#include "rpc/calls.h"
#include "testing/conversation.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define RULES_MAX 32
#define FRED ((struct handle){0x1234, 0x5678})

struct rule {
    struct str what, pattern;
    enum err answer;
};

static struct {
    struct rule rules[RULES_MAX];
    size_t rule_count;
    struct buf account;
    struct buf body; /* of the transaction that is open */
    uint64_t transaction, last_transaction;
    uint32_t pieces;
    size_t accepted, envelope_calls;
    uint64_t signon;
    struct str mechanism;
    unsigned step;
    bool signed_on;
    char login[64];
    void (*wake)(struct watch_id who);
    _Atomic(sem_t *) held_back; /* answers are, and who asks is told here */
    struct watch_id who;
} vault;

void standin_reset(void)
{
    buf_free(&vault.account);
    buf_free(&vault.body);
    memset(&vault, 0, sizeof(vault));
    vault.account = buf_make(BUF_UNLIMITED);
    vault.body = buf_make(BUF_UNLIMITED);
    vault.last_transaction = 1000;
}

void standin_wakes(void (*wake)(struct watch_id who))
{
    vault.wake = wake;
}

void standin_holds_back(sem_t *asked)
{
    vault.held_back = asked;
}

void standin_lets_go(void)
{
    vault.held_back = NULL;
    vault.wake(vault.who);
}

struct str standin_account(void)
{
    return buf_str(&vault.account);
}

size_t standin_envelope_calls(void)
{
    return vault.envelope_calls;
}

bool standin_is_idle(void)
{
    return !vault.transaction && !vault.signon;
}

/* ---- rules ---- */

static bool parse_err(struct str name, enum err *out)
{
    for (int e = 0; e < ERR_COUNT; e++)
        if (str_same(name, str_from_c(err_row((enum err)e)->name))) {
            *out = (enum err)e;
            return true;
        }
    return false;
}

bool standin_rule(struct str rule)
{
    struct rule r = {.pattern = S("*")};
    size_t at;

    if (vault.rule_count == RULES_MAX || !str_find(rule, S(" answers "), &at) ||
        !parse_err(str_from(rule, at + 9), &r.answer))
        return false;
    r.what = str_upto(rule, at);
    if (str_find_char(r.what, ' ', &at)) {
        r.pattern = str_from(r.what, at + 1);
        r.what = str_upto(r.what, at);
    }
    vault.rules[vault.rule_count++] = r;
    return true;
}

static enum err answer_to(struct str what, struct str text)
{
    for (size_t i = 0; i < vault.rule_count; i++)
        if (str_same(vault.rules[i].what, what) && glob_match(vault.rules[i].pattern, text))
            return vault.rules[i].answer;
    return OK;
}

static enum err path_answer(struct str what, const struct path *p)
{
    char text[600];
    int n = snprintf(text, sizeof(text), "%.*s%s%.*s", STR_ARG(p->local_part), p->domain.n ? "@" : "",
                     STR_ARG(p->domain));

    assert(n >= 0 && (size_t)n < sizeof(text));
    return answer_to(what, (struct str){text, (size_t)n});
}

/* ---- SMTP in ---- */

static void write_path(const char *what, const struct path *p)
{
    buf_printf(&vault.account, "%s <%.*s%s%.*s>", what, STR_ARG(p->local_part), p->domain.n ? "@" : "",
               STR_ARG(p->domain));
}

static void write_mail(const struct path *from, const struct mail_params *p)
{
    write_path("mail", from);
    if (p->size)
        buf_printf(&vault.account, " size=%" PRIu64, p->size);
    if (p->eightbit)
        buf_add(&vault.account, S(" 8bit"));
    if (p->smtputf8)
        buf_add(&vault.account, S(" utf8"));
    if (p->ret)
        buf_printf(&vault.account, " ret=%c", (char)p->ret);
    if (p->envid.n)
        buf_printf(&vault.account, " envid=%.*s", STR_ARG(p->envid));
    buf_add_char(&vault.account, '\n');
}

static void write_rcpt(const struct rcpt *r)
{
    write_path("rcpt", &r->to);
    if (r->notify)
        buf_printf(&vault.account, " notify=%u", r->notify);
    if (r->orcpt.n)
        buf_printf(&vault.account, " orcpt=%.*s", STR_ARG(r->orcpt));
    buf_add_char(&vault.account, '\n');
}

static void check_session(struct handle h)
{
    assert(vault.signed_on ? h.hi == FRED.hi && h.lo == FRED.lo : !h.hi && !h.lo);
}

enum err local_begin(struct cx *cx, int fd, struct handle *session)
{
    enum err e = answer_to(S("local_begin"), STR_NONE);

    (void)fd;
    if (e)
        return fail(cx, e, "as the rule says");
    vault.signed_on = true;
    *session = FRED;
    return OK;
}

static void transaction_over(void)
{
    vault.transaction = 0;
    vault.pieces = 0;
    vault.accepted = 0;
    buf_clear(&vault.body);
}

enum err vault_envelope(struct cx *cx, const struct envelope_request *q, struct envelope_reply *r)
{
    enum err e = answer_to(S("envelope"), STR_NONE);

    vault.envelope_calls++;
    check_session(q->session);
    assert(q->client.n && q->rcpts_count <= 100);
    assert(q->transaction.v == vault.transaction);
    if (e)
        return fail(cx, e, "as the rule says");
    *r = (struct envelope_reply){.mail =
                                     vault.transaction ? OK : path_answer(S("mail"), &q->reverse_path)};
    if (!vault.transaction)
        write_mail(&q->reverse_path, &q->params);
    if (r->mail)
        return OK;
    if (!vault.transaction)
        vault.transaction = ++vault.last_transaction;
    r->transaction.v = vault.transaction;
    r->rcpts_count = q->rcpts_count;
    r->rcpts = arena_array(cx->arena, struct rcpt_answer, q->rcpts_count);
    for (size_t i = 0; i < q->rcpts_count; i++) {
        write_rcpt(&q->rcpts[i]);
        r->rcpts[i].answer = path_answer(S("rcpt"), &q->rcpts[i].to);
        vault.accepted += r->rcpts[i].answer == OK;
    }
    return OK;
}

enum err vault_envelope_end(struct cx *cx, const struct envelope_end_request *q,
                            struct envelope_end_reply *r)
{
    (void)cx;
    (void)r;
    assert(q->transaction.v && q->transaction.v == vault.last_transaction);
    if (vault.transaction)
        buf_add(&vault.account, S("end\n"));
    transaction_over();
    return OK;
}

enum err vault_body_piece(struct cx *cx, const struct body_piece_request *q, struct body_piece_reply *r)
{
    enum err e = answer_to(S("body_piece"), STR_NONE);

    (void)r;
    assert(q->transaction.v == vault.transaction && q->n == vault.pieces && q->piece.n == BODY_PIECE);
    vault.pieces++;
    buf_add(&vault.body, q->piece);
    return e ? fail(cx, e, "as the rule says") : OK;
}

static void check_tree(const struct deliver_request *q)
{
    struct mime_part *parts = must_alloc(q->parts_count * sizeof(*parts));

    for (size_t i = 0; i < q->parts_count; i++)
        parts[i] = (struct mime_part){q->parts[i].parent, q->parts[i].start, q->parts[i].body,
                                      q->parts[i].end,    q->parts[i].lines, q->parts[i].kind};
    assert(mime_check(parts, q->parts_count, vault.body.n));
    free(parts);
}

static struct str take_body_line(struct str *rest)
{
    struct str line;

    if (!take_until(rest, '\n', &line)) {
        line = *rest;
        *rest = STR_NONE;
    }
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    return line;
}

/* RFC 5321 §7.2: several recipients are not told of each other. §4.4: and a bare name is no path. */
static void check_for_clause(struct str received, const struct deliver_request *q)
{
    size_t at;

    assert(str_find(received, S(" for <"), &at) == (q->rcpts_count == 1 && q->rcpts[0].to.domain.n));
}

/* Our Received field is the first thing in the body; its folds begin with a blank or a tab. */
static void write_body(const struct deliver_request *q)
{
    struct str rest = buf_str(&vault.body);
    size_t received_at = vault.account.n;

    assert(str_starts(rest, S("Received:")));
    buf_add(&vault.account, S("received"));
    buf_add(&vault.account, str_from(take_body_line(&rest), strlen("Received:")));
    while (rest.n && is_wsp(rest.p[0])) {
        buf_add_char(&vault.account, ' ');
        buf_add(&vault.account, str_trim(take_body_line(&rest)));
    }
    check_for_clause(str_from(buf_str(&vault.account), received_at), q);
    buf_add_char(&vault.account, '\n');
    while (rest.n) {
        buf_add(&vault.account, S("body "));
        buf_add(&vault.account, take_body_line(&rest));
        buf_add_char(&vault.account, '\n');
    }
}

static enum err deliver(struct cx *cx, const struct deliver_request *q, struct deliver_reply *r)
{
    enum err e = answer_to(S("deliver"), STR_NONE);

    check_session(q->session);
    assert(q->transaction.v == vault.transaction && q->pieces_before == vault.pieces);
    assert(q->rcpts_count && q->rcpts_count == vault.accepted);
    assert(q->last.n <= BODY_PIECE && (q->last.n || !q->pieces_before));
    buf_add(&vault.body, q->last);
    check_tree(q);
    buf_printf(&vault.account, "deliver rcpts=%zu pieces=%u parts=%zu size=%zu helo=%.*s\n",
               q->rcpts_count, q->pieces_before, q->parts_count, vault.body.n, STR_ARG(q->helo));
    if (e)
        return fail(cx, e, "as the rule says");
    write_body(q);
    transaction_over();
    *r = (struct deliver_reply){.local = (uint32_t)q->rcpts_count};
    return OK;
}

/* ---- open calls: the answer is there when it is looked for ---- */

struct awaited {
    enum err answer;
    struct buf payload;
};

static struct awaited the_call;
static enum call asked;
static struct buf request;

enum err answers_begin(struct cx *cx, enum call call, struct rpc_channel **ch)
{
    enum err e = answer_to(S("ask"), STR_NONE);

    if (e)
        return fail(cx, e, "as the rule says");
    asked = call;
    *ch = NULL;
    request = buf_make(BUF_UNLIMITED);
    return OK;
}

struct buf *rpc_request(struct rpc_channel *ch)
{
    (void)ch;
    return &request;
}

static enum err answer_deliver(struct cx *cx, struct unpack *u)
{
    struct deliver_request q;
    struct deliver_reply r = {0};
    enum err e;

    unpack_deliver_request(cx->arena, u, &q);
    e = deliver(cx, &q, &r);
    pack_deliver_reply(&the_call.payload, &r);
    return e;
}

static enum err answer_envelope_call(struct cx *cx, struct unpack *u)
{
    struct envelope_request q;
    struct envelope_reply r = {0};
    enum err e;

    unpack_envelope_request(cx->arena, u, &q);
    e = vault_envelope(cx, &q, &r);
    pack_envelope_reply(&the_call.payload, &r);
    return e;
}

enum err answers_ask(struct cx *cx, struct rpc_channel *ch, const int *fds, size_t fd_count,
                     struct watch_id who, struct awaited **out)
{
    struct unpack u = unpack_begin(buf_str(&request));

    (void)ch;
    (void)fds;
    assert(!fd_count && (asked == CALL_deliver || asked == CALL_envelope));
    the_call.payload = buf_make(BUF_UNLIMITED);
    the_call.answer = asked == CALL_deliver ? answer_deliver(cx, &u) : answer_envelope_call(cx, &u);
    assert(unpack_done(&u));
    buf_free(&request);
    *out = &the_call;
    vault.who = who;
    if (vault.held_back)
        sem_post(vault.held_back);
    else if (vault.wake)
        vault.wake(who);
    return OK;
}

bool answers_look(struct cx *cx, struct awaited **a, enum err *e, struct str *payload)
{
    if (vault.held_back)
        return false;
    *payload = str_copy(cx->arena, buf_str(&(*a)->payload));
    buf_free(&(*a)->payload);
    *e = (*a)->answer ? fail(cx, (*a)->answer, "as the rule says") : OK;
    *a = NULL;
    return true;
}

void answers_forget(struct awaited **a, void (*late)(struct cx *cx, enum err e, struct str payload))
{
    struct cx cx = {.arena = NULL};
    struct str payload;
    enum err e;

    if (!*a)
        return;
    cx.arena = arena_new(0);
    vault.held_back = NULL;
    if (answers_look(&cx, a, &e, &payload) && late)
        late(&cx, e, payload);
    arena_free(cx.arena);
}

/* ---- sign-on: fred's password is "secret"; SCRAM is the conversation of RFC 7677 §3 ---- */

static enum err signon_done(struct signon_step_reply *r, struct str last_word)
{
    vault.signon = 0;
    vault.signed_on = true;
    *r = (struct signon_step_reply){.state = SIGNON_DONE, .to_client = last_word, .session = FRED};
    return OK;
}

static enum err signon_more(struct signon_step_reply *r, struct str to_client)
{
    *r = (struct signon_step_reply){.state = SIGNON_MORE, .to_client = to_client};
    return OK;
}

static enum err signon_fails(struct cx *cx)
{
    vault.signon = 0;
    return fail(cx, ERR_AUTH_FAILED, "wrong password");
}

static enum err login_step(struct cx *cx, struct str answer, struct signon_step_reply *r)
{
    if (vault.step++ == 0 && answer.n == 0)
        return signon_more(r, S("User Name"));
    if (vault.step == 1) /* the name came with the command */
        vault.step++;
    if (vault.step == 2) {
        snprintf(vault.login, sizeof(vault.login), "%.*s", STR_ARG(answer));
        return signon_more(r, S("Password"));
    }
    if (str_same(str_from_c(vault.login), S("fred")) && str_same(answer, S("secret")))
        return signon_done(r, STR_NONE);
    return signon_fails(cx);
}

static enum err scram_step(struct cx *cx, struct str answer, struct signon_step_reply *r)
{
    static const struct {
        struct str client, server;
    } steps[] = {
        {S("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"),
         S("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")},
        {S("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
           "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="),
         S("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")},
    };
    unsigned step = vault.step++;

    if (!str_same(answer, steps[step].client))
        return signon_fails(cx);
    return step == 0 ? signon_more(r, steps[0].server) : signon_done(r, steps[1].server);
}

enum err vault_signon_step(struct cx *cx, const struct signon_step_request *q,
                           struct signon_step_reply *r)
{
    assert(q->signon == 77 && vault.signon == 77);
    if (str_same(vault.mechanism, S("LOGIN")))
        return login_step(cx, q->from_client, r);
    if (q->from_client.n == 0)
        return signon_more(r, STR_NONE);
    if (str_starts(vault.mechanism, S("SCRAM-SHA-256")))
        return scram_step(cx, q->from_client, r);
    if (str_same(q->from_client, S("\0fred\0secret")))
        return signon_done(r, STR_NONE);
    return signon_fails(cx);
}

static enum err first_step(struct cx *cx, struct str said, struct signon_begin_reply *r)
{
    struct signon_step_request q = {.signon = 77, .from_client = said};
    struct signon_step_reply done;
    enum err e = vault_signon_step(cx, &q, &done);

    if (!e)
        *r = (struct signon_begin_reply){
            .signon = 77, .state = done.state, .to_client = done.to_client, .session = done.session};
    return e;
}

enum err vault_signon_begin(struct cx *cx, const struct signon_begin_request *q,
                            struct signon_begin_reply *r)
{
    enum err e = answer_to(S("signon_begin"), STR_NONE);

    assert(!vault.signon && !vault.signed_on && q->protocol == PROTOCOL_SMTP);
    if (e)
        return fail(cx, e, "as the rule says");
    buf_printf(&vault.account, "signon %.*s\n", STR_ARG(q->mechanism));
    vault.mechanism = q->mechanism;
    vault.step = 0;
    *r = (struct signon_begin_reply){.signon = vault.signon = 77};
    return q->has_said ? first_step(cx, q->said, r) : OK;
}

enum err vault_signon_cancel(struct cx *cx, const struct signon_cancel_request *q,
                             struct signon_cancel_reply *r)
{
    (void)cx;
    (void)r;
    assert(q->signon == vault.signon);
    vault.signon = 0;
    buf_add(&vault.account, S("signon cancelled\n"));
    return OK;
}

enum err vault_signon_end(struct cx *cx, const struct signon_end_request *q, struct signon_end_reply *r)
{
    (void)cx;
    (void)r;
    check_session(q->session);
    assert(vault.signed_on);
    vault.signed_on = false;
    buf_add(&vault.account, S("signed off\n"));
    return OK;
}
