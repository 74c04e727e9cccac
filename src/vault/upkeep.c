#include "vault/upkeep.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/wait.h"
#include "vault/accept/left.h"
#include "vault/accept/transactions.h"
#include "vault/admin/admin.h"
#include "vault/store/changes.h"
#include "vault/store/collect.h"
#include "vault/trace/trace.h"
#include "vault/vault.h"

#include <stdlib.h>

#define TEND_MS 1000
#define COLLECT_MS 30000
#define TRACE_MS 3600000
#define FOLD_MS (6 * 3600000)
#define FORGOTTEN_MS 3600000 /* a transaction that nobody touched: a peer may take ten minutes a step */
/* Deleted since the last time: worth rewriting files for at once, and worth it after a while. What an earlier life of this
 * process has deleted is not known, so that counts as worth it. */
#define COMPACT_BYTES (64ull * 1024 * 1024)
#define COMPACT_SHARE 8 /* of what the store takes: an eighth is as good as the bytes above */
#define COMPACT_LEAST (1024ull * 1024)
#define COMPACT_MS 3600000

struct upkeep {
    struct vault *vault;
    pthread_t thread;
    pthread_mutex_t lock; /* guards ending */
    pthread_cond_t ended;
    bool ending;
    int64_t next_collect, next_trace, next_fold, next_compact;
    uint64_t deleted; /* bytes of bodies, not yet given back to the disk */
};

static bool is_worth_compacting(const struct upkeep *u)
{
    struct engine_figures f;

    if (u->deleted < COMPACT_LEAST)
        return false;
    if (u->deleted >= COMPACT_BYTES || monotonic_ms() >= u->next_compact)
        return true;
    engine_figures(u->vault->engine, &f);
    return u->deleted >= f.disk_used / COMPACT_SHARE;
}

static void collect_round(struct upkeep *u)
{
    struct cx cx = {.arena = arena_new(0)};
    struct collected got = {0};
    enum err e;

    do {
        e = collect(u->vault->store, &cx, now_ms() - u->vault->grace_ms, &got);
        u->deleted += got.bytes;
        arena_reset(cx.arena);
    } while (!e && got.more);
    if (!e && is_worth_compacting(u)) {
        u->deleted = 0;
        u->next_compact = monotonic_ms() + COMPACT_MS;
        e = engine_compact(u->vault->engine, &cx, PART_BODY);
    }
    if (e)
        log_line(LOG_WARNING, "collect", "error=%s cause=%s", err_row(e)->name,
                 log_value(str_from_c(cx.cause)));
    arena_free(cx.arena);
}

static void take_back_left(struct upkeep *u)
{
    struct cx cx = {.arena = arena_new(0)};

    u->deleted += left_bodies_take_back(u->vault, &cx);
    arena_free(cx.arena);
}

static void drop_old_trace(struct upkeep *u)
{
    struct cx cx = {.arena = arena_new(0)};
    enum err e = trace_drop_before(u->vault->store, &cx, now_ms() - TRACE_KEPT_MS);

    if (e)
        log_line(LOG_WARNING, "trace", "error=%s cause=%s", err_row(e)->name,
                 log_value(str_from_c(cx.cause)));
    arena_free(cx.arena);
}

static void fold_changes(struct upkeep *u)
{
    struct cx cx = {.arena = arena_new(0)};
    struct account_id next = {0};
    enum err e;

    do {
        e = changes_fold(u->vault->store, &cx, now_ms(), &next);
        arena_reset(cx.arena);
    } while (!e && next.v);
    if (e)
        log_line(LOG_WARNING, "change-log", "error=%s cause=%s", err_row(e)->name,
                 log_value(str_from_c(cx.cause)));
    arena_free(cx.arena);
}

static void tend(struct upkeep *u)
{
    int64_t now = monotonic_ms();

    engine_tend(u->vault->engine);
    transactions_expire(u->vault->transactions, now - FORGOTTEN_MS);
    if (!engine_is_open(u->vault->engine))
        return;
    backup_clear(u->vault, true);
    take_back_left(u);
    if (now >= u->next_collect) {
        u->next_collect = now + (u->vault->grace_ms < COLLECT_MS ? u->vault->grace_ms : COLLECT_MS);
        collect_round(u);
    }
    if (now >= u->next_trace) {
        u->next_trace = now + TRACE_MS;
        drop_old_trace(u);
    }
    if (now >= u->next_fold) {
        u->next_fold = now + FOLD_MS;
        fold_changes(u);
    }
}

/* False: the time is over. */
static bool wait_for_end(struct upkeep *u)
{
    int64_t until = monotonic_ms() + TEND_MS;
    HOLD(&u->lock);

    while (!u->ending && cond_wait_until(&u->ended, &u->lock, until))
        ;
    return u->ending;
}

static void *upkeep_main(void *arg)
{
    do
        tend(arg);
    while (!wait_for_end(arg));
    return NULL;
}

struct upkeep *upkeep_start(struct vault *v)
{
    struct upkeep *u = must_alloc(sizeof(*u));

    u->vault = v;
    u->deleted = COMPACT_LEAST;
    u->next_compact = monotonic_ms() + COMPACT_MS;
    pthread_mutex_init(&u->lock, NULL);
    cond_init_monotonic(&u->ended);
    if (pthread_create(&u->thread, NULL, upkeep_main, u)) {
        log_line(LOG_ERROR, "no-thread", "for=upkeep");
        abort();
    }
    return u;
}

void upkeep_stop(struct upkeep *u)
{
    {
        HOLD(&u->lock);
        u->ending = true;
        pthread_cond_signal(&u->ended);
    }
    pthread_join(u->thread, NULL);
    pthread_cond_destroy(&u->ended);
    pthread_mutex_destroy(&u->lock);
    free(u);
}
