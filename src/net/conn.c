/* One run of a connection: take note of what happened, pump until nothing moves any more or others must have
 * their turn, then look at the clock once, and arm. pump() calls the step of the phase it is in; a step does one
 * thing and says whether something moved. The phases are drawn in conn_private.h.
 *
 * `readable` stands between read() and epoll: it is set by an event and cleared by a read that brought less than
 * was asked for, so that a command costs one read. Input that a core leaves goes to `in` and is offered again. */
#include "net/conn_private.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* A peer that does not read has a minute, and then must take 256 bytes a second. */
#define READ_GRACE_MS ((int64_t)60 * 1000)
#define READ_MS_PER_BYTE 4

/* ---- plain or TLS */

enum io plain_read(int fd, char *p, size_t n, size_t *got)
{
    ssize_t r;

    do
        r = recv(fd, p, n, 0);
    while (r < 0 && errno == EINTR);
    if (r > 0) {
        *got = (size_t)r;
        return IO_DONE;
    }
    if (r == 0)
        return IO_EOF;
    return errno == EAGAIN ? IO_AGAIN : IO_FAILED;
}

enum io plain_write(int fd, struct str s, size_t *put)
{
    ssize_t r;

    do
        r = send(fd, s.p, s.n, MSG_NOSIGNAL);
    while (r < 0 && errno == EINTR);
    if (r >= 0) {
        *put = (size_t)r;
        return IO_DONE;
    }
    return errno == EAGAIN ? IO_AGAIN : IO_FAILED;
}

enum io conn_read(struct conn *c, char *p, size_t n, size_t *got)
{
    bool more = false;
    enum io io;

    *got = 0;
    if (c->tls) {
        io = c->tls->io->read(c->tls, p, n, got, &more);
    } else {
        io = plain_read(c->fd, p, n, got);
        more = *got == n;
    }
    c->readable = io == IO_DONE && more;
    c->moved |= io == IO_DONE;
    return io;
}

static enum io write_some(struct conn *c, struct str s, size_t *put)
{
    enum io io = c->tls ? c->tls->io->write(c->tls, s, put) : plain_write(c->fd, s, put);

    c->moved |= io == IO_DONE;
    if (!c->tls && io == IO_DONE && *put < s.n)
        return IO_AGAIN; /* the kernel's buffer is full: asking again is in vain */
    return io;
}

enum io conn_write(struct conn *c, struct str *s)
{
    enum io io = IO_DONE;

    while (s->n && io == IO_DONE) {
        size_t put = 0;

        io = write_some(c, *s, &put);
        *s = str_from(*s, put);
    }
    if (io == IO_FAILED)
        conn_broke(c);
    return io;
}

enum io conn_write_out(struct conn *c)
{
    struct str s = buf_str(&c->out);
    enum io io = conn_write(c, &s);

    buf_take(&c->out, c->out.n - s.n);
    return io;
}

/* ---- beginning and end */

struct conn *conn_new(struct loop *l, int fd, const struct conn_ops *ops, void *state)
{
    struct conn *c = must_alloc(sizeof(*c));

    c->ops = ops;
    c->state = state;
    c->fd = fd;
    c->pair = -1;
    c->in = buf_make(KEEP_LIMIT);
    c->out = buf_make(CONN_OUTPUT_LIMIT);
    c->idle_ms = CONN_IDLE_MS;
    c->deadline = c->step = NO_DEADLINE;
    c->last = monotonic_ms();
    c->watch.loop = l;
    return c;
}

void conn_free(struct conn *c)
{
    if (c->starting)
        c->starting->io->free(c->starting);
    if (c->tls)
        c->tls->io->free(c->tls);
    if (c->peers)
        peers_leave(c->peers, &c->peer);
    buf_free(&c->in);
    buf_free(&c->out);
    free(c);
}

void conn_end(struct conn *c, enum conn_end end)
{
    if (c->phase == ENDED)
        return;
    c->phase = ENDED;
    c->end = end;
}

