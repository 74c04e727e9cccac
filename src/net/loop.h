/* net/loop.h: equal threads in front of one epoll.
 *
 * The thread that gets an event does everything that follows from it: reads the socket, runs the protocol core,
 * which may block in a call to the vault, writes the reply, arms the descriptor again. Nothing is handed over.
 * The pool grows while its threads are inside blocking calls, so that there is always one in front of the epoll
 * until the greatest number is reached; then events wait until a call returns. Threads too many end after some
 * idle seconds.
 *
 * A program that must not be held up by blocking calls in one part (relays) gives that part a loop of its own. */
#pragma once
#include "base/err.h"

struct loop;

struct loop_settings {
    unsigned threads_least; /* that are not blocked; 0: 2 */
    unsigned threads_most;  /* in all; 0: 64, which is the most */
    int64_t tick_ms;        /* how exact deadlines are; 0: 100 */
    /* Work that is best done when nothing else is ready, such as one flush for all who wait. has_idle_work() is asked
     * often and must be cheap; idle_work() is called by a thread that then finds no event, and does a piece of it: this
     * thread goes on with one watch that it woke meanwhile. NULL: none. */
    bool (*has_idle_work)(void *arg);
    void (*idle_work)(void *arg);
    void *idle_arg;
};

enum err loop_open(struct cx *cx, const struct loop_settings *settings, struct loop **out);
void loop_close(
    struct loop **l); /* after loop_run has returned, or instead of it; no watch is open any more */

/* Becomes the first thread of the pool. Returns when loop_stop was called and the last watch that is not
 * `background` was closed; all other threads have ended then. Ignores SIGPIPE from here on. */
void loop_run(struct loop *l);
/* Any thread: every watch is told WATCH_STOP. After grace_ms all are told again, and loop_is_ending(). Called again, it
 * changes only the end of the grace. */
void loop_stop(struct loop *l, int64_t grace_ms);
bool loop_is_stopping(const struct loop *l); /* begin nothing new */
bool loop_is_ending(const struct loop *l);   /* the grace is over: close now */

/* Around whatever may block (a call to the vault). What the thread would have run next is left to others. No effect in
 * threads that are not a loop's. They nest. */
void pool_blocking_begin(void);
void pool_blocking_end(void);

/* 64 KiB that belong to the calling thread of a pool, for what is read from a socket and used up before run()
 * returns. */
#define LOOP_SCRATCH_SIZE ((size_t)64 * 1024)
char *loop_scratch(void);

/* What run() is told: several at once. WATCH_READ_2 and WATCH_WRITE_2 speak of fd[1]. */
enum {
    WATCH_READ = 1,  /* readable, ended or broken: read() will tell */
    WATCH_WRITE = 2, /* writable, or broken */
    WATCH_READ_2 = 4,
    WATCH_WRITE_2 = 8,
    WATCH_DEADLINE = 16, /* the deadline has passed, or had when it was moved on: look again */
    WATCH_WOKEN = 32,    /* somebody called loop_wake() */
    WATCH_STOP = 64,     /* the loop is stopping */
};

struct watch_id {
    uint64_t v;
}; /* never used twice; may outlive its watch */

#define NO_DEADLINE INT64_MAX

/* One or two descriptors, or none, handled by one thread at a time. It is a part of what it serves. run() is
 * told what happened, sets `want`, and returns true; or calls watch_close(), frees itself and returns false. */
struct watch {
    bool (*run)(struct watch *w, unsigned what);
    int fd[2];       /* -1: none. Stay the owner's, who closes them after watch_close() */
    uint8_t want;    /* WATCH_READ … WATCH_WRITE_2: what to be told next; 0: nothing */
    bool again;      /* set by run(): call me once more, after others had their turn */
    bool background; /* loop_run() does not wait for this one */

    uint8_t added; /* from here on: private */
    struct loop *loop;
    struct watch_id id;
};

struct watch watch_make(bool (*run)(struct watch *w, unsigned what), int fd);
/* Until watch_start() nobody calls run(). Fails with ERR_STOPPING after loop_stop(), or ERR_TOO_MANY_CONNS (a
 * million). */
enum err watch_open(struct cx *cx, struct loop *l, struct watch *w);
/* run() is called with `what`: by this thread as soon as it has let go of what it handles now, or, if this is no
 * thread of the loop, by one of those. */
void watch_start(struct watch *w, unsigned what);
/* By whoever runs it, or before watch_start(), or when no thread runs the loop. */
void watch_close(struct watch *w);
/* A second descriptor comes or goes; by whoever runs it. The caller closes the old one afterwards. */
void watch_set_second(struct watch *w, int fd);

/* Monotonic milliseconds, or NO_DEADLINE. By whoever runs it. Moving it on costs a store to memory. */
void watch_set_deadline(struct watch *w, int64_t at_ms);

/* Any thread, at any time, also long after the watch was closed: then nothing happens. */
void loop_wake(struct loop *l, struct watch_id id);
/* The same, but a thread of this loop runs it itself, as soon as it has let go of what it handles now: for news that
 * concern many watches, each of which has little to do. What it has not come to when it blocks, others take over. */
void loop_wake_here(struct loop *l, struct watch_id id);
