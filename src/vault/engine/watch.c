/* Watches hang in a hash by part; those that were marked hang in a list as well. */
#include "vault/engine/engine_impl.h"

#include "base/arena.h"
#include "base/scoped.h"

#include <stdlib.h>

struct part_watch {
    struct watches *owner;
    struct part part;
    void (*changed)(void *arg);
    void *arg;
    struct part_watch *next;        /* in its bucket */
    struct part_watch *next_marked; /* in `marked` */
    uint64_t first, last; /* tickets of the commits that marked it and were not told yet; 0: none */
};

void watches_init(struct watches *w)
{
    *w = (struct watches){0};
    pthread_mutex_init(&w->m, NULL);
    pthread_cond_init(&w->ran, NULL);
}

void watches_destroy(struct watches *w)
{
    pthread_mutex_destroy(&w->m);
    pthread_cond_destroy(&w->ran);
}

static struct part_watch **bucket_of(struct watches *w, struct part part)
{
    return &w->buckets[(part.id * 31 + part.kind) % WATCH_BUCKETS];
}

static bool same_part(struct part a, struct part b)
{
    return a.kind == b.kind && a.id == b.id;
}

static void mark(struct watches *w, struct part_watch *watch, uint64_t ticket)
{
    if (!watch->first) {
        watch->first = ticket;
        watch->next_marked = w->marked;
        w->marked = watch;
    }
    if (watch->last < ticket)
        watch->last = ticket;
}

void watches_mark(struct watches *w, struct part part, uint64_t ticket)
{
    HOLD(&w->m);
    for (struct part_watch *watch = *bucket_of(w, part); watch; watch = watch->next)
        if (same_part(watch->part, part))
            mark(w, watch, ticket);
}

void watches_mark_all(struct watches *w)
{
    HOLD(&w->m);
    for (size_t i = 0; i < WATCH_BUCKETS; i++)
        for (struct part_watch *watch = w->buckets[i]; watch; watch = watch->next)
            mark(w, watch, 1);
}

bool watches_has_any(struct watches *w)
{
    HOLD(&w->m);
    return w->count > 0;
}

/* One that is due, with its mark taken off; a later commit that is not durable yet marks it again. */
static struct part_watch *take_due(struct watches *w, uint64_t durable)
{
    for (struct part_watch **at = &w->marked; *at; at = &(*at)->next_marked) {
        struct part_watch *watch = *at;

        if (watch->first > durable)
            continue;
        if (watch->last > durable) {
            watch->first = watch->last;
        } else {
            watch->first = watch->last = 0;
            *at = watch->next_marked;
        }
        return watch;
    }
    return NULL;
}

void watches_call(struct watches *w, uint64_t durable)
{
    struct part_watch *watch;
    HOLD(&w->m);

    while (w->running)
        pthread_cond_wait(&w->ran, &w->m);
    while ((watch = take_due(w, durable))) {
        w->running = watch;
        pthread_mutex_unlock(&w->m);
        watch->changed(watch->arg);
        pthread_mutex_lock(&w->m);
        w->running = NULL;
        pthread_cond_broadcast(&w->ran);
    }
}

struct part_watch *part_watch_open(struct engine *e, struct part part, void (*changed)(void *arg),
                                   void *arg)
{
    struct watches *w = &e->watches;
    struct part_watch *watch = must_alloc(sizeof(*watch));
    struct part_watch **bucket = bucket_of(w, part);
    HOLD(&w->m);

    *watch =
        (struct part_watch){.owner = w, .part = part, .changed = changed, .arg = arg, .next = *bucket};
    *bucket = watch;
    w->count++;
    return watch;
}

static void unlink_marked(struct watches *w, struct part_watch *watch)
{
    for (struct part_watch **at = &w->marked; *at; at = &(*at)->next_marked)
        if (*at == watch) {
            *at = watch->next_marked;
            return;
        }
}

static void unlink_watch(struct watches *w, struct part_watch *watch)
{
    struct part_watch **at = bucket_of(w, watch->part);

    while (*at != watch)
        at = &(*at)->next;
    *at = watch->next;
    w->count--;
}

void part_watch_close(struct part_watch **watch)
{
    struct watches *w;

    if (!*watch)
        return;
    w = (*watch)->owner;
    HOLD(&w->m);
    while (w->running == *watch)
        pthread_cond_wait(&w->ran, &w->m);
    if ((*watch)->first)
        unlink_marked(w, *watch);
    unlink_watch(w, *watch);
    free(*watch);
    *watch = NULL;
}
