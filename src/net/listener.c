/* One connection an event: the descriptor is armed again before the new connection is greeted, so that another
 * thread takes the next one meanwhile. */
#include "net/listener.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/conn_private.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define PAUSE_MS 500     /* no descriptor or memory left: others have to end first */
#define COMPLAIN_MS 1000 /* at most one line in the log in this time */

struct listener {
    struct watch watch;
    struct listener_settings settings;
    int fd;
    int64_t complained;
    uint64_t refused; /* since then */
};

static bool may_complain(struct listener *s)
{
    int64_t now = monotonic_ms();

    if (now - s->complained < COMPLAIN_MS)
        return false;
    s->complained = now;
    return true;
}

static void refuse(struct listener *s, int fd, const struct endpoint *peer)
{
    char text[ENDPOINT_TEXT_SIZE];
    size_t put;

    if (s->settings.over_limit.n)
        plain_write(fd, s->settings.over_limit,
                    &put); /* the first bytes on this socket: there is room */
    shutdown(fd, SHUT_WR);
    close(fd);
    s->refused++;
    if (!may_complain(s))
        return;
    endpoint_ip_text(peer, text);
    log_line(LOG_WARNING, "too-many-connections", "address=%s refused=%llu", text,
             (unsigned long long)s->refused);
    s->refused = 0;
}

static void admit(struct listener *s, int fd, const struct endpoint *peer)
{
    struct cx cx = {0};
    struct conn *c;

    if (s->settings.peers && !peers_enter(s->settings.peers, peer)) {
        refuse(s, fd, peer);
        return;
    }
    c = conn_new(s->watch.loop, fd, s->settings.ops, s->settings.state);
    c->peer = *peer;
    c->peers = s->settings.peers;
    if (conn_launch(&cx, c) != OK)
        close(fd);
}

/* Until others have given some back there is no use in trying, and the descriptor stays readable. */
static void pause_accepting(struct listener *s)
{
    if (may_complain(s))
        log_line(LOG_ERROR, "accept", "error=%s", log_value(str_from_c(strerror(errno))));
    s->watch.want = 0;
    watch_set_deadline(&s->watch, monotonic_ms() + PAUSE_MS);
}

static void accept_one(struct listener *s)
{
    struct endpoint peer = {.any.sa_family = AF_UNSPEC};
    socklen_t n = sizeof(peer);
    int fd = accept4(s->fd, &peer.any, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0)
        admit(s, fd, &peer);
    else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        pause_accepting(s);
}

static bool listener_run(struct watch *w, unsigned what)
{
    struct listener *s = (struct listener *)w;

    if (what & (WATCH_STOP | WATCH_WOKEN)) {
        watch_close(w);
        close(s->fd);
        free(s);
        return false;
    }
    w->want = WATCH_READ;
    if (what & WATCH_READ)
        accept_one(s);
    return true;
}

enum err listener_open(struct cx *cx, struct loop *l, const struct listener_settings *settings,
                       struct watch_id *id)
{
    struct listener *s = must_alloc(sizeof(*s));
    enum err e;

    s->settings = *settings;
    s->fd = settings->fd;
    s->watch = watch_make(listener_run, s->fd);
    e = watch_open(cx, l, &s->watch);
    if (e) {
        free(s);
        return e;
    }
    *id = s->watch.id;
    watch_start(&s->watch, 0);
    return OK;
}

void listener_close(struct loop *l, struct watch_id id)
{
    loop_wake(l, id);
}
