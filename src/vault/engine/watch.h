/* vault/engine/watch.h: who wants to hear that something durable changed in a part.
 *
 * A commit marks the watches of the parts it touched with its ticket; once that is durable they are called, each
 * once however many commits there were. Safe from any thread. */
#pragma once
#include "vault/engine/engine.h"

#include <pthread.h>

#define WATCH_BUCKETS 256

struct watches {
    pthread_mutex_t m; /* guards all below and every watch in it; never held during a callback */
    pthread_cond_t ran;
    size_t count;
    struct part_watch *buckets[WATCH_BUCKETS];
    struct part_watch *marked;  /* those that are to be called */
    struct part_watch *running; /* whose callback runs at the moment */
};

void watches_init(struct watches *w);
void watches_destroy(struct watches *w);
void watches_mark(struct watches *w, struct part part, uint64_t ticket);
void watches_mark_all(struct watches *w); /* whatever they saw may be out of date */
void watches_call(struct watches *w, uint64_t durable);
bool watches_has_any(struct watches *w);
