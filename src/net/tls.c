/* Contexts. Settings that both sides share: TLS 1.2 or newer, buffers given back while a connection is quiet, one
 * read() for all that has arrived, no renegotiation. */
#include "net/tls_private.h"

#include "base/arena.h"
#include "base/scoped.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

/* For TLS 1.2; those of 1.3 are all good. Forward secrecy, best first (RFC 9325 §4.2). */
#define SERVER_CIPHERS                                                                                 \
    "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:ECDHE+AES:DHE+AES:!aNULL:!DSS"
/* To strangers whose alternative is no TLS at all: also without forward secrecy (RFC 7435). */
#define CLIENT_CIPHERS SERVER_CIPHERS ":RSA+AESGCM:RSA+AES"

void tls_trouble(char *out, size_t size)
{
    unsigned long e = ERR_peek_last_error();
    const char *reason = e ? ERR_reason_error_string(e) : NULL;

    snprintf(out, size, "%s", reason ? reason : "the peer has gone away");
    ERR_clear_error();
}

static enum err fail_tls(struct cx *cx, const char *what)
{
    char trouble[128];

    tls_trouble(trouble, sizeof(trouble));
    return fail(cx, ERR_CONFIG, "%s: %s", what, trouble);
}

static SSL_CTX *new_context(const SSL_METHOD *method, const char *ciphers)
{
    SSL_CTX *ctx = SSL_CTX_new(method);

    if (!ctx || !SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) ||
        !SSL_CTX_set_cipher_list(ctx, ciphers)) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                 SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(ctx, 1);
    return ctx;
}

static void free_bio(BIO **b)
{
    BIO_free(*b);
}

/* A key with a password would ask on the terminal. */
static int no_password(char *p, int n, int writes, void *arg)
{
    (void)p;
    (void)n;
    (void)writes;
    (void)arg;
    return 0;
}

static BIO *bio_of(struct str s)
{
    return BIO_new_mem_buf(s.n ? s.p : "", (int)(s.n < 1 << 20 ? s.n : 1 << 20));
}

static enum err use_chain(struct cx *cx, SSL_CTX *ctx, struct str pem)
{
    scoped(free_bio) BIO *b = bio_of(pem);
    X509 *x = PEM_read_bio_X509(b, NULL, no_password, NULL);
    bool ok = x && SSL_CTX_use_certificate(ctx, x) == 1;

    X509_free(x);
    if (!ok)
        return fail_tls(cx, "certificate");
    while ((x = PEM_read_bio_X509(b, NULL, no_password, NULL)))
        if (!SSL_CTX_add0_chain_cert(ctx, x)) {
            X509_free(x);
            return fail_tls(cx, "certificate chain");
        }
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) /* that is how the end looks */
        return fail_tls(cx, "certificate chain");
    ERR_clear_error();
    return OK;
}

static enum err use_key(struct cx *cx, SSL_CTX *ctx, struct str pem)
{
    scoped(free_bio) BIO *b = bio_of(pem);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(b, NULL, no_password, NULL);
    bool ok = key && SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1;

    EVP_PKEY_free(key);
    return ok ? OK : fail_tls(cx, "private key");
}

/* ---- servers */

static int choose_by_name(SSL *ssl, int *alert, void *arg)
{
    const struct tls_server *s = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    (void)alert;
    for (size_t i = 0; name && i < s->count; i++)
        if (X509_check_host(SSL_CTX_get0_certificate(s->ctx[i]), name, 0, 0, NULL) == 1) {
            SSL_set_SSL_CTX(ssl, s->ctx[i]);
            return SSL_TLSEXT_ERR_OK;
        }
    return SSL_TLSEXT_ERR_NOACK; /* the first one; whether it will do is for the client to say */
}

