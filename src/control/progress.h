/* control/progress.h: long work at a terminal: how far it is, and an end when somebody presses ^C.
 *
 * Once begun, SIGINT and SIGTERM do not end the program: the next progress_add() says so, and the command cleans up. */
#pragma once
#include "base/err.h"

struct progress {
    const char *doing; /* "copying" */
    uint64_t done, total;
    const char *counts; /* "messages"; NULL, as progress_begin() leaves it: bytes */
    int64_t shown_ms;
};

void progress_begin(struct progress *p, const char *doing, uint64_t total);
enum err progress_add(struct progress *p, struct cx *cx,
                      uint64_t bytes);       /* ERR_STOPPING: interrupted */
void progress_end(const struct progress *p); /* the line goes */
