/* A line is built on the stack and written at once, so lines of several threads never mix. */
#include "base/log.h"

#include "base/clock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define LONGEST_LINE 2048
#define LONGEST_VALUE 200

static const char *program_name = "posthorn";
static _Atomic enum log_level least_level = LOG_INFO;

void log_set_level(enum log_level least)
{
    atomic_store_explicit(&least_level, least, memory_order_relaxed);
}

void log_start(const char *program, enum log_level least)
{
    program_name = program;
    log_set_level(least);
}

bool log_wants(enum log_level level)
{
    return level >= atomic_load_explicit(&least_level, memory_order_relaxed);
}

void log_line(enum log_level level, const char *event, const char *format, ...)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    char line[LONGEST_LINE];
    char stamp[TIME_TEXT_SIZE];
    int saved = errno;
    va_list args;
    size_t n;
    int k;

    if (!log_wants(level))
        return;
    time_text(now_ms(), stamp);
    k = snprintf(line, sizeof(line), "%s %s %s %s ", stamp, program_name, names[level], event);
    n = k < 0 ? 0 : (size_t)k < sizeof(line) ? (size_t)k : sizeof(line) - 1;
    va_start(args, format);
    k = vsnprintf(line + n, sizeof(line) - n, format, args);
    va_end(args);
    if (k > 0)
        n += (size_t)k < sizeof(line) - n ? (size_t)k : sizeof(line) - n - 1;
    line[n] = '\n'; /* over the NUL */
    if (write(STDERR_FILENO, line, n + 1) < 0)
        errno = 0; /* nobody is left to tell */
    errno = saved;
}

static bool is_plain(char c)
{
    return is_printable(c) && c != '"' && c != '\\' && c != ' ' && c != '=';
}

const char *log_value(struct str s)
{
    static _Thread_local char buffers[8][LONGEST_VALUE * 4 + 8];
    static _Thread_local unsigned next;
    char *out = buffers[next++ % 8], *p = out;
    bool plain = s.n > 0 && s.n <= LONGEST_VALUE;

    for (size_t i = 0; plain && i < s.n; i++)
        plain = is_plain(s.p[i]);
    if (plain) {
        memcpy(out, s.p, s.n);
        out[s.n] = '\0';
        return out;
    }
    *p++ = '"';
    for (size_t i = 0; i < s.n && i < LONGEST_VALUE; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c == '"' || c == '\\')
            *p++ = '\\', *p++ = (char)c;
        else if ((c >= 0x20 && c < 0x7f) || c >= 0x80)
            *p++ = (char)c;
        else
            p += snprintf(p, 5, "\\x%02x", c);
    }
    if (s.n > LONGEST_VALUE)
        memcpy(p, "...", 3), p += 3;
    *p++ = '"';
    *p = '\0';
    return out;
}
