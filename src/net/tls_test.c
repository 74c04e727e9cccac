/* TLS against OpenSSL's own client, blocking, in the test's thread; and our client against our server. */
#include "base/clock.h"
#include "base/codec.h"
#include "net/testing.h"
#include "net/tls_private.h"
#include "net/tls_selfsigned.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static struct buf chain, key, other_chain,
    other_key; /* for mail.acompany.test; for *.other.test and ::1 */
static struct tls_server *server;
static struct test_loop t;
static struct test_core core;
static struct cx cx;

static int make_certificates(void **state)
{
    const struct str names[] = {S("mail.acompany.test"), S("127.0.0.1")};
    const struct str others[] = {S("*.other.test"), S("::1")};

    (void)state;
    chain = key = other_chain = other_key = buf_make(10000);
    assert_int_equal(tls_selfsigned(&cx, names, 2, &chain, &key), OK);
    assert_int_equal(tls_selfsigned(&cx, others, 2, &other_chain, &other_key), OK);
    return 0;
}

static int free_certificates(void **state)
{
    (void)state;
    buf_free(&chain);
    buf_free(&key);
    buf_free(&other_chain);
    buf_free(&other_key);
    return 0;
}

static struct tls_server *make_server(void)
{
    struct tls_pair pairs[] = {{buf_str(&chain), buf_str(&key)},
                               {buf_str(&other_chain), buf_str(&other_key)}};
    struct tls_server *s;

    assert_int_equal(tls_server_new(&cx, pairs, 2, &s), OK);
    return s;
}

static int set_up(void **state)
{
    (void)state;
    server = make_server();
    test_loop_start(&t);
    core = test_core_make(&t);
    core.tls = server;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_loop_end(&t);
    test_core_end(&core);
    tls_server_drop(server);
    return 0;
}

/* ---- a client made of OpenSSL */

static SSL_CTX *client_context(int version)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    SSL_CTX_set_security_level(ctx, 0);
    if (version)
        SSL_CTX_set_min_proto_version(ctx, version);
    if (version)
        SSL_CTX_set_max_proto_version(ctx, version);
    return ctx;
}

static SSL *ssl_on(int fd, SSL_CTX *ctx, const char *name)
{
    SSL *ssl = SSL_new(ctx);

    SSL_set_fd(ssl, fd);
    if (name)
        SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)(uintptr_t)name);
    return ssl;
}

static void ssl_says(SSL *ssl, const char *s)
{
    assert_int_equal(SSL_write(ssl, s, (int)strlen(s)), (int)strlen(s));
}

static void ssl_hears(SSL *ssl, const char *expected)
{
    char got[256] = "";
    int have = 0, n;

    while (have < (int)strlen(expected)) {
        n = SSL_read(ssl, got + have, (int)strlen(expected) - have);
        if (n <= 0)
            fail_msg("ended after: %s", got);
        have += n;
    }
    assert_string_equal(got, expected);
}

static void ssl_hears_fill(SSL *ssl, size_t size)
{
    static char got[65536];

    for (size_t have = 0; have < size;) {
        int n = SSL_read(ssl, got, size - have < sizeof(got) ? (int)(size - have) : (int)sizeof(got));

        assert_true(n > 0);
        have += (size_t)n;
    }
    ssl_hears(ssl, "\r\n");
}

static void ssl_end(SSL *ssl, SSL_CTX *ctx)
{
    int fd = SSL_get_fd(ssl);

    SSL_shutdown(ssl);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(fd);
}

/* ---- servers */

static void test_from_the_first_byte(void **state)
{
    SSL_CTX *ctx = client_context(0);
    SSL *ssl;
    char c;

    (void)state;
    core.tls_first = true;
    ssl = ssl_on(test_dial(&core), ctx, NULL);
    assert_int_equal(SSL_connect(ssl), 1);
    ssl_hears(ssl, "secured\r\n");
    ssl_says(ssl, "ECHO a\r\nECHO b\r\nPULL 5000000\r\n");
    ssl_hears(ssl, "a\r\nb\r\n");
    ssl_hears_fill(ssl, 5000000);
    for (int i = 0; i < 100; i++) /* many records in one read, and more output than may wait */
        ssl_says(ssl, "FILL 30000\r\n");
    for (int i = 0; i < 100; i++)
        ssl_hears_fill(ssl, 30000);
    ssl_says(ssl, "QUIT\r\n");
    ssl_hears(ssl, "bye\r\n");
    assert_int_equal(SSL_read(ssl, &c, 1), 0);
    assert_int_equal(SSL_get_error(ssl, 0), SSL_ERROR_ZERO_RETURN); /* close_notify, not just an end */
    ssl_end(ssl, ctx);
    assert_int_equal(test_core_closed(&core), CONN_CLOSED);
}

