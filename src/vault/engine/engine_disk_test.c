/* A disk that is full, one that is damaged, and one that should get its space back. */
#include "vault/engine/test_support.h"

#include "base/arena.h"
#include "base/codec.h"
#include "base/log.h"
#include "base/scoped.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct world {
    struct test_dir dir;
    bool mounted;
    struct engine *e;
    struct cx cx;
    char *bytes; /* BODY_SIZE of them, which do not compress */
};

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)
#define BODY_SIZE (100 * KIB)

static const struct part body = {PART_BODY, 0}, fred = {PART_ACCOUNT, 7};

static void open_engine(struct world *w, uint64_t memory)
{
    struct engine_options options = {
        .path = w->dir.path, .memory = memory, .keep_wal_in_process = true};

    if (engine_open_rocksdb(&w->cx, &options, &w->e) != OK)
        fail_msg("%s", w->cx.cause);
}

static int world_make(void **state)
{
    struct world *w = must_alloc(sizeof(*w));

    w->cx.arena = arena_new(0);
    test_dir_make(&w->dir);
    w->bytes = must_alloc(BODY_SIZE);
    random_bytes(w->bytes, BODY_SIZE);
    *state = w;
    return 0;
}

static int world_end(void **state)
{
    struct world *w = *state;

    engine_close(w->e);
    if (w->mounted)
        umount2(w->dir.path, MNT_DETACH);
    test_dir_remove(&w->dir);
    arena_free(w->cx.arena);
    free(w->bytes);
    free(w);
    return 0;
}

/* A disk of its own. Only root may; without, there is nothing to test here. */
static void mount_or_skip(struct world *w)
{
    if (mount("engine-test", w->dir.path, "tmpfs", 0, "size=160m") != 0) {
        print_message("skipped: a small tmpfs cannot be mounted (%s)\n", strerror(errno));
        skip();
    }
    w->mounted = true;
}

static void filler_path(const struct world *w, char *out, size_t size)
{
    snprintf(out, size, "%s/filler", w->dir.path);
}

/* Leaves `room` bytes, to the next page. */
static void fill_disk(const struct world *w, size_t room)
{
    scoped(close_fd) int fd = -1;
    struct statvfs v;
    char path[300];
    size_t left;

    filler_path(w, path, sizeof(path));
    fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fstatvfs(fd, &v), 0);
    left = v.f_bavail * v.f_frsize;
    if (left > room)
        assert_int_equal(posix_fallocate(fd, 0, (off_t)(left - room)), 0);
}

static void empty_disk(const struct world *w)
{
    char path[300];

    filler_path(w, path, sizeof(path));
    assert_int_equal(unlink(path), 0);
}

static void body_key(char out[16], size_t n)
{
    snprintf(out, 16, "p%08zu", n);
}

static enum err deliver(struct world *w, size_t n)
{
    struct txn *t = txn_begin(w->e, &fred, 1);
    struct ticket ticket;
    char key[16];
    enum err err;

    body_key(key, n);
    txn_put(t, body, str_from_c(key), (struct str){w->bytes, BODY_SIZE});
    put_c(t, fred, key, key);
    err = txn_commit(&t, &w->cx, &ticket);
    return err ? err : engine_wait(w->e, &w->cx, ticket);
}

static void check_bodies(struct world *w, size_t from, size_t to)
{
    scoped(view_close) struct view *v = view_open(w->e);

    assert_non_null(v);
    for (size_t n = from; n < to; n++) {
        struct str value;
        bool found = false;
        char key[16];

        body_key(key, n);
        assert_int_equal(view_get(v, &w->cx, body, str_from_c(key), &value, &found), OK);
        assert_true(found && str_same(value, (struct str){w->bytes, BODY_SIZE}));
        assert_int_equal(view_get(v, &w->cx, fred, str_from_c(key), &value, &found), OK);
        assert_true(found);
        arena_reset(w->cx.arena);
    }
}

/* ---- a full disk ---- */

