/* Characters there and back. */
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_code_points(void **state)
{
    static const struct {
        uint32_t v;
        const char *out;
    } rows[] = {
        {'a', "a"},
        {0x7ff, "\xdf\xbf"},
        {0xffff, "\xef\xbf\xbf"},
        {0x10ffff, "\xf4\x8f\xbf\xbf"},
        {0xd800, "\xef\xbf\xbd"},
        {0x110000, "\xef\xbf\xbd"},
    };
    struct buf out = buf_make(100);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        utf8_write(&out, rows[i].v);
        assert_true(str_same(buf_str(&out), str_from_c(rows[i].out)));
        assert_int_equal(utf8_character_length(buf_str(&out)), out.n);
        assert_true(utf8_code_point(buf_str(&out)) == rows[i].v || rows[i].out[0] == '\xef');
        buf_clear(&out);
    }
    assert_int_equal(utf8_character_length(S("\x80")), 0);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_code_points)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
