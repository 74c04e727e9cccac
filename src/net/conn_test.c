/* Plain connections over loopback TCP: feeding, output, deadlines, ends, pausing, the relay. */
#include "base/clock.h"
#include "net/conn_private.h"
#include "net/testing.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static struct test_loop t;
static struct test_core core;
static int fd;

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
    test_loop_end(&t);
    test_core_end(&core);
    return 0;
}

static void dial(void)
{
    fd = test_dial(&core);
    client_hears(fd, "hello\r\n");
}

static void hang_up(enum conn_end expected)
{
    close(fd);
    assert_int_equal(test_core_closed(&core), expected);
}

/* Lines cut anywhere: what the core leaves comes again in front of what follows. */
static void test_cut_anywhere(void **state)
{
    static const char said[] = "ECHO one\r\nECHO two\r\n\r\nECHO three\r\n";
    static const char heard[] = "one\r\ntwo\r\nwhat?\r\nthree\r\n";

    (void)state;
    dial();
    for (size_t step = 1; step < sizeof(said); step++) {
        for (size_t at = 0; at < sizeof(said) - 1; at += step)
            client_says(fd, str_upto((struct str){said + at, sizeof(said) - 1 - at}, step));
        client_hears(fd, heard);
    }
    hang_up(CONN_EOF);
}

/* A peer that asks for much and does not read: its commands wait, the output stays within its bounds. */
static void test_no_reader_no_feeding(void **state)
{
    enum { COMMANDS = 300, SIZE = 20000 };
    char line[32];

    (void)state;
    dial();
    snprintf(line, sizeof(line), "FILL %d\r\n", SIZE);
    for (int i = 0; i < COMMANDS; i++)
        client_says(fd, str_from_c(line));
    for (int i = 0; i < COMMANDS; i++)
        client_hears_fill(fd, SIZE);
    hang_up(CONN_EOF);
    assert_true(core.most_out <= CONN_OUTPUT_HIGH);
}

static void test_pull(void **state)
{
    (void)state;
    dial();
    client_says(fd, S("PULL 20000000\r\n"));
    client_hears_fill(fd, 20000000);
    client_says(fd, S("PULL 1\r\n"));
    client_hears_fill(fd, 1);
    hang_up(CONN_EOF);
}

/* A client that shuts its side after the last command gets all replies. */
static void test_half_close(void **state)
{
    (void)state;
    dial();
    client_says(fd, S("ECHO a\r\nPULL 3000000\r\n"));
    shutdown(fd, SHUT_WR);
    client_hears(fd, "a\r\n");
    client_hears_fill(fd, 3000000);
    client_hears_end(fd);
    hang_up(CONN_EOF);
}

/* More than the kernel takes, with bytes of ours unread when it closes: the last words arrive all the same. */
static void test_last_words(void **state)
{
    char junk[4096] = {0};

    (void)state;
    dial();
    client_says(fd, S("FILL 60000\r\nQUIT\r\nmore that nobody reads\r\n"));
    client_says(fd, (struct str){junk, sizeof(junk)});
    client_hears_fill(fd, 60000);
    client_hears(fd, "bye\r\n");
    client_hears_end(fd);
    hang_up(CONN_CLOSED);
}

static void still_talking(struct conn *c, enum conn_end end)
{
    client_says(fd, S("more that nobody reads\r\n"));
    test_ops.closed(c, end);
}

/* It says more while the core is told of the end. */
static void test_last_words_to_one_who_goes_on(void **state)
{
    struct conn_ops ops = test_ops;
    int fds[2];

    (void)state;
    ops.closed = still_talking;
    tcp_pair(fds);
    fd = fds[0];
    assert_int_equal(conn_adopt(&t.cx, t.loop, fds[1], STR_NONE, &ops, &core), OK);
    client_hears(fd, "hello\r\n");
    client_says(fd, S("QUIT\r\n"));
    client_hears(fd, "bye\r\n");
    client_hears_end(fd);
    hang_up(CONN_CLOSED);
}