/* RFC 3207 §4.2: what came in the clear behind STARTTLS is not taken for protected, in whatever pieces it came. */
static void test_starttls_and_injection(void **state)
{
    static const char *const said[] = {"TLS\r\n", "TLS\r\nECHO injected\r\n",
                                       "ECHO x\r\nTLS\r\nECHO half"};

    (void)state;
    for (size_t i = 0; i < sizeof(said) / sizeof(*said); i++) {
        SSL_CTX *ctx = client_context(0);
        int fd = test_dial(&core);
        SSL *ssl = ssl_on(fd, ctx, NULL);

        client_hears(fd, "hello\r\n");
        client_says(fd, str_from_c(said[i]));
        client_hears(fd, i == 2 ? "x\r\ngo\r\n" : "go\r\n");
        assert_int_equal(SSL_connect(ssl), 1);
        ssl_hears(ssl, "secured\r\n");
        ssl_says(ssl, "ECHO protected\r\n");
        ssl_hears(ssl, "protected\r\n");
        ssl_end(ssl, ctx);
        assert_int_equal(test_core_closed(&core), CONN_EOF);
    }
}

/* The words before TLS are not all sent yet. What came before them, while the core waited for somebody, is lost; what comes
 * now is for the handshake, and spoils it. */
static void test_starttls_with_words_unsent(void **state)
{
    (void)state;
    core.tls_when_woken = true;
    for (int more = 0; more < 2; more++) {
        SSL_CTX *ctx = client_context(0);
        int fd = test_dial(&core);
        SSL *ssl = ssl_on(fd, ctx, NULL);
        char byte = 'x';

        client_hears(fd, "hello\r\n");
        client_says(fd, S("PAUSE\r\nECHO injected\r\nTLS\r\n"));
        assert_int_equal(read(core.paused_pipe[0], &byte, 1), 1);
        loop_wake(t.loop, (struct watch_id){atomic_load(&core.id)});
        assert_int_equal(read(fd, &byte, 1), 1);
        if (more)
            client_says(fd, S("ECHO injected\r\nTLS\r\n"));
        while (byte == 'x')
            assert_int_equal(read(fd, &byte, 1), 1);
        assert_int_equal(byte, 'g');
        client_hears(fd, "o\r\n");
        assert_int_equal(SSL_connect(ssl) == 1, !more);
        if (!more) {
            ssl_hears(ssl, "secured\r\n");
            ssl_says(ssl, "ECHO private\r\n");
            ssl_hears(ssl, "private\r\n");
        }
        ssl_end(ssl, ctx);
        assert_int_equal(test_core_closed(&core), more ? CONN_TLS_FAILED : CONN_EOF);
    }
}

/* The injected command comes in a packet of its own, before the handshake: then there is none. */
static void test_plain_instead_of_handshake(void **state)
{
    int fd;

    (void)state;
    fd = test_dial(&core);
    client_hears(fd, "hello\r\n");
    client_says(fd, S("TLS\r\n"));
    client_hears(fd, "go\r\n");
    client_says(fd, S("ECHO injected\r\n"));
    assert_int_equal(test_core_closed(&core), CONN_TLS_FAILED);
    assert_string_not_equal(core.trouble, "");
    close(fd);
}

static void test_versions(void **state)
{
    static const struct {
        int version;
        const char *text; /* NULL: refused */
    } rows[] = {{TLS1_1_VERSION, NULL}, {TLS1_2_VERSION, "TLSv1.2"}, {TLS1_3_VERSION, "TLSv1.3"}};

    (void)state;
    core.tls_first = true;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        SSL_CTX *ctx = client_context(rows[i].version);
        SSL *ssl = ssl_on(test_dial(&core), ctx, NULL);

        assert_int_equal(SSL_connect(ssl), rows[i].text ? 1 : -1);
        if (rows[i].text) {
            assert_string_equal(SSL_get_version(ssl), rows[i].text);
            ssl_hears(ssl, "secured\r\n"); /* what is unread when we close would be a reset */
        }
        ssl_end(ssl, ctx);
        assert_int_equal(test_core_closed(&core), rows[i].text ? CONN_EOF : CONN_TLS_FAILED);
    }
}

