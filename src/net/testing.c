#include "net/testing.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "net/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

/* ---- the loop */

static void *loop_main(void *arg)
{
    struct test_loop *t = arg;

    loop_run(t->loop);
    return NULL;
}

void test_loop_start(struct test_loop *t)
{
    struct loop_settings settings = {.tick_ms = 5, .threads_most = 8};

    *t = (struct test_loop){.loop = NULL};
    assert_int_equal(loop_open(&t->cx, &settings, &t->loop), OK);
    assert_int_equal(pthread_create(&t->thread, NULL, loop_main, t), 0);
}

void test_loop_end(struct test_loop *t)
{
    loop_stop(t->loop, TEST_GRACE_MS);
    pthread_join(t->thread, NULL);
    loop_close(&t->loop);
}

/* ---- the core */

static void append_fill(struct conn *c, size_t n)
{
    char *p = buf_reserve(conn_out(c), n);

    assert_non_null(p);
    memset(p, 'x', n);
    buf_grew(conn_out(c), n);
}

static void on_drained(struct conn *c)
{
    struct test_core *core = conn_state(c);
    size_t n = core->pull < 100000 ? core->pull : 100000;

    append_fill(c, n);
    core->pull -= n;
    if (core->pull)
        conn_want_drained(c);
    else
        buf_add_c(conn_out(c), "\r\n");
}

static void do_fill(struct conn *c, struct str args)
{
    uint64_t n = 0;

    assert_true(parse_u64(args, &n));
    append_fill(c, n);
    buf_add_c(conn_out(c), "\r\n");
}

static void do_pull(struct conn *c, struct str args)
{
    struct test_core *core = conn_state(c);
    uint64_t n = 0;

    assert_true(parse_u64(args, &n));
    core->pull = n;
    conn_want_drained(c);
}

static void do_echo(struct conn *c, struct str args)
{
    buf_add(conn_out(c), args);
    buf_add_c(conn_out(c), "\r\n");
}

static void do_tls(struct conn *c, struct str args)
{
    struct test_core *core = conn_state(c);

    (void)args;
    buf_add_c(conn_out(c), "go\r\n");
    conn_start_tls(c, core->tls);
}

static void do_pause(struct conn *c, struct str args)
{
    struct test_core *core = conn_state(c);

    (void)args;
    atomic_store(&core->id, conn_id(c).v);
    conn_pause(c);
    assert_int_equal(write(core->paused_pipe[1], "p", 1), 1);
}

static void do_relay(struct conn *c, struct str args)
{
    struct test_core *core = conn_state(c);

    (void)args;
    conn_relay(c, core->relay_fd);
}

static void do_detach(struct conn *c, struct str args)
{
    struct test_core *core = conn_state(c);

    (void)args;
    conn_flush(c);
    atomic_store(&core->detached, conn_detach(c));
}

static void do_quit(struct conn *c, struct str args)
{
    (void)args;
    buf_add_c(conn_out(c), "bye\r\n");
    conn_close(c);
}

static const struct {
    struct str name;
    bool stops; /* what follows is left to the connection */
    void (*run)(struct conn *c, struct str args);
} commands[] = {
    {S("ECHO "), false, do_echo},   {S("FILL "), false, do_fill}, {S("PULL "), true, do_pull},
    {S("TLS"), true, do_tls},       {S("PAUSE"), true, do_pause}, {S("RELAY"), true, do_relay},
    {S("DETACH"), true, do_detach}, {S("QUIT"), true, do_quit},
};

/* True: go on with the next line. */
static bool on_line(struct conn *c, struct str line)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
        if (take_text(&line, commands[i].name)) {
            commands[i].run(c, line);
            return !commands[i].stops;
        }
    buf_add_c(conn_out(c), "what?\r\n");
    return true;
}

static void on_input(struct conn *c, struct str *bytes)
{
    struct test_core *core = conn_state(c);
    struct str line;
    size_t at;

    if (conn_out(c)->n > core->most_out)
        core->most_out = conn_out(c)->n;
    while (!conn_is_full(c) && str_find(*bytes, S("\r\n"), &at)) {
        line = str_upto(*bytes, at);
        *bytes = str_from(*bytes, at + 2);
        if (!on_line(c, line))
            return;
    }
}

static void on_opened(struct conn *c)
{
    struct test_core *core = conn_state(c);

    core->conn = c;
    if (core->idle_ms)
        conn_set_idle(c, core->idle_ms);
    if (core->deadline_ms)
        conn_set_deadline(c, core->deadline_ms);
    if (core->tls_first)
        conn_start_tls(c, core->tls);
    else
        buf_add_c(conn_out(c), "hello\r\n");
}

