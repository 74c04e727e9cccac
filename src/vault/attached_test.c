/* Sessions on real sockets: how they begin, end, and give their connection back, with a protocol made for this. */
#include "vault/attached.h"

#include "base/arena.h"
#include "base/log.h"
#include "net/testing.h"
#include "proto/lines.h"
#include "vault/caller.h"
#include "vault/channel.h"
#include "vault/compression.h"
#include "vault/engine/memory.h"
#include "vault/lane.h"
#include "vault/session.h"
#include "vault/vault.h"

#include <limits.h>
#include <pthread.h>
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
static struct store store;
static struct vault vault;
static int answers[2]; /* a pipe of struct answer */

/* ---- the protocol: greets with the tag; says each line back; OFF signs off, BYE closes, DEFLATE compresses, LONG works
 * three turns, WATCH tells of each change of the account ---- */

struct toy {
    struct lines lines;
    pthread_t thread; /* that fed it last */
    int turns;
    bool watches;
};

static struct account_id watched = {1};

static enum err toy_open(struct session *s)
{
    struct toy *toy = must_alloc(sizeof(*toy));

    toy->lines = lines_make(1000, LINE_END_LF);
    s->core = toy;
    buf_printf(&s->out, "%.*s OK\r\n", STR_ARG(s->tag));
    return OK;
}

static enum session_wish toy_watch(struct session *s)
{
    struct toy *toy = s->core;

    toy->watches = true;
    s->watched = &watched;
    s->watched_count = 1;
    s->watch_changed = true;
    return SESSION_MORE;
}

static enum session_wish toy_feed(struct session *s, struct str *in)
{
    struct toy *toy = s->core;
    struct str line;

    toy->thread = pthread_self();
    while (take_line(&toy->lines, in, &line) == LINE_TAKEN) {
        buf_printf(&s->out, "%.*s\r\n", STR_ARG(line));
        if (str_same(line, S("OFF")))
            return SESSION_SIGN_OFF;
        if (str_same(line, S("BYE")))
            return SESSION_CLOSE;
        if (str_same(line, S("DEFLATE")))
            return SESSION_COMPRESS;
        if (str_same(line, S("LONG")) || str_same(line, S("ENDLESS"))) {
            toy->turns = line.n == 4 ? 3 : INT_MAX;
            return SESSION_LONG;
        }
        if (str_same(line, S("WATCH")))
            return toy_watch(s);
    }
    return SESSION_MORE;
}

static enum session_wish toy_more(struct session *s)
{
    struct toy *toy = s->core;

    assert_false(pthread_equal(toy->thread, pthread_self()));
    if (toy->turns < INT_MAX)
        buf_printf(&s->out, "turn %d\r\n", toy->turns--);
    return toy->turns ? SESSION_LONG : SESSION_MORE;
}

static enum session_wish toy_woken(struct session *s)
{
    buf_add_c(&s->out, "woken\r\n");
    return SESSION_MORE;
}

static void toy_last_words(struct session *s, enum err why)
{
    buf_printf(&s->out, "%s\r\n", err_row(why)->name);
}

static void toy_close(struct session *s)
{
    struct toy *toy = s->core;

    lines_free(&toy->lines);
    free(toy);
}

static const struct session_ops patient = {.protocol = PROTOCOL_IMAP,
                                           .has_tags = true,
                                           .idle_ms = 60 * 1000,
                                           .open = toy_open,
                                           .feed = toy_feed,
                                           .more = toy_more,
                                           .woken = toy_woken,
                                           .last_words = toy_last_words,
                                           .close = toy_close};

static const struct session_ops hasty = {.protocol = PROTOCOL_SMTP,
                                         .idle_ms = 30,
                                         .open = toy_open,
                                         .feed = toy_feed,
                                         .more = toy_more,
                                         .last_words = toy_last_words,
                                         .close = toy_close};

const struct session_ops *const session_protocols[] = {&patient, &hasty, NULL};

/* ---- the channel ---- */

static struct lane_pool *lane;

bool long_lane_run(struct channels *c, void (*work)(void *arg), void *arg)
{
    (void)c;
    return lane_run(lane, work, arg);
}

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

static struct handle sign_on_for(uint32_t protocol)
{
    struct signed_on who = {.account = {1}, .gate = GATE, .protocol = protocol};
    struct handle h;
    struct cx cx = {.arena = NULL};

