/* A backup's side in the vault: a checkpoint of the store beneath its own directory, whose files the command line asks for
 * piece by piece. So whoever makes a backup needs no right over the store's files, and reads nothing but answers to calls.
 *
 * The checkpoint's files share their bytes with the store's, but those that the store gives up meanwhile stay: so a
 * checkpoint that nobody asks about any more is removed. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/directory.h"
#include "base/log.h"
#include "base/scoped.h"
#include "vault/admin/admin.h"
#include "vault/store/body.h"
#include "vault/store/store.h"
#include "vault/vault.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "backup"      /* beneath the store's directory, which is ours and where we are */
#define UNDER_WAY_MS 60000 /* since its last call: then another may take its place */
#define FORGOTTEN_MS 3600000
#define PIECE ((size_t)1 << 20)
#define LONGEST_NAME 64
#define MOST_FILES 1000 /* in one answer */

static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER; /* guards vault.backup and backup_used_ms */

/* ---- the directory ---- */

static void clear(struct vault *v)
{
    directory_remove(NAME);
    directory_remove(NAME ".tmp"); /* RocksDB's, if it was interrupted */
    v->backup = 0;
}

void backup_clear(struct vault *v, bool long_unused)
{
    HOLD(&one);

    if (long_unused && (!v->backup || monotonic_ms() - v->backup_used_ms < FORGOTTEN_MS))
        return;
    if (v->backup)
        log_line(LOG_WARNING, "backup-forgotten",
                 "cause=\"nobody has asked for its files for an hour\"");
    clear(v);
}

/* ---- beginning and end ---- */

static enum err may_begin(struct caller *c)
{
    const struct vault *v = c->vault;
    struct engine_figures f;

    if (v->backup && monotonic_ms() - v->backup_used_ms < UNDER_WAY_MS)
        return fail(&c->cx, ERR_LOCKED,
                    "another backup is under way, or was cut off less than a minute ago");
    engine_figures(v->engine, &f);
    if (f.damaged)
        return fail(&c->cx, ERR_DAMAGED,
                    "a file of the store is damaged, and a backup would be as well: see \"posthorn "
                    "check\"; the backup before is left as it is");
    return OK;
}

enum err serve_backup_begin(struct caller *c, const struct backup_begin_request *q,
                            struct backup_begin_reply *r)
{
    struct vault *v = c->vault;
    enum err e;
    HOLD(&one);

    (void)q;
    e = may_begin(c);
    if (e)
        return e;
    clear(v);
    e = engine_wait(v->engine, &c->cx, engine_newest(v->engine));
    if (!e)
        e = engine_checkpoint(v->engine, &c->cx, NAME);
    if (e) {
        clear(v);
        return e;
    }
    v->backup = fresh_id();
    v->backup_used_ms = monotonic_ms();
    *r = (struct backup_begin_reply){.backup = v->backup, .format = STORE_FORMAT};
    return OK;
}

/* Every call but the first: is it about the backup that there is? */
static enum err go_on(struct caller *c, uint64_t backup)
{
    HOLD(&one);

    if (!backup || backup != c->vault->backup)
        return fail(&c->cx, ERR_GONE, "this backup has ended, or another took its place");
    c->vault->backup_used_ms = monotonic_ms();
    return OK;
}

static enum err note_backup(struct caller *c, const struct backup_end_request *q)
{
    scoped(txn_rollback) struct txn *t =
        txn_begin(c->vault->engine, &(struct part){PART_DIRECTORY, 0}, 1);

    backup_row_put(t, NO_ACCOUNT, &(struct backup_key){0},
                   &(struct backup_row){.time = q->time, .bytes = q->bytes});
    return txn_commit(&t, &c->cx, &c->ticket);
}

enum err serve_backup_end(struct caller *c, const struct backup_end_request *q,
                          struct backup_end_reply *r)
{
    enum err e = go_on(c, q->backup);

    (void)r;
    if (e)
        return e;
    {
        HOLD(&one);
        clear(c->vault);
    }
    if (!q->done)
        return OK;
    log_line(LOG_INFO, "backup", "bytes=%" PRIu64, q->bytes);
    return note_backup(c, q);
}

/* ---- its files ---- */

static enum err fail_file(struct caller *c, struct str name)
{
    return fail(&c->cx, ERR_SYSTEM, "%.*s of the checkpoint: %s", STR_ARG(name), strerror(errno));
}

