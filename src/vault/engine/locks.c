/* Hashed mutexes in ascending order. */
#include "vault/engine/locks.h"

#include "base/arena.h"

#include <assert.h>
#include <stdlib.h>

void locks_init(struct locks *l)
{
    for (size_t i = 0; i < LOCK_COUNT; i++)
        pthread_mutex_init(&l->m[i], NULL);
}

void locks_destroy(struct locks *l)
{
    for (size_t i = 0; i < LOCK_COUNT; i++)
        pthread_mutex_destroy(&l->m[i]);
}

bool part_is_lockable(struct part part)
{
    return part.kind == PART_ACCOUNT || part.kind == PART_DIRECTORY;
}

/* Fibonacci hashing: neighbouring ids, which is what accounts have, fall on different mutexes. */
static uint16_t lock_of(struct part part)
{
    return (uint16_t)((part.id + part.kind) * 0x9e3779b97f4a7c15u >> 54);
}

_Static_assert(LOCK_COUNT == 1 << (64 - 54), "lock_of() keeps as many bits as there are locks");

static int compare(const void *a, const void *b)
{
    return *(const uint16_t *)a - *(const uint16_t *)b;
}

struct lock_set lock_set_of(struct arena *a, const struct part *parts, size_t n)
{
    struct lock_set set = {.at = arena_array(a, uint16_t, n)};

    for (size_t i = 0; i < n; i++) {
        assert(part_is_lockable(parts[i]));
        set.at[i] = lock_of(parts[i]);
    }
    if (n > 1)
        qsort(set.at, n, sizeof(*set.at), compare);
    for (size_t i = 0; i < n; i++)
        if (set.n == 0 || set.at[set.n - 1] != set.at[i])
            set.at[set.n++] = set.at[i];
    return set;
}

bool lock_set_holds(const struct lock_set *set, struct part part)
{
    uint16_t lock = lock_of(part);

    return set->n && bsearch(&lock, set->at, set->n, sizeof(*set->at), compare);
}

void locks_take(struct locks *l, const struct lock_set *set)
{
    for (size_t i = 0; i < set->n; i++)
        pthread_mutex_lock(&l->m[set->at[i]]);
}

void locks_give_back(struct locks *l, struct lock_set *set)
{
    for (size_t i = set->n; i-- > 0;)
        pthread_mutex_unlock(&l->m[set->at[i]]);
    set->n = 0;
}
