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

static void test_broken(void **state)
{
    static const struct {
        const char *in;
        size_t well_formed, broken;
    } rows[] = {
        {"", 0, 0},
        {"0123456789012345678901234567890123\x80x", 34, 1},
        {"\xc3\xbc\xc3\xbc\xc3", 4, 0},
        {"\xc0\x80", 0, 1},     /* overlong */
        {"\xe0\x9f\x80", 0, 1}, /* overlong */
        {"\xed\xa0\x80", 0, 1}, /* a surrogate */
        {"\xe2\x82x", 0, 2},
        {"\xe2\x82", 0, 0},
        {"\xf0\x9f\x98x", 0, 3},
        {"\xf4\x90\x80\x80", 0, 1}, /* beyond 0x10ffff */
        {"\xff", 0, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct str in = str_from_c(rows[i].in);
        size_t n = utf8_length(in);

        if (n != rows[i].well_formed || utf8_broken_length(str_from(in, n)) != rows[i].broken)
            fail_msg("row %zu: %zu, %zu", i, n, utf8_broken_length(str_from(in, n)));
        assert_true(is_utf8(in) == (n == in.n));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_code_points),
                                       cmocka_unit_test(test_broken)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
