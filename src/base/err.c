#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

#define ERR(name, smtp, enhanced, imap, pop3, jmap, text)                                              \
    {#name, smtp, enhanced, imap, pop3, jmap, text},
static const struct err_row rows[] = {
#include "base/errors.def"
};
#undef ERR

const struct err_row *err_row(enum err e)
{
    return &rows[(unsigned)e < ERR_COUNT ? e : ERR_BUG];
}

bool err_is_temporary(enum err e)
{
    return err_row(e)->smtp / 100 == 4;
}

enum err fail(struct cx *cx, enum err e, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(cx->cause, sizeof(cx->cause), format, args);
    va_end(args);
    return e;
}
