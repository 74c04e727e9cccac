/* Counting peers, by a story told as a table. */
#include "net/peers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void test_limits(void **state)
{
    static const struct {
        const char *ip;
        bool enters; /* else it leaves */
        bool admitted;
        const char *why;
    } rows[] = {
        {"192.0.2.1", true, true, "first"},
        {"192.0.2.1", true, true, "second"},
        {"192.0.2.1", true, false, "a third of the same address"},
        {"192.0.2.2", true, true, "its neighbour is another one"},
        {"::ffff:192.0.2.1", true, false, "the same address, mapped"},
        {"192.0.2.1", false, true, ""},
        {"192.0.2.1", true, true, "room again"},
        {"2001:db8:0:1::1", true, true, "IPv6"},
        {"2001:db8:0:1::2", true, true, "the same /64"},
        {"2001:db8:0:1:ffff::3", true, false, "a /64 is one customer"},
        {"2001:db8:0:2::1", true, true, "the next /64"},
        {"127.0.0.1", true, true, ""},
        {"127.0.0.1", true, true, ""},
        {"127.0.0.1", true, true, "loopback may be free"},
        {"::1", true, true, "the tenth"},
        {"198.51.100.1", true, false, "full"},
        {"127.0.0.1", true, false, "full for loopback too"},
    };
    struct peers_limits limits = {.in_all = 10, .per_address = 2, .loopback_is_free = true};
    struct peers *p = peers_new(&limits);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct endpoint e;

        assert_true(parse_ip(str_from_c(rows[i].ip), &e));
        if (!rows[i].enters)
            peers_leave(p, &e);
        else if (peers_enter(p, &e) != rows[i].admitted)
            fail_msg("row %zu: %s", i, rows[i].why);
    }
    assert_int_equal(peers_count(p), 10);
    peers_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_limits)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
