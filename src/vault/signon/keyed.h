/* vault/signon/keyed.h: digests that only this process can compute: HMAC-SHA-256 under a random key.
 *
 * Memory that holds them tells nobody a password or a name, and nobody outside can aim at a slot of a table that
 * is found by them. Pure but for keyed_random(); safe from any thread. */
#pragma once
#include "base/str.h"

struct keyed {
    uint8_t v[32];
};

struct keyed keyed_random(void); /* a key */
/* ("ab", "c") and ("a", "bc") differ. */
struct keyed keyed_digest(const struct keyed *key, struct str a, struct str b);
bool keyed_same(const struct keyed *a, const struct keyed *b); /* in constant time */
