/* Names on the wire and inside, and LIST's wildcards. */
#include "proto/imap_name.h"

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

static void test_utf7(void **state)
{
    static const struct {
        const char *in, *out; /* out NULL: refused */
        const char *why;
    } rows[] = {
        {"~peter/mail/&U,BTFw-/&ZeVnLIqe-",
         "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
         "RFC 3501 §5.1.3"},
        {"&Jjo-!", "\xe2\x98\xba!", "likewise"},
        {"&U,BTF2XlZyyKng-", "\xe5\x8f\xb0\xe5\x8c\x97\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
         "likewise"},
        {"Entw&APw-rfe", "Entw\xc3\xbcrfe", "one character, bits left over"},
        {"&2D3cqQ-", "\xf0\x9f\x92\xa9", "a surrogate pair"},
        {"a&-b", "a&b", "an ampersand"},
        {"&-", "&", "alone"},
        {"&Jjo-&-", "\xe2\x98\xba&", "behind a shift"},
        {"&-&-", "&&", "two"},
        {"%*&Jjo-*", "%*\xe2\x98\xba*", "wildcards of LIST"},
        {"", "", "nothing"},
        {"&Jjo!", NULL, "RFC 3501 §5.1.3: no shift back"},
        {"&U,BTFw-&ZeVnLIqe-", NULL, "likewise: a superfluous shift"},
        {"&AGE-", NULL, "\"a\" needs no shift"},
        {"&ACY-", NULL, "nor does \"&\", but as \"&-\""},
        {"&AAA-", NULL, "NUL"},
        {"&2D0-", NULL, "half a pair"},
        {"&3Kk-", NULL, "the other half"},
        {"&2D3YPQ-", NULL, "two first halves"},
        {"&2D0AYQ-", NULL, "half a pair before \"a\""},
        {"&APx-", NULL, "bits that say nothing must be zero"},
        {"&APwA-", NULL, "six of them are a digit too many"},
        {"&AP/w-", NULL, "\"/\" is no digit here"},
        {"&APw=-", NULL, "no padding"},
        {"&", NULL, "open"},
        {"\xc3\xbc", NULL, "8-bit"},
        {"a\tb", NULL, "not printable"},
    };
    struct buf b = buf_make(1000), back = buf_make(1000);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        bool ok;

        buf_clear(&b), buf_clear(&back);
        ok = imap_utf7_decode(&b, str_from_c(rows[i].in));
        if (ok != (rows[i].out != NULL) || (ok && !str_same(buf_str(&b), str_from_c(rows[i].out))))
            fail_msg("%s (%s): got %.*s", rows[i].in, rows[i].why, STR_ARG(buf_str(&b)));
        if (!ok)
            continue;
        imap_utf7_encode(&back, buf_str(&b));
        if (!str_same(buf_str(&back), str_from_c(rows[i].in)))
            fail_msg("%s: back as %.*s", rows[i].in, STR_ARG(buf_str(&back)));
    }
    buf_free(&b);
    buf_free(&back);
}

static void test_read(void **state)
{
    static const struct {
        struct str in;
        bool utf8;
        const char *out; /* NULL: refused */
    } rows[] = {
#define ROW(in, utf8, out) {{in, sizeof(in) - 1}, utf8, out}
        ROW("inbox", false, "INBOX"),
        ROW("iNBOX/Sent", true, "INBOX/Sent"),
        ROW("inboxes", false, "inboxes"),
        ROW("a/inbox", false, "a/inbox"),
        ROW("Entw&APw-rfe", false, "Entw\xc3\xbcrfe"),
        ROW("Entw&APw-rfe", true, "Entw&APw-rfe"),
        ROW("Entw\xc3\xbcrfe", true, "Entw\xc3\xbcrfe"),
        ROW("R&\xc3\xbc", false, "R&\xc3\xbc"),
        ROW("cafe\xcc\x81", true, "caf\xc3\xa9"), /* composed */
        ROW("cafe\xcc\x81", false, "caf\xc3\xa9"),
        ROW("cafe&AwE-", false, "caf\xc3\xa9"),
        ROW("inbox/\xe2\x84\xab", true, "INBOX/\xc3\x85"), /* ANGSTROM SIGN */
        ROW("%*\xcc\x81", true, "%*\xcc\x81"),             /* nothing to join it with */
        ROW("R&D", false, NULL),
        ROW("R&D", true, "R&D"),
        ROW("Entw\xfcrfe", true, NULL),
        ROW("Entw\xfcrfe", false, NULL),
        ROW("a\0b", false, NULL),
        ROW("", false, ""),
#undef ROW
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct str name;
        const char *why = imap_name_read(arena, rows[i].in, rows[i].utf8, &name);

        if (!why != (rows[i].out != NULL) || (!why && !str_same(name, str_from_c(rows[i].out))))
            fail_msg("row %zu %.*s: %s", i, STR_ARG(rows[i].in), why ? why : "taken");
    }
}

