/* To the vault: through the control socket of the running server; or, when none runs, a vault of our own, on a leash,
 * in its sandbox as always. It is given a control socket without a name in the file system, and then everything is
 * as with the other. The store's lock keeps two vaults apart. */
#include "base/arena.h"
#include "base/scoped.h"
#include "control/layout.h"
#include "control/operator.h"
#include "control/room.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct rpc_client *client;
static struct room_process own = {.kind = ROOM_VAULT, .leash = -1};
static int own_log = -1; /* what it would have said on standard error */

static enum err connect_to(struct cx *cx, const struct sockaddr_un *to, socklen_t size,
                           const char *name)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (const struct sockaddr *)to, size)) {
        int error = errno;

        close_fd(&fd);
        if (error == ENOENT || error == ECONNREFUSED)
            return fail(cx, ERR_VAULT_AWAY, "no server is running (%s)", name);
        if (error == EACCES)
            return fail(cx, ERR_DENIED, "%s: %s (it is for root and the group %s)", name,
                        strerror(error), CONTROL_GROUP);
        return fail(cx, ERR_SYSTEM, "%s: %s", name, strerror(error));
    }
    client = rpc_client_new(fd, 1);
    rpc_use(client);
    return OK;
}

enum err vault_reach_running(struct operator* op)
{
    struct sockaddr_un to;
    enum err e = operator_settings(op);

    if (e)
        return e;
    if (!unix_address(op->settings.config->control_socket, &to))
        return fail(&op->cx, ERR_CONFIG, "%s: too long for the path of a socket",
                    op->settings.config->control_socket.p);
    return connect_to(&op->cx, &to, sizeof(to), op->settings.config->control_socket.p);
}

/* Listens on an address that the kernel chooses. */
static enum err make_control(struct cx *cx, int *fd, struct sockaddr_un *at, socklen_t *size)
{
    scoped(close_fd) int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    *at = (struct sockaddr_un){.sun_family = AF_UNIX};
    *size = sizeof(*at);
    if (s < 0 || bind(s, (struct sockaddr *)at, sizeof(sa_family_t)) || listen(s, 4) ||
        getsockname(s, (struct sockaddr *)at, size))
        return fail(cx, ERR_SYSTEM, "control socket: %s", strerror(errno));
    *fd = s;
    s = -1;
    return OK;
}

/* The last line of what our own vault logged: why it ended, most likely. */
static enum err fail_with_log(struct cx *cx)
{
    char text[4096];
    ssize_t n = pread(own_log, text, sizeof(text), 0);
    off_t size = lseek(own_log, 0, SEEK_END);
    struct str last;
    size_t at;

    if (size > (off_t)sizeof(text))
        n = pread(own_log, text, sizeof(text), size - (off_t)sizeof(text));
    last = (struct str){text, n > 0 ? (size_t)n : 0};
    while (last.n && last.p[last.n - 1] == '\n')
        last.n--;
    if (str_rfind_char(last, '\n', &at))
        last = str_from(last, at + 1);
    return fail(cx, ERR_VAULT_AWAY, "the vault ended: %.*s", STR_ARG(last));
}

enum purpose { TO_SERVE, TO_BEGIN, TO_EXAMINE, TO_RESTORE };

/* Waits for the answer. */
static enum err start_own(struct operator* op, int control, enum purpose purpose)
{
    scoped(buf_free) struct buf b = buf_make(BUF_UNLIMITED);
    struct room_start_request q = {.settings = op->settings.text,
                                   .settings_name = str_from_c(op->settings.file_name),
                                   .has_control = true,
                                   .examine = purpose == TO_EXAMINE,
                                   .restore = purpose == TO_RESTORE};
    char rooms[PATH_MAX];
    enum err e;

    if ((e = room_directory(&op->cx, rooms, sizeof(rooms))) ||
        (e = layout_make(&op->cx, op->settings.config)))
        return e;
    own_log = memfd_create("log", MFD_CLOEXEC);
    if (own_log < 0)
        return fail(&op->cx, ERR_SYSTEM, "memfd_create: %s", strerror(errno));
    if ((e = room_spawn(&op->cx, &own, rooms, own_log)))
        return e;
    pack_room_start_request(&b, &q);
    e = room_call(&own, &op->cx, CALL_room_start, buf_str(&b), &control, 1);
    return e == ERR_VAULT_AWAY ? fail_with_log(&op->cx) : e;
}

/* A store that only a mistyped data-dir has made would be in the way of a restore, and look like mail that was lost. */
static enum err reach_own(struct operator* op, enum purpose purpose)
{
    scoped(close_fd) int control = -1;
    struct sockaddr_un at;
    socklen_t size;
    enum err e = OK;

    op->cx.cause[0] = '\0';
    if (purpose == TO_SERVE || purpose == TO_EXAMINE)
        e = layout_check_store(&op->cx, op->settings.config);
    if (e || (e = make_control(&op->cx, &control, &at, &size)) || (e = start_own(op, control, purpose)))
        return e;
    return connect_to(&op->cx, &at, size, "the vault's control socket");
}

enum err vault_reach(struct operator* op)
{
    enum err e = vault_reach_running(op);

    return e == ERR_VAULT_AWAY ? reach_own(op, TO_SERVE) : e;
}

enum err vault_reach_or_make(struct operator* op)
{
    enum err e = vault_reach_running(op);

    return e == ERR_VAULT_AWAY ? reach_own(op, TO_BEGIN) : e;
}

enum err vault_examine(struct operator* op, bool alone)
{
    enum err e = vault_reach_running(op);

    if (!e && alone)
        return fail(&op->cx, ERR_LOCKED,
                    "a server is running on this store: stop \"posthorn serve\" first");
    return e == ERR_VAULT_AWAY ? reach_own(op, TO_EXAMINE) : e;
}

enum err vault_for_restore(struct operator* op)
{
    return reach_own(op, TO_RESTORE);
}

/* Waits until it has closed the store, so that the next command finds it free. */
void vault_leave(struct operator* op)
{
    scoped(buf_free) struct buf b = buf_make(64);
    struct room_stop_request q = {0};
    struct cx cx = {.arena = op->cx.arena}; /* the command's cause stays as it is */
    int status;

    rpc_client_free(client);
    client = NULL;
    if (own.state == ROOM_DOWN)
        return;
    pack_room_stop_request(&b, &q);
    if (room_call(&own, &cx, CALL_room_stop, buf_str(&b), NULL, 0) != OK)
        room_kill(&own);
    waitpid(own.pid, &status, 0);
    room_reset(&own);
    close_fd(&own_log);
}
