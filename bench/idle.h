/* bench/idle.h: one session that signs on, by IMAP or POP3, selects and idles if told to, and then waits. */
#pragma once
#include "options.h"
#include "wire.h"

struct idler {
    struct wire wire;
    const struct options *o;
    void (*done)(
        struct idler *i); /* it is idle, or has failed; then once more if it breaks off after all */
    void *owner;          /* done()'s own */
    bool is_idle;
    char failure[160]; /* empty: all went well */

    uint64_t account; /* from here on private */
    unsigned step;
};

void idler_init(struct idler *i, const struct options *o);
void idler_start(struct idler *i, uint64_t account);
void idler_free(struct idler *i); /* closes too, without a word */
