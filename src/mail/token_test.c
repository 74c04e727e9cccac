/* Comments, quotes and tokens, whole and broken. */
#include "mail/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_cfws(void **state)
{
    static const struct {
        const char *in, *rest;
    } rows[] = {
        {" \t\r\n x", "x"}, {"(a (nested) b) x", "x"},
        {"(a)(b)x", "x"},   {"(a \\) b) x", "x"},
        {"(open", ""},      {"x", "x"},
        {"", ""},           {"(\\", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct str in = str_from_c(rows[i].in);

        skip_cfws(&in);
        if (!str_same(in, str_from_c(rows[i].rest)))
            fail_msg("row %zu: left %.*s", i, STR_ARG(in));
    }
}

static void test_taken(void **state)
{
    static const struct {
        bool (*take)(struct str *in, struct buf *out);
        const char *in, *out, *rest; /* out NULL: not taken */
    } rows[] = {
        {take_comment, "(a (b) \\) c) x", "a (b) ) c", " x"},
        {take_comment, "(open", "open", ""},
        {take_comment, "x", NULL, "x"},
        {take_quoted, "\"a b\" x", "a b", " x"},
        {take_quoted, "\"a\\\"\r\n b\"", "a\" b", ""},
        {take_quoted, "\"open", "open", ""},
        {take_quoted, "\"open\\", "open\\", ""},
        {take_quoted, "x", NULL, "x"},
    };
    struct buf out = buf_make(100);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct str in = str_from_c(rows[i].in);
        bool good = rows[i].take(&in, &out);

        if (good != (rows[i].out != NULL) || !str_same(buf_str(&out), str_from_c(rows[i].out)) ||
            !str_same(in, str_from_c(rows[i].rest)))
            fail_msg("row %zu: got %.*s, left %.*s", i, STR_ARG(buf_str(&out)), STR_ARG(in));
        buf_clear(&out);
    }
    buf_free(&out);
}

static void test_mime_token(void **state)
{
    struct str in = S("text/plain"), out;

    (void)state;
    assert_true(take_mime_token(&in, &out));
    assert_true(str_same(out, S("text")));
    assert_false(take_mime_token(&in, &out));
    assert_true(str_same(in, S("/plain")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cfws),
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_mime_token),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
