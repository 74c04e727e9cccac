/* A table of sets of four: an account may only stand in its set, so a look-up is four comparisons and the table
 * never grows. The pages of sets that nobody used are never touched. */
#include "vault/signon/cache.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/pack.h"
#include "base/scoped.h"
#include "vault/signon/keyed.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#define SET 4

struct kept {
    uint64_t account; /* 0: free */
    uint64_t used;    /* the cache's count at the last use */
    struct keyed digest;
};

struct cache {
    pthread_mutex_t lock; /* guards what follows but key */
    uint64_t uses;
    size_t sets;
    struct kept *kept;
    struct keyed key;
};

struct cache *cache_new(size_t accounts)
{
    struct cache *c = must_alloc(sizeof(*c));

    pthread_mutex_init(&c->lock, NULL);
    c->key = keyed_random();
    c->sets = accounts / SET + 1;
    c->kept = must_alloc(c->sets * SET * sizeof(*c->kept));
    return c;
}

void cache_free(struct cache *c)
{
    if (!c)
        return;
    pthread_mutex_destroy(&c->lock);
    OPENSSL_cleanse(&c->key, sizeof(c->key));
    free(c->kept);
    free(c);
}

static struct keyed digest_of(const struct cache *c, struct account_id account, uint64_t version,
                              struct str password)
{
    struct buf b = buf_make(64);
    struct keyed out;

    pack_u64(&b, account.v);
    pack_u64(&b, version);
    out = keyed_digest(&c->key, buf_str(&b), password);
    buf_free(&b);
    return out;
}

static struct kept *set_of(struct cache *c, struct account_id account)
{
    return &c->kept[account.v % c->sets * SET]; /* ids are counted, so they spread by themselves */
}

bool cache_holds(struct cache *c, struct account_id account, uint64_t version, struct str password)
{
    struct keyed digest = digest_of(c, account, version, password);
    HOLD(&c->lock);
    struct kept *set = set_of(c, account);

    for (size_t i = 0; i < SET; i++) {
        if (set[i].account == account.v && keyed_same(&set[i].digest, &digest)) {
            set[i].used = ++c->uses;
            return true;
        }
    }
    return false;
}

void cache_keep(struct cache *c, struct account_id account, uint64_t version, struct str password)
{
    struct keyed digest = digest_of(c, account, version, password);
    HOLD(&c->lock);
    struct kept *set = set_of(c, account), *to = set;

    for (size_t i = 0; i < SET; i++) {
        if (set[i].account == account.v) {
            to = &set[i];
            break;
        }
        if (set[i].used < to->used)
            to = &set[i];
    }
    *to = (struct kept){.account = account.v, .used = ++c->uses, .digest = digest};
}
