/* Records as they come from the wire, good and odd. */
#include "net/dns_answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void test_mx(void **state)
{
    static const struct {
        struct str rdata;
        const char *exchange; /* NULL: left out */
        const char *why;
    } rows[] = {
        {S("\0\012\2mx\7example\0"), "mx.example", "usual"},
        {S("\0\0\0"), "", "null MX (RFC 7505)"},
        {S("\0\012\3_mx\0"), "_mx", "underscore"},
        {S("\0\012"), NULL, "cut behind the preference"},
        {S("\0\012\2mx\7exam"), NULL, "cut in a label"},
        {S("\0\012\2mx"), NULL, "no end"},
        {S("\0\012\2mx\0\0"), NULL, "bytes behind the end"},
        {S("\0\012\3a.b\0"), NULL, "a dot within a label"},
        {S("\0\012\3a\0b\0"), NULL, "NUL within a label"},
        {S("\0\012\300\14"), NULL, "compressed"},
        {S("\0\012\1\n\0"), NULL, "a line end"},
        {S(""), NULL, "nothing"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct arena *a = arena_new(0);
        struct dns_rdata in = {&rows[i].rdata, 1};
        struct dns_answer out = {.ttl = 0};

        if (dns_read_records(a, DNS_MX, &in, &out) != !!rows[i].exchange)
            fail_msg("row %zu: %s", i, rows[i].why);
        if (rows[i].exchange && !str_same(out.mx[0].exchange, str_from_c(rows[i].exchange)))
            fail_msg("row %zu: %s: %.*s", i, rows[i].why, STR_ARG(out.mx[0].exchange));
        arena_free(a);
    }
}

static void test_name_as_long_as_it_may_be(void **state)
{
    char rdata[2 + 256] = {0};
    struct str one = {rdata, 0};
    struct dns_rdata in = {&one, 1};

    (void)state;
    for (size_t labels = 0; labels < 200; labels++) {
        struct arena *a = arena_new(0);
        struct dns_answer out = {.ttl = 0};

        for (size_t i = 0; i < labels && 2 + 2 * i + 1 < sizeof(rdata); i++)
            memcpy(rdata + 2 + 2 * i, "\1a", 2);
        one.n = 2 + 2 * labels + 1;
        if (one.n > sizeof(rdata))
            one.n = sizeof(rdata);
        rdata[one.n - 1] = 0;
        assert_int_equal(dns_read_records(a, DNS_MX, &in, &out), labels <= 127);
        arena_free(a);
    }
}

/* By preference, equal ones as they came, and no more than the limit. */
static void test_order_and_limits(void **state)
{
    struct arena *a = arena_new(0);
    char rdata[200][5];
    struct str records[200];
    struct dns_rdata in = {records, 200};
    struct dns_answer mx = {.ttl = 0}, v4 = {.ttl = 0}, v6 = {.ttl = 0};

    (void)state;
    for (int i = 0; i < 200; i++) {
        memcpy(rdata[i], ((char[5]){0, (char)(i % 3), 1, (char)('a' + i % 26), 0}), 5);
        records[i] = (struct str){rdata[i], 5};
    }
    assert_true(dns_read_records(a, DNS_MX, &in, &mx));
    assert_int_equal(mx.mx_count, RESOLVER_MOST_MX);
    for (size_t i = 1; i < mx.mx_count; i++)
        assert_true(mx.mx[i - 1].preference <= mx.mx[i].preference);
    assert_int_equal(mx.mx[0].exchange.p[0], 'a');
    assert_int_equal(mx.mx[1].exchange.p[0], 'd');
    assert_false(dns_read_records(a, DNS_A, &in, &v4)); /* five bytes are no address */
    for (int i = 0; i < 200; i++)
        records[i].n = 4;
    assert_true(dns_read_records(a, DNS_A, &in, &v4));
    assert_int_equal(v4.address_count, RESOLVER_MOST_ADDRESSES);
    assert_false(dns_read_records(a, DNS_AAAA, &in, &v6));
    arena_free(a);
}

static void test_host_names(void **state)
{
    static const struct {
        const char *name;
        bool is;
    } rows[] = {
        {"example.test", true},
        {"example.test.", true},
        {"_dmarc.example.test", true},
        {"xn--bcher-kva.test", true},
        {"localhost", true},
        {"", false},
        {".", false},
        {"a..b", false},
        {".a", false},
        {"a b", false},
        {"a\\.b", false},
        {"b\xc3\xbc.test", false},
        {"a.test..", false},
    };
    char label[65] = "", too_long[300];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (is_host_name(str_from_c(rows[i].name)) != rows[i].is)
            fail_msg("row %zu: %s", i, rows[i].name);
    memset(label, 'a', 64);
    assert_false(is_host_name((struct str){label, 64}));
    assert_true(is_host_name((struct str){label, 63}));
    for (size_t i = 0; i < sizeof(too_long); i++)
        too_long[i] = i % 2 ? '.' : 'a';
    assert_true(is_host_name((struct str){too_long, 253}));
    assert_false(is_host_name((struct str){too_long, 255}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mx),
        cmocka_unit_test(test_name_as_long_as_it_may_be),
        cmocka_unit_test(test_order_and_limits),
        cmocka_unit_test(test_host_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
