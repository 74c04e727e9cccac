#include "net/listen.h"

#include "base/scoped.h"
#include "net/sockaddr.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

#define BACKLOG 1024 /* the kernel cuts it to net.core.somaxconn */

static enum err fail_errno(struct cx *cx, struct str where, const char *what)
{
    return fail(cx, ERR_SYSTEM, "%.*s: %s%s", STR_ARG(where), what, strerror(errno));
}

/* With what the operator may do about it. */
static enum err fail_bind(struct cx *cx, struct str where)
{
    const char *remedy = errno == EADDRINUSE ? " (another program listens there: ss -ltnp tells which)"
                         : errno == EADDRNOTAVAIL ? " (no interface of this machine has it)"
                         : errno == EACCES ? " (ports below 1024 need root, or CAP_NET_BIND_SERVICE)"
                                           : "";

    return fail(cx, ERR_SYSTEM, "%.*s: %s%s", STR_ARG(where), strerror(errno), remedy);
}

static bool set_flag(int fd, int level, int option)
{
    int on = 1;

    return setsockopt(fd, level, option, &on, sizeof(on)) == 0;
}

enum err listen_open(struct cx *cx, struct str where, int *fd)
{
    scoped(close_fd) int s = -1;
    struct endpoint e;

    if (!parse_endpoint(where, 0, &e))
        return fail(cx, ERR_CONFIG, "%.*s: not an address and a port", STR_ARG(where));
    s = socket(e.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s < 0)
        return fail_errno(cx, where, "");
    if (!set_flag(s, SOL_SOCKET, SO_REUSEADDR))
        return fail_errno(cx, where, "SO_REUSEADDR: ");
    if (!set_flag(s, IPPROTO_TCP, TCP_NODELAY) ||
        !set_flag(s, SOL_SOCKET, SO_KEEPALIVE)) /* heirs: what is accepted */
        return fail_errno(cx, where, "TCP_NODELAY: ");
    if (e.any.sa_family == AF_INET6 && !set_flag(s, IPPROTO_IPV6, IPV6_V6ONLY))
        return fail_errno(cx, where, "IPV6_V6ONLY: ");
    if (bind(s, &e.any, endpoint_size(&e)) < 0 || listen(s, BACKLOG) < 0)
        return fail_bind(cx, where);
    *fd = s;
    s = -1;
    return OK;
}

enum err nofile_raise(struct cx *cx, uint64_t want, uint64_t *got)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) < 0)
        return fail(cx, ERR_SYSTEM, "number of open files: %s", strerror(errno));
    if (r.rlim_cur < want) {
        struct rlimit more = {want, r.rlim_max > want ? r.rlim_max : want};

        if (setrlimit(RLIMIT_NOFILE, &more) < 0) { /* beyond the hard limit needs a right */
            more = (struct rlimit){r.rlim_max < want ? r.rlim_max : want, r.rlim_max};
            if (setrlimit(RLIMIT_NOFILE, &more) < 0)
                return fail(cx, ERR_SYSTEM, "number of open files %" PRIu64 ": %s", want,
                            strerror(errno));
        }
        r = more;
    }
    *got = r.rlim_cur;
    return OK;
}
