/* posthorn backup: asks the vault for a copy of its store, file by file, and writes what it answers.
 *
 * The order is what makes it safe: files under names that no older backup has, then the manifest that names them in place
 * of the old, then away with what only the old one named. Until the manifest is there the old backup is whole. */
#include "base/clock.h"
#include "base/codec.h"
#include "base/scoped.h"
#include "control/backup_read.h"
#include "control/layout.h"
#include "control/operator.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LONGEST_PEM ((size_t)1 << 20)

struct backup {
    struct operator* op;
    struct backup_dir dir;
    struct backup_set before, now;
    bool has_before;
    struct arena *call; /* for one call */
    struct progress progress;
    uint64_t id;
    uint64_t copied; /* bytes that were not there already */
    bool key_left_out;
};

static enum err pass_on(struct backup *b, enum err e, const struct cx *cx)
{
    return e ? fail(&b->op->cx, e, "%s", cx->cause) : OK;
}

/* ---- one file ---- */

/* What the vault has of it; *size: what it was told to be. */
static enum err receive(struct backup *b, struct str name, int fd, uint64_t *size, struct sum *sum)
{
    struct backup_read_request q = {.backup = b->id, .name = name};
    enum err e = OK;

    while (!e) {
        struct cx cx = {.arena = b->call};
        struct backup_read_reply r = {0};

        e = pass_on(b, vault_backup_read(&cx, &q, &r), &cx);
        if (e || !r.data.n)
            break;
        sum_feed(sum, r.data);
        e = write_whole(&b->op->cx, fd, r.data, b->dir.path);
        q.offset += r.data.n;
        if (!e)
            e = progress_add(&b->progress, &b->op->cx, r.data.n);
        arena_reset(b->call);
    }
    *size = q.offset;
    return e;
}

static struct str stored_name(struct backup *b, struct str name)
{
    scoped(buf_free) struct buf whole = buf_make(256);

    buf_printf(&whole, "store/%.*s", STR_ARG(name));
    return str_copy(b->now.arena, buf_str(&whole));
}

static enum err copy_file(struct backup *b, const struct backup_file *f, struct str stored)
{
    scoped(close_fd) int fd = -1;
    scoped(sum_free) struct sum *sum = sum_new();
    char hex[SHA256_HEX + 1];
    uint64_t size;
    enum err e = backup_dir_create(&b->op->cx, &b->dir, &fd);

    if (!e)
        e = receive(b, f->name, fd, &size, sum);
    if (e)
        return e;
    if (size != f->size)
        return fail(&b->op->cx, ERR_CHANGED, "%.*s changed while it was copied", STR_ARG(f->name));
    sum_end(sum, hex);
    e = backup_dir_keep(&b->op->cx, &b->dir, fd, hex);
    if (e)
        return e;
    b->copied += size;
    backup_set_add(&b->now, stored, size, hex);
    return OK;
}

static enum err ask_digest(struct backup *b, struct str name, char hex[SHA256_HEX + 1])
{
    struct cx cx = {.arena = b->call};
    struct backup_digest_request q = {.backup = b->id, .name = name};
    struct backup_digest_reply r = {0};
    scoped(buf_free) struct buf text = buf_make(SHA256_HEX);
    enum err e = pass_on(b, vault_backup_digest(&cx, &q, &r), &cx);

    if (e)
        return e;
    hex_encode(&text, r.sha256);
    if (text.n != SHA256_HEX)
        return fail(&b->op->cx, ERR_BAD_CALL, "the vault's answer is no SHA-256");
    memcpy(hex, text.p, SHA256_HEX);
    hex[SHA256_HEX] = '\0';
    return OK;
}

/* Is it here already, from the backup before, and still as it was written? Names and sizes alone would not tell: a store
 * that was restored gives the same ones again. */
static enum err is_here(struct backup *b, const struct backup_file *f, struct str stored, bool *here)
{
    const struct backup_line *line = b->has_before ? backup_set_find(&b->before, stored) : NULL;
    char hex[SHA256_HEX + 1];
    enum err e;

    *here = false;
    if (!line || line->size != f->size)
        return OK;
    e = ask_digest(b, f->name, hex);
    if (e || strcmp(hex, line->sha256) != 0)
        return e;
    e = backup_dir_read(&b->op->cx, &b->dir, line, -1, &b->progress);
    if (e == ERR_DAMAGED) {
        b->progress.done -= b->progress.done < f->size ? b->progress.done : f->size;
        return OK; /* then it is copied anew */
    }
    if (e)
        return e;
    backup_set_add(&b->now, stored, line->size, line->sha256);
    *here = true;
    return OK;
}

