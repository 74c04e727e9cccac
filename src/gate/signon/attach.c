/* An attachment is known to two: its connection, and the list of those that wait for an answer. The lock guards what
 * both touch; who lets go last frees it. */
#include "gate/signon/attach.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/scoped.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUCKETS 4096 /* a power of two */

struct attachment {
    uint64_t id;
    struct watch_id conn;
    bool is_relayed;  /* TLS */
    bool relay_ended; /* the vault has closed its end of the pair, and all it said was passed on */
    /* guarded by the lock: */
    bool answered, forgotten;
    enum err answer;
    bool signed_off;
    struct buf left;
    struct attachment *next;
};

static struct {
    pthread_mutex_t lock;                /* guards buckets and last_id */
    struct attachment *buckets[BUCKETS]; /* those not answered */
    uint64_t last_id;
    struct rpc_client *vault;
    struct loop *loop;
    struct watch watch;
} all = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void attachment_free(struct attachment *a)
{
    buf_free(&a->left);
    free(a);
}

/* ---- the answers ---- */

static struct attachment *take_from_list(uint64_t id)
{
    struct attachment **at = &all.buckets[id & (BUCKETS - 1)], *a;

    while (*at && (*at)->id != id)
        at = &(*at)->next;
    a = *at;
    if (a)
        *at = a->next;
    return a;
}

/* The caller holds the lock, and has taken it off the list. */
static void settle(struct attachment *a, enum err e, const struct attach_reply *r)
{
    if (a->forgotten) {
        attachment_free(a);
        return;
    }
    a->answered = true;
    a->answer = e;
    a->signed_off = r->signed_off;
    buf_add(&a->left, r->left);
    loop_wake(all.loop, a->conn);
}

static void take_answer(struct cx *cx, uint64_t id, enum err e, struct str payload)
{
    struct unpack u = unpack_begin(payload);
    struct attach_reply r = {0};
    struct attachment *a;

    if (!e)
        unpack_attach_reply(cx->arena, &u, &r);
    if (!e && !unpack_done(&u))
        r = (struct attach_reply){0};
    HOLD(&all.lock);
    a = take_from_list(id);
    if (a)
        settle(a, e, &r);
}

/* Everything that it held has ended with it. */
static void vault_has_gone(void)
{
    const struct attach_reply ended = {0};
    HOLD(&all.lock);

    for (size_t i = 0; i < BUCKETS; i++) {
        while (all.buckets[i])
            settle(take_from_list(all.buckets[i]->id), OK, &ended);
    }
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

enum err attach_start(struct cx *cx, struct loop *loop, struct rpc_client *vault)
{
    int fd = rpc_open_fd(vault);
    enum err e;

    if (fd < 0)
        return fail(cx, ERR_VAULT_AWAY, "no channel for open calls");
    all.vault = vault;
    all.loop = loop;
    all.watch = watch_make(hear, fd);
    all.watch.background = true; /* the connections keep the loop running, not this */
    all.watch.want = WATCH_READ;
    e = watch_open(cx, loop, &all.watch);
    if (!e)
        watch_start(&all.watch, 0);
    return e;
}

void attach_stop(void)
{
    vault_has_gone(); /* nobody will hear of it any more */
    watch_close(&all.watch);
}

/* ---- handing over ---- */

static void put_on_list(struct attachment *a)
{
    HOLD(&all.lock);

    a->id = ++all.last_id;
    a->next = all.buckets[a->id & (BUCKETS - 1)];
    all.buckets[a->id & (BUCKETS - 1)] = a;
}

static bool send_call(struct attachment *a, const struct attach_request *q, int fd)
{
    struct buf b = buf_make(CONN_INPUT_LIMIT + 4096);
    bool sent;

    pack_attach_request(&b, q);
    pool_blocking_begin();
    sent = !b.full && rpc_open_send(all.vault, CALL_attach, buf_str(&b), a->id, &fd, 1);
    pool_blocking_end();
    buf_free(&b);
    return sent;
}

/* It could not be sent, or the vault went meanwhile: then its answer may have been made up already. */
static void take_back(struct attachment *a)
{
    HOLD(&all.lock);

    take_from_list(a->id);
    attachment_free(a);
}

enum err attach_begin(struct cx *cx, struct conn *c, const struct attach_request *q,
                      struct attachment **out)
{
    struct attachment *a = must_alloc(sizeof(*a));
    int pair[2] = {-1, -1};
    bool sent;

    *a = (struct attachment){
        .conn = conn_id(c), .is_relayed = conn_tls(c) != NULL, .left = buf_make(CONN_INPUT_LIMIT)};
    if (a->is_relayed && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
        attachment_free(a);
        return fail(cx, ERR_SYSTEM, "no socket pair for a relay");
    }
    put_on_list(a);
    sent = send_call(a, q, a->is_relayed ? pair[1] : conn_fd(c));
    close_fd(&pair[1]);
    if (!sent) {
        close_fd(&pair[0]);
        take_back(a);
        return fail(cx, ERR_VAULT_AWAY, "attach could not be sent");
    }
    if (a->is_relayed)
        conn_relay(c, pair[0]);
    else
        conn_pause(c);
    *out = a;
    return OK;
}

/* ---- and back ---- */

static void give_back(const struct attachment *a, struct conn *c)
{
    if (a->is_relayed)
        conn_unrelay(c, buf_str(&a->left));
    else
        conn_resume(c, buf_str(&a->left));
}

static bool is_answered(struct attachment *a)
{
    HOLD(&all.lock);
    return a->answered;
}

enum attach_state attach_look(struct attachment **at, struct conn *c, bool relay_ended, enum err *e)
{
    struct attachment *a = *at;
    enum attach_state state = ATTACH_ENDED;

    a->relay_ended |= relay_ended;
    if (!is_answered(a) || (a->is_relayed && !a->relay_ended))
        return ATTACH_HELD;
    if (a->answer)
        state = ATTACH_REFUSED;
    else if (a->signed_off)
        state = ATTACH_BACK;
    *e = a->answer;
    if (state != ATTACH_ENDED)
        give_back(a, c);
    attachment_free(a);
    *at = NULL;
    return state;
}

void attach_forget(struct attachment **at)
{
    struct attachment *a = *at;

    if (!a)
        return;
    *at = NULL;
    HOLD(&all.lock);
    if (a->answered)
        attachment_free(a);
    else
        a->forgotten = true; /* freed when its answer comes */
}
