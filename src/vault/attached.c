/* One connection of the loop for each session. A session waits for one thing at a time, and its connection is paused
 * unless that is input:
 *
 *   input        the core is fed
 *   the peer     until what was said is written; then `more`
 *   the disk     replies that rest on a commit stay in the session until it is durable; the flusher's call wakes us
 *   the long lane  `more` runs there, and until it has come back nobody else touches the session
 *
 * A connection may end at any time. While the long lane has its session, that is closed by the lane's thread. */
#include "vault/attached.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/scoped.h"
#include "net/conn.h"
#include "sandbox/sandbox.h"
#include "vault/caller.h"
#include "vault/channel.h"
#include "vault/compression.h"
#include "vault/search/search.h"
#include "vault/session.h"
#include "vault/vault.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

enum lane_state { LANE_NONE, LANE_RUNS, LANE_DONE, LANE_LEFT_ALONE };

struct attached {
    struct session s;
    const struct session_ops *ops;
    struct conn *conn;
    struct loop *loop;
    struct later later; /* the answer to `attach` */
    struct attached *next, **at;
    struct watch_id id;     /* of conn; guarded by the list's lock until it is listed */
    enum session_wish wish; /* what follows when `out` has been passed on */
    struct buf left;        /* with SESSION_SIGN_OFF: input that the gate is to have back */
    bool opened, relayed, signed_off;
    struct compression *compression; /* NULL: none */
    struct part_watch **watches;
    size_t watch_count;
    int64_t heard,
        looked; /* monotonic: when the session last had to do with its peer, and was last woken */
    atomic_bool changed; /* what it watches; set by the flusher, who then wakes the connection */
    _Atomic int durable; /* 0: no wait; 1: waiting; 2: durable; 3: lost */
    _Atomic int lane;    /* enum lane_state; LANE_LEFT_ALONE: the connection has gone meanwhile */
    enum session_wish lane_wish; /* with LANE_DONE */
    atomic_uint holders;         /* the connection, a wait for the disk, the long lane */
};

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER; /* guards list and count */
static struct attached *list;
static size_t count;

/* ---- the list of all ---- */

static void list_add(struct attached *a)
{
    HOLD(&list_lock);

    a->id = conn_id(a->conn);
    a->next = list;
    a->at = &list;
    if (list)
        list->at = &a->next;
    list = a;
    count++;
}

static void list_remove(struct attached *a)
{
    HOLD(&list_lock);

    if (!a->at)
        return;
    *a->at = a->next;
    if (a->next)
        a->next->at = a->at;
    a->at = NULL;
    count--;
}

static void end_one(struct attached *a)
{
    atomic_store(&a->s.must_end, true);
    loop_wake(a->loop, a->id);
}

void attached_end_account(struct account_id account)
{
    HOLD(&list_lock);

    for (struct attached *a = list; a; a = a->next)
        if (a->s.who.account.v == account.v)
            end_one(a);
}

void attached_end_gate(uint64_t gate)
{
    HOLD(&list_lock);

    for (struct attached *a = list; a; a = a->next)
        if (a->s.who.gate == gate)
            end_one(a);
}

size_t attached_count(void)
{
    HOLD(&list_lock);
    return count;
}

static void release(struct attached *a)
{
    if (atomic_fetch_sub(&a->holders, 1) != 1)
        return;
    session_rest(&a->s);
    buf_free(&a->left);
    compression_free(&a->compression);
    free(a);
}

/* ---- replies ---- */

enum { NOT_WAITING, WAITING, DURABLE, LOST };

static void settled(void *arg, enum err e)
{
    struct attached *a = arg;

    atomic_store(&a->durable, e ? LOST : DURABLE);
    loop_wake(a->loop, a->id);
    release(a);
}

static void say(struct attached *a)
{
    struct buf *out = &a->s.out;

    if (out->full)
        conn_abort(a->conn); /* more than a session may say at once: our own mistake */
    if (a->compression)
        compression_write(a->compression, conn_out(a->conn), buf_str(out));
    else if (conn_out(a->conn)->n || out->full)
        buf_add(conn_out(a->conn), buf_str(out));
    else
        buf_exchange(conn_out(a->conn), out); /* replies are long, or most of the work */
    buf_clear(out);
}

/* What the core wishes, once what it said may leave. */
static void pass_on(struct attached *a)
{
    say(a);
    switch (a->wish) {
    case SESSION_MORE:
        session_rest(&a->s);
        break;
    case SESSION_COMPRESS:
        a->compression = compression_new();
        a->wish = SESSION_MORE;
        break;
    case SESSION_WRITE:
    case SESSION_LONG:
    case SESSION_SIGN_OFF:
        conn_want_drained(a->conn);
        conn_pause(a->conn); /* so that input the core left comes again when it is done */
        break;
    case SESSION_CLOSE:
        conn_close(a->conn);
        break;
    }
}

