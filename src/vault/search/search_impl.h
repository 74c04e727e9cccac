/* vault/search/search_impl.h: what search.c and follow.c share. */
#pragma once
#include "vault/search/search.h"

#include <pthread.h>

#define FOLLOWED_MOST                                                                                  \
    10000 /* accounts whose changes are watched; of others the index goes on when it is asked */
#define OPEN_MOST 32    /* files open at the same time */
#define UNUSED_MS 60000 /* then one is closed */
#define BUCKETS 1024

/* An account. Locks: `lock`, then the search's; the latter is never held across a call to the engine or the disk. */
struct followed {
    struct search *s;
    struct account_id account;
    pthread_mutex_t lock; /* guards x, and held while the index is asked or written */
    struct index *x;      /* NULL: not open */
    bool busy; /* the thread is writing it: nobody else may close it; guarded by `lock` too */
    struct part_watch *watch; /* the thread's own */
    uint64_t modseq;          /* likewise: followed up to here; 0: as far as the index says */

    /* guarded by the search's lock */
    struct followed *next;
    unsigned holders;
    bool is_open;
    bool wanted;  /* to be made if it is missing */
    bool again;   /* to be thrown away first */
    bool making;  /* what `posthorn index` waits for */
    int64_t due;  /* monotonic; 0: nothing is known to have changed */
    int64_t used; /* by who asks */
    unsigned failures;
    enum err failed;
    char cause[200];
    uint64_t done, goal;
};

struct search {
    struct store *store;
    const char *directory;
    uint64_t identity;
    pthread_t thread;
    _Atomic int64_t worked; /* monotonic: when a session was last served */

    pthread_mutex_t lock; /* guards all that follows */
    pthread_cond_t due, progressed;
    struct followed *buckets[BUCKETS];
    size_t count, open;
    bool ending;
    int64_t wakes; /* when the thread looks again */
};

void *follow_main(void *search);

#define INDEX_PATH_SIZE 400
const char *index_path(const struct search *s, struct account_id account, char out[INDEX_PATH_SIZE]);

struct followed *followed_hold(struct search *s, struct account_id account);
void followed_release(struct followed **f); /* for scoped() */
void followed_due(struct followed *f, int64_t when);
/* With f->lock held: */
enum err followed_open(struct followed *f, struct cx *cx, bool make);
void followed_close(struct followed *f);
/* The index is of no use: away with it, at once or when the thread has let go of it, and make it anew. */
void followed_discard(struct followed *f, enum err e, const char *cause);
/* Closes what is not used, and the oldest beyond the limits. Hold no lock. */
void search_tidy(struct search *s);
