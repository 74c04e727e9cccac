#include "control/backup_dir.h"

#include "base/scoped.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANIFEST "manifest"
#define NEW_MANIFEST "manifest.new"
#define FILES "files"
#define INCOMING "incoming"
#define PIECE ((size_t)1 << 20)
#define LONGEST_MANIFEST ((size_t)256 << 20)

enum err fail_path(struct cx *cx, const char *path)
{
    return fail(cx, errno == ENOSPC || errno == EDQUOT ? ERR_NO_SPACE : ERR_SYSTEM, "%s: %s", path,
                strerror(errno));
}

enum err write_whole(struct cx *cx, int fd, struct str bytes, const char *path)
{
    while (bytes.n) {
        ssize_t n = write(fd, bytes.p, bytes.n);

        if (n < 0 && errno != EINTR)
            return fail_path(cx, path);
        if (n > 0)
            bytes = str_from(bytes, (size_t)n);
    }
    return OK;
}

/* ---- the directory ---- */

static enum err check_strangers(struct cx *cx, const struct backup_dir *d)
{
    int again = openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = again < 0 ? NULL : fdopendir(again);
    struct dirent *entry;
    enum err e = OK;

    if (!dir)
        return fail_path(cx, d->path);
    while (!e && (entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            strcmp(entry->d_name, MANIFEST) != 0 && strcmp(entry->d_name, NEW_MANIFEST) != 0 &&
            strcmp(entry->d_name, FILES) != 0)
            e = fail(cx, ERR_EXISTS,
                     "%s holds other files (%s): give the backup a directory of its own", d->path,
                     entry->d_name);
    closedir(dir);
    return e;
}

/* One writes, or some read. Where the file system has no locks, it is up to the operator. */
static enum err lock(struct cx *cx, const struct backup_dir *d, bool to_write)
{
    if (flock(d->fd, (to_write ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return OK;
    return fail(cx, ERR_LOCKED, "%s: another backup or restore is using it", d->path);
}

enum err backup_dir_open(struct cx *cx, const char *path, bool make, struct backup_dir *out)
{
    struct backup_dir d = {.path = path, .fd = -1, .files = -1};
    enum err e = OK;

    if (make && mkdir(path, 0700) && errno != EEXIST)
        return fail_path(cx, path);
    d.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d.fd < 0)
        return fail_path(cx, path);
    e = lock(cx, &d, make);
    if (!e && make)
        e = check_strangers(cx, &d);
    if (!e && make && mkdirat(d.fd, FILES, 0700) && errno != EEXIST)
        e = fail_path(cx, path);
    if (!e)
        d.files = openat(d.fd, FILES, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (!e && d.files < 0 && (make || errno != ENOENT))
        e = fail_path(cx, path);
    if (e)
        backup_dir_close(&d);
    else
        *out = d;
    return e;
}

void backup_dir_close(struct backup_dir *d)
{
    if (d->fd >= 0)
        close(d->fd);
    if (d->files >= 0)
        close(d->files);
    d->fd = d->files = -1;
}

/* ---- the manifest ---- */

static enum err read_all(struct cx *cx, int fd, const char *path, struct buf *out)
{
    ssize_t n = -1;
    char *to;

    while ((to = buf_reserve(out, PIECE)) && (n = read(fd, to, PIECE)) > 0)
        buf_grew(out, (size_t)n);
    if (!to)
        return fail(cx, ERR_LIMIT, "%s: the manifest is too long", path);
    return n < 0 ? fail_path(cx, path) : OK;
}

enum err backup_dir_manifest(struct cx *cx, const struct backup_dir *d, struct backup_set *out,
                             bool *found)
{
    scoped(close_fd) int fd = openat(d->fd, MANIFEST, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    scoped(buf_free) struct buf text = buf_make(LONGEST_MANIFEST + PIECE);
    struct cx inner = {.arena = cx->arena};
    enum err e;

    *found = false;
    if (fd < 0)
        return errno == ENOENT ? OK : fail_path(cx, d->path);
    e = read_all(cx, fd, d->path, &text);
    if (e)
        return e;
    e = backup_set_parse(&inner, buf_str(&text), out);
    *found = !e;
    return e ? fail(cx, e, "%s: %s", d->path, inner.cause) : OK;
}

/* The directory itself may be new. One who may not read the one above it cannot do more. */
static bool sync_above(const struct backup_dir *d)
{
    scoped(close_fd) int above = openat(d->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return above < 0 || fsync(above) == 0;
}

enum err backup_dir_commit(struct cx *cx, const struct backup_dir *d, const struct backup_set *s)
{
    scoped(close_fd) int fd =
        openat(d->fd, NEW_MANIFEST, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    scoped(buf_free) struct buf text = buf_make(LONGEST_MANIFEST);
    enum err e = OK;

    backup_set_write(s, &text);
    if (text.full)
        return fail(cx, ERR_LIMIT, "%s: the manifest is too long", d->path);
    if (fd < 0)
        return fail_path(cx, d->path);
    e = write_whole(cx, fd, buf_str(&text), d->path);
    if (!e && (fsync(fd) || fsync(d->files) || renameat(d->fd, NEW_MANIFEST, d->fd, MANIFEST) ||
               fsync(d->fd) || !sync_above(d)))
        e = fail_path(cx, d->path);
    if (e)
        unlinkat(d->fd, NEW_MANIFEST, 0);
    return e;
}

/* ---- files ---- */

static enum err fail_file(struct cx *cx, const struct backup_dir *d, const struct backup_line *line,
                          const char *why)
{
    return fail(cx, ERR_DAMAGED, "%s/" FILES "/%s (%.*s) %s: the backup is damaged", d->path,
                line->sha256, STR_ARG(line->name), why);
}

/* No further than `most`: a file that grows, or has no end, is not as it was written. */
static enum err copy_through(struct cx *cx, int from, int to, char *piece, struct sum *sum,
                             uint64_t most, uint64_t *size, struct progress *p)
{
    ssize_t n = 0;
    enum err e = OK;

    while (!e && (n = read(from, piece, PIECE)) > 0) {
        struct str bytes = {piece, (size_t)n};

        *size += bytes.n;
        if (*size > most)
            break;
        sum_feed(sum, bytes);
        if (to >= 0)
            e = write_whole(cx, to, bytes, "the data directory");
        if (!e)
            e = progress_add(p, cx, bytes.n);
    }
    return !e && n < 0 ? ERR_DAMAGED : e;
}

enum err backup_dir_read(struct cx *cx, const struct backup_dir *d, const struct backup_line *line,
                         int to, struct progress *p)
{
    scoped(close_fd) int from =
        d->files < 0 ? -1
                     : openat(d->files, line->sha256, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    scoped(sum_free) struct sum *sum = sum_new();
    char hex[SHA256_HEX + 1], *piece;
    uint64_t size = 0;
    enum err e;

    if (from < 0)
        return fail_file(cx, d, line, errno == ENOENT ? "is missing" : strerror(errno));
    piece = must_alloc(PIECE);
    e = copy_through(cx, from, to, piece, sum, line->size, &size, p);
    free(piece);
    if (e == ERR_DAMAGED)
        return fail_file(cx, d, line, "cannot be read");
    if (e)
        return e;
    sum_end(sum, hex);
    if (size != line->size || strcmp(hex, line->sha256) != 0)
        return fail_file(cx, d, line, "is not as it was written");
    return OK;
}

enum err backup_dir_create(struct cx *cx, const struct backup_dir *d, int *fd)
{
    unlinkat(d->files, INCOMING, 0);
    *fd = openat(d->files, INCOMING, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return *fd < 0 ? fail_path(cx, d->path) : OK;
}

enum err backup_dir_keep(struct cx *cx, const struct backup_dir *d, int fd, const char *sha256)
{
    if (fsync(fd) || renameat(d->files, INCOMING, d->files, sha256))
        return fail_path(cx, d->path);
    return OK;
}

/* ---- what goes ---- */

static int by_sum(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Whatever else somebody keeps there is not ours to remove. */
static bool is_our_name(const char *name)
{
    return !strcmp(name, INCOMING) ||
           (strlen(name) == SHA256_HEX && strspn(name, "0123456789abcdef") == SHA256_HEX);
}

void backup_dir_prune(const struct backup_dir *d, const struct backup_set *s)
{
    int again = openat(d->files, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = again < 0 ? NULL : fdopendir(again);
    const char **kept = must_alloc((s->count + 1) * sizeof(*kept));
    struct dirent *entry;

    for (size_t i = 0; i < s->count; i++)
        kept[i] = s->files[i].sha256;
    qsort(kept, s->count, sizeof(*kept), by_sum);
    while (dir && (entry = readdir(dir))) {
        const char *name = entry->d_name;

        if (is_our_name(name) && !bsearch(&name, kept, s->count, sizeof(*kept), by_sum))
            unlinkat(d->files, name, 0);
    }
    if (dir)
        closedir(dir);
    free(kept);
}
