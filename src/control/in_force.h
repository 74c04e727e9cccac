/* control/in_force.h: what the supervisor goes by: the settings, and what it has read and opened for them. At SIGHUP a
 * second one is made beside the first, and takes its place if all of it is good. One thread. */
#pragma once
#include "control/listeners.h"
#include "control/settings.h"

#define FILES_DIGEST 32

struct in_force {
    struct arena *arena; /* of all of it */
    struct settings settings;
    struct certificate *certificates;
    size_t certificate_count;
    struct listeners listeners;
    /* Of what the gate --mx reads before its doors close, and cannot read again: the relay's password, the roots of trust,
     * what the resolver goes by, this machine's addresses. */
    unsigned char mx_files[FILES_DIGEST];
};

/* before: NULL at start. *lock: of the data directory; taken if it is -1. The cause says what is wrong, and where; *out
 * is then untouched. What cannot change while the server runs (the data directory, the control socket) is wrong too. */
enum err in_force_read(struct cx *cx, const char *config_path, const struct in_force *before, int *lock,
                       struct in_force *out);
/* The sockets that `after` goes on using stay open, and their files in place. after: NULL: none. */
void in_force_close(struct in_force *f, const struct in_force *after);