static void test_full_disk(void **state)
{
    static const struct {
        size_t memory, room;
        const char *why;
    } rows[] = {
        {0, 0, "the log, at once"},
        {0, 150 * KIB, "the log, in the middle of a body"},
        {1 * MIB, 2 * MIB, "a table or body file"},
        {1 * MIB, 5 * MIB, "a table or body file, some flushes later"},
        {2 * MIB, 3 * MIB, "a body file, with a larger memtable"},
        {4 * MIB, 7 * MIB, "and a larger one"},
    };
    struct world *w = *state;
    size_t n = 0;

    mount_or_skip(w);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        enum err err = OK;
        size_t acknowledged;

        print_message("         %s\n", rows[i].why);
        open_engine(w, rows[i].memory);
        assert_int_equal(deliver(w, n++), OK);
        fill_disk(w, rows[i].room);
        while (!(err = deliver(w, n)))
            n++;
        acknowledged = n++;
        assert_true(err == ERR_STORE || err == ERR_NO_SPACE);
        assert_false(engine_is_open(w->e));
        check_bodies(w, 0, acknowledged); /* reading goes on */
        engine_tend(w->e);                /* and nothing else yet */
        empty_disk(w);
        engine_tend(w->e);
        assert_true(engine_is_open(w->e));
        check_bodies(w, 0, acknowledged);
        assert_int_equal(deliver(w, acknowledged),
                         OK); /* the one that failed may be there or not: now it is */
        check_bodies(w, 0, n);
        engine_close(w->e);
        w->e = NULL;
    }
}

static void test_full_disk_at_open(void **state)
{
    struct engine_options options;
    struct world *w = *state;
    struct engine *e;

    mount_or_skip(w);
    open_engine(w, 0);
    for (size_t n = 0; n < 20; n++)
        assert_int_equal(deliver(w, n), OK);
    engine_close(w->e);
    w->e = NULL;
    fill_disk(w, 0);
    options = (struct engine_options){.path = w->dir.path};
    assert_int_equal(engine_open_rocksdb(&w->cx, &options, &e), ERR_NO_SPACE);
    empty_disk(w);
    open_engine(w, 0);
    check_bodies(w, 0, 20);
}

static void test_room(void **state)
{
    struct world *w = *state;
    struct engine_options options;

    mount_or_skip(w);
    options = (struct engine_options){.path = w->dir.path, .disk_reserve = 32 * MIB};
    assert_int_equal(engine_open_rocksdb(&w->cx, &options, &w->e), OK);
    fill_disk(w, 31 * MIB);
    assert_false(engine_has_room(w->e));
    assert_int_equal(deliver(w, 1), OK); /* the reserve is for deleting, reading and sending */
}

/* ---- giving space back ---- */

#define BODIES 500 /* 50 MB */

static void test_shrinks(void **state)
{
    struct world *w = *state;
    struct engine_figures full, empty;
    struct ticket ticket;
    struct txn *t;

    open_engine(w, 8 * MIB);
    for (size_t n = 0; n < BODIES; n++)
        assert_int_equal(deliver(w, n), OK);
    assert_int_equal(engine_compact(w->e, &w->cx, PART_BODY), OK);
    engine_figures(w->e, &full);
    assert_true(full.disk_used > BODIES * BODY_SIZE);
    t = txn_begin(w->e, NULL, 0);
    for (size_t n = 0; n < BODIES; n++) {
        char key[16];

        body_key(key, n);
        if (n % 10)
            txn_delete(t, body, str_from_c(key));
    }
    assert_int_equal(txn_commit(&t, &w->cx, &ticket), OK);
    assert_int_equal(engine_wait(w->e, &w->cx, ticket), OK);
    assert_int_equal(engine_compact(w->e, &w->cx, PART_BODY), OK);
    engine_figures(w->e, &empty);
    print_message("         %llu MiB, then %llu MiB\n", (unsigned long long)(full.disk_used / MIB),
                  (unsigned long long)(empty.disk_used / MIB));
    /* Nine tenths of them, less an old log that may not have been removed yet. */
    assert_true(empty.disk_used + BODIES * BODY_SIZE / 2 < full.disk_used);
    for (size_t n = 0; n < BODIES; n += 10)
        check_bodies(w, n, n + 1);
}

