/* bench/wire.h: one connection to a server, and the loop that serves them all.
 *
 * Everything runs in one thread, which never blocks but in epoll. Output is appended to `out` and leaves with
 * wire_flush(); input gathers in `in` and its owner is told. The owner may close its own wire, and open it anew,
 * inside any callback, but not another's.
 *
 * TLS is used without looking at the certificate: this is a load generator that speaks to its own machine. */
#pragma once
#include <netinet/in.h>
#include <openssl/types.h>

#include "base/buf.h"

struct wire {
    struct buf in, out;
    int64_t
        drained_us; /* when the last byte of `out` went to the kernel: the clock of a reply starts there */
    bool secured; /* TLS is up */

    void (*on_input)(struct wire *w);   /* `in` has grown */
    void (*on_secured)(struct wire *w); /* wire_start_tls() is done; may be NULL */
    void (*on_broken)(struct wire *w,
                      const char *why); /* the connection is gone; the wire is closed already */

    int fd; /* from here on private; -1 when closed */
    SSL *ssl;
    bool connecting, handshaking, wants_write;
};

/* Once for the process. False: said on standard error. */
bool wires_start(void);
void wires_end(void);

void wire_init(struct wire *w); /* closed; callbacks are then set by the owner */
bool wire_open(struct wire *w, const struct sockaddr_in *to, bool tls);
void wire_start_tls(struct wire *w);
void wire_flush(struct wire *w);
void wire_close(struct wire *w);
static inline bool wire_is_open(const struct wire *w)
{
    return w->fd >= 0;
}

/* Serves whatever is ready; waits at most `wait_ms` for it. */
void wires_serve(int64_t wait_ms);

/* A line ending in LF, without its line end; moves past it. */
bool wire_take_line(struct wire *w, struct str *line);
