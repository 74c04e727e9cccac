/* A page's last CHECK bytes are SQLite's "reserved space", which it leaves alone. It reads and writes whole pages, but for
 * the first bytes of the file, which it wants before it knows how long a page is. */
#include "vault/search/pages.h"

#include "vault/engine/crc32c.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHECK 4
#define NAME "posthorn-pages"
#define HEADER 100 /* of the file: https://www.sqlite.org/fileformat.html §1.3 */
#define LONGEST_PATH 512

struct file {
    sqlite3_file base;
    int fd;
    bool has_pages; /* the database itself, not its journal */
};

static int file_close(sqlite3_file *f)
{
    close(((struct file *)f)->fd);
    return SQLITE_OK;
}

static uint32_t check_value(const char *page, sqlite3_int64 at)
{
    uint64_t place = (uint64_t)at;

    return crc32c_extend(crc32c_extend(0, (const char *)&place, sizeof(place)), page,
                         PAGE_SIZE - CHECK);
}

static bool is_whole(const char *page, sqlite3_int64 at)
{
    uint32_t there;

    memcpy(&there, page + PAGE_SIZE - CHECK, CHECK);
    return there == check_value(page, at);
}

static int file_read(sqlite3_file *file, void *out, int n, sqlite3_int64 at)
{
    struct file *f = (struct file *)file;
    ssize_t got;

    do
        got = pread(f->fd, out, (size_t)n, at);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return SQLITE_IOERR_READ;
    if (got < n) {
        memset((char *)out + got, 0, (size_t)(n - got));
        return got && f->has_pages && n == PAGE_SIZE ? SQLITE_CORRUPT : SQLITE_IOERR_SHORT_READ;
    }
    if (!f->has_pages || at + n <= HEADER)
        return SQLITE_OK;
    return n == PAGE_SIZE && at % PAGE_SIZE == 0 && is_whole(out, at) ? SQLITE_OK : SQLITE_CORRUPT;
}

static int write_whole(int fd, const char *p, size_t n, off_t at)
{
    while (n) {
        ssize_t done = pwrite(fd, p, n, at);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return errno == ENOSPC || errno == EDQUOT ? SQLITE_FULL : SQLITE_IOERR_WRITE;
        p += done;
        n -= (size_t)done;
        at += done;
    }
    return SQLITE_OK;
}

static int file_write(sqlite3_file *file, const void *in, int n, sqlite3_int64 at)
{
    struct file *f = (struct file *)file;
    char page[PAGE_SIZE];
    uint32_t check;

    if (!f->has_pages)
        return write_whole(f->fd, in, (size_t)n, at);
    if (n != PAGE_SIZE || at % PAGE_SIZE)
        return SQLITE_IOERR_WRITE;
    memcpy(page, in, PAGE_SIZE - CHECK);
    check = check_value(page, at);
    memcpy(page + PAGE_SIZE - CHECK, &check, CHECK);
    return write_whole(f->fd, page, PAGE_SIZE, at);
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return ftruncate(((struct file *)f)->fd, size) ? SQLITE_IOERR_TRUNCATE : SQLITE_OK;
}

static int file_sync(sqlite3_file *f, int flags)
{
    (void)flags;
    return fdatasync(((struct file *)f)->fd) ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

static int file_size(sqlite3_file *f, sqlite3_int64 *size)
{
    struct stat st;

    if (fstat(((struct file *)f)->fd, &st))
        return SQLITE_IOERR_FSTAT;
    *size = st.st_size;
    return SQLITE_OK;
}

static int file_lock(sqlite3_file *f, int level)
{
    (void)f;
    (void)level;
    return SQLITE_OK;
}

static int file_check_lock(sqlite3_file *f, int *locked)
{
    (void)f;
    *locked = 0;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *f, int what, void *arg)
{
    (void)f;
    (void)what;
    (void)arg;
    return SQLITE_NOTFOUND;
}

static int file_sector(sqlite3_file *f)
{
    (void)f;
    return PAGE_SIZE;
}

static int file_characteristics(sqlite3_file *f)
{
    (void)f;
    return 0;
}

static const sqlite3_io_methods methods = {.iVersion = 1,
                                           .xClose = file_close,
                                           .xRead = file_read,
                                           .xWrite = file_write,
                                           .xTruncate = file_truncate,
                                           .xSync = file_sync,
                                           .xFileSize = file_size,
                                           .xLock = file_lock,
                                           .xUnlock = file_lock,
                                           .xCheckReservedLock = file_check_lock,
                                           .xFileControl = file_control,
                                           .xSectorSize = file_sector,
                                           .xDeviceCharacteristics = file_characteristics};

/* ---- files by name ---- */

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out)
{
    struct file *f = (struct file *)file;

    (void)vfs;
    *f = (struct file){.fd = -1, .has_pages = flags & SQLITE_OPEN_MAIN_DB};
    if (!path || !(flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_MAIN_JOURNAL)))
        return SQLITE_CANTOPEN;
    f->fd =
        open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (flags & SQLITE_OPEN_CREATE ? O_CREAT : 0), 0600);
    if (f->fd < 0)
        return errno == ENOSPC ? SQLITE_FULL : SQLITE_CANTOPEN;
    f->base.pMethods = &methods;
    if (out)
        *out = flags;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
    (void)vfs;
    (void)sync; /* if a journal comes back after a power cut, its file is as it was before, and whole */
    return unlink(path) && errno != ENOENT ? SQLITE_IOERR_DELETE : SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *path, int what, int *is)
{
    struct stat st;

    (void)vfs;
    (void)what;
    *is = !stat(path, &st) && st.st_size > 0;
    return SQLITE_OK;
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *path, int n, char *out)
{
    (void)vfs;
    return snprintf(out, (size_t)n, "%s", path) < n ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int vfs_random(sqlite3_vfs *vfs, int n, char *out)
{
    (void)vfs;
    return getrandom(out, (size_t)n, 0) == n ? n : 0;
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    return us; /* nobody is waited for */
}

static int vfs_now(sqlite3_vfs *vfs, double *day)
{
    (void)vfs;
    *day = 0;
    return SQLITE_OK;
}

static sqlite3_vfs vfs = {.iVersion = 1,
                          .szOsFile = sizeof(struct file),
                          .mxPathname = LONGEST_PATH,
                          .zName = NAME,
                          .xOpen = vfs_open,
                          .xDelete = vfs_delete,
                          .xAccess = vfs_access,
                          .xFullPathname = vfs_full_path,
                          .xRandomness = vfs_random,
                          .xSleep = vfs_sleep,
                          .xCurrentTime = vfs_now};

/* A change of a statement that is to be taken back is kept in memory, for there are no temporary files. */
static void start_sqlite(void)
{
    sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, -1);
    sqlite3_vfs_register(&vfs, 0);
}

bool pages_open(const char *path, sqlite3 **db)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int reserve = CHECK;

    pthread_once(&once, start_sqlite);
    if (!sqlite3_open_v2(path, db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                         NAME) &&
        !sqlite3_file_control(*db, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserve))
        return true;
    sqlite3_close(*db);
    *db = NULL;
    return false;
}