void conn_broke(struct conn *c)
{
    c->error = errno;
    conn_end(c, c->tls && c->tls->trouble[0] ? CONN_TLS_FAILED : CONN_BROKEN);
}

/* What the peer had sent and we did not read turns our close() into a reset, which may overtake our last words. */
static bool must_linger(struct conn *c)
{
    ssize_t n;
    char byte;

    if (c->eof || c->lingered)
        return !c->eof;
    n = recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    c->eof = n == 0;
    return n > 0;
}

static bool step_closing(struct conn *c)
{
    if (conn_write_out(c) != IO_DONE)
        return false;
    if (c->tls)
        c->tls->io->say_goodbye(c->tls);
    if (!must_linger(c)) {
        conn_end(c, CONN_CLOSED);
        return false;
    }
    shutdown(c->fd, SHUT_WR);
    c->phase = LINGERING;
    c->step = monotonic_ms() + LINGER_MS;
    return true;
}

static bool step_lingering(struct conn *c)
{
    size_t got = 0;

    if (plain_read(c->fd, loop_scratch(), LOOP_SCRATCH_SIZE, &got) == IO_AGAIN)
        return false;
    c->lingered += (uint32_t)got;
    if (got == 0 || c->lingered > LINGER_BYTES)
        conn_end(c, CONN_CLOSED);
    return got > 0;
}

/* ---- the core's turn */

static bool is_open(const struct conn *c)
{
    return c->phase == OPEN;
}

static void keep(struct conn *c, struct str rest, size_t had, bool was_kept)
{
    if (was_kept)
        buf_take(&c->in, had - rest.n);
    else
        buf_add(&c->in, rest);
    c->stalled = c->in.n && conn_is_full(c);
    if (c->in.n >= CONN_INPUT_LIMIT && !c->stalled && !c->paused && c->pair < 0) {
        log_line(LOG_WARNING, "input-limit", "kept=%zu", c->in.n);
        conn_end(c, CONN_ABORTED);
    }
}

/* `bytes` was read just now, or is empty and what was kept comes again. */
static void feed(struct conn *c, struct str bytes)
{
    bool was_kept = c->in.n > 0;
    struct str rest = bytes;
    size_t had;

    if (was_kept) {
        buf_add(&c->in, bytes);
        rest = buf_str(&c->in);
    }
    had = rest.n;
    c->stalled = false;
    c->ops->input(c, &rest);
    assert(rest.n <= had);
    if (is_open(c) && !c->starting) {
        keep(c, rest, had, was_kept);
        return;
    }
    c->lingered |= rest.n > 0; /* thrown away: closing, or to be TLS (RFC 3207 §4.2) */
    buf_clear(&c->in);
}

/* With TLS about to begin, what comes is for the handshake. */
static bool may_read(const struct conn *c)
{
    return !c->starting && !c->paused && !c->eof && !c->stalled && !conn_is_full(c);
}

static bool read_and_feed(struct conn *c)
{
    char *scratch = loop_scratch();
    size_t got;

    switch (conn_read(c, scratch, LOOP_SCRATCH_SIZE, &got)) {
    case IO_DONE:
        feed(c, (struct str){scratch, got});
        return true;
    case IO_EOF:
        c->eof = true;
        return true;
    case IO_FAILED:
        conn_broke(c);
        return false;
    case IO_AGAIN:
        break;
    }
    return false;
}

/* What is in `in` when nothing was read: input that had to wait for output, or for conn_resume(). */
static bool can_feed_again(const struct conn *c)
{
    return c->in.n && c->stalled && !c->paused && !conn_is_full(c);
}

static bool begin_handshake(struct conn *c)
{
    c->tls = c->starting;
    c->starting = NULL;
    buf_free(&c->in);
    c->eof = c->stalled = c->paused = false;
    c->phase = HANDSHAKE;
    c->step = monotonic_ms() + HANDSHAKE_MS;
    return true;
}