static const struct part trace = {PART_TRACE, 0};

static void trace_rows(struct world *w, size_t from, size_t to)
{
    struct txn *t = txn_begin(w->e, NULL, 0);
    struct ticket ticket;

    for (size_t n = from; n < to; n++) {
        char key[16];

        body_key(key, n);
        txn_put(t, trace, str_from_c(key), (struct str){w->bytes + n % 1000, 4 * KIB});
    }
    assert_int_equal(txn_commit(&t, &w->cx, &ticket), OK);
    assert_int_equal(engine_wait(w->e, &w->cx, ticket), OK);
}

/* Old trace goes by whole files, without a compaction; what stands at the edge of the range goes as well. */
static void test_drops_old_trace(void **state)
{
    struct world *w = *state;
    struct engine_figures full, dropped;
    struct ticket ticket;
    struct txn *t;

    open_engine(w, 1 * MIB);
    for (size_t n = 0; n < 5000; n += 500)
        trace_rows(w, n, n + 500);
    assert_int_equal(engine_compact(w->e, &w->cx, PART_TRACE), OK);
    engine_figures(w->e, &full);
    t = txn_begin(w->e, NULL, 0);
    txn_delete_range(t, trace, STR_NONE, S("p00004998"));
    assert_int_equal(txn_commit(&t, &w->cx, &ticket), OK);
    assert_int_equal(engine_wait(w->e, &w->cx, ticket), OK);
    /* While RocksDB writes another file it removes none, and it tells nobody when it does. */
    for (int look = 0; look < 30000; look++) {
        engine_figures(w->e, &dropped);
        if (dropped.disk_used + 4 * MIB < full.disk_used)
            break;
        usleep(10000);
    }
    assert_true(dropped.disk_used + 4 * MIB < full.disk_used);
    scoped(view_close) struct view *v = view_open(w->e);
    struct str key, value;
    struct scan *s;
    assert_int_equal(view_scan(v, &w->cx, trace, STR_NONE, STR_NONE, false, &s), OK);
    assert_true(scan_next(s, &key, &value) && str_same(key, S("p00004998")));
    assert_true(scan_next(s, &key, &value) && !scan_next(s, &key, &value));
    assert_int_equal(scan_error(s, &w->cx), OK);
    scan_close(&s);
}

/* ---- damage ---- */

#define ACCOUNTS 40
#define ROWS 200

static struct part account(size_t i)
{
    return (struct part){PART_ACCOUNT, 100 + i};
}

static void fill_accounts(struct world *w)
{
    for (size_t i = 0; i < ACCOUNTS; i++) {
        struct part part = account(i);
        struct txn *t = txn_begin(w->e, &part, 1);
        struct ticket ticket;

        for (size_t n = 0; n < ROWS; n++) {
            char key[16];

            body_key(key, n);
            txn_put(t, part, str_from_c(key), (struct str){w->bytes + n, 200});
        }
        assert_int_equal(txn_commit(&t, &w->cx, &ticket), OK);
        assert_int_equal(engine_wait(w->e, &w->cx, ticket), OK);
    }
}

/* The largest file of that kind gets one other byte, in the middle. */
static void damage_file(const struct world *w, const char *suffix)
{
    char command[600], path[300] = "";
    scoped(close_fd) int fd = -1;
    struct stat st;
    FILE *f;
    char c;

    snprintf(command, sizeof(command), "ls -S %s/*%s | head -1 | tr -d '\\n'", w->dir.path, suffix);
    f = popen(command, "re");
    assert_non_null(fgets(path, sizeof(path), f));
    pclose(f);
    fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(pread(fd, &c, 1, st.st_size / 2), 1);
    c ^= 0x55;
    assert_int_equal(pwrite(fd, &c, 1, st.st_size / 2), 1);
}

static void close_engine(struct world *w)
{
    engine_close(w->e);
    w->e = NULL;
}