static void test_reset(void **state)
{
    struct linger hard = {1, 0};

    (void)state;
    dial();
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    hang_up(CONN_BROKEN);
    assert_int_equal(core.error, 104); /* ECONNRESET */
}

static void test_too_much_left(void **state)
{
    static char line[CONN_INPUT_LIMIT + 100];

    (void)state;
    dial();
    memset(line, 'a', sizeof(line));
    client_says(fd, (struct str){line, sizeof(line)});
    assert_int_equal(test_core_closed(&core), CONN_ABORTED);
    close(fd);
}

static void test_idle(void **state)
{
    int64_t begin = monotonic_ms();

    (void)state;
    core.idle_ms = 30;
    dial();
    client_hears(fd, "late\r\n");
    client_hears_end(fd);
    assert_true(monotonic_ms() - begin >= 30);
    hang_up(CONN_CLOSED);
}

/* Bytes keep it from being idle, but not from its own deadline. */
static void test_deadline_in_spite_of_bytes(void **state)
{
    char c[64];

    (void)state;
    core.idle_ms = 1000000;
    core.deadline_ms = 40;
    dial();
    while (recv(fd, c, sizeof(c), MSG_DONTWAIT) <= 0) {
        client_says(fd, S("a"));
        usleep(500);
    }
    assert_memory_equal(c, "late\r\n", 6);
    hang_up(CONN_CLOSED);
}

/* Reading nothing for as long as the grace is: the clock is moved, by the thread that runs the connection. */
static void move_clock(struct conn *c)
{
    if (c->step != NO_DEADLINE)
        c->step = 1;
}

static void test_reads_nothing(void **state)
{
    struct conn_ops ops = test_ops;
    struct pollfd p = {.fd = core.closed_pipe[0], .events = POLLIN};
    struct watch_id id;
    int fds[2];

    (void)state;
    ops.woken = move_clock;
    tcp_pair(fds);
    assert_int_equal(conn_adopt(&t.cx, t.loop, fds[1], STR_NONE, &ops, &core), OK);
    client_hears(fds[0], "hello\r\n");
    client_says(fds[0], S("PULL 50000000\r\n"));
    id = conn_id(core.conn);
    do
        loop_wake(t.loop, id);
    while (poll(&p, 1, 1) == 0);
    assert_int_equal(test_core_closed(&core), CONN_TIMED_OUT);
    close(fds[0]);
}

/* Many at once, in lock-step. */
static void test_many_at_once(void **state)
{
    enum { PEERS = 60, ROUNDS = 30 };
    struct test_core cores[PEERS];
    int fds[PEERS];

    (void)state;
    for (int i = 0; i < PEERS; i++) {
        cores[i] = test_core_make(&t);
        fds[i] = test_dial(&cores[i]);
    }
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < PEERS; i++)
            client_says(fds[i], S("ECHO 1\r\nECHO 2\r\n"));
    for (int i = 0; i < PEERS; i++) {
        client_hears(fds[i], "hello\r\n");
        for (int round = 0; round < ROUNDS; round++)
            client_hears(fds[i], "1\r\n2\r\n");
        close(fds[i]);
        assert_int_equal(test_core_closed(&cores[i]), CONN_EOF);
        test_core_end(&cores[i]);
    }
}

static void test_pause_and_resume(void **state)
{
    char byte;

    (void)state;
    dial();
    client_says(fd, S("PAUSE\r\nECHO kept\r\n"));
    assert_int_equal(read(core.paused_pipe[0], &byte, 1), 1);
    client_says(fd, S("ECHO unread\r\n"));
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    loop_wake(t.loop, (struct watch_id){atomic_load(&core.id)});
    client_hears(fd, "early\r\nkept\r\nunread\r\n");
    hang_up(CONN_EOF);
    loop_wake(t.loop, (struct watch_id){atomic_load(&core.id)}); /* too late, no harm */
}

