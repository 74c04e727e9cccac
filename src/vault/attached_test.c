/* Sessions on real sockets: how they begin, end, and give their connection back, with a protocol made for this. */
#include "vault/attached.h"

#include "base/arena.h"
#include "base/log.h"
#include "net/testing.h"
#include "proto/lines.h"
#include "vault/caller.h"
#include "vault/session.h"
#include "vault/vault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <poll.h>

#define GATE 3

static struct test_loop t;
static struct vault vault;
static int answers[2]; /* a pipe of struct answer */

/* ---- the protocol: greets with the tag; says each line back; OFF signs off, BYE closes ---- */

static enum err toy_open(struct session *s)
{
    struct lines *lines = must_alloc(sizeof(*lines));

    *lines = lines_make(1000, LINE_END_LF);
    s->core = lines;
    buf_printf(&s->out, "%.*s OK\r\n", STR_ARG(s->tag));
    return OK;
}

static enum session_wish toy_feed(struct session *s, struct str *in)
{
    struct str line;

    while (take_line(s->core, in, &line) == LINE_TAKEN) {
        buf_printf(&s->out, "%.*s\r\n", STR_ARG(line));
        if (str_same(line, S("OFF")))
            return SESSION_SIGN_OFF;
        if (str_same(line, S("BYE")))
            return SESSION_CLOSE;
    }
    return SESSION_MORE;
}

static void toy_close(struct session *s)
{
    lines_free(s->core);
    free(s->core);
}

const struct session_ops pop3_session = {.protocol = PROTOCOL_IMAP,
                                         .has_tags = true,
                                         .idle_ms = 60 * 1000,
                                         .open = toy_open,
                                         .feed = toy_feed,
                                         .close = toy_close};

/* ---- the channel ---- */

struct answer {
    enum err e;
    bool signed_off;
    size_t left_size;
    char left[65536];
};

enum err caller_answer_later(struct caller *c, struct later *token)
{
    (void)c;
    *token = (struct later){.call = CALL_attach};
    return OK;
}

void later_answer(struct later *token, enum err e, struct str packed_reply)
{
    struct arena *arena = arena_new(0);
    struct unpack u = unpack_begin(packed_reply);
    struct attach_reply r = {0};
    struct answer *a = must_alloc(sizeof(*a));

    (void)token;
    if (!e)
        unpack_attach_reply(arena, &u, &r);
    *a = (struct answer){.e = e, .signed_off = r.signed_off, .left_size = r.left.n};
    if (r.left.n)
        memcpy(a->left, r.left.p, r.left.n);
    if (write(answers[1], &a, sizeof(a)) != sizeof(a))
        abort();
    arena_free(arena);
}

static struct answer *next_answer(void)
{
    struct answer *a;

    assert_int_equal(read(answers[0], &a, sizeof(a)), sizeof(a));
    return a;
}

/* ---- the gate ---- */

static struct handle sign_on(void)
{
    struct signed_on who = {.account = {1}, .gate = GATE, .protocol = PROTOCOL_IMAP};
    struct handle h;
    struct cx cx = {.arena = NULL};

    assert_int_equal(handle_give(vault.handles, &cx, &who, &h), OK);
    return h;
}

static enum err attach(struct attach_request *q, int fd)
{
    struct caller c = {
        .cx = {.arena = arena_new(0)}, .vault = &vault, .gate = GATE, .fds = &fd, .fd_count = 1};
    struct attach_reply r;
    enum err e = serve_attach(&c, q, &r);

    assert_true(e ? fd >= 0 : fd == -1); /* kept, or still the caller's */
    arena_free(c.cx.arena);
    return e;
}

static int start(void **state)
{
    (void)state;
    test_loop_start(&t);
    vault = (struct vault){.handles = handles_new(100), .loop = t.loop};
    return pipe(answers);
}

static int stop(void **state)
{
    (void)state;
    test_loop_end(&t);
    assert_int_equal(attached_count(), 0);
    assert_int_equal(handles_count(vault.handles), 0);
    handles_free(vault.handles);
    close(answers[0]);
    close(answers[1]);
    return 0;
}

static void test_begin_and_end(void **state)
{
    struct attach_request q = {
        .session = sign_on(), .protocol = PROTOCOL_IMAP, .tag = S("a1"), .unused = S("one\r\nt")};
    struct answer *a;
    int fds[2];

    (void)state;
    tcp_pair(fds);
    assert_int_equal(attach(&q, fds[1]), OK);
    client_hears(fds[0], "a1 OK\r\none\r\n");
    client_says(fds[0], S("wo\r\nBYE\r\n"));
    client_hears(fds[0], "two\r\nBYE\r\n");
    client_hears_end(fds[0]);
    close(fds[0]);
    a = next_answer();
    assert_false(a->e || a->signed_off || a->left_size);
    free(a);
}

