#include "gate/smtp/session.h"

#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

/* RFC 5321 §4.5.3.1.5: 512 octets with code and CRLF. A longer text is cut, never the line end. */
#define REPLY_LINE_MAX 512

__attribute__((format(printf, 5, 0))) static void reply_line(struct smtp *s, int code, char divider,
                                                             const char *enhanced, const char *format,
                                                             va_list args)
{
    char line[REPLY_LINE_MAX - 1];
    const size_t most = sizeof(line) - 1;
    int k = snprintf(line, sizeof(line), "%d%c%s%s", code, divider, enhanced ? enhanced : "",
                     enhanced ? " " : "");
    size_t n = (size_t)k;

    k = vsnprintf(line + n, sizeof(line) - n, format, args);
    n = (size_t)k < most - n ? n + (size_t)k : most;
    buf_add(s->out, (struct str){line, n});
    buf_add(s->out, S("\r\n"));
}

void reply(struct smtp *s, int code, const char *enhanced, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    reply_line(s, code, ' ', enhanced, format, args);
    va_end(args);
    if (code == 421)
        set_state(s, STATE_ENDED);
}

void reply_more(struct smtp *s, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    reply_line(s, code, '-', NULL, format, args);
    va_end(args);
}

void reply_error(struct smtp *s, enum err e)
{
    const struct err_row *row = err_row(e);

    reply(s, row->smtp, row->enhanced, "%s", row->text);
}

static bool too_many_mistakes(struct smtp *s)
{
    if (++s->errors < s->settings->errors)
        return false;
    log_line(LOG_INFO, "too-many-errors", "client=%s errors=%u", log_value(str_from_c(s->client)),
             s->errors);
    reply_error(s, ERR_TOO_MANY_ERRORS);
    return true;
}

void mistake(struct smtp *s, int code, const char *enhanced, const char *format, ...)
{
    va_list args;

    if (too_many_mistakes(s))
        return;
    va_start(args, format);
    reply_line(s, code, ' ', enhanced, format, args);
    va_end(args);
}

void mistake_error(struct smtp *s, enum err e)
{
    if (err_is_temporary(e) || !too_many_mistakes(s)) /* what passes is no mistake of theirs */
        reply_error(s, e);
}
