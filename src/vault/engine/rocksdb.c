/* The engine on RocksDB.
 *
 * Three column families, one log: rows, bodies (all but small ones in blob files) and trace (dropped by range). A
 * commit is one write batch, unsynced; the flusher makes the log durable with rocksdb_flush_wal(sync). Recovery is to a
 * point in time, so what survives a crash is always a run of commits without a gap.
 *
 * At opening, RocksDB writes what it recovered from the log into table files and syncs those: so all that the
 * first view shows is durable, also what a killed process had left in the page cache only. */
#include "vault/engine/rocksdb_impl.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "vault/engine/crc32c.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- errors ---- */

static enum err kind_of_error(struct str said)
{
    static const struct {
        struct str words;
        enum err err;
    } rows[] = {
        {{"Corruption", 10}, ERR_DAMAGED},    {{"No space left", 13}, ERR_NO_SPACE},
        {{"Out of space", 12}, ERR_NO_SPACE}, {{"Disk quota", 10}, ERR_NO_SPACE},
        {{"lock ", 5}, ERR_LOCKED},
    };
    size_t at;

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (str_find(said, rows[i].words, &at))
            return rows[i].err;
    return ERR_STORE;
}

enum err rocks_error(struct cx *cx, const char *doing, char *error)
{
    enum err e;

    if (!error)
        return OK;
    e = kind_of_error(str_from_c(error));
    fail(cx, e, "%s: %s", doing, error);
    rocksdb_free(error);
    return e;
}

/* A row that cannot be read is damaged, whether RocksDB finds a wrong checksum or the disk reports an error. */
static enum err read_error(struct cx *cx, char *error)
{
    enum err e = rocks_error(cx, "reading", error);

    return e ? ERR_DAMAGED : OK;
}

/* ---- open and close ---- */

static enum err open_directory(struct rocks *r, struct cx *cx)
{
    if (mkdir(r->path, 0700) != 0 && errno != EEXIST)
        return fail(cx, errno == ENOSPC ? ERR_NO_SPACE : ERR_SYSTEM, "%s: %s", r->path,
                    strerror(errno));
    r->dir = open(r->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r->dir < 0)
        return fail(cx, ERR_SYSTEM, "%s: %s", r->path, strerror(errno));
    return OK;
}

/* The lock that RocksDB takes of a store it writes to: nobody may change it while we look. */
static enum err take_lock(struct rocks *r, struct cx *cx)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    if (faccessat(r->dir, "CURRENT", F_OK, 0))
        return fail(cx, ERR_STORE, "%s: there is no store yet", r->path);
    r->lock = openat(r->dir, "LOCK", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (r->lock >= 0 && fcntl(r->lock, F_SETLK, &whole) == 0)
        return OK;
    return fail(cx, errno == EAGAIN || errno == EACCES ? ERR_LOCKED : ERR_SYSTEM, "%s/LOCK: %s",
                r->path, strerror(errno));
}

static enum err open_to_read(struct rocks *r, struct cx *cx)
{
    char *error = NULL;
    enum err e = take_lock(r, cx);

    if (e)
        return e;
    rocks_options_make(r);
    r->db = rocksdb_open_for_read_only_column_families(
        r->db_options, r->path, FAMILY_COUNT, family_names,
        (const rocksdb_options_t *const *)r->family_options, r->families, 0, &error);
    if (!error)
        return OK;
    r->db = NULL;
    rocks_options_free(r);
    return rocks_error(cx, r->path, error);
}

/* NULL, or RocksDB's word. */
static char *open_to_write(struct rocks *r, bool tolerant)
{
    char *error = NULL;

    r->tolerant = tolerant;
    rocks_options_make(r);
    r->db = rocksdb_open_column_families(r->db_options, r->path, FAMILY_COUNT, family_names,
                                         (const rocksdb_options_t *const *)r->family_options,
                                         r->families, &error);
    if (error) {
        r->db = NULL;
        rocks_options_free(r);
    }
    return error;
}

