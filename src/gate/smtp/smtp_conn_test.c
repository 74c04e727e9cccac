/* The SMTP server on real connections over loopback: TLS both ways, deadlines, limits, stopping. The vault is a
 * stand-in, so one connection at a time sends mail. */
#include "gate/gate.h"
#include "gate/services.h"
#include "gate/signon/core.h"
#include "gate/signon/signon_conn.h"
#include "gate/smtp/standin.h"

#include "base/arena.h"
#include "base/log.h"
#include "net/testing.h"
#include "net/tls_selfsigned.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <openssl/ssl.h>
#include <cmocka.h>

struct gate gate;

/* services.c names them; sign-on has a test of its own. */
const struct conn_ops signon_conn_ops = {.closed = NULL};
const struct core_ops pop3_core, imap_core;

static struct test_loop t;
static struct endpoint address;
static struct arena *arena;

/* ---- the server ---- */

static void take_settings(const char *limits)
{
    struct cx cx = {.arena = arena};
    struct buf chain = buf_make(1 << 16), key = buf_make(1 << 16), text = buf_make(1 << 16);
    struct certificate certificate;
    struct str name = S("mail.acompany.test");

    buf_printf(&text, "hostname = \"mail.acompany.test\"\nlimits { %s }\n", limits);
    assert_int_equal(tls_selfsigned(&cx, &name, 1, &chain, &key), OK);
    certificate = (struct certificate){buf_str(&chain), buf_str(&key)};
    assert_int_equal(gate_take_settings(
                         &cx, &(struct settings_told){buf_str(&text), S("test.conf"), &certificate, 1}),
                     OK);
    buf_free(&chain);
    buf_free(&key);
    buf_free(&text);
}

/* On a free port; `address` says which. */
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

static void wake(struct watch_id who)
{
    loop_wake(gate.loop, who);
}

static void serve(const char *service, bool is_mx, const char *limits)
{
    struct cx cx = {.arena = arena = arena_new(0)};
    int fd;

    standin_reset();
    gate.tls = tls_current_new();
    take_settings(limits);
    gate.peers = peers_new(&(struct peers_limits){.in_all = 100, .per_address = 2});
    test_loop_start(&t);
    gate.loop = t.loop;
    standin_wakes(wake);
    fd = listen_anywhere();
    assert_int_equal(
        service_open(&cx, service_find(is_mx, str_from_c(service)), fd, &(struct watch_id){0}), OK);
}

static void end(void)
{
    test_loop_end(&t);
    peers_free(gate.peers);
    tls_current_free(gate.tls);
    arena_free(arena);
    assert_true(standin_is_idle());
}

static int dial(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(connect(fd, &address.any, endpoint_size(&address)), 0);
    return fd;
}

/* ---- a client over TLS ---- */

static SSL *shake_hands(int fd)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);

    SSL_CTX_free(ctx);
    SSL_set_fd(ssl, fd);
    assert_int_equal(SSL_connect(ssl), 1);
    return ssl;
}

static void tls_says(SSL *ssl, const char *s)
{
    assert_int_equal(SSL_write(ssl, s, (int)strlen(s)), (int)strlen(s));
}

/* Lines until one has a blank behind its code; that one begins as expected. */
static void tls_hears(SSL *ssl, const char *expected)
{
    char line[600];
    int n;

    do {
        n = 0;
        while (n == 0 || line[n - 1] != '\n')
            assert_int_equal(SSL_read(ssl, line + n++, 1), 1);
    } while (line[3] == '-');
    line[n] = '\0';
    if (strncmp(line, expected, strlen(expected)) != 0)
        fail_msg("expected %s, got %s", expected, line);
}

/* ---- the tests ---- */

static void test_plain(void **state)
{
    int fd;

    (void)state;
    serve("smtp", true, "");
    fd = dial();
    client_hears(fd, "220 mail.acompany.test ESMTP\r\n");
    client_says(fd,
                S("HELO b.test\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<tom@acompany.test>\r\nDATA\r\n"));
    client_hears(
        fd, "250 mail.acompany.test\r\n250 2.1.0 <a@b.test> ok\r\n250 2.1.5 <tom@acompany.test> ok\r\n"
            "354 end the message with <CRLF>.<CRLF>\r\n");
    client_says(fd, S("Subject: x\r\n\r\n.\r\nQUIT\r\n"));
    client_hears(fd, "250 2.0.0 ok, queued as ");
    shutdown(fd, SHUT_WR);
    close(fd);
    end();
}

