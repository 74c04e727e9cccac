/* RFC 4954 §4, by examples. */
#include "proto/sasl_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct row {
    const char *in;
    enum sasl_line result;
    const char *bytes;
    size_t n;
    const char *why;
};

static void check(const struct row *row, enum sasl_line (*read)(struct buf *, struct str))
{
    struct buf out = buf_make(SASL_LINE_MAX);
    enum sasl_line r = read(&out, str_from_c(row->in));

    if (r != row->result ||
        (r == SASL_BYTES && !str_same(buf_str(&out), (struct str){row->bytes, row->n})))
        fail_msg("\"%s\": %s", row->in, row->why);
    buf_free(&out);
}

static void test_initial(void **state)
{
    static const struct row rows[] = {
        {"=", SASL_BYTES, "", 0, "an empty response"},
        {"AHRpbQB0YW5zdGFhZg==", SASL_BYTES, "\0tim\0tanstaaf", 13, "PLAIN"},
        {"*", SASL_CANCEL, NULL, 0, "gave up"},
        {"", SASL_BAD, NULL, 0, "no argument is the caller's case"},
        {"==", SASL_BAD, NULL, 0, "only one"},
        {"AHRpbQB0YW5zdGFhZg", SASL_BAD, NULL, 0, "padding is missing"},
        {"AHRp bQB0", SASL_BAD, NULL, 0, "a space inside"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        check(&rows[i], sasl_initial);
}

static void test_answer(void **state)
{
    static const struct row rows[] = {
        {"", SASL_BYTES, "", 0, "an empty line is an empty response"},
        {"=", SASL_BAD, NULL, 0, "which \"=\" says only in the command"},
        {"*", SASL_CANCEL, NULL, 0, "gave up"},
        {"dGlt", SASL_BYTES, "tim", 3, "LOGIN"},
        {"**", SASL_BAD, NULL, 0, "not base 64"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        check(&rows[i], sasl_answer);
}

static void test_write(void **state)
{
    struct buf out = buf_make(100);

    (void)state;
    sasl_initial_write(&out, S(""));
    assert_true(str_same(buf_str(&out), S("=")));
    buf_clear(&out);
    sasl_initial_write(&out, S("tim"));
    assert_true(str_same(buf_str(&out), S("dGlt")));
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_initial),
        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
