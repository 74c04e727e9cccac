/* One watch a channel. Input is parsed as far as it has come; each whole frame is one call. Output is written by
 * whoever has it: the loop's thread that ran the call, the flusher, or the long lane; so it has a lock of its own,
 * and what a slow (or hostile) reader does not take waits in `out`, up to a limit, never in a thread. */
#include "vault/channel.h"

#include "base/log.h"
#include "base/scoped.h"
#include "net/loop.h"
#include "rpc/frame.h"
#include "vault/dispatch.h"
#include "vault/lane.h"
#include "vault/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* What one life of a room may hold, whoever has taken it over: FRAME_CHANNELS_MOST channels, which is what ours open, of 4 MiB
 * of input and 4 of output, and with them the calls that wait for the long lane, 4 MiB each at most: about 800 MiB. Of those
 * ours has no more than there are calls it waits for: none of them is an open one. */
#define MOST_PENDING FRAME_CALLS_MOST
#define MOST_OPEN 40000 /* calls of one life that wait for the disk or are open: sessions, messages */
#define OUT_LIMIT (FRAME_LIMIT + FRAME_HEADER)   /* an answer: nobody asks again before it was read */
#define OPEN_OUT_LIMIT (2 * (size_t)FRAME_LIMIT) /* many short ones, which may come in a burst */
#define KEPT_INPUT (512 * 1024)

/* One life of a room: counts its channels, and knows when the first has gone. */
struct life {
    uint64_t number;
    enum room room;
    atomic_uint channels, open, pending;
    atomic_bool ended;
    pthread_mutex_t lock; /* guards answers */
    struct channel
        *answers; /* where open calls are answered; held until it ends. NULL: there is none */
};

struct channel {
    struct watch watch; /* first */
    struct channels *all;
    struct life *life;
    bool is_first;
    int fd;
    atomic_uint holders; /* the loop, its life if it is for answers, each pending call, each token */
    struct buf in;       /* the loop's thread only */
    int fds[FRAME_FDS];
    size_t fd_count;
    pthread_mutex_t lock; /* guards the rest */
    struct buf out;
    bool broken;
    bool told; /* the loop knows that there is something in `out`, or that it is broken */
};

/* Of this thread: between answers_gather() and answers_send(), and the channel that has some to be sent. */
static _Thread_local bool gathering;
static _Thread_local struct channel *gathered;

struct listener_watch {
    struct watch watch; /* first */
    struct channels *all;
    int fd;
    enum room room;
};

struct channels {
    struct vault *vault;
    struct loop *loop;
    struct lane_pool *long_lane;
    struct listener_watch *listening;
    void (*gate_ended)(struct vault *v, uint64_t gate);
    atomic_uint_fast64_t lives;
};

/* ---- holding and letting go ---- */

static void life_release(struct life *life)
{
    if (atomic_fetch_sub(&life->channels, 1) != 1)
        return;
    pthread_mutex_destroy(&life->lock);
    free(life);
}

static void channel_hold(struct channel *ch)
{
    atomic_fetch_add(&ch->holders, 1);
}

static void channel_release(struct channel *ch)
{
    if (atomic_fetch_sub(&ch->holders, 1) != 1)
        return;
    close_fd(&ch->fd);
    buf_free(&ch->in);
    buf_free(&ch->out);
    pthread_mutex_destroy(&ch->lock);
    life_release(ch->life);
    free(ch);
}

static void close_fds(int *fds, size_t *n)
{
    for (size_t i = 0; i < *n; i++)
        close_fd(&fds[i]);
    *n = 0;
}

/* ---- output ---- */

static void send_now(struct channel *ch)
{
    while (ch->out.n) {
        ssize_t n = send(ch->fd, ch->out.p, ch->out.n, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n > 0)
            buf_take(&ch->out, (size_t)n);
        else if (n < 0 && errno == EAGAIN)
            return;
        else if (n < 0 && errno != EINTR) {
            ch->broken = true;
            return;
        }
    }
}

/* What does not go now is sent by the loop when the reader has made room. Under the lock; true: the loop has to be told. */
static bool send_or_tell(struct channel *ch)
{
    bool tell;

    if (!ch->broken)
        send_now(ch);
    tell = (ch->broken || ch->out.n) && !ch->told;
    ch->told |= tell;
    return tell;
}

