/* vault/spare.h: processors for second threads. All work that divides itself shares those beside the first: who finds none
 * does without, and nobody waits for one. Safe from any thread. */
#pragma once

struct spare_user { /* one sort of work; static */
    long most;      /* that it may use at once, however many there are */
    long used;      /* private */
};

/* Of `wanted` so many may be used now, until they are given back; 0: none. */
long spare_take(struct spare_user *u, long wanted);
void spare_give_back(struct spare_user *u, long n);
