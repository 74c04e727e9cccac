/* What happens when a write or a flush fails, and what a power cut leaves: with the memory engine, which does both
 * at the step one wants. */
#include "vault/engine/test_support.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/scoped.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct world {
    struct engine *e;
    struct cx cx;
};

static const struct part fred = {PART_ACCOUNT, 7}, tom = {PART_ACCOUNT, 8};

static void open_with(struct world *w, const struct engine_options *options)
{
    assert_int_equal(engine_open_memory(&w->cx, options, &w->e), OK);
}

static int world_make(void **state)
{
    struct world *w = must_alloc(sizeof(*w));

    w->cx.arena = arena_new(0);
    open_with(w, &(struct engine_options){0});
    *state = w;
    return 0;
}

static int world_end(void **state)
{
    struct world *w = *state;

    engine_close(w->e);
    arena_free(w->cx.arena);
    free(w);
    return 0;
}

/* ---- power cuts ---- */

#define COMMITS 6

/* Row n says n; a flush after every `group` commits. How many commits were acknowledged. */
static int run_until_cut(struct world *w, int group)
{
    int acknowledged = 0;
    char text[16];

    for (int n = 1; n <= COMMITS; n++) {
        struct txn *t = txn_begin(w->e, &fred, 1);
        struct ticket ticket;

        snprintf(text, sizeof(text), "%d", n);
        put_c(t, fred, text, text);
        put_c(t, fred, "last", text);
        if (txn_commit(&t, &w->cx, &ticket) != OK)
            break;
        if (n % group == 0 && engine_wait(w->e, &w->cx, ticket) == OK)
            acknowledged = n;
    }
    return acknowledged;
}

/* All rows up to some n, none behind it, and "last" says n: the commits survived as a run without a gap. */
static int survivors(struct world *w)
{
    const char *last = view_text(w->e, &w->cx, fred, "last");
    int n = 0;
    char text[16];

    for (;; n++) {
        snprintf(text, sizeof(text), "%d", n + 1);
        if (strcmp(view_text(w->e, &w->cx, fred, text), text) != 0)
            break;
    }
    for (int i = n + 1; i <= COMMITS; i++) {
        snprintf(text, sizeof(text), "%d", i);
        assert_string_equal(view_text(w->e, &w->cx, fred, text), "-");
    }
    snprintf(text, sizeof(text), "%d", n);
    assert_string_equal(last, n ? text : "-");
    return n;
}

static void start_again(struct world *w)
{
    assert_false(engine_is_open(w->e));
    engine_tend(w->e);
    assert_true(engine_is_open(w->e));
}

static void check_cut(struct world *w, int group, int at, int keep, const char *what)
{
    int acknowledged = run_until_cut(w, group), survived;

    start_again(w);
    survived = survivors(w);
    if (survived < acknowledged || survived > at)
        fail_msg("%s %d, group %d, keep %d: %d acknowledged, %d there", what, at, group, keep,
                 acknowledged, survived);
}

static void test_power_cuts_at_each_step(void **state)
{
    struct world *w = *state;

    for (int group = 1; group <= 3; group++)
        for (int at = 1; at <= COMMITS; at++)
            for (int keep = 0; keep <= group; keep++) {
                engine_close(w->e);
                open_with(w, &(struct engine_options){0});
                memory_engine_cut_power_at_commit(w->e, (uint64_t)at, (size_t)keep);
                check_cut(w, group, at, keep, "commit");
            }
    for (int flush = 1; flush <= COMMITS; flush++) {
        engine_close(w->e);
        open_with(w, &(struct engine_options){0});
        memory_engine_cut_power_after_flush(w->e, (uint64_t)flush);
        check_cut(w, 1, flush, 0, "flush");
    }
}

/* The test above has to be able to fail: without the flush, what was acknowledged is lost. */
static void test_without_the_flush_mail_is_lost(void **state)
{
    struct world *w = *state;

    engine_close(w->e);
    open_with(w, &(struct engine_options){.skip_flush = true});
    commit_durably(w->e, &w->cx, fred, "k", "1");
    memory_engine_cut_power(w->e, 0);
    start_again(w);
    assert_string_equal(view_text(w->e, &w->cx, fred, "k"), "-");
}