/* The gate's copy of the socket stays open, and in it what was not read. */
static void test_sign_off(void **state)
{
    struct attach_request q = {.session = sign_on(),
                               .protocol = PROTOCOL_IMAP,
                               .tag = S("a1"),
                               .unused = S("one\r\nOFF\r\na2 LOGIN tom {6}\r\n")};
    struct answer *a;
    int fds[2], copy;

    (void)state;
    tcp_pair(fds);
    copy = dup(fds[1]);
    assert_int_equal(attach(&q, fds[1]), OK);
    a = next_answer();
    assert_true(!a->e && a->signed_off);
    assert_int_equal(a->left_size, 18);
    assert_memory_equal(a->left, "a2 LOGIN tom {6}\r\n", 18);
    free(a);
    client_hears(fds[0], "a1 OK\r\none\r\nOFF\r\n");
    client_says(copy, S("go on\r\n")); /* the line is open, in both directions */
    client_hears(fds[0], "go on\r\n");
    client_says(fds[0], S("more\r\n"));
    client_hears(copy, "more\r\n");
    close(copy);
    close(fds[0]);
}

/* The relay goes on writing into the pair. Each byte comes back with the answer, or could not be written. */
static void test_sign_off_relayed(void **state)
{
    struct attach_request q = {
        .session = sign_on(), .protocol = PROTOCOL_IMAP, .tls = true, .tag = S("a1")};
    struct answer *a;
    int ends[2];
    ssize_t n;
    size_t sent = 0;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(attach(&q, ends[1]), OK);
    client_hears(ends[0], "a1 OK\r\n");
    client_says(ends[0], S("OFF\r\n"));
    while (sent < 30000 && (n = send(ends[0], "0123456789", 10, MSG_NOSIGNAL)) > 0)
        sent += (size_t)n;
    a = next_answer();
    assert_true(!a->e && a->signed_off);
    assert_int_equal(a->left_size, sent);
    free(a);
    client_hears(ends[0], "OFF\r\n");
    client_hears_end(ends[0]);
    close(ends[0]);
}

static void test_refused(void **state)
{
    static const struct {
        struct str tag;
        uint32_t protocol;
    } bad[] = {
        {{"", 0}, PROTOCOL_IMAP},
        {{"a b", 3}, PROTOCOL_IMAP},
        {{"a\r\n", 3}, PROTOCOL_IMAP},
        {{"+", 1}, PROTOCOL_IMAP},
        {{"a1\"", 3}, PROTOCOL_IMAP},
        {{"a\0b", 3}, PROTOCOL_IMAP},
        {{"*", 1}, PROTOCOL_IMAP},
        {{"a\xc3\xa4", 3}, PROTOCOL_IMAP},
        {{"", 0}, PROTOCOL_POP3},
        {{"a1", 2}, PROTOCOL_SIEVE},
        {{"a1", 2}, 0},
        {{"a1", 2}, UINT32_MAX},
    };
    int fds[2];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct attach_request q = {
            .session = sign_on(), .protocol = bad[i].protocol, .tag = bad[i].tag};

        tcp_pair(fds);
        assert_int_equal(attach(&q, fds[1]), ERR_BAD_CALL);
        q.tag = S("a1"); /* the handle is used up */
        q.protocol = PROTOCOL_IMAP;
        assert_int_equal(attach(&q, fds[1]), ERR_AUTH_NEEDED);
        close(fds[0]);
        close(fds[1]);
    }
}

/* A suspended account's sessions end, and so do those of a gate that died. */
static void test_ended_by_others(void **state)
{
    struct attach_request q = {.protocol = PROTOCOL_IMAP, .tag = S("a1")};
    int fds[2];

    (void)state;
    for (int by_gate = 0; by_gate < 2; by_gate++) {
        q.session = sign_on();
        tcp_pair(fds);
        assert_int_equal(attach(&q, fds[1]), OK);
        client_hears(fds[0], "a1 OK\r\n");
        if (by_gate)
            attached_end_gate(GATE);
        else
            attached_end_account((struct account_id){1});
        free(next_answer());
        client_hears_end(fds[0]);
        close(fds[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_begin_and_end, start, stop),
        cmocka_unit_test_setup_teardown(test_sign_off, start, stop),
        cmocka_unit_test_setup_teardown(test_sign_off_relayed, start, stop),
        cmocka_unit_test_setup_teardown(test_refused, start, stop),
        cmocka_unit_test_setup_teardown(test_ended_by_others, start, stop),
    };

    log_start("attached-test", LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
