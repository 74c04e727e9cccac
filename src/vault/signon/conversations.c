/* A hash table by id, and a list by age: what is oldest stands first, so who makes room looks there and nowhere
 * else. Ids are counted; a gate can name only its own. */
#include "vault/signon/conversations.h"

#include "base/arena.h"
#include "base/scoped.h"

#include <stdlib.h>

#define BUCKETS 4096 /* a power of two */

struct conversations {
    pthread_mutex_t lock; /* guards all of this, and the private part of each conversation */
    size_t most, n;
    uint64_t last_id;
    struct conversation *oldest, *newest;
    struct conversation *buckets[BUCKETS];
    int64_t (*clock_ms)(void);
};

struct conversations *conversations_new(size_t most, int64_t (*clock_ms)(void))
{
    struct conversations *c = must_alloc(sizeof(*c));

    pthread_mutex_init(&c->lock, NULL);
    c->most = most;
    c->clock_ms = clock_ms;
    return c;
}

static void list_add(struct conversations *c, struct conversation *v)
{
    v->older = c->newest;
    v->newer = NULL;
    *(c->newest ? &c->newest->newer : &c->oldest) = v;
    c->newest = v;
}

static void list_remove(struct conversations *c, struct conversation *v)
{
    *(v->older ? &v->older->newer : &c->oldest) = v->newer;
    *(v->newer ? &v->newer->older : &c->newest) = v->older;
}

static struct conversation **find(struct conversations *c, uint64_t id)
{
    struct conversation **at = &c->buckets[id & (BUCKETS - 1)];

    while (*at && (*at)->id != id)
        at = &(*at)->same_bucket;
    return at;
}

static void remove_and_free(struct conversations *c, struct conversation *v)
{
    *find(c, v->id) = v->same_bucket;
    list_remove(c, v);
    exchange_end(&v->exchange);
    free(v);
    c->n--;
}

void conversations_free(struct conversations *c)
{
    if (!c)
        return;
    while (c->oldest)
        remove_and_free(c, c->oldest);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* Those that nobody touched for long. One that a thread has goes when it gives it back. */
static void end_idle(struct conversations *c)
{
    int64_t before = c->clock_ms() - CONVERSATION_IDLE_MS;

    while (c->oldest && c->oldest->touched_ms < before && !c->oldest->taken)
        remove_and_free(c, c->oldest);
}

enum err conversation_begin(struct conversations *c, struct cx *cx, const struct conversation *begun,
                            uint64_t *id)
{
    struct conversation *v;
    HOLD(&c->lock);

    end_idle(c);
    if (c->n == c->most)
        return fail(cx, ERR_AUTH_BUSY, "%zu sign-ons are under way", c->n);
    v = must_alloc(sizeof(*v));
    *v = *begun;
    v->id = ++c->last_id;
    v->touched_ms = c->clock_ms();
    v->same_bucket = NULL;
    *find(c, v->id) = v;
    list_add(c, v);
    c->n++;
    *id = v->id;
    return OK;
}

struct conversation *conversation_take(struct conversations *c, uint64_t id, uint64_t gate)
{
    HOLD(&c->lock);
    struct conversation *v;

    end_idle(c);
    v = *find(c, id);
    if (!v || v->gate != gate || v->taken)
        return NULL;
    v->taken = true;
    return v;
}

void conversation_give_back(struct conversations *c, struct conversation *v)
{
    HOLD(&c->lock);

    v->taken = false;
    if (v->ended) {
        remove_and_free(c, v);
        return;
    }
    v->touched_ms = c->clock_ms();
    list_remove(c, v);
    list_add(c, v);
}

void conversation_end(struct conversations *c, struct conversation *v)
{
    HOLD(&c->lock);
    remove_and_free(c, v);
}

void conversations_end_gate(struct conversations *c, uint64_t gate)
{
    HOLD(&c->lock);

    for (struct conversation *v = c->oldest, *next; v; v = next) {
        next = v->newer;
        if (v->gate != gate)
            continue;
        if (v->taken)
            v->ended = true;
        else
            remove_and_free(c, v);
    }
}

size_t conversations_count(struct conversations *c)
{
    HOLD(&c->lock);
    return c->n;
}