/* ---- watching accounts ---- */

/* Called by the flusher. */
static void note_change(void *arg)
{
    struct attached *a = arg;

    if (!atomic_exchange(&a->changed, true))
        loop_wake(a->loop, a->id);
}

static void watches_end(struct attached *a)
{
    for (size_t i = 0; i < a->watch_count; i++)
        part_watch_close(&a->watches[i]);
    free(a->watches);
    a->watches = NULL;
    a->watch_count = 0;
}

/* What happened between the core's last look and now is found by one more look. */
static void watches_begin(struct attached *a)
{
    const struct account_id *accounts = a->s.watched;

    watches_end(a);
    a->s.watch_changed = false;
    if (!a->s.watched_count)
        return;
    a->watch_count = a->s.watched_count;
    a->watches = must_alloc(a->watch_count * sizeof(*a->watches));
    for (size_t i = 0; i < a->watch_count; i++)
        a->watches[i] = part_watch_open(a->s.store->engine, (struct part){PART_ACCOUNT, accounts[i].v},
                                        note_change, a);
    note_change(a);
}

/* ---- steps ---- */

static bool waits_for_input(struct attached *a)
{
    return a->opened && a->wish == SESSION_MORE && atomic_load(&a->durable) == NOT_WAITING;
}

static void set_deadline(struct attached *a)
{
    int64_t now = monotonic_ms(), at = a->heard + a->ops->idle_ms;

    if (a->watch_count && a->looked + SESSION_LOOK_MS < at)
        at = a->looked + SESSION_LOOK_MS;
    if (a->compression && a->heard + SESSION_LOOK_MS < at && a->heard + SESSION_LOOK_MS > now)
        at = a->heard + SESSION_LOOK_MS;
    conn_set_deadline(a->conn, at > now ? at - now : 0);
}

/* After each step of the core: its replies leave, at once or when what they tell is durable. */
static void after_step(struct attached *a, enum session_wish wish)
{
    struct ticket ticket = a->s.ticket;

    a->wish = wish;
    a->s.ticket = (struct ticket){0};
    a->heard = monotonic_ms();
    search_note_work(a->s.vault->search, a->heard);
    arena_reset(a->s.cx->arena);
    if (a->s.watch_changed) {
        watches_begin(a);
        set_deadline(a);
    }
    if (!ticket.v) {
        pass_on(a);
        return;
    }
    atomic_store(&a->durable, WAITING);
    atomic_fetch_add(&a->holders, 1);
    conn_pause(a->conn);
    engine_when_durable(a->s.store->engine, ticket, settled, a);
}

static void feed(struct attached *a, struct str *bytes)
{
    session_begin(&a->s);
    after_step(a, a->ops->feed(&a->s, bytes));
}

/* As much as the core takes of what is inflated. */
static void feed_plain(struct attached *a)
{
    struct buf *plain = a->compression ? compression_plain(a->compression) : NULL;
    size_t had;

    while (plain && plain->n && waits_for_input(a)) {
        struct str in = buf_str(plain);

        had = in.n;
        feed(a, &in);
        buf_take(plain, had - in.n);
        if (in.n == had)
            return;
    }
}

static void feed_compressed(struct attached *a, struct str *bytes)
{
    while (bytes->n && waits_for_input(a)) {
        size_t had = bytes->n;

        if (!compression_read(a->compression, bytes) || compression_is_over(a->compression)) {
            conn_close(a->conn); /* an inflater that lost its way, and a client that says no more */
            return;
        }
        feed_plain(a);
        if (bytes->n == had)
            return;
    }
}

/* What is due now that something happened. */
static void go_on(struct attached *a)
{
    int64_t heard = a->heard;

    feed_plain(a);
    if (!waits_for_input(a) || !a->ops->woken)
        return;
    if (!atomic_exchange(&a->changed, false) &&
        (!a->watch_count || monotonic_ms() < a->looked + SESSION_LOOK_MS))
        return;
    a->looked = monotonic_ms();
    session_begin(&a->s);
    after_step(a, a->ops->woken(&a->s));
    a->heard = heard; /* nothing was heard from the client */
}

/* ---- the long lane ---- */

static void close_session(struct attached *a);

static void run_long(void *arg)
{
    struct attached *a = arg;
    int runs = LANE_RUNS;

    a->lane_wish = atomic_load(&a->s.must_end) ? SESSION_CLOSE : a->ops->more(&a->s);
    if (atomic_compare_exchange_strong(&a->lane, &runs, LANE_DONE))
        loop_wake(a->loop, a->id);
    else
        close_session(a);
    release(a);
}

