/* RFC 5321 §4.1.2 by examples: what is an address, what is none, and how it is written. */
#include "mail/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define L10 "1234567890"
#define L60 L10 L10 L10 L10 L10 L10
#define UTF8 ADDRESS_UTF8
#define BARE ADDRESS_NO_DOMAIN

struct path_row {
    const char *in;
    unsigned flags;
    const char *local_part, *domain; /* NULL: refused */
    const char *why;
};

static void check_path(const struct path_row *row,
                       bool (*parse)(struct str *, unsigned, struct mailbox *))
{
    struct mailbox m = {S("untouched"), STR_NONE};
    struct str in = str_from_c(row->in);
    bool good = parse(&in, row->flags, &m);

    if (good != (row->local_part != NULL))
        fail_msg("%s: %s: %s", row->in, row->why, good ? "accepted" : "refused");
    if (!good) {
        assert_true(str_same(m.local_part, S("untouched")));
        assert_true(in.p == row->in);
        return;
    }
    if (!str_same(m.local_part, str_from_c(row->local_part)) ||
        !str_same(m.domain, str_from_c(row->domain)))
        fail_msg("%s: %s: got \"%.*s\" at \"%.*s\"", row->in, row->why, STR_ARG(m.local_part),
                 STR_ARG(m.domain));
}

