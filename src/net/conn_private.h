/* net/conn_private.h: what the files that make up a connection share: conn.c, relay.c, connect.c, listener.c and
 * tls_conn.c. Nobody else includes it. */
#pragma once
#include "net/conn.h"
#include "net/peers.h"
#include "net/tls.h"

enum io { IO_DONE, IO_AGAIN, IO_EOF, IO_FAILED };

/* TLS stands behind a table, so that a program that uses none does not link it. */
struct tls_io {
    enum io (*handshake)(struct tls *t);
    enum io (*read)(struct tls *t, char *p, size_t n, size_t *got,
                    bool *more); /* more: call again at once */
    enum io (*write)(struct tls *t, struct str s, size_t *put);
    void (*say_goodbye)(struct tls *t); /* close_notify, if it can be written at once */
    void (*free)(struct tls *t);
};

struct ssl_st;
struct tls {
    const struct tls_io *io;
    struct ssl_st *ssl;
    struct tls_server *server; /* a reference; NULL in a client */
    char *name;                /* a client: whom it wants to speak to; NULL: not said */
    bool must_verify;
    bool wants_write; /* the last call would go on when the socket can be written */
    enum tls_verdict verdict;
    char trouble[64];
};

/*      NEW ──► OPEN ◄──► HANDSHAKE
 *   CONNECTING ──┘ │
 *                  └──► CLOSING ──► LINGERING ──► ENDED      and from everywhere to ENDED
 *
 * NEW         nobody has run it yet; the next run calls opened()
 * CONNECTING  connect() is under way; nothing else happens
 * OPEN        the core is fed and writes; or the relay pumps (`pair`)
 * HANDSHAKE   out is empty, in was thrown away; tls is set and not yet to be asked
 * CLOSING     no more input; out is being written
 * LINGERING   our side is shut; what the peer still sends is thrown away, so that no reset overtakes our last words
 * ENDED       run() calls closed() and frees it */
enum conn_phase { NEW, CONNECTING, OPEN, HANDSHAKE, CLOSING, LINGERING, ENDED };

struct conn {
    struct watch watch;
    const struct conn_ops *ops;
    void *state;
    struct tls *tls, *starting; /* starting: as soon as out is empty */
    struct peers *peers;        /* counted there; NULL: nowhere */
    struct buf in, out;
    struct endpoint peer, local;
    int64_t idle_ms, last, deadline; /* last: when bytes moved */
    int64_t step; /* deadline of this phase; in OPEN: for the peer to read what is in out */
    int fd;
    int pair;  /* the relay's other end; -1: none */
    int error; /* errno of what ended it */
    uint32_t lingered;
    enum conn_phase phase;
    enum conn_end end;
    bool readable; /* read() may bring something */
    bool eof;      /* the peer has ended its side */
    bool paused;
    bool stalled; /* in was not taken because out was full */
    bool wants_drained;
    bool moved; /* bytes, in this run */
    bool detached;
    bool pair_readable; /* the relay: as above, for the pair */
    bool pair_eof, pair_deaf,
        pair_shut; /* it has ended; it takes no more; we have told it the peer's end */
    bool relay_told;
};

#define PUMP_ROUNDS 16 /* then others have their turn */
#define HANDSHAKE_MS ((int64_t)60 * 1000)
#define CLOSING_MS ((int64_t)30 * 1000)
#define LINGER_MS ((int64_t)2000)
#define LINGER_BYTES (1024 * 1024)
#define KEEP_LIMIT (CONN_INPUT_LIMIT + LOOP_SCRATCH_SIZE)

struct conn *conn_new(struct loop *l, int fd, const struct conn_ops *ops, void *state);
void conn_free(struct conn *c);
enum err conn_launch(struct cx *cx,
                     struct conn *c); /* opens the watch and starts it; on failure frees all but fd */
void conn_end(struct conn *c, enum conn_end end);
void conn_broke(struct conn *c); /* errno tells why */
enum io conn_read(struct conn *c, char *p, size_t n, size_t *got);
enum io conn_write(struct conn *c,
                   struct str *s);      /* moves *s on; ends the connection if it is broken */
enum io conn_write_out(struct conn *c); /* as much of out as goes */
void conn_note_stall(struct conn *c);   /* the deadline for what is left in out */
enum io plain_read(int fd, char *p, size_t n, size_t *got);
enum io plain_write(int fd, struct str s, size_t *put);
void conn_begin_tls(struct conn *c, struct tls *t);

bool connect_step(struct conn *c); /* True: something moved, call again */
bool relay_step(struct conn *c);
uint8_t relay_wants(const struct conn *c);
void relay_close(struct conn *c);
