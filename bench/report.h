/* bench/report.h: the figures of a run, as a table for people and as JSON for programs. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#define MAX_FIGURES 120

struct figure {
    const char *name; /* its unit stands at the end: "reply_p99_ms" */
    double value;
};

struct report {
    const char *command;
    struct figure figures[MAX_FIGURES];
    size_t n;
    char failure[256]; /* the first thing that went wrong; empty: nothing */
};

void report_add(struct report *r, const char *name, double value);
/* Keeps the first failure. Bytes a server sent may stand in it. */
void report_fail(struct report *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The table on standard output, and JSON to the named file, if any; "-": JSON in place of the table.
 * False: the file could not be written. */
bool report_write(const struct report *r, const char *json);