static void test_sni(void **state)
{
    static const struct {
        const char *asked, *is_for;
    } rows[] = {{"mail.acompany.test", "mail.acompany.test"},
                {"MAIL.acompany.test", "mail.acompany.test"},
                {"a.other.test", "*.other.test"},
                {"unknown.test", "mail.acompany.test"},
                {NULL, "mail.acompany.test"}};

    (void)state;
    core.tls_first = true;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        SSL_CTX *ctx = client_context(0);
        SSL *ssl = ssl_on(test_dial(&core), ctx, rows[i].asked);
        char name[100] = "";

        assert_int_equal(SSL_connect(ssl), 1);
        X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(ssl)), NID_commonName,
                                  name, sizeof(name));
        assert_string_equal(name, rows[i].is_for);
        ssl_end(ssl, ctx);
        test_core_closed(&core);
    }
}

static SSL_SESSION *kept_session;

static int keep_session(SSL *ssl, SSL_SESSION *s)
{
    (void)ssl;
    SSL_SESSION_free(kept_session);
    kept_session = s;
    return 1;
}

/* New certificates while sessions are open: those go on, and tickets from before are still good. */
static void resume_after_reload(int version)
{
    struct tls_current *current = tls_current_new();
    SSL_CTX *ctx = client_context(version);
    SSL *first, *second;

    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, keep_session);
    core.tls_first = true;
    tls_current_set(current, make_server());
    core.tls = tls_current_get(current);
    first = ssl_on(test_dial(&core), ctx, NULL);
    assert_int_equal(SSL_connect(first), 1);
    ssl_hears(first, "secured\r\n");
    tls_server_drop(core.tls);
    tls_current_set(current, make_server());
    core.tls = tls_current_get(current);
    ssl_says(first, "ECHO still here\r\n");
    ssl_hears(first, "still here\r\n");

    second = ssl_on(test_dial(&core), ctx, NULL);
    SSL_set_session(second, kept_session);
    assert_int_equal(SSL_connect(second), 1);
    ssl_hears(second, "secured\r\n");
    assert_true(SSL_session_reused(second));
    SSL_CTX_up_ref(ctx);
    ssl_end(first, ctx);
    ssl_end(second, ctx);
    test_core_closed(&core);
    test_core_closed(&core);
    SSL_SESSION_free(kept_session);
    kept_session = NULL;
    tls_server_drop(core.tls);
    tls_current_free(current);
}

static void test_reload_and_resume(void **state)
{
    (void)state;
    resume_after_reload(TLS1_2_VERSION);
    resume_after_reload(TLS1_3_VERSION);
}

static void test_relay(void **state)
{
    SSL_CTX *ctx = client_context(0);
    static char much[3000000];
    int pair[2];
    SSL *ssl;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    core.relay_fd = pair[0];
    core.tls_first = true;
    ssl = ssl_on(test_dial(&core), ctx, NULL);
    assert_int_equal(SSL_connect(ssl), 1);
    ssl_hears(ssl, "secured\r\n");
    ssl_says(ssl, "RELAY\r\npast the gate\r\n");
    client_hears(pair[1], "past the gate\r\n");
    client_says(pair[1], S("from the vault\r\n"));
    ssl_hears(ssl, "from the vault\r\n");
    memset(much, 'x',
           sizeof(much)); /* the answer is read while it is written: by the same thread, in pieces */
    for (size_t at = 0; at < sizeof(much); at += 30000) {
        char end[] = "\r\n";

        client_says(pair[1], (struct str){much + at, 30000});
        client_says(pair[1], (struct str){end, 2});
        ssl_hears_fill(ssl, 30000);
    }
    close(pair[1]);
    ssl_hears(ssl, "back\r\nearly\r\n");
    ssl_end(ssl, ctx);
    assert_int_equal(test_core_closed(&core), CONN_EOF);
}

/* ---- our client */

static struct {
    struct tls_client *client;
    struct str name;
    bool must_verify;
    int closed[2];
    enum tls_verdict verdict;
    bool resumed;
    char said[64], trouble[64], secrets[3][200], cipher[128];
} ours;

