/* vault/engine/engine.h: the whole contract with a database: an ordered map of bytes, in parts.
 *
 * Durability. txn_commit() writes and gives the locks back; the change is *durable* only when a flush that began
 * after it has ended, which the ticket it returns stands for. Nobody may say 250 or OK before that: wait with
 * engine_wait(), or let engine_when_durable() call back. One flusher serves all who wait: whoever finds no flush
 * running flushes (engine_flush), for everybody, and wakes them once.
 *
 * Reads outside a transaction (struct view) see the last durable state and nothing newer, else a client sees a
 * UID that a power cut then gives to another message. Reads inside a transaction see its own writes and the
 * newest state of the parts it locked.
 *
 * A write or flush that fails is final: everything waiting gets ERR_STORE, the store is closed and opened again
 * (as soon as there is room), and no flush is ever tried a second time. Such a commit is as uncertain as one whose
 * reply was lost: it may be there when the store is open again, whole, together with all that came before it.
 * Until then every commit answers ERR_STORE or ERR_NO_SPACE; what is durable can be read nearly all the time.
 *
 * All functions may be called from any thread; a txn, view or scan belongs to one thread. */
#pragma once
#include "base/err.h"
#include "base/buf.h"
#include "base/ids.h"

/* Which part of the map. A part of a lockable kind is locked by naming it in txn_begin; the others are written
 * *blind*: their keys hold a fresh id, so nobody else can be writing the same row. */
enum part_kind {
    PART_ACCOUNT = 'a',   /* lockable; id: the account's */
    PART_DIRECTORY = 'd', /* lockable; id 0: domains, addresses, accounts, credentials, format number */
    PART_BODY = 'o',  /* blind; pieces of bodies; large ones lie apart, where no compaction copies */
    PART_REF = 'r',   /* blind; references to bodies, and candidates for collection */
    PART_QUEUE = 'q', /* blind; queue entries, index by due time; changed only by who holds the lease */
    PART_TRACE = 't', /* blind; keys begin with the time; old ones are dropped by range */
};

struct part {
    enum part_kind kind;
    uint64_t id; /* 0 but for accounts */
};

struct engine;
struct txn;
struct view;
struct scan;
struct ticket {
    uint64_t v; /* grows with every commit; 0: nothing to wait for */
};

#define ENGINE_MAX_KEY 1024 /* the longest key, without its part; a longer one is our own mistake */

struct engine_options {
    const char *path;      /* a directory, made if missing; unused by the memory engine */
    uint64_t disk_reserve; /* engine_has_room() is false below it */
    uint64_t memory;       /* for memtables of all families together; 0: the default */
    uint32_t linger_us;    /* how long a flush may wait for a larger group (see flusher.c); 0: never */
    /* manual_wal_flush: saves a write(2) a commit, and what was not flushed dies with the process, which no view
     * has shown. So it is right for production, and makes SIGKILL a crash test worth the name. */
    bool keep_wal_in_process;
    bool
        read_only; /* for looking at a damaged store: no file of it changes, and one that cannot be opened costs
                       the rows in it. A commit fails */
    bool skip_flush; /* only for tests that must fail: says "durable" of what is not */
};

/* Opening repairs nothing. ERR_LOCKED: another process has the store; ERR_NO_SPACE; ERR_DAMAGED; the cause names
 * the path and what the database said. */
enum err engine_open_rocksdb(struct cx *cx, const struct engine_options *options, struct engine **out);
enum err engine_open_memory(struct cx *cx, const struct engine_options *options, struct engine **out);
void engine_close(struct engine *e); /* flushes first; NULL is fine. No txn, view or scan may be open */

/* ---- transactions ---- */

/* Locks all named parts, sorted, each lock once; waits for them. None can be added later. n may be 0 (all blind).
 * One transaction a thread at a time. Never NULL: while the store is closed, what it is asked fails. */
struct txn *txn_begin(struct engine *e, const struct part *parts, size_t n);
void txn_rollback(struct txn **t); /* for scoped(); nothing happens after a commit, or to NULL */

/* Values live in cx->arena. A missing row is OK with *found false. ERR_DAMAGED: the block cannot be read. */
enum err txn_get(struct txn *t, struct cx *cx, struct part part, struct str key, struct str *value,
                 bool *found);
void txn_put(struct txn *t, struct part part, struct str key, struct str value);
/* For large values: not copied, so it must stay where it is until the transaction has ended. */
void txn_put_piece(struct txn *t, struct part part, struct str key, struct str value);
void txn_delete(struct txn *t, struct part part, struct str key);
void txn_delete_range(struct txn *t, struct part part, struct str from,
                      struct str to); /* from ≤ key < to; the
                                                     transaction must not read in that range afterwards */
/* Writes, gives the locks back and ends the transaction, also when it fails. *ticket: wait for it before anyone is
 * told. One that wrote nothing gives engine_newest(): its answer rests on what others wrote. */
