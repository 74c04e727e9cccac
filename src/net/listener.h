/* net/listener.h: takes connections from a listening socket, as many as are allowed.
 *
 * A peer over a limit is told so in one line and closed, without a conn and without a thread for it. */
#pragma once
#include "net/conn.h"
#include "net/peers.h"

struct listener_settings {
    int fd;              /* listening already; the listener closes it */
    struct peers *peers; /* limits, may be shared with other listeners; outlives the loop */
    struct str
        over_limit; /* "421 4.7.0 too many connections, try again later\r\n"; empty: just close */
    const struct conn_ops
        *ops;    /* opened() is called first; for TLS from the first byte it calls conn_start_tls() */
    void *state; /* conn_state() of each new connection */
};

/* It accepts from when loop_run() runs until loop_stop(), and then closes itself. What `settings` points to
 * stays as long as the loop. */
enum err listener_open(struct cx *cx, struct loop *l, const struct listener_settings *settings,
                       struct watch_id *id);
/* Any thread: it takes no more, now or soon, and closes its descriptor. */
void listener_close(struct loop *l, struct watch_id id);
