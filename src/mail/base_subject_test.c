/* RFC 5256 §2.1, rule by rule. */
#include "mail/base_subject.h"

#include "base/utf8.h"
#include "mail/casemap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_subjects(void **state)
{
    static const struct {
        const char *in, *base;
        bool is_reply;
    } rows[] = {
        {"", "", false},
        {"hello", "hello", false},
        {"  hello \t", "hello", false},
        {"Re: hello", "hello", true},
        {"re : hello", "hello", true},
        {"FW: hello", "hello", true},
        {"Fwd:hello", "hello", true},
        {"Re: Fwd: RE: hello", "hello", true},
        {"Re[2]: hello", "hello", true},
        {"Re [2] : hello", "hello", true},
        {"Ref: hello", "Ref: hello", false},
        {"hello (fwd)", "hello", true},
        {"hello (FWD) (fwd) ", "hello", true},
        {"[list] hello", "hello", false},
        {"[list][b] hello", "hello", false},
        {"[list] Re: [list] hello", "hello", true},
        {"Re: [list] hello", "hello", true},
        {"[list]", "[list]", false},
        {"[list] [b]", "[b]", false},
        {"Re: [list]", "[list]", true},
        {"[a] (fwd)", "[a]", true},
        {"[Fwd: hello]", "hello", true},
        {"[fwd: Re: [fwd: hello]]", "hello", true},
        {"[fwd: [list] hello]", "hello", true},
        {"[fwd: [list]]", "[list]", true},
        {"[fwd:]", "", true},
        {"[fwd: ]", "", true},
        {"[fwd: hello", "[fwd: hello", false},
        {"[a] [fwd: [b]]", "[b]", true},
        {"[a[b] c", "[a[b] c", false},
        {"Re:", "", true},
        {"(fwd)", "", true},
        {"Re: =?iso-8859-1?Q?Re:_gr=FC=DF?=\r\n\t=?utf-8?Q?_=20=09_Gott?=", "grüß Gott", true},
        {"a \r\n  b\tc", "a b c", false},
        {"=?utf-8?Q?Re=C2=A0:_[list]=C2=A0_caf=C3=A9=C2=A0?=", "café", true},
        {"Re:\u3000a\u3000\u2003b\u202f\u205f\u200a\u2000", "a b", true},
        {"a\u200bb", "a\u200bb", false},
    };
    struct buf text = buf_make(1000);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct str base;
        bool is_reply;

        buf_clear(&text);
        subject_text(&text, str_from_c(rows[i].in));
        base = base_subject(buf_str(&text), &is_reply);
        if (!str_same(base, str_from_c(rows[i].base)) || is_reply != rows[i].is_reply)
            fail_msg("%s: \"%.*s\", %s", rows[i].in, STR_ARG(base), is_reply ? "reply" : "no reply");
    }
    buf_free(&text);
}

/* A space is what the comparator makes one, and nothing else. */
static void test_spaces(void **state)
{
    struct buf in = buf_make(20), text = buf_make(20), folded = buf_make(1000);
    size_t spaces = 0;

    (void)state;
    for (uint32_t c = 0x80; c < 0x10000; c++) {
        bool is_space;

        buf_clear(&in);
        buf_clear(&text);
        buf_clear(&folded);
        utf8_write(&folded, c);
        buf_printf(&in, "a%.*sb", STR_ARG(buf_str(&folded)));
        subject_text(&text, buf_str(&in));
        buf_clear(&folded);
        casemap(&folded, str_from(str_upto(buf_str(&in), in.n - 1), 1));
        is_space = str_same(buf_str(&folded), S(" "));
        spaces += is_space;
        if (str_same(buf_str(&text), S("a b")) != is_space)
            fail_msg("U+%04X", (unsigned)c);
    }
    assert_true(spaces > 10);
    buf_free(&in);
    buf_free(&text);
    buf_free(&folded);
}

/* No harder than reading it. */
static void test_endless(void **state)
{
    static const char *const units[] = {"[a]", "[fwd:", "Re:[", "(fwd)", "Re:", "[a] Re:"};
    struct buf text = buf_make(2000000);

    (void)state;
    for (size_t u = 0; u < sizeof(units) / sizeof(*units); u++) {
        bool is_reply;

        for (int i = 0; i < 200000; i++)
            buf_add_c(&text, units[u]);
        buf_add_c(&text, "]]]]");
        base_subject(buf_str(&text), &is_reply);
        buf_clear(&text);
    }
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_subjects), cmocka_unit_test(test_spaces),
                                       cmocka_unit_test(test_endless)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
