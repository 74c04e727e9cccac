/* posthorn-vault: everything that holds mail. Started by the supervisor with one end of a socket pair as descriptor 3,
 * over which it is told its settings and given its channels (rpc/leash.def). */
#include "base/clock.h"
#include "base/log.h"
#include "base/machine.h"
#include "base/scoped.h"
#include "net/listen.h"
#include "net/loop.h"
#include "rpc/frame.h"
#include "sandbox/sandbox.h"
#include "vault/accept/local.h"
#include "vault/accept/transactions.h"
#include "vault/admin/admin.h"
#include "vault/attached.h"
#include "vault/channel.h"
#include "vault/imap/facts_table.h"
#include "vault/imap/looking.h"
#include "vault/queue/queue.h"
#include "vault/search/search.h"
#include "vault/session.h"
#include "vault/signon/handles.h"
#include "vault/signon/signon.h"
#include "vault/store/collect.h"
#include "vault/store/store.h"
#include "vault/upkeep.h"
#include "vault/vault.h"

#include <grp.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LEASH 3
#define INDEX_DIRECTORY "index" /* beneath the store's; the engine leaves it alone */
#define MOST_DESCRIPTORS 200000
#define MOST_HANDLES 100000
#define MOST_TRANSACTIONS 40000
/* Each thread's own would keep what it once needed; two are enough for two processors, and measured no slower. */
#define MEMORY_ARENAS 2
#define KEPT_FREE                                                                                      \
    (32 * 1024 * 1024) /* memtables come and go: their pages would be given back and taken again */
#define LARGE_BLOCK (1024 * 1024) /* goes back to the system when freed: argon2's 19 MiB above all */
#define STOP_GRACE_MS 8000        /* the supervisor waits ten seconds */
#define FLUSH_LINGER_US 1000

static struct vault vault;
static struct channels *channels;

const struct session_ops *const session_protocols[] = {&pop3_session, &imap_session, NULL};

/* ---- settings ---- */

static _Atomic(const struct config *) current;

const struct config *settings(void)
{
    return atomic_load(&current);
}

/* The arena is never freed: some command may still be reading the settings before. A reload is rare. */
static enum err take_settings(struct cx *cx, struct str text, struct str name)
{
    struct arena *arena = arena_new(0);
    struct config *config;
    enum err e = config_parse(cx, text, str_to_c(arena, name), arena, &config);

    if (e) {
        arena_free(arena);
        return e;
    }
    atomic_store(&current, config);
    return OK;
}

/* ---- the leash ---- */

enum err serve_room_start(struct caller *c, const struct room_start_request *q,
                          struct room_start_reply *r)
{
    (void)q;
    (void)r;
    return fail(&c->cx, ERR_BAD_CALL, "started already");
}

enum err serve_room_reload(struct caller *c, const struct room_reload_request *q,
                           struct room_reload_reply *r)
{
    enum err e = take_settings(&c->cx, q->settings, q->settings_name);

    (void)r;
    if (e)
        return e;
    log_set_level(settings()->log_level);
    engine_set_reserve(vault.engine, settings()->limits.disk_reserve);
    return OK;
}

enum err serve_room_gate(struct caller *c, const struct room_gate_request *q, struct room_gate_reply *r)
{
    uint64_t gate;
    enum err e;

    (void)r;
    if (c->fd_count != 1)
        return fail(&c->cx, ERR_BAD_CALL, "%zu descriptors came for a gate", c->fd_count);
    e = channel_add(channels, &c->cx, c->fds[0], q->users ? USERS : MX, &gate);
    if (!e)
        c->fds[0] = -1;
    return e;
}

enum err serve_room_stop(struct caller *c, const struct room_stop_request *q, struct room_stop_reply *r)
{
    (void)c;
    (void)q;
    (void)r;
    loop_stop(vault.loop, STOP_GRACE_MS);
    return OK;
}

enum err serve_room_users(struct caller *c, const struct room_users_request *q,
                          struct room_users_reply *r)
{
    (void)c;
    (void)r;
    if (vault.local_users) /* else it only examines */
        local_users_set(vault.local_users, q->users, q->users_count);
    return OK;
}

/* What a gate knew dies with it. May be called again. The supervisor's own channel is life 0: without it nobody would ever
 * stop us. */
static void gate_ended(struct vault *v, uint64_t gate)
{
    if (gate == 0) {
        loop_stop(v->loop, 0);
        return;
    }
    handles_end_gate(v->handles, gate);
    signons_end_gate(v->signons, gate);
    transactions_end_gate(v->transactions, gate);
    attached_end_gate(gate);
    queue_gate_ended(v->queue, gate);
}