static enum err take_file(struct backup *b, const struct backup_file *f)
{
    struct str stored = stored_name(b, f->name);
    bool here;
    enum err e = is_here(b, f, stored, &here);

    if (!e && !here)
        e = copy_file(b, f, stored);
    arena_reset(b->call);
    return e;
}

/* ---- all of them ---- */

struct list {
    struct backup_file *v;
    size_t n, room;
    uint64_t bytes;
};

static void list_free(struct list *l)
{
    free(l->v);
}

static void list_add(struct list *l, struct arena *a, const struct backup_file *f)
{
    if (l->n == l->room) {
        l->room = l->room ? l->room * 2 : 1024;
        l->v = must_realloc(l->v, l->room * sizeof(*l->v));
    }
    l->v[l->n++] = (struct backup_file){.name = str_copy(a, f->name), .size = f->size};
    l->bytes += f->size;
}

static enum err ask_files(struct backup *b, struct list *l)
{
    struct backup_files_request q = {.backup = b->id};
    struct backup_files_reply r = {.more = true};
    enum err e = OK;

    while (!e && r.more) {
        struct cx cx = {.arena = b->call};

        r = (struct backup_files_reply){0};
        e = pass_on(b, vault_backup_files(&cx, &q, &r), &cx);
        for (size_t i = 0; !e && i < r.files_count; i++)
            list_add(l, b->now.arena, &r.files[i]);
        r.more = r.more && r.files_count;
        if (l->n)
            q.after = l->v[l->n - 1].name;
        arena_reset(b->call);
    }
    return e;
}

static enum err take_store(struct backup *b)
{
    scoped(list_free) struct list l = {0};
    enum err e = ask_files(b, &l);

    b->progress.total = l.bytes;
    for (size_t i = 0; !e && i < l.n; i++)
        e = take_file(b, &l.v[i]);
    progress_end(&b->progress);
    return e;
}

/* ---- what is not the vault's ---- */

static enum err keep_text(struct backup *b, struct str name, struct str text)
{
    scoped(close_fd) int fd = -1;
    scoped(sum_free) struct sum *sum = sum_new();
    char hex[SHA256_HEX + 1];
    enum err e = backup_dir_create(&b->op->cx, &b->dir, &fd);

    sum_feed(sum, text);
    sum_end(sum, hex);
    if (!e)
        e = write_whole(&b->op->cx, fd, text, b->dir.path);
    if (!e)
        e = backup_dir_keep(&b->op->cx, &b->dir, fd, hex);
    if (e)
        return e;
    b->copied += text.n;
    backup_set_add(&b->now, name, text.n, hex);
    return OK;
}

/* Of the certificate made at first start, which clients have seen. Others come from elsewhere, and are kept there. */
static enum err take_pem(struct backup *b, const char *name)
{
    scoped(buf_free) struct buf text = buf_make(LONGEST_PEM + 65536);
    const char *path = layout_path(&b->op->cx, b->op->settings.config, name);
    struct cx cx = {.arena = b->op->cx.arena};
    enum err e;

    if (access(path, F_OK) && errno == ENOENT)
        return OK;
    e = file_read(&cx, path, LONGEST_PEM, &text);
    if (e && errno == EACCES) { /* an operator who is not root */
        b->key_left_out = true;
        return OK;
    }
    return e ? pass_on(b, e, &cx) : keep_text(b, str_from_c(name), buf_str(&text));
}

static enum err take_rest(struct backup *b)
{
    enum err e = keep_text(b, S("posthorn.conf"), b->op->settings.text);

    if (!e)
        e = take_pem(b, "tls/key.pem");
    if (!e && !b->key_left_out)
        e = take_pem(b, "tls/cert.pem");
    return e;
}

/* ---- the command ---- */

static enum err begin(struct backup *b)
{
    struct backup_begin_request q = {0};
    struct backup_begin_reply r = {0};
    struct cx cx = {.arena = b->call};
    enum err e = pass_on(b, vault_backup_begin(&cx, &q, &r), &cx);

    if (e)
        return e;
    b->id = r.backup;
    b->now.time = (uint64_t)now_ms();
    b->now.store_format = r.format;
    b->now.hostname = b->op->settings.config->hostname;
    return OK;
}

static enum err end(struct backup *b, bool done)
{
    struct backup_end_request q = {
        .backup = b->id, .done = done, .time = b->now.time, .bytes = backup_set_bytes(&b->now)};
    struct backup_end_reply r = {0};
    struct cx cx = {.arena = b->call};

    return vault_backup_end(&cx, &q, &r);
}

/* The backup before: of this server, or another directory is meant. One that is damaged is written anew. */
static enum err read_before(struct backup *b)
{
    struct cx *cx = &b->op->cx;
    struct str hostname = b->op->settings.config->hostname;
    enum err e = backup_dir_manifest(cx, &b->dir, &b->before, &b->has_before);