static bool pull(struct conn *c)
{
    c->wants_drained = false;
    c->ops->drained(c);
    return true;
}

void conn_note_stall(struct conn *c)
{
    if (c->out.n == 0)
        c->step = NO_DEADLINE;
    else if (c->step == NO_DEADLINE)
        c->step = monotonic_ms() + READ_GRACE_MS + (int64_t)c->out.n * READ_MS_PER_BYTE;
}

/* Who gets a reply may ask again before we have armed: often it runs first, on this processor. What is read here wakes
 * no second thread on another one, for which that takes longer than all the rest. */
static void write_replies(struct conn *c)
{
    bool any = c->out.n > 0;

    if (conn_write_out(c) == IO_DONE && any)
        c->readable = true;
}

static bool step_open(struct conn *c)
{
    write_replies(c);
    if (!is_open(c))
        return false;
    conn_note_stall(c);
    if (c->out.full) {
        log_line(LOG_ERROR, "output-limit", "have=%zu", c->out.n);
        conn_end(c, CONN_ABORTED);
        return false;
    }
    if (c->out.n == 0 && c->starting)
        return begin_handshake(c);
    if (c->out.n == 0 && c->wants_drained)
        return pull(c);
    if (can_feed_again(c)) {
        feed(c, STR_NONE);
        return true;
    }
    if (c->readable && may_read(c))
        return read_and_feed(c);
    if (c->eof && c->out.n == 0 && !c->paused && !c->stalled)
        conn_end(c, CONN_EOF);
    return false;
}

static bool step_handshake(struct conn *c)
{
    switch (c->tls->io->handshake(c->tls)) {
    case IO_DONE:
        c->phase = OPEN;
        c->step = NO_DEADLINE;
        c->readable = c->moved =
            true; /* the peer's first bytes may have come with its last handshake message */
        if (c->ops->secured)
            c->ops->secured(c);
        return true;
    case IO_AGAIN:
        return false;
    default:
        conn_end(c, CONN_TLS_FAILED);
        return false;
    }
}

static bool step_new(struct conn *c)
{
    c->phase = OPEN;
    if (c->in.n)
        c->stalled = true; /* early bytes: to be fed after opened() */
    if (c->ops->opened)
        c->ops->opened(c);
    return true;
}

static bool step(struct conn *c)
{
    switch (c->phase) {
    case NEW:
        return step_new(c);
    case CONNECTING:
        return connect_step(c);
    case OPEN:
        return c->pair >= 0 ? relay_step(c) : step_open(c);
    case HANDSHAKE:
        return step_handshake(c);
    case CLOSING:
        return step_closing(c);
    case LINGERING:
        return step_lingering(c);
    case ENDED:
        break;
    }
    return false;
}

static void pump(struct conn *c)
{
    int rounds = 0;

    while (!c->detached && step(c))
        if (++rounds == PUMP_ROUNDS) {
            c->watch.again = true;
            return;
        }
}

/* ---- deadlines */

static int64_t first_deadline(const struct conn *c)
{
    int64_t first = c->step;

    if (!is_open(c))
        return first;
    if (c->deadline < first)
        first = c->deadline;
    if (c->idle_ms != NO_DEADLINE && !c->paused && c->pair < 0 && c->last + c->idle_ms < first)
        first = c->last + c->idle_ms;
    return first;
}

static void timed_out(struct conn *c, int64_t now)
{
    if (is_open(c) && c->step > now && c->ops->timed_out) {
        c->ops->timed_out(c);
        pump(c);
        if (first_deadline(c) > monotonic_ms())
            return;
    }
    c->error = ETIMEDOUT;
    conn_end(c, c->phase == CONNECTING ? CONN_REFUSED : CONN_TIMED_OUT);
}

