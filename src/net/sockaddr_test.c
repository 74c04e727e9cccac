/* Addresses as text, networks, and opening listening sockets. */
#include "base/arena.h"
#include "base/scoped.h"
#include "net/listen.h"
#include "net/sockaddr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void test_endpoints(void **state)
{
    static const struct {
        const char *in;
        uint16_t default_port;
        const char *text, *literal; /* NULL: refused */
    } rows[] = {
        {"192.0.2.1:25", 0, "192.0.2.1:25", "[192.0.2.1]"},
        {"127.0.0.1@5353", 53, "127.0.0.1:5353", "[127.0.0.1]"},
        {"192.0.2.1", 53, "192.0.2.1:53", "[192.0.2.1]"},
        {"[::]:25", 0, "[::]:25", "[IPv6:::]"},
        {"[2001:db8::1]:65535", 0, "[2001:db8::1]:65535", "[IPv6:2001:db8::1]"},
        {"2001:db8::1", 53, "[2001:db8::1]:53", "[IPv6:2001:db8::1]"},
        {"[2001:db8::1]", 53, "[2001:db8::1]:53", "[IPv6:2001:db8::1]"},
        {"::1@53", 0, "[::1]:53", "[IPv6:::1]"},
        {"[::1]@53", 0, "[::1]:53", "[IPv6:::1]"},
        {"::ffff:192.0.2.1@25", 0, "192.0.2.1:25", "[192.0.2.1]"},
        {"192.0.2.1", 0, NULL, NULL},
        {"192.0.2.1:", 53, NULL, NULL},
        {"192.0.2.1:0", 53, NULL, NULL},
        {"192.0.2.1:65536", 0, NULL, NULL},
        {"192.0.2.1:25x", 0, NULL, NULL},
        {"192.0.2.256:25", 0, NULL, NULL},
        {"[2001:db8::1:25", 0, NULL, NULL},
        {"[2001:db8::1]25", 0, NULL, NULL},
        {"mail.example.com:25", 0, NULL, NULL},
        {"", 25, NULL, NULL},
        {":25", 0, NULL, NULL},
        {"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc", 25, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct endpoint e = {.any.sa_family = AF_UNSPEC};
        char text[ENDPOINT_TEXT_SIZE];

        if (parse_endpoint(str_from_c(rows[i].in), rows[i].default_port, &e) != !!rows[i].text)
            fail_msg("row %zu: %s", i, rows[i].in);
        if (!rows[i].text)
            continue;
        endpoint_text(&e, text);
        assert_string_equal(text, rows[i].text);
        endpoint_literal(&e, text);
        assert_string_equal(text, rows[i].literal);
    }
}

static void test_networks(void **state)
{
    static const struct {
        const char *network, *ip;
        bool has;
    } rows[] = {
        {"192.168.0.0/16", "192.168.255.1", true},
        {"192.168.0.0/16", "192.169.0.1", false},
        {"192.168.0.0/16", "::ffff:192.168.1.1", true},
        {"fd00::/8", "fdff::1", true},
        {"fd00::/8", "fe00::1", false},
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"0.0.0.0/0", "8.8.8.8", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"::/0", "2001:db8::1", true},
        {"::1", "::1", true},
        {"192.0.2.128/25", "192.0.2.127", false},
        {"192.0.2.128/25", "192.0.2.200", true},
        {"2001:db8::/33", "2001:db8:7fff::1", true},
        {"2001:db8::/33", "2001:db8:8000::1", false},
    };
    static const char *const bad[] = {
        "192.168.0.1/16", "192.168.0.0/33",   "fd00::/129", "fd00::/", "/8",
        "192.168.0.0/-1", "192.168.0.0/16/2", "office",     ""};
    struct network n;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct endpoint e;

        assert_true(parse_network(str_from_c(rows[i].network), &n));
        assert_true(parse_ip(str_from_c(rows[i].ip), &e));
        if (network_has(&n, &e) != rows[i].has)
            fail_msg("row %zu: %s in %s", i, rows[i].ip, rows[i].network);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        if (parse_network(str_from_c(bad[i]), &n))
            fail_msg("accepted %s", bad[i]);
}

static void test_loopback(void **state)
{
    static const struct {
        const char *ip;
        bool is;
    } rows[] = {{"127.0.0.1", true},  {"127.9.9.9", true}, {"::1", true}, {"::ffff:127.0.0.1", true},
                {"128.0.0.1", false}, {"::2", false},      {"::", false}, {"0.0.0.0", false}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct endpoint e;

        assert_true(parse_ip(str_from_c(rows[i].ip), &e));
        if (endpoint_is_loopback(&e) != rows[i].is)
            fail_msg("row %zu: %s", i, rows[i].ip);
    }
}

static void test_listen(void **state)
{
    struct cx cx = {0};
    struct endpoint e;
    char where[ENDPOINT_TEXT_SIZE], expected[sizeof(where) + 32];
    scoped(close_fd) int first = -1;
    int second = -1;
    socklen_t n = sizeof(e);

    (void)state;
    assert_int_equal(listen_open(&cx, S("127.0.0.1:0"), &first), ERR_CONFIG);
    assert_int_equal(listen_open(&cx, S("192.0.2.77:1"), &second),
                     ERR_SYSTEM); /* not an address of ours */
    first = socket(AF_INET, SOCK_STREAM, 0);
    e = endpoint_v4("\x7f\0\0\1", 0);
    assert_int_equal(bind(first, &e.any, endpoint_size(&e)), 0);
    assert_int_equal(listen(first, 1), 0);
    assert_int_equal(getsockname(first, &e.any, &n), 0);
    endpoint_text(&e, where);
    assert_int_equal(listen_open(&cx, str_from_c(where), &second), ERR_SYSTEM);
    snprintf(expected, sizeof(expected), "%s: Address already in use", where);
    assert_true(str_starts(str_from_c(cx.cause), str_from_c(expected))); /* and what to do about it */
    close_fd(&first);
    assert_int_equal(listen_open(&cx, str_from_c(where), &second), OK);
    close_fd(&second);
}

static void test_nofile(void **state)
{
    struct cx cx = {0};
    uint64_t got = 0;

    (void)state;
    assert_int_equal(nofile_raise(&cx, 16, &got), OK);
    assert_true(got >= 16);
    assert_int_equal(nofile_raise(&cx, UINT32_MAX, &got), OK); /* as many as are allowed */
    assert_true(got >= 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_endpoints), cmocka_unit_test(test_networks),
        cmocka_unit_test(test_loopback),  cmocka_unit_test(test_listen),
        cmocka_unit_test(test_nofile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