static void note_secret(char out[200], bool has, struct buf *b)
{
    struct buf hex = buf_make(199);

    hex_encode(&hex, buf_str(b));
    snprintf(out, 200, "%s%.*s", has ? "" : "none", STR_ARG(buf_str(&hex)));
    buf_free(&hex);
    buf_free(b);
}

static void note_secrets(const struct tls *tls, char out[3][200])
{
    struct buf b = buf_make(100);

    note_secret(out[0], tls_exporter(tls, &b), &b);
    note_secret(out[1], tls_server_end_point(tls, &b), &b);
    note_secret(out[2], tls_unique(tls, &b), &b);
}

static void ours_opened(struct conn *c)
{
    conn_start_tls_client(c, ours.client, ours.name, ours.must_verify);
}

static void ours_secured(struct conn *c)
{
    const struct tls *tls = conn_tls(c);

    ours.verdict = tls_verdict(tls);
    ours.resumed = tls_is_resumed(tls);
    note_secrets(tls, ours.secrets);
    snprintf(ours.cipher, sizeof(ours.cipher), "%s %s %d", tls_version(tls), tls_cipher(tls),
             tls_cipher_bits(tls));
}

static void ours_input(struct conn *c, struct str *bytes)
{
    size_t at;

    if (!str_find(*bytes, S("\r\n"), &at))
        return;
    snprintf(ours.said, sizeof(ours.said), "%.*s", (int)at, bytes->p);
    *bytes = str_from(*bytes, at + 2);
    conn_close(c);
}

static void ours_closed(struct conn *c, enum conn_end end)
{
    char byte = (char)end;

    snprintf(ours.trouble, sizeof(ours.trouble), "%s", conn_tls_trouble(c));
    assert_int_equal(write(ours.closed[1], &byte, 1), 1);
}

static const struct conn_ops ours_ops = {
    .opened = ours_opened, .secured = ours_secured, .input = ours_input, .closed = ours_closed};

static char server_secrets[3][200];

static void note_server_secrets(struct test_core *of)
{
    note_secrets(conn_tls(of->conn), server_secrets);
}

static enum conn_end run_ours(void)
{
    int fds[2];
    char byte;

    core.tls_first = true;
    core.secured = note_server_secrets;
    tcp_pair(fds);
    ours.said[0] = 0;
    assert_int_equal(pipe(ours.closed), 0);
    assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(conn_adopt(&cx, t.loop, fds[1], STR_NONE, &test_ops, &core), OK);
    assert_int_equal(conn_adopt(&cx, t.loop, fds[0], STR_NONE, &ours_ops, NULL), OK);
    assert_int_equal(read(ours.closed[0], &byte, 1), 1);
    test_core_closed(&core);
    close(ours.closed[0]);
    close(ours.closed[1]);
    return (enum conn_end)byte;
}

