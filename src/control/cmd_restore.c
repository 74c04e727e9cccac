/* posthorn restore: a backup becomes the store of an empty data directory.
 *
 *   every check value is verified, before anything is changed
 *   DATA/restoring/ is filled, with the mark that keeps a vault from serving it
 *   it becomes DATA/store/
 *   a vault renews its counters, and takes the mark away when that is durable
 *
 * Interrupted anywhere, it leaves DATA/restoring/ or the mark; the server does not start on either, and the command begins
 * anew. The files are copied as they are: what is in them is read by the vault alone. */
#include "base/directory.h"
#include "base/scoped.h"
#include "control/backup_read.h"
#include "control/layout.h"
#include "control/operator.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define RESTORE_DONE UINT64_MAX

struct restore {
    struct operator* op;
    struct backup_dir dir;
    struct backup_set set;
    struct progress progress;
    uint32_t queue;
    int lock;
    uint64_t accounts, mailboxes, entries;
};

static const char *data_path(struct restore *r, const char *name)
{
    return layout_path(&r->op->cx, r->op->settings.config, name);
}

/* ---- before anything is changed ---- */

static enum err parse_queue(struct restore *r)
{
    static const char *const words[] = {
        [RESTORE_KEEP] = "keep", [RESTORE_HOLD] = "hold", [RESTORE_DROP] = "drop"};
    const char *word = operator_option(r->op, "--queue");

    r->queue = RESTORE_HOLD;
    if (!word)
        return OK;
    for (r->queue = RESTORE_KEEP; r->queue <= RESTORE_DROP; r->queue++)
        if (!strcmp(word, words[r->queue]))
            return OK;
    return usage_error(r->op, "--queue is keep, hold or drop");
}

static enum err check_no_server(struct restore *r)
{
    enum err e = vault_reach_running(r->op);

    if (!e)
        return fail(&r->op->cx, ERR_LOCKED,
                    "a server is running on this data directory: stop \"posthorn serve\" first");
    return e == ERR_VAULT_AWAY ? OK : e;
}

