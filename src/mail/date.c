/* The date as it is written, then the time in its zone, then both as one number. */
#include "mail/date.h"

#include "base/calendar.h"
#include "mail/token.h"

static const char weekdays[7][4] = {"Thu", "Fri", "Sat", "Sun",
                                    "Mon", "Tue", "Wed"}; /* 1970 began on a Thursday */

/* RFC 5322 §4.3. Military letters are taken as -0000, as it says; Z alone is common and means UTC anyway. */
static const struct {
    const char *name;
    int minutes;
} zones[] = {{"EDT", -4 * 60}, {"EST", -5 * 60}, {"CDT", -5 * 60}, {"CST", -6 * 60},
             {"MDT", -6 * 60}, {"MST", -7 * 60}, {"PDT", -7 * 60}, {"PST", -8 * 60}};

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

void date_write(struct buf *out, int64_t ms, int zone_minutes)
{
    int64_t local = ms + (int64_t)zone_minutes * 60 * 1000;
    int64_t days = days_from_ms(local);
    int64_t seconds = (local - days * DAY_MS) / 1000;
    struct day d = civil_from_days(days);
    int east = zone_minutes < 0 ? -zone_minutes : zone_minutes;

    buf_printf(out, "%s, %02d %s %04d %02d:%02d:%02d %c%02d%02d",
               weekdays[days - floor_div(days, 7) * 7], d.day, month_names[d.month - 1], (int)d.year,
               (int)(seconds / 3600), (int)(seconds / 60 % 60), (int)(seconds % 60),
               zone_minutes < 0 ? '-' : '+', east / 60, east % 60);
}

/* So many digits, not more: "at most two" of 2026 is no day. */
static bool take_number(struct str *in, size_t most, int *out)
{
    struct str s = *in;
    uint64_t v;

    if (!take_u64(&s, &v) || in->n - s.n > most)
        return false;
    skip_cfws(&s);
    *in = s;
    *out = (int)v;
    return true;
}

static bool take_word(struct str *in, struct str *out)
{
    size_t n = 0;

    while (n < in->n && is_alpha(in->p[n]))
        n++;
    if (n == 0)
        return false;
    *out = str_upto(*in, n);
    *in = str_from(*in, n);
    skip_cfws(in);
    return true;
}

static void take_separator(struct str *in, char c)
{
    if (take_char(in, c))
        skip_cfws(in);
}

/* Three letters decide, so "Sept" and "November" are known as well. */
static bool take_month(struct str *in, int *out)
{
    struct str s = *in, word;

    if (!take_word(&s, &word) || word.n < 3)
        return false;
    for (int i = 0; i < 12; i++)
        if (str_same_nocase(str_upto(word, 3), str_from_c(month_names[i]))) {
            *out = i + 1;
            *in = s;
            return true;
        }
    return false;
}

/* obs-year (§4.3): two digits below 50 are 20xx, others and three digits count from 1900. */
static bool take_year(struct str *in, int64_t *out)
{
    struct str s = *in;
    uint64_t v;
    size_t digits;

    if (!take_u64(&s, &v))
        return false;
    digits = in->n - s.n;
    if (digits < 2 || digits > 4)
        return false;
    *out = (int64_t)v + (digits == 4 ? 0 : digits == 2 && v < 50 ? 2000 : 1900);
    skip_cfws(&s);
    *in = s;
    return true;
}

/* date = day month year; some write hyphens between them */
static bool take_date(struct str *in, struct day *out)
{
    struct str s = *in;
    struct day d;

    if (!take_number(&s, 2, &d.day))
        return false;
    take_separator(&s, '-');
    if (!take_month(&s, &d.month))
        return false;
    take_separator(&s, '-');
    if (!take_year(&s, &d.year) || !is_day_of_month(d))
        return false;
    *in = s;
    *out = d;
    return true;
}

/* time-of-day = hour ":" minute [ ":" second ] */
static bool take_time(struct str *in, int64_t *seconds)
{
    struct str s = *in;
    int hour, minute, second = 0;

    if (!take_number(&s, 2, &hour) || !take_char(&s, ':'))
        return false;
    skip_cfws(&s);
    if (!take_number(&s, 2, &minute))
        return false;
    if (take_char(&s, ':')) {
        skip_cfws(&s);
        if (!take_number(&s, 2, &second))
            return false;
    }
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    *seconds = hour * 3600 + minute * 60 + (second == 60 ? 59 : second);
    *in = s;
    return true;
}

/* zone = ( "+" / "-" ) 4DIGIT, or a name. Anything else is UTC: a date with an odd zone is better than none. */
static int take_zone(struct str *in)
{
    struct str word;
    int sign = in->n && in->p[0] == '-' ? -1 : 1, v;

    if (take_char(in, '+') || take_char(in, '-'))
        return take_number(in, 4, &v) && v / 100 < 24 && v % 100 < 60 ? sign * (v / 100 * 60 + v % 100)
                                                                      : 0;
    if (take_word(in, &word))
        for (size_t i = 0; i < sizeof(zones) / sizeof(*zones); i++)
            if (str_same_nocase(word, str_from_c(zones[i].name)))
                return zones[i].minutes;
    return 0;
}

bool date_parse(struct str in, int64_t *ms, int *zone_minutes)
{
    struct str word;
    struct day d;
    int64_t seconds = 0;
    int zone = 0;

    skip_cfws(&in);
    if (take_word(&in, &word))
        take_separator(&in, ',');
    if (!take_date(&in, &d))
        return false;
    if (take_time(&in, &seconds)) /* else it is midnight, in UTC (RFC 5256 §2.2) */
        zone = take_zone(&in);
    *ms = days_from_civil(d) * DAY_MS + (seconds - zone * 60) * 1000;
    *zone_minutes = zone;
    return true;
}