static void go_long(struct attached *a)
{
    atomic_store(&a->lane, LANE_RUNS);
    atomic_fetch_add(&a->holders, 1);
    if (long_lane_run(a->s.vault->channels, run_long, a))
        return;
    atomic_store(&a->lane, LANE_NONE);
    atomic_fetch_sub(&a->holders, 1);
    log_line(LOG_WARNING, "long-lane-full", "account=%" PRIu64, a->s.who.account.v);
    conn_abort(a->conn);
}

/* ---- the connection's ops ---- */

static void on_opened(struct conn *c)
{
    struct attached *a = conn_state(c);

    a->conn = c;
    list_add(a);
    conn_set_idle(c, NO_DEADLINE); /* counted here: output is no sign of life, and work no silence */
    a->opened = a->ops->open(&a->s) == OK;
    a->s.tag = STR_NONE;
    after_step(a, a->opened ? SESSION_MORE : SESSION_CLOSE); /* with its last words */
    set_deadline(a);
}

static void take_back_signed_off(struct attached *a, struct str *bytes)
{
    if (a->compression &&
        (compression_plain(a->compression)->n || !compression_end(a->compression, bytes)))
        conn_abort(a->conn);
    buf_add(&a->left, *bytes);
    *bytes = STR_NONE;
}

static void on_input(struct conn *c, struct str *bytes)
{
    struct attached *a = conn_state(c);

    if (!waits_for_input(a) && a->wish != SESSION_SIGN_OFF)
        return; /* comes again */
    if (!a->compression && bytes->n && a->wish == SESSION_MORE)
        feed(a, bytes);
    if (a->compression) /* perhaps since just now: what came behind the command is inflated */
        feed_compressed(a, bytes);
    if (a->wish == SESSION_SIGN_OFF)
        take_back_signed_off(a, bytes);
    else
        go_on(a);
}

/* The gate has a copy of the socket, which must not be shut. Of a pair it has the other end, and may be writing to it at
 * this moment: once we read no more that fails there, and its bytes stay with it; what it had written before is read
 * here. So no byte is lost, and none comes twice. */
static void give_back(struct attached *a)
{
    struct str more = {loop_scratch(), 0};
    ssize_t n = 0;

    if (a->relayed) {
        shutdown(conn_fd(a->conn), SHUT_RD);
        while ((n = recv(conn_fd(a->conn), loop_scratch(), LOOP_SCRATCH_SIZE, MSG_DONTWAIT)) > 0) {
            more.n = (size_t)n;
            buf_add(&a->left, more);
        }
    }
    a->signed_off = !a->left.full;
    conn_abort(a->conn);
}

static void on_drained(struct conn *c)
{
    struct attached *a = conn_state(c);

    if (a->wish == SESSION_SIGN_OFF) {
        give_back(a);
    } else if (a->wish == SESSION_LONG) {
        go_long(a);
    } else {
        conn_resume(c, STR_NONE);
        session_begin(&a->s);
        after_step(a, a->ops->more(&a->s));
        go_on(a);
    }
}

static void settle_durable(struct attached *a)
{
    atomic_store(&a->durable, NOT_WAITING);
    conn_resume(a->conn, STR_NONE);
    pass_on(a);
}

static void come_back(struct attached *a)
{
    atomic_store(&a->lane, LANE_NONE);
    conn_resume(a->conn, STR_NONE);
    after_step(a, a->lane_wish);
}

static void on_woken(struct conn *c)
{
    struct attached *a = conn_state(c);
    int durable = atomic_load(&a->durable);

    if (atomic_load(&a->s.must_end) ||
        durable == LOST) { /* nothing was acknowledged, and nothing is claimed */
        conn_abort(c);
        return;
    }
    if (atomic_load(&a->lane) == LANE_DONE)
        come_back(a);
    if (durable == DURABLE)
        settle_durable(a);
    go_on(a);
}

/* The session ends, maybe with a word about it; one that is at work has none left. */
static void end_with(struct attached *a, enum err why)
{
    if (waits_for_input(a) && a->ops->last_words) {
        session_begin(&a->s);
        a->ops->last_words(&a->s, why);
        after_step(a, SESSION_CLOSE);
    } else {
        conn_close(a->conn);
    }
}

static void on_timed_out(struct conn *c)
{
    struct attached *a = conn_state(c);
    int64_t now = monotonic_ms();

    if (!waits_for_input(a) || conn_out(c)->n)
        a->heard = now;
    if (now >= a->heard + a->ops->idle_ms) {
        end_with(a, ERR_TIMEOUT);
        return;
    }
    if (a->compression && now >= a->heard + SESSION_LOOK_MS)
        compression_rest(a->compression);
    go_on(a);
    if (now >= a->looked + SESSION_LOOK_MS)
        a->looked = now; /* it was at work */
    set_deadline(a);
}