/* ---- failures ---- */

static void note(void *arg, enum err e)
{
    *(enum err *)arg = e;
}

static void test_failed_flush_is_final(void **state)
{
    struct world *w = *state;
    enum err told = ERR_BUG, told_late = ERR_BUG;
    struct ticket good, lost, later;

    commit_durably(w->e, &w->cx, fred, "k", "1");
    good = engine_newest(w->e);
    lost = commit_one(w->e, &w->cx, fred, "k", "2");
    engine_when_durable(w->e, lost, note, &told);
    memory_engine_fail_next_flush(w->e);
    assert_true(engine_flush(w->e));
    assert_int_equal(told, ERR_STORE);
    assert_int_equal(engine_wait(w->e, &w->cx, lost), ERR_STORE);
    assert_false(engine_flush(w->e));
    assert_false(engine_is_open(w->e));
    assert_string_equal(view_text(w->e, &w->cx, fred, "k"), "1"); /* reading goes on */

    start_again(w);
    later = commit_one(w->e, &w->cx, fred, "k", "3");
    assert_int_equal(engine_wait(w->e, &w->cx, later), OK);
    assert_int_equal(engine_wait(w->e, &w->cx, lost),
                     ERR_STORE); /* for ever, though later ones are durable */
    assert_int_equal(engine_wait(w->e, &w->cx, good), OK);
    engine_when_durable(w->e, lost, note, &told_late);
    assert_int_equal(told_late, ERR_STORE);
    assert_string_equal(view_text(w->e, &w->cx, fred, "k"), "3");
}

/* Rows of the directory that were read before, while and after the store failed. */
static void test_directory_after_a_failure(void **state)
{
    static const struct part directory = {PART_DIRECTORY, 0};
    struct world *w = *state;

    commit_durably(w->e, &w->cx, directory, "k", "1");
    for (int lost = 0; lost < 2; lost++) { /* the commit that failed may be there afterwards, or not */
        commit_one(w->e, &w->cx, directory, "k", "2");
        assert_string_equal(view_text(w->e, &w->cx, directory, "k"), "1");
        memory_engine_cut_power(w->e, lost ? 0 : 1);
        assert_string_equal(view_text(w->e, &w->cx, directory, "k"), "1");
        start_again(w);
        assert_string_equal(view_text(w->e, &w->cx, directory, "k"), lost ? "1" : "2");
        commit_durably(w->e, &w->cx, directory, "k", "1");
    }
}

static void test_failed_write(void **state)
{
    struct world *w = *state;
    enum err told = ERR_BUG;
    struct ticket before = commit_one(w->e, &w->cx, fred, "k", "1"), none;
    struct txn *t;

    engine_when_durable(w->e, before, note, &told);
    memory_engine_fail_next_write(w->e);
    t = txn_begin(w->e, &tom, 1);
    put_c(t, tom, "k", "1");
    assert_int_equal(txn_commit(&t, &w->cx, &none), ERR_STORE);
    assert_int_equal(told, ERR_STORE); /* without anybody calling engine_flush() */
    start_again(w);
    commit_durably(w->e, &w->cx, tom, "k", "2"); /* the lock was given back */
}

static void test_while_it_is_closed(void **state)
{
    struct world *w = *state;
    struct ticket ticket;
    struct scan *s;
    struct str value;
    bool found;
    struct txn *t;

    commit_durably(w->e, &w->cx, fred, "k", "1");
    memory_engine_cut_power(w->e, 0);
    memory_engine_fail_opening(w->e, true);
    engine_tend(w->e);
    assert_false(engine_is_open(w->e));
    assert_null(view_open(w->e));
    t = txn_begin(w->e, &fred, 1);
    assert_int_equal(txn_get(t, &w->cx, fred, S("k"), &value, &found), ERR_STORE);
    assert_int_equal(txn_scan(t, &w->cx, fred, STR_NONE, STR_NONE, false, &s), ERR_STORE);
    put_c(t, fred, "k", "2");
    assert_int_equal(txn_commit(&t, &w->cx, &ticket), ERR_STORE);
    assert_int_equal(engine_compact(w->e, &w->cx, PART_BODY), ERR_STORE);
    memory_engine_fail_opening(w->e, false);
    start_again(w);
    assert_string_equal(view_text(w->e, &w->cx, fred, "k"), "1");
}