static void look_at_clock(struct conn *c)
{
    int64_t now = monotonic_ms();

    if (c->moved)
        c->last = now;
    c->moved = false;
    if (c->phase != ENDED && first_deadline(c) <= now)
        timed_out(c, now);
    if (c->phase != ENDED)
        watch_set_deadline(&c->watch, first_deadline(c));
}

/* ---- a run */

static void stop(struct conn *c)
{
    if (c->phase == NEW)
        step_new(c); /* so that closed() never comes without opened() */
    if (loop_is_ending(c->watch.loop)) {
        if (is_open(c))
            conn_write_out(c);
        conn_end(c, CONN_ABORTED);
    } else if (c->phase == CONNECTING || c->phase == HANDSHAKE) {
        conn_end(c, CONN_ABORTED);
    } else if (is_open(c) && c->ops->stopping) {
        c->ops->stopping(c);
    } else {
        conn_close(c);
    }
}

static void take_note(struct conn *c, unsigned what)
{
    bool tls_waits = c->tls && c->tls->wants_write;

    if (what & WATCH_READ || (what & WATCH_WRITE && tls_waits))
        c->readable = true;
    if (what & WATCH_READ_2)
        c->pair_readable = true;
    if (what & WATCH_STOP)
        stop(c);
    if (what & WATCH_WOKEN && is_open(c) && c->ops->woken)
        c->ops->woken(c);
}

static uint8_t open_wants(const struct conn *c)
{
    uint8_t want = may_read(c) ? WATCH_READ : 0;

    if (c->out.n || (c->tls && c->tls->wants_write && !c->paused))
        want |= WATCH_WRITE;
    return want;
}

static uint8_t wants(const struct conn *c)
{
    switch (c->phase) {
    case OPEN:
        return c->pair >= 0 ? relay_wants(c) : open_wants(c);
    case HANDSHAKE:
        return c->tls->wants_write ? WATCH_WRITE : WATCH_READ;
    case CONNECTING:
    case CLOSING:
        return WATCH_WRITE;
    default:
        return WATCH_READ;
    }
}

/* What came since must_linger() looked, for the core may have had something to tell the vault. */
static void discard_rest(const struct conn *c)
{
    size_t most = LINGER_BYTES / LOOP_SCRATCH_SIZE;

    while (most-- && recv(c->fd, loop_scratch(), LOOP_SCRATCH_SIZE, MSG_DONTWAIT) > 0)
        ;
}

static bool finish(struct conn *c)
{
    watch_close(&c->watch);
    if (!c->detached) {
        relay_close(c);
        c->ops->closed(c, c->end);
        if (c->end == CONN_CLOSED && !c->eof)
            discard_rest(c);
        close(c->fd);
    }
    conn_free(c);
    return false;
}

static bool run(struct watch *w, unsigned what)
{
    struct conn *c = (struct conn *)w; /* the first member */

    take_note(c, what);
    pump(c);
    look_at_clock(c);
    if (c->phase == ENDED || c->detached)
        return finish(c);
    w->want = wants(c);
    if (c->in.n == 0)
        buf_free(&c->in);
    if (c->out.n == 0)
        buf_free(&c->out);
    return true;
}

enum err conn_launch(struct cx *cx, struct conn *c)
{
    struct loop *l = c->watch.loop;
    enum err e;

    c->watch = watch_make(run, c->fd);
    e = watch_open(cx, l, &c->watch);
    if (e)
        conn_free(c);
    else
        watch_start(&c->watch, 0);
    return e;
}

/* ---- what a core may do */

enum err conn_adopt(struct cx *cx, struct loop *l, int fd, struct str early, const struct conn_ops *ops,
                    void *state)
{
    struct conn *c;
    socklen_t n;

    if (early.n > CONN_INPUT_LIMIT)
        return fail(cx, ERR_LIMIT, "%zu early bytes", early.n);
    c = conn_new(l, fd, ops, state);
    buf_add(&c->in, early);
    n = sizeof(c->peer);
    if (getpeername(fd, &c->peer.any, &n) < 0)
        c->peer.any.sa_family = AF_UNSPEC; /* gone already: reading will tell */
    return conn_launch(cx, c);
}