/* ---- starting ---- */

struct start {
    struct cx cx;
    struct buf in;
    struct frame frame;
    struct room_start_request request;
    int fds[FRAME_FDS];
    size_t fd_count;
};

static bool read_start(struct start *s)
{
    struct str payload;
    struct unpack u;
    bool bad;

    while (!frame_parse(buf_str(&s->in), &s->frame, &payload, &bad))
        if (bad || frame_receive(LEASH, &s->in, s->fds, &s->fd_count) <= 0)
            return false;
    u = unpack_begin(payload);
    unpack_room_start_request(s->cx.arena, &u, &s->request);
    return s->frame.call == CALL_room_start && unpack_done(&u);
}

static void answer_start(const struct start *s, enum err e)
{
    struct buf out = buf_make(4096);
    size_t begun = frame_begin(&out, CALL_room_start, (uint16_t)e, s->frame.id);

    if (e)
        buf_add_c(&out, s->cx.cause);
    frame_end(&out, begun);
    frame_send(LEASH, buf_str(&out), NULL, 0);
    buf_free(&out);
}

static enum err close_doors(struct cx *cx)
{
    struct arena *a = cx->arena;
    struct buf path = buf_make(4096);
    struct sandbox_layers layers;
    struct sandbox spec = {.kind = SANDBOX_VAULT, .user = getuid() == 0 ? "posthorn-vault" : NULL};
    char text[SANDBOX_TEXT_SIZE];
    enum err e;

    buf_add(&path, settings()->data_dir);
    buf_add_c(&path, "/store");
    spec.directory = str_to_c(a, buf_str(&path));
    buf_free(&path);
    e = sandbox_enter(cx, &spec, &layers);
    if (e)
        return e;
    sandbox_describe(&layers, text);
    log_line(LOG_INFO, "sandbox", "%s", text);
    return OK;
}

static bool has_idle_work(void *arg)
{
    return engine_wants_flush(arg);
}

static void do_idle_work(void *arg)
{
    pool_blocking_begin();
    answers_gather();
    engine_flush_once(arg);
    answers_send();
    pool_blocking_end();
}

static bool gives_service(const struct start *s)
{
    return !s->request.examine && !s->request.restore;
}

/* What a vault needs that takes and gives out mail; one that only examines leaves the store as it is. */
static enum err open_service(struct start *s)
{
    enum err e = store_open(&s->cx, vault.engine, settings, &vault.store);

    if (e)
        return e;
    vault.local_users = local_users_new();
    vault.handles = handles_new(MOST_HANDLES);
    vault.transactions = transactions_new(MOST_TRANSACTIONS);
    return signons_open(&s->cx, vault.store, vault.handles, monotonic_ms, &vault.signons);
}

/* A store that is only half restored would give out what it has given out before. */
static enum err check_mark(struct start *s)
{
    bool marked = access(RESTORE_MARK, F_OK) == 0;

    if (s->request.restore && !marked)
        return fail(&s->cx, ERR_BAD_CALL, "no restore is under way");
    if (marked && !s->request.restore && !s->request.examine)
        return fail(
            &s->cx, ERR_CONFIG,
            "a restore into this data directory has not finished: run \"posthorn restore DIR\" again");
    return OK;
}

static enum err open_parts(struct start *s)
{
    struct engine_options options = {.path = ".",
                                     .disk_reserve = settings()->limits.disk_reserve,
                                     .linger_us = FLUSH_LINGER_US,
                                     .keep_wal_in_process = !s->request.write_each_commit,
                                     .skip_flush = s->request.skip_flush,
                                     .read_only = s->request.examine};
    enum err e = check_mark(s);
    struct loop_settings loop = {.has_idle_work = has_idle_work, .idle_work = do_idle_work};

    if (!e)
        e = engine_open_rocksdb(&s->cx, &options, &vault.engine);
    loop.idle_arg = vault.engine;
    if (!e && s->request.restore)
        e = store_open(&s->cx, vault.engine, settings, &vault.store);
    else if (!e && !s->request.examine)
        e = open_service(s);
    if (!e)
        e = loop_open(&s->cx, &loop, &vault.loop);
    if (e)
        return e;
    vault.started_ms = now_ms();
    vault.grace_ms = s->request.grace_ms ? s->request.grace_ms : COLLECT_GRACE_MS;
    if (gives_service(s)) {
        engine_has_room(vault.engine); /* if it has not, the log says so from the beginning */
        backup_clear(&vault, false);
        vault.queue = queue_open(&vault);
        vault.search = search_open(vault.store, INDEX_DIRECTORY);
    }
    channels = vault.channels = channels_new(&vault, vault.loop, gate_ended);
    return OK;
}

