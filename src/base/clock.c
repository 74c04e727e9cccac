/* Dates are computed from days since 1970 (the usual proleptic Gregorian arithmetic), without the zone files. */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_clock_us(clockid_t which)
{
    struct timespec t;

    clock_gettime(which, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t now_ms(void)
{
    return read_clock_us(CLOCK_REALTIME) / 1000;
}

int64_t monotonic_ms(void)
{
    return read_clock_us(CLOCK_MONOTONIC) / 1000;
}

int64_t monotonic_us(void)
{
    return read_clock_us(CLOCK_MONOTONIC);
}

void time_text(int64_t ms, char out[TIME_TEXT_SIZE])
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;

    gmtime_r(&seconds, &tm);
    snprintf(out, TIME_TEXT_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
             (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)(tm.tm_mon + 1) % 100,
             (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
             (unsigned)tm.tm_sec % 100, (unsigned)(ms % 1000));
}

/* A number, then at most one letter from `units`; its place says which factor. */
static bool parse_scaled(struct str s, const char *units, const uint64_t *factors, uint64_t *out)
{
    uint64_t v, factor = 1;

    if (!take_u64(&s, &v) || s.n > 1)
        return false;
    if (s.n == 1) {
        const char *at = s.p[0] ? strchr(units, s.p[0]) : NULL;

        if (!at)
            return false;
        factor = factors[at - units];
    }
    if (v > (uint64_t)INT64_MAX / factor / 1000)
        return false;
    *out = v * factor;
    return true;
}

bool parse_duration(struct str s, int64_t *ms)
{
    static const uint64_t factors[] = {1, 60, 3600, 86400};
    uint64_t seconds;

    if (!parse_scaled(s, "smhd", factors, &seconds))
        return false;
    *ms = (int64_t)seconds * 1000;
    return true;
}

bool parse_size(struct str s, uint64_t *bytes)
{
    static const uint64_t factors[] = {1024, 1024 * 1024, 1024 * 1024 * 1024};

    return parse_scaled(s, "KMG", factors, bytes);
}
