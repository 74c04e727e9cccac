#include "vault/signon/keyed.h"

#include "base/buf.h"
#include "base/codec.h"
#include "base/pack.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

struct keyed keyed_random(void)
{
    struct keyed key;

    random_bytes(key.v, sizeof(key.v));
    return key;
}

struct keyed keyed_digest(const struct keyed *key, struct str a, struct str b)
{
    struct buf in = buf_make(BUF_UNLIMITED);
    struct keyed out;
    unsigned size = sizeof(out.v);
    const unsigned char *done;

    pack_bytes(&in, a); /* carries its length */
    buf_add(&in, b);
    done = HMAC(EVP_sha256(), key->v, sizeof(key->v), (const unsigned char *)in.p, in.n, out.v, &size);
    assert(done && size == sizeof(out.v));
    OPENSSL_cleanse(in.p, in.n);
    buf_free(&in);
    return out;
}

bool keyed_same(const struct keyed *a, const struct keyed *b)
{
    return CRYPTO_memcmp(a->v, b->v, sizeof(a->v)) == 0;
}
