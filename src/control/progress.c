#include "control/progress.h"

#include "base/clock.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define SHOW_MS 200

static volatile sig_atomic_t interrupted;

static void note(int signal)
{
    (void)signal;
    interrupted = 1;
}

void progress_begin(struct progress *p, const char *doing, uint64_t total)
{
    struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};

    *p = (struct progress){.doing = doing, .total = total};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static void show(const struct progress *p)
{
    if (p->counts)
        fprintf(stderr, "\r\033[K%s: %" PRIu64 " of %" PRIu64 " %s", p->doing, p->done, p->total,
                p->counts);
    else
        fprintf(stderr, "\r\033[K%s: %.1f of %.1f MB", p->doing, (double)p->done / 1e6,
                (double)p->total / 1e6);
    fflush(stderr);
}

enum err progress_add(struct progress *p, struct cx *cx, uint64_t bytes)
{
    int64_t now = monotonic_ms();

    p->done += bytes;
    if (isatty(STDERR_FILENO) && now - p->shown_ms >= SHOW_MS) {
        p->shown_ms = now;
        show(p);
    }
    return interrupted ? fail(cx, ERR_STOPPING, "interrupted") : OK;
}

void progress_end(const struct progress *p)
{
    if (p->shown_ms)
        fputs("\r\033[K", stderr);
}