static void test_reverse_path(void **state)
{
    static const struct path_row rows[] = {
        {"<>", 0, "", "", "RFC 5321 §4.5.5: the null path"},
        {"<Smith@bar.com>", 0, "Smith", "bar.com", "case is kept"},
        {"<fred@acompany.test> SIZE=1", 0, "fred", "acompany.test", "what follows is left"},
        {"<userx@y.foo.org>", 0, "userx", "y.foo.org", "appendix D"},
        {"<@hosta.int,@jkl.org:userc@d.bar.org>", 0, "userc", "d.bar.org",
         "appendix F.2: a route is ignored"},
        {"<@hosta.int userc@d.bar.org>", 0, NULL, NULL, "a route without its colon"},
        {"<\"Joe\\,Smith\"@a.test>", 0, "\"Joe\\,Smith\"", "a.test", "§4.1.2: quoted"},
        {"<\"a b<>@\"@a.test>", 0, "\"a b<>@\"", "a.test", "anything graphic may be quoted"},
        {"<\"a\tb\"@a.test>", 0, NULL, NULL, "but no control"},
        {"<\"ab@a.test>", 0, NULL, NULL, "quote left open"},
        {"<a@[192.0.2.1]>", 0, "a", "[192.0.2.1]", "§4.1.3"},
        {"<a@[IPv6:2001:db8::1]>", 0, "a", "[IPv6:2001:db8::1]", "§4.1.3"},
        {"<a@[ipv6:::ffff:192.0.2.1]>", 0, "a", "[ipv6:::ffff:192.0.2.1]", "IPv6v4-comp"},
        {"<a@[192.0.2.256]>", 0, NULL, NULL, "Snum is at most 255"},
        {"<a@[2001:db8::1]>", 0, NULL, NULL, "without its tag"},
        {"<a@[x:y]>", 0, NULL, NULL, "a tag nobody registered"},
        {"<a@192.0.2.1>", 0, "a", "192.0.2.1", "looks like a name, and DNS will say no"},
        {"<a..b@a.test>", 0, NULL, NULL, "an empty atom"},
        {"<.a@a.test>", 0, NULL, NULL, "a dot first"},
        {"<a.@a.test>", 0, NULL, NULL, "a dot last"},
        {"<a b@a.test>", 0, NULL, NULL, "a space"},
        {"<a@b@a.test>", 0, NULL, NULL, "two @"},
        {"<@a.test>", 0, NULL, NULL, "no local part"},
        {"<a@>", 0, NULL, NULL, "no domain"},
        {"<a@-b.test>", 0, NULL, NULL, "a hyphen first"},
        {"<a@b-.test>", 0, NULL, NULL, "a hyphen last"},
        {"<a@b..test>", 0, NULL, NULL, "an empty label"},
        {"<a@b.test.>", 0, NULL, NULL, "§2.3.5: no trailing dot"},
        {"<a@b_c.test>", 0, NULL, NULL, "§4.1.2: the underscore is not permitted"},
        {"<a@b.test", 0, NULL, NULL, "no closing bracket"},
        {"a@b.test", 0, NULL, NULL, "no brackets"},
        {"<fred>", 0, NULL, NULL, "a bare name needs the flag"},
        {"<fred>", BARE, "fred", "", "and has it at submission"},
        {"<gr\xc3\xbc\xc3\x9f"
         "e@b\xc3\xbc.test>",
         0, NULL, NULL, "RFC 6531 needs SMTPUTF8"},
        {"<gr\xc3\xbc\xc3\x9f"
         "e@b\xc3\xbc.test>",
         UTF8,
         "gr\xc3\xbc\xc3\x9f"
         "e",
         "b\xc3\xbc.test", "RFC 6531 §3.3"},
        {"<\"\xc3\xbc b\"@b.test>", UTF8, "\"\xc3\xbc b\"", "b.test", "quoted as well"},
        {"<\xc3@b.test>", UTF8, NULL, NULL, "not UTF-8"},
        {"<a@\xed\xa0\x80.test>", UTF8, NULL, NULL, "a surrogate"},
        {"<" L60 "1234@b.test>", 0, L60 "1234", "b.test", "§4.5.3.1.1: 64 octets"},
        {"<" L60 "12345@b.test>", 0, NULL, NULL, "65"},
        {"<a@" L60 "123>", 0, "a", L60 "123", "a label of 63"},
        {"<a@" L60 "1234>", 0, NULL, NULL, "64"},
        {"<a@" L60 "." L60 "." L60 "." L60 ".12345678>", 0, "a",
         L60 "." L60 "." L60 "." L60 ".12345678", "§4.5.3.1.3: a path of 256"},
        {"<a@" L60 "." L60 "." L60 "." L60 ".123456789>", 0, NULL, NULL, "257"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        check_path(&rows[i], parse_reverse_path);
}

static void test_forward_path(void **state)
{
    static const struct path_row rows[] = {
        {"<>", 0, NULL, NULL, "nobody is no recipient"},
        {"<tom+news@acompany.test>", 0, "tom+news", "acompany.test", "subaddress"},
        {"<Postmaster>", 0, "Postmaster", "", "RFC 5321 §4.1.1.3"},
        {"<POSTMASTER> NOTIFY=NEVER", 0, "POSTMASTER", "", "case-insensitively"},
        {"<postmaster2>", 0, NULL, NULL, "and nobody else"},
        {"<tom>", BARE, "tom", "", "submission completes it"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        check_path(&rows[i], parse_forward_path);
}

static void test_domains(void **state)
{
    (void)state;
    assert_true(is_domain(S("xn--bcher-kva.example"), 0));
    assert_true(is_domain(S("localhost"), 0));
    assert_true(is_domain(S("DESK_1"), ADDRESS_UNDERSCORE));
    assert_false(is_domain(S("[192.0.2.1]"), 0));
    assert_false(is_domain(S(""), 0));
    assert_false(is_domain(S("a.test "), 0));
    assert_true(is_address_literal(S("[192.0.2.1]")));
    assert_false(is_address_literal(S("[192.0.2.1]x")));
    assert_false(is_address_literal((struct str){"[1\0.2.3.4]", 10}));
}

static void test_quoting(void **state)
{
    static const struct {
        const char *written, *plain, *least;
    } rows[] = {
        {"fred", "fred", "fred"},
        {"\"fred\"", "fred", "fred"}, /* §4.1.2: equivalent, and the shorter is to be sent */
        {"\"a.b\"", "a.b", "a.b"},
        {"\"a..b\"", "a..b", "\"a..b\""},
        {"\"\\\"\\\\\\a\"", "\"\\a", "\"\\\"\\\\a\""},
        {"\"\"", "", "\"\""},
        {"\"Joe\\,Smith\"", "Joe,Smith", "\"Joe,Smith\""},
    };
    struct buf plain = buf_make(100), least = buf_make(100);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        local_part_unquote(&plain, str_from_c(rows[i].written));
        local_part_quote(&least, buf_str(&plain));
        if (!str_same(buf_str(&plain), str_from_c(rows[i].plain)) ||
            !str_same(buf_str(&least), str_from_c(rows[i].least)))
            fail_msg("row %zu: %.*s then %.*s", i, STR_ARG(buf_str(&plain)), STR_ARG(buf_str(&least)));
        buf_clear(&plain);
        buf_clear(&least);
    }
    buf_free(&plain);
    buf_free(&least);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reverse_path),
        cmocka_unit_test(test_forward_path),
        cmocka_unit_test(test_domains),
        cmocka_unit_test(test_quoting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
