/* SIGKILL under load: a second process writes and says what was acknowledged, is killed in the middle of it, and
 * the store it left is read. Once with the page cache surviving, as it does, and with the log kept in the process
 * (keep_wal_in_process), where what was not flushed dies. And without the flush, to see that the test can fail.
 *
 * Here it is this very program, started with arguments: engine_crash_test DIR keep|leave flush|skip */
#include "vault/engine/test_support.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/scoped.h"

#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define WRITERS 4
#define ROUNDS 6
#define ACKNOWLEDGED 100 /* so many answers, and a few more each round, before the kill */

struct answer { /* through a pipe, in one piece each */
    uint32_t writer, n;
};

/* ---- the process that is killed ---- */

struct writer {
    struct engine *e;
    uint32_t number, last;
};

static struct part part_of(uint32_t writer)
{
    return (struct part){PART_ACCOUNT, 1 + writer};
}

static void *write_for_ever(void *arg)
{
    struct writer *w = arg;
    struct cx cx = {.arena = arena_new(0)};

    for (uint32_t n = w->last + 1;; n++) {
        struct part part = part_of(w->number);
        struct txn *t = txn_begin(w->e, &part, 1);
        char text[16];
        struct ticket ticket;

        snprintf(text, sizeof(text), "%08u", n);
        put_c(t, part, text, text);
        put_c(t, part, "last", text);
        txn_put(t, (struct part){PART_BODY, 0}, (struct str){text, 8}, S("a body"));
        if (txn_commit(&t, &cx, &ticket) || engine_wait(w->e, &cx, ticket) ||
            write(STDOUT_FILENO, &(struct answer){w->number, n}, sizeof(struct answer)) !=
                sizeof(struct answer))
            abort();
        arena_reset(cx.arena);
    }
    return NULL;
}

static uint32_t last_of(struct engine *e, struct cx *cx, uint32_t writer)
{
    const char *text = view_text(e, cx, part_of(writer), "last");

    return strcmp(text, "-") == 0 ? 0 : (uint32_t)strtoul(text, NULL, 10);
}

static int be_killed(char **argv)
{
    struct engine_options options = {.path = argv[1],
                                     .keep_wal_in_process = strcmp(argv[2], "keep") == 0,
                                     .skip_flush = strcmp(argv[3], "skip") == 0};
    struct cx cx = {.arena = arena_new(0)};
    struct writer writers[WRITERS];
    pthread_t thread;
    struct engine *e;

    if (engine_open_rocksdb(&cx, &options, &e))
        return 1;
    for (uint32_t i = 0; i < WRITERS; i++)
        writers[i] = (struct writer){e, i, last_of(e, &cx, i)};
    for (uint32_t i = 1; i < WRITERS; i++)
        pthread_create(&thread, NULL, write_for_ever, &writers[i]);
    write_for_ever(&writers[0]);
    return 0;
}

/* ---- the test ---- */

struct world {
    struct test_dir dir;
    uint32_t acknowledged[WRITERS];
};

static pid_t start(struct world *w, char *keep, char *flush, int *from_child)
{
    char name[] = "engine_crash_test";
    char *argv[] = {name, w->dir.path, keep, flush, NULL};
    posix_spawn_file_actions_t actions;
    int fds[2];
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, fds[0]);
    posix_spawn_file_actions_addclose(&actions, fds[1]);
    assert_int_equal(posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(fds[1]);
    *from_child = fds[0];
    return pid;
}

/* Kills it after `count` answers; what it could still say counts as well. */
static void run_and_kill(struct world *w, bool keep, bool skip, int count)
{
    int from_child, status;
    char wal[] = "leave", flush[] = "flush";
    struct answer a;
    pid_t pid;

    if (keep)
        memcpy(wal, "keep", 5);
    if (skip)
        memcpy(flush, "skip", 5);
    pid = start(w, wal, flush, &from_child);

    while (read(from_child, &a, sizeof(a)) == sizeof(a)) {
        assert_int_equal(a.n, w->acknowledged[a.writer] + 1);
        w->acknowledged[a.writer] = a.n;
        if (--count == 0)
            kill(pid, SIGKILL);
    }
    close(from_child);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_true(count <= 0);
}

/* Every row up to the last, each once, with its body, and none behind. Gives the last. */
static uint32_t check_rows(struct engine *e, struct cx *cx, uint32_t writer)
{
    uint32_t last = last_of(e, cx, writer), n = 0;
    struct view *v = view_open(e);
    struct str key, value;
    struct scan *s;
    uint32_t number;

    assert_int_equal(view_scan(v, cx, part_of(writer), S("0"), S("a"), false, &s), OK);
    while (scan_next(s, &key, &value)) {
        assert_true(parse_u32(value, &number) && str_same(key, value));
        assert_int_equal(number, ++n);
        assert_string_equal(view_text(e, cx, (struct part){PART_BODY, 0}, str_to_c(cx->arena, value)),
                            "a body");
    }
    assert_int_equal(scan_error(s, cx), OK);
    assert_int_equal(n, last);
    scan_close(&s);
    view_close(&v);
    return last;
}

/* How many acknowledged rows are missing. */
static uint32_t count_missing(struct world *w)
{
    struct engine_options options = {.path = w->dir.path};
    struct cx cx = {.arena = arena_new(0)};
    struct engine *e;
    uint32_t missing = 0;

    assert_int_equal(engine_open_rocksdb(&cx, &options, &e), OK);
    for (uint32_t i = 0; i < WRITERS; i++) {
        uint32_t last = check_rows(e, &cx, i);

        missing += last < w->acknowledged[i] ? w->acknowledged[i] - last : 0;
        w->acknowledged[i] = last;
    }
    engine_close(e);
    arena_free(cx.arena);
    return missing;
}

static int world_make(void **state)
{
    struct world *w = must_alloc(sizeof(*w));

    test_dir_make(&w->dir);
    *state = w;
    return 0;
}

static int world_end(void **state)
{
    struct world *w = *state;

    test_dir_remove(&w->dir);
    free(w);
    return 0;
}

static void test_killed(void **state)
{
    for (int round = 0; round < ROUNDS; round++) {
        run_and_kill(*state, round % 2, false, ACKNOWLEDGED + 37 * round);
        assert_int_equal(count_missing(*state), 0);
    }
}

static void test_killed_without_the_flush(void **state)
{
    run_and_kill(*state, true, true, ACKNOWLEDGED);
    assert_true(count_missing(*state) > 0);
}

static void test_opened_twice(void **state)
{
    struct world *w = *state;
    struct engine_options options = {.path = w->dir.path};
    struct cx cx = {.arena = NULL};
    struct engine *e, *second;

    assert_int_equal(engine_open_rocksdb(&cx, &options, &e), OK);
    assert_int_equal(engine_open_rocksdb(&cx, &options, &second), ERR_LOCKED);
    assert_non_null(strstr(cx.cause, w->dir.path));
    engine_close(e);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_killed, world_make, world_end),
        cmocka_unit_test_setup_teardown(test_killed_without_the_flush, world_make, world_end),
        cmocka_unit_test_setup_teardown(test_opened_twice, world_make, world_end),
    };

    log_start("engine_crash_test", LOG_ERROR + 1);
    if (argc == 4)
        return be_killed(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
