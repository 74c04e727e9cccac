/* Three tables of counts, made of sets of four like the cache: a count may only stand in its set, where the one
 * that was heard of longest ago gives way. */
#include "vault/signon/throttle.h"

#include "base/arena.h"
#include "base/scoped.h"

#include <stdlib.h>

#define SET 4

struct count {
    struct keyed of;
    int64_t
        heard_ms; /* of a name or network: the last failure; of a pair: also the last success; 0: free */
    int64_t until_ms; /* blocked */
    uint16_t failures;
    uint16_t under_way;
    bool known; /* of a pair: it signed on before */
};

struct table {
    size_t sets;
    struct count *counts;
};

struct throttle {
    pthread_mutex_t lock; /* guards the tables */
    struct table names, networks, pairs;
    struct keyed key;
    int64_t (*clock_ms)(void);
};

static struct table table_make(size_t places)
{
    struct table t = {.sets = places / SET + 1};

    t.counts = must_alloc(t.sets * SET * sizeof(*t.counts));
    return t;
}

struct throttle *throttle_new(size_t places, int64_t (*clock_ms)(void))
{
    struct throttle *t = must_alloc(sizeof(*t));

    pthread_mutex_init(&t->lock, NULL);
    t->names = table_make(places);
    t->networks = table_make(places);
    t->pairs = table_make(places);
    t->key = keyed_random();
    t->clock_ms = clock_ms;
    return t;
}

void throttle_free(struct throttle *t)
{
    if (!t)
        return;
    pthread_mutex_destroy(&t->lock);
    free(t->names.counts);
    free(t->networks.counts);
    free(t->pairs.counts);
    free(t);
}

static struct count *set_of(struct table *t, const struct keyed *of)
{
    uint64_t at;

    memcpy(&at, of->v, sizeof(at));
    return &t->counts[at % t->sets * SET];
}

static struct count *count_find(struct table *t, const struct keyed *of)
{
    struct count *set = set_of(t, of);

    for (size_t i = 0; i < SET; i++)
        if (set[i].heard_ms && keyed_same(&set[i].of, of))
            return &set[i];
    return NULL;
}

/* When it was last worth keeping: who only signs on rightly must not push failures out. */
static int64_t worth(const struct count *c)
{
    return c->failures || c->under_way || c->known ? c->heard_ms : 0;
}

static struct count *count_make(struct table *t, const struct keyed *of, int64_t now)
{
    struct count *c = count_find(t, of), *set = set_of(t, of);

    if (c)
        return c;
    c = set;
    for (size_t i = 1; i < SET; i++)
        if (worth(&set[i]) < worth(c))
            c = &set[i];
    *c = (struct count){.of = *of, .heard_ms = now};
    return c;
}

static void forget_old_failures(struct count *c, int64_t now)
{
    if (now - c->heard_ms > THROTTLE_WINDOW_MS)
        c->failures = 0;
}

static bool count_admits(struct count *c, int64_t now, unsigned at_once)
{
    if (!c)
        return true;
    forget_old_failures(c, now);
    if (c->failures <= THROTTLE_FREE_FAILURES)
        return c->under_way < at_once;
    return now >= c->until_ms && c->under_way == 0;
}

static void count_failure(struct count *c, int64_t now)
{
    int64_t wait = THROTTLE_FIRST_MS;

    forget_old_failures(c, now);
    c->heard_ms = now;
    if (c->failures < UINT16_MAX)
        c->failures++;
    if (c->failures <= THROTTLE_FREE_FAILURES)
        return;
    for (unsigned i = THROTTLE_FREE_FAILURES + 1; i < c->failures && wait < THROTTLE_MOST_MS; i++)
        wait *= 2;
    c->until_ms = now + (wait < THROTTLE_MOST_MS ? wait : THROTTLE_MOST_MS);
}

/* A pair that is known, or NULL. */
static struct count *known_pair(struct throttle *t, const struct keyed *pair, int64_t now)
{
    struct count *c = count_find(&t->pairs, pair);

    return c && c->known && now - c->heard_ms < THROTTLE_KNOWN_MS ? c : NULL;
}

bool throttle_enter(struct throttle *t, struct str name, struct str network, struct attempt *a)
{
    int64_t now = t->clock_ms();

    *a = (struct attempt){.name = keyed_digest(&t->key, S("name"), name),
                          .network = keyed_digest(&t->key, S("network"), network),
                          .pair = keyed_digest(&t->key, name, network)};
    HOLD(&t->lock);
    struct count *pair = known_pair(t, &a->pair, now);

    a->known = pair != NULL;
    if (pair) {
        a->counted = count_admits(pair, now, THROTTLE_NAME_AT_ONCE);
        pair->under_way += a->counted;
        return a->counted;
    }
    a->counted = count_admits(count_find(&t->names, &a->name), now, THROTTLE_NAME_AT_ONCE) &&
                 count_admits(count_find(&t->networks, &a->network), now, THROTTLE_NETWORK_AT_ONCE);
    if (a->counted) {
        count_make(&t->names, &a->name, now)->under_way++;
        count_make(&t->networks, &a->network, now)->under_way++;
    }
    return a->counted;
}

static void leave_one(struct table *t, const struct keyed *of, enum attempt_end end, int64_t now)
{
    struct count *c = count_find(t, of);

    if (!c) /* it gave way to others meanwhile */
        return;
    if (c->under_way)
        c->under_way--;
    if (end == ATTEMPT_FAILED)
        count_failure(c, now);
}

void throttle_leave(struct throttle *t, struct attempt *a, enum attempt_end end)
{
    int64_t now = t->clock_ms();

    if (!a->counted)
        return;
    a->counted = false;
    HOLD(&t->lock);
    if (a->known) {
        leave_one(&t->pairs, &a->pair, end, now);
    } else {
        leave_one(&t->names, &a->name, end, now);
        leave_one(&t->networks, &a->network, end, now);
    }
    if (end == ATTEMPT_RIGHT) {
        struct count *pair = count_make(&t->pairs, &a->pair, now);

        pair->known = true;
        pair->failures = 0;
        pair->heard_ms = now;
    }
}
