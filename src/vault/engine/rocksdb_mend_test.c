/* A flipped byte where no row stands: in the frame of a body file (that of a table: rocksdb_mend_table_test.c); and two of
 * them in a table's footer, which are too many to be put right. */
#include "vault/engine/test_support.h"

#include "base/arena.h"
#include "base/codec.h"
#include "base/log.h"
#include "base/scoped.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BODIES 50
#define SIZE ((size_t)12 * 1024) /* more than stays beside its key */

struct world {
    struct test_dir dir;
    struct engine *e;
    struct cx cx;
    char *bytes;
};

static const struct part body = {PART_BODY, 0}, trace = {PART_TRACE, 0};

static struct part account(size_t n)
{
    return (struct part){PART_ACCOUNT, n + 1};
}

static enum err try_open(struct world *w)
{
    struct engine_options options = {.path = w->dir.path, .keep_wal_in_process = true};

    return engine_open_rocksdb(&w->cx, &options, &w->e);
}

static void open_engine(struct world *w)
{
    if (try_open(w))
        fail_msg("%s", w->cx.cause);
}

static void close_engine(struct world *w)
{
    engine_close(w->e);
    w->e = NULL;
}

/* Bodies first .. last - 1, each with a row in an account and one of trace. */
static enum err write_some(struct world *w, size_t first, size_t last)
{
    for (size_t n = first; n < last; n++) {
        struct part part = account(n);
        struct txn *t = txn_begin(w->e, &part, 1);
        struct ticket ticket;
        char key[32];
        enum err e;

        snprintf(key, sizeof(key), "p%08zu", n);
        txn_put(t, body, str_from_c(key), (struct str){w->bytes + n, SIZE});
        put_c(t, part, key, "here");
        put_c(t, trace, key, "here");
        e = txn_commit(&t, &w->cx, &ticket);
        if (!e)
            e = engine_wait(w->e, &w->cx, ticket);
        if (e)
            return e;
    }
    return OK;
}