static enum err rocks_open(struct backend *b, struct cx *cx)
{
    struct rocks *r = rocks_of(b);
    char *error = NULL;

    if (r->options.read_only)
        return open_to_read(r, cx);
    rocks_mend_at_open(r);
    rocks_damage_read(r);
    error = open_to_write(r, false);
    while (error && rocks_mend_tables(r, str_from_c(error))) {
        rocksdb_free(error);
        error = open_to_write(r, false);
    }
    if (error && strstr(error, "Corruption") && rocks_log_is_whole(r)) {
        rocks_damage_note(r, str_from_c(error));
        rocksdb_free(error);
        error = open_to_write(r, true);
    }
    if (error)
        return rocks_error(cx, r->path, error);
    rocks_damage_thaw(r);
    return OK;
}

/* Handles first: one that is left open makes the close abort. */
static void rocks_close(struct backend *b)
{
    struct rocks *r = rocks_of(b);

    if (!r->db)
        return;
    for (enum family f = 0; f < FAMILY_COUNT; f++)
        rocksdb_column_family_handle_destroy(r->families[f]);
    rocksdb_close(r->db);
    r->db = NULL;
    rocks_options_free(r);
}

static void rocks_free(struct backend *b)
{
    struct rocks *r = rocks_of(b);

    close_fd(&r->lock);
    close_fd(&r->dir);
    buf_free(&r->damaged);
    pthread_mutex_destroy(&r->damage_lock);
    free(r->path);
    free(r);
}

/* ---- writing ---- */

#define LARGE_VALUE ((size_t)4096)

static void add_row(const struct rocks *r, rocksdb_writebatch_t *batch, const struct overlay_row *row)
{
    if (row->deleted)
        rocksdb_writebatch_delete_cf(batch, family_of(r, row->key), row->key.p, row->key.n);
    else
        rocksdb_writebatch_put_cf(batch, family_of(r, row->key), row->key.p, row->key.n, row->value.p,
                                  row->value.n);
}

/* Large values last: a batch that must grow copies what it has. */
static void fill_batch(const struct rocks *r, rocksdb_writebatch_t *batch, const struct overlay *o)
{
    for (const struct overlay_range *g = overlay_ranges(o); g; g = g->next)
        rocksdb_writebatch_delete_range_cf(batch, family_of(r, g->from), g->from.p, g->from.n, g->to.p,
                                           g->to.n);
    for (int large = 0; large < 2; large++)
        for (const struct overlay_row *row = overlay_first(o); row; row = overlay_next(row))
            if ((row->value.n >= LARGE_VALUE) == large)
                add_row(r, batch, row);
}

/* Whole files of old trace go at once, without being read and written by a compaction. What is left of the range
 * at its ends has been deleted in the batch. */
static void drop_files(const struct rocks *r, const struct overlay *o)
{
    for (const struct overlay_range *g = overlay_ranges(o); g; g = g->next) {
        char *error = NULL;

        if (family_of(r, g->from) != r->families[FAMILY_TRACE])
            continue;
        rocksdb_delete_file_in_range_cf(r->db, r->families[FAMILY_TRACE], g->from.p, g->from.n, g->to.p,
                                        g->to.n, &error);
        rocksdb_free(error); /* then compaction does it */
    }
}

/* RocksDB refuses to write after one of its compactions has met a damaged block. */
static enum err write_error(struct rocks *r, struct cx *cx, const char *doing, char *error)
{
    if (error && kind_of_error(str_from_c(error)) == ERR_DAMAGED) {
        rocks_damage_note(r, str_from_c(error));
        rocks_error(cx, doing, error);
        return ERR_STORE;
    }
    return rocks_error(cx, doing, error);
}

static enum err rocks_write(struct backend *b, struct cx *cx, const struct overlay *o)
{
    struct rocks *r = rocks_of(b);
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    char *error = NULL;