static void test_client_verdicts(void **state)
{
    static const struct {
        bool trusts;
        const char *name;
        bool must;
        enum conn_end end;
        enum tls_verdict verdict;
        const char *why;
    } rows[] = {
        {true, "mail.acompany.test", true, CONN_CLOSED, TLS_VERIFIED, "all is well"},
        {true, "127.0.0.1", true, CONN_CLOSED, TLS_VERIFIED, "an address is a name too"},
        {true, "mail.acompany.test", false, CONN_CLOSED, TLS_VERIFIED, "reported if not asked for"},
        {true, "mx.acompany.test", false, CONN_CLOSED, TLS_OTHER_NAME, "another name, reported"},
        {true, "mx.acompany.test", true, CONN_TLS_FAILED, TLS_OTHER_NAME, "another name, refused"},
        {false, "mail.acompany.test", false, CONN_CLOSED, TLS_UNTRUSTED, "who knows, reported"},
        {false, "mail.acompany.test", true, CONN_TLS_FAILED, TLS_UNTRUSTED, "who knows, refused"},
        {true, "", false, CONN_CLOSED, TLS_OTHER_NAME, "no name is no match"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        enum conn_end end;

        assert_int_equal(tls_client_new(&cx, rows[i].trusts ? buf_str(&chain) : STR_NONE, &ours.client),
                         OK);
        ours.name = str_from_c(rows[i].name);
        ours.must_verify = rows[i].must;
        end = run_ours();
        if (end != rows[i].end || (end == CONN_CLOSED && ours.verdict != rows[i].verdict))
            fail_msg("row %zu: %s: ended %d, verdict %d, %s", i, rows[i].why, end, ours.verdict,
                     ours.trouble);
        assert_int_equal(ours.trouble[0] != 0, end == CONN_TLS_FAILED);
        assert_string_equal(ours.said, end == CONN_CLOSED ? "secured" : "");
        tls_client_free(ours.client);
    }
}

/* Both ends come to the same secrets, of the types that the version has. */
static void test_channel_bindings(void **state)
{
    static const struct {
        int version;
        bool extended_master_secret, has_exporter, has_unique;
        const char *cipher;
    } rows[] = {
        {TLS1_3_VERSION, true, true, false, "TLSv1.3 TLS_AES_256_GCM_SHA384 256"},
        {TLS1_2_VERSION, true, true, true, "TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 256"},
        {TLS1_2_VERSION, false, false, false, "TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 256"},
    };

    (void)state;
    ours.name = S("mail.acompany.test");
    ours.must_verify = false;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        assert_int_equal(tls_client_new(&cx, STR_NONE, &ours.client), OK);
        SSL_CTX_set_max_proto_version(ours.client->ctx, rows[i].version);
        if (!rows[i].extended_master_secret)
            SSL_CTX_set_options(ours.client->ctx, SSL_OP_NO_EXTENDED_MASTER_SECRET);
        assert_int_equal(run_ours(), CONN_CLOSED);
        for (size_t k = 0; k < 3; k++)
            assert_string_equal(ours.secrets[k], server_secrets[k]);
        assert_int_equal(strcmp(ours.secrets[0], "none") != 0, rows[i].has_exporter);
        assert_int_equal(strlen(ours.secrets[1]), 64); /* SHA-256, whatever the version */
        assert_int_equal(strcmp(ours.secrets[2], "none") != 0, rows[i].has_unique);
        assert_string_equal(ours.cipher, rows[i].cipher);
        tls_client_free(ours.client);
    }
}

/* ---- certificates */

static void test_bad_certificates(void **state)
{
    const struct {
        struct str chain, key;
        const char *cause;
    } rows[] = {
        {S(""), buf_str(&key), "certificate: no start line"},
        {S("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), buf_str(&key),
         "certificate: "},
        {buf_str(&chain), S(""), "private key: "},
        {buf_str(&chain), buf_str(&other_key), "private key: key values mismatch"},
        {buf_str(&key), buf_str(&key), "certificate: no start line"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct tls_pair pair = {rows[i].chain, rows[i].key};
        struct tls_server *s = NULL;

        assert_int_equal(tls_server_new(&cx, &pair, 1, &s), ERR_CONFIG);
        if (!str_starts(str_from_c(cx.cause), str_from_c(rows[i].cause)))
            fail_msg("row %zu: %s", i, cx.cause);
    }
}

static void test_selfsigned(void **state)
{
    static const struct str bad[] = {S(""), S("gr\xc3\xbc\xc3\x9f.test"), S("a\0b")};
    struct buf c = buf_make(10000), k = buf_make(10000);
    int64_t nine_years = now_ms() / 1000 + (int64_t)9 * 365 * 86400;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(tls_selfsigned(&cx, &bad[i], 1, &c, &k), ERR_CONFIG);
    assert_int_equal(tls_selfsigned(&cx, bad, 0, &c, &k), ERR_CONFIG);
    assert_int_equal(c.n + k.n, 0);
    assert_true(tls_server_expires(server, 0) > nine_years);
    assert_int_equal(tls_server_expires(server, 2), 0);
}

#define TLS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TLS_TEST(test_from_the_first_byte),
        TLS_TEST(test_starttls_and_injection),
        TLS_TEST(test_starttls_with_words_unsent),
        TLS_TEST(test_plain_instead_of_handshake),
        TLS_TEST(test_versions),
        TLS_TEST(test_sni),
        TLS_TEST(test_reload_and_resume),
        TLS_TEST(test_relay),
        TLS_TEST(test_client_verdicts),
        TLS_TEST(test_channel_bindings),
        TLS_TEST(test_bad_certificates),
        TLS_TEST(test_selfsigned),
    };

    return cmocka_run_group_tests(tests, make_certificates, free_certificates);
}
