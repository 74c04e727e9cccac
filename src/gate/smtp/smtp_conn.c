#include "gate/smtp/smtp_conn.h"

#include "base/arena.h"
#include "base/log.h"
#include "gate/gate.h"
#include "gate/secure.h"
#include "gate/services.h"
#include "gate/smtp/local.h"

#include <stdio.h>
#include <sys/socket.h>

_Static_assert(SMTP_OUT_HIGH == CONN_OUTPUT_HIGH,
               "what the core leaves untaken comes again once the peer has read");

/* How a peer is called: by its address, or "uid:1000", which is for the log: the vault asks the kernel itself. */
static void write_client(struct conn *c, char out[ENDPOINT_TEXT_SIZE])
{
    struct ucred who;
    socklen_t n = sizeof(who);

    if (conn_peer(c)->any.sa_family != AF_UNIX)
        endpoint_ip_text(conn_peer(c), out);
    else if (getsockopt(conn_fd(c), SOL_SOCKET, SO_PEERCRED, &who, &n) == 0)
        snprintf(out, ENDPOINT_TEXT_SIZE, "uid:%u", (unsigned)who.uid);
    else
        snprintf(out, ENDPOINT_TEXT_SIZE, "uid:?");
}

static void obey(struct conn *c, struct smtp *s)
{
    if (smtp_wants(s) == SMTP_TLS)
        start_tls(c);
    else if (smtp_wants(s) == SMTP_CLOSE)
        conn_close(c);
}

static void greet_local(struct conn *c, struct smtp *s)
{
    struct cx cx = {.arena = arena_new(0)};
    struct handle session;
    enum err e = local_begin(&cx, conn_fd(c), &session);

    if (e) {
        log_line(LOG_WARNING, "local", "error=%s", err_row(e)->name);
        smtp_refuse(s, e);
    } else {
        smtp_identify(s, &session);
        smtp_greet(s);
    }
    arena_free(cx.arena);
    obey(c, s);
}

static void opened(struct conn *c)
{
    const struct service *service = conn_state(c);
    const struct gate_settings *settings = gate_settings();
    char client[ENDPOINT_TEXT_SIZE];
    struct smtp *s;

    write_client(c, client);
    s = smtp_new(&settings->smtp, (enum smtp_role)service->role, str_from_c(client), conn_out(c));
    conn_set_state(c, s);
    conn_set_idle(c, settings->config->limits.idle);
    conn_set_deadline(c, settings->config->limits.idle);
    if (service->tls_first)
        start_tls(c);
    else if (service->role == SMTP_LOCAL)
        greet_local(c, s);
    else
        smtp_greet(s);
}

static void secured(struct conn *c)
{
    struct smtp *s = conn_state(c);
    bool was_asked = smtp_wants(s) == SMTP_TLS; /* by STARTTLS; else it is TLS from the first byte */

    smtp_secured(s, str_from_c(tls_version(conn_tls(c))), str_from_c(tls_cipher(conn_tls(c))));
    if (!was_asked)
        smtp_greet(s);
}

/* False: the vault has to answer first. */
static bool is_answered(struct conn *c)
{
    struct smtp *s = conn_state(c);

    while (smtp_wants(s) == SMTP_ANSWER)
        if (!smtp_await(s, conn_id(c)))
            return false;
    return true;
}

/* Nothing is read meanwhile, and it is not the peer who is slow. */
static void wait_for_answer(struct conn *c)
{
    conn_set_deadline(c, NO_DEADLINE);
    conn_pause(c);
}

static void input(struct conn *c, struct str *bytes)
{
    struct smtp *s = conn_state(c);
    bool answered;

    smtp_feed(s, bytes);
    while ((answered = is_answered(c)) && bytes->n && smtp_wants(s) == SMTP_INPUT && !conn_is_full(c)) {
        conn_flush(c); /* RFC 2920 §3.2 rule 5: this reply does not wait for the next one */
        smtp_feed(s, bytes);
    }
    if (!answered)
        wait_for_answer(c);
    else if (smtp_has_moved(s)) /* else a byte now and then would hold its place for ever */
        conn_set_deadline(c, gate_settings()->config->limits.idle);
    obey(c, s);
}

static void woken(struct conn *c)
{
    struct smtp *s = conn_state(c);

    if (smtp_wants(s) != SMTP_ANSWER || !is_answered(c))
        return;
    conn_set_deadline(c, gate_settings()->config->limits.idle);
    conn_resume(c, STR_NONE);
    obey(c, s);
}

static void timed_out(struct conn *c)
{
    smtp_time_out(conn_state(c));
    conn_close(c);
}

static void stopping(struct conn *c)
{
    struct smtp *s = conn_state(c);

    smtp_stop(s);
    obey(c, s);
}

static void closed(struct conn *c, enum conn_end end)
{
    char client[ENDPOINT_TEXT_SIZE];

    if (end == CONN_TLS_FAILED) {
        write_client(c, client);
        log_line(LOG_INFO, "tls-failed", "address=%s service=smtp cause=%s", client,
                 log_value(str_from_c(conn_tls_trouble(c))));
    }
    smtp_free(conn_state(c));
}

const struct conn_ops smtp_conn_ops = {
    .opened = opened,
    .secured = secured,
    .input = input,
    .timed_out = timed_out,
    .woken = woken,
    .stopping = stopping,
    .closed = closed,
};
