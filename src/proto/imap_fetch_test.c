/* FETCH: items, sections, modifiers. */
#include "proto/imap_rows.h"

static void test_items(void **state)
{
    static const struct row rows[] = {
        ROW("FETCH", " 2:4 (FLAGS BODY[HEADER.FIELDS (DATE FROM)])", NULL, "RFC 9051 §6.4.5"),
        ROW("FETCH", " 1 flags", " 1 (FLAGS)", "without brackets"),
        ROW("FETCH", " 4 ALL", " 4 (FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)", "RFC 9051 §6.4.5"),
        ROW("FETCH", " 4 fast", " 4 (FLAGS INTERNALDATE RFC822.SIZE)", NULL),
        ROW("FETCH", " 4 FULL", " 4 (FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY)", NULL),
        ROW("FETCH", " 4 (ALL)", "BAD", "a macro stands alone"),
        ROW("FETCH", " $ (UID INTERNALDATE FLAGS RFC822.HEADER)", NULL, "RFC 5182 §2.2"),
        ROW("FETCH",
            " 1 (UID FLAGS INTERNALDATE SAVEDATE RFC822.SIZE MODSEQ EMAILID THREADID ENVELOPE BODY "
            "BODYSTRUCTURE PREVIEW RFC822 RFC822.HEADER RFC822.TEXT)",
            NULL, "all of them"),
        ROW("FETCH", " 1 (FLAGS UID FLAGS BODY BODY[] BODY[])", " 1 (FLAGS UID BODY BODY[] BODY[])",
            "once"),
        ROW("FETCH", " 1 PREVIEW (LAZY)", " 1 (PREVIEW (LAZY))", "RFC 8970 §3.2"),
        ROW("FETCH", " 1 (PREVIEW (lazy) FLAGS)", " 1 (PREVIEW (LAZY) FLAGS)", NULL),
        ROW("FETCH", " 1 PREVIEW (CHANGEDSINCE 5)", " 1 (PREVIEW MODSEQ) (CHANGEDSINCE 5)",
            "no modifier of PREVIEW"),
        ROW("FETCH", " 1 (PREVIEW (EAGER))", "BAD", NULL),
        ROW("FETCH", " 1 (PREVIEW (LAZY lazy) FLAGS)", " 1 (PREVIEW (LAZY) FLAGS)", "RFC 8970 §6"),
        ROW("FETCH", " 1 PREVIEW (LAZY EAGER)", "BAD", NULL),
        ROW("FETCH", " 1 ()", "BAD", NULL),
        ROW("FETCH", " 1 (FLAGS", "BAD", NULL),
        ROW("FETCH", " 1 (FLAGS )", "BAD", NULL),
        ROW("FETCH", " 1 (FLAGS  UID)", "BAD", NULL),
        ROW("FETCH", " 1 FLAGS UID", "BAD", NULL),
        ROW("FETCH", " 1 FLAG", "BAD", NULL),
        ROW("FETCH", " 1 FLAGS-X", "BAD", NULL),
        ROW("FETCH", " 1 X-GM-LABELS", "BAD", NULL),
        ROW("FETCH", " 1 ", "BAD", NULL),
        ROW("FETCH", " 1", "BAD", NULL),
        ROW("FETCH", " 0 FLAGS", "BAD", NULL),
        ROW("FETCH", " FLAGS", "BAD", NULL),
    };

    (void)state;
    CHECK(rows);
}

static void test_sections(void **state)
{
    static const struct row rows[] = {
        ROW("FETCH",
            " 1 (BODY[] BODY[HEADER] BODY[TEXT] BODY[1.MIME] BODY[1.2.3] BODY[4.2.HEADER] "
            "BODY[4.2.2.TEXT])",
            NULL, "RFC 9051 §6.4.5.1"),
        ROW("FETCH", " 1 (body.peek[header.fields.not (\"x y\" to)])",
            " 1 (BODY.PEEK[HEADER.FIELDS.NOT (\"x y\" to)])", NULL),
        ROW("FETCH", " 1 (BODY[]<0.2048> BODY.PEEK[1]<100.4294967296> BINARY[2]<5.1>)", NULL,
            "partial"),
        ROW("FETCH", " 1 (BINARY[] BINARY[1.1] BINARY.PEEK[1] BINARY.SIZE[2])", NULL, "RFC 3516"),
        ROW("FETCH", " 1 BODY[HEADER.FIELDS ({2}\r\nto)]", " 1 (BODY[HEADER.FIELDS (to)])",
            "a literal"),
        ROW("FETCH", " 1 BODY[MIME]", "BAD", "of a part only"),
        ROW("FETCH", " 1 BODY[0]", "BAD", NULL),
        ROW("FETCH", " 1 BODY[1.]", "BAD", NULL),
        ROW("FETCH", " 1 BODY[1 .TEXT]", "BAD", NULL),
        ROW("FETCH", " 1 BODY[.TEXT]", "BAD", NULL),
        ROW("FETCH", " 1 BODY[TEXT.1]", "BAD", NULL),
        ROW("FETCH", " 1 BODY[HEADER.FIELDS]", "BAD", NULL),
        ROW("FETCH", " 1 BODY[HEADER.FIELDS ()]", "BAD", NULL),
        ROW("FETCH", " 1 BODY[HEADER.FIELDS (a]", "BAD", NULL),
        ROW("FETCH", " 1 BODY[HEADERS]", "BAD", NULL),
        ROW("FETCH", " 1 BODY[", "BAD", NULL),
        ROW("FETCH", " 1 BODY[]<0.0>", "BAD", "nothing at all"),
        ROW("FETCH", " 1 BODY[]<0>", "BAD", "that is the response's form"),
        ROW("FETCH", " 1 BODY[]<0.1", "BAD", NULL),
        ROW("FETCH", " 1 BODYSTRUCTURE[]", "BAD", NULL),
        ROW("FETCH", " 1 BINARY", "BAD", NULL),
        ROW("FETCH", " 1 BINARY[TEXT]", "BAD", NULL),
        ROW("FETCH", " 1 BINARY[1.HEADER]", "BAD", NULL),
        ROW("FETCH", " 1 BINARY.SIZE[1]<0.1>", "BAD", NULL),
        ROW("FETCH", " 1 RFC822[]", "BAD", NULL),
        ROW("FETCH",
            " 1 "
            "BODY[1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1."
            "1.1.1.1.1.1.1.1.1]",
            " 1 "
            "(BODY[1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1."
            "1.1.1.1.1.1.1.1.1])",
            "a message in 50 others"),
        ROW("FETCH",
            " 1 "
            "BODY[1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1."
            "1.1.1.1.1.1.1.1.1.1]",
            "BAD", "and one more"),
    };

    (void)state;
    CHECK(rows);
}

