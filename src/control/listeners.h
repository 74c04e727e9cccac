/* control/listeners.h: the sockets that the configuration asks for, opened by the supervisor and kept by it: they
 * outlive the gates, so that whoever connects while one is started anew only waits. */
#pragma once
#include "config/config.h"
#include "rpc/calls.h"

#define MOST_LISTENERS 64 /* leash.def takes as many */

struct listeners {
    size_t count;
    int fds[MOST_LISTENERS];
    struct listener told[MOST_LISTENERS]; /* what the gate is told about each */
    bool for_users[MOST_LISTENERS];       /* the gate --users serves it, else --mx */
};

/* One that `before` (NULL: nothing) has at the same address is the same socket, so that nobody who waits there is lost.
 * The last is the one that the configuration does not list: service "local", the socket of posthorn sendmail. The cause
 * names the address, for instance one that is in use; then nothing has changed. Texts live in `arena`. */
enum err listeners_open(struct cx *cx, const struct config *config, struct arena *arena,
                        const struct listeners *before, struct listeners *out);
void listeners_close(struct listeners *l);