    if (e == ERR_DAMAGED)
        return OK;
    if (!e && b->has_before && !str_same(b->before.hostname, hostname))
        return fail(cx, ERR_EXISTS,
                    "%s holds a backup of %.*s: give each server a directory of its own", b->dir.path,
                    STR_ARG(b->before.hostname));
    return e;
}

/* After a failure the manifest that is there says what stays, be it the old one or, if only its fsync failed, the new. If
 * it cannot be read, everything stays: with it somebody may still save something. */
static void tidy(struct backup *b)
{
    struct backup_set there = {.arena = b->op->cx.arena};
    struct cx cx = {.arena = b->op->cx.arena};
    bool found;

    if (!backup_dir_manifest(&cx, &b->dir, &there, &found))
        backup_dir_prune(&b->dir, &there);
    backup_set_free(&there);
}

static enum err make(struct backup *b)
{
    enum err e;

    progress_begin(&b->progress, "copying", 0); /* what the vault holds for us has to be given back */
    e = begin(b);
    if (e)
        return e;
    e = take_store(b);
    if (!e)
        e = take_rest(b);
    if (!e)
        e = backup_dir_commit(&b->op->cx, &b->dir, &b->now);
    if (e)
        tidy(b);
    else
        backup_dir_prune(&b->dir, &b->now);
    if (end(b, !e) && !e)
        fputs("posthorn: backup: it is complete, but the server could not note it for \"posthorn "
              "status\"\n",
              stderr);
    return e;
}

static void tell(struct backup *b)
{
    static const struct column columns[] = {{"directory", "backup in", TEXT},
                                            {"time", "of", TIME},
                                            {"files", "files", NUMBER},
                                            {"bytes", "bytes", SIZE},
                                            {"copied", "of them new", SIZE}};
    json_t *o =
        json_pack("{s:s,s:o,s:I,s:I,s:I,s:b}", "directory", b->dir.path, "time", json_time(b->now.time),
                  "files", (json_int_t)b->now.count, "bytes", (json_int_t)backup_set_bytes(&b->now),
                  "copied", (json_int_t)b->copied, "key_left_out", b->key_left_out);

    print_object(b->op, o, COLUMNS(columns));
    json_decref(o);
    if (b->key_left_out)
        fputs("posthorn: backup: the key of the certificate can be read by root only, and was left "
              "out\n",
              stderr);
}

/* ---- backup --verify: nothing is written, and no server asked ---- */

static void tell_verified(struct operator* op, const struct backup_set *set)
{
    static const struct column columns[] = {
        {"directory", "backup in", TEXT}, {"hostname", "of", TEXT},
        {"time", "made", TIME},           {"files", "files, all as they were written", NUMBER},
        {"bytes", "bytes", SIZE},         {"certificate", "certificate in it", FLAG}};
    json_t *o = json_pack("{s:s,s:o,s:o,s:I,s:I,s:b}", "directory", op->argv[0], "hostname",
                          json_text(set->hostname), "time", json_time(set->time), "files",
                          (json_int_t)set->count, "bytes", (json_int_t)backup_set_bytes(set),
                          "certificate", backup_set_find(set, S("tls/key.pem")) != NULL);

    print_object(op, o, COLUMNS(columns));
    json_decref(o);
}

static enum err verify(struct operator* op)
{
    struct backup_dir dir = {.fd = -1, .files = -1};
    struct backup_set set = {.arena = op->cx.arena};
    enum err e = backup_read_open(&op->cx, op->argv[0], &dir, &set);

    if (!e)
        e = backup_read_verify(&op->cx, &dir, &set);
    if (!e)
        tell_verified(op, &set);
    backup_dir_close(&dir);
    backup_set_free(&set);
    return e;
}

static enum err back_up(struct operator* op)
{
    struct backup b = {.op = op,
                       .dir = {.fd = -1, .files = -1},
                       .before = {.arena = op->cx.arena},
                       .now = {.arena = op->cx.arena},
                       .call = arena_new(0)};
    enum err e = vault_reach(op);

    if (!e)
        e = backup_dir_open(&op->cx, op->argv[0], true, &b.dir);
    if (!e)
        e = read_before(&b);
    if (!e)
        e = make(&b);
    if (!e)
        tell(&b);
    backup_dir_close(&b.dir);
    backup_set_free(&b.before);
    backup_set_free(&b.now);
    arena_free(b.call);
    return e;
}

enum err cmd_backup(struct operator* op)
{
    return operator_option(op, "--verify") ? verify(op) : back_up(op);
}
