/* POP3 and IMAP on real connections over loopback, and their hand-over, with a vault that is a thread: it takes every sign-on,
 * and gives the test what was attached. */
#include "gate/gate.h"
#include "gate/services.h"
#include "gate/answers.h"
#include "gate/signon/attach.h"
#include "gate/smtp/smtp_conn.h"

#include "base/arena.h"
#include "base/log.h"
#include "net/testing.h"
#include "net/tls_selfsigned.h"
#include "proto/imap_capability.h"
#include "rpc/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ssl.h>
#include <poll.h>

struct gate gate;

/* services.c names it; SMTP has a test of its own. */
const struct conn_ops smtp_conn_ops = {.closed = NULL};

static struct test_loop t;
static struct endpoint address;
static struct arena *arena;

/* ---- the vault ---- */

#define MOST_CHANNELS 16

struct channel {
    int fd;
    struct buf in;
};

/* What `attach` brought, and where its answer goes. */
struct attached {
    int fd, channel;
    uint64_t id;
    bool tls;
    uint32_t protocol, modes;
    char tag[64], unused[256];
};

static struct {
    pthread_t thread;
    struct channel channels[MOST_CHANNELS];
    size_t n;
    int answers;    /* the channel that open calls are answered on */
    int to_test[2]; /* a pipe of struct attached */
} vault;

static void send_answer(int fd, enum call call, enum err e, uint64_t id, struct str payload)
{
    struct buf b = buf_make(100000);
    size_t begun = frame_begin(&b, (uint16_t)call, (uint16_t)e, id);

    buf_add(&b, payload);
    frame_end(&b, begun);
    frame_send(fd, buf_str(&b), NULL, 0);
    buf_free(&b);
}

static void take_signon(struct channel *ch, const struct frame *f)
{
    struct signon_begin_reply r = {.state = SIGNON_DONE, .session = {1, 2}};
    struct buf b = buf_make(1000);

    pack_signon_begin_reply(&b, &r);
    send_answer(ch->fd, CALL_signon_begin, OK, f->id, buf_str(&b));
    buf_free(&b);
}

static void take_attach(const struct frame *f, struct str payload, int fd)
{
    struct attached a = {.fd = fd, .channel = vault.answers, .id = f->id};
    struct unpack u = unpack_begin(payload);
    struct attach_request q;

    unpack_attach_request(arena, &u, &q);
    a.tls = q.tls;
    a.protocol = q.protocol;
    a.modes = q.modes;
    memcpy(a.tag, q.tag.p ? q.tag.p : "", q.tag.n);
    memcpy(a.unused, q.unused.p ? q.unused.p : "", q.unused.n);
    if (write(vault.to_test[1], &a, sizeof(a)) != sizeof(a))
        abort();
}

static void add_channel(int fd, uint64_t id)
{
    if (vault.n == MOST_CHANNELS)
        abort();
    vault.channels[vault.n++] = (struct channel){.fd = fd, .in = buf_make(1 << 20)};
    if (id == FRAME_OPEN)
        vault.answers = fd;
}

/* False: the channel has closed. */
static bool serve_channel(struct channel *ch)
{
    int fds[FRAME_FDS];
    size_t fd_count = 0;
    struct frame f;
    struct str payload;
    bool bad;

    if (frame_receive(ch->fd, &ch->in, fds, &fd_count) < 0)
        return false;
    while (frame_parse(buf_str(&ch->in), &f, &payload, &bad)) {
        if (f.call == CALL_none)
            add_channel(fds[0], f.id);
        else if (f.call == CALL_signon_begin)
            take_signon(ch, &f);
        else if (f.call == CALL_attach)
            take_attach(&f, payload, fds[0]);
        else
            send_answer(ch->fd, (enum call)f.call, OK, f.id, STR_NONE);
        buf_take(&ch->in, frame_size(&f));
    }
    return true;
}

