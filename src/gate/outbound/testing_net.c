/* A resolver that answers from a zone, and servers that follow a script. */
#include "base/arena.h"
#include "base/scoped.h"
#include "gate/outbound/testing.h"
#include "net/resolver.h"
#include "net/tls_selfsigned.h"
#include "testing/conversation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <cmocka.h>

static struct str take_word(struct str *s)
{
    struct str word;

    if (!take_until(s, ' ', &word)) {
        word = *s;
        *s = STR_NONE;
    }
    return word;
}

/* ---- the resolver ---- */

static struct str zone;
static struct loop *zone_loop;

struct asked {
    struct watch watch; /* the first member */
    char name[256];
    enum dns_type type;
    dns_callback *callback;
    void *arg;
};

void fake_zone(const char *text, struct loop *loop)
{
    zone = str_from_c(text);
    zone_loop = loop;
}

static enum dns_outcome outcome_of(struct str *words)
{
    return take_text(words, S("FAILED")) ? DNS_FAILED : DNS_OK;
}

static void read_record(struct str words, enum dns_type type, struct dns_answer *a, struct dns_mx *mx,
                        struct endpoint *addresses)
{
    a->outcome = outcome_of(&words);
    while (words.n) {
        struct str word = take_word(&words);
        uint32_t preference;

        if (type != DNS_MX) {
            assert_true(parse_ip(word, &addresses[a->address_count++]));
            continue;
        }
        assert_true(parse_u32(word, &preference));
        word = take_word(&words);
        mx[a->mx_count++] =
            (struct dns_mx){(uint16_t)preference, str_same(word, S(".")) ? STR_NONE : word};
    }
}

static bool answer(struct watch *w, unsigned what)
{
    struct asked *q = (struct asked *)w;
    struct dns_mx mx[8];
    struct endpoint addresses[8];
    struct dns_answer a = {
        .outcome = DNS_NXDOMAIN, .trouble = "SERVFAIL", .mx = mx, .addresses = addresses};
    struct str rest = zone, line,
               type = q->type == DNS_MX  ? S("MX")
                      : q->type == DNS_A ? S("A")
                                         : S("AAAA");

    (void)what;
    while (take_until(&rest, '\n', &line)) {
        if (!str_same(take_word(&line), str_from_c(q->name)))
            continue;
        if (a.outcome == DNS_NXDOMAIN)
            a.outcome = DNS_NODATA;
        if (str_same(take_word(&line), type))
            read_record(line, q->type, &a, mx, addresses);
    }
    q->callback(q->arg, &a);
    watch_close(w);
    free(q);
    return false;
}

enum err resolver_ask(struct cx *cx, struct resolver *r, struct str name, enum dns_type type,
                      int64_t timeout_ms, dns_callback *callback, void *arg)
{
    struct asked *q = must_alloc(sizeof(*q));
    enum err e;

    (void)r;
    (void)timeout_ms;
    *q =
        (struct asked){.watch = watch_make(answer, -1), .type = type, .callback = callback, .arg = arg};
    snprintf(q->name, sizeof(q->name), "%.*s", STR_ARG(name));
    e = watch_open(cx, zone_loop, &q->watch);
    if (e)
        free(q);
    else
        watch_start(&q->watch, WATCH_WOKEN);
    return e;
}

/* ---- a server ---- */

struct smtp_script {
    pthread_t thread;
    int listener, fd;
    struct str rest;
    SSL_CTX *ctx;
    SSL *ssl;
    char in[65536];
    size_t n, at;
    char trouble[300];
    int stalled[2]; /* a byte comes when it says nothing any more */
};

static void complain(struct smtp_script *s, const char *what, struct str expected, struct str got)
{
    if (!s->trouble[0])
        snprintf(s->trouble, sizeof(s->trouble), "%s: expected \"%.*s\", got \"%.*s\"", what,
                 STR_ARG(expected), STR_ARG(got));
}

static bool receive(struct smtp_script *s)
{
    ssize_t n = s->ssl ? SSL_read(s->ssl, s->in, sizeof(s->in)) : read(s->fd, s->in, sizeof(s->in));

    s->at = 0;
    s->n = n > 0 ? (size_t)n : 0;
    return n > 0;
}

static bool get(struct smtp_script *s, char *c)
{
    if (s->at == s->n && !receive(s))
        return false;
    *c = s->in[s->at++];
    return true;
}

static void say(struct smtp_script *s, struct str text)
{
    struct buf b = buf_make(BUF_UNLIMITED);

    buf_add(&b, text);
    buf_add(&b, S("\r\n"));
    if (s->ssl)
        SSL_write(s->ssl, b.p, (int)b.n);
    else if (send(s->fd, b.p, b.n, MSG_NOSIGNAL) < 0)
        complain(s, "it has gone", text, STR_NONE);
    buf_free(&b);
}