static void on_secured(struct conn *c)
{
    struct test_core *core = conn_state(c);

    if (core->secured)
        core->secured(core);
    buf_add_c(conn_out(c), "secured\r\n");
}

static void on_timed_out(struct conn *c)
{
    buf_add_c(conn_out(c), "late\r\n");
    conn_close(c);
}

static void on_woken(struct conn *c)
{
    struct test_core *core = conn_state(c);

    conn_resume(c, core->tls_when_woken ? STR_NONE : S("ECHO early\r\n"));
    if (!core->tls_when_woken)
        return;
    while (conn_out(c)->n == 0) {
        append_fill(c, CONN_OUTPUT_HIGH / 2);
        conn_flush(c);
    }
    do_tls(c, STR_NONE);
}

static void on_stopping(struct conn *c)
{
    buf_add_c(conn_out(c), "stop\r\n");
    conn_close(c);
}

static void on_relay_ended(struct conn *c)
{
    struct test_core *core = conn_state(c);

    buf_add_c(conn_out(c), "back\r\n");
    if (core->keep_relay_end)
        conn_close(c);
    else
        conn_unrelay(c, S("ECHO early\r\n"));
}

/* Two connections of one test may close at once, on two threads. */
static void on_closed(struct conn *c, enum conn_end end)
{
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
    struct test_core *core = conn_state(c);
    char byte = (char)end;
    HOLD(&one_at_a_time);

    snprintf(core->trouble, sizeof(core->trouble), "%s", conn_tls_trouble(c));
    core->error = conn_errno(c);
    assert_int_equal(write(core->closed_pipe[1], &byte, 1), 1);
}

const struct conn_ops test_ops = {
    .opened = on_opened,
    .secured = on_secured,
    .input = on_input,
    .drained = on_drained,
    .timed_out = on_timed_out,
    .woken = on_woken,
    .stopping = on_stopping,
    .relay_ended = on_relay_ended,
    .closed = on_closed,
};

struct test_core test_core_make(struct test_loop *t)
{
    struct test_core core = {.t = t, .relay_fd = -1};

    atomic_store(&core.detached, -1);
    assert_int_equal(pipe(core.closed_pipe), 0);
    assert_int_equal(pipe(core.paused_pipe), 0);
    return core;
}

void test_core_end(struct test_core *core)
{
    for (int i = 0; i < 2; i++) {
        close(core->closed_pipe[i]);
        close(core->paused_pipe[i]);
    }
}

enum conn_end test_core_closed(struct test_core *core)
{
    char byte;

    assert_int_equal(read(core->closed_pipe[0], &byte, 1), 1);
    return (enum conn_end)byte;
}

/* ---- the client */

void tcp_pair(int fds[2])
{
    scoped(close_fd) int listening = socket(AF_INET, SOCK_STREAM, 0);
    struct endpoint e = endpoint_v4("\x7f\0\0\1", 0);
    socklen_t n = sizeof(e);

    assert_int_equal(bind(listening, &e.any, endpoint_size(&e)), 0);
    assert_int_equal(listen(listening, 1), 0);
    assert_int_equal(getsockname(listening, &e.any, &n), 0);
    fds[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fds[0], &e.any, endpoint_size(&e)), 0);
    fds[1] = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(fds[1] >= 0);
}

int test_dial(struct test_core *core)
{
    int fds[2];

    tcp_pair(fds);
    assert_int_equal(conn_adopt(&core->t->cx, core->t->loop, fds[1], STR_NONE, &test_ops, core), OK);
    return fds[0];
}

void client_says(int fd, struct str s)
{
    while (s.n) {
        ssize_t n = write(fd, s.p, s.n);

        assert_true(n > 0);
        s = str_from(s, (size_t)n);
    }
}

static void read_exactly(int fd, char *p, size_t n)
{
    for (size_t have = 0; have < n;) {
        ssize_t r = read(fd, p + have, n - have);

        if (r <= 0)
            fail_msg("the connection ended after %zu of %zu bytes: %.*s", have, n, (int)have, p);
        have += (size_t)r;
    }
}

void client_hears(int fd, const char *expected)
{
    char got[256] = "";

    assert_true(strlen(expected) < sizeof(got));
    read_exactly(fd, got, strlen(expected));
    assert_string_equal(got, expected);
}

void client_hears_fill(int fd, size_t n)
{
    char *p = must_alloc(n + 1);

    read_exactly(fd, p, n);
    for (size_t i = 0; i < n; i++)
        if (p[i] != 'x')
            fail_msg("byte %zu of %zu", i, n);
    free(p);
    client_hears(fd, "\r\n");
}

void client_hears_end(int fd)
{
    char c;

    assert_int_equal(read(fd, &c, 1), 0);
}