static void test_adopt_with_early_bytes_and_detach(void **state)
{
    int fds[2], again;
    struct cx cx = {0};

    (void)state;
    tcp_pair(fds);
    assert_int_equal(conn_adopt(&cx, t.loop, fds[1], S("ECHO a\r\nDETACH\r\n"), &test_ops, &core), OK);
    client_hears(fds[0], "hello\r\na\r\n");
    client_says(fds[0], S("not for the loop"));
    while ((again = atomic_load(&core.detached)) < 0)
        sched_yield();
    client_says(again, S("from outside\r\n"));
    client_hears(fds[0], "from outside\r\n");
    close(fds[0]);
    close(again);
}

/* ---- relay */

static int begin_relay(void)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    core.relay_fd = pair[0];
    dial();
    client_says(fd, S("RELAY\r\nfirst "));
    return pair[1];
}

static void *write_much(void *arg)
{
    static char much[50000];

    for (int i = 0; i < 100; i++)
        client_says(*(int *)arg, (struct str){much, sizeof(much)});
    return NULL;
}

static void hear_much(int from)
{
    static char got[65536];
    ssize_t n;

    for (size_t have = 0; have < (size_t)50000 * 100; have += (size_t)n) {
        n = read(from, got, sizeof(got));
        assert_true(n > 0);
    }
}

static void test_relay_both_ways_and_back(void **state)
{
    int vault = begin_relay();
    pthread_t a, b;

    (void)state;
    client_says(fd, S("second"));
    client_hears(vault, "first second");
    client_says(vault, S("answer"));
    client_hears(fd, "answer");
    pthread_create(&a, NULL, write_much, &fd);
    pthread_create(&b, NULL, write_much, &vault);
    hear_much(vault);
    hear_much(fd);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    shutdown(vault, SHUT_RD); /* takes no more, and has not yet said that it ends */
    client_says(fd, S("ECHO kept\r\n"));
    close(vault);
    client_hears(fd, "back\r\nearly\r\nkept\r\n");
    hang_up(CONN_EOF);
}

static void test_relay_half_close(void **state)
{
    int vault;

    (void)state;
    core.keep_relay_end = true;
    vault = begin_relay();
    shutdown(fd, SHUT_WR);
    client_hears(vault, "first ");
    client_hears_end(vault);
    client_says(vault, S("last"));
    close(vault);
    client_hears(fd, "lastback\r\n");
    client_hears_end(fd);
    hang_up(CONN_CLOSED);
}

static void test_relay_peer_breaks(void **state)
{
    int vault = begin_relay();
    struct linger hard = {1, 0};

    (void)state;
    client_hears(vault, "first ");
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    hang_up(CONN_BROKEN);
    client_hears_end(vault);
    close(vault);
}

/* ---- stopping */

static void test_stop(void **state)
{
    (void)state;
    dial();
    loop_stop(t.loop, TEST_GRACE_MS);
    client_hears(fd, "stop\r\n");
    client_hears_end(fd);
    hang_up(CONN_CLOSED);
}

static void test_end_of_grace(void **state)
{
    int vault = begin_relay(); /* says stop, but its bytes are not read: it cannot finish */

    (void)state;
    client_says(fd, S("x"));
    client_hears(vault, "first x");
    loop_stop(t.loop, 0);
    test_core_closed(&core);
    close(fd);
    close(vault);
}

#define CONN_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONN_TEST(test_cut_anywhere),
        CONN_TEST(test_no_reader_no_feeding),
        CONN_TEST(test_pull),
        CONN_TEST(test_half_close),
        CONN_TEST(test_last_words),
        CONN_TEST(test_last_words_to_one_who_goes_on),
        CONN_TEST(test_reset),
        CONN_TEST(test_too_much_left),
        CONN_TEST(test_idle),
        CONN_TEST(test_deadline_in_spite_of_bytes),
        CONN_TEST(test_reads_nothing),
        CONN_TEST(test_many_at_once),
        CONN_TEST(test_pause_and_resume),
        CONN_TEST(test_adopt_with_early_bytes_and_detach),
        CONN_TEST(test_relay_both_ways_and_back),
        CONN_TEST(test_relay_half_close),
        CONN_TEST(test_relay_peer_breaks),
        CONN_TEST(test_stop),
        CONN_TEST(test_end_of_grace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