/* What the log held is in files when a store has been opened again. */
static int world_make(void **state)
{
    struct world *w = must_alloc(sizeof(*w));

    w->cx.arena = arena_new(0);
    test_dir_make(&w->dir);
    w->bytes = must_alloc(SIZE + 2 * BODIES);
    random_bytes(w->bytes, SIZE + 2 * BODIES);
    open_engine(w);
    assert_int_equal(write_some(w, 0, BODIES), OK);
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

/* The largest, or the nth largest, that fits. */
static int open_nth_file(const struct world *w, const char *pattern, int nth)
{
    char command[600], path[300] = "";
    FILE *f;

    snprintf(command, sizeof(command), "ls -S %s/%s | sed -n %dp | tr -d '\\n'", w->dir.path, pattern,
             nth);
    f = popen(command, "re");
    if (!fgets(path, sizeof(path), f))
        path[0] = '\0';
    pclose(f);
    return open(path, O_RDWR | O_CLOEXEC);
}

/* The byte at `at`, counted from the end if it is negative. */
static void flip_in(int fd, long at)
{
    struct stat st;
    char c;

    assert_int_equal(fstat(fd, &st), 0);
    at = at < 0 ? st.st_size + at : at;
    assert_int_equal(pread(fd, &c, 1, at), 1);
    c ^= 0x55;
    assert_int_equal(pwrite(fd, &c, 1, at), 1);
}

static void flip(const struct world *w, const char *pattern, long at)
{
    scoped(close_fd) int fd = open_nth_file(w, pattern, 1);

    flip_in(fd, at);
}

/* A table's footer, and back again. */
static void spoil(int fd)
{
    flip_in(fd, -1);
    flip_in(fd, -3);
}

/* Of `part(n)`; a row is there or cannot be read, and never missing. */
static size_t count_readable(struct world *w, bool bodies)
{
    scoped(view_close) struct view *v = view_open(w->e);
    size_t good = 0;

    for (size_t n = 0; n < BODIES; n++) {
        struct str value;
        bool found = false;
        char key[32];
        enum err e;

        snprintf(key, sizeof(key), "p%08zu", n);
        e = view_get(v, &w->cx, bodies ? body : account(n), str_from_c(key), &value, &found);
        assert_true(e ? e == ERR_DAMAGED : found);
        if (!e && bodies)
            assert_true(str_same(value, (struct str){w->bytes + n, SIZE}));
        good += !e;
        arena_reset(w->cx.arena);
    }
    return good;
}

static const long frame[] = {0, 3, 4, 8, 11, 12, 13, 14, 29, -1, -4, -5, -20, -21, -24, -28, -29, -32};

/* Every byte of it, met when the store opens. */
static void test_frame_at_open(void **state)
{
    struct world *w = *state;

    for (size_t i = 0; i < sizeof(frame) / sizeof(*frame); i++) {
        flip(w, "*.blob", frame[i]);
        open_engine(w);
        if (count_readable(w, true) != BODIES)
            fail_msg("byte %ld", frame[i]);
        close_engine(w);
    }
}

/* And met by a read, before the file was opened for the first time. */
static void test_frame_while_open(void **state)
{
    struct world *w = *state;

    open_engine(w);
    flip(w, "*.blob", -7);
    assert_int_equal(count_readable(w, true), BODIES);
    assert_int_equal(write_some(w, BODIES, 2 * BODIES), OK);
}

static enum err get_body(struct world *w, size_t n)
{
    scoped(view_close) struct view *v = view_open(w->e);
    struct str value;
    bool found;
    char key[32];

    snprintf(key, sizeof(key), "p%08zu", n);
    return view_get(v, &w->cx, body, str_from_c(key), &value, &found);
}

/* A wrong byte in a body itself cannot be put right, and whoever reads it again and again takes nothing from others. */
static void test_frame_beside_a_damaged_body(void **state)
{
    struct world *w = *state;
    scoped(close_fd) int fd = -1;

    open_engine(w);
    assert_int_equal(write_some(w, BODIES, BODIES + 10), OK);
    close_engine(w);
    open_engine(w);
    close_engine(w);
    fd = open_nth_file(w, "*.blob", 2);
    flip_in(fd, 5000);
    open_engine(w);
    assert_int_equal(get_body(w, BODIES), ERR_DAMAGED);
    flip(w, "*.blob", -7);
    assert_int_equal(count_readable(w, true), BODIES);
}

/* Two wrong bytes cost that file's bodies; all else goes on. */
static void test_frame_that_cannot_be_told(void **state)
{
    struct world *w = *state;

    flip(w, "*.blob", -7);
    flip(w, "*.blob", -9);
    open_engine(w);
    assert_int_equal(count_readable(w, true), 0);
    assert_int_equal(count_readable(w, false), BODIES);
    assert_int_equal(write_some(w, BODIES, 2 * BODIES), OK);
}

/* A store that is only looked at stays as it is. */
static void test_frame_of_a_store_that_is_examined(void **state)
{
    struct world *w = *state;
    struct engine_options options = {.path = w->dir.path, .read_only = true};

    flip(w, "*.blob", -1);
    assert_int_equal(engine_open_rocksdb(&w->cx, &options, &w->e), OK);
    assert_int_equal(count_readable(w, true), 0);
}

/* A table whose footer cannot be told keeps its own rows away, and the store shut no more: that of accounts, of
 * bodies, of trace. */
static void test_table_that_cannot_be_opened(void **state)
{
    struct world *w = *state;
    size_t rows_lost = 0, bodies_lost = 0;

    for (int nth = 1; nth <= 3; nth++) {
        scoped(close_fd) int fd = open_nth_file(w, "*.sst", nth);
        struct engine_figures f;

        spoil(fd);
        open_engine(w);
        rows_lost += BODIES - count_readable(w, false);
        bodies_lost += BODIES - count_readable(w, true);
        engine_figures(w->e, &f);
        assert_true(f.damaged);
        close_engine(w);
        spoil(fd);
    }
    assert_int_equal(rows_lost, BODIES);
    assert_int_equal(bodies_lost, BODIES);
}

/* All of them at once: whatever is new is written and read, also after the next start. */
static void test_tables_that_cannot_be_opened(void **state)
{
    struct world *w = *state;

    for (int nth = 1; nth <= 3; nth++) {
        scoped(close_fd) int fd = open_nth_file(w, "*.sst", nth);

        spoil(fd);
    }
    open_engine(w);
    assert_int_equal(write_some(w, BODIES, 2 * BODIES), OK);
    close_engine(w);
    open_engine(w);
    assert_int_equal(count_readable(w, false), 0);
    assert_string_equal(view_text(w->e, &w->cx, account(BODIES), "p00000050"), "here");
}

/* Accounts are walked through whichever block is damaged; the last one holds the first rows of the next kind of part. */
static void test_accounts_beside_damaged_blocks(void **state)
{
    static const struct part directory = {PART_DIRECTORY, 0};
    struct world *w = *state;
    struct engine_options options = {.path = w->dir.path, .read_only = true};
    struct stat st;

    open_engine(w);
    commit_durably(w->e, &w->cx, directory, "D", "here");
    close_engine(w);
    open_engine(w);
    close_engine(w);
    for (int nth = 1; nth <= 5; nth++) {
        scoped(close_fd) int fd = open_nth_file(w, "*.sst", nth);

        if (fd < 0 || fstat(fd, &st))
            break;
        for (long at = 10; at < st.st_size; at += 400) {
            uint64_t id, after = 0;
            bool more = true;

            flip_in(fd, at);
            if (engine_open_rocksdb(&w->cx, &options, &w->e))
                fail_msg("%s", w->cx.cause);
            while (more) {
                scoped(view_close) struct view *v = view_open(w->e);

                if (view_next_account(v, &w->cx, after, &id, &more))
                    fail_msg("byte %ld of table %d, after %d: %s", at, nth, (int)after, w->cx.cause);
                after = id;
            }
            close_engine(w);
            flip_in(fd, at);
        }
    }
}

/* But not if the log is damaged as well: what comes behind that would be taken without what is lost. */
static void test_table_and_log(void **state)
{
    struct world *w = *state;
    scoped(close_fd) int table = -1, log = -1;
    struct stat st;

    open_engine(w);
    assert_int_equal(write_some(w, BODIES, 2 * BODIES), OK);
    close_engine(w);
    table = open_nth_file(w, "*.sst", 1);
    spoil(table);
    log = open_nth_file(w, "*.log", 1);
    assert_int_equal(fstat(log, &st), 0);
    assert_int_equal(ftruncate(log, st.st_size - 100), 0); /* a torn end is none */
    open_engine(w);
    close_engine(w);

    open_engine(w);
    assert_int_equal(write_some(w, 0, 20), OK);
    close_engine(w);
    flip(w, "*.log", 20000);
    assert_int_equal(try_open(w), ERR_DAMAGED);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, world_make, world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(test_frame_at_open),
        ROW(test_frame_while_open),
        ROW(test_frame_beside_a_damaged_body),
        ROW(test_frame_that_cannot_be_told),
        ROW(test_frame_of_a_store_that_is_examined),
        ROW(test_table_that_cannot_be_opened),
        ROW(test_tables_that_cannot_be_opened),
        ROW(test_accounts_beside_damaged_blocks),
        ROW(test_table_and_log),
    };

    log_start("rocksdb_mend_test", LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
