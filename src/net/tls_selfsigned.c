#include "net/tls_selfsigned.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "net/sockaddr.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#define TEN_YEARS_S (3650L * 24 * 3600)
#define MOST_NAME 253 /* RFC 1035 §3.1, as text */

static void free_x509(X509 **x)
{
    X509_free(*x);
}
static void free_key(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}
static void free_bio(BIO **b)
{
    BIO_free(*b);
}
static void free_names(GENERAL_NAMES **names)
{
    GENERAL_NAMES_free(*names);
}

static bool set_number_and_dates(X509 *x)
{
    unsigned char serial[16];
    BIGNUM *n;
    bool ok;

    if (RAND_bytes(serial, sizeof(serial)) != 1)
        return false;
    serial[0] &= 0x7f; /* RFC 5280 §4.1.2.2: positive */
    n = BN_bin2bn(serial, sizeof(serial), NULL);
    ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) && X509_set_version(x, X509_VERSION_3) &&
         X509_gmtime_adj(X509_getm_notBefore(x), -24 * 3600) && /* clocks differ */
         X509_gmtime_adj(X509_getm_notAfter(x), TEN_YEARS_S);
    BN_free(n);
    return ok;
}

static bool set_subject(X509 *x, struct str name)
{
    X509_NAME *subject = X509_get_subject_name(x);
    struct str cn = str_upto(name, 64); /* RFC 5280 A.1: ub-common-name; the full name is below */

    return X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
                                      (const unsigned char *)cn.p, (int)cn.n, -1, 0) == 1 &&
           X509_set_issuer_name(x, subject) == 1;
}

static bool set_octets(ASN1_STRING *s, const void *p, size_t n)
{
    return s && ASN1_STRING_set(s, p, (int)n) == 1;
}

static bool add_name(GENERAL_NAMES *names, struct str name)
{
    GENERAL_NAME *g = GENERAL_NAME_new();
    struct endpoint ip;
    ASN1_STRING *s;
    bool is_ip = parse_ip(name, &ip), ok;

    s = is_ip ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
    if (!is_ip)
        ok = set_octets(s, name.p, name.n);
    else if (ip.any.sa_family == AF_INET6)
        ok = set_octets(s, &ip.v6.sin6_addr, 16);
    else
        ok = set_octets(s, &ip.v4.sin_addr, 4);
    if (!g || !ok) {
        GENERAL_NAME_free(g);
        ASN1_STRING_free(s);
        return false;
    }
    GENERAL_NAME_set0_value(g, is_ip ? GEN_IPADD : GEN_DNS, s);
    return sk_GENERAL_NAME_push(names, g) > 0;
}

static bool set_names(X509 *x, const struct str *names, size_t count)
{
    scoped(free_names) GENERAL_NAMES *all = GENERAL_NAMES_new();

    for (size_t i = 0; i < count; i++)
        if (!all || !add_name(all, names[i]))
            return false;
    return X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0, X509V3_ADD_DEFAULT) == 1;
}

static bool add_extension(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    bool ok = e && X509_add_ext(x, e, -1) == 1;

    X509_EXTENSION_free(e);
    return ok;
}

static bool to_pem(struct buf *out, int (*write)(BIO *b, const void *what), const void *what)
{
    scoped(free_bio) BIO *b = BIO_new(BIO_s_mem());
    char *p;
    long n;

    if (!b || write(b, what) != 1)
        return false;
    n = BIO_get_mem_data(b, &p);
    buf_add(out, (struct str){p, (size_t)n});
    return !out->full;
}

static int write_certificate(BIO *b, const void *what)
{
    return PEM_write_bio_X509(b, (X509 *)(uintptr_t)what);
}

static int write_key(BIO *b, const void *what)
{
    return PEM_write_bio_PrivateKey(b, (EVP_PKEY *)(uintptr_t)what, NULL, NULL, 0, NULL, NULL);
}

static bool make(X509 *x, EVP_PKEY *key, const struct str *names, size_t count)
{
    return x && key && set_number_and_dates(x) && set_subject(x, names[0]) &&
           X509_set_pubkey(x, key) == 1 && set_names(x, names, count) &&
           add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(x, NID_key_usage, "critical,digitalSignature") &&
           add_extension(x, NID_ext_key_usage, "serverAuth") && X509_sign(x, key, EVP_sha256()) > 0;
}

enum err tls_selfsigned(struct cx *cx, const struct str *names, size_t count, struct buf *chain_pem,
                        struct buf *key_pem)
{
    scoped(free_key) EVP_PKEY *key = EVP_EC_gen("P-256");
    scoped(free_x509) X509 *x = X509_new();
    unsigned long e;

    if (count == 0)
        return fail(cx, ERR_CONFIG, "a certificate needs a host name");
    for (size_t i = 0; i < count; i++)
        if (!names[i].n || names[i].n > MOST_NAME || !is_ascii(names[i]) ||
            memchr(names[i].p, 0, names[i].n))
            return fail(cx, ERR_CONFIG, "not a host name: %.*s", STR_ARG(names[i]));
    if (make(x, key, names, count) && to_pem(chain_pem, write_certificate, x) &&
        to_pem(key_pem, write_key, key))
        return OK;
    e = ERR_peek_last_error();
    return fail(cx, ERR_SYSTEM, "cannot make a certificate: %s",
                e ? ERR_reason_error_string(e) : "no memory");
}
