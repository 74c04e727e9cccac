/* net/wheel.h: what is due when: a ring of slots of one tick each.
 *
 * Putting, moving and taking out cost the same few steps however many entries there are. What lies further ahead
 * than the ring reaches comes up once a turn and is put again by whoever takes it. No lock, no clock. */
#pragma once
#include "base/str.h"

#define WHEEL_SLOTS 1024

struct wheel_entry {
    struct wheel_entry *next, *prev; /* NULL: not in the wheel */
};

struct wheel {
    int64_t tick_ms;
    int64_t at; /* ticks before this one were taken */
    size_t count;
    struct wheel_entry slots[WHEEL_SLOTS];
};

void wheel_init(struct wheel *w, int64_t tick_ms, int64_t now_ms);
/* Puts it where it comes up at or soon after due_ms, or, if that is too far, at the end of the ring; moves it if
 * it is in the wheel. Returns when that is. */
int64_t wheel_put(struct wheel *w, struct wheel_entry *e, int64_t due_ms);
void wheel_remove(struct wheel *w, struct wheel_entry *e); /* no harm if it is not in the wheel */
struct wheel_entry *wheel_take(struct wheel *w,
                               int64_t now_ms); /* one that came up, taken out; NULL: no more */
