#include "control/certificates.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "control/layout.h"
#include "control/settings.h"
#include "net/tls_selfsigned.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LONGEST_PEM ((size_t)256 * 1024)

static void free_bio(BIO **b)
{
    BIO_free(*b);
}
static void free_x509(X509 **x)
{
    X509_free(*x);
}
static void free_key(EVP_PKEY **k)
{
    EVP_PKEY_free(*k);
}

/* A key with a passphrase is refused instead of asked for. */
static int no_passphrase(char *out, int size, int writing, void *arg)
{
    (void)out, (void)size, (void)writing, (void)arg;
    return -1;
}

static X509 *parse_certificate(struct str pem)
{
    scoped(free_bio) BIO *in = BIO_new_mem_buf(pem.p, (int)pem.n);

    return PEM_read_bio_X509(in, NULL, no_passphrase, NULL);
}

static EVP_PKEY *parse_key(struct str pem)
{
    scoped(free_bio) BIO *in = BIO_new_mem_buf(pem.p, (int)pem.n);

    return PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL);
}

static enum err check_pair(struct cx *cx, const struct certificate *pair, const char *chain_file,
                           const char *key_file)
{
    scoped(free_x509) X509 *certificate = parse_certificate(pair->chain_pem);
    scoped(free_key) EVP_PKEY *key = parse_key(pair->key_pem);

    ERR_clear_error();
    if (!certificate)
        return fail(cx, ERR_CONFIG, "%s: expected a certificate (PEM)", chain_file);
    if (!key)
        return fail(cx, ERR_CONFIG, "%s: expected a private key without passphrase (PEM)", key_file);
    if (!X509_check_private_key(certificate, key)) {
        ERR_clear_error();
        return fail(cx, ERR_CONFIG, "%s: this key does not belong to the certificate %s", key_file,
                    chain_file);
    }
    return OK;
}

static enum err read_text(struct cx *cx, const char *file, struct arena *arena, struct str *out)
{
    scoped(buf_free) struct buf text = buf_make(LONGEST_PEM + 65536);
    enum err e = file_read(cx, file, LONGEST_PEM, &text);

    if (!e)
        *out = str_copy(arena, buf_str(&text));
    return e;
}

static enum err read_pair(struct cx *cx, const char *chain_file, const char *key_file,
                          struct arena *arena, struct certificate *out)
{
    enum err e;

    if ((e = read_text(cx, chain_file, arena, &out->chain_pem)) ||
        (e = read_text(cx, key_file, arena, &out->key_pem)))
        return e;
    return check_pair(cx, out, chain_file, key_file);
}

/* Under another name first: a certificate is there whole or not at all. */
static enum err write_file(struct cx *cx, const char *path, mode_t mode, struct str bytes)
{
    char *part = arena_alloc(cx->arena, strlen(path) + 6);
    scoped(close_fd) int fd = -1;

    snprintf(part, strlen(path) + 6, "%s.part", path);
    fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0 || fchmod(fd, mode) || write(fd, bytes.p, bytes.n) != (ssize_t)bytes.n || fsync(fd) ||
        rename(part, path))
        return fail(cx, ERR_SYSTEM, "%s: %s", path, strerror(errno));
    return OK;
}

/* The key first, so that a certificate is never without one. */
static enum err make_own(struct cx *cx, const struct config *config, const char *chain_file,
                         const char *key_file)
{
    scoped(buf_free) struct buf chain = buf_make(LONGEST_PEM), key = buf_make(LONGEST_PEM);
    enum err e = tls_selfsigned(cx, &config->hostname, 1, &chain, &key);

    if (e || (e = write_file(cx, key_file, 0600, buf_str(&key))))
        return e;
    e = write_file(cx, chain_file, 0644, buf_str(&chain));
    if (!e)
        log_line(LOG_INFO, "certificate-made", "file=%s name=%s", log_value(str_from_c(chain_file)),
                 log_value(config->hostname));
    return e;
}

static enum err read_own(struct cx *cx, const struct config *config, struct arena *arena,
                         struct certificate *out)
{
    const char *chain_file = layout_path(cx, config, "tls/cert.pem");
    const char *key_file = layout_path(cx, config, "tls/key.pem");
    enum err e;

    if (access(chain_file, F_OK) && errno == ENOENT && (e = make_own(cx, config, chain_file, key_file)))
        return e;
    return read_pair(cx, chain_file, key_file, arena, out);
}

enum err certificates_read(struct cx *cx, const struct config *config, struct arena *arena,
                           struct certificate **out, size_t *count)
{
    size_t n = config->tls_count ? config->tls_count : 1;
    struct certificate *pairs = arena_array(arena, struct certificate, n);
    enum err e = config->tls_count ? OK : read_own(cx, config, arena, &pairs[0]);

    for (size_t i = 0; !e && i < config->tls_count; i++)
        e = read_pair(cx, config->tls[i].certificate.p, config->tls[i].key.p, arena, &pairs[i]);
    if (e)
        return e;
    *out = pairs;
    *count = n;
    return OK;
}

static enum err read_end(struct cx *cx, const char *file, int64_t *ms)
{
    scoped(free_x509) X509 *certificate = NULL;
    struct str pem;
    struct tm tm;
    enum err e = read_text(cx, file, cx->arena, &pem);

    if (e)
        return e;
    certificate = parse_certificate(pem);
    if (!certificate || !ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm))
        return fail(cx, ERR_CONFIG, "%s: expected a certificate (PEM)", file);
    *ms = (int64_t)timegm(&tm) * 1000;
    return OK;
}

enum err certificates_end(struct cx *cx, const struct config *config, int64_t *ms)
{
    int64_t first = INT64_MAX, end;
    enum err e = OK;

    if (!config->tls_count)
        return read_end(cx, layout_path(cx, config, "tls/cert.pem"), ms);
    for (size_t i = 0; !e && i < config->tls_count; i++) {
        e = read_end(cx, config->tls[i].certificate.p, &end);
        if (!e && end < first)
            first = end;
    }
    if (!e)
        *ms = first;
    return e;
}