/* From any thread. Where answers are gathered, those on one channel leave together. */
static void channel_send(struct channel *ch, struct str bytes)
{
    bool later = gathering && (!gathered || gathered == ch), tell;

    {
        HOLD(&ch->lock);
        buf_add(&ch->out, bytes);
        if (ch->out.full)
            ch->broken = true; /* it asks and asks, and never reads */
        tell = !later && send_or_tell(ch);
    }
    if (tell)
        loop_wake(ch->all->loop, ch->watch.id);
    if (!later || gathered)
        return;
    channel_hold(ch);
    gathered = ch;
}

void answers_gather(void)
{
    gathering = true;
}

void answers_send(void)
{
    struct channel *ch = gathered;
    bool tell;

    gathering = false;
    gathered = NULL;
    if (!ch)
        return;
    pthread_mutex_lock(&ch->lock);
    tell = send_or_tell(ch);
    pthread_mutex_unlock(&ch->lock);
    if (tell)
        loop_wake(ch->all->loop, ch->watch.id);
    channel_release(ch);
}

/* The cause, in words, is for the command line: a gate only hears which error it was. */
static void put_answer(struct buf *out, const struct channel *ch, uint16_t call, uint64_t id,
                       enum err e, struct str payload)
{
    size_t begun = frame_begin(out, call, (uint16_t)e, id);

    if (!e || (ch->life->room & (CONTROL | EXAMINER | RESTORER | SUPERVISOR)))
        buf_add(out, payload);
    frame_end(out, begun);
}

/* Where a call that came on `ch` is answered, held for the caller. NULL: who asked does not listen any more. */
static struct channel *take_answering(struct channel *ch, uint64_t id)
{
    struct life *life = ch->life;
    struct channel *to = ch;

    if (!(id & FRAME_OPEN)) {
        channel_hold(to);
        return to;
    }
    HOLD(&life->lock);
    to = life->answers;
    if (to)
        channel_hold(to);
    return to;
}

static void answer(struct channel *ch, uint16_t call, uint64_t id, enum err e, struct str payload)
{
    struct buf out = buf_make(FRAME_LIMIT + FRAME_HEADER);
    struct channel *to = take_answering(ch, id);

    if (!to)
        return;
    put_answer(&out, ch, call, id, e, payload);
    if (out.full) {
        buf_clear(&out);
        put_answer(&out, ch, call, id, ERR_LIMIT, STR_NONE);
    }
    channel_send(to, buf_str(&out));
    buf_free(&out);
    channel_release(to);
}

/* ---- the end of a life ---- */

static bool is_gate(const struct life *life)
{
    return life->room & (MX | USERS);
}

/* A call that was under way when its gate ended may have made something since that is nobody's: a session, a lease. */
static void end_once_more(struct channel *ch)
{
    if (is_gate(ch->life) && atomic_load(&ch->life->ended))
        ch->all->gate_ended(ch->all->vault, ch->life->number);
}

/* ---- answers that wait until they are durable ---- */

struct pending {
    struct channel *ch;
    uint16_t call;
    uint64_t id;
    struct buf reply;
};

static void pending_done(void *arg, enum err e)
{
    struct pending *p = arg;

    answer(p->ch, p->call, p->id, e, e ? S("it could not be made durable") : buf_str(&p->reply));
    atomic_fetch_sub(&p->ch->life->open, 1);
    channel_release(p->ch);
    buf_free(&p->reply);
    free(p);
}

static void answer_when_durable(struct caller *c, struct buf *reply)
{
    struct pending *p = must_alloc(sizeof(*p));

    *p = (struct pending){.ch = c->channel, .call = c->call, .id = c->call_id, .reply = *reply};
    *reply = buf_make(0);
    channel_hold(p->ch);
    atomic_fetch_add(&p->ch->life->open, 1);
    engine_when_durable(c->vault->engine, c->ticket, pending_done, p);
}

enum err caller_go_long(struct caller *c)
{
    c->again_in_long_lane = true;
    return OK;
}