static void hear(struct smtp_script *s, struct str glob)
{
    struct buf line = buf_make(10000);
    char c = 0;
    bool ok;

    while ((ok = get(s, &c)) && c != '\n')
        if (c != '\r')
            buf_add_char(&line, c);
    if (!ok || !glob_match(glob, buf_str(&line)))
        complain(s, "heard", glob, buf_str(&line));
    buf_free(&line);
}

static void count(struct smtp_script *s, struct str number)
{
    static const char end[] = "\r\n.\r\n";
    uint64_t expected = 0, n = 0;
    size_t matched = 0;
    char got[40], c;

    parse_u64(number, &expected);
    while (matched < 5 && get(s, &c)) {
        n++;
        matched = c == end[matched] ? matched + 1 : c == '\r';
    }
    if (n != expected + 5) { /* the last line had no end, and gets one */
        snprintf(got, sizeof(got), "%llu", (unsigned long long)n);
        complain(s, "bytes", number, str_from_c(got));
    }
}

static void start_tls(struct smtp_script *s)
{
    s->ssl = SSL_new(s->ctx);
    SSL_set_fd(s->ssl, s->fd);
    if (SSL_accept(s->ssl) != 1)
        complain(s, "handshake", STR_NONE, STR_NONE);
}

static void serve_one(struct smtp_script *s)
{
    struct str line;
    char c;

    s->n = s->at = 0;
    while (take_until(&s->rest, '\n', &line) && !str_same(line, S("close"))) {
        if (take_text(&line, S("S ")))
            say(s, line);
        else if (take_text(&line, S("C ")))
            hear(s, line);
        else if (take_text(&line, S("count ")))
            count(s, line);
        else if (str_same(line, S("tls")))
            start_tls(s);
        else if (str_same(line, S("stall"))) {
            assert_int_equal(write(s->stalled[1], "", 1), 1);
            while (get(s, &c))
                ;
        }
    }
    SSL_free(s->ssl);
    s->ssl = NULL;
}

static void *serve(void *arg)
{
    struct smtp_script *s = arg;

    while (s->rest.n) {
        s->fd = accept(s->listener, NULL, NULL);
        if (s->fd < 0) {
            complain(s, "nobody came for", s->rest, STR_NONE);
            return NULL;
        }
        serve_one(s);
        close_fd(&s->fd);
    }
    return NULL;
}

static SSL_CTX *server_ctx(void)
{
    struct cx cx = {.arena = arena_new(0)};
    struct buf chain = buf_make(1 << 16), key = buf_make(1 << 16);
    struct str name = S("mx1");
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *k;
    X509 *x;
    BIO *b;

    assert_int_equal(tls_selfsigned(&cx, &name, 1, &chain, &key), OK);
    b = BIO_new_mem_buf(chain.p, (int)chain.n);
    x = PEM_read_bio_X509(b, NULL, NULL, NULL);
    assert_int_equal(SSL_CTX_use_certificate(ctx, x), 1);
    X509_free(x);
    BIO_free(b);
    b = BIO_new_mem_buf(key.p, (int)key.n);
    k = PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, k), 1);
    EVP_PKEY_free(k);
    BIO_free(b);
    buf_free(&chain);
    buf_free(&key);
    arena_free(cx.arena);
    return ctx;
}

struct smtp_script *smtp_script_run(unsigned x, uint16_t *port, const char *script)
{
    struct smtp_script *s = must_alloc(sizeof(*s));
    struct endpoint e = {.v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000000 + x)}};
    socklen_t n = sizeof(e);
    int on = 1;

    s->fd = -1;
    assert_int_equal(pipe(s->stalled), 0);
    s->rest = str_from_c(script);
    s->ctx = server_ctx();
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    endpoint_set_port(&e, *port);
    assert_int_equal(bind(s->listener, &e.any, endpoint_size(&e)), 0);
    assert_int_equal(listen(s->listener, 64), 0);
    assert_int_equal(getsockname(s->listener, &e.any, &n), 0);
    *port = endpoint_port(&e);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
    return s;
}

void smtp_script_await_stall(struct smtp_script *s)
{
    char c;

    assert_int_equal(read(s->stalled[0], &c, 1), 1);
}

bool smtp_script_end(struct smtp_script *s, char trouble[300])
{
    bool ok;

    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close_fd(&s->listener);
    close_fd(&s->stalled[0]);
    close_fd(&s->stalled[1]);
    SSL_CTX_free(s->ctx);
    memcpy(trouble, s->trouble, sizeof(s->trouble));
    ok = !trouble[0];
    free(s);
    return ok;
}