/* Until the first channel closes: the gate is through. */
static void *vault_run(void *unused)
{
    struct pollfd p[MOST_CHANNELS];
    bool goes_on = true;

    while (goes_on) {
        size_t n = vault.n;

        for (size_t i = 0; i < n; i++)
            p[i] = (struct pollfd){.fd = vault.channels[i].fd, .events = POLLIN};
        poll(p, n, -1);
        for (size_t i = 0; i < n; i++)
            if (p[i].revents && !serve_channel(&vault.channels[i])) {
                goes_on &= i != 0;
                vault.channels[i].fd = -1 - vault.channels[i].fd; /* poll() passes it over */
            }
    }
    for (size_t i = 0; i < vault.n; i++) {
        close(vault.channels[i].fd >= 0 ? vault.channels[i].fd : -1 - vault.channels[i].fd);
        buf_free(&vault.channels[i].in);
    }
    return unused;
}

static struct attached next_attached(void)
{
    struct attached a;

    assert_int_equal(read(vault.to_test[0], &a, sizeof(a)), sizeof(a));
    return a;
}

static void answer_attach(const struct attached *a, enum err e, bool signed_off, struct str left)
{
    struct attach_reply r = {.signed_off = signed_off, .left = left};
    struct buf b = buf_make(10000);

    if (!e)
        pack_attach_reply(&b, &r);
    send_answer(a->channel, CALL_attach, e, a->id, buf_str(&b));
    buf_free(&b);
}

/* What was attached does not block. */
static void vault_hears(const struct attached *a, const char *expected)
{
    struct pollfd p = {.fd = a->fd, .events = POLLIN};

    assert_int_equal(poll(&p, 1, -1), 1);
    client_hears(a->fd, expected);
}

static void vault_hears_end(const struct attached *a)
{
    struct pollfd p = {.fd = a->fd, .events = POLLIN};

    assert_int_equal(poll(&p, 1, -1), 1);
    client_hears_end(a->fd);
}

/* ---- the gate ---- */

static void take_settings(void)
{
    struct cx cx = {.arena = arena};
    struct buf chain = buf_make(1 << 16), key = buf_make(1 << 16);
    struct certificate certificate;
    struct str name = S("mail.acompany.test");

    assert_int_equal(tls_selfsigned(&cx, &name, 1, &chain, &key), OK);
    certificate = (struct certificate){buf_str(&chain), buf_str(&key)};
    assert_int_equal(
        gate_take_settings(&cx, &(struct settings_told){S("hostname = \"mail.acompany.test\"\n"),
                                                        S("test.conf"), &certificate, 1}),
        OK);
    buf_free(&chain);
    buf_free(&key);
}

static int listen_anywhere(void)
{
    socklen_t n = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    address =
        (struct endpoint){.v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
    assert_int_equal(bind(fd, &address.any, endpoint_size(&address)), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, &address.any, &n), 0);
    return fd;
}

static void start(const char *service)
{
    struct cx cx = {.arena = arena = arena_new(0)};
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(pipe(vault.to_test), 0);
    vault.n = 0;
    add_channel(pair[1], 0);
    pthread_create(&vault.thread, NULL, vault_run, NULL);
    gate.vault = rpc_client_new(pair[0], 8);
    rpc_use(gate.vault);
    rpc_on_wait(pool_blocking_begin, pool_blocking_end);
    gate.tls = tls_current_new();
    take_settings();
    gate.peers = peers_new(&(struct peers_limits){.in_all = 100, .per_address = 100});
    test_loop_start(&t);
    gate.loop = t.loop;
    assert_int_equal(answers_start(&cx, gate.loop, gate.vault), OK);
    assert_int_equal(service_open(&cx, service_find(false, str_from_c(service)), listen_anywhere(),
                                  &(struct watch_id){0}),
                     OK);
}

static void end(void)
{
    if (!loop_is_stopping(t.loop))
        loop_stop(t.loop, TEST_GRACE_MS);
    pthread_join(t.thread, NULL);
    answers_stop();
    loop_close(&t.loop);
    rpc_client_free(gate.vault);
    pthread_join(vault.thread, NULL);
    peers_free(gate.peers);
    tls_current_free(gate.tls);
    close(vault.to_test[0]);
    close(vault.to_test[1]);
    arena_free(arena);
}

/* ---- clients ---- */

static int dial(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(connect(fd, &address.any, endpoint_size(&address)), 0);
    return fd;
}

