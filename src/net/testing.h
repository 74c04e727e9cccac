/* net/testing.h: for the tests of this folder: a loop in a thread, a small protocol core, and a blocking client. */
#pragma once
#include "net/conn.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

/* A loop with its thread. The tick is short, so that deadlines of some milliseconds can be tested. */
struct test_loop {
    struct loop *loop;
    pthread_t thread;
    struct cx cx;
};
void test_loop_start(struct test_loop *t);
void test_loop_end(struct test_loop *t); /* after a grace in which everything must have closed */
#define TEST_GRACE_MS                                                                                  \
    ((int64_t)5 * 60 * 1000) /* longer than the slowest machine needs; nobody waits for its end */

/* The core understands lines:
 *   ECHO text        text
 *   FILL n           n times 'x', at once
 *   PULL n           n times 'x', in pieces when drained
 *   TLS              "go", then conn_start_tls(); "secured" afterwards
 *   PAUSE            conn_pause(); when woken, resumes with "ECHO early\r\n" in front, or, with tls_when_woken, says so
 *                    many times 'x' that some is left unsent, and then does as TLS
 *   RELAY            conn_relay() with relay_fd; "back" and conn_unrelay() at its end
 *   DETACH           conn_detach(), the descriptor goes to `detached`
 *   QUIT             "bye", conn_close()
 * It says "hello" when opened, "late" when timed out, "stop" when stopping. */
struct test_core {
    struct test_loop *t;
    struct tls_server *tls;
    bool tls_first; /* from the first byte */
    bool tls_when_woken;
    struct conn *conn;
    size_t pull;     /* bytes still to be pulled */
    size_t most_out; /* the most that ever stood in conn_out() before a feed */
    int relay_fd;
    bool keep_relay_end; /* conn_close() at the relay's end instead of going back */
    int64_t idle_ms, deadline_ms;
    int closed_pipe[2]; /* a byte, the conn_end, comes when closed */
    int paused_pipe[2]; /* a byte comes when paused */
    _Atomic uint64_t id;
    atomic_int detached;
    char trouble[64];
    int error;
    void (*secured)(struct test_core *core); /* to look at the TLS of it */
};
extern const struct conn_ops test_ops;
struct test_core test_core_make(struct test_loop *t);
void test_core_end(struct test_core *core);
/* Waits for closed(). */
enum conn_end test_core_closed(struct test_core *core);
/* One end of a TCP connection over loopback becomes a conn with this core; the other is returned, blocking. */
int test_dial(struct test_core *core);
void tcp_pair(int fds[2]);

/* The client: it fails the test if something else comes. */
void client_says(int fd, struct str s);
void client_hears(int fd, const char *expected);
void client_hears_fill(int fd, size_t n); /* n times 'x', CRLF */
void client_hears_end(int fd);