/* A transaction that was open when the store failed: it may go on reading, and its commit fails. */
static void test_open_transaction(void **state)
{
    struct world *w = *state;
    struct txn *t = txn_begin(w->e, &fred, 1);
    struct ticket ticket;

    put_c(t, fred, "k", "1");
    memory_engine_cut_power(w->e, 0);
    assert_int_equal(txn_commit(&t, &w->cx, &ticket), ERR_STORE);
    start_again(w);
    assert_string_equal(view_text(w->e, &w->cx, fred, "k"), "-");
}

static void *tend(void *arg)
{
    engine_tend(arg);
    return NULL;
}

/* Closing waits for the view, and the view reads on meanwhile. */
static void test_open_view(void **state)
{
    struct world *w = *state;
    struct view *v;
    struct str value;
    pthread_t thread;
    bool found;

    commit_durably(w->e, &w->cx, fred, "k", "1");
    v = view_open(w->e);
    memory_engine_cut_power(w->e, 0);
    assert_int_equal(pthread_create(&thread, NULL, tend, w->e), 0);
    assert_int_equal(view_get(v, &w->cx, fred, S("k"), &value, &found), OK);
    assert_true(found);
    assert_false(engine_is_open(w->e));
    view_close(&v);
    pthread_join(thread, NULL);
    assert_true(engine_is_open(w->e));
}

static void *wait_for_it(void *arg)
{
    struct world *w = arg;
    struct cx cx = {.arena = NULL};

    return engine_wait(w->e, &cx, engine_newest(w->e)) == ERR_STORE ? arg : NULL;
}

/* Sleepers are woken by a failure too, each exactly once, whoever came to flush. */
static void test_all_waiters_hear_of_it(void **state)
{
    struct world *w = *state;
    pthread_t threads[8];
    void *result;

    commit_one(w->e, &w->cx, fred, "k", "1");
    memory_engine_fail_next_flush(w->e);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wait_for_it, w), 0);
    for (size_t i = 0; i < 8; i++) {
        pthread_join(threads[i], &result);
        assert_ptr_equal(result, w);
    }
}

static void count(void *arg)
{
    ++*(int *)arg;
}

/* Whatever a watcher knew may be out of date now. */
static void test_opening_tells_all_watches(void **state)
{
    struct world *w = *state;
    int freds = 0;
    struct part_watch *watch = part_watch_open(w->e, fred, count, &freds);

    memory_engine_cut_power(w->e, 0);
    start_again(w);
    assert_int_equal(freds, 1);
    commit_durably(w->e, &w->cx, fred, "k", "1");
    assert_int_equal(freds, 2);
    part_watch_close(&watch);
}

/* More failures than are remembered one by one: nothing that was lost is ever called durable. */
static void test_many_failures(void **state)
{
    struct world *w = *state;
    struct ticket lost[100];

    for (size_t i = 0; i < 100; i++) {
        commit_durably(w->e, &w->cx, fred, "k", "1");
        lost[i] = commit_one(w->e, &w->cx, fred, "k", "2");
        memory_engine_cut_power(w->e, 0);
        start_again(w);
    }
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(engine_wait(w->e, &w->cx, lost[i]), ERR_STORE);
    commit_durably(w->e, &w->cx, fred, "k", "3");
}

/* ---- lingering ---- */

static void *flush(void *arg)
{
    engine_flush(arg);
    return NULL;
}

/* After a group of four the flusher waits for two, and no longer than until the second comes: were it to wait for
 * the clock, this test would take a minute. */
static void test_lingers_for_a_group(void **state)
{
    struct world *w = *state;
    struct engine_figures figures;
    enum err told[6];
    pthread_t thread;
    size_t i;

    engine_close(w->e);
    open_with(w, &(struct engine_options){.linger_us = 60000000});
    for (i = 0; i < 4; i++)
        engine_when_durable(w->e, commit_one(w->e, &w->cx, fred, "k", "1"), note, &told[i]);
    assert_true(engine_flush(w->e));
    engine_when_durable(w->e, commit_one(w->e, &w->cx, fred, "k", "2"), note, &told[4]);
    assert_int_equal(pthread_create(&thread, NULL, flush, w->e), 0);
    engine_when_durable(w->e, commit_one(w->e, &w->cx, fred, "k", "3"), note, &told[5]);
    pthread_join(thread, NULL);
    for (i = 0; i < 6; i++)
        assert_int_equal(told[i], OK);
    engine_figures(w->e, &figures);
    assert_int_equal(figures.flushes, 2);
    assert_string_equal(view_text(w->e, &w->cx, fred, "k"), "3");
}

