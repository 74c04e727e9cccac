/* What is written, and that it can be read again. */
#include "proto/imap_write.h"

#include "proto/imap_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct buf out;

static int begin(void **state)
{
    (void)state;
    out = buf_make(10000);
    return 0;
}

static int end(void **state)
{
    (void)state;
    buf_free(&out);
    return 0;
}

static void expect(const char *what, const char *why)
{
    if (!str_same(buf_str(&out), str_from_c(what)))
        fail_msg("%s: got %.*s", why, STR_ARG(buf_str(&out)));
    buf_clear(&out);
}

#define STR(lit)                                                                                       \
    {                                                                                                  \
        lit, sizeof(lit) - 1                                                                           \
    }

static void test_astrings(void **state)
{
    static const struct {
        struct str in;
        bool utf8;
        const char *out;
    } rows[] = {
        {STR("Sent"), false, "Sent"},
        {STR("a]b"), false, "a]b"},
        {STR("nil"), false, "\"nil\""},
        {STR(""), false, "\"\""},
        {STR("a b"), false, "\"a b\""},
        {STR("a*"), false, "\"a*\""},
        {STR("a\"b\\"), false, "\"a\\\"b\\\\\""},
        {STR("\xc3\xbc"), false, "{2}\r\n\xc3\xbc"},
        {STR("\xc3\xbc"), true, "\"\xc3\xbc\""},
        {STR("\xfc"), true, "{1}\r\n\xfc"},
        {STR("a\r\n"), true, "{3}\r\na\r\n"},
        {STR("a\0"), true, "{2}\r\na "},
    };
    struct arena *arena = arena_new(0);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct imap_parse p = imap_parse_make(arena, false);
        struct str in, back;

        imap_astring_write(&out, rows[i].in, rows[i].utf8);
        in = buf_str(&out);
        assert_true(take_imap_astring(&p, &in, &back) && in.n == 0);
        assert_true(str_same(back, rows[i].in) || i == 11);
        expect(rows[i].out, "astring");
    }
    arena_free(arena);
}

static void test_mailboxes(void **state)
{
    (void)state;
    imap_mailbox_write(&out, S("Entw\xc3\xbcrfe"), false);
    expect("Entw&APw-rfe", "modified UTF-7");
    imap_mailbox_write(&out, S("Entw\xc3\xbcrfe"), true);
    expect("\"Entw\xc3\xbcrfe\"", "UTF-8");
    imap_mailbox_write(&out, S("R&D"), false);
    expect("R&-D", "an ampersand");
    imap_mailbox_write(&out, S("R&D"), true);
    expect("R&D", "as it is");
}

static void test_flags(void **state)
{
    static const struct str names[] = {STR("$Junk"), {NULL, 0}, STR("Work")};
    static const struct imap_keyword_names keywords = {names, 3};

    (void)state;
    imap_flag_list_write(&out, 0, &keywords);
    expect("()", "none");
    imap_flag_list_write(&out, IMAP_SYSTEM_FLAGS | IMAP_RECENT, &keywords);
    expect("(\\Seen \\Answered \\Flagged \\Deleted \\Draft \\Recent)", "all");
    imap_flag_list_write(&out, IMAP_SEEN | 64 | 256 | 512 | 1024 | 2048 | UINT64_C(1) << 63, &keywords);
    expect("(\\Seen $Junk Work)", "keywords, and bits that are nobody's");
    imap_flags_write(&out, 1024, &keywords);
    expect("Work", "without brackets");
    assert_true(str_same(imap_flag_name(IMAP_DRAFT), S("\\Draft")));
}

static void test_status(void **state)
{
    static const struct imap_range from[] = {{304, 304}, {319, 320}}, to[] = {{3956, 3958}};
    struct imap_set f = {.ranges = from, .count = 2}, t = {.ranges = to, .count = 1};

    (void)state;
    imap_untagged(&out, "OK", S("UIDNEXT 4392"), S("Predicted next UID"), false);
    expect("* OK [UIDNEXT 4392] Predicted next UID\r\n", "RFC 9051 §6.3.2");
    imap_tagged(&out, S("A1"), "NO", STR_NONE, S("a\r\nb \xc3\xbc \xff"), false);
    expect("A1 NO a  b ? ?\r\n", "a text cannot end the line");
    imap_tagged(&out, S("A1"), "NO", STR_NONE, S("\xc3\xbc\xff"), true);
    expect("A1 NO \xc3\xbc?\r\n", "UTF-8");
    imap_code_copyuid(&out, 38505, &f, &t);
    expect("COPYUID 38505 304,319:320 3956:3958", "RFC 4315 §3");
    imap_code_appenduid(&out, 38505, &t);
    expect("APPENDUID 38505 3956:3958", "RFC 3502");
    imap_code_inprogress(&out, S("A001"), 454, 1000);
    expect("INPROGRESS (\"A001\" 454 1000)", "RFC 9585 §4");
    imap_code_inprogress(&out, S("A]1"), 0, 1);
    expect("INPROGRESS (NIL 0 1)", "a tag that ends the code");
    imap_code_inprogress(&out, S("A"), 1000, 1000);
    expect("INPROGRESS (\"A\" NIL NIL)", "the goal is greater than what is done");
    imap_code_inprogress(&out, S("A"), 7, 0);
    expect("INPROGRESS (\"A\" NIL NIL)", "no goal");
    imap_code_inprogress(&out, S("A"), 7, UINT64_C(1) << 32);
    expect("INPROGRESS (\"A\" NIL NIL)", "a number has 32 bits");
    imap_literal8_head(&out, 4294967296);
    expect("~{4294967296}\r\n", "literal8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_astrings),
        cmocka_unit_test(test_mailboxes),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_status),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
