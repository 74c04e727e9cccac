/* base/log.h: one line an event on standard error, `key=value` pairs.
 *
 *   2026-11-22T04:15:05.123Z mx info delivered id=0CJ2… to=tom@acompany.test
 *
 * Never a password, never a body. Every line about a message carries `id=`. Values that strangers chose go
 * through log_value(), which quotes and escapes what could forge a line. Safe from any thread: one write(2). */
#pragma once
#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

void log_start(const char *program,
               enum log_level least);     /* before the first thread; names this process */
void log_set_level(enum log_level least); /* at any time */
bool log_wants(enum log_level level);
/* `event` is a stable word; `format` gives the pairs. */
void log_line(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The value, quoted if it has to be, cut at 200 bytes; in one of eight buffers of this thread's own, so up to
 * eight may stand in one call. */
const char *log_value(struct str s);