/* ---- damage ---- */

static void test_damaged_row(void **state)
{
    struct world *w = *state;
    struct str key, value;
    struct scan *s;

    for (const char *c = "abcde"; *c; c++)
        commit_durably(w->e, &w->cx, fred, (char[]){*c, 0}, "1");
    memory_engine_damage(w->e, fred, S("c"));
    commit_durably(w->e, &w->cx, tom, "k", "1");
    assert_string_equal(view_text(w->e, &w->cx, fred, "c"), "DAMAGED");
    assert_string_equal(view_text(w->e, &w->cx, fred, "d"), "1");
    assert_string_equal(view_scan_text(w->e, &w->cx, fred, "", "", false), "a=1 b=1 DAMAGED");
    scoped(view_close) struct view *v = view_open(w->e);
    assert_int_equal(view_scan(v, &w->cx, fred, STR_NONE, STR_NONE, false, &s), OK);
    while (scan_next(s, &key, &value))
        ;
    assert_true(scan_past_damage(s));
    assert_string_equal(scan_text(&s, &w->cx), "d=1 e=1");
    commit_durably(w->e, &w->cx, fred, "c", "2");
    assert_string_equal(view_text(w->e, &w->cx, fred, "c"), "2");
}

/* ---- copies ---- */

/* Each goes its own way from what was durable, and outlives the other. */
static void test_copy(void **state)
{
    struct world *w = *state;
    struct engine *copy, *of_copy;

    commit_durably(w->e, &w->cx, fred, "a", "1");
    commit_one(w->e, &w->cx, fred, "b", "not yet");
    assert_int_equal(memory_engine_copy(&w->cx, w->e, &copy), OK);
    assert_string_equal(view_scan_text(copy, &w->cx, fred, "", "", false), "a=1");
    commit_durably(w->e, &w->cx, fred, "a", "2");
    commit_durably(copy, &w->cx, fred, "c", "3");
    assert_string_equal(view_scan_text(w->e, &w->cx, fred, "", "", false), "a=2 b=not yet");
    assert_string_equal(view_scan_text(copy, &w->cx, fred, "", "", false), "a=1 c=3");
    assert_int_equal(memory_engine_copy(&w->cx, copy, &of_copy), OK);
    engine_close(copy);
    assert_string_equal(view_scan_text(of_copy, &w->cx, fred, "", "", false), "a=1 c=3");
    engine_close(of_copy);
}

/* ---- the disk ---- */

static void commit_while_looking(void *arg)
{
    struct world *w = arg;

    commit_durably(w->e, &w->cx, fred, "k", "1");
}

/* A disk that lets one wait for what it says stops nobody but those who ask. */
static void test_goes_on_while_somebody_looks_at_the_disk(void **state)
{
    struct world *w = *state;

    memory_engine_while_looking(w->e, commit_while_looking, w);
    assert_true(engine_has_room(w->e));
    assert_string_equal(view_text(w->e, &w->cx, fred, "k"), "1");
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, world_make, world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(test_power_cuts_at_each_step),
        ROW(test_without_the_flush_mail_is_lost),
        ROW(test_failed_flush_is_final),
        ROW(test_directory_after_a_failure),
        ROW(test_failed_write),
        ROW(test_while_it_is_closed),
        ROW(test_open_transaction),
        ROW(test_open_view),
        ROW(test_all_waiters_hear_of_it),
        ROW(test_opening_tells_all_watches),
        ROW(test_many_failures),
        ROW(test_lingers_for_a_group),
        ROW(test_damaged_row),
        ROW(test_copy),
        ROW(test_goes_on_while_somebody_looks_at_the_disk),
    };

    log_start("engine_failure_test", LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
