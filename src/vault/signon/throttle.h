/* vault/signon/throttle.h: how guessing of passwords is slowed down.
 *
 * Failures are counted in three places: for the *network* the peer comes from (an IPv4 address, an IPv6 /64), for
 * the *name* it gives, and for the pair of both. From the third failure on the count is *blocked* for a second,
 * then two, four, eight, ten: an attempt meanwhile is refused (AUTH_BUSY) without looking at its password, costs no
 * argon2, counts for nothing and prolongs nothing. After a quarter of an hour without a failure it is forgotten.
 *
 * A pair that signed on before answers for itself alone: whoever guesses at a name from elsewhere, or at other
 * names from behind the same address, does not lock it out. What remains: while somebody guesses at a name, its
 * owner may have to try more than once from an address that is new to us.
 *
 * It is the vault that counts, because the gate is not believed. A gate that was taken over can make up addresses,
 * but not names: the count of the name still holds it. Nor do attempts side by side help: what is under way counts
 * as well. A refusal rather than a late answer, because whoever waits would hold a thread or a place in a table.
 *
 * Memory is fixed; what was heard of longest ago gives way. Names are kept as keyed digests, and looked up whether
 * or not there is such an account, so nothing shows which there are. A restart forgets all. Any thread. */
#pragma once
#include "vault/signon/keyed.h"

#define THROTTLE_FREE_FAILURES 2 /* a typing error, and one more */
#define THROTTLE_FIRST_MS 1000   /* then doubling */
#define THROTTLE_MOST_MS (10 * 1000)
#define THROTTLE_WINDOW_MS (15 * 60 * 1000)                /* without a failure: forgotten */
#define THROTTLE_KNOWN_MS (30 * 24 * 3600 * (int64_t)1000) /* so long a pair stays known */
#define THROTTLE_NAME_AT_ONCE 16    /* attempts under way; one while failures are counted */
#define THROTTLE_NETWORK_AT_ONCE 64 /* an office may stand behind one address */

struct throttle;

struct throttle *throttle_new(size_t places, int64_t (*clock_ms)(void));
void throttle_free(struct throttle *t);

struct attempt {
    struct keyed name, network, pair; /* private */
    bool known, counted;              /* private */
};

/* `name` stands for the account (canonical_name()); `network` as text or bytes. True: go on, and
 * throttle_leave() must follow. False: refuse it. */
bool throttle_enter(struct throttle *t, struct str name, struct str network, struct attempt *a);

enum attempt_end { ATTEMPT_FAILED, ATTEMPT_RIGHT, ATTEMPT_GIVEN_UP };
void throttle_leave(struct throttle *t, struct attempt *a,
                    enum attempt_end end); /* a second time: nothing */