#define GREETING "+OK mail.acompany.test POP3 ready\r\n"
#define SIGN_ON "USER fred\r\nPASS secret\r\n"

static SSL *dial_tls(int *fd)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);

    SSL_CTX_free(ctx);
    *fd = dial();
    SSL_set_fd(ssl, *fd);
    assert_int_equal(SSL_connect(ssl), 1);
    return ssl;
}

static void tls_hears(SSL *ssl, struct str expected)
{
    char got[16384];

    while (expected.n) {
        int n = SSL_read(ssl, got, expected.n < sizeof(got) ? (int)expected.n : (int)sizeof(got));

        assert_true(n > 0);
        assert_true(str_starts(expected, (struct str){got, (size_t)n}));
        expected = str_from(expected, (size_t)n);
    }
}

static void tls_says(SSL *ssl, struct str s)
{
    assert_int_equal(SSL_write(ssl, s.p, (int)s.n), (int)s.n);
}

/* ---- the tests ---- */

static void test_plain(void **state)
{
    struct attached a;
    int fd;

    (void)state;
    start("pop3");
    fd = dial();
    client_hears(fd, GREETING);
    client_says(fd, S("UTF8\r\n" SIGN_ON "STAT\r\nLI"));
    a = next_attached();
    assert_false(a.tls);
    assert_int_equal(a.protocol, PROTOCOL_POP3);
    assert_int_equal(a.modes, MODE_UTF8);
    assert_string_equal(a.tag, "");
    assert_string_equal(a.unused, "STAT\r\nLI");
    client_says(a.fd, S("+OK 0 messages\r\n"));
    client_hears(fd, "+OK\r\n+OK\r\n+OK 0 messages\r\n"); /* in this order */
    client_says(fd, S("ST\r\n"));
    vault_hears(&a, "ST\r\n"); /* straight to the vault */
    client_says(a.fd, S("+OK bye\r\n"));
    close(a.fd);
    answer_attach(&a, OK, false, STR_NONE);
    client_hears(fd, "+OK bye\r\n");
    client_hears_end(fd);
    close(fd);
    end();
}

/* The vault's last bytes and its answer come in whatever order: all of them reach the client. */
static void test_tls(void **state)
{
    struct buf much = buf_make(BUF_UNLIMITED);
    struct attached a;
    SSL *ssl;
    char c;
    int fd;

    (void)state;
    for (int i = 0; i < 20000; i++)
        buf_printf(&much, "line %d\r\n", i);
    start("pop3s");
    for (int answer_first = 0; answer_first < 2; answer_first++) {
        ssl = dial_tls(&fd);
        tls_hears(ssl, S(GREETING));
        tls_says(ssl, S(SIGN_ON "STAT\r\n"));
        tls_hears(ssl, S("+OK\r\n"));
        a = next_attached();
        assert_true(a.tls);
        assert_string_equal(a.unused, "STAT\r\n");
        tls_says(ssl, S("RETR 1\r\n"));
        vault_hears(&a, "RETR 1\r\n");
        if (answer_first)
            answer_attach(&a, OK, false, STR_NONE);
        assert_true(
            frame_send(a.fd, buf_str(&much), NULL, 0)); /* waits where it has to: nobody reads yet */
        close(a.fd);
        if (!answer_first)
            answer_attach(&a, OK, false, STR_NONE);
        tls_hears(ssl, buf_str(&much));
        assert_int_equal(SSL_read(ssl, &c, 1), 0);
        SSL_free(ssl);
        close(fd);
    }
    end();
    buf_free(&much);
}

static void test_stls(void **state)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    struct attached a;
    int fd;

    (void)state;
    SSL_CTX_free(ctx);
    start("pop3");
    fd = dial();
    client_hears(fd, GREETING);
    client_says(fd, S("STLS\r\n"));
    client_hears(fd, "+OK begin TLS\r\n");
    SSL_set_fd(ssl, fd);
    assert_int_equal(SSL_connect(ssl), 1);
    tls_says(ssl, S(SIGN_ON)); /* no second greeting (RFC 2595 §4) */
    tls_hears(ssl, S("+OK\r\n"));
    a = next_attached();
    assert_true(a.tls);
    close(a.fd);
    answer_attach(&a, OK, false, STR_NONE);
    SSL_free(ssl);
    close(fd);
    end();
}