enum err txn_commit(struct txn **t, struct cx *cx, struct ticket *ticket);
/* What was committed and not waited for may be gone once the store has failed and is open again. Who builds on it says so, and
 * the commit fails (ERR_STORE) if that was another opening of the store. txn_is_built_on() notes this one in *opening, where
 * none is noted yet (0), and rests on the one that is. */
void txn_rests_on(struct txn *t, uint64_t opening); /* 0: on nothing */
void txn_is_built_on(struct txn *t, uint64_t *opening);

/* ---- making it durable ---- */

enum err engine_wait(struct engine *e, struct cx *cx,
                     struct ticket ticket); /* flushes itself if nobody does */
/* Calls back once, from the thread that flushes (or at once if it is durable already): be short, take no lock that
 * is held while calling the engine. Somebody must call engine_flush() soon. */
void engine_when_durable(struct engine *e, struct ticket ticket, void (*done)(void *arg, enum err e),
                         void *arg);
/* Flushes for all who wait, as long as there are any, and calls them back. False, at once: nobody waits, or another
 * thread is at it and will serve those too. */
bool engine_flush(struct engine *e);
/* The same for those who wait now, and no longer: who came meanwhile waits for a further call. */
bool engine_flush_once(struct engine *e);
bool engine_is_durable(struct engine *e, struct ticket ticket); /* false: not yet, or lost */
bool engine_wants_flush(struct engine *e);                      /* somebody waits, and nobody flushes */
/* The newest commit, durable or not: who answers by what a transaction read, writing nothing, waits for this. */
struct ticket engine_newest(struct engine *e);

/* ---- reading what is durable ---- */

struct view *
view_open(struct engine *e); /* NULL while the store is closed. Hold it for one command only */
void view_close(struct view **v);
enum err view_get(struct view *v, struct cx *cx, struct part part, struct str key, struct str *value,
                  bool *found);

/* ---- scans: rows of one part with from ≤ key < to, in order; an empty `to` means the part's end ---- */

enum err view_scan(struct view *v, struct cx *cx, struct part part, struct str from, struct str to,
                   bool backwards, struct scan **out);
/* The same, forwards, for going through much: reads far ahead, and pushes nothing out of memory that others need. */
enum err view_scan_much(struct view *v, struct cx *cx, struct part part, struct str from, struct str to,
                        struct scan **out);
enum err txn_scan(struct txn *t, struct cx *cx, struct part part, struct str from, struct str to,
                  bool backwards, struct scan **out);
/* False at the end or at a row that cannot be read: scan_error() tells which. Key (without the part) and value
 * live until the next call. */
bool scan_next(struct scan *s, struct str *key, struct str *value);
/* Of a scan forwards: the next row is the first that is not before `to`, which must lie behind the last one given. Costs
 * less than another scan. After damage too. */
void scan_skip(struct scan *s, struct str to);
enum err scan_error(const struct scan *s, struct cx *cx);
/* After ERR_DAMAGED: the scan may go on with the first row behind the damage that can be read. What lies between
 * the last row and that one is lost. False: there was no damage, or none can be read. */
bool scan_past_damage(struct scan *s);
void scan_close(struct scan **s);
/* The ids of all account parts that have rows, ascending, also those nobody names any more: for `check`. */
enum err view_next_account(struct view *v, struct cx *cx, uint64_t after, uint64_t *id, bool *found);

/* ---- watching: a hint that something durable changed in the part; one may be lost, so also look every 30 s ---- */

struct part_watch;
struct part_watch *part_watch_open(struct engine *e, struct part part, void (*changed)(void *arg),
                                   void *arg);
void part_watch_close(struct part_watch **w); /* when it returns, the callback will not run any more */

/* ---- upkeep ---- */

void engine_set_reserve(struct engine *e, uint64_t disk_reserve);
bool engine_has_room(struct engine *e); /* free disk is above the reserve; looked at once a second */
bool engine_is_open(struct engine *e);  /* false: between a failure and the next opening */
/* To be called now and then (each second): opens the store again after a failure, when there is room; it waits
 * for open transactions and views then, so the caller must hold none. Flushes what nobody waits for. */
void engine_tend(struct engine *e);
/* Rewrites files where much was deleted, so that the disk shrinks. Slow; from a background thread. */
enum err engine_compact(struct engine *e, struct cx *cx, enum part_kind kind);
/* A copy of the store as it is now, for a backup: a directory `name` within the store's own, which must not exist yet, with
 * everything that was durable when it was called; what was committed since may be in it. Its files share their bytes with
 * the store's (hard links) and never change. Slow; ERR_SYSTEM: an engine without files. */
enum err engine_checkpoint(struct engine *e, struct cx *cx, const char *name);

struct engine_figures {
    uint64_t flushes, commits; /* since opening */
    uint64_t disk_used, disk_free;
    bool damaged; /* files that cannot be read keep a part from being compacted: time for a repair */
};
void engine_figures(struct engine *e, struct engine_figures *out);
