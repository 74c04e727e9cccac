/* Each charset by the characters in which it differs from its neighbours. */
#include "mail/charset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_charsets(void **state)
{
    static const struct {
        const char *charset, *in, *out;
    } rows[] = {
        {"utf-8", "gr\xc3\xbc", "gr\xc3\xbc"},
        {"UTF-8", "a\xc3", "a\xef\xbf\xbd"},
        {"", "gr\xc3\xbc", "gr\xc3\xbc"},
        {"us-ascii", "a", "a"},
        {"ISO-8859-1", "\xa4\xe9\x80", "\xc2\xa4\xc3\xa9\xe2\x82\xac"},
        {"windows-1252", "\x93x\x94", "\xe2\x80\x9cx\xe2\x80\x9d"},
        {"iso-8859-15", "\xa4\xe9", "\xe2\x82\xac\xc3\xa9"},
        {"klingon", "a", NULL},
    };
    struct buf out = buf_make(100);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        bool good = charset_to_utf8(&out, str_from_c(rows[i].charset), str_from_c(rows[i].in));

        if (good != (rows[i].out != NULL) || !str_same(buf_str(&out), str_from_c(rows[i].out)))
            fail_msg("row %zu: got %.*s", i, STR_ARG(buf_str(&out)));
        buf_clear(&out);
    }
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_charsets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
