#include "gate/leash.h"

#include "base/log.h"
#include "base/scoped.h"
#include "gate/gate.h"
#include "gate/services.h"
#include "rpc/frame.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STOP_GRACE_MS 8000 /* the supervisor waits ten seconds */

static void answer(const struct frame *f, enum err e, const struct cx *cx)
{
    struct buf out = buf_make(1000);
    size_t begun = frame_begin(&out, f->call, (uint16_t)e, f->id);

    if (e)
        buf_add_c(&out, cx->cause);
    frame_end(&out, begun);
    frame_send(LEASH, buf_str(&out), NULL, 0);
    buf_free(&out);
}

/* ---- room_start ---- */

struct leash_start_private {
    struct buf in;
    struct frame frame;
    int fds[FRAME_FDS];
};

bool leash_wait_start(struct leash_start *s)
{
    struct leash_start_private *own = must_alloc(sizeof(*own));
    struct str payload;
    struct unpack u;
    bool bad = false;

    *s = (struct leash_start){.cx = {.arena = arena_new(0)}, .fds = own->fds, .own = own};
    own->in = buf_make(FRAME_LIMIT + FRAME_HEADER);
    while (!frame_parse(buf_str(&own->in), &own->frame, &payload, &bad))
        if (bad || frame_receive(LEASH, &own->in, own->fds, &s->fd_count) <= 0)
            return false;
    u = unpack_begin(payload);
    unpack_room_start_request(s->cx.arena, &u, &s->request);
    return own->frame.call == CALL_room_start && unpack_done(&u);
}

void leash_started(struct leash_start *s, enum err e)
{
    answer(&s->own->frame, e, &s->cx);
    buf_free(&s->own->in);
    free(s->own);
    arena_free(s->cx.arena);
}

/* ---- later ---- */

struct leash {
    struct watch watch; /* the first member */
    struct buf in;
    int fds[FRAME_FDS]; /* that came, and whose room_reload has not come whole yet */
    size_t fd_count;
};

static void close_fds(int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        close_fd(&fds[i]);
}

static void apply_limits(const struct config *config)
{
    peers_set_limits(gate.peers,
                     &(struct peers_limits){.in_all = config->limits.connections,
                                            .per_address = config->limits.connections_per_address});
    log_set_level(config->log_level);
}

static enum err reload(struct cx *cx, struct leash *l, struct str payload)
{
    struct unpack u = unpack_begin(payload);
    struct room_reload_request q;
    enum err e;

    unpack_room_reload_request(cx->arena, &u, &q);
    if (!unpack_done(&u) || q.listeners_count > l->fd_count)
        return fail(cx, ERR_BAD_CALL, "room_reload is malformed");
    e = gate_take_settings(
        cx, &(struct settings_told){q.settings, q.settings_name, q.certificates, q.certificates_count});
    if (!e) {
        apply_limits(gate_settings()->config);
        e = services_listen(cx, q.listeners, q.listeners_count, l->fds);
    }
    close_fds(l->fds, q.listeners_count);
    l->fd_count -= q.listeners_count;
    memmove(l->fds, l->fds + q.listeners_count, l->fd_count * sizeof(*l->fds));
    return e;
}

static void serve(struct leash *l, const struct frame *f, struct str payload)
{
    struct cx cx = {.arena = arena_new(0)};
    enum err e = OK;

    if (f->call == CALL_room_reload)
        e = reload(&cx, l, payload);
    else if (f->call != CALL_room_stop)
        e = fail(&cx, ERR_BAD_CALL, "%s is not for a gate", call_name(f->call));
    if (e)
        log_line(LOG_ERROR, "leash", "call=%s error=%s cause=%s", call_name(f->call), err_row(e)->name,
                 log_value(str_from_c(cx.cause)));
    answer(f, e, &cx);
    if (f->call == CALL_room_stop)
        loop_stop(gate.loop, STOP_GRACE_MS);
    arena_free(cx.arena);
}

/* False: the supervisor has gone, or is none. */
static bool hear(struct leash *l)
{
    struct frame f;
    struct str payload;
    bool bad = false;
    int got = frame_receive(LEASH, &l->in, l->fds, &l->fd_count);

    while (got >= 0 && frame_parse(buf_str(&l->in), &f, &payload, &bad)) {
        serve(l, &f, payload);
        buf_take(&l->in, frame_size(&f));
    }
    return got >= 0 && !bad;
}

static bool run(struct watch *w, unsigned what)
{
    struct leash *l = (struct leash *)w;

    if (!(what & WATCH_STOP) && hear(l))
        return true;
    loop_stop(gate.loop, what & WATCH_STOP ? STOP_GRACE_MS : 0);
    watch_close(w);
    close_fds(l->fds, l->fd_count);
    buf_free(&l->in);
    free(l);
    return false;
}

enum err leash_serve(struct cx *cx)
{
    struct leash *l = must_alloc(sizeof(*l));
    enum err e;

    fcntl(LEASH, F_SETFL, O_NONBLOCK);
    *l = (struct leash){.watch = watch_make(run, LEASH),
                        .in = buf_make(FRAME_LIMIT + FRAME_HEADER + 65536)};
    l->watch.background = true;
    l->watch.want = WATCH_READ;
    e = watch_open(cx, gate.loop, &l->watch);
    if (e)
        free(l);
    else
        watch_start(&l->watch, 0);
    return e;
}
