#include "rpc/client.h"

#include "base/scoped.h"
#include "rpc/frame.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct rpc_channel {
    int fd;
    enum call call; /* the one under way */
    size_t begun;   /* where its frame begins in `out` */
    struct buf in, out;
};

struct rpc_client {
    pthread_mutex_t lock; /* guards everything below but the inside of a channel that is taken */
    pthread_cond_t freed;
    int first; /* only new channels are announced on it */
    bool gone;
    size_t most, made, free_count;
    struct rpc_channel *free[FRAME_CALLS_MOST]; /* a stack: the channel used last is warm */
    struct rpc_channel
        *open;  /* what open calls are answered on; made before any other, then its reader's */
    bool heard; /* it was read since its reader was last told that there is nothing; the reader's */
};

static struct rpc_client *the_client;
static void (*wait_begins)(void), (*wait_ends)(void);

void rpc_use(struct rpc_client *c)
{
    the_client = c;
}

void rpc_on_wait(void (*begin)(void), void (*end)(void))
{
    wait_begins = begin;
    wait_ends = end;
}

struct rpc_client *rpc_client_new(int fd, size_t most)
{
    struct rpc_client *c = must_alloc(sizeof(*c));

    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->freed, NULL);
    c->first = fd;
    c->most = most < FRAME_CALLS_MOST ? most : FRAME_CALLS_MOST;
    return c;
}

static void channel_free(struct rpc_channel *ch)
{
    if (!ch)
        return;
    close_fd(&ch->fd);
    buf_free(&ch->in);
    buf_free(&ch->out);
    free(ch);
}

void rpc_client_free(struct rpc_client *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->free_count; i++)
        channel_free(c->free[i]);
    channel_free(c->open);
    close_fd(&c->first);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->freed);
    free(c);
}

bool rpc_client_is_gone(struct rpc_client *c)
{
    HOLD(&c->lock);
    return c->gone;
}

/* A pair: one end for us, the other announced on the first channel by a frame that is nothing but the descriptor.
 * id: FRAME_OPEN for the channel of answers to open calls, else 0. The caller holds c->lock. */
static struct rpc_channel *channel_make(struct rpc_client *c, uint64_t id)
{
    struct rpc_channel *ch;
    struct buf hello = buf_make(FRAME_HEADER);
    int pair[2];
    bool sent;

    if (c->gone || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return NULL;
    frame_end(&hello, frame_begin(&hello, CALL_none, 0, id));
    frame_carries(&hello, 0, 1);
    sent = frame_send(c->first, buf_str(&hello), &pair[1], 1);
    buf_free(&hello);
    close(pair[1]);
    if (!sent) {
        c->gone = true;
        close(pair[0]);
        return NULL;
    }
    ch = must_alloc(sizeof(*ch));
    *ch = (struct rpc_channel){.fd = pair[0],
                               .in = buf_make(FRAME_LIMIT + FRAME_HEADER + 65536),
                               .out = buf_make(FRAME_LIMIT)};
    return ch;
}

static struct rpc_channel *channel_take(struct rpc_client *c)
{
    HOLD(&c->lock);
    while (!c->gone && c->free_count == 0 && c->made == c->most)
        pthread_cond_wait(&c->freed, &c->lock);
    if (c->gone)
        return NULL;
    if (c->free_count)
        return c->free[--c->free_count];
    struct rpc_channel *ch = channel_make(c, 0);

    c->made += ch != NULL;
    return ch;
}

#define KEPT_BUFFER (512 * 1024) /* a channel that once carried a huge page does not keep the memory */

static void channel_clear(struct rpc_channel *ch)
{
    buf_clear(&ch->in);
    buf_clear(&ch->out);
    if (ch->in.cap > KEPT_BUFFER)
        buf_free(&ch->in);
    if (ch->out.cap > KEPT_BUFFER)
        buf_free(&ch->out);
}

/* It broke, and that it never does but by the other side's end. */
static void channel_lose(struct rpc_client *c, struct rpc_channel *ch)
{
    HOLD(&c->lock);
    channel_free(ch);
    c->made--;
    c->gone = true;
    pthread_cond_broadcast(&c->freed);
}

static void channel_give_back(struct rpc_client *c, struct rpc_channel *ch, bool works)
{
    if (!works) {
        channel_lose(c, ch);
        return;
    }
    channel_clear(ch);
    HOLD(&c->lock);
    c->free[c->free_count++] = ch;
    pthread_cond_signal(&c->freed);
}

/* The vault may still be at work on what was sent: others are used before it. */
static void channel_give_back_busy(struct rpc_client *c, struct rpc_channel *ch)
{
    channel_clear(ch);
    HOLD(&c->lock);
    memmove(c->free + 1, c->free, c->free_count++ * sizeof(*c->free));
    c->free[0] = ch;
    pthread_cond_signal(&c->freed);
}

/* Sleeps until the answer comes. Whoever sleeps in recvmsg is woken a first time when the other side has read the request,
 * for then there is room to send (unix_write_space): in poll, one sleeps through that. */
static void await_answer(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    while (poll(&p, 1, -1) < 0 && errno == EINTR)
        ;
}

static bool exchange(struct rpc_channel *ch, const int *fds, size_t fd_count, struct frame *f,
                     struct str *payload)
{
    int got[FRAME_FDS];
    size_t got_count = 0;
    bool bad = false, ok = frame_send(ch->fd, buf_str(&ch->out), fds, fd_count);

    while (ok && !frame_parse(buf_str(&ch->in), f, payload, &bad)) {
        await_answer(ch->fd);
        ok = !bad && frame_receive(ch->fd, &ch->in, got, &got_count) > 0;
    }
    for (size_t i = 0; i < got_count; i++)
        close(got[i]); /* answers carry none */
    return ok;
}

static enum err answer_error(struct cx *cx, const struct frame *f, struct str payload)
{
    enum err e = f->error < ERR_COUNT ? (enum err)f->error : ERR_BUG;