static enum err server_context(struct cx *cx, const struct tls_pair *pair, struct tls_server *s,
                               size_t i)
{
    SSL_CTX *ctx = s->ctx[i] = new_context(TLS_server_method(), SERVER_CIPHERS);
    enum err e;

    if (!ctx)
        return fail_tls(cx, "TLS context");
    SSL_CTX_set_dh_auto(ctx, 1);
    SSL_CTX_set_tlsext_servername_callback(ctx, choose_by_name);
    SSL_CTX_set_tlsext_servername_arg(ctx, s);
    tls_use_tickets(ctx);
    e = use_chain(cx, ctx, pair->chain);
    return e ? e : use_key(cx, ctx, pair->key);
}

enum err tls_server_new(struct cx *cx, const struct tls_pair *pairs, size_t count,
                        struct tls_server **out)
{
    struct tls_server *s = must_alloc(sizeof(*s) + count * sizeof(SSL_CTX *));
    enum err e = count ? OK : fail(cx, ERR_CONFIG, "no certificate");

    atomic_store(&s->references, 1);
    s->count = count;
    for (size_t i = 0; i < count && !e; i++)
        e = server_context(cx, &pairs[i], s, i);
    if (e)
        tls_server_drop(s);
    else
        *out = s;
    return e;
}

struct tls_server *tls_server_hold(struct tls_server *s)
{
    atomic_fetch_add(&s->references, 1);
    return s;
}

void tls_server_drop(struct tls_server *s)
{
    if (!s || atomic_fetch_sub(&s->references, 1) > 1)
        return;
    for (size_t i = 0; i < s->count; i++)
        SSL_CTX_free(s->ctx[i]);
    free(s);
}

int64_t tls_server_expires(const struct tls_server *s, size_t pair)
{
    struct tm tm;

    if (pair >= s->count ||
        !ASN1_TIME_to_tm(X509_get0_notAfter(SSL_CTX_get0_certificate(s->ctx[pair])), &tm))
        return 0;
    return timegm(&tm);
}

/* ---- the set in use */

struct tls_current {
    pthread_mutex_t lock;
    struct tls_server *server;
};

struct tls_current *tls_current_new(void)
{
    struct tls_current *t = must_alloc(sizeof(*t));

    pthread_mutex_init(&t->lock, NULL);
    return t;
}

void tls_current_free(struct tls_current *t)
{
    if (!t)
        return;
    tls_server_drop(t->server);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

void tls_current_set(struct tls_current *t, struct tls_server *s)
{
    struct tls_server *old;

    pthread_mutex_lock(&t->lock);
    old = t->server;
    t->server = s;
    pthread_mutex_unlock(&t->lock);
    tls_server_drop(old);
}

struct tls_server *tls_current_get(struct tls_current *t)
{
    HOLD(&t->lock);
    return t->server ? tls_server_hold(t->server) : NULL;
}

/* ---- clients */

static enum err trust(struct cx *cx, SSL_CTX *ctx, struct str pem)
{
    scoped(free_bio) BIO *b = BIO_new_mem_buf(pem.n ? pem.p : "", (int)pem.n);
    size_t count = 0;
    X509 *x;

    while ((x = PEM_read_bio_X509(b, NULL, no_password, NULL))) {
        bool ok = X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), x) == 1;

        X509_free(x);
        if (!ok)
            return fail_tls(cx, "trusted roots");
        count++;
    }
    ERR_clear_error();
    return count || !pem.n ? OK : fail(cx, ERR_CONFIG, "trusted roots: no certificate among them");
}

enum err tls_client_new(struct cx *cx, struct str ca_pem, struct tls_client **out)
{
    struct tls_client *t = must_alloc(sizeof(*t));
    enum err e;

    t->ctx = new_context(TLS_client_method(), CLIENT_CIPHERS);
    if (!t->ctx) {
        free(t);
        return fail_tls(cx, "TLS context");
    }
    SSL_CTX_set_security_level(t->ctx, 1); /* old keys of others are better than none */
    SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);
    e = trust(cx, t->ctx, ca_pem);
    if (e)
        tls_client_free(t);
    else
        *out = t;
    return e;
}

void tls_client_free(struct tls_client *t)
{
    if (!t)
        return;
    SSL_CTX_free(t->ctx);
    free(t);
}
