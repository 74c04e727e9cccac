/* gate/signon/attach.h: handing a connection over to the vault after sign-on, and getting it back.
 *
 * A plain connection is shared: the vault gets the socket, and ours waits (conn_pause) until the vault has answered
 * that the session ended. One with TLS is relayed: the vault gets one end of a socket pair, and we pump. */
#pragma once
#include "net/conn.h"
#include "rpc/client.h"

struct attachment;

/* By the connection's thread, with nothing left in conn_out(). On success the connection is the vault's, and its core
 * is not fed. *q: but for what only this file knows, the descriptor. */
enum err attach_begin(struct cx *cx, struct conn *c, const struct attach_request *q,
                      struct attachment **out);

enum attach_state {
    ATTACH_HELD,  /* the vault has it */
    ATTACH_ENDED, /* the session is over: close */
    ATTACH_BACK, /* signed off: the connection is ours again, with the bytes that were left over, which are fed */
    ATTACH_REFUSED, /* the vault did not take it, nor said a word to the client: *e tells why. It is ours again */
};
/* In woken() and relay_ended(), which says so: how it stands. But for ATTACH_HELD it is over, and *a freed and NULL.
 * A relay's end and the vault's answer come in either order; it takes both, so that no byte is lost between. */
enum attach_state attach_look(struct attachment **a, struct conn *c, bool relay_ended, enum err *e);
/* In closed(): the connection has gone. NULL is fine. */
void attach_forget(struct attachment **a);
