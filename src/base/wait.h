/* base/wait.h: waiting for a condition until a moment of the monotonic clock, which nobody sets. */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

void cond_init_monotonic(pthread_cond_t *c);
/* As pthread_cond_wait(), of a condition made so. False: monotonic_ms() has reached until_ms; true: woken, be it for
 * nothing. */
bool cond_wait_until(pthread_cond_t *c, pthread_mutex_t *lock, int64_t until_ms);
