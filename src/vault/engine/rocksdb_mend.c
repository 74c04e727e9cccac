/* What a flipped byte would cost that no row stands in: in a body file here, in a table in rocksdb_mend_table.c.
 *
 * A body file has a frame: 30 bytes in front and 32 at its end, which RocksDB reads before anything else in it, so that
 * one wrong byte there takes all the file's mail away. What the frame has to say is known, but for a number that a
 * checksum stands behind: a frame with one wrong byte can be told, and put right. One with more is left as it is.
 *
 * An open store writes to files that have no end yet; those bytes are nothing like one. */
#include "vault/engine/rocksdb_impl.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/scoped.h"
#include "vault/engine/crc32c.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Little-endian, as in RocksDB's db/blob/blob_log_format.h. */
#define MAGIC 2395959
#define HEADER 30      /* magic, version, family, flags, compression, two times */
#define FOOTER 32      /* magic, how many bodies, two times, checksum of what stands before it */
#define AGAIN_MS 60000 /* after a try that looked at every file */
#define BODY_FAMILY_ID FAMILY_BODY /* families were made in their order */

static void put_u32(unsigned char *at, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(v >> 8 * i);
}

static size_t count_differences(const unsigned char *a, const unsigned char *b, size_t n)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++)
        count += a[i] != b[i];
    return count;
}

/* True: it has one wrong byte, and *right is what it was. */
static bool mend_header(const unsigned char *found, unsigned char *right)
{
    memset(right, 0, HEADER);
    put_u32(right, MAGIC);
    put_u32(right + 4, 1);
    put_u32(right + 8, BODY_FAMILY_ID);
    right[13] = rocksdb_lz4_compression;
    return count_differences(found, right, HEADER) == 1;
}

static bool is_footer(const unsigned char *f)
{
    static const unsigned char no_times[16];
    uint32_t crc = crc32c_extend(0, (const char *)f, FOOTER - 4);

    return u32_at(f) == MAGIC && memcmp(f + 12, no_times, sizeof(no_times)) == 0 &&
           u32_at(f + FOOTER - 4) == crc32c_masked(crc);
}

static bool mend_footer(const unsigned char *found, unsigned char *right)
{
    memcpy(right, found, FOOTER);
    if (is_footer(found))
        return false;
    for (size_t i = 0; i < FOOTER; i++) {
        for (unsigned v = 0; v < 256; v++) {
            right[i] = (unsigned char)v;
            if (is_footer(right))
                return true;
        }
        right[i] = found[i];
    }
    return false;
}

static bool mend_part(int fd, const char *name, off_t at, size_t n,
                      bool (*mend)(const unsigned char *found, unsigned char *right))
{
    unsigned char found[FOOTER], right[FOOTER];

    if (pread(fd, found, n, at) != (ssize_t)n || !mend(found, right) ||
        pwrite(fd, right, n, at) != (ssize_t)n || fdatasync(fd))
        return false;
    log_line(LOG_WARNING, "store-mended", "file=%s offset=%lld cause=\"one byte of it was wrong\"",
             name, (long long)at);
    return true;
}

static bool mend_file(const struct rocks *r, const char *name)
{
    scoped(close_fd) int fd = openat(r->dir, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    bool mended;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) || st.st_size < HEADER + FOOTER)
        return false;
    mended = mend_part(fd, name, 0, HEADER, mend_header);
    return mend_part(fd, name, st.st_size - FOOTER, FOOTER, mend_footer) || mended;
}

/* True: something was put right in one of them. */
static bool mend_all(const struct rocks *r, struct str suffix,
                     bool (*mend)(const struct rocks *r, const char *name))
{
    int fd = openat(r->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    bool mended = false;

    if (!dir) {
        close_fd(&fd);
        return false;
    }
    while ((entry = readdir(dir)))
        if (str_ends_nocase(str_from_c(entry->d_name), suffix) && mend(r, entry->d_name))
            mended = true;
    closedir(dir);
    return mended;
}

void rocks_mend_at_open(const struct rocks *r)
{
    mend_all(r, S(".blob"), mend_file);
    mend_all(r, S(".sst"), rocks_mend_footer);
}

static bool is_about_a_frame(struct str cause)
{
    static const struct str words[] = {{"blob log header", 15},
                                       {"blob log footer", 15},
                                       {"Column family ID mismatch", 25},
                                       {"TTL blob file", 13},
                                       {"ompression type mismatch", 24}};
    size_t at;

    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (str_find(cause, words[i], &at))
            return true;
    return false;
}

/* "Blob CRC mismatch" and the like: in a body file, but not in its frame. Nothing can be done about that, and whoever reads
 * it again and again must not take the turn of what can be mended. */
static bool is_about_a_body(struct str cause)
{
    size_t at;

    return !is_about_a_frame(cause) && str_find(cause, S("lob"), &at);
}

static bool is_corruption(struct str cause)
{
    size_t at;

    return str_find(cause, S("Corruption"), &at);
}

bool rocks_mend_tables(const struct rocks *r, struct str cause)
{
    struct str file = rocks_file_in(cause);
    char name[64];

    if (!is_corruption(cause))
        return false;
    if (!str_ends_nocase(file, S(".sst"))) /* of properties it does not say whose they are */
        return mend_all(r, S(".sst"), rocks_mend_table);
    snprintf(name, sizeof(name), "%.*s", STR_ARG(file));
    return rocks_mend_table(r, name);
}

bool rocks_mend_after(struct rocks *r, struct str cause)
{
    int64_t now = monotonic_ms();

    if (r->options.read_only)
        return false;
    if (str_ends_nocase(rocks_file_in(cause), S(".sst"))) {
        rocks_mend_tables(r, cause);
        return true; /* somebody else may have put it right since */
    }
    if (!is_corruption(cause) || is_about_a_body(cause) || now < atomic_load(&r->next_mend))
        return false;
    atomic_store(&r->next_mend, now + AGAIN_MS);
    if (is_about_a_frame(cause))
        mend_all(r, S(".blob"), mend_file);
    else
        rocks_mend_tables(r, cause);
    return true;
}
