/* The order matters: what needs root comes first, then root is given up, then Landlock, and seccomp last, since it
 * forbids all of the others. */
#include "sandbox/sandbox.h"

#include "base/scoped.h"
#include "sandbox/filter.h"
#include "sandbox/landlock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef __has_feature
#define __has_feature(x) 0 /* gcc says it in the other way */
#endif

/* ThreadSanitizer brings a thread of its own. AddressSanitizer looks for leaks by tracing its process from a second
 * one, which the sandbox forbids: no leaks are looked for in a program that has one. */
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define HAS_HELPER_THREAD true
#else
#define HAS_HELPER_THREAD false
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return 1;
}
#endif

static enum err system_error(struct cx *cx, const char *what, const char *name)
{
    return fail(cx, ERR_SYSTEM, "sandbox: %s%s%s: %s", what, name ? " " : "", name ? name : "",
                strerror(errno));
}

/* A thread that runs already would stay outside of the sandbox. Where /proc is missing nobody can tell. */
static enum err check_alone(struct cx *cx)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *d;
    int n = 0;

    if (!tasks || HAS_HELPER_THREAD) {
        if (tasks)
            closedir(tasks);
        return OK;
    }
    while ((d = readdir(tasks)))
        n += d->d_name[0] != '.';
    closedir(tasks);
    return n == 1 ? OK : fail(cx, ERR_BUG, "sandbox: %d threads are running already", n);
}

static enum err find_user(struct cx *cx, const struct sandbox *spec, struct passwd *out)
{
    struct passwd *p;

    if (geteuid() != 0 || !spec->user)
        return OK;
    p = getpwnam(spec->user);
    if (!p || p->pw_uid == 0)
        return fail(
            cx, ERR_CONFIG,
            "the user %s does not exist: make it with \"adduser --system --group %s\" (make deps does)",
            spec->user, spec->user);
    *out = *p;
    return OK;
}

/* A directory that nothing can ever be put into: it has no name any more. -1: could not be made. */
static int open_empty(void)
{
    char path[] = "/tmp/posthorn-empty-XXXXXX";
    int fd;

    if (!mkdtemp(path))
        return -1;
    fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    rmdir(path);
    return fd;
}

/* The vault works in its directory also where that cannot be its root. */
static enum err change_root(struct cx *cx, const struct sandbox *spec, int directory,
                            struct sandbox_layers *layers)
{
    scoped(close_fd) int empty = -1;

    if (spec->directory && fchdir(directory))
        return system_error(cx, "cannot enter", spec->directory);
    if (geteuid() != 0)
        return OK;
    if (!spec->directory) {
        empty = open_empty();
        if (empty < 0 || fchdir(empty))
            return system_error(cx, "cannot make an empty directory in", "/tmp");
    }
    if (chroot("."))
        return errno == EPERM ? OK : system_error(cx, "chroot", spec->directory);
    layers->root = true;
    return OK;
}

static enum err become(struct cx *cx, const struct sandbox *spec, const struct passwd *p,
                       struct sandbox_layers *layers)
{
    if (!p->pw_uid)
        return OK;
    if (setgroups(0, NULL) || setresgid(p->pw_gid, p->pw_gid, p->pw_gid) ||
        setresuid(p->pw_uid, p->pw_uid, p->pw_uid))
        return system_error(cx, "cannot become", spec->user);
    if (setuid(0) == 0 || geteuid() != p->pw_uid)
        return fail(cx, ERR_BUG, "sandbox: still root after becoming %s", spec->user);
    layers->user = true;
    return OK;
}

/* Changing the user has taken back whatever of this the supervisor had set. */
static enum err settle(struct cx *cx, pid_t parent)
{
    struct rlimit none = {0, 0};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return system_error(cx, "no_new_privs", NULL);
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) || setrlimit(RLIMIT_CORE, &none))
        return system_error(cx, "core dumps", NULL);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
        return system_error(cx, "PR_SET_PDEATHSIG", NULL);
    if (getppid() != parent)
        return fail(cx, ERR_SYSTEM, "sandbox: the supervisor has gone");
    return OK;
}

enum err sandbox_enter(struct cx *cx, const struct sandbox *spec, struct sandbox_layers *layers)
{
    scoped(close_fd) int directory = -1;
    struct passwd user = {0};
    pid_t parent = getppid();
    enum err e;

    *layers = (struct sandbox_layers){0};
    if ((e = check_alone(cx)) || (e = find_user(cx, spec, &user)))
        return e;
    if (spec->directory) {
        directory = open(spec->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0)
            return system_error(cx, "cannot open", spec->directory);
    }
    if (spec->kind == SANDBOX_VAULT && geteuid() == 0)
        layers->network = unshare(CLONE_NEWNET) == 0; /* a container may forbid it */
    if ((e = change_root(cx, spec, directory, layers)) || (e = become(cx, spec, &user, layers)) ||
        (e = settle(cx, parent)) ||
        (e = landlock_restrict(cx, directory, spec->kind == SANDBOX_GATE, &layers->landlock)) ||
        (e = filter_install(cx, spec->kind)))
        return e;
    layers->seccomp = true;
    return OK;
}

void sandbox_describe(const struct sandbox_layers *layers, char out[SANDBOX_TEXT_SIZE])
{
    static const char *const words[] = {"no", "yes"};

    snprintf(out, SANDBOX_TEXT_SIZE, "user=%s root=%s network=%s landlock=%u seccomp=%s",
             words[layers->user], words[layers->root], words[layers->network], layers->landlock,
             words[layers->seccomp]);
}

static bool socket_option(int fd, int option, int *value)
{
    socklen_t n = sizeof(*value);

    return getsockopt(fd, SOL_SOCKET, option, value, &n) == 0;
}

bool is_connected_stream(int fd)
{
    struct sockaddr_storage peer;
    socklen_t n = sizeof(peer);
    int type, listens;

    return socket_option(fd, SO_TYPE, &type) && type == SOCK_STREAM &&
           socket_option(fd, SO_ACCEPTCONN, &listens) && !listens &&
           getpeername(fd, (struct sockaddr *)&peer, &n) == 0;
}
