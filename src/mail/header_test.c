/* Fields as they are, as they should not be, and where a header ends. */
#include "mail/header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define T(lit)                                                                                         \
    {                                                                                                  \
        lit, sizeof(lit) - 1                                                                           \
    }

static void test_fields(void **state)
{
    static const struct {
        const char *in, *out, *why; /* "[name|body]" for each field; then how the rest begins */
    } rows[] = {
        {"A: b\r\nC: d\r\n\r\nbody", "[A| b][C| d]\r\nbody", "the plain case"},
        {"A: b\r\n\tc\r\n d\r\nE:f\r\n\r\n", "[A| b\r\n\tc\r\n d][E|f]\r\n", "RFC 5322 §2.2.3: folded"},
        {"Subject : x\r\n\r\n", "[Subject| x]\r\n", "§4.5: white space before the colon"},
        {"A: b\nC: d\n\nbody", "[A| b][C| d]\nbody", "LF alone"},
        {"A: b", "[A| b]", "no line end"},
        {"A: b\r\n", "[A| b]", "no empty line"},
        {"A:\r\n\r\n", "[A|]\r\n", "an empty body"},
        {"From x Mon Jan 1 00:00:00\r\nA: b\r\n\r\n", "[|From x Mon Jan 1 00:00:00][A| b]\r\n",
         "an mbox line"},
        {"hello\r\nA: b\r\n\r\n", "[|hello][A| b]\r\n", "no colon"},
        {": x\r\n", "[|: x]", "no name"},
        {" x\r\n y\r\nA: b\r\n", "[| x\r\n y][A| b]", "a fold of nothing"},
        {"gr\xc3\xbc: x\r\n", "[|gr\xc3\xbc: x]", "RFC 6532 §3: names stay ASCII"},
        {"\r\nbody", "\r\nbody", "no header"},
        {"", "", "nothing"},
        {"A: b\r\n \r\nC: d\r\n\r\n", "[A| b\r\n ][C| d]\r\n",
         "§4.2: a fold of white space is no empty line"},
    };
    struct buf out = buf_make(1000);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct str in = str_from_c(rows[i].in);
        struct header_field f;
        size_t whole = 0;

        while (take_header_field(&in, &f)) {
            buf_printf(&out, "[%.*s|%.*s]", STR_ARG(f.name), STR_ARG(f.body));
            whole += f.whole.n;
        }
        buf_add(&out, in);
        if (!str_same(buf_str(&out), str_from_c(rows[i].out)) || whole != strlen(rows[i].in) - in.n)
            fail_msg("row %zu: %s: got %.*s", i, rows[i].why, STR_ARG(buf_str(&out)));
        buf_clear(&out);
    }
    buf_free(&out);
}

static void test_length(void **state)
{
    static const struct {
        const char *in;
        size_t n;
    } rows[] = {{"A: b\r\n\r\nbody", 8},
                {"A: b\n\nbody", 6},
                {"\r\nbody", 2},
                {"A: b\r\n", 6},
                {"A: b", 4},
                {"", 0},
                {"A: b\r\n \r\nC: d\r\n\r\nbody", 17}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (header_length(str_from_c(rows[i].in)) != rows[i].n)
            fail_msg("row %zu: %zu", i, header_length(str_from_c(rows[i].in)));
}

static void test_find(void **state)
{
    struct str header =
        S("Received: a\r\nsubject: one\r\nRECEIVED: b\r\nSubject: two\r\n\r\nReceived: c\r\n");
    struct header_field f;

    (void)state;
    assert_true(find_header_field(header, S("Subject"), &f));
    assert_true(str_same(f.body, S(" one")));
    assert_false(find_header_field(header, S("Sub"), &f));
    assert_int_equal(count_header_fields(header, S("Received")), 2);
}

static void test_unfold(void **state)
{
    static const struct {
        struct str in, out;
    } rows[] = {
        {T(" a\r\n\tb  c\r\n"), T("a\tb  c")},
        {T("\r\n a"), T("a")},
        {T(" \r\n \t"), T("")},
        {T("a\rb\0c"), T("a b c")},
        {T("a\n b"), T("a b")},
    };
    struct buf out = buf_make(100);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        header_unfold(&out, rows[i].in);
        if (!str_same(buf_str(&out), rows[i].out))
            fail_msg("row %zu: got %.*s", i, STR_ARG(buf_str(&out)));
        buf_clear(&out);
    }
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_length),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_unfold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
