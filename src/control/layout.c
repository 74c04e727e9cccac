#include "control/layout.h"

#include "base/arena.h"
#include "base/directory.h"
#include "base/scoped.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 64

char *layout_path(struct cx *cx, const struct config *config, const char *name)
{
    size_t n = config->data_dir.n + 1 + strlen(name) + 1;
    char *path = arena_alloc(cx->arena, n);

    snprintf(path, n, "%s/%s", config->data_dir.p, name);
    return path;
}

static enum err fail_path(struct cx *cx, const char *path)
{
    return fail(cx, ERR_SYSTEM, "%s: %s", path, strerror(errno));
}

/* The directories above it as well, like mkdir -p. */
static enum err make_parents(struct cx *cx, const char *path)
{
    char *copy = str_to_c(cx->arena, str_from_c(path));

    for (char *p = copy + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (mkdir(copy, 0755) && errno != EEXIST)
            return fail_path(cx, path);
        *p = '/';
    }
    return OK;
}

/* An existing directory keeps its mode: the administrator may have narrowed it. */
static enum err make_directory(struct cx *cx, const char *path, mode_t mode)
{
    struct stat st;

    if (mkdir(path, mode) == 0)
        return chmod(path, mode) ? fail_path(cx, path) : OK; /* whatever the umask says */
    if (errno != EEXIST || stat(path, &st))
        return fail_path(cx, path);
    errno = ENOTDIR;
    return S_ISDIR(st.st_mode) ? OK : fail_path(cx, path);
}

static enum err find_user(struct cx *cx, const char *name, struct passwd *out)
{
    struct passwd *p = getpwnam(name);

    if (!p)
        return fail(
            cx, ERR_CONFIG,
            "the user %s does not exist: make it with \"adduser --system --group %s\" (make deps does)",
            name, name);
    *out = *p;
    return OK;
}

static enum err give_store_to_vault(struct cx *cx, const char *path)
{
    struct passwd vault = {0}, gate;
    struct stat st;
    enum err e;

    if (geteuid() != 0)
        return OK;
    if ((e = find_user(cx, GATE_USER, &gate)) || (e = find_user(cx, VAULT_USER, &vault)))
        return e;
    if (stat(path, &st))
        return fail_path(cx, path);
    if (st.st_uid == 0 && chown(path, vault.pw_uid, vault.pw_gid))
        return fail_path(cx, path);
    return OK;
}

enum err layout_make_data(struct cx *cx, const struct config *config)
{
    enum err e = make_parents(cx, config->data_dir.p);

    return e ? e : make_directory(cx, config->data_dir.p, 0711);
}

static enum err check_restored(struct cx *cx, const struct config *config)
{
    const char *restoring = layout_path(cx, config, LAYOUT_RESTORING);

    if (access(restoring, F_OK))
        return OK;
    return fail(cx, ERR_CONFIG,
                "a restore into %s has not finished: run \"posthorn restore DIR\" again, or remove %s",
                config->data_dir.p, restoring);
}

enum err layout_check_store(struct cx *cx, const struct config *config)
{
    enum err e = check_restored(cx, config);

    if (e || !directory_is_empty(layout_path(cx, config, "store")))
        return e;
    return fail(
        cx, ERR_NOT_FOUND,
        "there is no store in %s yet: \"posthorn domain add NAME\" makes one, \"posthorn restore DIR\" "
        "copies a backup's; or else data-dir in the configuration names another directory than it "
        "should",
        config->data_dir.p);
}

enum err layout_make(struct cx *cx, const struct config *config)
{
    const char *store = layout_path(cx, config, "store");
    enum err e;

    if ((e = check_restored(cx, config)) || (e = layout_make_data(cx, config)) ||
        (e = make_directory(cx, layout_path(cx, config, "tls"), 0711)) ||
        (e = make_directory(cx, store, 0700)))
        return e;
    return give_store_to_vault(cx, store);
}

enum err layout_lock(struct cx *cx, const struct config *config, int *fd)
{
    const char *path = layout_path(cx, config, "lock");
    scoped(close_fd) int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (lock < 0)
        return fail_path(cx, path);
    if (flock(lock, LOCK_EX | LOCK_NB)) {
        if (errno != EWOULDBLOCK)
            return fail_path(cx, path);
        return fail(cx, ERR_LOCKED, "%s: another server is running on this data directory",
                    config->data_dir.p);
    }
    *fd = lock;
    lock = -1;
    return OK;
}

bool unix_address(struct str path, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (path.n >= sizeof(out->sun_path))
        return false;
    memcpy(out->sun_path, path.p, path.n);
    return true;
}

/* Without the group it is the owner's and root's. */
static bool give_to_group(const char *path)
{
    struct group *g = getgrnam(CONTROL_GROUP);

    if (g && geteuid() == 0 && chown(path, (uid_t)-1, g->gr_gid))
        return false;
    return chmod(path, g ? 0660 : 0600) == 0;
}

static bool give_to_everybody(const char *path)
{
    return chmod(path, 0666) == 0;
}

static enum err listen_at(struct cx *cx, struct str path, bool (*give)(const char *path), int *fd)
{
    scoped(close_fd) int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un at;
    mode_t before;
    int bound;

    if (!unix_address(path, &at))
        return fail(cx, ERR_CONFIG, "%s: too long for the path of a socket", path.p);
    if (s < 0 || (unlink(path.p) && errno != ENOENT))
        return fail_path(cx, path.p);
    before = umask(0177);
    bound = bind(s, (struct sockaddr *)&at, sizeof(at));
    umask(before);
    if (bound || listen(s, BACKLOG) || !give(path.p))
        return fail_path(cx, path.p);
    *fd = s;
    s = -1;
    return OK;
}

enum err layout_control_socket(struct cx *cx, const struct config *config, int *fd)
{
    return listen_at(cx, config->control_socket, give_to_group, fd);
}

enum err layout_submit_socket(struct cx *cx, const struct config *config, int *fd)
{
    return listen_at(cx, config->submit_socket, give_to_everybody, fd);
}
