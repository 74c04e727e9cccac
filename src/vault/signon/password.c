#include "vault/signon/password.h"

#include "base/arena.h"
#include "base/codec.h"
#include "base/scoped.h"

#include <argon2.h>
#include <assert.h>
#include <gsasl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdlib.h>

enum {
    ARGON2_KIB = 19 * 1024,
    ARGON2_PASSES = 2,
    ARGON2_LANES = 1,
    ARGON2_SALT = 16,
    ARGON2_HASH = 32,
    ARGON2_TEXT = 128, /* what argon2_encodedlen() gives, rounded up */
    ARGON2_AT_ONCE = 2,
    SCRAM_SALT = 18, /* no padding in base 64 */
};

/* Compared with when there is nothing to compare with. No password is known that gives it. */
#define NOBODYS_HASH                                                                                   \
    "$argon2id$v=19$m=19456,t=2,p=1$cG9zdGhvcm4gbm9ib2R5$"                                             \
    "bm9ib2R5J3MgcGFzc3dvcmQgaXMgbm90IGtub3duIHRvIHU"

/* ---- at most two at once: 38 MiB ---- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    unsigned busy;
} places = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};

static void place_take(void)
{
    HOLD(&places.lock);
    while (places.busy == ARGON2_AT_ONCE)
        pthread_cond_wait(&places.freed, &places.lock);
    places.busy++;
}

static void place_give_back(void)
{
    HOLD(&places.lock);
    places.busy--;
    pthread_cond_signal(&places.freed);
}

/* ---- SASLprep ---- */

bool is_prepared_already(struct str s)
{
    size_t n = 0;

    while (n < s.n && is_printable(s.p[n]))
        n++;
    return n == s.n;
}

static void free_secret(char *c)
{
    if (c)
        OPENSSL_cleanse(c, strlen(c));
    free(c);
}

/* stored: code points that Unicode 3.2 had not assigned are refused (RFC 3454 §7), since what they are mapped to may
 * change; who is asked for a password may have typed them. libgsasl 2.2 has its flag for this the wrong way round, so
 * both readings are tried: what is stored must pass both, what is asked either. */
static bool prepare(struct cx *cx, struct str typed, bool stored, struct str *out)
{
    char *c, *one = NULL, *other = NULL;
    bool passes;

    if (!typed.n || typed.n > PASSWORD_MAX || !is_utf8(typed))
        return false;
    if (is_prepared_already(typed)) {
        *out = str_copy(cx->arena, typed);
        return true;
    }
    c = str_to_c(cx->arena, typed);
    if (!c)
        return false;
    gsasl_saslprep(c, 0, &one, NULL);
    gsasl_saslprep(c, GSASL_ALLOW_UNASSIGNED, &other, NULL);
    passes = stored ? one && other : one || other;
    if (passes)
        *out = str_copy(cx->arena, str_from_c(one ? one : other));
    free_secret(one);
    free_secret(other);
    return passes && out->n > 0;
}

bool password_prepare(struct cx *cx, struct str typed, struct str *out)
{
    return prepare(cx, typed, false, out);
}

bool user_name_prepare(struct cx *cx, struct str typed, struct str *out)
{
    return prepare(cx, typed, false, out);
}

/* ---- SCRAM ---- */

static void hmac(const uint8_t key[SCRAM_KEY], struct str what, uint8_t out[SCRAM_KEY])
{
    unsigned size = SCRAM_KEY;
    const unsigned char *done =
        HMAC(EVP_sha256(), key, SCRAM_KEY, (const unsigned char *)what.p, what.n, out, &size);

    assert(done && size == SCRAM_KEY);
}

void scram_keys_make(struct str password, struct str salt, uint32_t iterations,
                     uint8_t stored_key[SCRAM_KEY], uint8_t server_key[SCRAM_KEY])
{
    uint8_t salted[SCRAM_KEY], client_key[SCRAM_KEY];
    int done = PKCS5_PBKDF2_HMAC(password.p, (int)password.n, (const unsigned char *)salt.p,
                                 (int)salt.n, (int)iterations, EVP_sha256(), SCRAM_KEY, salted);

    assert(done == 1);
    hmac(salted, S("Client Key"), client_key);
    SHA256(client_key, SCRAM_KEY, stored_key);
    hmac(salted, S("Server Key"), server_key);
    OPENSSL_cleanse(salted, sizeof(salted));
    OPENSSL_cleanse(client_key, sizeof(client_key));
}

static void add_scram(struct cx *cx, struct str password, struct credential_row *out)
{
    char salt[SCRAM_SALT];
    uint8_t stored_key[SCRAM_KEY], server_key[SCRAM_KEY];

    random_bytes(salt, sizeof(salt));
    scram_keys_make(password, (struct str){salt, sizeof(salt)}, SCRAM_ITERATIONS, stored_key,
                    server_key);
    out->scram_iterations = SCRAM_ITERATIONS;
    out->scram_salt = str_copy(cx->arena, (struct str){salt, sizeof(salt)});
    out->scram_stored_key = str_copy(cx->arena, (struct str){(const char *)stored_key, SCRAM_KEY});
    out->scram_server_key = str_copy(cx->arena, (struct str){(const char *)server_key, SCRAM_KEY});
}

/* ---- argon2 ---- */

enum err password_make(struct cx *cx, struct str password, bool scram, struct credential_row *out)
{
    struct credential_row row = {0};
    char salt[ARGON2_SALT], text[ARGON2_TEXT];
    struct str prepared;
    int result;

    if (!prepare(cx, password, true, &prepared))
        return fail(cx, ERR_BAD_VALUE,
                    "a password is 1 to %d bytes of UTF-8 without control characters", PASSWORD_MAX);
    random_bytes(salt, sizeof(salt));
    place_take();
    result = argon2id_hash_encoded(ARGON2_PASSES, ARGON2_KIB, ARGON2_LANES, prepared.p, prepared.n,
                                   salt, sizeof(salt), ARGON2_HASH, text, sizeof(text));
    place_give_back();
    if (result != ARGON2_OK)
        return fail(cx, ERR_SYSTEM, "argon2: %s", argon2_error_message(result));
    row.argon2 = str_copy(cx->arena, str_from_c(text));
    if (scram)
        add_scram(cx, prepared, &row);
    *out = row;
    return OK;
}

bool password_is(struct str encoded, struct str password)
{
    char text[ARGON2_TEXT + 1] = NOBODYS_HASH;
    bool somebodys = encoded.n > 0 && encoded.n <= ARGON2_TEXT;
    int result;

    if (somebodys) {
        memcpy(text, encoded.p, encoded.n);
        text[encoded.n] = '\0';
    }
    place_take();
    result = argon2id_verify(text, password.p, password.n);
    place_give_back();
    return result == ARGON2_OK && somebodys;
}
