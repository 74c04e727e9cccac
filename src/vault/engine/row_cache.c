/* A table with one place for each row: who comes later takes it. */
#include "vault/engine/row_cache.h"

#include "base/arena.h"
#include "base/hash.h"
#include "base/scoped.h"

#include <stdlib.h>

#define PLACES 8192
#define LOCKS 64
#define LARGEST 1024 /* key and value: a list's members are read from the store. So 8 MiB is the most */

struct kept_row {
    uint64_t state;
    size_t key_size, value_size;
    bool found;
    char bytes[]; /* key, value */
};

struct row_cache {
    pthread_mutex_t locks[LOCKS]; /* of the places with this remainder */
    struct kept_row *places[PLACES];
};

struct row_cache *row_cache_new(void)
{
    struct row_cache *c = must_alloc(sizeof(*c));

    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_init(&c->locks[i], NULL);
    return c;
}

void row_cache_free(struct row_cache *c)
{
    for (size_t i = 0; i < PLACES; i++)
        free(c->places[i]);
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&c->locks[i]);
    free(c);
}

/* Whom a stranger makes share a place costs a read, no more. */
static size_t place_of(struct str key)
{
    return (size_t)hash_bytes(key) % PLACES;
}

bool row_cache_find(struct row_cache *c, uint64_t state, struct str key, struct arena *a,
                    struct str *value, bool *found)
{
    size_t place = place_of(key);
    HOLD(&c->locks[place % LOCKS]);
    const struct kept_row *row = c->places[place];

    if (!row || row->state != state || !str_same((struct str){row->bytes, row->key_size}, key))
        return false;
    *found = row->found;
    if (row->found)
        *value = str_copy(a, (struct str){row->bytes + row->key_size, row->value_size});
    return true;
}

void row_cache_keep(struct row_cache *c, uint64_t state, struct str key, struct str value, bool found)
{
    size_t place = place_of(key), value_size = found ? value.n : 0;
    struct kept_row *row, *old;

    if (key.n + value_size > LARGEST)
        return;
    row = must_alloc(sizeof(*row) + key.n + value_size);
    *row =
        (struct kept_row){.state = state, .key_size = key.n, .value_size = value_size, .found = found};
    memcpy(row->bytes, key.p, key.n);
    if (value_size)
        memcpy(row->bytes + key.n, value.p, value_size);
    {
        HOLD(&c->locks[place % LOCKS]);
        old = c->places[place];
        c->places[place] = row;
    }
    free(old);
}