static void test_modifiers(void **state)
{
    static const struct row rows[] = {
        ROW("UID FETCH", " 1:* (FLAGS) (CHANGEDSINCE 12345)",
            " 1:* (UID FLAGS MODSEQ) (CHANGEDSINCE 12345)", "RFC 7162 §3.1.4.1"),
        ROW("UID FETCH", " 300:500 (FLAGS) (CHANGEDSINCE 12345 VANISHED)",
            " 300:500 (UID FLAGS MODSEQ) (CHANGEDSINCE 12345 VANISHED)", "RFC 7162 §3.2.6"),
        ROW("UID FETCH", " 25900:26600 (UID FLAGS) (PARTIAL -1:-3)", NULL, "RFC 9394 §3.3"),
        ROW("UID FETCH", " 25900:26600 (UID FLAGS) (PARTIAL 5:1)",
            " 25900:26600 (UID FLAGS) (PARTIAL 1:5)", NULL),
        ROW("UID FETCH", " 1 (FLAGS) (PARTIAL 1:2 CHANGEDSINCE 7)",
            " 1 (UID FLAGS MODSEQ) (CHANGEDSINCE 7 PARTIAL 1:2)", NULL),
        ROW("UID FETCH", " 1 UID", " 1 (UID)", NULL),
        ROW("FETCH", " 1 (FLAGS) (CHANGEDSINCE 0)", " 1 (FLAGS MODSEQ) (CHANGEDSINCE 0)",
            "Thunderbird says it"),
        ROW("FETCH", " 1 (FLAGS) (CHANGEDSINCE)", "BAD", NULL),
        ROW("FETCH", " 1 (FLAGS) (CHANGEDSINCE 1 CHANGEDSINCE 2)", "BAD", NULL),
        ROW("FETCH", " 1 (FLAGS) (CHANGEDSINCE 1 VANISHED)", "BAD", "UID FETCH only"),
        ROW("UID FETCH", " 1 (FLAGS) (VANISHED)", "BAD", "with CHANGEDSINCE only"),
        ROW("FETCH", " 1 (FLAGS) (PARTIAL 1:2)", "BAD", "UID FETCH only"),
        ROW("UID FETCH", " 1 (FLAGS) (PARTIAL 1:-2)", "BAD", NULL),
        ROW("UID FETCH", " 1 (FLAGS) (PARTIAL 0:2)", "BAD", NULL),
        ROW("UID FETCH", " 1 (FLAGS) (PARTIAL 1:*)", "BAD", NULL),
        ROW("FETCH", " 1 (FLAGS) ()", "BAD", NULL),
        ROW("FETCH", " 1 (FLAGS) (X)", "BAD", NULL),
    };

    (void)state;
    CHECK(rows);
}

static void test_too_many(void **state)
{
    struct buf b = buf_make(BUF_UNLIMITED);
    struct imap_parse p = imap_parse_make(rows_arena, false);
    struct imap_fetch f;

    (void)state;
    for (size_t i = 0; i <= IMAP_FETCH_ATTS_MAX; i++)
        buf_printf(&b, "%sBODY[%zu]", i ? " " : " 1 (", i + 1);
    buf_add_char(&b, ')');
    assert_false(parse_imap_fetch(&p, buf_str(&b), false, &f));
    assert_string_equal(p.code, "LIMIT");
    buf_clear(&b);
    for (size_t i = 0; i <= IMAP_SECTION_FIELDS_MAX; i++)
        buf_printf(&b, "%sf%zu", i ? " " : " 1 BODY[HEADER.FIELDS (", i);
    buf_add(&b, S(")]"));
    p = imap_parse_make(rows_arena, false);
    assert_false(parse_imap_fetch(&p, buf_str(&b), false, &f));
    assert_string_equal(p.code, "LIMIT");
    buf_free(&b);
}

static void test_section_alone(void **state)
{
    struct imap_parse p = imap_parse_make(rows_arena, false);
    struct imap_section s;

    (void)state;
    assert_true(parse_imap_section(&p, S("1.2"), &s) && s.part_depth == 2);
    assert_true(parse_imap_section(&p, S(""), &s) && s.part_depth == 0);
    assert_false(parse_imap_section(&p, S("1.2]"), &s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items),         cmocka_unit_test(test_sections),
        cmocka_unit_test(test_modifiers),     cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_section_alone),
    };

    return cmocka_run_group_tests(tests, rows_begin, rows_end);
}
