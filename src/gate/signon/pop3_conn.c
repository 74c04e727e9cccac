#include "gate/signon/pop3_conn.h"

#include "base/arena.h"
#include "base/log.h"
#include "gate/gate.h"
#include "gate/secure.h"
#include "gate/services.h"
#include "gate/signon/attach.h"
#include "gate/signon/pop3.h"

#include <stdlib.h>

struct pop3_conn {
    struct pop3 *core;
    struct attachment *attachment; /* while the vault has the connection */
    struct buf unused;             /* read before the hand-over, and the vault's to use */
    bool tls_first;
};

static struct pop3 *make_core(struct conn *c)
{
    char client[ENDPOINT_TEXT_SIZE];

    endpoint_ip_text(conn_peer(c), client);
    return pop3_new(&gate_settings()->pop3, str_from_c(client), conn_out(c));
}

static void opened(struct conn *c)
{
    const struct service *service = conn_state(c);
    struct pop3_conn *p = must_alloc(sizeof(*p));

    p->tls_first = service->tls_first;
    p->unused = buf_make(CONN_INPUT_LIMIT);
    p->core = make_core(c);
    conn_set_state(c, p);
    conn_set_idle(c, POP3_IDLE_MS);
    if (service->tls_first)
        start_tls(c);
    else
        pop3_greet(p->core);
}

static void secured(struct conn *c)
{
    struct pop3_conn *p = conn_state(c);
    struct bindings b = bindings_of(c);

    pop3_secured(p->core, &b);
    if (p->tls_first)
        pop3_greet(p->core);
}

static void attach(struct conn *c)
{
    struct pop3_conn *p = conn_state(c);
    struct cx cx = {.arena = NULL};
    struct attach_request q = {
        .protocol = PROTOCOL_POP3, .tls = conn_tls(c) != NULL, .unused = buf_str(&p->unused)};
    enum err e;

    q.session = pop3_take_session(p->core, &q.modes);
    e = attach_begin(&cx, c, &q, &p->attachment);
    buf_free(&p->unused);
    if (e) {
        log_line(LOG_ERROR, "attach", "service=pop3 error=%s cause=%s", err_row(e)->name,
                 log_value(str_from_c(cx.cause)));
        pop3_refused(p->core, e);
        conn_close(c);
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
    struct pop3_conn *p = conn_state(c);

    pop3_feed(p->core, bytes);
    switch (pop3_wants(p->core)) {
    case POP3_INPUT:
        break;
    case POP3_TLS:
        start_tls(c);
        break;
    case POP3_CLOSE:
        conn_close(c);
        break;
    case POP3_ATTACH:
        buf_add(&p->unused, *bytes);
        *bytes = STR_NONE;
        hand_over(c);
        break;
    }
}

/* The connection is ours again, and nobody is signed on. */
static void begin_anew(struct conn *c)
{
    struct pop3_conn *p = conn_state(c);
    struct bindings b;

    pop3_free(p->core);
    p->core = make_core(c);
    if (!conn_tls(c))
        return;
    b = bindings_of(c);
    pop3_secured(p->core, &b);
}

static void look(struct conn *c, bool relay_ended)
{
    struct pop3_conn *p = conn_state(c);
    enum err e = OK;

    if (!p->attachment)
        return;
    switch (attach_look(&p->attachment, c, relay_ended, &e)) {
    case ATTACH_HELD:
        break;
    case ATTACH_ENDED:
        conn_close(c);
        break;
    case ATTACH_BACK:
        begin_anew(c);
        break;
    case ATTACH_REFUSED:
        log_line(LOG_ERROR, "attach", "service=pop3 error=%s", err_row(e)->name);
        pop3_refused(p->core, e);
        conn_close(c);
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

/* RFC 1939 §3: without a word. */
static void timed_out(struct conn *c)
{
    conn_close(c);
}

/* A session that the vault has is the vault's to end. */
static void stopping(struct conn *c)
{
    struct pop3_conn *p = conn_state(c);

    if (!p->attachment)
        conn_close(c);
}

static void closed(struct conn *c, enum conn_end end)
{
    struct pop3_conn *p = conn_state(c);
    char client[ENDPOINT_TEXT_SIZE];

    if (end == CONN_TLS_FAILED) {
        endpoint_ip_text(conn_peer(c), client);
        log_line(LOG_INFO, "tls-failed", "address=%s service=pop3 cause=%s", client,
                 log_value(str_from_c(conn_tls_trouble(c))));
    }
    attach_forget(&p->attachment);
    pop3_free(p->core);
    buf_free(&p->unused);
    free(p);
}

const struct conn_ops pop3_conn_ops = {
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
