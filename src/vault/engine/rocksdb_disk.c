/* How much disk the store takes, and how much is left. Everything by the directory's descriptor, which works in
 * a sandbox too. */
#include "vault/engine/rocksdb_impl.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define ROOM_TO_OPEN ((uint64_t)4 << 20) /* for manifest, options and the first new log */

static uint64_t blocks_of(const struct stat *st)
{
    return (uint64_t)st->st_blocks * 512;
}

/* Without the blocks that were set aside for what is still to come. */
static uint64_t length_of(const struct stat *st)
{
    return (uint64_t)st->st_size;
}

/* Of the files whose name ends so. A file that goes away meanwhile counts as nothing. */
static uint64_t sum_up(const struct rocks *r, struct str suffix,
                       uint64_t (*size_of)(const struct stat *st))
{
    int fd = openat(r->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    uint64_t bytes = 0;
    struct dirent *entry;
    struct stat st;

    if (!dir) {
        if (fd >= 0)
            close(fd);
        return 0;
    }
    while ((entry = readdir(dir)))
        if (str_ends_nocase(str_from_c(entry->d_name), suffix) &&
            fstatat(r->dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
            bytes += size_of(&st);
    closedir(dir);
    return bytes;
}

uint64_t rocks_disk_used(struct backend *b)
{
    return sum_up(rocks_of(b), STR_NONE, blocks_of);
}

uint64_t rocks_disk_free(struct backend *b)
{
    struct statvfs v;

    if (fstatvfs(rocks_of(b)->dir, &v) != 0)
        return UINT64_MAX; /* then only the writing itself can tell */
    return (uint64_t)v.f_bavail * v.f_frsize;
}

/* What the logs hold is written to table files when the store opens. */
uint64_t rocks_room_to_open(struct backend *b)
{
    return ROOM_TO_OPEN + sum_up(rocks_of(b), S(".log"), length_of);
}
