/* Is the write-ahead log whole? RocksDB itself looks at that when it opens a store, but only in a mode in which one
 * damaged table keeps all of it shut. Here it is asked beforehand, of a store that is about to be opened in the other
 * mode, where a damaged record of the log would be passed over and later ones taken: a commit would be lost and its
 * successors kept.
 *
 * A log is blocks of 32 KiB. A record has a checksum, a length and a type before it (db/log_format.h), and does not cross
 * a block; what is longer is several records. The end of the last one may be torn: that is how a crash looks, and nothing
 * comes after it. */
#include "vault/engine/rocksdb_impl.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "vault/engine/crc32c.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BLOCK ((size_t)32768)
#define SHORT_HEADER 7 /* checksum, length, type */
#define LONG_HEADER 11 /* and the log's number: types from 5 on, of a file that was used before */
#define LAST_TYPE 9
#define MOST_LOGS 1000

/* Of a block of n bytes, from *at on. False: none stands there. */
static bool is_record(const unsigned char *block, size_t n, size_t *at)
{
    const unsigned char *r = block + *at;
    size_t length, header;
    uint32_t crc;

    if (n - *at < SHORT_HEADER)
        return false;
    length = (size_t)r[4] | (size_t)r[5] << 8;
    header = r[6] >= 5 && r[6] <= 8 ? LONG_HEADER : SHORT_HEADER;
    if (r[6] == 0 || r[6] > LAST_TYPE || header + length > n - *at)
        return false;
    crc = crc32c_extend(0, (const char *)r + 6, header - 6 + length);
    *at += header + length;
    return u32_at(r) == crc32c_masked(crc);
}

/* True: a record came after one that was none. */
static bool passes_over(int fd, bool *broken)
{
    unsigned char *block = must_alloc(BLOCK);
    bool passed = false;
    ssize_t n;

    while (!passed && (n = read(fd, block, BLOCK)) > 0) {
        size_t at = 0;

        while (!passed && is_record(block, (size_t)n, &at))
            passed = *broken;
        *broken |=
            at + SHORT_HEADER <= (size_t)n; /* fewer bytes at a block's end are filled with nothing */
    }
    free(block);
    return passed;
}

static int by_number(const void *a, const void *b)
{
    unsigned long x = *(const unsigned long *)a, y = *(const unsigned long *)b;

    return x < y ? -1 : x > y;
}

static size_t list_logs(const struct rocks *r, unsigned long *numbers)
{
    int fd = openat(r->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    size_t n = 0;

    if (!dir) {
        close_fd(&fd);
        return 0;
    }
    while ((entry = readdir(dir)) && n < MOST_LOGS)
        if (str_ends_nocase(str_from_c(entry->d_name), S(".log")))
            numbers[n++] = strtoul(entry->d_name, NULL, 10);
    closedir(dir);
    qsort(numbers, n, sizeof(*numbers), by_number);
    return n;
}

bool rocks_log_is_whole(const struct rocks *r)
{
    unsigned long numbers[MOST_LOGS];
    size_t n = list_logs(r, numbers);
    bool broken = false, whole = true;

    for (size_t i = 0; i < n && whole; i++) {
        char name[32];
        scoped(close_fd) int fd = -1;

        snprintf(name, sizeof(name), "%06lu.log", numbers[i]);
        fd = openat(r->dir, name, O_RDONLY | O_CLOEXEC);
        whole = fd >= 0 && !passes_over(fd, &broken);
    }
    return whole;
}