enum err caller_answer_later(struct caller *c, struct later *token)
{
    *token = (struct later){.channel = c->channel, .call_id = c->call_id, .call = c->call};
    channel_hold(c->channel);
    atomic_fetch_add(&c->channel->life->open, 1);
    c->answered_later = true;
    return OK;
}

bool later_is_heard(const struct later *token)
{
    return !token->channel || !atomic_load(&token->channel->life->ended);
}

void later_answer(struct later *token, enum err e, struct str packed_reply)
{
    if (!token->channel)
        return;
    answer(token->channel, token->call, token->call_id, e, packed_reply);
    atomic_fetch_sub(&token->channel->life->open, 1);
    channel_release(token->channel);
    token->channel = NULL;
}

/* ---- running a call ---- */

struct job { /* a call on its way to the long lane */
    struct channel *ch;
    struct frame frame;
    struct buf payload;
    int fds[FRAME_FDS];
    size_t fd_count;
};

static void run_job(void *arg);

static void send_to_long_lane(struct channel *ch, const struct frame *f, struct str payload, int *fds,
                              size_t *fd_count)
{
    struct job *j = must_alloc(sizeof(*j));

    j->ch = ch;
    j->frame = *f;
    j->payload = buf_make(FRAME_LIMIT);
    buf_add(&j->payload, payload);
    memcpy(j->fds, fds, *fd_count * sizeof(*fds));
    j->fd_count = *fd_count;
    *fd_count = 0;
    channel_hold(ch);
    atomic_fetch_add(&ch->life->pending, 1);
    if (lane_run(ch->all->long_lane, run_job, j))
        return;
    atomic_fetch_sub(&ch->life->pending, 1);
    answer(ch, f->call, f->id, ERR_BUSY, S("too much is waiting"));
    close_fds(j->fds, &j->fd_count);
    channel_release(ch);
    buf_free(&j->payload);
    free(j);
}

static void log_failure(const struct caller *c, enum err e)
{
    enum log_level level = e == ERR_BUG || e == ERR_DAMAGED || e == ERR_STORE || e == ERR_BAD_CALL
                               ? LOG_ERROR
                           : err_is_temporary(e) ? LOG_WARNING
                                                 : LOG_DEBUG;

    log_line(level, "call-failed", "call=%s error=%s cause=%s", call_name(c->call), err_row(e)->name,
             log_value(str_from_c(c->cx.cause)));
}

static void run_call(struct channel *ch, enum lane lane, const struct frame *f, struct str payload,
                     int *fds, size_t *fd_count)
{
    struct buf reply = buf_make(FRAME_LIMIT);
    struct caller c = {.cx = {.arena = arena_new(16 * 1024)},
                       .vault = ch->all->vault,
                       .room = ch->life->room,
                       .gate = ch->life->number,
                       .lane = lane,
                       .fds = fds,
                       .fd_count = *fd_count,
                       .channel = ch,
                       .call_id = f->id,
                       .call = f->call};
    enum err e = dispatch(&c, payload, &reply);

    if (e)
        log_failure(&c, e);
    if (e)
        answer(ch, f->call, f->id, e, str_from_c(c.cx.cause));
    else if (c.again_in_long_lane)
        send_to_long_lane(ch, f, payload, fds, fd_count);
    else if (c.ticket.v && !c.answered_later)
        answer_when_durable(&c, &reply);
    else if (!c.answered_later)
        answer(ch, f->call, f->id, OK, buf_str(&reply));
    end_once_more(ch);
    close_fds(fds, fd_count);
    buf_free(&reply);
    arena_free(c.cx.arena);
}

static void run_job(void *arg)
{
    struct job *j = arg;

    atomic_fetch_sub(&j->ch->life->pending,
                     1);                      /* before its answer, upon which the next call may come */
    if (loop_is_stopping(j->ch->all->loop)) { /* thousands may wait, and the supervisor does not */
        answer(j->ch, j->frame.call, j->frame.id, ERR_STOPPING, S("the server is stopping"));
        close_fds(j->fds, &j->fd_count);
    } else {
        run_call(j->ch, LONG, &j->frame, buf_str(&j->payload), j->fds, &j->fd_count);
    }
    channel_release(j->ch);
    buf_free(&j->payload);
    free(j);
}

/* ---- input ---- */