    return fail(cx, e, "%.*s", STR_ARG(payload));
}

enum err rpc_begin(struct rpc_client *c, struct cx *cx, enum call call, struct rpc_channel **out)
{
    struct rpc_channel *ch = channel_take(c);

    if (!ch)
        return fail(cx, ERR_VAULT_AWAY, "%s: no channel to the vault", call_name(call));
    ch->call = call;
    ch->begun = frame_begin(&ch->out, (uint16_t)call, 0, 0);
    *out = ch;
    return OK;
}

struct buf *rpc_request(struct rpc_channel *ch)
{
    return &ch->out;
}

/* The frame is whole now. What became too long is not sent, and the channel free again. */
static enum err request_end(struct rpc_client *c, struct cx *cx, struct rpc_channel *ch,
                            size_t fd_count)
{
    enum call call = ch->call;

    frame_end(&ch->out, ch->begun);
    if (ch->out.full) {
        channel_give_back(c, ch, true);
        return fail(cx, ERR_BUG, "%s: a request beyond %u bytes", call_name(call), FRAME_LIMIT);
    }
    frame_carries(&ch->out, ch->begun, fd_count);
    return OK;
}

static void begin_wait(void)
{
    if (wait_begins)
        wait_begins();
}

static void end_wait(void)
{
    if (wait_ends)
        wait_ends();
}

enum err rpc_end(struct rpc_client *c, struct cx *cx, struct rpc_channel *ch, const int *fds,
                 size_t fd_count, struct str *reply)
{
    const char *name = call_name(ch->call);
    struct str payload = STR_NONE;
    struct frame f = {0};
    enum err e = request_end(c, cx, ch, fd_count);
    bool ok;

    if (e)
        return e;
    begin_wait();
    ok = exchange(ch, fds, fd_count, &f, &payload);
    end_wait();
    if (!ok)
        e = fail(cx, ERR_VAULT_AWAY, "%s: the vault has gone", name);
    else if (f.error)
        e = answer_error(cx, &f, payload);
    else
        *reply = str_copy(cx->arena, payload);
    channel_give_back(c, ch, ok);
    return e;
}

enum err rpc_call(struct rpc_client *c, struct cx *cx, enum call call, struct str request,
                  const int *fds, size_t fd_count, struct str *reply)
{
    struct rpc_channel *ch;
    enum err e = rpc_begin(c, cx, call, &ch);

    if (e)
        return e;
    buf_add(rpc_request(ch), request);
    return rpc_end(c, cx, ch, fds, fd_count, reply);
}

/* ---- open calls ---- */

int rpc_open_fd(struct rpc_client *c)
{
    HOLD(&c->lock);
    assert(!c->made &&
           !c->open); /* else a call could reach the vault before it knows where to answer */
    c->open = channel_make(c, FRAME_OPEN);
    if (c->open && fcntl(c->open->fd, F_SETFL, O_NONBLOCK) < 0) {
        channel_free(c->open);
        c->open = NULL;
    }
    return c->open ? c->open->fd : -1;
}

enum err rpc_end_open(struct rpc_client *c, struct cx *cx, struct rpc_channel *ch, uint64_t id,
                      const int *fds, size_t fd_count)
{
    const char *name = call_name(ch->call);
    enum err e;
    bool sent;

    frame_set_id(&ch->out, ch->begun, FRAME_OPEN | id);
    e = request_end(c, cx, ch, fd_count);
    if (e)
        return e;
    begin_wait(); /* for room, if the vault is behind */
    sent = frame_send(ch->fd, buf_str(&ch->out), fds, fd_count);
    end_wait();
    if (sent)
        channel_give_back_busy(c, ch);
    else
        channel_lose(c, ch);
    return sent ? OK : fail(cx, ERR_VAULT_AWAY, "%s: the vault has gone", name);
}

int rpc_open_answer(struct rpc_client *c, struct cx *cx, uint64_t *id, enum err *e, struct str *payload)
{
    struct rpc_channel *ch = c->open;
    struct frame f;
    struct str bytes;
    bool bad = false;
    int fds[FRAME_FDS];
    size_t fd_count = 0;

    while (!frame_parse(buf_str(&ch->in), &f, &bytes, &bad)) {
        int got = bad ? -1 : c->heard ? 0 : frame_receive(ch->fd, &ch->in, fds, &fd_count);

        c->heard =
            got > 0; /* asking once more would mostly be in vain, and what does come wakes the reader */
        if (got <= 0)
            return got;
    }
    *id = f.id & ~FRAME_OPEN;
    *e = f.error ? answer_error(cx, &f, bytes) : OK;
    *payload = str_copy(cx->arena, bytes);
    buf_take(&ch->in, frame_size(&f));
    return 1;
}

/* ---- the stubs ---- */

#define RECORD(name, fields)
#define CALL(name, from, lane, request, reply)                                                         \
    enum err vault_##name(struct cx *cx, const struct name##_request *q, struct name##_reply *r)       \
    {                                                                                                  \
        struct rpc_channel *ch;                                                                        \
        struct str answer;                                                                             \
        enum err e = rpc_begin(the_client, cx, CALL_##name, &ch);                                      \
                                                                                                       \
        if (e)                                                                                         \
            return e;                                                                                  \
        pack_##name##_request(rpc_request(ch), q);                                                     \
        e = rpc_end(the_client, cx, ch, NULL, 0, &answer);                                             \
        return e ? e : read_##name##_reply(cx, answer, r);                                             \
    }
#include "rpc/calls.def"
#undef CALL
#undef RECORD
