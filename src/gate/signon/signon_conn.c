#include "gate/signon/signon_conn.h"

#include "base/arena.h"
#include "base/log.h"
#include "gate/gate.h"
#include "gate/secure.h"
#include "gate/services.h"
#include "gate/signon/attach.h"
#include "gate/signon/core.h"

#include <stdlib.h>

/* All there is of a connection that the vault has: small, for there are many. */
struct signon_conn {
    const struct service *service;
    struct core *core;             /* NULL while the vault has the connection */
    struct attachment *attachment; /* … and then this is not */
    struct buf unused;             /* read before the hand-over, and the vault's to use */
};

static void make_core(struct conn *c)
{
    struct signon_conn *s = conn_state(c);
    char client[ENDPOINT_TEXT_SIZE];

    endpoint_ip_text(conn_peer(c), client);
    s->core = s->service->core->make(&gate_settings()->signon, str_from_c(client), conn_out(c));
    conn_set_idle(c, s->service->core->idle_ms);
}

static void drop_core(struct signon_conn *s)
{
    core_free(s->core);
    s->core = NULL;
}

static void opened(struct conn *c)
{
    const struct service *service = conn_state(c);
    struct signon_conn *s = must_alloc(sizeof(*s));

    *s = (struct signon_conn){.service = service, .unused = buf_make(CONN_INPUT_LIMIT)};
    conn_set_state(c, s);
    make_core(c);
    if (service->tls_first)
        start_tls(c);
    else
        service->core->greet(s->core);
}

static void secured(struct conn *c)
{
    struct signon_conn *s = conn_state(c);
    struct bindings b = bindings_of(c);

    core_secured(s->core, &b);
    if (s->service->tls_first)
        s->service->core->greet(s->core);
}

static void log_attach(const struct signon_conn *s, enum err e, const char *cause)
{
    log_line(LOG_ERROR, "attach", "service=%s error=%s cause=%s", s->service->core->name,
             err_row(e)->name, log_value(str_from_c(cause)));
}

static void say_bye(struct conn *c, enum err e)
{
    struct signon_conn *s = conn_state(c);

    s->service->core->say_bye(conn_out(c), e);
    conn_close(c);
}

static void attach(struct conn *c)
{
    struct signon_conn *s = conn_state(c);
    struct cx cx = {.arena = NULL};
    struct attach_request q = {.session = core_take_session(s->core),
                               .protocol = s->service->core->protocol,
                               .tls = conn_tls(c) != NULL,
                               .unused = buf_str(&s->unused)};
    enum err e;

    s->service->core->describe(s->core, &q.modes, &q.tag);
    e = attach_begin(&cx, c, &q, &s->attachment);
    buf_free(&s->unused);
    drop_core(s);
    if (e) {
        log_attach(s, e, cx.cause);
        say_bye(c, e);
    }
}

/* What was said before must be on its way before the vault speaks on the same socket. */
static void hand_over(struct conn *c)
{
    conn_flush(c);
    if (conn_out(c)->n == 0) {
        attach(c);
        return;
    }
    conn_pause(c);
    conn_want_drained(c);
}

static void input(struct conn *c, struct str *bytes)
{
    struct signon_conn *s = conn_state(c);

    s->service->core->feed(s->core, bytes);
    switch (s->core->want) {
    case CORE_INPUT:
        break;
    case CORE_TLS:
        start_tls(c);
        break;
    case CORE_CLOSE:
        conn_close(c);
        break;
    case CORE_ATTACH:
        buf_add(&s->unused, *bytes);
        *bytes = STR_NONE;
        hand_over(c);
        break;
    }
}

/* The connection is ours again, nobody is signed on, and TLS stays. */
static void begin_anew(struct conn *c)
{
    struct signon_conn *s = conn_state(c);
    struct bindings b;

    make_core(c);
    if (!conn_tls(c))
        return;
    b = bindings_of(c);
    core_secured(s->core, &b);
}

static void look(struct conn *c, bool relay_ended)
{
    struct signon_conn *s = conn_state(c);
    enum err e = OK;

    if (!s->attachment)
        return;
    switch (attach_look(&s->attachment, c, relay_ended, &e)) {
    case ATTACH_HELD:
        break;
    case ATTACH_ENDED:
        conn_close(c);
        break;
    case ATTACH_BACK:
        begin_anew(c);
        break;
    case ATTACH_REFUSED:
        log_attach(s, e, "");
        say_bye(c, e);
        break;
    }
}

static void woken(struct conn *c)
{
    look(c, false);
}

static void relay_ended(struct conn *c)
{
    look(c, true);
}

static void timed_out(struct conn *c)
{
    say_bye(c, ERR_TIMEOUT);
}

/* A session that the vault has is the vault's to end. */
static void stopping(struct conn *c)
{
    struct signon_conn *s = conn_state(c);

    if (!s->attachment)
        say_bye(c, ERR_STOPPING);
}

static void closed(struct conn *c, enum conn_end end)
{
    struct signon_conn *s = conn_state(c);
    char client[ENDPOINT_TEXT_SIZE];

    if (end == CONN_TLS_FAILED) {
        endpoint_ip_text(conn_peer(c), client);
        log_line(LOG_INFO, "tls-failed", "address=%s service=%s cause=%s", client,
                 s->service->core->name, log_value(str_from_c(conn_tls_trouble(c))));
    }
    attach_forget(&s->attachment);
    drop_core(s);
    buf_free(&s->unused);
    free(s);
}

const struct conn_ops signon_conn_ops = {
    .opened = opened,
    .secured = secured,
    .input = input,
    .drained = attach,
    .timed_out = timed_out,
    .woken = woken,
    .stopping = stopping,
    .relay_ended = relay_ended,
    .closed = closed,
};
