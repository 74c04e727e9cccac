/* control/supervisor.h: keeps the three rooms alive and tells them what changed. One thread, one loop.
 *
 *   all down ──start_all──► starting ──every room_start answered OK──► up
 *
 *   a gate ends       it alone is started again, with a new channel to the vault (room_gate)
 *   the vault ends    the gates are asked to stop: they have nobody to talk to; when they are gone, all start again
 *   SIGTERM, SIGINT   the gates are asked to finish, then the vault; each has 10 seconds before it is killed
 *   SIGHUP            configuration and certificates are read again; if they are good, every room gets them
 *
 * A room that ends, or says no to room_start, before all have been up for the first time ends the server. */
#pragma once
#include "control/listeners.h"
#include "control/settings.h"

struct supervisor_options {
    const char *config_path;
    const char *rooms; /* the directory of the rooms' programs */
    int64_t grace_ms;  /* what a room has to finish what is under way; 0: ten seconds */
};

/* Returns when it has been told to stop (OK), or when it could not start. Blocks signals for the whole process. */
enum err supervisor_run(struct cx *cx, const struct supervisor_options *options);
