/* vault/lane.h: a few threads for work that takes long, so that nothing short ever waits for it. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct lane_pool;

struct lane_pool *lane_new(size_t threads); /* started with the first work */
void lane_free(struct lane_pool *l);        /* what waits is still done; then the threads end */
/* From any thread. False: thousands wait already, or not one thread can be started. */
bool lane_run(struct lane_pool *l, void (*work)(void *arg), void *arg);
