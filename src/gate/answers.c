/* An awaited call is known to two: whoever asked, and the list of those that wait for an answer. The lock guards what both
 * touch; who lets go last frees it. */
#include "gate/answers.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "rpc/frame.h"

#include <stdlib.h>

#define BUCKETS 4096 /* a power of two */

struct awaited {
    uint64_t id;
    struct watch_id who;
    /* guarded by the lock: */
    bool answered, forgotten;
    void (*late)(struct cx *cx, enum err e, struct str payload);
    enum err answer;
    struct buf payload; /* or the cause */
    struct awaited *next;
};

static struct {
    pthread_mutex_t lock;             /* guards buckets, last_id and gone */
    struct awaited *buckets[BUCKETS]; /* those not answered */
    uint64_t last_id;
    bool gone; /* the vault: nothing is answered any more */
    struct rpc_client *vault;
    struct loop *loop;
    struct watch watch;
} all = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void awaited_free(struct awaited *a)
{
    buf_free(&a->payload);
    free(a);
}

/* ---- the answers ---- */

static struct awaited *take_from_list(uint64_t id)
{
    struct awaited **at = &all.buckets[id & (BUCKETS - 1)], *a;

    while (*at && (*at)->id != id)
        at = &(*at)->next;
    a = *at;
    if (a)
        *at = a->next;
    return a;
}

/* The caller holds the lock, and has taken it off the list. */
static void settle(struct awaited *a, enum err e, struct str payload)
{
    if (a->forgotten) {
        awaited_free(a);
        return;
    }
    a->answered = true;
    a->answer = e;
    buf_add(&a->payload, payload);
    loop_wake_here(all.loop, a->who);
}

static void take_answer(struct cx *cx, uint64_t id, enum err e, struct str payload)
{
    void (*late)(struct cx * cx, enum err e, struct str payload) = NULL;

    {
        HOLD(&all.lock);
        struct awaited *a = take_from_list(id);

        if (a)
            late = a->late;
        if (a)
            settle(a, e, e ? str_from_c(cx->cause) : payload);
    }
    if (late)
        late(cx, e, payload);
}

static void vault_has_gone(void)
{
    HOLD(&all.lock);

    all.gone = true;
    for (size_t i = 0; i < BUCKETS; i++)
        while (all.buckets[i])
            settle(take_from_list(all.buckets[i]->id), ERR_VAULT_AWAY, S("the vault has gone"));
}

static bool hear(struct watch *w, unsigned what)
{
    struct cx cx = {.arena = arena_new(0)};
    struct str payload;
    uint64_t id;
    enum err e;
    int got = 0;

    if (what & WATCH_READ) {
        while ((got = rpc_open_answer(all.vault, &cx, &id, &e, &payload)) > 0) {
            take_answer(&cx, id, e, payload);
            arena_reset(cx.arena);
        }
    }
    arena_free(cx.arena);
    if (got < 0) {
        vault_has_gone();
        w->want = 0;
    }
    return true;
}

enum err answers_start(struct cx *cx, struct loop *loop, struct rpc_client *vault)
{
    int fd = rpc_open_fd(vault);
    enum err e;

    if (fd < 0)
        return fail(cx, ERR_VAULT_AWAY, "no channel for open calls");
    all.vault = vault;
    all.loop = loop;
    all.gone = false;
    all.watch = watch_make(hear, fd);
    all.watch.background = true; /* whoever asks keeps the loop running, not this */
    all.watch.want = WATCH_READ;
    e = watch_open(cx, loop, &all.watch);
    if (!e)
        watch_start(&all.watch, 0);
    return e;
}

void answers_stop(void)
{
    vault_has_gone(); /* nobody will hear of it any more */
    watch_close(&all.watch);
}

/* ---- asking ---- */

static bool put_on_list(struct awaited *a)
{
    HOLD(&all.lock);

    if (all.gone)
        return false;
    a->id = ++all.last_id;
    a->next = all.buckets[a->id & (BUCKETS - 1)];
    all.buckets[a->id & (BUCKETS - 1)] = a;
    return true;
}

/* It could not be sent. Where the vault went meanwhile, an answer has been made up already. */
static void take_back(struct awaited *a)
{
    HOLD(&all.lock);

    take_from_list(a->id);
    awaited_free(a);
}

enum err answers_begin(struct cx *cx, enum call call, struct rpc_channel **ch)
{
    return rpc_begin(all.vault, cx, call, ch);
}

enum err answers_ask(struct cx *cx, struct rpc_channel *ch, const int *fds, size_t fd_count,
                     struct watch_id who, struct awaited **out)
{
    struct awaited *a = must_alloc(sizeof(*a));
    bool listed;
    enum err e;

    *a = (struct awaited){.who = who, .payload = buf_make(FRAME_LIMIT)};
    listed = put_on_list(a);
    e = rpc_end_open(all.vault, cx, ch, a->id, fds, fd_count); /* its channel goes back in any case */
    if (!e && !listed)
        e = fail(cx, ERR_VAULT_AWAY, "the vault has gone");
    if (e) {
        take_back(a);
        return e;
    }
    *out = a;
    return OK;
}

bool answers_look(struct cx *cx, struct awaited **at, enum err *e, struct str *payload)
{
    struct awaited *a = *at;
    HOLD(&all.lock);

    if (!a->answered)
        return false;
    *payload = str_copy(cx->arena, buf_str(&a->payload));
    *e = a->answer ? fail(cx, a->answer, "%.*s", STR_ARG(*payload)) : OK;
    awaited_free(a);
    *at = NULL;
    return true;
}

/* True: its answer has not come; whoever takes it then frees it. */
static bool leave_unanswered(struct awaited *a,
                             void (*late)(struct cx *cx, enum err e, struct str payload))
{
    HOLD(&all.lock);

    if (a->answered)
        return false;
    a->late = late;
    return a->forgotten = true;
}

void answers_forget(struct awaited **a, void (*late)(struct cx *cx, enum err e, struct str payload))
{
    struct cx cx;
    struct str payload;
    enum err e;

    if (!*a || leave_unanswered(*a, late)) {
        *a = NULL;
        return;
    }
    cx = (struct cx){.arena = arena_new(0)};
    if (answers_look(&cx, a, &e, &payload) && late && e != ERR_VAULT_AWAY)
        late(&cx, e, payload);
    arena_free(cx.arena);
}
