/* Level-triggered epoll: readable is always watched, writable only while something is left to write, so that
 * the usual exchange costs one epoll_wait, one read and one write. */
#include "wire.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/scoped.h"

#define READ_SIZE ((size_t)64 * 1024)
#define BATCH 64

static int epoll_fd = -1;
static SSL_CTX *tls_context;

bool wires_start(void)
{
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    tls_context = SSL_CTX_new(TLS_client_method());
    if (epoll_fd < 0 || !tls_context) {
        fprintf(stderr, "posthorn-bench: no epoll or no TLS\n");
        return false;
    }
    SSL_CTX_set_mode(tls_context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return true;
}

void wires_end(void)
{
    SSL_CTX_free(tls_context);
    tls_context = NULL;
    close_fd(&epoll_fd);
}

void wire_init(struct wire *w)
{
    *w = (struct wire){.fd = -1, .in = buf_make(BUF_UNLIMITED), .out = buf_make(BUF_UNLIMITED)};
}

void wire_close(struct wire *w)
{
    SSL_free(w->ssl);
    w->ssl = NULL;
    close_fd(&w->fd); /* which also ends the watch */
    buf_clear(&w->in);
    buf_clear(&w->out);
    w->secured = w->connecting = w->handshaking = w->wants_write = false;
}

static void broken(struct wire *w, const char *why)
{
    wire_close(w);
    w->on_broken(w, why);
}

static void watch(struct wire *w, int operation, bool write)
{
    struct epoll_event e = {.events = EPOLLIN | (write ? EPOLLOUT : 0), .data.ptr = w};

    w->wants_write = write;
    epoll_ctl(epoll_fd, operation, w->fd, &e);
}

static void watch_write(struct wire *w, bool write)
{
    if (w->wants_write != write)
        watch(w, EPOLL_CTL_MOD, write);
}

bool wire_open(struct wire *w, const struct sockaddr_in *to, bool tls)
{
    int on = 1;

    w->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (w->fd < 0)
        return false;
    setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(w->fd, (const struct sockaddr *)to, sizeof *to) && errno != EINPROGRESS) {
        wire_close(w);
        return false;
    }
    w->connecting = true;
    watch(w, EPOLL_CTL_ADD, true);
    if (tls)
        wire_start_tls(w);
    return true;
}

void wire_start_tls(struct wire *w)
{
    w->ssl = SSL_new(tls_context);
    SSL_set_fd(w->ssl, w->fd);
    SSL_set_connect_state(w->ssl);
    w->handshaking = true;
    buf_clear(&w->in);
    watch_write(w, true);
}

/* One write, by whichever way; n or 0 when it has to wait, -1 when the connection is gone. */
static ssize_t write_some(struct wire *w)
{
    ssize_t n;
    size_t done;

    if (!w->ssl) {
        n = send(w->fd, w->out.p, w->out.n, MSG_NOSIGNAL);
        return n < 0 && errno == EAGAIN ? 0 : n;
    }
    if (SSL_write_ex(w->ssl, w->out.p, w->out.n, &done) == 1)
        return (ssize_t)done;
    n = SSL_get_error(w->ssl, 0);
    return n == SSL_ERROR_WANT_READ || n == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

/* A connection that cannot be written to is found broken by the read that follows. */
void wire_flush(struct wire *w)
{
    bool had_some = w->out.n > 0;
    ssize_t n = 1;

    if (w->connecting || w->handshaking)
        return;
    while (w->out.n && (n = write_some(w)) > 0)
        buf_take(&w->out, (size_t)n);
    if (had_some && !w->out.n)
        w->drained_us = monotonic_us();
    watch_write(w, w->out.n && n == 0);
}

/* False: the connection is gone, and the owner knows. */
static bool shake_hands(struct wire *w)
{
    int n = SSL_do_handshake(w->ssl);
    int error = SSL_get_error(w->ssl, n);

    if (n == 1) {
        w->handshaking = false;
        w->secured = true;
        return true;
    }
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
        ERR_clear_error();
        broken(w, "the TLS handshake failed");
        return false;
    }
    watch_write(w, error == SSL_ERROR_WANT_WRITE);
    return true;
}

/* Reads what there is. False: the end was met, or an error. */
static bool read_plain(struct wire *w)
{
    ssize_t n = recv(w->fd, buf_reserve(&w->in, READ_SIZE), READ_SIZE, 0);

    if (n > 0)
        buf_grew(&w->in, (size_t)n);
    return n > 0 || (n < 0 && errno == EAGAIN);
}

static bool read_tls(struct wire *w)
{
    size_t n;

    while (SSL_read_ex(w->ssl, buf_reserve(&w->in, READ_SIZE), READ_SIZE, &n) == 1)
        buf_grew(&w->in, n);
    n = (size_t)SSL_get_error(w->ssl, 0);
    ERR_clear_error();
    return n == SSL_ERROR_WANT_READ || n == SSL_ERROR_WANT_WRITE;
}

static void read_input(struct wire *w)
{
    size_t before = w->in.n;
    bool alive = w->ssl ? read_tls(w) : read_plain(w);

    if (w->in.n > before)
        w->on_input(w); /* an end behind it is met again at the next read */
    else if (!alive)
        broken(w, "the server closed the connection");
}

/* False: refused. */
static bool finish_connect(struct wire *w)
{
    int error = 0;
    socklen_t n = sizeof error;

    getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &error, &n);
    w->connecting = false;
    if (error)
        broken(w, strerror(error));
    return !error;
}

static void serve(struct wire *w, uint32_t events)
{
    if (w->connecting && !finish_connect(w))
        return;
    if (w->handshaking) {
        if (!shake_hands(w) || w->handshaking)
            return;
        watch_write(w, w->out.n > 0);
        if (w->on_secured)
            w->on_secured(w);
        return; /* OpenSSL reads no further than it must: what came behind the handshake wakes epoll again */
    }
    if (events & EPOLLOUT)
        wire_flush(w);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        read_input(w);
}

void wires_serve(int64_t wait_ms)
{
    struct epoll_event events[BATCH];
    int n = epoll_wait(epoll_fd, events, BATCH, wait_ms > 1000 ? 1000 : (int)wait_ms);

    for (int i = 0; i < n; i++)
        serve(events[i].data.ptr, events[i].events);
}

bool wire_take_line(struct wire *w, struct str *line)
{
    struct str s = buf_str(&w->in);

    if (!take_until(&s, '\n', line))
        return false;
    buf_take(&w->in, line->n + 1);
    if (line->n && line->p[line->n - 1] == '\r')
        line->n--;
    return true;
}
