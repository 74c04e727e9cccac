/* bench/smtp.h: sending the messages of a run, over N sessions at once (RFC 5321). */
#pragma once
#include "options.h"
#include "report.h"
#include "stats.h"

struct smtp_run {
    struct sample replies; /* from the last byte of a body written to its 250 read */
    uint64_t accepted;     /* messages */
    uint64_t deliveries;   /* recipients of those */
    uint64_t temporary, rejected,
        broken;            /* replies of 4xx and 5xx or out of place; connections that died */
    uint32_t *expected;    /* by account: how many messages were accepted for it */
    uint64_t last_account; /* got the message accepted last */
};

void smtp_run_free(struct smtp_run *run);

/* Sends o->messages messages, and returns when every session has ended or the time limit is over. Any reply
 * but the expected one is counted, and told to the report, which makes the run a failed one. */
void smtp_run(const struct options *o, int64_t deadline_ms, struct smtp_run *run,
              struct report *report);
