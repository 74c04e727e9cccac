#include "vault/search/terms.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void terms(void **state)
{
    static const struct {
        struct str text;
        const char *expected; /* NULL: the index cannot be asked */
    } rows[] = {
        {S("ABC"), "\"ABC\""},
        {S("ABCDE"), "\"ABC\" \"BCD\" \"CDE\""},
        {S("AB"), NULL},
        {S(""), NULL},
        {S("\xc3\x84\xc3\x96"), NULL}, /* four bytes, two characters */
        {S("\xc3\x84\xc3\x96\xe2\x82\xac"), "\"\xc3\x84\xc3\x96\xe2\x82\xac\""},
        {S("A\"B\""), "\"A\"\"B\" \"\"\"B\"\"\""},
        {S("OR *)("), "\"OR \" \"R *\" \" *)\" \"*)(\""},
        {S("AB\nCD"), NULL}, /* may lie across header and body, which are indexed apart */
        {S("AB\0CD"), NULL},
        {S("AB\xff"), NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct buf b = buf_make(BUF_UNLIMITED);
        bool asked = terms_of(&b, rows[i].text);

        if (asked != (rows[i].expected != NULL) ||
            (asked && !str_same(buf_str(&b), str_from_c(rows[i].expected))))
            fail_msg("row %zu: %.*s", i, STR_ARG(buf_str(&b)));
        buf_free(&b);
    }
}

static void a_long_text_has_few(void **state)
{
    struct buf text = buf_make(BUF_UNLIMITED), b = buf_make(BUF_UNLIMITED);

    (void)state;
    for (int i = 0; i < 10000; i++)
        buf_add_char(&text, (char)('A' + i % 26));
    assert_true(terms_of(&b, buf_str(&text)));
    assert_true(b.n < 16 * 6);
    buf_free(&text);
    buf_free(&b);
}

static void nuls_go(void **state)
{
    struct buf b = buf_make(BUF_UNLIMITED), none = buf_make(10);

    (void)state;
    buf_add(&b, S("\0A\0\0B\0"));
    terms_prepare(&b);
    assert_true(str_same(buf_str(&b), S("\1A\1\1B\1")));
    terms_prepare(&none);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(terms),
        cmocka_unit_test(a_long_text_has_few),
        cmocka_unit_test(nuls_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
