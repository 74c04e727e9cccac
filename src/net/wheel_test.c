/* The wheel, with a clock that the test turns. */
#include "net/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct wheel wheel;

static void test_comes_up_when_due(void **state)
{
    static const struct {
        int64_t now, due, early, late;
        const char *why;
    } rows[] = {
        {1000, 1500, 1499, 1500, "on a tick"},
        {1000, 1510, 1510, 1600, "never before its time"},
        {1000, 900, -1, 1000, "already over"},
        {1000, 1000, -1, 1000, "now"},
        {1040, 1050, 1050, 1100, "within this tick"},
        {1000, 1000 + 100 * 1022, 1000 + 100 * 1021, 1000 + 100 * 1022, "the far end"},
        {1000, INT64_MAX, 1000 + 100 * 1022, 1000 + 100 * 1023, "beyond the end: once a turn"},
        {1000, 1500, 1499, 900000000, "slept for many turns"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct wheel_entry e = {0};

        wheel_init(&wheel, 100, rows[i].now);
        wheel_put(&wheel, &e, rows[i].due);
        if (rows[i].early >= 0 && wheel_take(&wheel, rows[i].early))
            fail_msg("row %zu too early: %s", i, rows[i].why);
        if (wheel_take(&wheel, rows[i].late) != &e || wheel_take(&wheel, rows[i].late) || wheel.count)
            fail_msg("row %zu did not come once: %s", i, rows[i].why);
    }
}

static void test_move_and_remove(void **state)
{
    struct wheel_entry a = {0}, b = {0};

    (void)state;
    wheel_init(&wheel, 100, 0);
    wheel_put(&wheel, &a, 500);
    wheel_put(&wheel, &b, 500);
    wheel_put(&wheel, &a, 900);
    assert_int_equal(wheel.count, 2);
    assert_ptr_equal(wheel_take(&wheel, 600), &b);
    assert_null(wheel_take(&wheel, 600));
    wheel_remove(&wheel, &a);
    wheel_remove(&wheel, &a);
    assert_null(wheel_take(&wheel, 5000));
    assert_int_equal(wheel.count, 0);
}

/* Who finds an entry early puts it again; that must end within one round of taking. */
static void test_put_again_while_taking(void **state)
{
    struct wheel_entry e = {0};
    int rounds = 0;

    (void)state;
    wheel_init(&wheel, 100, 0);
    wheel_put(&wheel, &e, INT64_MAX);
    while (wheel_take(&wheel, 10000000)) {
        wheel_put(&wheel, &e, INT64_MAX);
        assert_true(++rounds < 3);
    }
    assert_int_equal(wheel.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_up_when_due),
        cmocka_unit_test(test_move_and_remove),
        cmocka_unit_test(test_put_again_while_taking),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