static void test_check(void **state)
{
    static const struct {
        const char *name;
        bool good;
    } rows[] = {
        {"INBOX", true},
        {"a/b c/\xe6\x97\xa5", true},
        {"...", true},
        {"", false},
        {"/a", false},
        {"a/", false},
        {"a//b", false},
        {"a/../b", false},
        {".", false},
        {"a*", false},
        {"100%", false},
        {"a\tb", false},
        {"a\x7f", false},
        {"a\xc2\x85", false},     /* C1 */
        {"a\xe2\x80\xa8", false}, /* U+2028 */
        {"a\xe2\x80\xa9", false}, /* U+2029 */
        {"a\xe2\x80\xaa", true},  /* U+202A */
        {"\xef\xbb\xbf", false},  /* U+FEFF in front: a byte order mark (RFC 5198 §2) */
        {"a\xef\xbb\xbf", true},
        {"a\xef\xbf\xbf", false},     /* U+FFFF */
        {"a\xf0\x9f\xbf\xbe", false}, /* U+1FFFE */
        {"a\xef\xb7\x90", false},     /* U+FDD0 */
        {"a\xfc", false},
        {"1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20", true},
        {"1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/21", false},
    };
    char long_level[IMAP_NAME_LEVEL_MAX + 1];
    struct buf b = buf_make(2000);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (!imap_name_check(str_from_c(rows[i].name)) != rows[i].good)
            fail_msg("\"%s\"", rows[i].name);
    memset(long_level, 'x', sizeof(long_level));
    assert_non_null(imap_name_check((struct str){long_level, sizeof(long_level)}));
    assert_null(imap_name_check((struct str){long_level, sizeof(long_level) - 1}));
    while (b.n < IMAP_NAME_MAX)
        buf_add_char(&b, b.n % 200 == 199 ? IMAP_DELIMITER : 'x');
    b.p[b.n - 1] = 'x';
    assert_null(imap_name_check(buf_str(&b)));
    buf_add_char(&b, 'x');
    assert_non_null(imap_name_check(buf_str(&b)));
    buf_free(&b);
}

static void test_levels(void **state)
{
    (void)state;
    assert_true(str_same(imap_name_parent(S("a/b/c")), S("a/b")));
    assert_true(str_same(imap_name_leaf(S("a/b/c")), S("c")));
    assert_int_equal(imap_name_parent(S("a")).n, 0);
    assert_true(str_same(imap_name_leaf(S("a")), S("a")));
    assert_int_equal(imap_name_levels(S("a/b/c")), 3);
    assert_true(imap_name_is_below(S("a/b"), S("a")));
    assert_true(imap_name_is_below(S("a"), S("")));
    assert_false(imap_name_is_below(S("a"), S("a")));
    assert_false(imap_name_is_below(S("ab/c"), S("a")));
    assert_false(imap_name_is_below(S("a/"), S("a")));
}

static void test_patterns(void **state)
{
    static const struct {
        const char *pattern, *name;
        bool matches, below;
    } rows[] = {
        {"*", "a", true, true},
        {"*", "a/b", true, true},
        {"%", "a", true, false},
        {"%", "a/b", false, false},
        {"%/%", "a/b", true, false},
        {"%/%", "a", false, true},
        {"a/%", "a/b", true, false},
        {"a/%", "a", false, true},
        {"a*", "a/b", true, true},
        {"a*", "ab", true, true},
        {"a%", "a/b", false, false},
        {"%b", "ab", true, false},
        {"%b%b", "abcb", true, false},
        {"%b%b", "abc", false, false},
        {"*b/c", "a/b/c", true, true},
        {"%*", "a/b", true, true},
        {"*%", "a/b", true, true},
        {"a/*/c", "a/b/b/c", true, true},
        {"a/*/c", "a/c", false, true},
        {"%a%/%b*", "xax/yby/z", true, true},
        {"b", "a", false, false},
        {"b/c", "a", false, false},
        {"b/c", "b", false, true},
        {"", "a", false, false},
        {"INBOX", "INBOX", true, false},
        {"inb%", "INBOX", true, false},
        {"inbox/%", "INBOX/a", true, false},
        {"inbox/A", "INBOX/a", false, false},
        {"INBOX", "a", false, false},
        {"*", "", true, true},
        {"%", "", true, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct str pattern = str_from_c(rows[i].pattern), name = str_from_c(rows[i].name);

        if (imap_pattern_matches(pattern, name) != rows[i].matches ||
            imap_pattern_may_match_below(pattern, name) != rows[i].below)
            fail_msg("%s on %s", rows[i].pattern, rows[i].name);
    }
}

static void test_a_bad_pattern_takes_no_time(void **state)
{
    struct buf pattern = buf_make(BUF_UNLIMITED), name = buf_make(BUF_UNLIMITED);

    (void)state;
    for (size_t i = 0; i < IMAP_NAME_MAX; i++) {
        buf_add(&pattern, S("*a"));
        buf_add(&name, S("a"));
    }
    assert_true(imap_pattern_matches(buf_str(&pattern), buf_str(&name)));
    name.p[IMAP_NAME_MAX - 1] = 'b';
    assert_false(imap_pattern_matches(buf_str(&pattern), buf_str(&name)));
    buf_add(&pattern, S("*a"));
    assert_false(imap_pattern_matches(buf_str(&pattern), buf_str(&name)));
    buf_free(&pattern);
    buf_free(&name);
}

static void test_join(void **state)
{
    static const struct {
        const char *reference, *pattern, *out;
    } rows[] = {
        {"", "%", "%"},     {"a/", "%", "a/%"},     {"a", "%", "a%"},
        {"a/", "/b", "/b"}, {"in", "box", "INBOX"}, {"a", "", "a"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct str got =
            imap_pattern_join(arena, str_from_c(rows[i].reference), str_from_c(rows[i].pattern));

        if (!str_same(got, str_from_c(rows[i].out)))
            fail_msg("row %zu: %.*s", i, STR_ARG(got));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf7),     cmocka_unit_test(test_read),
        cmocka_unit_test(test_check),    cmocka_unit_test(test_levels),
        cmocka_unit_test(test_patterns), cmocka_unit_test(test_a_bad_pattern_takes_no_time),
        cmocka_unit_test(test_join),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
