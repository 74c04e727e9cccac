/* vault/session.h: a connection after sign-on, and the protocols that serve it.
 *
 * A protocol is a core without a socket: it is fed bytes cut anywhere and appends replies. The driver (attached.c)
 * reads, feeds, writes, keeps the deadlines; one thread at a time. A session that waits for its peer is a small
 * struct and no thread. */
#pragma once
#include "vault/signon/handles.h"
#include "vault/store/store.h"

enum session_wish {
    SESSION_MORE,  /* feed me when bytes come */
    SESSION_WRITE, /* I have more to say: call `more` as soon as what is in `out` has been sent */
    SESSION_CLOSE, /* send what is in `out`, then close */
    SESSION_SIGN_OFF, /* send it, then give the connection back to the gate, unauthenticated, together with what feed
                       * left of its input and whatever comes behind */
};

struct session {
    struct cx cx; /* arena: emptied by the driver after each feed */
    struct vault *vault;
    struct store *store;
    struct signed_on who;
    struct handle handle;
    uint32_t modes; /* MODE_ bits of attach */
    struct str tag; /* of the command that signed on, which `open` answers; only until that returns */
    struct buf
        out; /* replies; the driver sends and empties it. Stop producing above SESSION_OUT bytes: return
                            * SESSION_WRITE and go on in `more` */
    struct ticket ticket; /* what is in `out` leaves when this is durable */
    void *core;           /* the protocol's own */
};

#define SESSION_OUT (128 * 1024)

struct session_ops {
    uint32_t protocol;
    bool has_tags;   /* IMAP: an attach without a tag, or elsewhere with one, is refused */
    int64_t idle_ms; /* RFC's least idle time */
    enum err (*open)(struct session *s); /* sets core, may greet; an error closes */
    enum session_wish (*feed)(struct session *s, struct str *in); /* moves *in past what it took */
    enum session_wish (*more)(struct session *s);
    void (*timed_out)(struct session *s); /* may say a last word */
    void (*close)(struct session *s);     /* frees core; nothing that was not committed happens */
};

extern const struct session_ops pop3_session;
