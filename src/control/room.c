#include "control/room.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/scoped.h"
#include "rpc/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEASH_FD 3

static const struct {
    const char *name, *program, *option;
} rows[ROOM_COUNT] = {
    [ROOM_VAULT] = {"vault", "posthorn-vault", NULL},
    [ROOM_MX] = {"mx", "posthorn-gate", "--mx"},
    [ROOM_USERS] = {"users", "posthorn-gate", "--users"},
};

const char *room_name(enum room_kind kind)
{
    return rows[kind].name;
}

static bool has_rooms(const char *directory)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/%s", directory, rows[ROOM_VAULT].program);

    return n > 0 && (size_t)n < sizeof(path) && access(path, X_OK) == 0;
}

/* Cuts a path's last part off. */
static void go_up(char *path)
{
    char *slash = strrchr(path, '/');

    if (slash)
        *slash = '\0';
}

/* Beside posthorn, as they are built; in the libexec of the tree that it stands in, wherever that was moved; where the
 * installation was told to put them. */
enum err room_directory(struct cx *cx, char *out, size_t size)
{
    static const char in_tree[] = "/libexec/posthorn";
    ssize_t n = readlink("/proc/self/exe", out, size - sizeof(in_tree));

    if (n > 0) {
        out[n] = '\0';
        go_up(out);
        if (has_rooms(out))
            return OK;
        go_up(out);
        memcpy(out + strlen(out), in_tree, sizeof(in_tree));
        if (has_rooms(out))
            return OK;
    }
    snprintf(out, size, "%s", POSTHORN_LIBEXEC);
    if (has_rooms(out))
        return OK;
    return fail(cx, ERR_SYSTEM, "%s is neither beside posthorn nor in %s", rows[ROOM_VAULT].program,
                out);
}

/* In the child, up to exec. What the terminal or systemd sends to all processes is the supervisor's business, so the
 * rooms ignore it; it tells them over the leash. */
static void become_room(const struct room_process *r, const char *path, int leash, int quiet,
                        pid_t parent)
{
    char *argv[] = {(char *)(uintptr_t)rows[r->kind].program, (char *)(uintptr_t)rows[r->kind].option,
                    NULL};
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    unsetenv("NOTIFY_SOCKET");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || (quiet >= 0 && dup2(quiet, STDERR_FILENO) < 0))
        _exit(1);
    if (leash == LEASH_FD ? fcntl(leash, F_SETFD, 0) : dup2(leash, LEASH_FD) < 0)
        _exit(1);
    execv(path, argv);
    log_line(LOG_ERROR, "exec-failed", "program=%s cause=%s", log_value(str_from_c(path)),
             log_value(str_from_c(strerror(errno))));
    _exit(127);
}

enum err room_spawn(struct cx *cx, struct room_process *r, const char *directory, int quiet)
{
    char path[PATH_MAX];
    int pair[2];
    pid_t parent = getpid();

    if ((size_t)snprintf(path, sizeof(path), "%s/%s", directory, rows[r->kind].program) >= sizeof(path))
        return fail(cx, ERR_SYSTEM, "%s: the path is too long", directory);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return fail(cx, ERR_SYSTEM, "leash: %s", strerror(errno));
    r->pid = fork();
    if (r->pid == 0)
        become_room(r, path, pair[1], quiet, parent);
    close(pair[1]);
    if (r->pid < 0) {
        close(pair[0]);
        return fail(cx, ERR_SYSTEM, "%s: cannot start: %s", path, strerror(errno));
    }
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    r->leash = pair[0];
    r->in = buf_make(FRAME_LIMIT);
    r->state = ROOM_STARTING;
    r->kill_at_ms = 0;
    return OK;
}

bool room_tell(struct room_process *r, enum call call, struct str request, const int *fds,
               size_t fd_count)
{
    scoped(buf_free) struct buf out = buf_make(FRAME_LIMIT);
    size_t begun = frame_begin(&out, (uint16_t)call, 0, call);

    buf_add(&out, request);
    frame_end(&out, begun);
    frame_carries(&out, begun, fd_count);
    return r->leash >= 0 && !out.full && frame_send(r->leash, buf_str(&out), fds, fd_count);
}

/* A room hands nothing over; what comes nevertheless is closed. */
static int receive(struct room_process *r)
{
    int fds[FRAME_FDS];
    size_t count = 0;
    int got = frame_receive(r->leash, &r->in, fds, &count);

    for (size_t i = 0; i < count; i++)
        close(fds[i]);
    return got;
}

int room_answer(struct room_process *r, struct cx *cx, enum call *call, enum err *e)
{
    struct str payload;
    struct frame f;
    bool bad = false;

    while (r->leash >= 0 && !frame_parse(buf_str(&r->in), &f, &payload, &bad)) {
        int got = bad ? -1 : receive(r);

        if (got < 0)
            close_fd(&r->leash);
        if (got == 0)
            return 0;
    }
    if (r->leash < 0)
        return -1;
    *call = (enum call)f.call;
    *e = f.error < ERR_COUNT ? (enum err)f.error : ERR_BUG;
    if (*e)
        fail(cx, *e, "%.*s", STR_ARG(payload));
    buf_take(&r->in, frame_size(&f));
    return 1;
}

enum err room_call(struct room_process *r, struct cx *cx, enum call call, struct str request,
                   const int *fds, size_t fd_count)
{
    struct pollfd p = {.fd = r->leash, .events = POLLIN};
    enum call answered;
    enum err e;
    int got = room_tell(r, call, request, fds, fd_count) ? 0 : -1;

    while (got == 0) {
        got = room_answer(r, cx, &answered, &e);
        if (got == 0)
            poll(&p, 1, -1);
        if (got == 1 && answered != call)
            got = 0;
    }
    return got < 0 ? fail(cx, ERR_VAULT_AWAY, "the %s has gone", room_name(r->kind)) : e;
}

void room_ask_to_stop(struct room_process *r, int64_t grace_ms)
{
    scoped(buf_free) struct buf b = buf_make(64);
    struct room_stop_request q = {0};

    if (r->state == ROOM_DOWN || r->state == ROOM_STOPPING)
        return;
    pack_room_stop_request(&b, &q);
    r->state = ROOM_STOPPING;
    r->kill_at_ms = monotonic_ms() + grace_ms;
    if (!room_tell(r, CALL_room_stop, buf_str(&b), NULL, 0))
        room_kill(r);
}

void room_kill(struct room_process *r)
{
    if (r->state == ROOM_DOWN)
        return;
    r->state = ROOM_STOPPING;
    r->kill_at_ms = 0;
    kill(r->pid, SIGKILL);
}

void room_reset(struct room_process *r)
{
    close_fd(&r->leash);
    buf_free(&r->in);
    *r = (struct room_process){.kind = r->kind, .leash = -1};
}

bool room_has_ended(struct room_process *r, int *status)
{
    if (r->state == ROOM_DOWN || waitpid(r->pid, status, WNOHANG) != r->pid)
        return false;
    room_reset(r);
    return true;
}

void room_end_text(int status, char *out, size_t size)
{
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
        snprintf(out, size, "killed by its sandbox: a forbidden system call");
    else if (WIFSIGNALED(status))
        snprintf(out, size, "killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(out, size, "exit status %d", WEXITSTATUS(status));
}