static bool is_plain_name(struct str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!is_alpha(name.p[i]) && !is_digit(name.p[i]) && name.p[i] != '.' && name.p[i] != '_' &&
            name.p[i] != '-')
            return false;
    return name.n > 0 && name.n <= LONGEST_NAME && name.p[0] != '.';
}

static enum err open_file(struct caller *c, struct str name, int *fd)
{
    scoped(close_fd) int directory = open(NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (!is_plain_name(name))
        return fail(&c->cx, ERR_BAD_CALL, "not the name of a file");
    *fd = directory < 0 ? -1
                        : openat(directory, str_to_c(c->cx.arena, name),
                                 O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    return *fd < 0 ? fail_file(c, name) : OK;
}

struct names {
    struct str *v;
    size_t n, room;
};

static int by_name(const void *a, const void *b)
{
    return str_compare(*(const struct str *)a, *(const struct str *)b);
}

static void names_free(struct names *names)
{
    free(names->v);
}

/* Those behind `after`, in order. */
static enum err names_read(struct caller *c, struct str after, struct names *out)
{
    int fd = open(NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (!d) {
        close_fd(&fd);
        return fail_file(c, S("the directory"));
    }
    while ((entry = readdir(d))) {
        struct str name = str_from_c(entry->d_name);

        if (!is_plain_name(name) || str_compare(name, after) <= 0)
            continue;
        if (out->n == out->room) {
            out->room = out->room ? out->room * 2 : 256;
            out->v = must_realloc(out->v, out->room * sizeof(*out->v));
        }
        out->v[out->n++] = str_copy(c->cx.arena, name);
    }
    closedir(d);
    if (out->n)
        qsort(out->v, out->n, sizeof(*out->v), by_name);
    return OK;
}

static enum err describe(struct caller *c, struct str name, struct backup_file *out)
{
    scoped(close_fd) int fd = -1;
    struct stat st;
    enum err e = open_file(c, name, &fd);

    if (e)
        return e;
    if (fstat(fd, &st))
        return fail_file(c, name);
    *out = (struct backup_file){.name = name, .size = (uint64_t)st.st_size};
    return OK;
}

enum err serve_backup_files(struct caller *c, const struct backup_files_request *q,
                            struct backup_files_reply *r)
{
    scoped(names_free) struct names names = {0};
    enum err e = go_on(c, q->backup);

    if (!e)
        e = names_read(c, q->after, &names);
    r->files = arena_array(c->cx.arena, struct backup_file, MOST_FILES);
    for (size_t i = 0; !e && i < names.n && i < MOST_FILES; i++)
        e = describe(c, names.v[i], &r->files[r->files_count++]);
    r->more = names.n > MOST_FILES;
    return e;
}

enum err serve_backup_read(struct caller *c, const struct backup_read_request *q,
                           struct backup_read_reply *r)
{
    scoped(close_fd) int fd = -1;
    char *piece = arena_alloc(c->cx.arena, PIECE);
    ssize_t n;
    enum err e = go_on(c, q->backup);

    if (!e)
        e = open_file(c, q->name, &fd);
    if (e)
        return e;
    n = pread(fd, piece, PIECE, (off_t)q->offset);
    if (n < 0)
        return fail_file(c, q->name);
    r->data = (struct str){piece, (size_t)n};
    return OK;
}

enum err serve_backup_digest(struct caller *c, const struct backup_digest_request *q,
                             struct backup_digest_reply *r)
{
    scoped(close_fd) int fd = -1;
    scoped(digest_free) struct digest *digest = digest_new();
    char *piece = arena_alloc(c->cx.arena, PIECE), *sha256 = arena_alloc(c->cx.arena, SHA256_SIZE);
    ssize_t n = 0;
    enum err e = go_on(c, q->backup);

    if (!e)
        e = open_file(c, q->name, &fd);
    while (!e && (n = read(fd, piece, PIECE)) > 0)
        digest_feed(digest, (struct str){piece, (size_t)n});
    if (!e && n < 0)
        e = fail_file(c, q->name);
    if (e)
        return e;
    digest_end(digest, sha256);
    r->sha256 = (struct str){sha256, SHA256_SIZE};
    return go_on(c, q->backup); /* that may have taken a while */
}