    fill_batch(r, batch, o);
    rocksdb_write(r->db, r->unsynced, batch, &error);
    rocksdb_writebatch_destroy(batch);
    if (!error)
        drop_files(r, o);
    return write_error(r, cx, "writing", error);
}

static enum err rocks_flush(struct backend *b, struct cx *cx)
{
    struct rocks *r = rocks_of(b);
    char *error = NULL;

    rocksdb_flush_wal(r->db, 1, &error);
    return write_error(r, cx, "flushing the log", error);
}

/* ---- reading ---- */

static struct snapshot *rocks_snapshot_take(struct backend *b)
{
    struct snapshot *s = must_alloc(sizeof(*s));

    s->at = rocksdb_create_snapshot(rocks_of(b)->db);
    s->read = rocksdb_readoptions_create();
    rocksdb_readoptions_set_snapshot(s->read, s->at);
    return s;
}

static void rocks_snapshot_release(struct backend *b, struct snapshot *s)
{
    rocksdb_readoptions_destroy(s->read);
    rocksdb_release_snapshot(rocks_of(b)->db, s->at);
    free(s);
}

static rocksdb_pinnableslice_t *get_pinned(const struct rocks *r, const struct snapshot *s,
                                           struct str key, char **error)
{
    return rocksdb_get_pinned_cf(r->db, s ? s->read : r->newest, family_of(r, key), key.p, key.n,
                                 error);
}

static enum err rocks_get(struct backend *b, struct cx *cx, struct snapshot *s, struct str key,
                          struct str *value, bool *found)
{
    struct rocks *r = rocks_of(b);
    char *error = NULL;
    struct str bytes;
    rocksdb_pinnableslice_t *slice = get_pinned(r, s, key, &error);

    if (error && rocks_mend_after(r, str_from_c(error))) {
        rocksdb_free(error);
        error = NULL;
        slice = get_pinned(r, s, key, &error);
    }
    if (error)
        return read_error(cx, error);
    *found = slice != NULL;
    if (!slice)
        return OK;
    bytes.p = rocksdb_pinnableslice_value(slice, &bytes.n);
    *value = str_copy(cx->arena, bytes);
    rocksdb_pinnableslice_destroy(slice);
    return OK;
}

static bool rocks_damaged(struct backend *b)
{
    return rocks_is_damaged(rocks_of(b));
}

static const struct backend_ops rocks_ops = {
    .open = rocks_open,
    .close = rocks_close,
    .free = rocks_free,
    .write = rocks_write,
    .flush = rocks_flush,
    .snapshot_take = rocks_snapshot_take,
    .snapshot_release = rocks_snapshot_release,
    .get = rocks_get,
    .cursor_open = rocks_cursor_open,
    .cursor_next = rocks_cursor_next,
    .cursor_skip = rocks_cursor_skip,
    .cursor_error = rocks_cursor_error,
    .cursor_past_damage = rocks_cursor_past_damage,
    .cursor_close = rocks_cursor_close,
    .compact = rocks_compact,
    .checkpoint = rocks_checkpoint,
    .damaged = rocks_damaged,
    .disk_used = rocks_disk_used,
    .disk_free = rocks_disk_free,
    .room_to_open = rocks_room_to_open,
};

enum err engine_open_rocksdb(struct cx *cx, const struct engine_options *options, struct engine **out)
{
    struct rocks *r = must_alloc(sizeof(*r));
    enum err err;

    crc32c_start();
    r->backend.ops = &rocks_ops;
    r->options = *options;
    r->path = strdup(options->path);
    r->dir = r->lock = -1;
    r->damaged = buf_make(DAMAGED_MOST);
    pthread_mutex_init(&r->damage_lock, NULL);
    err = open_directory(r, cx);
    if (!err)
        return engine_start(cx, options, &r->backend, out);
    rocks_free(&r->backend);
    return err;
}
