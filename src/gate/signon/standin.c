#include "gate/signon/standin.h"

#include "rpc/calls.h"

#include <assert.h>

#define THE_SIGNON 77
#define FRED ((struct handle){0x1234, 0x5678})

static struct {
    struct buf account;
    struct str mechanism;
    bool under_way, handle_is_out;
    unsigned step;
    enum err begin_answer, step_answer;
} vault;

void standin_reset(void)
{
    buf_free(&vault.account);
    memset(&vault, 0, sizeof(vault));
    vault.account = buf_make(BUF_UNLIMITED);
}

void standin_begin_answers(enum err e)
{
    vault.begin_answer = e;
}

void standin_step_answers(enum err e)
{
    vault.step_answer = e;
}

struct str standin_account(void)
{
    return buf_str(&vault.account);
}

bool standin_is_idle(void)
{
    return !vault.under_way && !vault.handle_is_out;
}

void standin_keep_handle(void)
{
    assert(vault.handle_is_out);
    vault.handle_is_out = false;
}

static enum err step_fails(struct cx *cx, enum err e)
{
    vault.under_way = false;
    return fail(cx, e, "as the test says");
}

static enum err step_succeeds(struct signon_step_reply *r, struct str last_word)
{
    vault.under_way = false;
    vault.handle_is_out = true;
    *r = (struct signon_step_reply){.state = SIGNON_DONE, .to_client = last_word, .session = FRED};
    return OK;
}

static enum err scram_step(struct cx *cx, struct str said, struct signon_step_reply *r)
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

    if (!str_same(said, steps[step].client))
        return step_fails(cx, ERR_AUTH_FAILED);
    if (step == 1)
        return step_succeeds(r, steps[1].server);
    r->to_client = steps[0].server;
    return OK;
}

enum err vault_signon_step(struct cx *cx, const struct signon_step_request *q,
                           struct signon_step_reply *r)
{
    assert(vault.under_way && q->signon == THE_SIGNON);
    *r = (struct signon_step_reply){.state = SIGNON_MORE};
    if (vault.step_answer)
        return step_fails(cx, vault.step_answer);
    if (q->from_client.n == 0)
        return OK;
    if (str_same(vault.mechanism, S("SCRAM-SHA-256")))
        return scram_step(cx, q->from_client, r);
    return str_same(q->from_client, S("\0fred\0secret")) ? step_succeeds(r, STR_NONE)
                                                         : step_fails(cx, ERR_AUTH_FAILED);
}

static enum err first_step(struct cx *cx, struct str said, struct signon_begin_reply *r)
{
    struct signon_step_request q = {.signon = THE_SIGNON, .from_client = said};
    struct signon_step_reply done;
    enum err e = vault_signon_step(cx, &q, &done);

    if (!e)
        *r = (struct signon_begin_reply){.signon = THE_SIGNON,
                                         .state = done.state,
                                         .to_client = done.to_client,
                                         .session = done.session};
    return e;
}

enum err vault_signon_begin(struct cx *cx, const struct signon_begin_request *q,
                            struct signon_begin_reply *r)
{
    assert(!vault.under_way && !vault.handle_is_out);
    if (vault.begin_answer)
        return fail(cx, vault.begin_answer, "as the test says");
    buf_printf(&vault.account, "begin %.*s %.*s%s", STR_ARG(q->mechanism), STR_ARG(q->client),
               q->tls ? " tls" : "");
    for (size_t i = 0; i < q->bindings_count; i++)
        buf_printf(&vault.account, " %.*s", STR_ARG(q->bindings[i].type));
    buf_add_char(&vault.account, '\n');
    assert(!str_same(q->mechanism, S("SCRAM-SHA-256-PLUS")) || q->bindings_count);
    vault.mechanism = str_same(q->mechanism, S("PLAIN")) ? S("PLAIN") : S("SCRAM-SHA-256");
    vault.under_way = true;
    vault.step = 0;
    *r = (struct signon_begin_reply){.signon = THE_SIGNON};
    return q->has_said ? first_step(cx, q->said, r) : OK;
}

enum err vault_signon_cancel(struct cx *cx, const struct signon_cancel_request *q,
                             struct signon_cancel_reply *r)
{
    (void)cx, (void)r;
    assert(vault.under_way && q->signon == THE_SIGNON);
    vault.under_way = false;
    buf_add(&vault.account, S("cancel\n"));
    return OK;
}

enum err vault_signon_end(struct cx *cx, const struct signon_end_request *q, struct signon_end_reply *r)
{
    (void)cx, (void)r;
    assert(vault.handle_is_out && q->session.hi == FRED.hi && q->session.lo == FRED.lo);
    vault.handle_is_out = false;
    buf_add(&vault.account, S("end\n"));
    return OK;
}
