/* Days are counted with years that begin in March, so that the leap day is the last one (the algorithm is H. Hinnant's,
 * "chrono-compatible low-level date algorithms"). */
#include "base/calendar.h"

const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

bool is_day_of_month(struct day d)
{
    static const int lengths[12] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (d.year % 4 == 0 && d.year % 100 != 0) || d.year % 400 == 0;

    return d.day >= 1 && d.day <= lengths[d.month - 1] && (leap || d.month != 2 || d.day < 29);
}

int64_t days_from_civil(struct day d)
{
    int64_t y = d.year - (d.month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (d.month + (d.month > 2 ? -3 : 9)) + 2) / 5 + d.day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

struct day civil_from_days(int64_t days)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t day_of_era = z - era * 146097;
    int64_t year = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    int month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);

    return (struct day){year + era * 400 + (month <= 2), month,
                        (int)(day_of_year - (153 * shifted + 2) / 5 + 1)};
}

int64_t days_from_ms(int64_t ms)
{
    return ms / DAY_MS - (ms % DAY_MS < 0);
}
