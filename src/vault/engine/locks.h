/* vault/engine/locks.h: the locks of account parts and of the directory.
 *
 * Parts share a fixed number of mutexes by hash, so two strangers may wait for each other now and then, and no
 * lock is ever made or forgotten. A transaction takes all of its own at once, in ascending order and each once;
 * that is why two transactions cannot wait in a circle. */
#pragma once
#include "vault/engine/engine.h"

#include <pthread.h>

#define LOCK_COUNT 1024

struct locks {
    pthread_mutex_t m[LOCK_COUNT];
};

struct lock_set { /* which of them one transaction holds */
    uint16_t *at;
    size_t n;
};

void locks_init(struct locks *l);
void locks_destroy(struct locks *l);

bool part_is_lockable(struct part part);
struct lock_set lock_set_of(struct arena *a, const struct part *parts, size_t n);
bool lock_set_holds(const struct lock_set *set, struct part part);
void locks_take(struct locks *l, const struct lock_set *set);
void locks_give_back(struct locks *l, struct lock_set *set); /* and the set is empty then */
