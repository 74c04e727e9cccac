#include "gate/outbound/unreachable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static struct endpoint endpoint(const char *s)
{
    struct endpoint e;

    assert_true(parse_endpoint(str_from_c(s), 0, &e));
    return e;
}

static void test_until(void **state)
{
    struct arena *arena = arena_new(0);
    struct unreachable *u = unreachable_new();
    struct endpoint a = endpoint("192.0.2.1:25"), b = endpoint("192.0.2.1:26"),
                    c = endpoint("[2001:db8::1]:25");
    struct str why;

    (void)state;
    assert_false(unreachable_find(u, &a, 0, arena, &why));
    unreachable_note(u, &a, S("no"), 61000);
    assert_true(unreachable_find(u, &a, 60999, arena, &why));
    assert_true(str_same(why, S("no")));
    assert_false(unreachable_find(u, &a, 61000, arena, &why));
    assert_false(unreachable_find(u, &b, 1000, arena, &why));
    assert_false(unreachable_find(u, &c, 1000, arena, &why));
    unreachable_note(u, &a, S("again"), 121000);
    assert_true(unreachable_find(u, &a, 120999, arena, &why));
    assert_true(str_same(why, S("again")));
    unreachable_free(u);
    arena_free(arena);
}

static void test_it_stays_bounded(void **state)
{
    struct arena *arena = arena_new(0);
    struct unreachable *u = unreachable_new();
    struct str why;

    (void)state;
    for (uint32_t i = 0; i < 3000; i++) {
        uint32_t ip = htonl(0x0a000000 + i);
        struct endpoint e = endpoint_v4(&ip, 25);

        unreachable_note(u, &e, S("no"), 2);
    }
    for (uint32_t i = 0; i < 3000; i++) {
        uint32_t ip = htonl(0x0a000000 + i);
        struct endpoint e = endpoint_v4(&ip, 25);

        assert_int_equal(unreachable_find(u, &e, 1, arena, &why), i >= 3000 - 1024);
    }
    unreachable_free(u);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_until),
        cmocka_unit_test(test_it_stays_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