static void test_starttls(void **state)
{
    SSL *ssl;
    int fd;

    (void)state;
    serve("submission", false, "");
    fd = dial();
    client_hears(fd, "220 mail.acompany.test ESMTP\r\n");
    client_says(fd, S("STARTTLS\r\n"));
    client_hears(fd, "220 2.0.0 go ahead\r\n");
    ssl = shake_hands(fd);
    tls_says(ssl, "MAIL FROM:<a@b.test>\r\n");
    tls_hears(ssl, "503 5.5.1 ");
    tls_says(ssl, "EHLO b.test\r\n");
    tls_hears(ssl, "250 LIMITS");
    tls_says(ssl, "AUTH PLAIN AGZyZWQAc2VjcmV0\r\n");
    tls_hears(ssl, "235 2.7.0 ");
    tls_says(ssl, "MAIL FROM:<fred@acompany.test>\r\nRCPT TO:<tom>\r\nDATA\r\n");
    tls_hears(ssl, "250 2.1.0 ");
    tls_hears(ssl, "250 2.1.5 ");
    tls_hears(ssl, "354 ");
    tls_says(ssl, "Subject: x\r\n\r\n.\r\nQUIT\r\n");
    tls_hears(ssl, "250 2.0.0 ");
    tls_hears(ssl, "221 2.0.0 ");
    SSL_free(ssl);
    close(fd);
    end();
}

static void test_tls_first(void **state)
{
    SSL *ssl;
    int fd;

    (void)state;
    serve("submissions", false, "");
    fd = dial();
    ssl = shake_hands(fd);
    tls_hears(ssl, "220 mail.acompany.test ESMTP");
    tls_says(ssl, "EHLO b.test\r\nSTARTTLS\r\nQUIT\r\n");
    tls_hears(ssl, "250 LIMITS");
    tls_hears(ssl, "503 5.5.1 ");
    tls_hears(ssl, "221 ");
    SSL_free(ssl);
    close(fd);
    end();
}

static void test_idle_peer(void **state)
{
    int fd;

    (void)state;
    serve("smtp", true, "idle = \"1s\"");
    fd = dial();
    client_hears(fd, "220 mail.acompany.test ESMTP\r\n421 4.4.2 timeout, closing the connection\r\n");
    client_hears_end(fd);
    close(fd);
    end();
}

static void test_limit_per_address(void **state)
{
    int one, two, three;

    (void)state;
    serve("smtp", true, "");
    one = dial();
    client_hears(one, "220 mail.acompany.test ESMTP\r\n");
    two = dial();
    client_hears(two, "220 mail.acompany.test ESMTP\r\n");
    three = dial();
    client_hears(three, "421 4.7.0 too many connections, try again later\r\n");
    client_hears_end(three);
    close(three);
    close(two);
    close(one);
    end();
}

static void test_stopping(void **state)
{
    int idle, busy;

    (void)state;
    serve("smtp", true, "");
    idle = dial();
    client_hears(idle, "220 mail.acompany.test ESMTP\r\n");
    busy = dial();
    client_hears(busy, "220 mail.acompany.test ESMTP\r\n");
    client_says(
        busy, S("HELO b\r\nMAIL FROM:<>\r\nRCPT TO:<tom@acompany.test>\r\nBDAT 12\r\nSubject: x\r\n"));
    client_hears(busy,
                 "250 mail.acompany.test\r\n250 2.1.0 <> ok\r\n250 2.1.5 <tom@acompany.test> ok\r\n"
                 "250 2.0.0 12 octets so far\r\n");
    loop_stop(t.loop, TEST_GRACE_MS);
    client_hears(idle, "421 4.3.2 service is closing, try again in a moment\r\n");
    client_hears_end(idle);
    client_says(busy, S("BDAT 0 LAST\r\n"));
    client_hears(busy, "250 2.0.0 ok, queued as ");
    close(idle);
    close(busy);
    end();
}

static void skip_line(int fd)
{
    char c = 0;

    while (c != '\n')
        assert_int_equal(read(fd, &c, 1), 1);
}

static int dial_with_envelope(void)
{
    int fd = dial();

    client_hears(fd, "220 mail.acompany.test ESMTP\r\n");
    client_says(fd, S("HELO b\r\nMAIL FROM:<>\r\nRCPT TO:<tom@acompany.test>\r\nDATA\r\n"));
    return fd;
}

