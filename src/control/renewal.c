#include "control/renewal.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "control/layout.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err fail_path(struct cx *cx, const char *path)
{
    return fail(cx, errno == ENOSPC ? ERR_NO_SPACE : ERR_SYSTEM, "%s: %s", path, strerror(errno));
}

static int open_directory(int at, const char *name)
{
    return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* ---- directories without directories in them ---- */

/* Calls back for each file; the first failure ends it, with errno. */
static bool each_file(int directory, bool (*act)(int directory, const char *name, int to), int to)
{
    int again = dup(directory);
    DIR *d = again < 0 ? NULL : fdopendir(again);
    struct dirent *entry;
    bool ok = d != NULL;

    while (ok && (entry = readdir(d)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            ok = act(directory, entry->d_name, to);
    if (d)
        closedir(d);
    return ok;
}

static bool remove_file(int directory, const char *name, int unused)
{
    (void)unused;
    return unlinkat(directory, name, 0) == 0;
}

static bool is_there(int directory, const char *name, int unused)
{
    (void)directory;
    (void)name;
    (void)unused;
    errno = ENOTEMPTY;
    return false;
}

static bool copy_bytes(int from, int to)
{
    ssize_t n;

    while ((n = sendfile(to, from, NULL, 1 << 30)) > 0)
        ;
    return n == 0 && fsync(to) == 0;
}

/* Owner and mode come along. What is no plain file is left where it is. */
static bool copy_file(int directory, const char *name, int to)
{
    scoped(close_fd) int from = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    scoped(close_fd) int copy = -1;
    struct stat st;

    if (from < 0 || fstat(from, &st))
        return false;
    if (!S_ISREG(st.st_mode))
        return true;
    copy = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return copy >= 0 && copy_bytes(from, copy) && fchmod(copy, st.st_mode & 07777) == 0 &&
           (geteuid() != 0 || fchown(copy, st.st_uid, st.st_gid) == 0);
}

static bool copy_directory(int from_at, const char *from_name, int to_at, const char *to_name)
{
    scoped(close_fd) int from = open_directory(from_at, from_name);
    scoped(close_fd) int to = -1;
    struct stat st;

    if (from < 0 || fstat(from, &st) || mkdirat(to_at, to_name, 0700))
        return false;
    to = open_directory(to_at, to_name);
    return to >= 0 && each_file(from, copy_file, to) && fchmod(to, st.st_mode & 07777) == 0 &&
           (geteuid() != 0 || fchown(to, st.st_uid, st.st_gid) == 0) && fsync(to) == 0;
}

static void remove_directory(int at, const char *name)
{
    scoped(close_fd) int fd = open_directory(at, name);

    if (fd >= 0)
        each_file(fd, remove_file, -1);
    unlinkat(at, name, AT_REMOVEDIR);
}

/* ---- the steps ---- */

static int open_data(const struct config *config)
{
    return open_directory(AT_FDCWD, config->data_dir.p);
}

void renewal_abandon(const struct config *config)
{
    scoped(close_fd) int data = open_data(config);
    scoped(close_fd) int store = data < 0 ? -1 : open_directory(data, "store");

    if (store >= 0)
        remove_directory(store, RENEWAL_NAME);
}

enum err renewal_begin(struct cx *cx, const struct config *config, const char *directory)
{
    scoped(close_fd) int fd = -1;

    renewal_abandon(config);
    if (mkdir(directory, 0711) && errno != EEXIST)
        return fail_path(cx, directory);
    fd = open_directory(AT_FDCWD, directory);
    if (fd < 0 || !each_file(fd, is_there, -1) || fchmod(fd, 0711))
        return fail_path(cx, directory);
    return OK;
}

/* The store comes last: with it the directory is whole. */
static bool fill(int data, int store, int new)
{
    scoped(close_fd) int tls = open_directory(data, "tls"), made = open_directory(store, RENEWAL_NAME);

    if (made < 0)
        return false;
    if (tls >= 0 && !copy_directory(data, "tls", new, "tls"))
        return false;
    if (renameat(store, RENEWAL_NAME, new, "store") == 0)
        return fsync(new) == 0;
    if (errno != EXDEV || !copy_directory(store, RENEWAL_NAME, new, "store"))
        return false;
    remove_directory(store, RENEWAL_NAME);
    return fsync(new) == 0;
}

enum err renewal_finish(struct cx *cx, const struct config *config, const char *directory)
{
    scoped(close_fd) int data = open_data(config), new = open_directory(AT_FDCWD, directory);
    scoped(close_fd) int store = data < 0 ? -1 : open_directory(data, "store");

    if (data < 0 || store < 0 || new < 0 || !fill(data, store, new))
        return fail_path(cx, directory);
    return OK;
}
