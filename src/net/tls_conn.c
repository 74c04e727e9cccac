/* TLS on a connection: OpenSSL on the socket itself, non-blocking. A want of the other direction in read() is kept
 * in wants_write; write() never wants to read, since there is no renegotiation. */
#include "net/conn_private.h"
#include "net/tls_private.h"

#include "base/arena.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static enum io failed(struct tls *t)
{
    tls_trouble(t->trouble, sizeof(t->trouble));
    errno = EPROTO;
    return IO_FAILED;
}

static bool name_matches(const struct tls *t)
{
    X509 *x = SSL_get0_peer_certificate(t->ssl);

    if (!x || !t->name)
        return false;
    return X509_check_host(x, t->name, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1 ||
           X509_check_ip_asc(x, t->name, 0) == 1;
}

/* In a client, when the handshake is done: remember what the certificate is worth. */
static enum io judge(struct tls *t)
{
    long result = SSL_get_verify_result(t->ssl);

    t->verdict = result != X509_V_OK ? TLS_UNTRUSTED : name_matches(t) ? TLS_VERIFIED : TLS_OTHER_NAME;
    if (!t->must_verify || t->verdict == TLS_VERIFIED)
        return IO_DONE;
    snprintf(t->trouble, sizeof(t->trouble), "%s", tls_verdict_text(t));
    return IO_FAILED;
}

static enum io handshake(struct tls *t)
{
    int r;

    ERR_clear_error();
    r = SSL_do_handshake(t->ssl);
    t->wants_write = false;
    if (r == 1)
        return t->server ? IO_DONE : judge(t);
    switch (SSL_get_error(t->ssl, r)) {
    case SSL_ERROR_WANT_READ:
        return IO_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        t->wants_write = true;
        return IO_AGAIN;
    default:
        return failed(t);
    }
}

static enum io why_no_bytes(struct tls *t, int r)
{
    switch (SSL_get_error(t->ssl, r)) {
    case SSL_ERROR_WANT_READ:
        return IO_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        t->wants_write = true;
        return IO_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return IO_EOF;
    case SSL_ERROR_SYSCALL:
        return IO_FAILED; /* errno */
    default:
        return failed(t);
    }
}

/* One record a call of SSL_read_ex, but read_ahead may have fetched several, of which epoll knows nothing: go on
 * as long as OpenSSL holds bytes. An end or an error behind good bytes is left for the next call. */
static enum io tls_read(struct tls *t, char *p, size_t n, size_t *got, bool *more)
{
    *got = 0;
    *more = false;
    t->wants_write = false;
    do {
        size_t now = 0;
        int r;

        ERR_clear_error();
        r = SSL_read_ex(t->ssl, p + *got, n - *got, &now);
        if (r != 1) {
            enum io io = why_no_bytes(t, r);

            *more = io != IO_AGAIN;
            return *got ? IO_DONE : io;
        }
        *got += now;
    } while (*got < n && SSL_has_pending(t->ssl));
    *more = *got == n;
    return IO_DONE;
}

static enum io tls_write(struct tls *t, struct str s, size_t *put)
{
    int r;

    ERR_clear_error();
    r = SSL_write_ex(t->ssl, s.p, s.n, put);
    if (r == 1)
        return IO_DONE;
    switch (SSL_get_error(t->ssl, r)) {
    case SSL_ERROR_WANT_WRITE:
        return IO_AGAIN;
    case SSL_ERROR_SYSCALL:
        return IO_FAILED;
    default:
        return failed(t);
    }
}

static void say_goodbye(struct tls *t)
{
    if (!SSL_in_init(t->ssl))
        SSL_shutdown(t->ssl);
    ERR_clear_error();
}

static void tls_free(struct tls *t)
{
    SSL_free(t->ssl);
    tls_server_drop(t->server);
    free(t->name);
    free(t);
}

static const struct tls_io io = {handshake, tls_read, tls_write, say_goodbye, tls_free};

static struct tls *tls_new(struct conn *c, SSL_CTX *ctx)
{
    struct tls *t = must_alloc(sizeof(*t));

    t->io = &io;
    t->ssl = SSL_new(ctx);
    if (!t->ssl || !SSL_set_fd(t->ssl, conn_fd(c))) {
        tls_trouble(t->trouble, sizeof(t->trouble));
        fprintf(stderr, "posthorn: no memory for TLS: %s\n", t->trouble);
        abort();
    }
    return t;
}

void conn_start_tls(struct conn *c, struct tls_server *server)
{
    struct tls *t = tls_new(c, server->ctx[0]);

    t->server = tls_server_hold(server);
    SSL_set_accept_state(t->ssl);
    conn_begin_tls(c, t);
}

void conn_start_tls_client(struct conn *c, struct tls_client *client, struct str name, bool must_verify)
{
    struct tls *t = tls_new(c, client->ctx);
    struct endpoint ip;

    t->must_verify = must_verify;
    if (name.n && !memchr(name.p, 0, name.n)) {
        t->name = must_alloc(name.n + 1);
        memcpy(t->name, name.p, name.n);
    }
    SSL_set_connect_state(t->ssl);
    if (t->name && !parse_ip(name, &ip)) /* RFC 6066 §3: no addresses */
        SSL_set_tlsext_host_name(t->ssl, t->name);
    conn_begin_tls(c, t);
}

/* ---- questions */

const char *tls_version(const struct tls *t)
{
    return SSL_get_version(t->ssl);
}

const char *tls_cipher(const struct tls *t)
{
    const SSL_CIPHER *c = SSL_get_current_cipher(t->ssl);
    const char *name = c ? SSL_CIPHER_standard_name(c) : NULL;

    return name ? name : "unknown";
}

int tls_cipher_bits(const struct tls *t)
{
    return SSL_get_cipher_bits(t->ssl, NULL);
}

bool tls_is_resumed(const struct tls *t)
{
    return SSL_session_reused(t->ssl);
}

enum tls_verdict tls_verdict(const struct tls *t)
{
    return t->verdict;
}

const char *tls_verdict_text(const struct tls *t)
{
    if (t->verdict == TLS_OTHER_NAME)
        return "the certificate is for another name";
    return X509_verify_cert_error_string(SSL_get_verify_result(t->ssl));
}

/* TLS 1.3, or 1.2 with the extended master secret: else two connections could share the secret (RFC 7627). */
static bool is_bound_to_itself(const struct tls *t)
{
    return SSL_version(t->ssl) >= TLS1_3_VERSION || SSL_get_extms_support(t->ssl) == 1;
}

bool tls_exporter(const struct tls *t, struct buf *out)
{
    static const char label[] = "EXPORTER-Channel-Binding";
    unsigned char secret[32];

    if (!is_bound_to_itself(t) || SSL_export_keying_material(t->ssl, secret, sizeof(secret), label,
                                                             sizeof(label) - 1, NULL, 0, 1) != 1)
        return false;
    buf_add(out, (struct str){(const char *)secret, sizeof(secret)});
    return true;
}

/* The digest of the signature's algorithm, but SHA-256 instead of MD5 and SHA-1 (RFC 5929 §4.1). */
static const EVP_MD *end_point_digest(const X509 *x)
{
    int digest = NID_undef, key;

    if (!OBJ_find_sigid_algs(X509_get_signature_nid(x), &digest, &key) || digest == NID_undef)
        return NULL; /* Ed25519 has none, so there is no binding */
    return digest == NID_md5 || digest == NID_sha1 ? EVP_sha256() : EVP_get_digestbynid(digest);
}

bool tls_server_end_point(const struct tls *t, struct buf *out)
{
    const X509 *x = t->server ? SSL_get_certificate(t->ssl) : SSL_get0_peer_certificate(t->ssl);
    const EVP_MD *md = x ? end_point_digest(x) : NULL;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    if (!md || !X509_digest(x, md, digest, &n))
        return false;
    buf_add(out, (struct str){(const char *)digest, n});
    return true;
}

/* The first Finished message of the handshake: the client's, or the server's if the session was resumed. */
bool tls_unique(const struct tls *t, struct buf *out)
{
    unsigned char finished[EVP_MAX_MD_SIZE];
    bool client_first = !SSL_session_reused(t->ssl), is_client = !t->server;
    size_t n;

    if (SSL_version(t->ssl) >= TLS1_3_VERSION || !is_bound_to_itself(t))
        return false;
    n = client_first == is_client ? SSL_get_finished(t->ssl, finished, sizeof(finished))
                                  : SSL_get_peer_finished(t->ssl, finished, sizeof(finished));
    buf_add(out, (struct str){(const char *)finished, n});
    return n > 0;
}
