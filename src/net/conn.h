/* net/conn.h: a connection, plain or TLS, and the protocol core that speaks on it.
 *
 * The core is fed bytes and appends replies to conn_out(); everything else is done here: reading, TLS, writing
 * once per batch of replies, not feeding a core whose peer does not read, deadlines, closing.
 *
 * All functions below, except where they say otherwise, are for the thread that runs the connection, which is
 * the one inside one of the core's ops. A core may block in an op (pool_blocking_begin()); its peer waits then,
 * nobody else does. */
#pragma once
#include "base/buf.h"
#include "net/loop.h"
#include "net/sockaddr.h"

struct conn;
struct tls;
struct tls_server;
struct tls_client;

enum conn_end {
    CONN_CLOSED, /* conn_close(), and everything was written */
    CONN_EOF,    /* the peer ended it; what it had sent was fed, and the replies were written */
    CONN_BROKEN, /* reset, unreachable, …: conn_errno() */
    CONN_TIMED_OUT, /* a deadline passed and timed_out() did not close it, or its last words were not read */
    CONN_TLS_FAILED, /* the handshake failed, or a record was bad: conn_tls_trouble() */
    CONN_REFUSED,    /* conn_connect() came to nothing: conn_errno() */
    CONN_ABORTED,    /* conn_abort(), or the grace of loop_stop() is over */
};

/* Any may be NULL except input and closed. */
struct conn_ops {
    void (*opened)(struct conn *c);  /* accepted, adopted or connected: greet, or conn_start_tls() */
    void (*secured)(struct conn *c); /* the TLS handshake is done */
    /* Take from the front of *bytes what can be used. What is left is kept (at most CONN_INPUT_LIMIT, else the
     * connection ends) and comes again, together with what arrives later, or, if conn_is_full() when input()
     * returned, as soon as the peer has read. */
    void (*input)(struct conn *c, struct str *bytes);
    void (*drained)(
        struct conn *c); /* after conn_want_drained(): everything is written, append the next piece */
    void (*timed_out)(
        struct conn *c);           /* say so and conn_close(), or set another deadline; else it ends */
    void (*woken)(struct conn *c); /* somebody called loop_wake(loop, conn_id()) */
    void (*stopping)(
        struct conn *c); /* finish what is under way, then conn_close(). NULL: conn_close() */
    void (*relay_ended)(struct conn *c); /* see conn_relay() */
    void (*closed)(struct conn *c,
                   enum conn_end end); /* last call: free conn_state(). The conn goes after it */
};

#define CONN_INPUT_LIMIT ((size_t)64 * 1024)
#define CONN_OUTPUT_HIGH ((size_t)64 * 1024) /* conn_is_full() above it */
#define CONN_OUTPUT_LIMIT                                                                              \
    ((size_t)6 * 1024 * 1024) /* the connection ends above it: our mistake, not the peer's */
#define CONN_IDLE_MS ((int64_t)5 * 60 * 1000) /* as it is opened; RFC 5321 §4.5.3.2.7 */

/* A connected socket becomes a connection of the loop, which closes it; any thread. `early` is fed before
 * anything that is read: what somebody else had read already. opened() is called by the loop soon after.
 * On failure the descriptor stays the caller's. */
enum err conn_adopt(struct cx *cx, struct loop *l, int fd, struct str early, const struct conn_ops *ops,
                    void *state);

struct conn_target {
    struct endpoint to;
    struct endpoint from; /* source address; AF_UNSPEC: any */
    int64_t timeout_ms;   /* until opened() or closed(CONN_REFUSED) */
};
/* Outgoing; any thread. The loop calls opened(), or closed() alone if it came to nothing. In a thread of the loop
 * that is not before the present op has returned. */
enum err conn_connect(struct cx *cx, struct loop *l, const struct conn_target *target,
                      const struct conn_ops *ops, void *state);

void *conn_state(const struct conn *c);
void conn_set_state(struct conn *c, void *state);
void conn_set_ops(struct conn *c, const struct conn_ops *ops); /* another core takes over */
const struct endpoint *conn_peer(const struct conn *c);
const struct endpoint *conn_local(struct conn *c);
struct loop *conn_loop(const struct conn *c);
struct watch_id conn_id(const struct conn *c); /* for loop_wake(), from any thread, however late */

/* Output. It is written when the op returns, or the next time it can be. */
struct buf *conn_out(struct conn *c);
bool conn_is_full(const struct conn *c); /* leave the rest of the input where it is */
void conn_want_drained(struct conn *c);  /* once: call drained() when all is written */
void conn_flush(struct conn *c);         /* write now: before a call that takes long */

/* Deadlines. Three run at once, the first one counts: no byte in either direction for idle_ms, the core's own,
 * and one for a peer that does not read its replies. */
void conn_set_idle(struct conn *c, int64_t idle_ms);
void conn_set_deadline(struct conn *c, int64_t from_now_ms); /* of a whole command, say; NO_DEADLINE */

/* TLS. What is in conn_out() is still written in the clear (the reply to STARTTLS); whatever the peer had sent
 * before the handshake is thrown away (RFC 3207 §4.2), so that nothing injected is ever taken for protected. */
void conn_start_tls(struct conn *c, struct tls_server *server); /* holds `server` itself */
/* `name` is told to the server (SNI) and checked against its certificate, see tls_verdict(). must_verify: the
 * handshake fails if that does not hold. */
void conn_start_tls_client(struct conn *c, struct tls_client *client, struct str name,
                           bool must_verify);
const struct tls *conn_tls(const struct conn *c); /* for the questions of tls.h; NULL until secured() */
const char *
conn_tls_trouble(const struct conn *c); /* why CONN_TLS_FAILED; "" if there is nothing to say */

/* No input is read or fed and no end noticed until conn_resume(); output and the core's own deadline go on, the
 * idle one does not. For as long as another process holds the same socket (conn_fd()), which got the bytes
 * that were left over. conn_resume() feeds `early` first. While the other process speaks on it, conn_abort() gives up
 * this side's copy without a word; conn_close() would end the line for both. */
void conn_pause(struct conn *c);
void conn_resume(struct conn *c, struct str early);
int conn_fd(const struct conn *c);
/* Gives the socket away for good, without a word to the peer. closed() is not called; the conn goes when the
 * op returns. conn_out() must be empty, the connection plain. */
int conn_detach(struct conn *c);

/* The connection becomes a pump between its peer and `fd`, one end of a socket pair, in both directions; half
 * ends are passed on. What was read and not taken goes first. `fd` is closed here. When the other end of the
 * pair has closed and all its bytes are written, relay_ended() is called: conn_close(), or conn_unrelay().
 * When the peer has gone, closed() is. */
void conn_relay(struct conn *c, int fd);
/* The core is fed again: `early`, then what was read from the peer and not passed on. */
void conn_unrelay(struct conn *c, struct str early);

void conn_close(
    struct conn *c); /* no more input; what is in conn_out() is written, TLS closed, then closed() */
void conn_abort(struct conn *c); /* at once */
int conn_errno(const struct conn *c);
