/* bench/stats.h: how long each of many things took. Exact: every one is kept. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct sample {
    uint32_t *us;
    size_t n, cap;
};

void sample_free(struct sample *s);
void sample_add(struct sample *s, int64_t us); /* negative counts as 0, more than 71 minutes as that */
void sample_sort(struct sample *s);

/* Of a sorted sample: the smallest value that at least `percent` of all do not exceed; 0 when there are none. */
uint32_t sample_percentile(const struct sample *s, double percent);