/* How many rows of all accounts can be read, by scans that go past what cannot. */
static size_t count_rows(struct world *w, size_t *gaps)
{
    scoped(view_close) struct view *v = view_open(w->e);
    struct str key, value;
    size_t rows = 0;

    *gaps = 0;
    for (size_t i = 0; i < ACCOUNTS; i++) {
        struct scan *s;
        uint64_t id;
        bool found;

        assert_int_equal(view_next_account(v, &w->cx, account(i).id - 1, &id, &found), OK);
        assert_true(found && id == account(i).id);
        assert_int_equal(view_scan(v, &w->cx, account(i), STR_NONE, STR_NONE, false, &s), OK);
        for (;;) {
            while (scan_next(s, &key, &value)) {
                assert_int_equal(value.n, 200);
                rows++;
            }
            if (!scan_past_damage(s))
                break;
            ++*gaps;
        }
        assert_int_equal(scan_error(s, &w->cx), OK);
        scan_close(&s);
    }
    return rows;
}

static size_t count_unreadable(struct world *w)
{
    scoped(view_close) struct view *v = view_open(w->e);
    size_t bad = 0;

    for (size_t i = 0; i < ACCOUNTS; i++)
        for (size_t n = 0; n < ROWS; n++) {
            struct str value;
            bool found = true;
            char key[16];
            enum err err;

            body_key(key, n);
            err = view_get(v, &w->cx, account(i), str_from_c(key), &value, &found);
            assert_true(found && (err == OK || err == ERR_DAMAGED));
            if (err) {
                assert_non_null(strstr(w->cx.cause, "Corruption"));
                bad++;
            }
            arena_reset(w->cx.arena);
        }
    return bad;
}

#define A_COMMIT 50

static enum err deliver_some(struct world *w, size_t from)
{
    struct part part = account(from / A_COMMIT % ACCOUNTS);
    struct txn *t = txn_begin(w->e, &part, 1);
    struct ticket ticket;
    enum err err;

    for (size_t n = from; n < from + A_COMMIT; n++) {
        char key[16];

        snprintf(key, sizeof(key), "q%08zu", n);
        txn_put(t, part, str_from_c(key), (struct str){w->bytes + n, 200});
        txn_put(t, body, str_from_c(key), (struct str){w->bytes + n, 4 * KIB});
    }
    err = txn_commit(&t, &w->cx, &ticket);
    return err ? err : engine_wait(w->e, &w->cx, ticket);
}

/* So much that memtables are written and compacted over the damage, several times. Each must be accepted in the
 * end: after a failure the store is opened again and asked once more. Gives the number of failures. */
static size_t deliver_much(struct world *w, size_t from, size_t to)
{
    size_t failures = 0;

    for (size_t n = from; n < to; n += A_COMMIT)
        while (deliver_some(w, n)) {
            assert_true(++failures < 3);
            engine_tend(w->e);
        }
    return failures;
}

static void test_damaged_table(void **state)
{
    struct world *w = *state;
    struct engine_figures f;
    size_t bad, gaps, failures;

    open_engine(w, 1 * MIB);
    fill_accounts(w);
    close_engine(w);
    open_engine(w, 1 * MIB); /* what the log held is in a table now */
    close_engine(w);
    damage_file(w, ".sst");
    open_engine(w, 1 * MIB);
    bad = count_unreadable(w);
    print_message("         %zu of %d rows lost\n", bad, ACCOUNTS * ROWS);
    assert_true(bad > 0 && bad < 100);
    assert_int_equal(count_rows(w, &gaps), ACCOUNTS * ROWS - bad);
    assert_true(gaps >= 1 &&
                gaps <= 2); /* a block may be the end of one account and the beginning of the next */
    failures = deliver_much(w, 0, 4000);
    engine_compact(w->e, &w->cx, PART_ACCOUNT); /* meets it, if no other compaction has already */
    failures += deliver_much(w, 4000, 8000);
    assert_int_equal(failures, 1); /* the first commit after that */
    engine_figures(w->e, &f);
    assert_true(f.damaged);
    assert_int_equal(engine_compact(w->e, &w->cx, PART_ACCOUNT), ERR_DAMAGED);
    assert_int_equal(count_unreadable(w), bad);
    close_engine(w);
    open_engine(w, 1 * MIB); /* which remembers it */
    assert_int_equal(deliver_much(w, 8000, 12000), 0);
    assert_int_equal(count_unreadable(w), bad);
}

