/* Different spellings of one address meet in one key. */
#include "mail/idna.h"

#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_keys(void **state)
{
    static const struct {
        const char *in, *key, *user, *detail;
        const char *why;
    } rows[] = {
        {"Fred@ACompany.test", "fred@acompany.test", "fred", "", "case"},
        {"\"fred\"@acompany.test", "fred@acompany.test", "fred", "",
         "RFC 5321 §4.1.2: quotes mean nothing"},
        {"tom+News@acompany.test", "tom+news@acompany.test", "tom", "News", "RFC 5233"},
        {"tom+a+b@acompany.test", "tom+a+b@acompany.test", "tom", "a+b", "the first + divides"},
        {"+a@acompany.test", "+a@acompany.test", "+a", "", "no name before it"},
        {"\"A b\"@acompany.test", "\"a b\"@acompany.test", "a b", "", "written with quotes again"},
        {"Postmaster", "postmaster", "postmaster", "", "without a domain"},
        {"a@B\xc3\x9c"
         "CHER.example",
         "a@xn--bcher-kva.example", "a", "", "RFC 5891: a U-label"},
        {"a@bu\xcc\x88"
         "cher.example",
         "a@xn--bcher-kva.example", "a", "", "decomposed"},
        {"a@XN--BCHER-KVA.example", "a@xn--bcher-kva.example", "a", "", "an A-label"},
        {"a@stra\xc3\x9f"
         "e.test",
         "a@xn--strae-oqa.test", "a", "", "non-transitional: sharp s stays"},
        {"GR\xc3\x9c"
         "N@a.test",
         "gr\xc3\xbc"
         "n@a.test",
         "gr\xc3\xbc"
         "n",
         "", "folded"},
        {"gru\xcc\x88"
         "n@a.test",
         "gr\xc3\xbc"
         "n@a.test",
         "gr\xc3\xbc"
         "n",
         "", "composed"},
        {"a@[IPv6:2001:DB8::1]", "a@[ipv6:2001:db8::1]", "a", "", "a literal"},
    };
    struct arena *a = arena_new(0);
    struct buf out = buf_make(1000);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct mailbox m;
        struct address_key k;

        assert_true(is_mailbox(str_from_c(rows[i].in), ADDRESS_UTF8 | ADDRESS_NO_DOMAIN, &m));
        if (!address_key(a, &m, &k))
            fail_msg("%s: %s: no key", rows[i].in, rows[i].why);
        address_key_write(&out, &k);
        if (!str_same(buf_str(&out), str_from_c(rows[i].key)) ||
            !str_same(k.user, str_from_c(rows[i].user)) ||
            !str_same(k.detail, str_from_c(rows[i].detail)))
            fail_msg("%s: %s: got %.*s", rows[i].in, rows[i].why, STR_ARG(buf_str(&out)));
        buf_clear(&out);
    }
    buf_free(&out);
    arena_free(a);
}

static void test_domains(void **state)
{
    struct arena *a = arena_new(0);
    struct str out = S("untouched");

    (void)state;
    assert_false(domain_to_ascii(a, S(""), &out));
    assert_false(domain_to_ascii(a, S("a..b"), &out));
    assert_false(domain_to_ascii(a, S("a\xff.test"), &out));
    assert_false(domain_to_ascii(a, S("\xe2\x80\xa6"), &out)); /* an ellipsis maps to three dots */
    assert_true(str_same(out, S("untouched")));
    assert_true(str_same(domain_to_unicode(a, S("xn--bcher-kva.example")), S("b\xc3\xbc"
                                                                             "cher.example")));
    assert_true(str_same(domain_to_unicode(a, S("acompany.test")), S("acompany.test")));
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_domains),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