static bool run_channel(struct watch *w, unsigned what);

/* From now on, or, with NULL, on none. */
static void life_answers_on(struct life *life, struct channel *ch)
{
    struct channel *old;

    if (ch)
        channel_hold(ch);
    pthread_mutex_lock(&life->lock);
    old = life->answers;
    life->answers = ch;
    pthread_mutex_unlock(&life->lock);
    if (old)
        channel_release(old);
}

enum channel_kind { FIRST_CHANNEL, ANSWERS_CHANNEL, CALLS_CHANNEL };

static bool start_channel(struct channels *all, struct cx *cx, int fd, struct life *life,
                          enum channel_kind kind)
{
    struct channel *ch = must_alloc(sizeof(*ch));
    int flags = fcntl(fd, F_GETFL);

    *ch = (struct channel){.watch = watch_make(run_channel, fd),
                           .all = all,
                           .life = life,
                           .is_first = kind == FIRST_CHANNEL,
                           .fd = fd,
                           .holders = 1,
                           .in = buf_make(FRAME_LIMIT + FRAME_HEADER + 65536),
                           .out = buf_make(kind == ANSWERS_CHANNEL ? OPEN_OUT_LIMIT : OUT_LIMIT)};
    pthread_mutex_init(&ch->lock, NULL);
    atomic_fetch_add(&life->channels, 1);
    ch->watch.want = WATCH_READ;
    ch->watch.background = true;
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        watch_open(cx, all->loop, &ch->watch)) {
        channel_release(ch);
        return false;
    }
    if (kind == ANSWERS_CHANNEL)
        life_answers_on(life, ch);
    watch_start(&ch->watch, 0);
    return true;
}

/* A frame that is nothing but a descriptor: one more channel of the same life. */
static bool add_sibling(struct channel *ch, const struct frame *f, int *fds, size_t *fd_count)
{
    struct cx cx = {0};
    bool ok = ch->is_first && *fd_count == 1 && atomic_load(&ch->life->channels) < FRAME_CHANNELS_MOST;

    if (ok) {
        *fd_count = 0;
        ok = start_channel(ch->all, &cx, fds[0], ch->life,
                           f->id == FRAME_OPEN ? ANSWERS_CHANNEL : CALLS_CHANNEL);
    }
    close_fds(fds, fd_count);
    return ok;
}

static bool may_run(const struct channel *ch, const struct frame *f)
{
    return atomic_load(&ch->life->pending) < MOST_PENDING && atomic_load(&ch->life->open) < MOST_OPEN &&
           call_is_allowed(f->call, ch->life->room);
}

/* All whole frames that have come. False: the channel is broken, or somebody's who talks nonsense. */
static bool take_frames(struct channel *ch)
{
    int fds[FRAME_FDS];
    struct frame f;
    struct str payload;
    bool bad;

    while (frame_parse(buf_str(&ch->in), &f, &payload, &bad)) {
        size_t n = frame_take_fds(&f, ch->fds, &ch->fd_count, fds);

        if (f.call == CALL_none) {
            if (!add_sibling(ch, &f, fds, &n))
                return false;
        } else if (!may_run(ch, &f)) {
            log_line(LOG_ERROR, "call-refused", "call=%s room=%d", call_name(f.call), ch->life->room);
            answer(ch, f.call, f.id, ERR_BAD_CALL, S("not for this room"));
            close_fds(fds, &n);
        } else if (call_lane(f.call) == LONG) {
            send_to_long_lane(ch, &f, payload, fds, &n);
        } else {
            run_call(ch, SHORT, &f, payload, fds, &n);
        }
        buf_take(&ch->in, frame_size(&f));
    }
    if (!ch->in.n)
        close_fds(ch->fds, &ch->fd_count); /* nobody's */
    if (!ch->in.n && ch->in.cap > KEPT_INPUT)
        buf_free(&ch->in);
    return !bad;
}

static void life_ended(struct channel *first)
{
    struct life *life = first->life;

    if (is_gate(life))
        log_line(LOG_INFO, "gate-ended", "gate=%" PRIu64, life->number);
    if (is_gate(life) || life->room == SUPERVISOR)
        first->all->gate_ended(first->all->vault, life->room == SUPERVISOR ? 0 : life->number);
    life_answers_on(life, NULL);
}

