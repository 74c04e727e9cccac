/* A few pollers take accounts from one list. Who finds an account short of messages pauses and asks it again. */
#include "visible.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "pop3.h"

#define POLLERS 4
#define PAUSE_MS 50

struct poll {
    const struct options *o;
    struct report *report;
    const uint32_t *want; /* NULL: one answer is enough */
    uint32_t *counts;     /* may be NULL */
    uint64_t next, end;   /* accounts nobody has taken yet */
    uint64_t open;        /* pollers that have one */
    bool failed;
};

struct poller {
    struct pop3 pop3;
    int64_t again_ms; /* when its account is asked again; 0: not paused */
};

static void take_account(struct poller *r)
{
    struct poll *p = r->pop3.owner;

    if (p->next == p->end || p->failed) {
        p->open--;
        return;
    }
    pop3_start(&r->pop3, &p->o->visible, POP3_COUNT, p->next++);
}

static void note_count(struct pop3 *pop3)
{
    struct poller *r = (struct poller *)pop3; /* its first member */
    struct poll *p = pop3->owner;

    if (pop3->failure[0]) {
        report_fail(p->report, "%s", pop3->failure);
        p->failed = true;
    } else if (p->want && pop3->messages < p->want[pop3->account]) {
        r->again_ms = monotonic_ms() + PAUSE_MS;
        return;
    } else if (p->counts) {
        p->counts[pop3->account] = (uint32_t)pop3->messages;
    }
    take_account(r);
}

static void resume_paused(struct poller *all, int64_t now)
{
    for (size_t i = 0; i < POLLERS; i++)
        if (all[i].again_ms && all[i].again_ms <= now) {
            struct pop3 *pop3 = &all[i].pop3;
            struct poll *p = pop3->owner;

            all[i].again_ms = 0;
            pop3_start(pop3, &p->o->visible, POP3_COUNT, pop3->account);
        }
}

/* Accounts from first up to, not including, end. */
static bool poll_accounts(struct poll *p, uint64_t first, uint64_t end, int64_t deadline_ms)
{
    struct poller all[POLLERS];
    int64_t now;

    p->next = first;
    p->end = end;
    p->open = POLLERS;
    for (size_t i = 0; i < POLLERS; i++) {
        pop3_init(&all[i].pop3, p->o);
        all[i].pop3.done = note_count;
        all[i].pop3.owner = p;
        all[i].again_ms = 0;
        take_account(&all[i]);
    }
    while (p->open && (now = monotonic_ms()) < deadline_ms) {
        resume_paused(all, now);
        wires_serve(PAUSE_MS / 5);
    }
    for (size_t i = 0; i < POLLERS; i++)
        pop3_free(&all[i].pop3);
    if (p->open)
        report_fail(p->report, "not every message is visible in time");
    return !p->open && !p->failed;
}

bool visible_count(const struct options *o, int64_t deadline_ms, uint32_t *counts,
                   struct report *report)
{
    struct poll p = {.o = o, .report = report, .counts = counts};

    return poll_accounts(&p, 0, o->accounts, deadline_ms);
}

bool visible_wait(const struct options *o, int64_t deadline_ms, const uint32_t *want,
                  uint64_t likely_last, struct report *report)
{
    struct poll p = {.o = o, .report = report, .want = want};

    return poll_accounts(&p, likely_last, likely_last + 1, deadline_ms) &&
           poll_accounts(&p, 0, o->accounts, deadline_ms);
}
