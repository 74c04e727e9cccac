/* base/clock.h: what time it is, and how it is written. Safe from any thread. */
#pragma once
#include "base/str.h"

int64_t now_ms(void);       /* since 1970, UTC: for rows, trace and log */
int64_t monotonic_ms(void); /* never goes back: for deadlines */
int64_t monotonic_us(void);

#define TIME_TEXT_SIZE 32
void time_text(int64_t ms, char out[TIME_TEXT_SIZE]); /* 2026-11-22T04:15:05.123Z */

/* "90s", "15m", "4h", "5d", a bare number of seconds. */
bool parse_duration(struct str s, int64_t *ms);
/* "512", "10K", "50M", "2G": powers of 1024. */
bool parse_size(struct str s, uint64_t *bytes);
