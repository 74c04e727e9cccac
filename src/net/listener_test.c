/* Listeners and outgoing connections, real sockets on loopback. */
#include "base/scoped.h"
#include "net/listen.h"
#include "net/listener.h"
#include "net/testing.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

static struct test_loop t;
static struct test_core core;
static struct endpoint here;

static int set_up(void **state)
{
    (void)state;
    test_loop_start(&t);
    core = test_core_make(&t);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (t.loop)
        test_loop_end(&t);
    test_core_end(&core);
    return 0;
}

static int bound_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    socklen_t n = sizeof(here);

    here = endpoint_v4("\x7f\0\0\1", 0);
    assert_int_equal(bind(fd, &here.any, endpoint_size(&here)), 0);
    assert_int_equal(getsockname(fd, &here.any, &n), 0);
    return fd;
}

static int listening_socket(int backlog)
{
    int fd = bound_socket();

    assert_int_equal(listen(fd, backlog), 0);
    return fd;
}

static struct watch_id listener;

static void listen_with(struct peers *peers)
{
    struct listener_settings settings = {.fd = listening_socket(128),
                                         .peers = peers,
                                         .over_limit = S("421 4.7.0 too many\r\n"),
                                         .ops = &test_ops,
                                         .state = &core};

    assert_int_equal(listener_open(&t.cx, t.loop, &settings, &listener), OK);
}

static int dial(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(connect(fd, &here.any, endpoint_size(&here)), 0);
    return fd;
}

static void test_limit_and_room_again(void **state)
{
    struct peers_limits limits = {.in_all = 10, .per_address = 2};
    struct peers *peers = peers_new(&limits);
    int a, b, c;

    (void)state;
    listen_with(peers);
    a = dial();
    client_hears(a, "hello\r\n");
    b = dial();
    client_hears(b, "hello\r\n");
    c = dial();
    client_hears(c, "421 4.7.0 too many\r\n");
    client_hears_end(c);
    close(c);
    close(a);
    test_core_closed(&core);
    while (peers_count(peers) > 1) /* given back right after closed() */
        sched_yield();
    c = dial();
    client_hears(c, "hello\r\n");
    close(b);
    close(c);
    test_loop_end(&t);
    assert_int_equal(peers_count(peers), 0);
    peers_free(peers);
}

/* Nothing can be accepted while no descriptor is free; when one is, the waiting peer is served. */
static void test_no_descriptors(void **state)
{
    struct rlimit before, none;
    int fd, dup_fd;

    (void)state;
    listen_with(NULL);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    dup_fd = dup(fd);
    getrlimit(RLIMIT_NOFILE, &before);
    none = (struct rlimit){(rlim_t)dup_fd, before.rlim_max}; /* every number below is taken */
    close(dup_fd);
    setrlimit(RLIMIT_NOFILE, &none);
    while ((dup_fd = dup(fd)) >= 0)
        ;
    assert_int_equal(errno, EMFILE);
    assert_int_equal(connect(fd, &here.any, endpoint_size(&here)), 0);
    setrlimit(RLIMIT_NOFILE, &before);
    client_hears(fd, "hello\r\n");
    close(fd);
    test_core_closed(&core);
}

static void test_connect(void **state)
{
    struct conn_target target = {.timeout_ms = TEST_GRACE_MS};
    scoped(close_fd) int listening = listening_socket(8);
    struct endpoint from;
    socklen_t n = sizeof(from);
    int fd;

    (void)state;
    target.to = here;
    assert_true(parse_ip(S("127.0.0.9"), &target.from));
    assert_int_equal(conn_connect(&t.cx, t.loop, &target, &test_ops, &core), OK);
    fcntl(listening, F_SETFL, 0);
    fd = accept(listening, &from.any, &n);
    assert_true(endpoint_same_ip(&from, &target.from));
    client_hears(fd, "hello\r\n");
    client_says(fd, S("ECHO outgoing\r\n"));
    client_hears(fd, "outgoing\r\n");
    close(fd);
    assert_int_equal(test_core_closed(&core), CONN_EOF);
}

static void test_connect_fails(void **state)
{
    struct conn_target target = {.timeout_ms = TEST_GRACE_MS};
    scoped(close_fd) int fd = bound_socket(); /* so that nobody else listens there */

    (void)state, (void)fd;
    target.to = here;
    assert_int_equal(conn_connect(&t.cx, t.loop, &target, &test_ops, &core), OK);
    assert_int_equal(test_core_closed(&core), CONN_REFUSED);
    assert_int_equal(core.error, ECONNREFUSED);

    assert_true(parse_ip(S("192.0.2.77"), &target.from)); /* not an address of ours */
    assert_int_equal(conn_connect(&t.cx, t.loop, &target, &test_ops, &core), OK);
    assert_int_equal(test_core_closed(&core), CONN_REFUSED);
    assert_int_equal(core.error, EADDRNOTAVAIL);
}

/* The backlog is full, so the kernel drops what asks: nobody answers. */
static void test_connect_times_out(void **state)
{
    struct conn_target target = {.timeout_ms = 30};
    int listening = listening_socket(0), first = dial();
    struct pollfd p = {.fd = listening, .events = POLLIN};

    (void)state;
    assert_int_equal(poll(&p, 1, -1),
                     1); /* connect() may return before the other side has its connection */
    target.to = here;
    assert_int_equal(conn_connect(&t.cx, t.loop, &target, &test_ops, &core), OK);
    assert_int_equal(test_core_closed(&core), CONN_REFUSED);
    assert_int_equal(core.error, ETIMEDOUT);
    close(first);
    close(listening);
}

#define NET_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NET_TEST(test_limit_and_room_again), NET_TEST(test_no_descriptors),    NET_TEST(test_connect),
        NET_TEST(test_connect_fails),        NET_TEST(test_connect_times_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