    assert_int_equal(handle_give(vault.handles, &cx, &who, &h), OK);
    return h;
}

static struct handle sign_on(void)
{
    return sign_on_for(PROTOCOL_IMAP);
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
    assert_int_equal(engine_open_memory(&t.cx, &(struct engine_options){0}, &store.engine), OK);
    vault = (struct vault){
        .handles = handles_new(100), .loop = t.loop, .store = &store, .engine = store.engine};
    lane = lane_new(2);
    return pipe(answers);
}

static int stop(void **state)
{
    (void)state;
    test_loop_end(&t);
    lane_free(lane);
    engine_close(store.engine);
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

/* Turn by turn in another thread; what came meanwhile is fed afterwards. */
static void test_long(void **state)
{
    struct attach_request q = {.session = sign_on(), .protocol = PROTOCOL_IMAP, .tag = S("a1")};
    int fds[2];

    (void)state;
    tcp_pair(fds);
    assert_int_equal(attach(&q, fds[1]), OK);
    client_says(fds[0], S("LONG\r\nnext\r\nBYE\r\n"));
    client_hears(fds[0], "a1 OK\r\nLONG\r\nturn 3\r\nturn 2\r\nturn 1\r\nnext\r\nBYE\r\n");
    client_hears_end(fds[0]);
    close(fds[0]);
    free(next_answer());
}

/* Whoever ends it while the long lane has it: the session is closed once, after the turn. */
static void test_long_ended(void **state)
{
    struct attach_request q = {.protocol = PROTOCOL_IMAP, .tag = S("a1")};
    int fds[2];

    (void)state;
    for (int round = 0; round < 50; round++) {
        q.session = sign_on();
        tcp_pair(fds);
        assert_int_equal(attach(&q, fds[1]), OK);
        client_says(fds[0], S("ENDLESS\r\n"));
        client_hears(fds[0], "a1 OK\r\nENDLESS\r\n");
        attached_end_gate(GATE);
        client_hears_end(fds[0]);
        free(next_answer());
        close(fds[0]);
    }
}

static void change_account(void)
{
    struct txn *txn = txn_begin(store.engine, &(struct part){PART_ACCOUNT, 1}, 1);
    struct cx cx = {.arena = NULL};
    struct ticket ticket;

    txn_put(txn, (struct part){PART_ACCOUNT, 1}, S("s"), S("changed"));
    assert_int_equal(txn_commit(&txn, &cx, &ticket), OK);
    assert_int_equal(engine_wait(store.engine, &cx, ticket), OK);
}

/* Once when it begins to watch, then with each change. */
static void test_woken(void **state)
{
    struct attach_request q = {.session = sign_on(), .protocol = PROTOCOL_IMAP, .tag = S("a1")};
    int fds[2];

    (void)state;
    tcp_pair(fds);
    assert_int_equal(attach(&q, fds[1]), OK);
    client_says(fds[0], S("WATCH\r\n"));
    client_hears(fds[0], "a1 OK\r\nWATCH\r\nwoken\r\n");
    for (int i = 0; i < 3; i++) {
        change_account();
        client_hears(fds[0], "woken\r\n");
    }
    client_says(fds[0], S("BYE\r\n"));
    client_hears(fds[0], "BYE\r\n");
    client_hears_end(fds[0]);
    close(fds[0]);
    free(next_answer());
}

/* A client that compresses: what it hears must be `expected`, inflated. */
static void hears_compressed(int fd, struct compression *c, const char *expected)
{
    struct buf *plain = compression_plain(c);
    size_t n = strlen(expected);

    while (plain->n < n) {
        char bytes[1000];
        ssize_t got = read(fd, bytes, sizeof(bytes));
        struct str in = {bytes, (size_t)got};

        assert_true(got > 0);
        while (in.n)
            assert_true(compression_read(c, &in));
    }
    assert_memory_equal(plain->p, expected, n);
    buf_take(plain, n);
}

static void says_compressed(int fd, struct compression *c, struct str s)
{
    struct buf out = buf_make(BUF_UNLIMITED);

    compression_write(c, &out, s);
    client_says(fd, buf_str(&out));
    buf_free(&out);
}

static void test_compressed(void **state)
{
    struct attach_request q = {.session = sign_on(), .protocol = PROTOCOL_IMAP, .tag = S("a1")};
    struct compression *c = compression_new();
    struct buf both = buf_make(BUF_UNLIMITED);
    int fds[2], copy;
    struct answer *a;

    (void)state;
    tcp_pair(fds);
    copy = dup(fds[1]);
    assert_int_equal(attach(&q, fds[1]), OK);
    buf_add(&both, S("DEFLATE\r\n")); /* the first compressed bytes come in the same segment */
    compression_write(c, &both, S("one\r\nLONG\r\n"));
    client_says(fds[0], buf_str(&both));
    client_hears(fds[0], "a1 OK\r\nDEFLATE\r\n");
    hears_compressed(fds[0], c, "one\r\nLONG\r\nturn 3\r\nturn 2\r\nturn 1\r\n");
    for (int i = 0; i < 3; i++) {
        says_compressed(fds[0], c, S("two\r\nthree\r\n"));
        hears_compressed(fds[0], c, "two\r\nthree\r\n");
        compression_rest(c); /* a new deflater goes on */
    }
    buf_clear(&both);
    compression_write(c, &both, S("OFF\r\n")); /* RFC 8437 §4.1: it ends with this command */
    buf_add(&both, S("a2 LOGIN\r\n"));
    client_says(fds[0], buf_str(&both));
    hears_compressed(fds[0], c, "OFF\r\n");
    a = next_answer();
    assert_true(a->signed_off);
    assert_int_equal(a->left_size, 10);
    assert_memory_equal(a->left, "a2 LOGIN\r\n", 10);
    free(a);
    client_says(copy, S("plain\r\n"));
    client_hears(fds[0], "plain\r\n");
    close(fds[0]);
    close(copy);
    buf_free(&both);
    compression_free(&c);
}

static void test_no_deflate(void **state)
{
    struct attach_request q = {.session = sign_on(), .protocol = PROTOCOL_IMAP, .tag = S("a1")};
    int fds[2];

    (void)state;
    tcp_pair(fds);
    assert_int_equal(attach(&q, fds[1]), OK);
    client_says(fds[0], S("DEFLATE\r\n\xff\xff\xff\xff\r\n"));
    client_hears(fds[0], "a1 OK\r\nDEFLATE\r\n");
    client_hears_end(fds[0]);
    close(fds[0]);
    free(next_answer());
}

static void test_idle(void **state)
{
    struct attach_request q = {.session = sign_on_for(PROTOCOL_SMTP), .protocol = PROTOCOL_SMTP};
    int fds[2];

    (void)state;
    tcp_pair(fds);
    assert_int_equal(attach(&q, fds[1]), OK);
    client_hears(fds[0], " OK\r\nTIMEOUT\r\n");
    client_hears_end(fds[0]);
    close(fds[0]);
    free(next_answer());
}

static void test_stopping(void **state)
{
    struct attach_request q = {.session = sign_on(), .protocol = PROTOCOL_IMAP, .tag = S("a1")};
    int fds[2];

    (void)state;
    tcp_pair(fds);
    assert_int_equal(attach(&q, fds[1]), OK);
    client_hears(fds[0], "a1 OK\r\n");
    loop_stop(t.loop, TEST_GRACE_MS);
    client_hears(fds[0], "STOPPING\r\n");
    client_hears_end(fds[0]);
    close(fds[0]);
    free(next_answer());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_begin_and_end, start, stop),
        cmocka_unit_test_setup_teardown(test_sign_off, start, stop),
        cmocka_unit_test_setup_teardown(test_sign_off_relayed, start, stop),
        cmocka_unit_test_setup_teardown(test_refused, start, stop),
        cmocka_unit_test_setup_teardown(test_ended_by_others, start, stop),
        cmocka_unit_test_setup_teardown(test_long, start, stop),
        cmocka_unit_test_setup_teardown(test_long_ended, start, stop),
        cmocka_unit_test_setup_teardown(test_woken, start, stop),
        cmocka_unit_test_setup_teardown(test_compressed, start, stop),
        cmocka_unit_test_setup_teardown(test_no_deflate, start, stop),
        cmocka_unit_test_setup_teardown(test_idle, start, stop),
        cmocka_unit_test_setup_teardown(test_stopping, start, stop),
    };

    log_start("attached-test", LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
