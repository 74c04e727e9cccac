/* Living with a damaged file until somebody repairs the store.
 *
 * A compaction that meets a block it cannot read makes RocksDB refuse all writing, and would meet it again at
 * each attempt. So the file's name is noted, here and in the file "damaged" beside it, and the store is opened
 * anew (engine_tend) without compactions for the family the file belongs to: then only the rows in the block are
 * missing, everything else is read and written, and tables pile up until the repair. A damaged body file keeps
 * bodies from being collected, and nothing else. What has been repaired, or went away by itself, is forgotten. */
#include "vault/engine/rocksdb_impl.h"

#include "base/log.h"
#include "base/scoped.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIST "damaged"

static bool is_name_char(char c)
{
    return is_alnum(c) || c == '.';
}

/* "… in /var/lib/posthorn/store/000044.sst offset 13216 size 526" */
struct str rocks_file_in(struct str cause)
{
    static const struct str suffixes[] = {{".sst", 4}, {".blob", 5}};
    size_t at;

    for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++)
        if (str_find(cause, suffixes[i], &at)) {
            struct str name = str_upto(cause, at + suffixes[i].n);
            size_t from = at;

            while (from > 0 && is_name_char(name.p[from - 1]))
                from--;
            return str_from(name, from);
        }
    return ANY_FILE;
}

static bool next_name(struct str *list, struct str *name)
{
    return take_until(list, '\n', name);
}

static bool is_listed(const struct rocks *r, struct str file)
{
    struct str list = buf_str(&r->damaged), name;

    while (next_name(&list, &name))
        if (str_same(name, file))
            return true;
    return false;
}

static void write_list(const struct rocks *r)
{
    scoped(close_fd) int fd = -1;

    if (r->damaged.n == 0) {
        unlinkat(r->dir, LIST, 0);
        return;
    }
    fd = openat(r->dir, LIST, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, r->damaged.p, r->damaged.n) != (ssize_t)r->damaged.n)
        log_line(LOG_WARNING, "store-damaged",
                 "error=\"the list of damaged files could not be written\"");
}

static void add_name(struct buf *list, struct str name)
{
    buf_add(list, name);
    buf_add_char(list, '\n');
}

void rocks_damage_note(struct rocks *r, struct str cause)
{
    struct str file = rocks_file_in(cause);
    HOLD(&r->damage_lock);

    if (is_listed(r, file))
        return;
    add_name(&r->damaged, file);
    write_list(r);
    log_line(LOG_ERROR, "store-damaged", "file=%s cause=%s", log_value(file), log_value(cause));
}

/* Those that still exist and could not be put right. */
void rocks_damage_read(struct rocks *r)
{
    struct buf kept = buf_make(DAMAGED_MOST);
    char bytes[DAMAGED_MOST];
    scoped(close_fd) int fd = openat(r->dir, LIST, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, bytes, sizeof(bytes));
    struct str list = {bytes, n > 0 ? (size_t)n : 0}, name;
    struct stat st;
    char path[64];

    while (next_name(&list, &name)) {
        snprintf(path, sizeof(path), "%.*s", STR_ARG(name));
        if (str_same(name, ANY_FILE) ||
            (fstatat(r->dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && !rocks_mend_table(r, path)))
            add_name(&kept, name);
    }
    buf_free(&r->damaged);
    r->damaged = kept;
    if (fd >= 0)
        write_list(r);
}

static bool family_holds_damage(const struct rocks *r, enum family family,
                                const rocksdb_livefiles_t *files)
{
    if (is_listed(r, ANY_FILE))
        return true;
    for (int i = 0; i < rocksdb_livefiles_count(files); i++) {
        struct str name = str_from_c(rocksdb_livefiles_name(files, i)); /* "/000044.sst" */
        const char *its = rocksdb_livefiles_column_family_name(files, i);

        if (strcmp(its, family_names[family]) == 0 && is_listed(r, str_from(name, 1)))
            return true;
    }
    return false;
}

/* The values it would have had, but for the damage. */
static void thaw(const struct rocks *r, enum family family)
{
    static const char *const keys[] = {"level0_slowdown_writes_trigger", "level0_stop_writes_trigger",
                                       "disable_auto_compactions"};
    static const char *const values[] = {"20", "36", "false"};
    char *error = NULL;

    rocksdb_set_options_cf(r->db, r->families[family], 3, keys, values, &error);
    rocksdb_free(error); /* then it stays frozen, which loses nothing */
}

void rocks_damage_thaw(struct rocks *r)
{
    const rocksdb_livefiles_t *files;

    if (!rocks_is_damaged(r))
        return;
    files = rocksdb_livefiles(r->db);
    for (enum family f = 0; f < FAMILY_COUNT; f++) {
        r->frozen[f] = family_holds_damage(r, f, files);
        if (!r->frozen[f])
            thaw(r, f);
    }
    rocksdb_livefiles_destroy(files);
}

bool rocks_is_damaged(struct rocks *r)
{
    HOLD(&r->damage_lock);
    return r->damaged.n > 0;
}