void *conn_state(const struct conn *c)
{
    return c->state;
}

void conn_set_state(struct conn *c, void *state)
{
    c->state = state;
}

void conn_set_ops(struct conn *c, const struct conn_ops *ops)
{
    c->ops = ops;
}

const struct endpoint *conn_peer(const struct conn *c)
{
    return &c->peer;
}

const struct endpoint *conn_local(struct conn *c)
{
    socklen_t n = sizeof(c->local);

    if (c->local.any.sa_family == AF_UNSPEC && getsockname(c->fd, &c->local.any, &n) < 0)
        c->local.any.sa_family = AF_UNSPEC;
    return &c->local;
}

struct loop *conn_loop(const struct conn *c)
{
    return c->watch.loop;
}

struct watch_id conn_id(const struct conn *c)
{
    return c->watch.id;
}

struct buf *conn_out(struct conn *c)
{
    return &c->out;
}

bool conn_is_full(const struct conn *c)
{
    return c->out.n > CONN_OUTPUT_HIGH;
}

void conn_want_drained(struct conn *c)
{
    assert(c->ops->drained);
    c->wants_drained = true;
}

void conn_flush(struct conn *c)
{
    if (is_open(c))
        conn_write_out(c);
}

static int64_t from_now(int64_t ms)
{
    return ms == NO_DEADLINE ? NO_DEADLINE : monotonic_ms() + ms;
}

void conn_set_idle(struct conn *c, int64_t idle_ms)
{
    c->idle_ms = idle_ms;
    c->last = monotonic_ms();
}

void conn_set_deadline(struct conn *c, int64_t from_now_ms)
{
    c->deadline = from_now(from_now_ms);
}

void conn_begin_tls(struct conn *c, struct tls *t)
{
    assert(!c->tls && !c->starting && is_open(c));
    c->starting = t;
    c->lingered |= c->in.n > 0;
    buf_clear(&c->in); /* it came in the open (RFC 3207 §4.2) */
    c->stalled = false;
}

const struct tls *conn_tls(const struct conn *c)
{
    return c->phase == HANDSHAKE ? NULL : c->tls;
}

const char *conn_tls_trouble(const struct conn *c)
{
    return c->tls ? c->tls->trouble : "";
}

void conn_pause(struct conn *c)
{
    c->paused = true;
}

void conn_resume(struct conn *c, struct str early)
{
    struct buf all = buf_make(c->in.limit + early.n);

    c->paused = false;
    c->last = monotonic_ms();
    if (early.n) {
        buf_add(&all, early);
        buf_add(&all, buf_str(&c->in));
        buf_free(&c->in);
        all.limit = c->in.limit;
        c->in = all;
    }
    c->stalled = c->in.n > 0; /* so that it is fed without waiting for more */
}

int conn_fd(const struct conn *c)
{
    return c->fd;
}

int conn_detach(struct conn *c)
{
    assert(!c->tls && c->out.n == 0);
    c->detached = true;
    return c->fd;
}

void conn_close(struct conn *c)
{
    if (c->phase >= CLOSING)
        return;
    if (c->phase == OPEN && c->starting) { /* not begun: the words before it are still plain */
        c->starting->io->free(c->starting);
        c->starting = NULL;
    }
    relay_close(c);
    c->lingered |= c->in.n > 0;
    buf_clear(&c->in);
    if (c->phase != OPEN) {
        conn_end(c, CONN_CLOSED);
        return;
    }
    c->phase = CLOSING;
    c->step = monotonic_ms() + CLOSING_MS + (int64_t)c->out.n * READ_MS_PER_BYTE;
}

void conn_abort(struct conn *c)
{
    conn_end(c, CONN_ABORTED);
}

int conn_errno(const struct conn *c)
{
    return c->error;
}
