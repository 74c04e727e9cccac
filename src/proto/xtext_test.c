/* RFC 3461 §4 and RFC 6533 §3, by examples. */
#include "proto/xtext.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_xtext(void **state)
{
    static const struct {
        const char *plain, *coded;
    } rows[] = {
        {"", ""},
        {"QQ314159", "QQ314159"},
        {"a+b=c", "a+2Bb+3Dc"},
        {"Carol@Ivory.EDU", "Carol@Ivory.EDU"},
        {"a b", "a+20b"},
        {"\"fred o'x\"@a.test", "\"fred+20o'x\"@a.test"},
        {"\x01\x7f\xff", "+01+7F+FF"},
    };
    static const char *const bad[] = {"a=b", "a b", "+2", "+", "+2b", "+GG", "\xc3\xbc", "a\x7f"};
    struct buf out = buf_make(100);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        xtext_encode(&out, str_from_c(rows[i].plain));
        if (!str_same(buf_str(&out), str_from_c(rows[i].coded)))
            fail_msg("%s became %.*s", rows[i].plain, STR_ARG(buf_str(&out)));
        buf_clear(&out);
        assert_true(xtext_decode(&out, str_from_c(rows[i].coded)));
        assert_true(str_same(buf_str(&out), str_from_c(rows[i].plain)));
        buf_clear(&out);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        if (xtext_decode(&out, str_from_c(bad[i])))
            fail_msg("accepted %s", bad[i]);
    buf_free(&out);
}

static void test_unitext(void **state)
{
    static const struct {
        const char *plain, *ascii, *unicode;
    } rows[] = {
        {"fred@a.test", "fred@a.test", "fred@a.test"},
        {"gr\xc3\xbc@a.test", "gr\\x{FC}@a.test", "gr\xc3\xbc@a.test"},
        {"a+b=c d\\e", "a\\x{2B}b\\x{3D}c\\x{20}d\\x{5C}e", "a\\x{2B}b\\x{3D}c\\x{20}d\\x{5C}e"},
        {"\xe2\x82\xac\xf0\x9f\x93\xaf", "\\x{20AC}\\x{1F4EF}", "\xe2\x82\xac\xf0\x9f\x93\xaf"},
    };
    static const char *const bad[] = {"\\",           "\\x",       "\\x{}",       "\\x{F}",
                                      "\\x{41}",      "\\x{D800}", "\\x{110000}", "\\x{fc}",
                                      "\\x{1000000}", "\\x{00FC",  "a b",         "a+b",
                                      "a=b",          "\xc3",      "\\x{00}",     "\\y{FC}"};
    struct buf out = buf_make(100);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        for (int ascii = 0; ascii < 2; ascii++) {
            const char *coded = ascii ? rows[i].ascii : rows[i].unicode;

            unitext_encode(&out, str_from_c(rows[i].plain), ascii);
            if (!str_same(buf_str(&out), str_from_c(coded)))
                fail_msg("%s became %.*s", rows[i].plain, STR_ARG(buf_str(&out)));
            buf_clear(&out);
            assert_true(unitext_decode(&out, str_from_c(coded)));
            assert_true(str_same(buf_str(&out), str_from_c(rows[i].plain)));
            buf_clear(&out);
        }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        if (unitext_decode(&out, str_from_c(bad[i])))
            fail_msg("accepted %s", bad[i]);
    buf_clear(&out);
    unitext_encode(&out, S("a\xff"), true);
    assert_true(str_same(buf_str(&out), S("a\\x{FFFD}")));
    buf_free(&out);
}

static void test_orcpt(void **state)
{
    static const struct {
        const char *in, *type, *address;
    } rows[] = {
        {"rfc822;Bob@Big-Bucks.COM", "rfc822", "Bob@Big-Bucks.COM"}, /* RFC 3461 §9.1 */
        {"rfc822;a+2Bb@a.test", "rfc822", "a+b@a.test"},
        {"UTF-8;gr\\x{FC}@a.test", "UTF-8", "gr\xc3\xbc@a.test"},
        {"x400;/C=US/", NULL, NULL}, /* "=" must be escaped */
        {"rfc822;", NULL, NULL},
        {";a@b.test", NULL, NULL},
        {"a@b.test", NULL, NULL},
        {"rfc 822;a@b.test", NULL, NULL},
    };
    struct buf out = buf_make(100);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct orcpt o;

        if (parse_orcpt(str_from_c(rows[i].in), &o) != (rows[i].type != NULL))
            fail_msg("%s", rows[i].in);
        if (!rows[i].type)
            continue;
        orcpt_decode(&out, &o);
        assert_true(str_same(o.type, str_from_c(rows[i].type)));
        assert_true(str_same(buf_str(&out), str_from_c(rows[i].address)));
        buf_clear(&out);
    }
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_xtext),
        cmocka_unit_test(test_unitext),
        cmocka_unit_test(test_orcpt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
