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

/* The one that the configuration does not name: service "local", the socket of posthorn sendmail. *fd is taken over. */
void listeners_add_local(struct listeners *l, struct str path, int *fd);
/* The cause names the address, for instance one that is in use. Texts live in `arena`. */
enum err listeners_open(struct cx *cx, const struct config *config, struct arena *arena,
                        struct listeners *out);
void listeners_close(struct listeners *l);
/* Whether another configuration asks for the same addresses. */
bool listeners_fit(const struct listeners *l, const struct config *config);
