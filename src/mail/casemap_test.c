/* RFC 5051 §2's example, all code points against libunistring, and finding at every cut. */
#include "mail/casemap.h"

#include "base/utf8.h"

#include <uninorm.h>
#include <unicase.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void fold_in_steps(struct buf *out, struct str in, size_t step)
{
    struct casemap c = {0};
    struct buf room = buf_make(10000);

    for (; in.n; in = str_from(in, step))
        buf_add(out, casemap_next(&c, str_upto(in, step), &room));
    buf_add(out, casemap_end(&c, &room));
    buf_free(&room);
}

static void test_folding(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"", ""},
        {"Ab@[`{z\x7f", "AB@[`{Z\x7f"},
        {"abcdefghijklmnopqrstuvwxyz0123456789 abcdefghij",
         "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ABCDEFGHIJ"},
        {"Ǆ", "Dz\xcc\x8c"}, /* RFC 5051 §2: U+0044 U+007A U+030C */
        {"café", "CAFE\xcc\x81"},
        {"CAFÉ", "CAFE\xcc\x81"},
        {"straße", "STRAßE"},
        {"ÿ", "Y\xcc\x88"},
        {"ﬁ", "fi"}, /* no title case of its own, and what it decomposes into is left as it is */
        {"привет", "ПРИВЕТ"},
        {"ς", "Σ"},
        {"한글", "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab\xe1\x84\x80\xe1\x85\xb3\xe1\x86\xaf"},
        {"中文", "中文"},
        {"ａ１", "A1"},
        {"𐐨", "𐐀"},
        {"ﷺ",
         "\xd8\xb5\xd9\x84\xd9\x89 \xd8\xa7\xd9\x84\xd9\x84\xd9\x87 \xd8\xb9\xd9\x84\xd9\x8a\xd9\x87 "
         "\xd9\x88\xd8\xb3\xd9\x84\xd9\x85"},
        {"a\xff"
         "b\xe2\x82"
         "c\xe2\x82",
         "A\xef\xbf\xbd"
         "B\xef\xbf\xbd"
         "C\xef\xbf\xbd"},
    };
    struct buf out = buf_make(1000);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct str in = str_from_c(rows[i].in);

        casemap(&out, in);
        for (size_t step = 1; step <= in.n + 1; step++) {
            if (!str_same(buf_str(&out), str_from_c(rows[i].out)))
                fail_msg("%s, by %zu: %.*s", rows[i].in, step - 1, STR_ARG(buf_str(&out)));
            buf_clear(&out);
            fold_in_steps(&out, in, step);
        }
        buf_clear(&out);
    }
    buf_free(&out);
}

static void decompose(struct buf *out, ucs4_t c)
{
    ucs4_t parts[UC_DECOMPOSITION_MAX_LENGTH];
    int tag, n = uc_decomposition(c, &tag, parts);

    if (n < 0)
        utf8_write(out, c);
    for (int i = 0; i < n; i++)
        decompose(out, parts[i]);
}

static void test_every_code_point(void **state)
{
    struct buf in = buf_make(100), out = buf_make(100), expected = buf_make(100);

    (void)state;
    for (ucs4_t c = 0; c < 0x110000; c++) {
        if (c >= 0xd800 && c <= 0xdfff)
            continue;
        utf8_write(&in, c);
        casemap(&out, buf_str(&in));
        decompose(&expected, uc_totitle(c));
        if (!str_same(buf_str(&out), buf_str(&expected)))
            fail_msg("U+%04X: %.*s, not %.*s", c, STR_ARG(buf_str(&out)), STR_ARG(buf_str(&expected)));
        buf_clear(&in);
        buf_clear(&out);
        buf_clear(&expected);
    }
    buf_free(&in);
    buf_free(&out);
    buf_free(&expected);
}

/* Texts that grow to many times their length. */
static void test_growth(void **state)
{
    struct buf in = buf_make(100000), out = buf_make(1000000);

    (void)state;
    for (int i = 0; i < 1000; i++)
        buf_add_c(&in, i % 7 ? "ﷺ" : "ordinary text between them, and more of it");
    casemap(&out, buf_str(&in));
    assert_false(out.full);
    assert_int_equal(out.n, 857 * 33 + 143 * 42);
    buf_free(&in);
    buf_free(&out);
}

static void test_limit(void **state)
{
    struct buf room = buf_make(50);
    struct casemap c = {0};

    (void)state;
    assert_int_equal(casemap_next(&c, S("far more than fits into the room that there is"), &room).n, 0);
    assert_true(room.full);
    buf_free(&room);
}

