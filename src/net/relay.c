/* A pump in each direction. What the other side does not take at once waits in `in` (from the peer) or `out` (to
 * the peer); while something waits, no more is read on that way. So a relay never holds more than two scratch
 * buffers' worth, and nothing at all while it is parked. */
#include "net/conn_private.h"

#include <assert.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

/* The vault reads no more: what it did not take stays for conn_unrelay(). */
static void pair_takes(struct conn *c, struct str *s)
{
    size_t put = 0;

    switch (plain_write(c->pair, *s, &put)) {
    case IO_DONE:
        *s = str_from(*s, put);
        break;
    case IO_AGAIN:
        break;
    default:
        c->pair_deaf = true;
    }
}

static bool in_to_pair(struct conn *c)
{
    struct str s = buf_str(&c->in);
    size_t had = s.n;

    pair_takes(c, &s);
    buf_take(&c->in, had - s.n);
    return s.n < had;
}

static bool peer_to_pair(struct conn *c)
{
    char *scratch = loop_scratch();
    struct str s = {scratch, 0};

    switch (conn_read(c, scratch, LOOP_SCRATCH_SIZE, &s.n)) {
    case IO_DONE:
        pair_takes(c, &s);
        buf_add(&c->in, s);
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

static bool pump_in(struct conn *c)
{
    if (c->in.n)
        return !c->pair_deaf && in_to_pair(c);
    if (c->eof && !c->pair_shut) {
        c->pair_shut = true;
        shutdown(c->pair, SHUT_WR);
    }
    return c->readable && !c->eof && !c->pair_deaf && peer_to_pair(c);
}

static bool pair_to_peer(struct conn *c)
{
    char *scratch = loop_scratch();
    struct str s = {scratch, 0};
    enum io io = plain_read(c->pair, scratch, LOOP_SCRATCH_SIZE, &s.n);

    c->pair_readable = s.n == LOOP_SCRATCH_SIZE;
    if (io == IO_AGAIN)
        return false;
    c->pair_eof = io != IO_DONE;
    conn_write(c, &s);
    buf_add(&c->out, s);
    return true;
}

static bool pump_out(struct conn *c)
{
    if (c->out.n)
        conn_write_out(c);
    conn_note_stall(c);
    return c->phase == OPEN && c->out.n == 0 && c->pair_readable && !c->pair_eof && pair_to_peer(c);
}

bool relay_step(struct conn *c)
{
    bool in = pump_in(c);
    bool out = c->phase == OPEN && pump_out(c);

    if (c->phase == OPEN && c->pair_eof && c->out.n == 0 && !c->relay_told) {
        c->relay_told = true;
        if (c->ops->relay_ended)
            c->ops->relay_ended(c);
        else
            conn_close(c);
        return true;
    }
    return in || out;
}

uint8_t relay_wants(const struct conn *c)
{
    unsigned want = 0;

    if (!c->pair_deaf)
        want |= c->in.n ? WATCH_WRITE_2 : c->eof ? 0 : WATCH_READ;
    want |= c->out.n ? WATCH_WRITE : c->pair_eof ? 0 : WATCH_READ_2;
    if (c->tls && c->tls->wants_write)
        want |= WATCH_WRITE;
    return (uint8_t)want;
}

void relay_close(struct conn *c)
{
    if (c->pair < 0)
        return;
    if (c->phase != ENDED) /* else the watch is closed already */
        watch_set_second(&c->watch, -1);
    close(c->pair);
    c->pair = -1;
}

void conn_relay(struct conn *c, int fd)
{
    assert(c->pair < 0 && c->phase == OPEN && !c->starting);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    watch_set_second(&c->watch, fd);
    c->pair = fd;
    c->pair_readable = true;
    c->pair_eof = c->pair_deaf = c->pair_shut = c->relay_told = false;
    c->paused = c->stalled = c->wants_drained = false;
}

void conn_unrelay(struct conn *c, struct str early)
{
    assert(c->pair >= 0);
    relay_close(c);
    conn_resume(c, early);
}
