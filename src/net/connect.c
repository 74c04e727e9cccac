/* connect() is called again after each event: Linux answers 0 once when it is done, EALREADY until then, or what
 * went wrong. */
#include "net/conn_private.h"

#include "base/clock.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

bool connect_step(struct conn *c)
{
    if (c->error == 0 && connect(c->fd, &c->peer.any, endpoint_size(&c->peer)) == 0) {
        c->phase = NEW;
        c->step = NO_DEADLINE;
        c->moved = true;
        return true;
    }
    if (c->error == 0 && (errno == EINPROGRESS || errno == EALREADY || errno == EINTR))
        return false;
    if (c->error == 0)
        c->error = errno;
    conn_end(c, CONN_REFUSED);
    return false;
}

static void set_options(int fd)
{
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
}

enum err conn_connect(struct cx *cx, struct loop *l, const struct conn_target *target,
                      const struct conn_ops *ops, void *state)
{
    int fd = socket(target->to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct conn *c;
    enum err e;

    if (fd < 0)
        return fail(cx, ERR_SYSTEM, "socket: %s", strerror(errno));
    set_options(fd);
    c = conn_new(l, fd, ops, state);
    c->phase = CONNECTING;
    c->peer = target->to;
    c->step = monotonic_ms() + target->timeout_ms;
    if (target->from.any.sa_family != AF_UNSPEC &&
        bind(fd, &target->from.any, endpoint_size(&target->from)) < 0)
        c->error = errno; /* told like any other reason why this way is closed */
    e = conn_launch(cx, c);
    if (e)
        close(fd);
    return e;
}
