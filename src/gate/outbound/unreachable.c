#include "gate/outbound/unreachable.h"

#include "base/scoped.h"

#include <stdlib.h>

#define MOST 1024
#define WHY_MAX 256

struct note {
    struct endpoint address;
    int64_t until_ms; /* 0: free */
    size_t why_length;
    char why[WHY_MAX];
};

struct unreachable {
    pthread_mutex_t lock; /* guards everything below */
    size_t next;          /* the one to be overwritten */
    struct note notes[MOST];
};

struct unreachable *unreachable_new(void)
{
    struct unreachable *u = must_alloc(sizeof(*u));

    pthread_mutex_init(&u->lock, NULL);
    return u;
}

void unreachable_free(struct unreachable *u)
{
    if (!u)
        return;
    pthread_mutex_destroy(&u->lock);
    free(u);
}

static struct note *find(struct unreachable *u, const struct endpoint *e)
{
    for (size_t i = 0; i < MOST; i++)
        if (u->notes[i].until_ms && endpoint_same_ip(&u->notes[i].address, e) &&
            endpoint_port(&u->notes[i].address) == endpoint_port(e))
            return &u->notes[i];
    return NULL;
}

void unreachable_note(struct unreachable *u, const struct endpoint *e, struct str why, int64_t until_ms)
{
    HOLD(&u->lock);
    struct note *n = find(u, e);

    if (!n)
        n = &u->notes[u->next++ % MOST];
    why = str_upto(why, WHY_MAX);
    *n = (struct note){.address = *e, .until_ms = until_ms, .why_length = why.n};
    memcpy(n->why, why.p, why.n);
}

bool unreachable_find(struct unreachable *u, const struct endpoint *e, int64_t now_ms,
                      struct arena *arena, struct str *why)
{
    HOLD(&u->lock);
    const struct note *n = find(u, e);

    if (!n || n->until_ms <= now_ms)
        return false;
    *why = str_copy(arena, (struct str){n->why, n->why_length});
    return true;
}
