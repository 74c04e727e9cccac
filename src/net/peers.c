/* A hash table with chains; a row lives as long as it counts somebody. The table is as large as in_all needs and
 * never grows; the hash has a secret, so that nobody can choose addresses that fall together. */
#include "net/peers.h"

#include "base/arena.h"
#include "base/codec.h"
#include "base/scoped.h"

#include <stdlib.h>

struct row {
    struct row *next;
    struct network who;
    size_t count;
};

struct peers {
    struct peers_limits limits;
    pthread_mutex_t lock; /* guards what follows */
    size_t count;
    uint64_t secret;
    size_t bucket_count; /* a power of two */
    struct row **buckets;
};

struct peers *peers_new(const struct peers_limits *limits)
{
    struct peers *p = must_alloc(sizeof(*p));

    p->limits = *limits;
    p->secret = random_u64() | 1;
    for (p->bucket_count = 64; p->bucket_count < limits->in_all && p->bucket_count < 65536;)
        p->bucket_count *= 2;
    p->buckets = must_alloc(p->bucket_count * sizeof(struct row *));
    pthread_mutex_init(&p->lock, NULL);
    return p;
}

void peers_free(struct peers *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->bucket_count; i++)
        while (p->buckets[i]) {
            struct row *r = p->buckets[i];

            p->buckets[i] = r->next;
            free(r);
        }
    pthread_mutex_destroy(&p->lock);
    free(p->buckets);
    free(p);
}

static struct row **find(struct peers *p, const struct network *who)
{
    uint64_t high, low, h;
    struct row **r;

    memcpy(&high, who->ip, 8);
    memcpy(&low, who->ip + 8, 8);
    h = (high ^ p->secret) * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 32 ^ low) * (p->secret | 1);
    r = &p->buckets[(h >> 40) & (p->bucket_count - 1)];
    while (*r && memcmp((*r)->who.ip, who->ip, 16) != 0)
        r = &(*r)->next;
    return r;
}

void peers_set_limits(struct peers *p, const struct peers_limits *limits)
{
    HOLD(&p->lock);

    p->limits = *limits;
}

bool peers_enter(struct peers *p, const struct endpoint *peer)
{
    struct network who = network_of_peer(peer);
    HOLD(&p->lock);
    bool is_free = p->limits.loopback_is_free && endpoint_is_loopback(peer);
    struct row **r;

    if (p->count >= p->limits.in_all)
        return false;
    r = find(p, &who);
    if (*r && (*r)->count >= p->limits.per_address && !is_free)
        return false;
    if (!*r) {
        *r = must_alloc(sizeof(**r));
        (*r)->who = who;
    }
    (*r)->count++;
    p->count++;
    return true;
}

void peers_leave(struct peers *p, const struct endpoint *peer)
{
    struct network who = network_of_peer(peer);
    HOLD(&p->lock);
    struct row **at = find(p, &who), *r = *at;

    p->count--;
    if (--r->count > 0)
        return;
    *at = r->next;
    free(r);
}

size_t peers_count(struct peers *p)
{
    HOLD(&p->lock);
    return p->count;
}