static void channel_end(struct channel *ch)
{
    close_fds(ch->fds, &ch->fd_count);
    watch_close(&ch->watch);
    if (ch->is_first && !atomic_exchange(&ch->life->ended, true))
        life_ended(ch);
    shutdown(ch->fd, SHUT_RDWR); /* tokens may hold it for a while */
    channel_release(ch);
}

static bool run_channel(struct watch *w, unsigned what)
{
    struct channel *ch = (struct channel *)w;
    bool alive = !atomic_load(&ch->life->ended), more;

    if (alive && what & WATCH_READ) {
        alive = frame_receive(ch->fd, &ch->in, ch->fds, &ch->fd_count) >= 0;
        if (alive)
            alive = take_frames(ch);
    }
    {
        HOLD(&ch->lock);
        if (ch->out.n)
            send_now(ch);
        more = ch->told = ch->out.n > 0;
        alive = alive && !ch->broken;
    }
    if (!alive || (what & WATCH_STOP && loop_is_ending(ch->all->loop))) {
        channel_end(ch);
        return false;
    }
    w->want =
        more ? WATCH_WRITE : WATCH_READ; /* who does not read its answers is not asked for more calls */
    return true;
}

/* ---- making ---- */

enum err channel_add(struct channels *c, struct cx *cx, int fd, enum room room, uint64_t *gate)
{
    struct life *life = must_alloc(sizeof(*life));

    *life = (struct life){.number = atomic_fetch_add(&c->lives, 1) + 1, .room = room};
    pthread_mutex_init(&life->lock, NULL);
    *gate = life->number;
    return start_channel(c, cx, fd, life, FIRST_CHANNEL)
               ? OK
               : fail(cx, ERR_SYSTEM, "a channel cannot be watched");
}

static bool may_control(const struct listener_watch *l, int fd)
{
    struct peer peer;

    if (!peer_of(fd, &l->all->vault->operators, &peer))
        return false;
    if (!peer.is_operator)
        log_line(LOG_WARNING, "control-refused", "uid=%u pid=%d", peer.uid, peer.pid);
    return peer.is_operator;
}

static bool run_listening(struct watch *w, unsigned what)
{
    struct listener_watch *l = (struct listener_watch *)w;
    struct cx cx = {0};
    uint64_t gate;
    int fd;

    if (what & WATCH_STOP) {
        watch_close(w);
        close_fd(&l->fd);
        l->all->listening = NULL;
        free(l);
        return false;
    }
    while ((fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
        if (!may_control(l, fd))
            close(fd);
        else if (channel_add(l->all, &cx, fd, l->room, &gate))
            log_line(LOG_WARNING, "control", "error=%s", log_value(str_from_c(cx.cause)));
    return true;
}

enum err channels_listen(struct channels *c, struct cx *cx, int fd, enum room room)
{
    struct listener_watch *l = must_alloc(sizeof(*l));
    enum err e;

    *l = (struct listener_watch){
        .watch = watch_make(run_listening, fd), .all = c, .fd = fd, .room = room};
    l->watch.want = WATCH_READ;
    l->watch.background = true;
    e = watch_open(cx, c->loop, &l->watch);
    if (e) {
        free(l);
        return e;
    }
    c->listening = l;
    watch_start(&l->watch, 0);
    return OK;
}

#define LONG_THREADS 3

struct channels *channels_new(struct vault *v, struct loop *loop,
                              void (*gate_ended)(struct vault *v, uint64_t gate))
{
    struct channels *c = must_alloc(sizeof(*c));

    c->vault = v;
    c->loop = loop;
    c->gate_ended = gate_ended;
    c->long_lane = lane_new(LONG_THREADS);
    return c;
}

void channels_end(struct channels *c)
{
    if (!c)
        return;
    lane_free(c->long_lane);
    c->long_lane = NULL;
}

void channels_free(struct channels *c)
{
    if (!c)
        return;
    engine_flush(
        c->vault->engine); /* the last answers leave, and with them what holds their channels */
    free(c);
}

bool long_lane_run(struct channels *c, void (*work)(void *arg), void *arg)
{
    return lane_run(c->long_lane, work, arg);
}