static bool find_in_steps(struct str text, struct str needle, size_t step)
{
    struct finder f = finder_make(needle);
    bool found = finder_feed(&f, STR_NONE);

    for (; text.n && !found; text = str_from(text, step))
        found = finder_feed(&f, str_upto(text, step));
    finder_free(&f);
    return found;
}

static void test_finding(void **state)
{
    static const struct {
        const char *text, *needle;
        bool found;
    } rows[] = {
        {"", "", true},
        {"abc", "", true},
        {"", "a", false},
        {"abc", "c", true},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "aab", true},
        {"abababababababababababababababababababac", "abac", true},
        {"0123456789abcdef0123456789abcdefNEEDLE", "NEEDLE", true},
        {"0123456789abcdef0123456789abcdefNEEDL", "NEEDLE", false},
        {"0123456789NEEDLEabcdef0123456789abcdef", "NEEDLE", true},
        {"0123456789NEEDlEabcdef0123456789abcdef", "NEEDLE", false},
        {"NEEDLE", "NEEDLE", true},
        {"EDLENEEDNEE", "NEEDLE", false},
        {"0123456789012345678901234567890123456789012345678901234567890123456789NEEDLE",
         "3456789012345678901234567890123456789012345678901234567890123456789NEEDLE", true},
    };
    size_t at;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct str text = str_from_c(rows[i].text), needle = str_from_c(rows[i].needle);

        for (size_t step = 1; step <= text.n + 1; step++)
            if (find_in_steps(text, needle, step) != rows[i].found)
                fail_msg("row %zu, by %zu", i, step);
        if (needle.n)
            assert_true(find_bytes(text, needle, &at) == rows[i].found);
    }
}

/* Wherever it stands among what is like it, and where it is cut off. */
static void test_positions(void **state)
{
    char text[200];
    size_t at;

    (void)state;
    for (size_t length = 2; length < 70; length++)
        for (size_t where = 0; where + length <= sizeof(text); where++) {
            struct str needle = {text + where, length};

            memset(text, 'x', sizeof(text));
            memset(text + where, 'y', length);
            text[where + length / 2] = 'z';
            assert_true(find_bytes((struct str){text, sizeof(text)}, needle, &at) && at == where);
            assert_false(find_bytes((struct str){text, where + length - 1}, needle, &at));
        }
}

/* In text that is not folded: by each two of its bytes, at the end and near it. */
static void test_unfolded(void **state)
{
    static const struct {
        const char *text, *needle;
        int at;
    } rows[] = {
        {"xxQuincunXx", "QUINCUNX", 2},
        {"xxQuincunX", "QUINCUNX", 2},
        {"Quincun", "QUINCUNX", -1},
        {"", "A", -1},
        {"a", "A", 0},
        {"aAb", "AB", 1},
        {"a-b", "A-B", 0},
        {"a\rb", "A-B", -1},
        {"\xc1\xe1", "A", -1},
        {"@[`{", "Z", -1},
        {"\x11", "1", -1},
        {"r 2 d 2 r2d2 r", "R2D2", 8},
        {"0123456789abcdef0123456789abcdexyzabcdefghijklmnopqr", "XYZ", 31},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct unfolded u = unfolded_make(str_from_c(rows[i].needle));
        size_t at;

        assert_true(u.one < u.needle.n && u.two < u.needle.n && (u.one != u.two || u.needle.n == 1));
        for (u.one = 0; u.one < u.needle.n; u.one++)
            for (u.two = 0; u.two < u.needle.n; u.two++)
                if (find_unfolded(str_from_c(rows[i].text), &u, &at) ? (int)at != rows[i].at
                                                                     : rows[i].at >= 0)
                    fail_msg("row %zu, by %zu and %zu", i, u.one, u.two);
    }
}

static void test_restart(void **state)
{
    struct finder f = finder_make(S("ab"));

    (void)state;
    assert_false(finder_feed(&f, S("xa")));
    finder_restart(&f);
    assert_false(finder_feed(&f, S("b")));
    assert_false(finder_feed(&f, S("a")));
    assert_true(finder_feed(&f, S("b")));
    finder_restart(&f);
    assert_true(finder_feed(&f, S("x")));
    finder_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folding),  cmocka_unit_test(test_every_code_point),
        cmocka_unit_test(test_growth),   cmocka_unit_test(test_limit),
        cmocka_unit_test(test_finding),  cmocka_unit_test(test_positions),
        cmocka_unit_test(test_unfolded), cmocka_unit_test(test_restart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
