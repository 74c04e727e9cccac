/* control/deaths.h: how soon a room that died is started again. Pure, for one thread.
 *
 * At once, but after more than MOST_DEATHS within a minute only after a pause, which doubles from one second up to a
 * minute as long as it goes on like that. A minute without a death forgets everything. */
#pragma once
#include <stdint.h>

#define MOST_DEATHS 5

struct deaths {
    int64_t at_ms[MOST_DEATHS + 1]; /* the last ones, oldest first */
    unsigned count;
    int64_t pause_ms; /* what the last pause was */
};

/* One more; how long to wait, 0 for not at all. */
int64_t deaths_note(struct deaths *d, int64_t now_ms);
