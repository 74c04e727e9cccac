/* vault/engine/engine_impl.h: what all engines share, and what each of them brings. For this folder alone.
 *
 *   engine.c    transactions, reads, keys of parts        flusher.c  tickets, flushes, durable views, callbacks
 *   scan.c      rows of the database and a transaction's   store_state.c  failing, closing, opening again
 *   locks.c overlay.c watch.c row_cache.c                  memory.c rocksdb.c  backends
 *
 * A backend is an ordered map of bytes to bytes with snapshots and a log that can be made durable. It knows
 * nothing of tickets, locks or transactions. Its keys are whole: the part's prefix (its kind; for accounts also
 * the id, 8 bytes big-endian) and then the key, so a kind's rows are one range. */
#pragma once
#include "vault/engine/engine.h"
#include "vault/engine/locks.h"
#include "vault/engine/overlay.h"
#include "vault/engine/row_cache.h"
#include "vault/engine/watch.h"

#include <pthread.h>

/* ---- backends ---- */

struct snapshot; /* each backend has its own kind of these two */
struct cursor;

struct backend {
    const struct backend_ops *ops;
};

enum scan_how { SCAN_FORWARDS, SCAN_BACKWARDS, SCAN_MUCH /* forwards; see view_scan_much() */ };

struct backend_ops {
    /* Also again after close. ERR_LOCKED, _NO_SPACE, _DAMAGED, _STORE. */
    enum err (*open)(struct backend *b, struct cx *cx);
    void (*close)(struct backend *b); /* no snapshot and no cursor is left */
    void (*free)(struct backend *b);  /* closed already */

    /* All of the overlay or nothing, after what was written before. Not durable yet. A failure is final. */
    enum err (*write)(struct backend *b, struct cx *cx, const struct overlay *o);
    /* Makes everything durable that was written before the call. One at a time. A failure is final. */
    enum err (*flush)(struct backend *b, struct cx *cx);

    struct snapshot *(*snapshot_take)(struct backend *b);
    void (*snapshot_release)(struct backend *b, struct snapshot *s);

    /* A snapshot of NULL means the newest state. */
    enum err (*get)(struct backend *b, struct cx *cx, struct snapshot *s, struct str key,
                    struct str *value, bool *found);
    struct cursor *(*cursor_open)(struct backend *b, struct snapshot *s, struct str from, struct str to,
                                  enum scan_how how);
    /* False: the end, or an error. */
    bool (*cursor_next)(struct cursor *c, struct str *key, struct str *value);
    /* Forwards alone: next comes the first row that is not before `to`, which lies behind the last one given. */
    void (*cursor_skip)(struct cursor *c, struct str to);
    enum err (*cursor_error)(const struct cursor *c, struct cx *cx);
    bool (*cursor_past_damage)(struct cursor *c); /* see scan_past_damage() */
    void (*cursor_close)(struct cursor *c);

    enum err (*compact)(struct backend *b, struct cx *cx, enum part_kind kind);
    enum err (*checkpoint)(struct backend *b, struct cx *cx,
                           const char *name); /* NULL: it has no files */
    /* These also while it is closed. */
    bool (*damaged)(struct backend *b); /* see engine_figures */
    uint64_t (*disk_used)(struct backend *b);
    uint64_t (*disk_free)(struct backend *b);
    uint64_t (*room_to_open)(struct backend *b); /* with less free, opening is not worth trying */
};

/* ---- keys ---- */

#define PREFIX_SIZE 9
#define WHOLE_KEY_SIZE (PREFIX_SIZE + ENGINE_MAX_KEY)

struct whole_key {
    size_t n;
    char bytes[WHOLE_KEY_SIZE];
};

struct str whole_key(struct whole_key *out, struct part part, struct str key);
struct str part_end(struct whole_key *out, struct part part); /* the first key behind the part */
uint64_t account_of_key(struct str whole);
size_t part_prefix_size(struct part part);

/* ---- the engine ---- */

