#include "vault/signon/handles.h"

#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct cx cx;

static struct signed_on who(uint64_t account, uint64_t gate)
{
    return (struct signed_on){.account = {account}, .gate = gate, .client = "192.0.2.1"};
}

static struct handle give(struct handles *h, uint64_t account, uint64_t gate)
{
    struct signed_on w = who(account, gate);
    struct handle out = {0};

    assert_int_equal(handle_give(h, &cx, &w, &out), OK);
    return out;
}

static void test_only_its_gate_finds_it(void **state)
{
    struct handles *h = handles_new(10);
    struct handle a = give(h, 7, 1);
    struct signed_on w;

    (void)state;
    assert_true(handle_find(h, a, 1, &w));
    assert_int_equal(w.account.v, 7);
    assert_false(handle_find(h, a, 2, &w)); /* another life of the gate */
    assert_false(handle_find(h, (struct handle){a.hi, a.lo ^ 1}, 1, &w));
    assert_false(handle_find(h, (struct handle){0}, 1, &w));
    handle_end(h, a);
    handle_end(h, a); /* no harm */
    assert_false(handle_find(h, a, 1, &w));
    assert_int_equal(handles_count(h), 0);
    handles_free(h);
}

static void test_attach_works_once(void **state)
{
    struct handles *h = handles_new(10);
    struct handle a = give(h, 7, 1);
    struct signed_on w;

    (void)state;
    assert_false(handle_attach(h, a, 2, &w)); /* and a stranger's try does not use it up */
    assert_true(handle_attach(h, a, 1, &w));
    assert_false(handle_attach(h, a, 1, &w));
    assert_true(handle_find(h, a, 1, &w)); /* still signed on */
    handles_free(h);
}

static void test_limit(void **state)
{
    struct handles *h = handles_new(2);
    struct signed_on w = who(1, 1);
    struct handle a = give(h, 1, 1), out;

    (void)state;
    give(h, 1, 1);
    assert_int_equal(handle_give(h, &cx, &w, &out), ERR_AUTH_BUSY);
    handle_end(h, a);
    assert_int_equal(handle_give(h, &cx, &w, &out), OK);
    handles_free(h);
}

static void test_ends_of_accounts_and_gates(void **state)
{
    enum { MANY = 5000 }; /* beyond the first table */
    struct handles *h = handles_new(MANY);
    struct handle *all = calloc(MANY, sizeof(*all));
    struct signed_on w;

    (void)state;
    for (uint64_t i = 0; i < MANY; i++)
        all[i] = give(h, i % 5, i % 2);
    handles_end_account(h, (struct account_id){3});
    assert_int_equal(handles_count(h), MANY - MANY / 5);
    handles_end_gate(h, 1);
    assert_int_equal(handles_count(h), (MANY - MANY / 5) / 2);
    for (uint64_t i = 0; i < MANY; i++)
        assert_int_equal(handle_find(h, all[i], i % 2, &w), i % 5 != 3 && i % 2 == 0);
    free(all);
    handles_free(h);
    handles_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_its_gate_finds_it),
        cmocka_unit_test(test_attach_works_once),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_ends_of_accounts_and_gates),
    };

    cx.arena = arena_new(0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
