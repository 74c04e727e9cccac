#include "vault/share.h"

#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define MIB ((size_t)1024 * 1024)

static struct cx cx;

static enum err take(struct share_pool *p, uint64_t account, size_t bytes)
{
    return share_take(p, &cx, (struct account_id){account}, bytes);
}

static void give_back(struct share_pool *p, uint64_t account, size_t bytes)
{
    share_give_back(p, (struct account_id){account}, bytes);
}

/* As much as it can, a little at a time. */
static size_t take_all(struct share_pool *p, uint64_t account, size_t at_a_time)
{
    size_t n = 0;

    while (!take(p, account, at_a_time))
        n += at_a_time;
    return n;
}

static void test_what_is_said(void **state)
{
    static const struct {
        const char *why;
        size_t others, has, asks;
        enum err expected;
    } rows[] = {
        {"a quarter of all", 0, 0, 25, OK},
        {"more than that is never to be had", 0, 0, 26, ERR_TOO_MUCH},
        {"nor with others about", 20, 0, 26, ERR_TOO_MUCH},
        {"nor all", 0, 0, 100, ERR_TOO_MUCH},
        {"nor what overflows", 0, 0, SIZE_MAX, ERR_TOO_MUCH},
        {"nor what overflows with what it has", 0, 1, SIZE_MAX, ERR_TOO_MUCH},
        {"a quarter in two parts", 0, 12, 13, OK},
        {"its share is used up", 0, 12, 14, ERR_TOO_MUCH},
        {"a quarter of what one leaves", 20, 0, 20, OK},
        {"others leave less than that, and it has nothing to wait for", 20, 0, 21, ERR_NO_MEMORY},
        {"others leave less than that, but it has something", 20, 1, 20, ERR_TOO_MUCH},
        {"nothing is always to be had", 20, 20, 0, OK},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct share_pool p = SHARE_POOL(100);
        enum err e;

        assert_int_equal(take(&p, 1, rows[i].others), OK);
        assert_int_equal(take(&p, 2, rows[i].has), OK);
        e = take(&p, 2, rows[i].asks);
        if (e != rows[i].expected)
            fail_msg("%s: %s", rows[i].why, err_row(e)->name);
        assert_int_equal(share_pool_taken(&p), rows[i].others + rows[i].has + (e ? 0 : rows[i].asks));
        give_back(&p, 1, rows[i].others);
        give_back(&p, 2, rows[i].has + (e ? 0 : rows[i].asks));
        assert_int_equal(share_pool_taken(&p), 0);
    }
}

/* Whatever the first accounts take, the next one still gets a piece of a body. */
static void test_the_greedy_leave_something(void **state)
{
    struct share_pool p = SHARE_POOL(256 * MIB);
    size_t held[11];

    (void)state;
    for (uint64_t account = 1; account <= 10; account++) {
        held[account] = take_all(&p, account, MIB / 64);
        assert_int_not_equal(held[account], 0);
        assert_int_equal(take(&p, account, MIB / 64), ERR_TOO_MUCH);
    }
    assert_in_range(held[1], 64 * MIB, 64 * MIB);
    assert_int_equal(take(&p, 99, 3 * MIB), OK);
    give_back(&p, 99, 3 * MIB);
    for (uint64_t account = 1; account <= 10; account++)
        give_back(&p, account, held[account]);
    assert_int_equal(share_pool_taken(&p), 0);
}

/* What it is given back is there for it again, and for others. */
static void test_giving_back(void **state)
{
    struct share_pool p = SHARE_POOL(100);

    (void)state;
    assert_int_equal(take(&p, 1, 25), OK);
    assert_int_equal(take(&p, 1 + SHARE_BUCKETS, 18), OK); /* in the same bucket */
    assert_int_equal(take(&p, 1, 1), ERR_TOO_MUCH);
    give_back(&p, 1, 5);
    assert_int_equal(take(&p, 1, 1), ERR_TOO_MUCH); /* the other one is there by now */
    assert_int_equal(take(&p, 1 + SHARE_BUCKETS, 2), OK);
    give_back(&p, 1, 20);
    assert_int_equal(take(&p, 1 + SHARE_BUCKETS, 5), OK);
    give_back(&p, 1 + SHARE_BUCKETS, 25);
    assert_int_equal(take(&p, 1, 25), OK);
    give_back(&p, 1, 25);
    assert_int_equal(share_pool_taken(&p), 0);
}

/* Made smaller than what is held: nobody gets more. */
static void test_a_smaller_pool(void **state)
{
    struct share_pool p = SHARE_POOL(100);

    (void)state;
    assert_int_equal(take(&p, 1, 20), OK);
    share_pool_set(&p, 10);
    assert_int_equal(take(&p, 1, 1), ERR_TOO_MUCH);
    assert_int_equal(take(&p, 2, 1), ERR_NO_MEMORY);
    give_back(&p, 1, 20);
    assert_int_equal(take(&p, 2, 2), OK);
    give_back(&p, 2, 2);
}

#define THREADS 4
#define ROUNDS 5000

static struct share_pool shared = SHARE_POOL(1000);

static void *use(void *arg)
{
    struct cx own = {.arena = arena_new(0)};
    uint64_t n = (uint64_t)(uintptr_t)arg;

    for (size_t i = 0; i < ROUNDS; i++) {
        struct account_id account = {n / 2 + 1}; /* two threads each */
        size_t bytes = 1 + i % 200;

        if (!share_take(&shared, &own, account, bytes))
            share_give_back(&shared, account, bytes);
    }
    arena_free(own.arena);
    return NULL;
}

static void test_threads(void **state)
{
    pthread_t threads[THREADS];

    (void)state;
    for (uintptr_t n = 0; n < THREADS; n++)
        assert_int_equal(pthread_create(&threads[n], NULL, use, (void *)n), 0);
    for (size_t n = 0; n < THREADS; n++)
        pthread_join(threads[n], NULL);
    assert_int_equal(share_pool_taken(&shared), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_said), cmocka_unit_test(test_the_greedy_leave_something),
        cmocka_unit_test(test_giving_back),  cmocka_unit_test(test_a_smaller_pool),
        cmocka_unit_test(test_threads),
    };
    int failed;

    cx.arena = arena_new(0);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(cx.arena);
    return failed;
}