/* The last durable state: shared by the views opened while it is the last. */
struct durable {
    struct snapshot *snapshot;
    size_t refs;        /* the engine's own and one a view */
    uint64_t directory; /* the same in two states: so are all rows of the directory */
};

/* Tickets that no flush has made durable, and none ever will: above `after`, up to `last`. */
struct failed_tickets {
    uint64_t after, last;
};
#define MAX_FAILURES                                                                                   \
    64 /* remembered one by one; the oldest are then taken for one, which errs on the safe side */

struct caller { /* of engine_when_durable */
    struct caller *next;
    uint64_t ticket;
    void (*done)(void *arg, enum err e);
    void *arg;
};

enum store_state {
    STORE_OPEN,
    STORE_FAILED, /* no writing any more; what is durable can be read */
    STORE_CLOSED, /* until engine_tend() manages to open it */
};

struct engine {
    struct backend *backend;
    const struct backend_ops *ops;
    struct engine_options options; /* without the path, which the backend has a copy of */
    struct locks locks;
    struct watches watches;

    /* Guards everything below, as far as `room`. Held for a few lines; of the backend's calls only for taking and giving
     * back a snapshot. Taken after the locks of parts and before the one of watches. */
    pthread_mutex_t m;
    pthread_cond_t settled_cond; /* some tickets are settled, or the flusher went away */
    pthread_cond_t gathered;     /* as many wait as the flusher hoped for */
    pthread_cond_t unused;       /* users is 0 */

    enum store_state state;
    bool closing; /* nobody may enter */
    bool tending;
    size_t users;      /* open transactions and views, a running flush or compaction: it stays open */
    uint64_t openings; /* so far; the same as long as anybody is inside */
    struct durable *durable;

    uint64_t newest;  /* the last ticket given out */
    uint64_t settled; /* tickets up to here are durable, or failed */
    uint64_t wanted;  /* the newest ticket somebody waits for */
    struct failed_tickets failures[MAX_FAILURES];
    size_t failure_count;

    bool flushing;
    uint64_t sleepers_want; /* the newest ticket that a thread asleep in engine_wait() waits for */
    struct caller *callers; /* in the order they came */
    struct caller **callers_end;
    size_t gathering; /* how many began to wait since the last flush began */
    size_t hoped_for; /* linger until so many have gathered; 0: not lingering */
    size_t last_group;

    uint64_t directory_begun, directory_written; /* commits to the directory */
    uint64_t directory_mixed;                    /* states that were taken between the two */
    struct row_cache *directory;

    uint64_t flushes, commits;

    /* Guards what follows, and is held while the disk is looked at, which may take long: no commit waits for it. */
    pthread_mutex_t room;
    uint64_t disk_reserve;
    int64_t room_looked_at; /* monotonic_ms() */
    bool has_room;
    bool has_told; /* the operator, that it has none */
};

/* Takes the backend over. For the engines' open functions. */
enum err engine_start(struct cx *cx, const struct engine_options *options, struct backend *b,
                      struct engine **out);

/* Holds the backend open. False: it is closed, or about to be, or (for writing) has failed. */
bool store_enter(struct engine *e, bool to_write);
void store_leave(struct engine *e);
/* With e->m held: no more writing; whoever waits for a ticket that is not settled gets ERR_STORE. */
void store_failed(struct engine *e, const struct cx *cx);
/* After that, without e->m: calls back those who did not sleep. */
void tell_failure(struct engine *e);

/* With e->m held. */
struct durable *durable_take(struct engine *e); /* what is written now; durable after a flush */
void durable_release(struct engine *e, struct durable **d);
bool ticket_is_settled(const struct engine *e, uint64_t ticket, enum err *how);

/* Whether it is a transaction's or a view's, a scan looks the same. `overlay` may be NULL. */
struct scan *scan_new(struct engine *e, struct snapshot *s, const struct overlay *overlay,
                      struct part part, struct str from, struct str to, enum scan_how how);
