/* A row: what the DNS says, and where the mail goes. MX "10 a, 10 b"; addresses "a=192.0.2.1 2001:db8::1, b=!" ("!":
 * no answer). Expected: the targets in order, or the status of the verdict. */
#include "gate/outbound/mx_plan.h"

#include "rpc/calls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static struct str take_item(struct str *list, char divider)
{
    struct str item;

    if (!take_until(list, divider, &item)) {
        item = *list;
        *list = STR_NONE;
    }
    return str_trim(item);
}

static size_t read_mx(struct str text, struct dns_mx *out)
{
    size_t n = 0;

    while (text.n) {
        struct str item = take_item(&text, ','), preference = take_item(&item, ' ');
        uint32_t v = 0;

        parse_u32(preference, &v);
        if (str_same(item, S(".")))
            item = STR_NONE;
        out[n++] = (struct dns_mx){(uint16_t)v, item};
    }
    return n;
}

static void answer_host(struct mx_plan *p, size_t host, struct str addresses)
{
    struct endpoint v4[RESOLVER_MOST_ADDRESSES], v6[RESOLVER_MOST_ADDRESSES], e;
    struct dns_answer a = {.outcome = DNS_NODATA, .addresses = v4},
                      aaaa = {.outcome = DNS_NODATA, .addresses = v6};

    while (addresses.n) {
        struct str item = take_item(&addresses, ' ');

        if (str_same(item, S("!"))) {
            a.outcome = DNS_FAILED;
        } else if (parse_ip(item, &e) && endpoint_is_v6(&e)) {
            v6[aaaa.address_count++] = e;
            aaaa.outcome = DNS_OK;
        } else {
            v4[a.address_count++] = e;
            a.outcome = DNS_OK;
        }
    }
    mx_plan_addresses(p, host, &a);
    mx_plan_addresses(p, host, &aaaa);
}

static void answer_hosts(struct mx_plan *p, const char *zone)
{
    for (size_t i = 0; i < p->host_count; i++) {
        struct str rest = str_from_c(zone), found = STR_NONE;

        while (rest.n) {
            struct str item = take_item(&rest, ','), name = take_item(&item, '=');

            if (str_same_nocase(name, p->hosts[i].name))
                found = item;
        }
        answer_host(p, i, found);
    }
}

static void describe(const struct mx_plan *p, struct buf *out)
{
    char text[ENDPOINT_TEXT_SIZE];

    if (p->outcome)
        buf_printf(out, "%s %.*s", p->outcome == OUTCOME_FAILED ? "failed" : "deferred",
                   STR_ARG(p->status));
    for (size_t i = 0; !p->outcome && i < p->target_count; i++) {
        endpoint_text(&p->targets[i].address, text);
        buf_printf(out, "%s%.*s/%s", i ? " " : "", STR_ARG(p->targets[i].host), text);
    }
}

static const struct endpoint *own_addresses(size_t *count)
{
    static struct endpoint own[2];

    assert_true(parse_endpoint(S("203.0.113.1:25"), 0, &own[0]));
    assert_true(parse_endpoint(S("[2001:db8::25]:25"), 0, &own[1]));
    *count = 2;
    return own;
}

static void plan(struct mx_plan *p, enum dns_outcome outcome, const char *mx, const char *zone,
                 uint64_t seed)
{
    struct dns_mx records[RESOLVER_MOST_MX];
    struct dns_answer answer = {.outcome = outcome, .trouble = "SERVFAIL", .mx = records};
    struct mx_self self = {.hostname = S("mail.us.test")};

    self.addresses = own_addresses(&self.address_count);
    answer.mx_count = read_mx(str_from_c(mx), records);
    mx_plan_hosts(p, &answer, &self, seed);
    if (p->outcome)
        return;
    answer_hosts(p, zone);
    mx_plan_targets(p, &self, 25);
}

