#include "vault/spare.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

static void test_shared(void **state)
{
    struct spare_user one = {.most = 2}, all = {.most = 1000000};
    long there = sysconf(_SC_NPROCESSORS_ONLN) - 1, few = there < 2 ? there : 2;

    (void)state;
    assert_int_equal(spare_take(&one, -1), 0);
    assert_int_equal(spare_take(&one, 5), few);
    assert_int_equal(spare_take(&one, 1), 0);
    assert_int_equal(spare_take(&all, 1000000), there - few); /* what another sort of work has left */
    assert_int_equal(spare_take(&all, 1), 0);
    spare_give_back(&one, few);
    assert_int_equal(spare_take(&all, 1000000), few);
    spare_give_back(&all, there);
    assert_int_equal(spare_take(&one, 5), few);
    spare_give_back(&one, few);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shared)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