/* In the order that leash.def tells. */
static enum err open_channels(struct start *s)
{
    const struct room_start_request *q = &s->request;
    size_t wanted = (size_t)q->has_mx + q->has_users + q->has_control, i = 0;
    uint64_t gate;
    enum err e = OK;

    if (s->fd_count != wanted)
        return fail(&s->cx, ERR_BAD_CALL, "%zu descriptors came, of %zu", s->fd_count, wanted);
    if (q->has_mx)
        e = channel_add(channels, &s->cx, s->fds[i++], MX, &gate);
    if (!e && q->has_users)
        e = channel_add(channels, &s->cx, s->fds[i++], USERS, &gate);
    if (!e && q->has_control)
        e = channels_listen(channels, &s->cx, s->fds[i++],
                            q->examine   ? EXAMINER
                            : q->restore ? RESTORER
                                         : CONTROL);
    return e ? e : channel_add(channels, &s->cx, LEASH, SUPERVISOR, &gate);
}

/* While the files that tell it can still be read. */
static void find_operators(void)
{
    const struct group *g = getgrnam("posthorn");

    vault.operators = (struct operators){getuid(), g ? g->gr_gid : (gid_t)-1};
}

/* Of what searches hold one account may have a quarter. What is bounded elsewhere takes some hundred MB. Before the doors
 * close: what there is, files say. */
static void bound_searches(void)
{
    uint64_t there = machine_memory();

    facts_tables_begin(there);
    if (there / 2 < IMAP_BUDGET)
        imap_set_budget(there / 2);
}

static enum err tell_remedy(struct cx *cx)
{
    struct str cause = str_copy(cx->arena, str_from_c(cx->cause));

    return fail(cx, ERR_DAMAGED,
                "%.*s: \"posthorn check --repair DIR\" writes what can be read into a new store",
                STR_ARG(str_upto(cause, 160)));
}

static enum err start(struct start *s)
{
    enum err e = take_settings(&s->cx, s->request.settings, s->request.settings_name);

    if (!e) {
        log_start("vault", settings()->log_level);
        find_operators();
        bound_searches();
        e = close_doors(&s->cx);
    }
    if (!e)
        e = open_parts(s);
    return e == ERR_DAMAGED ? tell_remedy(&s->cx) : e;
}

/* Whatever was never made is NULL. */
static void stop(void)
{
    channels_end(channels); /* some of its work is on the queue */
    if (vault.queue)
        queue_close(vault.queue);
    channels_free(channels);
    looking_stop();
    search_close(&vault.search);
    repair_end(&vault);
    if (vault.signons)
        signons_close(vault.signons);
    transactions_free(vault.transactions);
    handles_free(vault.handles);
    local_users_free(vault.local_users);
    if (vault.store)
        store_close(vault.store);
    loop_close(&vault.loop);
    engine_close(vault.engine);
}

int main(void)
{
    struct start s = {.cx = {.arena = arena_new(0)}, .in = buf_make(FRAME_LIMIT)};
    struct upkeep *upkeep = NULL;
    uint64_t descriptors;
    enum err e;

    log_start("vault", LOG_INFO);
    mallopt(M_ARENA_MAX, MEMORY_ARENAS);
    mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
    mallopt(M_TRIM_THRESHOLD, KEPT_FREE);
    if (!read_start(&s)) {
        fputs("posthorn-vault is started by `posthorn serve`, not by hand\n", stderr);
        return 2;
    }
    if (nofile_raise(&s.cx, MOST_DESCRIPTORS, &descriptors))
        log_line(LOG_WARNING, "descriptors", "cause=%s", log_value(str_from_c(s.cx.cause)));
    e = start(&s);
    answer_start(&s, e);
    if (e)
        return 1;
    e = open_channels(&s);
    if (e) {
        log_line(LOG_ERROR, "start", "cause=%s", log_value(str_from_c(s.cx.cause)));
        return 1;
    }
    buf_free(&s.in);
    arena_free(s.cx.arena);
    if (gives_service(&s))
        upkeep = upkeep_start(&vault);
    loop_run(vault.loop);
    if (upkeep)
        upkeep_stop(upkeep);
    stop();
    return 0;
}
