/* A flipped byte in a table, where no row stands, costs nothing: whichever it is, and however it is met. */
#include "vault/engine/test_support.h"

#include "base/arena.h"
#include "base/codec.h"
#include "base/log.h"
#include "base/scoped.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROWS 4000
/* Rows of trace that were deleted as a range, which a table keeps in a block of its own. */
#define OLD 100
#define SIZE 300
#define TABLES_MOST 8
#define FOOTER 53

struct world {
    struct test_dir dir;
    struct engine *e;
    struct cx cx;
    char *bytes;
};

static const struct part part = {PART_ACCOUNT, 1}, trace = {PART_TRACE, 0};

static void open_engine(struct world *w)
{
    struct engine_options options = {.path = w->dir.path, .keep_wal_in_process = true};

    if (engine_open_rocksdb(&w->cx, &options, &w->e))
        fail_msg("%s", w->cx.cause);
}

static void close_engine(struct world *w)
{
    engine_close(w->e);
    w->e = NULL;
}

static void row_key(char key[16], size_t n)
{
    snprintf(key, 16, "r%08zu", n);
}

static enum err write_rows(struct world *w, size_t from, size_t to)
{
    struct txn *t = txn_begin(w->e, &part, 1);
    struct ticket ticket;
    enum err e;

    for (size_t n = from; n < to; n++) {
        char key[16];

        row_key(key, n);
        txn_put(t, part, str_from_c(key), (struct str){w->bytes + n % ROWS, SIZE});
        put_c(t, trace, key, "here");
    }
    e = txn_commit(&t, &w->cx, &ticket);
    return e ? e : engine_wait(w->e, &w->cx, ticket);
}

static enum err delete_old(struct world *w)
{
    struct txn *t = txn_begin(w->e, NULL, 0);
    struct ticket ticket;
    char key[16];
    enum err e;

    row_key(key, OLD);
    txn_delete_range(t, trace, STR_NONE, str_from_c(key));
    e = txn_commit(&t, &w->cx, &ticket);
    return e ? e : engine_wait(w->e, &w->cx, ticket);
}

/* In two tables and a log that is empty. */
static int world_make(void **state)
{
    struct world *w = must_alloc(sizeof(*w));

    w->cx.arena = arena_new(0);
    test_dir_make(&w->dir);
    w->bytes = must_alloc(ROWS + SIZE);
    random_bytes(w->bytes, ROWS + SIZE);
    open_engine(w);
    assert_int_equal(write_rows(w, 0, ROWS), OK);
    assert_int_equal(delete_old(w), OK);
    close_engine(w);
    open_engine(w);
    close_engine(w);
    *state = w;
    return 0;
}

static int world_end(void **state)
{
    struct world *w = *state;

    engine_close(w->e);
    test_dir_remove(&w->dir);
    arena_free(w->cx.arena);
    free(w->bytes);
    free(w);
    return 0;
}

static size_t count_got(struct world *w)
{
    scoped(view_close) struct view *v = view_open(w->e);
    size_t good = 0;

    for (size_t n = 0; n < ROWS; n += 13) {
        struct str value;
        char key[16];
        bool found;

        row_key(key, n);
        if (view_get(v, &w->cx, part, str_from_c(key), &value, &found))
            continue;
        assert_true(found && str_same(value, (struct str){w->bytes + n, SIZE}));
        good += 13;
        arena_reset(w->cx.arena);
    }
    return good < ROWS ? good : ROWS;
}

static size_t count_scanned(struct world *w, struct part of, bool backwards)
{
    scoped(view_close) struct view *v = view_open(w->e);
    struct scan *s;
    struct str key, value;
    size_t n = 0;

    assert_int_equal(view_scan(v, &w->cx, of, STR_NONE, STR_NONE, backwards, &s), OK);
    while (scan_next(s, &key, &value))
        n++;
    if (scan_error(s, &w->cx))
        n = 0;
    scan_close(&s);
    return n;
}

/* ---- the tables ---- */

struct tables {
    char paths[TABLES_MOST][600];
    size_t count;
};

static void list_tables(const struct world *w, struct tables *t)
{
    DIR *dir = opendir(w->dir.path);
    struct dirent *entry;

    t->count = 0;
    while ((entry = readdir(dir)))
        if (strstr(entry->d_name, ".sst")) {
            assert_true(t->count < TABLES_MOST);
            snprintf(t->paths[t->count++], sizeof(t->paths[0]), "%s/%s", w->dir.path, entry->d_name);
        }
    closedir(dir);
    assert_true(t->count > 0);
}

static uint8_t byte_at(int fd, uint64_t at)
{
    uint8_t byte;

    assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
    return byte;
}

static void flip(const char *path, uint64_t at)
{
    scoped(close_fd) int fd = open(path, O_RDWR | O_CLOEXEC);
    uint8_t byte = byte_at(fd, at) ^ 0x55;

    assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
}

static uint64_t number_at(int fd, uint64_t *at)
{
    uint64_t n = 0;
    uint8_t byte;

    for (int shift = 0;; shift += 7) {
        byte = byte_at(fd, (*at)++);
        n |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return n;
    }
}

