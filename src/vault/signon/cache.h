/* vault/signon/cache.h: passwords that were right before, so that argon2 is not computed again.
 *
 * What is kept is a digest under a key of this process, over account, version of its credential and password: a
 * changed password is another version, and so forgotten. One password an account, as many accounts as were asked
 * for; beyond that the one that signed on longest ago goes. A restart forgets all. Safe from any thread. */
#pragma once
#include "base/ids.h"

struct cache;

struct cache *cache_new(size_t accounts);
void cache_free(struct cache *c);
bool cache_holds(struct cache *c, struct account_id account, uint64_t version, struct str password);
void cache_keep(struct cache *c, struct account_id account, uint64_t version, struct str password);