static void test_plans(void **state)
{
    static const struct {
        enum dns_outcome outcome;
        const char *mx, *zone, *expected, *why;
    } rows[] = {
        {DNS_OK, "10 a, 20 b", "a=192.0.2.1,b=192.0.2.2", "a/192.0.2.1:25 b/192.0.2.2:25",
         "by preference"},
        {DNS_OK, "10 a", "a=192.0.2.1 192.0.2.2 2001:db8::1",
         "a/[2001:db8::1]:25 a/192.0.2.1:25 a/192.0.2.2:25", "the families take turns"},
        {DNS_OK, "10 a", "a=192.0.2.1 192.0.2.1", "a/192.0.2.1:25", "the same address twice"},
        {DNS_NODATA, "", "b.test=192.0.2.9", "b.test/192.0.2.9:25", "RFC 5321 §5.1: an implicit MX"},
        {DNS_NODATA, "", "", "failed 5.1.2", "neither MX nor address"},
        {DNS_NODATA, "", "b.test=!", "deferred 4.4.3", "no MX, and no answer for the address"},
        {DNS_NODATA, "", "b.test=203.0.113.1", "failed 5.4.6", "its address is ours"},
        {DNS_NXDOMAIN, "", "", "failed 5.1.2", "no such domain"},
        {DNS_FAILED, "", "", "deferred 4.4.3", "no answer"},
        {DNS_BOGUS, "", "", "deferred 4.4.3", "a wrong signature"},
        {DNS_OK, "0 .", "", "failed 5.1.10", "RFC 7505: a null MX"},
        {DNS_OK, "0 ., 10 a", "a=192.0.2.1", "a/192.0.2.1:25", "a null MX beside others"},
        {DNS_OK, "10 a, 20 b", "b=192.0.2.2", "b/192.0.2.2:25", "a host without an address"},
        {DNS_OK, "10 a, 20 b", "", "failed 5.4.4", "no host has one"},
        {DNS_OK, "10 a, 20 b", "b=!", "deferred 4.4.3", "no host has one that we know"},
        {DNS_OK, "10 a, 20 b", "a=!,b=192.0.2.2", "b/192.0.2.2:25", "what is known is tried"},
        {DNS_OK, "10 a, 20 MAIL.us.test, 20 b, 30 c", "a=192.0.2.1,b=192.0.2.2,c=192.0.2.3",
         "a/192.0.2.1:25", "RFC 5321 §5.1: we are in the list, so only who is preferred to us"},
        {DNS_OK, "10 b, 10 mail.us.test, 30 c", "b=192.0.2.2,c=192.0.2.3", "failed 5.4.6", "nobody is"},
        {DNS_OK, "10 mail.us.test", "", "failed 5.4.6", "we alone, and the domain is not ours"},
        {DNS_OK, "10 a, 20 b, 30 c", "a=192.0.2.1,b=192.0.2.7 2001:db8::25,c=192.0.2.3",
         "a/192.0.2.1:25", "we are in the list by address"},
        {DNS_OK, "10 a, 10 b", "a=203.0.113.1,b=192.0.2.2", "failed 5.4.6", "by address, and equals"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct mx_plan p = {.arena = arena_new(0), .domain = S("b.test")};
        struct buf got = buf_make(10000);

        plan(&p, rows[i].outcome, rows[i].mx, rows[i].zone, 0);
        describe(&p, &got);
        if (!str_same(buf_str(&got), str_from_c(rows[i].expected)))
            fail_msg("row %zu (%s):\n  expected %s\n  got      %.*s", i, rows[i].why, rows[i].expected,
                     STR_ARG(buf_str(&got)));
        if (p.outcome && !str_starts(p.text, S("b.test ")))
            fail_msg("row %zu: %.*s", i, STR_ARG(p.text));
        buf_free(&got);
        arena_free(p.arena);
    }
}

/* Each order of three equal ones comes about as often as the others; the fourth, less preferred, stays last. */
static void test_equals_are_shuffled(void **state)
{
    unsigned first[3] = {0}, second[3] = {0};

    (void)state;
    for (uint64_t seed = 0; seed < 3000; seed++) {
        struct mx_plan p = {.arena = arena_new(0), .domain = S("b.test")};

        plan(&p, DNS_OK, "10 0, 10 1, 10 2, 20 3", "0=192.0.2.1,1=192.0.2.2,2=192.0.2.3,3=192.0.2.4",
             seed);
        assert_int_equal(p.target_count, 4);
        first[p.targets[0].host.p[0] - '0']++;
        second[p.targets[1].host.p[0] - '0']++;
        assert_int_equal(p.targets[3].host.p[0], '3');
        arena_free(p.arena);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_in_range(first[i], 900, 1100);
        assert_in_range(second[i], 900, 1100);
    }
}

static void test_limits(void **state)
{
    struct mx_plan p = {.arena = arena_new(0), .domain = S("b.test")};
    struct buf mx = buf_make(10000), zone = buf_make(100000);

    (void)state;
    for (int i = 0; i < 20; i++) {
        buf_printf(&mx, "%s%d h%d", i ? "," : "", i, i);
        buf_printf(&zone, "%sh%d=", i ? "," : "", i);
        for (int a = 0; a < 30; a++)
            buf_printf(&zone, "%s10.0.%d.%d", a ? " " : "", i, a);
        for (int a = 0; i == 0 && a < 30; a++)
            buf_printf(&zone, " 2001:db8::%d", a + 100);
    }
    buf_add_char(&mx, '\0');
    buf_add_char(&zone, '\0');
    plan(&p, DNS_OK, mx.p, zone.p, 1);
    assert_int_equal(p.host_count, MX_MOST_HOSTS);
    assert_int_equal(p.hosts[0].address_count, MX_MOST_ADDRESSES);
    assert_int_equal(p.hosts[1].address_count, MX_MOST_ADDRESSES / 2);
    assert_int_equal(p.target_count, MX_MOST_ADDRESSES + 9 * MX_MOST_ADDRESSES / 2);
    buf_free(&mx);
    buf_free(&zone);
    arena_free(p.arena);
}

static void test_literals(void **state)
{
    static const struct {
        const char *s;
        bool is_one;
        const char *expected;
    } rows[] = {
        {"[192.0.2.1]", true, "[192.0.2.1]/192.0.2.1:25"},
        {"[IPv6:2001:db8::1]", true, "[IPv6:2001:db8::1]/[2001:db8::1]:25"},
        {"192.0.2.1", true, "192.0.2.1/192.0.2.1:25"},
        {"[203.0.113.1]", true, "failed 5.4.6"},
        {"[x400:what]", false, ""},
        {"b.test", false, ""},
        {"[", false, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct mx_plan p = {.arena = arena_new(0), .domain = str_from_c(rows[i].s)};
        struct mx_self self = {.hostname = S("mail.us.test")};
        struct buf got = buf_make(1000);

        self.addresses = own_addresses(&self.address_count);
        assert_int_equal(mx_plan_literal(&p, p.domain, &self, 25), rows[i].is_one);
        describe(&p, &got);
        if (!str_same(buf_str(&got), str_from_c(rows[i].expected)))
            fail_msg("%s: %.*s", rows[i].s, STR_ARG(buf_str(&got)));
        buf_free(&got);
        arena_free(p.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plans),
        cmocka_unit_test(test_equals_are_shuffled),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_literals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
