#include "rpc/frame.h"

#include "base/err.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define LEAST_READ (64 * 1024)

_Static_assert(FRAME_FDS <= UINT8_MAX && ERR_COUNT <= UINT8_MAX, "what a header says of them");
_Static_assert(sizeof(struct frame) == FRAME_HEADER, "a frame's header has no holes");

size_t frame_begin(struct buf *out, uint16_t call, uint16_t error, uint64_t id)
{
    struct frame f = {.call = call, .error = (uint8_t)error, .id = id};
    size_t at = out->n;

    buf_add(out, (struct str){(const char *)&f, sizeof(f)});
    return at;
}

void frame_end(struct buf *out, size_t begun)
{
    uint32_t size;

    if (out->full)
        return;
    size = (uint32_t)(out->n - begun - FRAME_HEADER);
    memcpy(out->p + begun, &size, sizeof(size));
}

void frame_carries(struct buf *out, size_t begun, size_t fds)
{
    if (!out->full)
        out->p[begun + offsetof(struct frame, fds)] = (char)fds;
}

void frame_set_id(struct buf *out, size_t begun, uint64_t id)
{
    if (!out->full)
        memcpy(out->p + begun + offsetof(struct frame, id), &id, sizeof(id));
}

size_t frame_take_fds(const struct frame *f, int *fds, size_t *fd_count, int *own)
{
    size_t n = f->fds < *fd_count ? f->fds : *fd_count;

    memcpy(own, fds, n * sizeof(*fds));
    *fd_count -= n;
    memmove(fds, fds + n, *fd_count * sizeof(*fds));
    return n;
}

bool frame_parse(struct str in, struct frame *f, struct str *payload, bool *bad)
{
    *bad = false;
    if (in.n < FRAME_HEADER)
        return false;
    memcpy(f, in.p, sizeof(*f));
    *bad = f->size > FRAME_LIMIT;
    if (*bad || in.n - FRAME_HEADER < f->size)
        return false;
    *payload = str_upto(str_from(in, FRAME_HEADER), f->size);
    return true;
}

static bool wait_for(int fd, short what)
{
    struct pollfd p = {.fd = fd, .events = what};

    while (poll(&p, 1, -1) < 0)
        if (errno != EINTR)
            return false;
    return true;
}

static void put_descriptors(struct msghdr *m, char *control, size_t room, const int *fds, size_t count)
{
    struct cmsghdr *c;

    memset(control, 0, room);
    m->msg_control = control;
    m->msg_controllen = CMSG_SPACE(count * sizeof(int));
    c = CMSG_FIRSTHDR(m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(c), fds, count * sizeof(int));
}

bool frame_send(int fd, struct str bytes, const int *fds, size_t fd_count)
{
    char control[CMSG_SPACE(FRAME_FDS * sizeof(int))];

    while (bytes.n) {
        struct iovec v = {.iov_base = (void *)(uintptr_t)bytes.p, .iov_len = bytes.n};
        struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
        ssize_t n;

        if (fd_count) {
            put_descriptors(&m, control, sizeof(control), fds, fd_count);
            n = sendmsg(fd, &m, MSG_NOSIGNAL);
        } else {
            n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL); /* the vault's sandbox has no sendmsg */
        }
        if (n >= 0) {
            bytes = str_from(bytes, (size_t)n);
            fd_count = 0;
        } else if (errno == EAGAIN) {
            if (!wait_for(fd, POLLOUT))
                return false;
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

static void take_descriptors(struct msghdr *m, int *fds, size_t *fd_count)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        size_t count;

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int got;

            memcpy(&got, CMSG_DATA(c) + i * sizeof(int), sizeof(got));
            if (*fd_count < FRAME_FDS)
                fds[(*fd_count)++] = got;
            else
                close(got);
        }
    }
}

/* How much to ask for: the rest of the frame that has begun, so that one read mostly suffices; or as much as there is
 * room for already. */
static size_t read_size(const struct buf *in)
{
    size_t cap = in->cap < in->limit ? in->cap : in->limit, room = cap - in->n;
    size_t least = room > LEAST_READ ? room : LEAST_READ;
    struct frame f;

    if (in->n < FRAME_HEADER)
        return least;
    memcpy(&f, in->p, sizeof(f));
    if (f.size > FRAME_LIMIT || frame_size(&f) < in->n + least)
        return least;
    return frame_size(&f) - in->n;
}

int frame_receive(int fd, struct buf *in, int *fds, size_t *fd_count)
{
    char control[CMSG_SPACE(FRAME_FDS * sizeof(int))];
    size_t want = read_size(in);
    char *to = buf_reserve(in, want);
    struct iovec v = {.iov_base = to, .iov_len = want};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    ssize_t n;

    if (!to)
        return -1;
    do
        n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? 0 : -1;
    take_descriptors(&m, fds, fd_count);
    if (n == 0)
        return -1;
    buf_grew(in, (size_t)n);
    return 1;
}