/* What waits for the disk is answered before the server stops, and what stands behind it is not looked at. */
static void test_stopping_while_the_vault_writes(void **state)
{
    sem_t asked;
    int fd;

    (void)state;
    sem_init(&asked, 0, 0);
    serve("smtp", true, "");
    fd = dial_with_envelope();
    client_hears(fd, "250 mail.acompany.test\r\n250 2.1.0 <> ok\r\n250 2.1.5 <tom@acompany.test> ok\r\n"
                     "354 end the message with <CRLF>.<CRLF>\r\n");
    standin_holds_back(&asked);
    client_says(fd, S("Subject: x\r\n\r\n.\r\nMAIL FROM:<a@b.test>\r\n"));
    while (sem_wait(&asked))
        ;
    loop_stop(t.loop, TEST_GRACE_MS);
    standin_lets_go();
    client_hears(fd, "250 2.0.0 ok, queued as ");
    skip_line(fd);
    client_hears(fd, "421 4.3.2 service is closing, try again in a moment\r\n");
    close(fd);
    end();
    sem_destroy(&asked);
}

/* What cannot be asked is answered in the same breath, and so is what stands behind it. */
static void test_what_cannot_be_asked(void **state)
{
    int fd;

    (void)state;
    serve("smtp", true, "");
    assert_true(standin_rule(S("ask answers BUSY")));
    fd = dial();
    client_hears(fd, "220 mail.acompany.test ESMTP\r\n");
    client_says(fd, S("HELO b\r\nMAIL FROM:<>\r\nNOOP\r\nMAIL FROM:<>\r\nQUIT\r\n"));
    client_hears(fd, "250 mail.acompany.test\r\n451 4.3.2 try again later\r\n250 2.0.0 ok\r\n"
                     "451 4.3.2 try again later\r\n221 2.0.0 ");
    close(fd);
    end();
}

/* A session that ends without its answer leaves no transaction behind: end() looks. */
static void test_ending_while_the_vault_thinks(void **state)
{
    sem_t asked;
    int fd;

    (void)state;
    sem_init(&asked, 0, 0);
    serve("smtp", true, "");
    standin_holds_back(&asked);
    fd = dial_with_envelope();
    while (sem_wait(&asked))
        ;
    loop_stop(t.loop, 0);
    client_hears(fd, "250 mail.acompany.test\r\n");
    client_hears_end(fd);
    close(fd);
    end();
    sem_destroy(&asked);
}

/* Sends until nothing more goes out, only then reads; over and over. Every reply must come. */
static void exchange(int fd, struct str commands, struct str replies)
{
    char got[16384];

    while (replies.n) {
        ssize_t n = commands.n ? send(fd, commands.p, commands.n, MSG_DONTWAIT) : -1;

        if (n > 0) {
            commands = str_from(commands, (size_t)n);
            continue;
        }
        n = recv(fd, got, sizeof(got), 0);
        assert_true(n > 0);
        assert_true(str_starts(replies, (struct str){got, (size_t)n}));
        replies = str_from(replies, (size_t)n);
    }
}

/* A peer that talks and does not listen: its commands wait, and none is lost. */
static void test_peer_that_does_not_read(void **state)
{
    enum { COMMANDS = 200000 };
    struct buf commands = buf_make(BUF_UNLIMITED), replies = buf_make(BUF_UNLIMITED);
    int fd;

    (void)state;
    serve("smtp", true, "idle-commands = 200000");
    fd = dial();
    client_hears(fd, "220 mail.acompany.test ESMTP\r\n");
    for (size_t i = 0; i < COMMANDS; i++) {
        buf_add(&commands, S("RSET\r\n"));
        buf_add(&replies, S("250 2.0.0 ok\r\n"));
    }
    exchange(fd, buf_str(&commands), buf_str(&replies));
    buf_free(&commands);
    buf_free(&replies);
    close(fd);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_starttls),
        cmocka_unit_test(test_tls_first),
        cmocka_unit_test(test_idle_peer),
        cmocka_unit_test(test_limit_per_address),
        cmocka_unit_test(test_stopping),
        cmocka_unit_test(test_stopping_while_the_vault_writes),
        cmocka_unit_test(test_what_cannot_be_asked),
        cmocka_unit_test(test_ending_while_the_vault_thinks),
        cmocka_unit_test(test_peer_that_does_not_read),
    };

    log_start("smtp-conn-test", LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