static void test_refused(void **state)
{
    struct attached a;
    SSL *ssl;
    int fd;

    (void)state;
    start("pop3");
    fd = dial();
    client_hears(fd, GREETING);
    client_says(fd, S(SIGN_ON));
    a = next_attached();
    close(a.fd);
    answer_attach(&a, ERR_BUSY, false, STR_NONE);
    client_hears(fd, "+OK\r\n-ERR [SYS/TEMP] try again later\r\n");
    client_hears_end(fd);
    close(fd);
    end();
    start("pop3s");
    ssl = dial_tls(&fd);
    tls_says(ssl, S(SIGN_ON));
    a = next_attached();
    answer_attach(&a, ERR_BUSY, false, STR_NONE);
    close(a.fd);
    tls_hears(ssl, S(GREETING "+OK\r\n-ERR [SYS/TEMP] try again later\r\n"));
    SSL_free(ssl);
    close(fd);
    end();
}

/* What was said before the sign-on reaches the client before the vault says a word, however late it reads. */
static void test_slow_reader(void **state)
{
    enum { TIMES = 20000 };
    struct buf commands = buf_make(BUF_UNLIMITED);
    struct attached a;
    char c;
    int fd;

    (void)state;
    start("pop3");
    fd = dial();
    client_hears(fd, GREETING);
    for (int i = 0; i < TIMES; i++)
        buf_add(&commands, S("UTF8\r\n"));
    buf_add(&commands, S(SIGN_ON "NOOP\r\n"));
    client_says(fd, buf_str(&commands));
    for (int i = 0; i < TIMES; i++)
        client_hears(fd, "+OK\r\n");
    a = next_attached();
    assert_string_equal(a.unused, "NOOP\r\n");
    client_says(a.fd, S("."));
    client_hears(fd, "+OK\r\n");
    assert_int_equal(read(fd, &c, 1), 1);
    assert_int_equal(c, '.');
    close(a.fd);
    answer_attach(&a, OK, false, STR_NONE);
    client_hears_end(fd);
    close(fd);
    buf_free(&commands);
    end();
}

/* What stands in it is imap_capability_test.c's to check. */
static void hears_imap_greeting(SSL *ssl, int fd)
{
    struct imap_offer offer = {
        .starttls = !ssl, .passwords = true, .scram = true, .binding = ssl != NULL};
    struct buf b = buf_make(10000);

    buf_add(&b, S("* OK ["));
    imap_capability_write(&b, &offer);
    buf_add(&b, S("] mail.acompany.test IMAP ready\r\n"));
    if (ssl) {
        tls_hears(ssl, buf_str(&b));
    } else {
        buf_add_char(&b, '\0');
        client_hears(fd, b.p);
    }
    buf_free(&b);
}

/* UNAUTHENTICATE (RFC 8437): the vault gives back what it had read. */
static void test_signed_off(void **state)
{
    struct attached a;
    int fd;

    (void)state;
    start("imap");
    fd = dial();
    hears_imap_greeting(NULL, fd);
    client_says(fd, S("a1 LOGIN fred secret\r\na2 SELECT INBOX\r\na3"));
    a = next_attached();
    assert_int_equal(a.protocol, PROTOCOL_IMAP);
    assert_string_equal(a.tag, "a1");
    assert_string_equal(a.unused, "a2 SELECT INBOX\r\na3");
    client_says(a.fd, S("a1 OK signed on\r\n"));
    client_hears(fd, "a1 OK signed on\r\n");
    close(a.fd);
    answer_attach(&a, OK, true, S("a4 NOOP\r\na5 AUTHENTICATE PLAIN AGZyZWQ"));
    client_hears(fd, "a4 OK nothing done\r\n"); /* no second greeting */
    client_says(fd, S("Ac2VjcmV0\r\na6 LOGOUT\r\n"));
    a = next_attached();
    assert_string_equal(a.tag, "a5");
    assert_string_equal(a.unused, "a6 LOGOUT\r\n");
    close(a.fd);
    answer_attach(&a, OK, false, STR_NONE);
    client_hears_end(fd);
    close(fd);
    end();
}

