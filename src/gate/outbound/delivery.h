/* gate/outbound/delivery.h: what the files of the driver share. Nobody else includes it.
 *
 * A delivery takes one place of OUTBOUND_MOST. It looks up where a destination's mail goes, connects to one address
 * after the other, and carries a message over the first that takes it, and then as many more for the same destination
 * as the vault has due. One thread has it at a time: the one in a callback of the resolver, or in an op of its
 * connection. */
#pragma once
#include "gate/outbound/mx_plan.h"
#include "gate/outbound/outbound.h"
#include "gate/outbound/unreachable.h"
#include "gate/smtp/client.h"
#include "net/conn.h"
#include "net/tls.h"

#include <pthread.h>
#include <stdatomic.h>

struct outbound {
    struct outbound_parts parts;
    struct tls_client *tls;
    struct unreachable *unreachable;
    struct arena *arena;
    struct str relay_password;
    struct endpoint *interfaces; /* this machine's addresses, when we started */
    size_t interface_count;
    struct watch_id taker_id;
    atomic_uint busy; /* places */
};

/* One entry of the queue, from queue_take or queue_more to queue_done. */
struct job {
    struct arena *arena, *piece_arena;
    struct work work;
    struct client_message message; /* its rcpts: one per work.rcpts */
    struct str *remotes;           /* per recipient: the host that spoke; empty: the reason is ours */
    struct str piece;              /* the present one; one at a time is held */
    size_t piece_at;               /* so much of it is sent */
    uint32_t piece_n;
    bool piece_last, has_piece;
    bool is_unreadable; /* the vault does not hand it out */
    bool sent;          /* handed to the client, and not over */
    /* Why the hosts tried so far left somebody undecided: the last word of those that may do better later, or, if all
     * of them want no mail at all, of the last. */
    struct client_words words;
    struct str words_host;
    uint32_t words_outcome;                               /* 0: none yet */
    char host[256], address[ENDPOINT_TEXT_SIZE], tls[80]; /* of the last connection, for the log */
};

struct delivery {
    struct outbound *o;
    const struct config *config;
    struct arena *arena;
    struct str destination;
    struct mx_plan plan;
    pthread_mutex_t lookup_lock; /* guards plan while answers come */
    atomic_uint lookups;
    size_t target;     /* in plan.targets */
    bool in_the_clear; /* the handshake with this target failed before */
    bool is_reused;    /* a message went over this connection before the present one */
    unsigned messages;
    int64_t begun_ms, connected_ms;
    struct client_settings client_settings;
    struct client *client;
    struct conn *conn;
    uint64_t step; /* of the client, when the deadline was set */
    struct job job;
};

/* outbound.c */
void place_is_free(struct outbound *o);
/* Where we take mail from others: as configured, and for a wildcard every address of this machine. In `arena`. */
struct mx_self own_self(const struct outbound *o, const struct config *config, struct arena *arena);

/* lookup.c: calls delivery_planned() when the plan is made, maybe at once. */
void lookup_begin(struct delivery *d);

/* delivery.c */
void delivery_begin(struct outbound *o, const struct work *work);
void delivery_planned(struct delivery *d);

/* job.c */
void job_begin(struct job *j, const struct work *work);
bool job_is_decided(const struct job *j);
/* The piece into j->piece, unless it is there already, to be sent from its beginning. */
enum err job_take_piece(struct cx *cx, struct job *j, uint32_t n);
/* The words of the host that has just been tried, for those it left undecided. */
void job_note(struct job *j, struct client_words words, uint32_t outcome, struct str host);
void job_note_remotes(struct job *j, struct str host);
/* Whoever is undecided gets the words noted. Then all is reported, and the job is no more. `is_stopping`: what was not
 * decided by anybody is not reported, so that it costs no attempt. */
void job_end(struct job *j, bool is_stopping);
