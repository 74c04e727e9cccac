#include "gate/signon/core.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/scoped.h"
#include "net/sockaddr.h"

#include <stdlib.h>

/* What name and password of one line may hold. */
#define PLAIN_MAX 16384

void core_init(struct core *c, const struct core_ops *ops, const struct signon_settings *settings,
               struct str client, struct buf *out)
{
    struct endpoint peer;

    c->ops = ops;
    c->settings = settings;
    c->out = out;
    c->cx.arena = arena_new(0);
    c->is_loopback = parse_ip(client, &peer) && endpoint_is_loopback(&peer);
    client = str_upto(client, sizeof(c->client) - 1);
    memcpy(c->client, client.p, client.n);
}

void core_free(struct core *c)
{
    if (!c)
        return;
    exchange_give_up(&c->exchange, &c->cx);
    if (c->session.hi || c->session.lo) { /* the client went before it was handed over */
        struct signon_end_request q = {.session = c->session};
        struct signon_end_reply r;

        vault_signon_end(&c->cx, &q, &r);
    }
    c->ops->free(c);
    arena_free(c->cx.arena);
    free(c);
}

void core_secured(struct core *c, const struct bindings *bindings)
{
    c->ops->forget_input(c);
    c->tls = true;
    if (c->ops->binds)
        c->bindings = *bindings;
    c->want = CORE_INPUT;
}

struct handle core_take_session(struct core *c)
{
    struct handle session = c->session;

    c->session = (struct handle){0};
    return session;
}

bool core_may_go_on(const struct core *c)
{
    return c->want == CORE_INPUT && c->out->n <= CORE_OUT_HIGH;
}

bool core_offers_tls(const struct core *c)
{
    return c->settings->has_certificate && !c->tls;
}

/* Nobody listens on the loopback, so a password may cross it in the clear. */
bool core_offers_passwords(const struct core *c)
{
    return c->tls || c->is_loopback || c->settings->allow_plaintext_auth;
}

bool core_one_too_many(struct core *c)
{
    if (++c->mistakes < c->settings->errors)
        return false;
    c->ops->say_bye(c->out, ERR_TOO_MANY_ERRORS);
    c->want = CORE_CLOSE;
    return true;
}

/* The vault logs each refusal; what goes wrong beside that is logged here. */
static enum err after_step(struct core *c, enum err e)
{
    if (e && e != ERR_AUTH_FAILED && e != ERR_AUTHZ_FAILED && e != ERR_AUTH_BUSY && e != ERR_SUSPENDED)
        log_line(LOG_WARNING, "signon-broken", "address=%s service=%s error=%s cause=%s", c->client,
                 c->ops->name, err_row(e)->name, log_value(str_from_c(c->cx.cause)));
    if (!e && exchange_is_done(&c->exchange)) {
        c->session = exchange_take(&c->exchange);
        c->want = CORE_ATTACH;
    }
    return e;
}

static enum err begin(struct core *c, struct str mechanism, struct str said, struct str *challenge)
{
    struct exchange_with with = {c->ops->protocol, mechanism, str_from_c(c->client), c->tls,
                                 &c->bindings};

    return exchange_begin(&c->exchange, &c->cx, &with, said, challenge);
}

enum err core_begin(struct core *c, struct str mechanism, struct str said, struct str *challenge)
{
    return after_step(c, begin(c, mechanism, said, challenge));
}

enum err core_step(struct core *c, struct str said, struct str *challenge)
{
    return after_step(c, exchange_step(&c->exchange, &c->cx, said, challenge));
}

/* It is PLAIN (RFC 4616) by another name. */
enum err core_sign_on(struct core *c, struct str name, struct str password)
{
    scoped(core_wipe) struct buf said = buf_make(PLAIN_MAX);
    struct str challenge;
    enum err e;

    buf_add_char(&said, '\0');
    buf_add(&said, name);
    buf_add_char(&said, '\0');
    buf_add(&said, password);
    e = begin(c, S("PLAIN"), buf_str(&said), &challenge);
    if (!e && !exchange_is_done(&c->exchange)) { /* PLAIN takes one step */
        core_give_up(c);
        e = ERR_AUTH_FAILED;
    }
    return after_step(c, e);
}

void core_give_up(struct core *c)
{
    exchange_give_up(&c->exchange, &c->cx);
}

void core_wipe(struct buf *b)
{
    if (b->cap)
        explicit_bzero(b->p, b->n);
    buf_free(b);
}
