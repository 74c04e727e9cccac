/* What can be quoted, what must be a literal. */
#include "proto/imap_string.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_strings(void **state)
{
    static const struct {
        struct str in;
        const char *out;
    } rows[] = {
        {{NULL, 0}, "NIL"},
        {{"", 0}, "\"\""},
        {{"a\tb", 3}, "\"a\tb\""},
        {{"\"\\", 2}, "\"\\\"\\\\\""},
        {{"\xc3\xbc", 2}, "{2}\r\n\xc3\xbc"},
        {{"a\r\nb", 4}, "{4}\r\na\r\nb"},
        {{"a\0b", 3}, "{3}\r\na b"},
    };
    struct buf out = buf_make(100);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        imap_nstring_write(&out, rows[i].in);
        if (!str_same(buf_str(&out), str_from_c(rows[i].out)))
            fail_msg("row %zu: got %.*s", i, STR_ARG(buf_str(&out)));
        buf_clear(&out);
    }
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_strings)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