/* Bodies so small that they lie in tables: a damaged block costs those that are in it, for who gets them and for who goes along
 * them, and nothing else. */
static void test_damaged_small_bodies(void **state)
{
    enum { LETTERS = 4000 };
    struct world *w = *state;
    struct str key, value;
    struct scan *s;
    size_t bad = 0, seen = 0, gaps = 0;

    open_engine(w, 1 * MIB);
    assert_int_equal(deliver_much(w, 0, LETTERS), 0);
    close_engine(w);
    open_engine(w, 1 * MIB);
    close_engine(w);
    damage_file(w, ".sst");
    open_engine(w, 1 * MIB);
    {
        scoped(view_close) struct view *v = view_open(w->e);

        for (size_t n = 0; n < LETTERS; n++) {
            char name[16];
            bool found = true;

            snprintf(name, sizeof(name), "q%08zu", n);
            bad += view_get(v, &w->cx, body, str_from_c(name), &value, &found) == ERR_DAMAGED;
            assert_true(found);
            arena_reset(w->cx.arena);
        }
        assert_true(bad > 0 && bad < 20);
        assert_int_equal(view_scan_much(v, &w->cx, body, STR_NONE, STR_NONE, &s), OK);
        for (;; gaps++) {
            for (; scan_next(s, &key, &value); seen++)
                assert_int_equal(value.n, 4 * KIB);
            if (!scan_past_damage(s))
                break;
        }
        scan_close(&s);
    }
    assert_int_equal(seen, LETTERS - bad);
    assert_int_equal(gaps, 1);
    engine_compact(w->e, &w->cx, PART_BODY); /* meets it */
    assert_true(deliver_much(w, LETTERS, 2 * LETTERS) <= 1);
}

static size_t count_unreadable_bodies(struct world *w, size_t from, size_t step)
{
    scoped(view_close) struct view *v = view_open(w->e);
    size_t bad = 0;

    for (size_t n = from; n < BODIES; n += step) {
        struct str value;
        bool found = true;
        char key[16];

        body_key(key, n);
        bad += view_get(v, &w->cx, body, str_from_c(key), &value, &found) == ERR_DAMAGED;
        assert_true(found);
        arena_reset(w->cx.arena);
    }
    return bad;
}

static void test_damaged_body_file(void **state)
{
    struct world *w = *state;
    struct ticket ticket;
    struct txn *t;

    open_engine(w, 4 * MIB);
    for (size_t n = 0; n < BODIES; n++)
        assert_int_equal(deliver(w, n), OK);
    close_engine(w);
    open_engine(w, 4 * MIB);
    close_engine(w);
    damage_file(w, ".blob");
    open_engine(w, 4 * MIB);
    assert_int_equal(count_unreadable_bodies(w, 0, 1), 1);
    t = txn_begin(w->e, NULL, 0);
    for (size_t n = 0; n < BODIES; n += 2) {
        char key[16];

        body_key(key, n);
        txn_delete(t, body, str_from_c(key));
    }
    assert_int_equal(txn_commit(&t, &w->cx, &ticket), OK);
    assert_int_equal(engine_wait(w->e, &w->cx, ticket), OK);
    engine_compact(w->e, &w->cx, PART_BODY); /* copies half of the bodies, and may meet the damage */
    assert_true(deliver_much(w, 0, 4000) <= 1);
    assert_true(count_unreadable_bodies(w, 1, 2) <= 1);
    engine_compact(w->e, &w->cx, PART_BODY);
    assert_int_equal(deliver_much(w, 4000, 8000), 0);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, world_make, world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(test_full_disk),         ROW(test_full_disk_at_open),    ROW(test_room),
        ROW(test_shrinks),           ROW(test_drops_old_trace),      ROW(test_damaged_table),
        ROW(test_damaged_body_file), ROW(test_damaged_small_bodies),
    };

    log_start("engine_disk_test", LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
