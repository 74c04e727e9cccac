/* One ring of two keys for the whole process: all sets of certificates share it, so that a reload costs nobody his
 * session. A key makes tickets for half a day and opens them for a whole one; then it is overwritten. */
#include "net/tls_private.h"

#include "base/clock.h"
#include "base/codec.h"
#include "base/scoped.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>

#define KEY_LIFE_MS ((int64_t)12 * 3600 * 1000)
#define TICKET_LIFE_S 43200

struct ticket_key {
    unsigned char name[16], aes[32], hmac[32];
    int64_t made; /* 0: none */
};

static struct {
    pthread_mutex_t lock;
    struct ticket_key now, before;
} ring = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct ticket_key key_to_write(void)
{
    HOLD(&ring.lock);
    int64_t now = monotonic_ms();

    if (!ring.now.made || now - ring.now.made > KEY_LIFE_MS) {
        ring.before = ring.now;
        random_bytes(&ring.now, offsetof(struct ticket_key, made));
        ring.now.made = now;
    }
    return ring.now;
}

static bool key_to_read(const unsigned char *name, struct ticket_key *out)
{
    HOLD(&ring.lock);
    int64_t now = monotonic_ms();
    const struct ticket_key *keys[] = {&ring.now, &ring.before};

    for (size_t i = 0; i < 2; i++)
        if (keys[i]->made && now - keys[i]->made <= 2 * KEY_LIFE_MS &&
            memcmp(keys[i]->name, name, 16) == 0) {
            *out = *keys[i];
            return true;
        }
    return false;
}

static bool set_mac(EVP_MAC_CTX *mac, struct ticket_key *key)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->hmac, sizeof(key->hmac)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };

    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* As SSL_CTX_set_tlsext_ticket_key_evp_cb(3) wants it: 1 use it, 0 no such key, -1 failure. */
static int ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                      EVP_MAC_CTX *mac, int writes)
{
    struct ticket_key key;
    int ok;

    (void)ssl;
    if (!writes && !key_to_read(name, &key))
        return 0;
    if (writes) {
        key = key_to_write();
        memcpy(name, key.name, sizeof(key.name));
        random_bytes(iv, 16);
    }
    ok = EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.aes, iv, writes) == 1 &&
         set_mac(mac, &key);
    explicit_bzero(&key, sizeof(key));
    return ok ? 1 : -1;
}

void tls_use_tickets(SSL_CTX *ctx)
{
    SSL_CTX_set_session_cache_mode(ctx,
                                   SSL_SESS_CACHE_OFF); /* nothing is kept here: the client brings it */
    SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"posthorn", 8);
    SSL_CTX_set_num_tickets(ctx, 1);
    SSL_CTX_set_timeout(ctx, TICKET_LIFE_S);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, ticket_key);
}
