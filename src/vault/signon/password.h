/* vault/signon/password.h: passwords as they are kept, and whether one is right.
 *
 * Kept are an argon2id hash (19 MiB, two passes: OWASP's least) and, for SCRAM-SHA-256, the keys of RFC 5802 with
 * 65,536 iterations: the weaker record of the two, which the setting `scram` turns off. Both are made from the
 * password as SASLprep (RFC 4013) leaves it, so that it may be typed on any keyboard.
 *
 * password_make() and password_is() take long: for the long lane. At most two are computed at once; who comes
 * third waits. Any thread. */
#pragma once
#include "base/err.h"
#include "vault/store/rows.h"

#define PASSWORD_MAX 1024
#define SCRAM_ITERATIONS 65536

/* ERR_BAD_VALUE: empty, too long, no UTF-8, or with characters that nobody can be expected to type. All but
 * `version` is filled in; bytes in cx->arena. */
enum err password_make(struct cx *cx, struct str password, bool scram, struct credential_row *out);

/* Printable ASCII comes out of SASLprep as it goes in (RFC 4013 §2), and most names and passwords are that. */
bool is_prepared_already(struct str s);
/* What somebody typed, as it was when the hash was made; in cx->arena. False: it can be nobody's. */
bool password_prepare(struct cx *cx, struct str typed, struct str *out);
/* A user name likewise (RFC 4616 §2, RFC 5802 §5.1). */
bool user_name_prepare(struct cx *cx, struct str typed, struct str *out);

/* `encoded`: credential_row.argon2; empty: there is none, or no such account. The answer is no then, after the same
 * time. `password` is prepared. */
bool password_is(struct str encoded, struct str password);

/* The secrets of SCRAM-SHA-256 (RFC 5802 §3); `password` is prepared. */
#define SCRAM_KEY 32
void scram_keys_make(struct str password, struct str salt, uint32_t iterations,
                     uint8_t stored_key[SCRAM_KEY], uint8_t server_key[SCRAM_KEY]);
