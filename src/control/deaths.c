#include "control/deaths.h"

#include <string.h>

#define MINUTE_MS 60000
#define FIRST_PAUSE_MS 1000

static void forget_before(struct deaths *d, int64_t ms)
{
    unsigned old = 0;

    while (old < d->count && d->at_ms[old] <= ms)
        old++;
    memmove(d->at_ms, d->at_ms + old, (d->count - old) * sizeof(*d->at_ms));
    d->count -= old;
}

int64_t deaths_note(struct deaths *d, int64_t now_ms)
{
    /* What was paused does not count as a quiet minute. */
    if (d->count && now_ms - d->at_ms[d->count - 1] > MINUTE_MS + d->pause_ms)
        *d = (struct deaths){0};
    if (!d->pause_ms)
        forget_before(d, now_ms - MINUTE_MS);
    if (d->count > MOST_DEATHS)
        forget_before(d, d->at_ms[0]);
    d->at_ms[d->count++] = now_ms;
    if (d->count <= MOST_DEATHS)
        return 0;
    d->pause_ms = d->pause_ms ? d->pause_ms * 2 : FIRST_PAUSE_MS;
    if (d->pause_ms > MINUTE_MS)
        d->pause_ms = MINUTE_MS;
    return d->pause_ms;
}
