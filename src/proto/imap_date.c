/* The date and date-time of IMAP: stricter and shorter than those of a message (mail/date.h). */
#include "base/calendar.h"
#include "proto/imap_token.h"
#include "proto/imap_write.h"

/* `least` to `most` digits */
static bool take_digits(struct str *in, size_t least, size_t most, int *out)
{
    size_t n = 0;
    int v = 0;

    for (; n < in->n && n < most && is_digit(in->p[n]); n++)
        v = v * 10 + (in->p[n] - '0');
    if (n < least)
        return false;
    *in = str_from(*in, n);
    *out = v;
    return true;
}

static bool take_month(struct str *in, int *out)
{
    for (int i = 0; i < 12; i++)
        if (take_text_nocase(in, str_from_c(month_names[i]))) {
            *out = i + 1;
            return true;
        }
    return false;
}

/* date-text = date-day "-" date-month "-" date-year, and a day that exists */
static bool take_date_text(struct str *in, int32_t *days)
{
    struct str s = *in;
    struct day d;
    int year;

    if (!take_digits(&s, 1, 2, &d.day) || !take_char(&s, '-') || !take_month(&s, &d.month) ||
        !take_char(&s, '-') || !take_digits(&s, 4, 4, &year))
        return false;
    d.year = year;
    if (!is_day_of_month(d))
        return false;
    *in = s;
    *days = (int32_t)days_from_civil(d);
    return true;
}

bool take_imap_date(struct str *in, int32_t *days)
{
    struct str s = *in;
    bool quoted = take_char(&s, '"');
    int32_t found;

    if (!take_date_text(&s, &found) || (quoted && !take_char(&s, '"')))
        return false;
    *in = s;
    *days = found;
    return true;
}

/* time = 2DIGIT ":" 2DIGIT ":" 2DIGIT */
static bool take_time(struct str *in, int *seconds)
{
    struct str s = *in;
    int h, m, sec;

    if (!take_digits(&s, 2, 2, &h) || !take_char(&s, ':') || !take_digits(&s, 2, 2, &m) ||
        !take_char(&s, ':') || !take_digits(&s, 2, 2, &sec) || h > 23 || m > 59 || sec > 60)
        return false;
    *in = s;
    *seconds = h * 3600 + m * 60 + (sec == 60 ? 59 : sec);
    return true;
}

/* zone = ("+" / "-") 4DIGIT */
static bool take_zone(struct str *in, int *minutes)
{
    struct str s = *in;
    int sign = take_char(&s, '-') ? -1 : take_char(&s, '+') ? 1 : 0, h, m;

    if (!sign || !take_digits(&s, 2, 2, &h) || !take_digits(&s, 2, 2, &m) || h > 23 || m > 59)
        return false;
    *in = s;
    *minutes = sign * (h * 60 + m);
    return true;
}

bool take_imap_date_time(struct str *in, int64_t *ms, int *zone_minutes)
{
    struct str s = *in;
    int64_t utc, year;
    int32_t days;
    int seconds, zone;

    if (!take_char(&s, '"'))
        return false;
    take_char(&s, ' '); /* date-day-fixed = (SP DIGIT) / 2DIGIT; that space may be missing */
    if (!take_date_text(&s, &days) || !take_imap_sp(&s) || !take_time(&s, &seconds) ||
        !take_imap_sp(&s) || !take_zone(&s, &zone) || !take_char(&s, '"'))
        return false;
    utc = days * DAY_MS + (seconds - zone * 60) * INT64_C(1000);
    year = civil_from_days(days_from_ms(utc)).year;
    if (year < 0 || year > 9999) /* what is kept is UTC, and has to be told in four digits as well */
        return false;
    *in = s;
    *ms = utc;
    *zone_minutes = zone;
    return true;
}

void imap_date_write(struct buf *out, int32_t days)
{
    struct day d = civil_from_days(days);

    buf_printf(out, "%d-%s-%04d", d.day, month_names[d.month - 1], (int)d.year);
}

/* ---- writing, by the hundred thousand ---- */

static char *put_digits(char *p, int v)
{
    p[0] = (char)('0' + v / 10 % 10);
    p[1] = (char)('0' + v % 10);
    return p + 2;
}

void imap_date_time_text(char out[IMAP_DATE_TIME_SIZE], int64_t ms, int zone_minutes)
{
    int64_t local = ms + zone_minutes * INT64_C(60000), days = days_from_ms(local);
    int seconds = (int)((local - days * DAY_MS) / 1000);
    int east = zone_minutes < 0 ? -zone_minutes : zone_minutes;
    struct day d = civil_from_days(days);
    int year = d.year < 0 ? 0 : d.year > 9999 ? 9999 : (int)d.year; /* date-year = 4DIGIT */
    char *p = out;

    *p++ = '"';
    p = put_digits(p, d.day);
    if (d.day < 10) /* date-day-fixed = (SP DIGIT) / 2DIGIT */
        p[-2] = ' ';
    *p++ = '-';
    memcpy(p, month_names[d.month - 1], 3);
    p[3] = '-';
    p = put_digits(p + 4, year / 100);
    p = put_digits(p, year % 100);
    *p++ = ' ';
    p = put_digits(p, seconds / 3600);
    *p++ = ':';
    p = put_digits(p, seconds / 60 % 60);
    *p++ = ':';
    p = put_digits(p, seconds % 60);
    *p++ = ' ';
    *p++ = zone_minutes < 0 ? '-' : '+';
    p = put_digits(p, east / 60);
    p = put_digits(p, east % 60);
    *p = '"';
}

void imap_date_time_write(struct buf *out, int64_t ms, int zone_minutes)
{
    char text[IMAP_DATE_TIME_SIZE];

    imap_date_time_text(text, ms, zone_minutes);
    buf_add(out, (struct str){text, sizeof(text)});
}