static bool is_marked(const char *store)
{
    scoped(close_fd) int fd = open(store, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    return fd >= 0 && faccessat(fd, RESTORE_MARK, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A store that is marked was never served, so nothing is lost with it; nor has anybody seen its certificate. */
static enum err check_target(struct restore *r)
{
    const char *store = data_path(r, "store"), *data = r->op->settings.config->data_dir.p;

    if (is_marked(store))
        return OK;
    if (!directory_is_empty(store))
        return fail(&r->op->cx, ERR_EXISTS,
                    "%s has a store already: set data-dir to a new directory, or move that one away",
                    data);
    if (!directory_is_empty(data_path(r, "tls")) && access(data_path(r, LAYOUT_RESTORING), F_OK))
        return fail(&r->op->cx, ERR_EXISTS,
                    "%s/tls is not empty: set data-dir to a new directory, or move it away", data);
    return OK;
}

/* ---- copying ---- */

/* What an earlier try has left. */
static void clear(struct restore *r)
{
    bool marked = is_marked(data_path(r, "store"));

    if (!marked && access(data_path(r, LAYOUT_RESTORING), F_OK))
        return;
    unlink(data_path(r, "tls/cert.pem"));
    unlink(data_path(r, "tls/key.pem"));
    if (marked)
        directory_remove(data_path(r, "store"));
    directory_remove(data_path(r, LAYOUT_RESTORING));
}

static enum err copy_to(struct restore *r, const struct backup_line *line, int directory,
                        const char *name, const struct stat *owner, mode_t mode)
{
    struct cx *cx = &r->op->cx;
    scoped(close_fd) int fd =
        openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    enum err e;

    if (fd < 0)
        return fail_path(cx, name);
    e = backup_dir_read(cx, &r->dir, line, fd, &r->progress);
    if (!e &&
        ((geteuid() == 0 && fchown(fd, owner->st_uid, owner->st_gid)) || fchmod(fd, mode) || fsync(fd)))
        e = fail_path(cx, name);
    return e;
}

static enum err put_mark(struct restore *r, int directory, const struct stat *owner)
{
    scoped(close_fd) int fd =
        openat(directory, RESTORE_MARK, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0 || (geteuid() == 0 && fchown(fd, owner->st_uid, owner->st_gid)) || fsync(fd))
        return fail_path(&r->op->cx, RESTORE_MARK);
    return OK;
}

static enum err copy_store(struct restore *r, int directory, const struct stat *owner)
{
    enum err e = put_mark(r, directory, owner);

    for (size_t i = 0; !e && i < r->set.count; i++) {
        const struct backup_line *line = &r->set.files[i];
        struct str name = line->name;

        if (take_text(&name, S("store/")))
            e = copy_to(r, line, directory, str_to_c(r->op->cx.arena, name), owner, 0600);
    }
    if (!e && ((geteuid() == 0 && fchown(directory, owner->st_uid, owner->st_gid)) || fsync(directory)))
        e = fail_path(&r->op->cx, data_path(r, LAYOUT_RESTORING));
    return e;
}

/* The text of the configuration comes to stand beside, for somebody to look at: which one is in force is not ours to say. */
static enum err copy_rest(struct restore *r, int data)
{
    static const struct {
        struct str name;
        const char *to;
        mode_t mode;
    } rows[] = {{{"tls/cert.pem", 12}, "tls/cert.pem", 0644},
                {{"tls/key.pem", 11}, "tls/key.pem", 0600},
                {{"posthorn.conf", 13}, "restored.conf", 0600}};
    struct stat owner = {.st_uid = geteuid(), .st_gid = getegid()};
    scoped(close_fd) int tls = -1;
    enum err e = OK;

    unlinkat(data, "restored.conf", 0);
    for (size_t i = 0; !e && i < sizeof(rows) / sizeof(*rows); i++) {
        const struct backup_line *line = backup_set_find(&r->set, rows[i].name);

        if (line)
            e = copy_to(r, line, data, rows[i].to, &owner, rows[i].mode);
    }
    tls = openat(data, "tls", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (!e && (tls < 0 || fsync(tls)))
        e = fail_path(&r->op->cx, data_path(r, "tls"));
    return e;
}

/* The store comes into its place last, and whole. */
static enum err copy_all(struct restore *r)
{
    struct cx *cx = &r->op->cx;
    const char *restoring = data_path(r, LAYOUT_RESTORING), *store = data_path(r, "store");
    scoped(close_fd) int data = -1, new = -1;
    struct stat owner;
    enum err e;

    data = open(r->op->settings.config->data_dir.p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (data < 0 || stat(store, &owner) || mkdir(restoring, 0700))
        return fail_path(cx, restoring);
    new = open(restoring, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (new < 0)
        return fail_path(cx, restoring);
    progress_begin(&r->progress, "copying", backup_set_bytes(&r->set));
    e = copy_store(r, new, &owner);
    if (!e)
        e = copy_rest(r, data);
    progress_end(&r->progress);
    if (!e && (rmdir(store) || rename(restoring, store) || fsync(data)))
        e = fail_path(cx, store);
    return e;
}

static enum err lock_and_copy(struct restore *r)
{
    struct cx *cx = &r->op->cx;
    const struct config *config = r->op->settings.config;
    enum err e = layout_make_data(cx, config);

    if (!e)
        e = layout_lock(cx, config, &r->lock);
    if (!e)
        clear(r);
    if (!e)
        e = layout_make(cx, config);
    if (e)
        return e;
    e = copy_all(r);
    if (e) { /* everything in tls came from here: it was empty */
        directory_remove(data_path(r, LAYOUT_RESTORING));
        unlink(data_path(r, "tls/cert.pem"));
        unlink(data_path(r, "tls/key.pem"));
        unlink(data_path(r, "restored.conf"));
    }
    return e;
}

/* ---- the vault's part ---- */

static enum err renew(struct restore *r)
{
    struct arena *arena = arena_new(0);
    struct restore_step_request q = {.queue = r->queue};
    enum err e = vault_for_restore(r->op);

    while (!e && q.after_account != RESTORE_DONE) {
        struct cx cx = {.arena = arena};
        struct restore_step_reply reply = {0};

        e = vault_restore_step(&cx, &q, &reply);
        if (e)
            e = fail(&r->op->cx, e, "%s", cx.cause);
        q.after_account = reply.next_account;
        r->accounts += reply.accounts;
        r->mailboxes += reply.mailboxes;
        r->entries += reply.entries;
        arena_reset(arena);
    }
    arena_free(arena);
    vault_leave(r->op);
    return e;
}

static void tell(struct restore *r)
{
    static const struct column columns[] = {
        {"hostname", "backup of", TEXT},
        {"time", "made", TIME},
        {"bytes", "bytes", SIZE},
        {"accounts", "accounts", NUMBER},
        {"mailboxes", "mailboxes with a new UIDVALIDITY", NUMBER},
        {"held", "queue entries held", NUMBER},
        {"dropped", "queue entries removed", NUMBER},
    };
    json_t *o =
        json_pack("{s:o,s:o,s:I,s:I,s:I,s:I,s:I,s:b}", "hostname", json_text(r->set.hostname), "time",
                  json_time(r->set.time), "bytes", (json_int_t)backup_set_bytes(&r->set), "accounts",
                  (json_int_t)r->accounts, "mailboxes", (json_int_t)r->mailboxes, "held",
                  (json_int_t)(r->queue == RESTORE_HOLD ? r->entries : 0), "dropped",
                  (json_int_t)(r->queue == RESTORE_DROP ? r->entries : 0), "certificate",
                  backup_set_find(&r->set, S("tls/key.pem")) != NULL);

    print_object(r->op, o, COLUMNS(columns));
    json_decref(o);
    if (!r->op->json && r->queue == RESTORE_HOLD && r->entries)
        puts("Mail for other servers is held, since it may have been sent after the backup: \"posthorn "
             "queue list\"\nshows it, \"posthorn queue release --all\" sends it, \"posthorn queue "
             "remove\" "
             "removes it.");
}

enum err cmd_restore(struct operator* op)
{
    struct restore r = {
        .op = op, .dir = {.fd = -1, .files = -1}, .set = {.arena = op->cx.arena}, .lock = -1};
    enum err e;

    if ((e = parse_queue(&r)) == OK && (e = check_no_server(&r)) == OK &&
        (e = check_target(&r)) == OK &&
        (e = backup_read_open(&op->cx, op->argv[0], &r.dir, &r.set)) == OK &&
        (e = backup_read_verify(&op->cx, &r.dir, &r.set)) == OK && (e = lock_and_copy(&r)) == OK)
        e = renew(&r);
    if (!e)
        tell(&r);
    close_fd(&r.lock);
    backup_dir_close(&r.dir);
    backup_set_free(&r.set);
    return e;
}