static void on_stopping(struct conn *c)
{
    end_with(conn_state(c), ERR_STOPPING);
}

static void answer_attach(struct attached *a)
{
    struct attach_reply reply = {.signed_off = a->signed_off};
    struct buf b = buf_make(CONN_INPUT_LIMIT + 64);

    if (a->signed_off)
        reply.left = buf_str(&a->left);

    pack_attach_reply(&b, &reply);
    later_answer(&a->later, OK, buf_str(&b));
    buf_free(&b);
}

static void close_session(struct attached *a)
{
    watches_end(a);
    if (a->opened) {
        session_begin(&a->s);
        a->ops->close(&a->s);
    }
    handle_end(a->s.vault->handles, a->s.handle);
    answer_attach(a);
}

static void on_closed(struct conn *c, enum conn_end end)
{
    struct attached *a = conn_state(c);
    int runs = LANE_RUNS;

    (void)end;
    list_remove(a);
    atomic_store(&a->s.must_end, true);
    if (!atomic_compare_exchange_strong(&a->lane, &runs, LANE_LEFT_ALONE))
        close_session(a);
    release(a);
}

static const struct conn_ops conn_ops = {.opened = on_opened,
                                         .input = on_input,
                                         .drained = on_drained,
                                         .timed_out = on_timed_out,
                                         .woken = on_woken,
                                         .stopping = on_stopping,
                                         .closed = on_closed};

/* ---- attach ---- */

static const struct session_ops *find_protocol(uint32_t protocol)
{
    for (const struct session_ops *const *ops = session_protocols; *ops; ops++)
        if ((*ops)->protocol == protocol)
            return *ops;
    return NULL;
}

/* The core may be in the middle of a reply when it is asked for more than this. */
#define OUT_LIMIT (SESSION_OUT + SESSION_LEAP)

static struct attached *make(struct caller *c, const struct attach_request *q,
                             const struct signed_on *who)
{
    struct attached *a = must_alloc(sizeof(*a));

    a->ops = find_protocol(q->protocol);
    a->loop = c->vault->loop;
    a->holders = 1;
    a->s = (struct session){.vault = c->vault,
                            .store = c->vault->store,
                            .who = *who,
                            .handle = q->session,
                            .modes = q->modes,
                            .out = buf_make(OUT_LIMIT)};
    session_begin(&a->s);
    if (q->tag.n)
        a->s.tag = str_copy(a->s.cx->arena, q->tag);
    a->left = buf_make(CONN_INPUT_LIMIT);
    a->relayed = q->tls;
    return a;
}

#define TAG_MAX 256 /* longer than any client's; the gate takes no longer command of that kind either */

/* 1*<any ASTRING-CHAR except "+"> (RFC 9051 §9) */
static bool is_tag(struct str s)
{
    bool good = s.n > 0 && s.n <= TAG_MAX;

    for (size_t i = 0; i < s.n && good; i++)
        good = is_printable(s.p[i]) && s.p[i] != ' ' && !strchr("(){%*\"\\+", s.p[i]);
    return good;
}

static bool is_served(const struct attach_request *q, const struct signed_on *who)
{
    const struct session_ops *ops = find_protocol(q->protocol);

    return ops && who->protocol == q->protocol && (ops->has_tags ? is_tag(q->tag) : q->tag.n == 0);
}

enum err serve_attach(struct caller *c, const struct attach_request *q, struct attach_reply *r)
{
    struct signed_on who;
    struct attached *a;
    enum err e;

    (void)r;
    if (c->fd_count != 1 || !is_connected_stream(c->fds[0]))
        return fail(&c->cx, ERR_BAD_CALL, "attach without a connected stream");
    if (!handle_attach(c->vault->handles, q->session, c->gate, &who))
        return fail(&c->cx, ERR_AUTH_NEEDED, "this handle cannot be attached");
    if (!is_served(q, &who)) {
        handle_end(c->vault->handles, q->session);
        return fail(&c->cx, ERR_BAD_CALL,
                    "signed on for protocol %u, attached to %u with a tag of %zu bytes", who.protocol,
                    q->protocol, q->tag.n);
    }
    a = make(c, q, &who);
    caller_answer_later(c, &a->later);
    e = conn_adopt(&c->cx, c->vault->loop, c->fds[0], q->unused, &conn_ops, a);
    if (e) {
        handle_end(c->vault->handles, q->session);
        later_answer(&a->later, e, STR_NONE);
        release(a);
        return OK;
    }
    c->fds[0] = -1;
    return OK;
}
