/* base/calendar.h: days and their dates in the proleptic Gregorian calendar, without a clock or a time zone. Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct day {
    int64_t year;
    int month; /* 1 to 12 */
    int day;
};

#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)

bool is_day_of_month(struct day d); /* of a month from 1 to 12 */
/* Since 1970-01-01, which was a Thursday. */
int64_t days_from_civil(struct day d);
struct day civil_from_days(int64_t days);
/* The day that holds this instant (UTC), also before 1970. */
int64_t days_from_ms(int64_t ms);

extern const char month_names[12][4]; /* "Jan" */
