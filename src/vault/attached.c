/* One connection of the loop for each session. Replies that rest on a commit wait in the session until it is durable;
 * the connection is paused meanwhile, and the flusher's call wakes it. */
#include "vault/attached.h"

#include "base/log.h"
#include "base/scoped.h"
#include "net/conn.h"
#include "sandbox/sandbox.h"
#include "vault/caller.h"
#include "vault/session.h"
#include "vault/vault.h"

#include <stdatomic.h>
#include <stdlib.h>

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
    atomic_bool must_end; /* set by others, who then wake the connection */
    _Atomic int durable;  /* 0: no wait; 1: waiting; 2: durable; 3: lost */
    atomic_uint holders;  /* the connection, and a wait for the disk */
};

static const struct session_ops *const protocols[] = {&pop3_session};

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
    atomic_store(&a->must_end, true);
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
    buf_free(&a->s.out);
    buf_free(&a->left);
    arena_free(a->s.cx.arena);
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

static void pass_on(struct attached *a)
{
    if (a->s.out.full)
        conn_abort(a->conn); /* more than a session may say at once: our own mistake */
    buf_add(conn_out(a->conn), buf_str(&a->s.out));
    buf_clear(&a->s.out);
    if (a->wish == SESSION_WRITE || a->wish == SESSION_SIGN_OFF) {
        conn_want_drained(a->conn);
        conn_pause(
            a->conn); /* so that input the core left comes again when it has said what it has to say */
    }
    if (a->wish == SESSION_CLOSE)
        conn_close(a->conn);
}

/* After each step of the core: its replies leave, at once or when what they tell is durable. */
static void after_step(struct attached *a, enum session_wish wish)
{
    struct ticket ticket = a->s.ticket;

    a->wish = wish;
    a->s.ticket = (struct ticket){0};
    arena_reset(a->s.cx.arena);
    if (!ticket.v) {
        pass_on(a);
        return;
    }
    atomic_store(&a->durable, WAITING);
    atomic_fetch_add(&a->holders, 1);
    conn_pause(a->conn);
    engine_when_durable(a->s.store->engine, ticket, settled, a);
}

static void on_woken(struct conn *c)
{
    struct attached *a = conn_state(c);
    int durable = atomic_load(&a->durable);

    if (atomic_load(&a->must_end) ||
        durable == LOST) { /* nothing was acknowledged, and nothing is claimed */
        conn_abort(c);
        return;
    }
    if (durable != DURABLE)
        return;
    atomic_store(&a->durable, NOT_WAITING);
    conn_resume(c, STR_NONE);
    pass_on(a);
}

/* ---- the connection's ops ---- */

static void on_opened(struct conn *c)
{
    struct attached *a = conn_state(c);

    a->conn = c;
    list_add(a);
    conn_set_idle(c, a->ops->idle_ms);
    a->opened = a->ops->open(&a->s) == OK;
    a->s.tag = STR_NONE;
    after_step(a, a->opened ? SESSION_MORE : SESSION_CLOSE); /* with its last words */
}

static void on_input(struct conn *c, struct str *bytes)
{
    struct attached *a = conn_state(c);

    if (!a->opened || a->wish == SESSION_WRITE || atomic_load(&a->durable) != NOT_WAITING)
        return; /* comes again */
    if (bytes->n && a->wish == SESSION_MORE)
        after_step(a, a->ops->feed(&a->s, bytes));
    if (a->wish == SESSION_SIGN_OFF) {
        buf_add(&a->left, *bytes);
        *bytes = STR_NONE;
    }
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
        return;
    }
    conn_resume(c, STR_NONE);
    after_step(a, a->ops->more(&a->s));
}

static void on_timed_out(struct conn *c)
{
    struct attached *a = conn_state(c);

    if (a->opened && a->ops->timed_out)
        a->ops->timed_out(&a->s);
    after_step(a, SESSION_CLOSE);
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

static void on_closed(struct conn *c, enum conn_end end)
{
    struct attached *a = conn_state(c);

    (void)end;
    list_remove(a);
    if (a->opened)
        a->ops->close(&a->s);
    handle_end(a->s.vault->handles, a->s.handle);
    answer_attach(a);
    release(a);
}

static const struct conn_ops conn_ops = {.opened = on_opened,
                                         .input = on_input,
                                         .drained = on_drained,
                                         .timed_out = on_timed_out,
                                         .woken = on_woken,
                                         .closed = on_closed};

/* ---- attach ---- */

static const struct session_ops *find_protocol(uint32_t protocol)
{
    for (size_t i = 0; i < sizeof(protocols) / sizeof(*protocols); i++)
        if (protocols[i]->protocol == protocol)
            return protocols[i];
    return NULL;
}

/* The core may be in the middle of a reply when it is asked for more than this. */
#define OUT_LIMIT (SESSION_OUT + 1024 * 1024)

static struct attached *make(struct caller *c, const struct attach_request *q,
                             const struct signed_on *who)
{
    struct attached *a = must_alloc(sizeof(*a));

    a->ops = find_protocol(q->protocol);
    a->loop = c->vault->loop;
    a->holders = 1;
    a->s = (struct session){.cx = {.arena = arena_new(0)},
                            .vault = c->vault,
                            .store = c->vault->store,
                            .who = *who,
                            .handle = q->session,
                            .modes = q->modes,
                            .out = buf_make(OUT_LIMIT)};
    if (q->tag.n)
        a->s.tag = str_copy(a->s.cx.arena, q->tag);
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
