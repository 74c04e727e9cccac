#include "report.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/str.h"

void report_add(struct report *r, const char *name, double value)
{
    assert(r->n < MAX_FIGURES);
    r->figures[r->n++] = (struct figure){name, value};
}

void report_fail(struct report *r, const char *format, ...)
{
    va_list args;

    if (r->failure[0])
        return;
    va_start(args, format);
    vsnprintf(r->failure, sizeof r->failure, format, args);
    va_end(args);
    for (char *c = r->failure; *c; c++)
        if (!is_printable(*c) || *c == '"' || *c == '\\')
            *c = '?'; /* so that it is a JSON string as it stands */
}

static void write_table(const struct report *r)
{
    for (size_t i = 0; i < r->n; i++)
        printf("%-34s %14.3f\n", r->figures[i].name, r->figures[i].value);
    if (r->failure[0])
        printf("%-34s %s\n", "FAILED", r->failure);
}

static void write_json(const struct report *r, FILE *f)
{
    fprintf(f, "{\"command\": \"%s\", \"failure\": \"%s\"", r->command, r->failure);
    for (size_t i = 0; i < r->n; i++)
        fprintf(f, ", \"%s\": %.6f", r->figures[i].name, r->figures[i].value);
    fputs("}\n", f);
}

static bool write_json_file(const struct report *r, const char *name)
{
    FILE *f = fopen(name, "w");

    if (f)
        write_json(r, f);
    if (f && !fclose(f))
        return true;
    fprintf(stderr, "posthorn-bench: %s: %s\n", name, strerror(errno));
    return false;
}

bool report_write(const struct report *r, const char *json)
{
    if (json && !strcmp(json, "-")) {
        write_json(r, stdout);
        return fflush(stdout) == 0;
    }
    write_table(r);
    return !json || write_json_file(r, json);
}
