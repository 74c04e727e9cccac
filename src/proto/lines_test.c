/* Each input is fed whole, and again in pieces of every size: the lines must be the same. */
#include "proto/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define ROW(e, in, out, why)                                                                           \
    {                                                                                                  \
        e, {in, sizeof(in) - 1}, out, why                                                              \
    }

/* Lines joined by "|", a line too long as "#". */
static void read_all(struct lines *l, struct str in, struct buf *out)
{
    enum line_result r;
    struct str line;

    while ((r = take_line(l, &in, &line)) != LINE_NONE) {
        buf_add(out, r == LINE_TOO_LONG ? S("#") : line);
        buf_add_char(out, '|');
    }
    assert_int_equal(in.n, 0);
}

static void read_in_pieces(struct lines *l, struct str in, size_t piece, struct buf *out)
{
    for (; in.n; in = str_from(in, piece))
        read_all(l, str_upto(in, piece), out);
}

static void test_lines(void **state)
{
    static const struct {
        enum line_end end;
        struct str in;
        const char *out;
        const char *why;
    } rows[] = {
        ROW(LINE_END_CRLF, "NOOP\r\nQUIT\r\n", "NOOP|QUIT|", "two commands"),
        ROW(LINE_END_CRLF, "\r\n\r\n", "||", "empty lines are lines"),
        ROW(LINE_END_CRLF, "A\nB\r\n", "A\nB|", "RFC 5321 §2.3.8: LF alone ends nothing"),
        ROW(LINE_END_CRLF, "A\rB\r\n", "A\rB|", "nor does CR"),
        ROW(LINE_END_CRLF, "A\r\r\n", "A\r|", "only the last CR belongs to the end"),
        ROW(LINE_END_CRLF, "\n\r\nA\r\n", "\n|A|", "LF first"),
        ROW(LINE_END_CRLF, "12345678\r\n", "12345678|", "exactly the limit"),
        ROW(LINE_END_CRLF, "123456789\r\nA\r\n", "#|A|", "one more"),
        ROW(LINE_END_CRLF, "123456789012345678901234567890\r\nA\r\n", "#|A|",
            "reported once, at its end"),
        ROW(LINE_END_CRLF, "1234567890123\n45\r6\r\nA\r\n", "#|A|",
            "bare ones do not end a skipped line either"),
        ROW(LINE_END_CRLF, "123456789\r\n123456789\r\n", "#|#|", "two too long"),
        ROW(LINE_END_CRLF, "A\r\nB", "A|", "the rest has not come"),
        ROW(LINE_END_LF, "A\nB\r\nC\n", "A|B|C|", "LF is enough when asked"),
        ROW(LINE_END_LF, "123456789AB\nC\n", "#|C|", "LF ends a skipped line"),
    };
    struct buf out = buf_make(1000);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        for (size_t piece = 1; piece <= rows[i].in.n; piece++) {
            struct lines l = lines_make(10, rows[i].end);

            read_in_pieces(&l, rows[i].in, piece, &out);
            if (!str_same(buf_str(&out), str_from_c(rows[i].out)))
                fail_msg("row %zu, pieces of %zu: %s: got %.*s", i, piece, rows[i].why,
                         STR_ARG(buf_str(&out)));
            buf_clear(&out);
            lines_free(&l);
        }
    buf_free(&out);
}

static void test_forgotten(void **state)
{
    struct lines l = lines_make(100, LINE_END_CRLF);
    struct str in = S("MAIL FROM:<smug"), line;

    (void)state;
    assert_int_equal(take_line(&l, &in, &line), LINE_NONE);
    assert_true(str_same(lines_waiting(&l), S("MAIL FROM:<smug")));
    lines_forget(&l);
    in = S("EHLO a\r\n");
    assert_int_equal(take_line(&l, &in, &line), LINE_TAKEN);
    assert_true(str_same(line, S("EHLO a")));
    assert_int_equal(lines_waiting(&l).n, 0);
    lines_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
