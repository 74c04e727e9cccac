/* The tokens of RFC 9051 §9, one table each. A row's rest is what must be left over. */
#include "proto/imap_token.h"

#include "base/buf.h"
#include "proto/imap_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct arena *arena;

static int begin(void **state)
{
    (void)state;
    arena = arena_new(0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

typedef bool take_fn(struct imap_parse *, struct str *, struct str *);

static bool tag(struct imap_parse *p, struct str *in, struct str *out)
{
    (void)p;
    return take_imap_tag(in, out);
}

static bool atom(struct imap_parse *p, struct str *in, struct str *out)
{
    (void)p;
    return take_imap_atom(in, out);
}

#define STR(lit)                                                                                       \
    {                                                                                                  \
        lit, sizeof(lit) - 1                                                                           \
    }

static void test_strings(void **state)
{
    static const struct {
        take_fn *take;
        struct str in;
        const char *out, *rest; /* out NULL: refused */
        const char *why;
    } rows[] = {
        {tag, STR("A001 NOOP"), "A001", " NOOP", "a tag"},
        {tag, STR("a]1 x"), "a]1", " x", "ASTRING-CHAR"},
        {tag, STR("a+b x"), "a", "+b x", "without the plus: the caller finds no space"},
        {tag, STR("+ x"), NULL, NULL, "a plus alone"},
        {tag, STR(""), NULL, NULL, "nothing"},
        {atom, STR("$Junk)"), "$Junk", ")", "an atom"},
        {atom, STR("a]"), "a", "]", "resp-specials"},
        {atom, STR("\xc3\xbc"), NULL, NULL, "8-bit is no CHAR"},
        {atom, STR("a\x7f"), "a", "\x7f", "DEL is a CTL"},
        {take_imap_astring, STR("a]b c"), "a]b", " c", "ASTRING-CHAR"},
        {take_imap_astring, STR("\"a b\" c"), "a b", " c", "quoted"},
        {take_imap_astring, STR("\"\""), "", "", "empty"},
        {take_imap_astring, STR("\"a\\\"b\\\\c\"x"), "a\"b\\c", "x", "escaped"},
        {take_imap_astring, STR("\"\\\\\""), "\\", "", "a backslash at the end"},
        {take_imap_astring, STR("\"a\\"), NULL, NULL, "cut in an escape"},
        {take_imap_astring, STR("\"\\a\""), NULL, NULL, "not everything can be escaped"},
        {take_imap_astring, STR("\"abc"), NULL, NULL, "no end"},
        {take_imap_astring, STR("\"a\nb\""), NULL, NULL, "TEXT-CHAR has no LF"},
        {take_imap_astring, STR("\"a\0b\""), NULL, NULL, "nor NUL"},
        {take_imap_astring, STR("\"gr\xc3\xbc\xc3\x9f\""), "gr\xc3\xbc\xc3\x9f", "", "UTF-8"},
        {take_imap_astring, STR("\"gr\xfc\""), NULL, NULL, "Latin 1"},
        {take_imap_astring, STR("*\"gr\xc3\xbc\" x"), "gr\xc3\xbc", " x", "RFC 5738's form"},
        {take_imap_astring, STR("*x"), NULL, NULL, "a wildcard is no atom"},
        {take_imap_astring, STR("{3}\r\na\r\nb"), "a\r\n", "b", "a literal"},
        {take_imap_astring, STR("{0}\r\n)"), "", ")", "an empty one"},
        {take_imap_astring, STR("{2}\r\n\xfc\xe4"), "\xfc\xe4", "", "CHAR8"},
        {take_imap_astring, STR("{2}\r\na\0"), NULL, NULL, "no NUL"},
        {take_imap_astring, STR("{4}\r\nabc"), NULL, NULL, "cut"},
        {take_imap_astring, STR("{99999999999999999999}\r\nabc"), NULL, NULL, "longer than memory"},
        {take_imap_astring, STR("~{1}\r\na"), "~", "{1}\r\na", "a literal8 is no string"},
        {take_imap_astring, STR("(a)"), NULL, NULL, "a list"},
        {take_imap_literal8, STR("~{3}\r\na\1b"), "a\1b", "", "a literal8"},
        {take_imap_literal8, STR("{1}\r\na"), NULL, NULL, "a literal"},
        {take_imap_nstring, STR("nil)"), NULL, ")", "NIL"},
        {take_imap_nstring, STR("\"NIL\""), "NIL", "", "not NIL"},
        {take_imap_list_mailbox, STR("%/a* x"), "%/a*", " x", "wildcards"},
        {take_imap_list_mailbox, STR("*"), "*", "", "one"},
        {take_imap_list_mailbox, STR("\"% *\""), "% *", "", "quoted"},
        {take_imap_list_mailbox, STR("*\"x\""), "x", "", "RFC 5738's form"},
        {take_imap_charset, STR("UTF-8 ALL"), "UTF-8", " ALL", "an atom"},
        {take_imap_charset, STR("\"utf-8\""), "utf-8", "", "quoted"},
        {take_imap_charset, STR("{5}\r\nutf-8 x"), "utf-8", " x", "a literal, as rev1 has it"},
        {take_imap_charset, STR("a]b"), "a]b", "", "an astring"},
        {take_imap_charset, STR("\"\""), NULL, NULL, "empty"},
        {take_imap_charset, STR("\"\xc3\xbc\""), NULL, NULL, "no registered name"},
        {take_imap_base64, STR("dGlt x"), "tim", " x", "base 64"},
        {take_imap_base64, STR("="), "", "", "RFC 4959: an empty response"},
        {take_imap_base64, STR("dGl"), NULL, NULL, "its padding is missing"},
        {take_imap_base64, STR(" x"), NULL, NULL, "nothing"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct imap_parse p = imap_parse_make(arena, false);
        struct str in = rows[i].in, out = {"?", 1};
        bool ok = rows[i].take(&p, &in, &out), want = rows[i].rest != NULL;

        if (ok != want || (ok && !str_same(in, str_from_c(rows[i].rest))) ||
            (ok && !str_same(out, str_from_c(rows[i].out))) || (!ok && in.p != rows[i].in.p))
            fail_msg("row %zu (%s): got \"%.*s\"", i, rows[i].why, STR_ARG(out));
    }
}

static void test_words(void **state)
{
    static const struct imap_word words[] = {{"NOT", 1}, {"NOTE", 2}, {NULL, 0}};
    struct str in = S("note x");
    unsigned v = 0;

    (void)state;
    assert_false(take_imap_word(&in, S("NOT")));
    assert_true(take_imap_word_of(&in, words, &v));
    assert_int_equal(v, 2);
    assert_true(str_same(in, S(" x")));
    assert_false(take_imap_word_of(&in, words, &v));
    in = S("not)");
    assert_true(take_imap_word(&in, S("NOT")));
}

static void test_numbers(void **state)
{
    static const struct {
        const char *in;
        bool number, nz, number64, nz64;
    } rows[] = {
        {"0", true, false, true, false},
        {"1", true, true, true, true},
        {"01", true, false, true, false},
        {"4294967295", true, true, true, true},
        {"4294967296", false, false, true, true},
        {"9223372036854775807", false, false, true, true},
        {"9223372036854775808", false, false, false, false},
        {"18446744073709551616", false, false, false, false},
        {"-1", false, false, false, false},
        {"+1", false, false, false, false},
        {"", false, false, false, false},
        {"x", false, false, false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct str a = str_from_c(rows[i].in), b = a, c = a, d = a;
        uint32_t n;
        uint64_t w;

        if (take_imap_number(&a, &n) != rows[i].number || take_imap_nz_number(&b, &n) != rows[i].nz ||
            take_imap_number64(&c, &w) != rows[i].number64 ||
            take_imap_nz_number64(&d, &w) != rows[i].nz64)
            fail_msg("\"%s\"", rows[i].in);
    }
}

static void test_bulk(void **state)
{
    struct imap_bulk in = {7, UINT64_C(0x123456789), true}, out;
    struct buf b = buf_make(100);
    struct str s;

    (void)state;
    imap_bulk_write(&b, &in);
    buf_add_char(&b, ')');
    s = buf_str(&b);
    assert_true(take_imap_bulk(&s, &out));
    assert_true(out.index == in.index && out.size == in.size && out.is_literal8);
    assert_true(str_same(s, S(")")));
    assert_false(take_imap_bulk(&s, &out));
    buf_free(&b);
}

static void test_flags(void **state)
{
    static const struct {
        const char *in;
        uint32_t system;      /* 99: refused */
        const char *keywords; /* joined by commas */
        const char *code, *why;
    } rows[] = {
        {"()", 0, "", NULL, "none"},
        {"(\\Seen)", IMAP_SEEN, "", NULL, "one"},
        {"(\\sEEN \\Answered \\Flagged \\Deleted \\Draft)", IMAP_SYSTEM_FLAGS, "", NULL, "all"},
        {"($Junk \\Seen Work $junk)", IMAP_SEEN, "$Junk,Work", NULL, "keywords, each once"},
        {"(\\Recent)", 0, "", NULL, "cannot be changed (RFC 3501 §2.3.2), and is passed over"},
        {"(\\Answer)", 99, NULL, "CANNOT", "no such flag"},
        {"(\\*)", 99, NULL, NULL, "for PERMANENTFLAGS only"},
        {"(\\Seen", 99, NULL, NULL, "open"},
        {"( \\Seen)", 99, NULL, NULL, "a space too many"},
        {"(a,b)", 0, "a,b", NULL, "a comma is an ATOM-CHAR"},
        {"(a]b)", 99, NULL, NULL, "\"]\" is none"},
        {"\\Seen", 99, NULL, NULL, "no list"},
        {"(a0123456789012345678901234567890123456789012345678901234567890123456789"
         "01234567890123456789012345678901)",
         99, NULL, "LIMIT", "too long a name"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct imap_parse p = imap_parse_make(arena, false);
        struct str in = str_from_c(rows[i].in);
        struct imap_flags f;
        struct buf b = buf_make(1000);
        bool ok = take_imap_flag_list(&p, &in, &f);

        for (size_t k = 0; ok && k < f.keyword_count; k++) {
            buf_add(&b, k ? S(",") : S(""));
            buf_add(&b, f.keywords[k]);
        }
        if (ok != (rows[i].system != 99) || (ok && f.system != rows[i].system) ||
            (ok && !str_same(buf_str(&b), str_from_c(rows[i].keywords))) ||
            (!ok && !str_same(str_from_c(p.code), str_from_c(rows[i].code))))
            fail_msg("%s: %s", rows[i].in, rows[i].why);
        buf_free(&b);
    }
}

static void test_too_many_keywords(void **state)
{
    struct imap_parse p = imap_parse_make(arena, false);
    struct buf b = buf_make(BUF_UNLIMITED);
    struct imap_flags f;
    struct str in;

    (void)state;
    for (unsigned i = 0; i <= IMAP_KEYWORDS_MAX; i++)
        buf_printf(&b, "%ck%u", i ? ' ' : '(', i);
    buf_add(&b, S(")"));
    in = buf_str(&b);
    assert_false(take_imap_flag_list(&p, &in, &f));
    assert_string_equal(p.code, "LIMIT");
    buf_free(&b);
}

static void test_dates(void **state)
{
    static const struct {
        const char *in;
        int32_t days; /* -9: refused */
    } rows[] = {
        {"1-Jan-1970", 0},      {"2-jan-1970", 1},
        {"02-Jan-1970", 1},     {"\"1-Feb-1994\"", 8797},
        {"29-Feb-2024", 19782}, {"29-Feb-2023", -9},
        {"31-Apr-2024", -9},    {"0-Jan-1970", -9},
        {"1-Jan-70", -9},       {"1-Januar-1970", -9},
        {"\"1-Jan-1970", -9},   {"123-Jan-1970", -9},
        {"31-Dec-1969", -1},    {"", -9},
    };
    struct buf b = buf_make(100);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct str in = str_from_c(rows[i].in), again;
        int32_t days = -9, back;
        bool ok = take_imap_date(&in, &days);

        if (ok != (rows[i].days != -9) || days != rows[i].days)
            fail_msg("%s: got %d", rows[i].in, days);
        if (!ok)
            continue;
        buf_clear(&b);
        imap_date_write(&b, days);
        again = buf_str(&b);
        assert_true(take_imap_date(&again, &back) && back == days);
    }
    buf_free(&b);
}

static void test_date_times(void **state)
{
    static const struct {
        const char *in;
        int64_t ms;
        int zone;
        const char *out; /* NULL: refused */
    } rows[] = {
        {"\"17-Jul-1996 02:44:25 -0700\"", 837596665000, -420, "\"17-Jul-1996 02:44:25 -0700\""},
        {"\" 7-Feb-1994 22:43:04 -0800\"", 760689784000, -480, "\" 7-Feb-1994 22:43:04 -0800\""},
        {"\"7-Feb-1994 22:43:04 -0800\"", 760689784000, -480, "\" 7-Feb-1994 22:43:04 -0800\""},
        {"\"01-Jan-1970 00:00:60 +0000\"", 59000, 0, "\" 1-Jan-1970 00:00:59 +0000\""},
        {"\"01-Jan-1970 00:30:00 +0130\"", -3600000, 90, "\" 1-Jan-1970 00:30:00 +0130\""},
        {"\"31-Dec-1899 23:59:59 +0000\"", -2208988801000, 0, "\"31-Dec-1899 23:59:59 +0000\""},
        {"\"31-Dec-9999 23:59:59 -0001\"", 0, 0, NULL}, /* 1-Jan-10000 */
        {"\"01-Jan-0000 00:00:00 +0001\"", 0, 0, NULL},
        {"\"01-Jan-1970 24:00:00 +0000\"", 0, 0, NULL},
        {"\"01-Jan-1970 00:00 +0000\"", 0, 0, NULL},
        {"\"01-Jan-1970 00:00:00\"", 0, 0, NULL},
        {"\"01-Jan-1970 00:00:00 UTC\"", 0, 0, NULL},
        {"\"01-Jan-1970 00:00:00 +0060\"", 0, 0, NULL},
        {"01-Jan-1970 00:00:00 +0000", 0, 0, NULL},
        {"\"01-Jan-1970 00:00:00 +0000", 0, 0, NULL},
    };
    struct buf b = buf_make(100);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct str in = str_from_c(rows[i].in);
        int64_t ms;
        int zone;
        bool ok = take_imap_date_time(&in, &ms, &zone);

        if (ok != (rows[i].out != NULL))
            fail_msg("%s", rows[i].in);
        if (!ok)
            continue;
        buf_clear(&b);
        imap_date_time_write(&b, ms, zone);
        if (ms != rows[i].ms || zone != rows[i].zone || !str_same(buf_str(&b), str_from_c(rows[i].out)))
            fail_msg("%s: %lld, %.*s", rows[i].in, (long long)ms, STR_ARG(buf_str(&b)));
    }
    buf_free(&b);
}

static void test_the_first_reason_stands(void **state)
{
    struct imap_parse p = imap_parse_make(arena, false);

    (void)state;
    assert_false(imap_no(&p, "CANNOT", "one"));
    assert_false(imap_bad(&p, "two"));
    assert_string_equal(p.why, "one");
    assert_string_equal(p.code, "CANNOT");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_bulk),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_too_many_keywords),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_date_times),
        cmocka_unit_test(test_the_first_reason_stands),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
