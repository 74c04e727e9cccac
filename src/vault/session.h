/* vault/session.h: a connection after sign-on, and the protocols that serve it.
 *
 * A protocol is a core without a socket: it is fed bytes cut anywhere and appends replies. The driver (attached.c)
 * reads, feeds, writes, keeps the deadlines; one thread at a time. A session that waits for its peer is a small
 * struct and no thread: whatever a core holds only while it works stands in `out`, in cx.arena, or is freed by it. */
#pragma once
#include "base/arena.h"
#include "vault/signon/handles.h"
#include "vault/store/store.h"

#include <stdatomic.h>
#include <stdlib.h>

enum session_wish {
    SESSION_MORE,  /* feed me when bytes come */
    SESSION_WRITE, /* I have more to say: call `more` as soon as what is in `out` has been sent */
    /* The same, but `more` has much to do: it is called in the long lane. It returns after SESSION_LONG_TURN_MS, with
     * this wish again, so that others get their turn */
    SESSION_LONG,
    SESSION_COMPRESS, /* send it as it is; all that follows, both ways, is compressed (RFC 4978). Then as SESSION_MORE */
    SESSION_CLOSE, /* send what is in `out`, then close */
    SESSION_SIGN_OFF, /* send it, then give the connection back to the gate, unauthenticated, together with what feed
                       * left of its input and whatever comes behind. Compression ends with what was sent */
};

struct session {
    struct cx *cx; /* the driver's: there while a step is made, its arena emptied before the next */
    struct vault *vault;
    struct store *store;
    struct signed_on who;
    struct handle handle;
    uint32_t modes; /* MODE_ bits of attach */
    struct str tag; /* of the command that signed on, which `open` answers; only until that returns */
    struct buf
        out; /* replies; the driver sends and empties it. Stop producing above SESSION_OUT bytes: return
                     * SESSION_WRITE and go on in `more` */
    /* What is in `out` leaves when this is durable, and no step is made before: who wishes SESSION_WRITE then reads
     * in `more` what it wrote, and a core that sets this must return from `feed` at once, with the rest of its input. */
    struct ticket ticket;
    void *core; /* the protocol's own */

    /* The accounts of whose changes the core wants to hear (`woken`). The array is the core's, and stays as it is until
     * it sets watch_changed again: once with each new choice. */
    const struct account_id *watched;
    size_t watched_count;
    bool watch_changed;

    atomic_bool must_end; /* account suspended, gate gone: long work may as well stop */
};

#define SESSION_OUT (128 * 1024)
#define SESSION_LEAP                                                                                   \
    (5 * 1024 * 1024) /* a single thing that is said may go so far beyond it: all annotations at once */
#define SESSION_TURN_MS 10
#define SESSION_LONG_TURN_MS                                                                           \
    20 /* nothing short waits for it, and each costs second threads that begin anew */
#define SESSION_LOOK_MS (30 * 1000) /* a watch may lose a hint (engine.h) */

struct session_ops {
    uint32_t protocol;
    bool has_tags;   /* IMAP: an attach without a tag, or elsewhere with one, is refused */
    int64_t idle_ms; /* RFC's least idle time: counted while the core waits for input */
    enum err (*open)(struct session *s); /* sets core, may greet; an error closes */
    enum session_wish (*feed)(struct session *s, struct str *in); /* moves *in past what it took */
    enum session_wish (*more)(struct session *s);
    /* While the core waits for input: an account of `watched` has changed, or it has just been chosen, or SESSION_LOOK_MS
     * have passed. NULL: it watches none. */
    enum session_wish (*woken)(struct session *s);
    void (*last_words)(struct session *s,
                       enum err why); /* it ends: TIMEOUT, STOPPING. NULL: without a word */
    void (*close)(struct session *s); /* frees core; nothing that was not committed happens */
};

/* For a driver: before each step, open and close too; and when the session waits for its peer, perhaps for hours. */
static inline void session_begin(struct session *s)
{
    if (s->cx)
        return;
    s->cx = must_alloc(sizeof(*s->cx));
    s->cx->arena = arena_new(0);
}
static inline void session_rest(struct session *s)
{
    buf_free(&s->out);
    if (s->cx)
        arena_free(s->cx->arena);
    free(s->cx);
    s->cx = NULL;
}

extern const struct session_ops pop3_session, imap_session;
/* Those that this program serves, up to a NULL: main.c's. */
extern const struct session_ops *const session_protocols[];

/* What the searches of all IMAP sessions may hold in memory together, an account its share of it (vault/share.h). */
#define IMAP_BUDGET ((size_t)2048 * 1024 * 1024)
void imap_set_budget(size_t bytes); /* another */
/* What turns and progress go by (RFC 9585), for tests: any thread may ask it. NULL: this machine's. */
void imap_set_clock(int64_t (*ms)(void));