/* Where the index begins, behind which no row stands; and where the file ends. */
static void find_places(const char *path, uint64_t *index, uint64_t *end)
{
    scoped(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint64_t at;
    struct stat st;

    assert_int_equal(fstat(fd, &st), 0);
    *end = (uint64_t)st.st_size;
    at = *end - FOOTER + 1;
    number_at(fd, &at);
    number_at(fd, &at);
    *index = number_at(fd, &at);
}

static void assert_nothing_lost(struct world *w, const char *path, uint64_t at)
{
    struct engine_figures f;

    if (count_got(w) != ROWS || count_scanned(w, part, false) != ROWS ||
        count_scanned(w, trace, false) != ROWS - OLD)
        fail_msg("byte %ju of %s: %s", (uintmax_t)at, path, w->cx.cause);
    engine_figures(w->e, &f);
    assert_false(f.damaged);
}

static void lose_nothing_by(struct world *w, const char *path, uint64_t at)
{
    flip(path, at);
    open_engine(w);
    assert_nothing_lost(w, path, at);
    close_engine(w);
}

/* Of each table every byte of the footer, and every seventh from the index to that. */
static void test_every_byte(void **state)
{
    struct world *w = *state;
    struct tables t;

    list_tables(w, &t);
    for (size_t i = 0; i < t.count; i++) {
        uint64_t index, end;

        find_places(t.paths[i], &index, &end);
        for (uint64_t at = index; at < end; at += at < end - FOOTER ? 7 : 1) {
            scoped(close_fd) int fd = open(t.paths[i], O_RDONLY | O_CLOEXEC);
            uint8_t was = byte_at(fd, at);

            lose_nothing_by(w, t.paths[i], at);
            if (byte_at(fd, at) != was)
                fail_msg("byte %ju of %s is as it was damaged", (uintmax_t)at, t.paths[i]);
        }
    }
}

/* A table is read without its filter, which stands before the index, and nothing is written over it. */
static void test_filter(void **state)
{
    struct world *w = *state;
    struct tables t;

    list_tables(w, &t);
    for (size_t i = 0; i < t.count; i++) {
        uint64_t index, end;

        find_places(t.paths[i], &index, &end);
        lose_nothing_by(w, t.paths[i], index - 100);
        flip(t.paths[i], index - 100);
    }
}

/* By whoever comes first: a scan from either end, or a get. */
static void test_whoever_meets_it(void **state)
{
    struct world *w = *state;
    struct tables t;

    list_tables(w, &t);
    for (int who = 0; who < 3; who++)
        for (size_t i = 0; i < t.count; i++) {
            uint64_t index, end;

            find_places(t.paths[i], &index, &end);
            open_engine(w);
            flip(t.paths[i], index + 5);
            if (who < 2)
                assert_int_equal(count_scanned(w, part, who == 1), ROWS);
            else
                assert_int_equal(count_got(w), ROWS);
            close_engine(w);
            open_engine(w);
            assert_nothing_lost(w, t.paths[i], index + 5);
            close_engine(w);
        }
}

/* A compaction that meets it has the store opened again, as with a damaged block; then nothing is left of it. */
static void test_compaction(void **state)
{
    struct world *w = *state;
    uint64_t index, end;
    struct tables t;

    list_tables(w, &t);
    for (size_t i = 0; i < t.count; i++) {
        find_places(t.paths[i], &index, &end);
        open_engine(w);
        flip(t.paths[i], index + 9);
        engine_compact(w->e, &w->cx, PART_ACCOUNT);
        engine_compact(w->e, &w->cx, PART_TRACE);
        if (write_rows(w, ROWS, ROWS + 10)) { /* the first commit after it is refused */
            engine_tend(w->e);
            assert_int_equal(write_rows(w, ROWS, ROWS + 10), OK);
        }
        assert_int_equal(engine_compact(w->e, &w->cx, PART_ACCOUNT), OK);
        assert_int_equal(engine_compact(w->e, &w->cx, PART_TRACE), OK);
        close_engine(w);
        open_engine(w);
        assert_int_equal(count_scanned(w, part, false), ROWS + 10);
        assert_int_equal(count_scanned(w, trace, false), ROWS - OLD + 10);
        close_engine(w);
        list_tables(w, &t);
    }
}

static void forget_damage(const struct world *w)
{
    char path[600];

    snprintf(path, sizeof(path), "%s/damaged", w->dir.path);
    unlink(path);
}

/* More than one wrong byte cannot be told, and nothing is written over what stands there. */
static void test_two_bytes(void **state)
{
    struct world *w = *state;
    struct tables t;

    list_tables(w, &t);
    for (size_t i = 0; i < t.count; i++) {
        uint64_t index, end;

        find_places(t.paths[i], &index, &end);
        for (uint64_t at = index; at < end - 2; at += 97) {
            flip(t.paths[i], at);
            flip(t.paths[i], at + 1);
            open_engine(w);
            count_got(w);
            count_scanned(w, trace, true);
            close_engine(w);
            flip(t.paths[i], at);
            flip(t.paths[i], at + 1);
            forget_damage(w);
        }
    }
    open_engine(w);
    assert_nothing_lost(w, t.paths[0], 0);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, world_make, world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(test_every_byte), ROW(test_filter),    ROW(test_whoever_meets_it),
        ROW(test_compaction), ROW(test_two_bytes),
    };

    log_start("rocksdb_mend_table_test", LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
