#include "vault/signon/throttle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static int64_t now_ms;

static int64_t test_clock(void)
{
    return now_ms;
}

/* What happens, in order: one line a step. */
struct event {
    int64_t after_ms; /* the clock moves on by this first */
    const char *name, *network;
    bool admitted; /* expected */
    enum attempt_end end;
    const char *why;
};

#define SECOND 1000
#define QUARTER THROTTLE_WINDOW_MS

static const struct event slowed_down[] = {
    {0, "fred", "a", true, ATTEMPT_FAILED, "a typing error"},
    {0, "fred", "a", true, ATTEMPT_FAILED, "and another"},
    {0, "fred", "a", true, ATTEMPT_FAILED, "the third is tried, and then it is blocked"},
    {0, "fred", "a", false, ATTEMPT_FAILED, "for a second"},
    {0, "fred", "b", false, ATTEMPT_FAILED, "the name, wherever it comes from"},
    {0, "tom", "a", false, ATTEMPT_FAILED, "and the network, whatever it says"},
    {0, "tom", "b", true, ATTEMPT_GIVEN_UP, "but nobody else"},
    {999, "fred", "a", false, ATTEMPT_FAILED, "still"},
    {1, "fred", "a", true, ATTEMPT_FAILED, "refusals did not prolong it"},
    {1999, "fred", "a", false, ATTEMPT_FAILED, "two seconds now"},
    {1, "fred", "a", true, ATTEMPT_FAILED, "fifth"},
    {4 * SECOND, "fred", "a", true, ATTEMPT_FAILED, "sixth: eight from now on"},
    {8 * SECOND, "fred", "a", true, ATTEMPT_FAILED, "seventh: ten"},
    {10 * SECOND, "fred", "a", true, ATTEMPT_FAILED, "and never more than ten"},
    {10 * SECOND, "fred", "a", true, ATTEMPT_FAILED, "seconds"},
    {QUARTER + 1, "fred", "a", true, ATTEMPT_FAILED, "forgotten: counts as the first"},
    {0, "fred", "a", true, ATTEMPT_FAILED, "second"},
    {0, "fred", "a", true, ATTEMPT_FAILED, "third"},
    {0, "fred", "a", false, ATTEMPT_FAILED, "blocked again"},
};

static const struct event known_pair[] = {
    {0, "fred", "home", true, ATTEMPT_RIGHT, "fred signs on at home"},
    {0, "fred", "evil", true, ATTEMPT_FAILED, "somebody guesses"},
    {0, "fred", "evil", true, ATTEMPT_FAILED, ""},
    {0, "fred", "evil", true, ATTEMPT_FAILED, ""},
    {0, "fred", "evil", false, ATTEMPT_FAILED, "and is held"},
    {0, "fred", "cafe", false, ATTEMPT_RIGHT, "as is fred where nobody knows him"},
    {0, "fred", "home", true, ATTEMPT_RIGHT, "but not at home"},
    {0, "tom", "home", true, ATTEMPT_FAILED, "the neighbour guesses too"},
    {0, "tom", "home", true, ATTEMPT_FAILED, ""},
    {0, "ann", "home", true, ATTEMPT_FAILED, ""},
    {0, "eve", "home", false, ATTEMPT_FAILED, "that network is held"},
    {0, "fred", "home", true, ATTEMPT_FAILED, "fred still is not: his own errors count for him alone"},
    {0, "fred", "home", true, ATTEMPT_FAILED, ""},
    {0, "fred", "home", true, ATTEMPT_FAILED, ""},
    {0, "fred", "home", false, ATTEMPT_RIGHT, "third: held, at home too"},
    {SECOND, "fred", "home", true, ATTEMPT_RIGHT, "until it is over"},
    {0, "fred", "home", true, ATTEMPT_FAILED, "and success forgets them"},
    {0, "fred", "home", true, ATTEMPT_FAILED, ""},
    {0, "fred", "home", true, ATTEMPT_RIGHT, ""},
    {THROTTLE_KNOWN_MS, "fred", "home", true, ATTEMPT_FAILED, "after a month he is a stranger"},
    {0, "fred", "evil", true, ATTEMPT_FAILED, "again"},
    {0, "fred", "cafe", true, ATTEMPT_FAILED, ""},
    {0, "fred", "home", false, ATTEMPT_FAILED, ""},
};

static void run(const struct event *events, size_t n)
{
    struct throttle *t;
    bool wrong = false;

    now_ms = 5000;
    t = throttle_new(1000, test_clock);
    for (size_t i = 0; i < n; i++) {
        const struct event *e = &events[i];
        struct attempt a;
        bool admitted;

        now_ms += e->after_ms;
        admitted = throttle_enter(t, str_from_c(e->name), str_from_c(e->network), &a);
        throttle_leave(t, &a, e->end);
        throttle_leave(t, &a, ATTEMPT_FAILED); /* a second time: nothing */
        if (admitted != e->admitted)
            printf("row %zu (%s at %s, %s): %d\n", i, e->name, e->network, e->why, admitted);
        wrong |= admitted != e->admitted;
    }
    throttle_free(t);
    assert_false(wrong);
}

static void test_slowed_down(void **state)
{
    (void)state;
    run(slowed_down, sizeof(slowed_down) / sizeof(*slowed_down));
}

static void test_known_pair(void **state)
{
    (void)state;
    run(known_pair, sizeof(known_pair) / sizeof(*known_pair));
}

/* Guesses side by side are no way around it. */
static void test_at_once(void **state)
{
    struct throttle *t = throttle_new(100, test_clock);
    static const char letters[] = "0123456789abcdefghij";
    struct attempt a[THROTTLE_NAME_AT_ONCE + 1];

    (void)state;
    now_ms = 5000;
    for (size_t i = 0; i < THROTTLE_NAME_AT_ONCE; i++)
        assert_true(throttle_enter(t, S("fred"), (struct str){&letters[i], 1}, &a[i]));
    assert_false(throttle_enter(t, S("fred"), S("z"), &a[THROTTLE_NAME_AT_ONCE]));
    throttle_leave(t, &a[0], ATTEMPT_GIVEN_UP);
    assert_true(throttle_enter(t, S("fred"), S("z"), &a[0]));
    for (size_t i = 0; i < THROTTLE_NAME_AT_ONCE; i++)
        throttle_leave(t, &a[i], ATTEMPT_FAILED);
    now_ms += THROTTLE_MOST_MS; /* failures are counted now: one at a time */
    assert_true(throttle_enter(t, S("fred"), S("y"), &a[0]));
    assert_false(throttle_enter(t, S("fred"), S("x"), &a[1]));
    throttle_leave(t, &a[0], ATTEMPT_GIVEN_UP);
    throttle_free(t);
    throttle_free(NULL);
}

/* However many names are made up, the memory is the same; who is heard of often stays. */
static void test_many_names(void **state)
{
    struct throttle *t = throttle_new(64, test_clock);
    struct attempt a;

    (void)state;
    now_ms = 5000;
    for (uint64_t i = 0; i < 10000; i++) {
        struct str name = {(const char *)&i, sizeof(i)};

        now_ms++;
        assert_true(throttle_enter(t, name, name, &a));
        throttle_leave(t, &a, i % 2 ? ATTEMPT_FAILED : ATTEMPT_RIGHT);
    }
    throttle_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slowed_down),
        cmocka_unit_test(test_known_pair),
        cmocka_unit_test(test_at_once),
        cmocka_unit_test(test_many_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