/* TLS stays, and what the vault would not read any more comes behind what it had read. */
static void test_signed_off_relayed(void **state)
{
    struct attached a;
    SSL *ssl;
    int fd;

    (void)state;
    start("imaps");
    ssl = dial_tls(&fd);
    hears_imap_greeting(ssl, fd);
    for (int round = 0; round < 3; round++) {
        tls_says(ssl, S("a1 LOGIN fred secret\r\n"));
        a = next_attached();
        assert_true(a.tls);
        assert_string_equal(a.unused, "");
        client_says(a.fd, S("a1 OK signed on\r\n"));
        tls_hears(ssl, S("a1 OK signed on\r\n"));
        tls_says(ssl, S("a2 UNAUTHENTICATE\r\n"));
        vault_hears(&a, "a2 UNAUTHENTICATE\r\n");
        shutdown(a.fd, SHUT_RD);
        tls_says(ssl, S("OOP\r\na4 NOOP\r\n"));
        client_says(a.fd, S("a2 OK signed off\r\n"));
        tls_hears(ssl, S("a2 OK signed off\r\n"));
        if (round == 1)
            answer_attach(&a, OK, true, S("a3 N"));
        close(a.fd);
        if (round != 1)
            answer_attach(&a, OK, true, S("a3 N"));
        tls_hears(ssl, S("a3 OK nothing done\r\na4 OK nothing done\r\n"));
    }
    SSL_free(ssl);
    close(fd);
    end();
}

static void test_imap_refused(void **state)
{
    struct attached a;
    int fd;

    (void)state;
    start("imap");
    fd = dial();
    client_says(fd, S("a1 LOGIN fred secret\r\na2 NOOP\r\n"));
    a = next_attached();
    close(a.fd);
    answer_attach(&a, ERR_BUSY, false, STR_NONE);
    hears_imap_greeting(NULL, fd);
    client_hears(fd, "* BYE [UNAVAILABLE] try again later\r\n");
    client_hears_end(fd);
    close(fd);
    end();
}

/* A server that stops says so to those that are not signed on. */
static void test_imap_stops(void **state)
{
    int fd;

    (void)state;
    start("imap");
    fd = dial();
    hears_imap_greeting(NULL, fd);
    loop_stop(t.loop, TEST_GRACE_MS);
    client_hears(fd, "* BYE [UNAVAILABLE] service is closing, try again in a moment\r\n");
    client_hears_end(fd);
    close(fd);
    end();
}

/* The vault hears it, plain or relayed, and answers; nobody is left to hear that. */
static void test_client_goes(void **state)
{
    struct attached a;
    SSL *ssl;
    int fd;

    (void)state;
    start("pop3");
    fd = dial();
    client_hears(fd, GREETING);
    client_says(fd, S(SIGN_ON));
    client_hears(fd, "+OK\r\n");
    a = next_attached();
    close(fd);
    vault_hears_end(&a);
    close(a.fd);
    answer_attach(&a, OK, false, STR_NONE);
    end();
    start("pop3s");
    ssl = dial_tls(&fd);
    tls_says(ssl, S(SIGN_ON));
    a = next_attached();
    SSL_free(ssl);
    close(fd);
    vault_hears_end(&a);
    close(a.fd);
    answer_attach(&a, OK, false, STR_NONE);
    end();
}

static void test_vault_goes(void **state)
{
    struct attached a;
    int fd;

    (void)state;
    start("pop3");
    fd = dial();
    client_hears(fd, GREETING);
    client_says(fd, S(SIGN_ON));
    client_hears(fd, "+OK\r\n");
    a = next_attached();
    close(a.fd);
    shutdown(a.channel, SHUT_RDWR);
    client_hears_end(fd);
    close(fd);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_stls),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_signed_off),
        cmocka_unit_test(test_client_goes),
        cmocka_unit_test(test_signed_off_relayed),
        cmocka_unit_test(test_imap_refused),
        cmocka_unit_test(test_imap_stops),
        cmocka_unit_test(test_vault_goes),
        cmocka_unit_test(test_slow_reader),
    };

    log_start("signon-conn-test", LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
