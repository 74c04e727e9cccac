/* Content-Type and its parameters, as they should be and as they come. */
#include "mail/content.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_content_types(void **state)
{
    static const struct {
        const char *in, *out; /* type/subtype, then name=value| for each parameter */
    } rows[] = {
        {" text/plain; charset=us-ascii (Plain text)",
         "text/plain charset=us-ascii|"}, /* RFC 2045 §5.1 */
        {" text/plain; charset=\"us-ascii\"", "text/plain charset=us-ascii|"},
        {"TEXT / (c) HTML\r\n ;charset = \"a;b\\\"c\"", "TEXT/HTML charset=a;b\"c|"},
        {"image/png; name=a b; x=y", "image/png name=a|x=y|"},
        {"a/b; filename*0*=UTF-8''x; filename*1=y",
         "a/b filename*0*=UTF-8''x|filename*1=y|"}, /* RFC 2231 */
        {"a/b;; =x; y; z=", "a/b z=|"},
        {"a/b; q=\"open", "a/b q=open|"},
        {"a/b", "a/b "},
        {"text", NULL},
        {"", NULL},
        {"/b", NULL},
        {"a/", NULL},
    };
    struct buf out = buf_make(1000), value = buf_make(1000);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct content_type t;
        struct str name;

        if (parse_content_type(str_from_c(rows[i].in), &t) != (rows[i].out != NULL))
            fail_msg("row %zu", i);
        if (!rows[i].out)
            continue;
        buf_printf(&out, "%.*s/%.*s ", STR_ARG(t.type), STR_ARG(t.subtype));
        while (take_param(&t.params, &name, &value))
            buf_printf(&out, "%.*s=%.*s|", STR_ARG(name), STR_ARG(buf_str(&value)));
        if (!str_same(buf_str(&out), str_from_c(rows[i].out)))
            fail_msg("row %zu: got %.*s", i, STR_ARG(buf_str(&out)));
        buf_clear(&out);
    }
    buf_free(&out);
    buf_free(&value);
}

static void test_find(void **state)
{
    struct buf value = buf_make(1000);

    (void)state;
    assert_true(find_param(S("; a=1; B=2; b=3"), S("b"), &value));
    assert_true(str_same(buf_str(&value), S("2")));
    assert_false(find_param(S("; a=1"), S("b"), &value));
    assert_int_equal(value.n, 0);
    buf_free(&value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content_types),
        cmocka_unit_test(test_find),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
