/* What is known of a header, there and back. */
#include "mail/facts.h"

#include "mail/message_id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct facts read_back(struct buf *packed, const char *header)
{
    struct facts f;

    buf_clear(packed);
    facts_write(packed, str_from_c(header));
    assert_true(facts_read(buf_str(packed), &f));
    return f;
}

static void check(const char *what, struct str got, const char *expected)
{
    if (!str_same(got, str_from_c(expected)))
        fail_msg("%s: \"%.*s\", not \"%s\"", what, STR_ARG(got), expected);
}

static void test_texts(void **state)
{
    static const struct {
        const char *header, *subject, *base, *from, *mailbox, *display, *to, *to_mailbox, *to_display;
    } rows[] = {
        {"\r\n", "", "", "", "", "", "", "", ""},
        {"Subject: [list] Re: =?iso-8859-1?Q?Caf=E9?=  au\r\n lait (fwd)\r\n"
         "From: =?utf-8?Q?J=C3=BCrgen?= <Juergen@Example.test>, b@c.test\r\nTo: you@there.test\r\n\r\n",
         "[LIST] RE: CAFE\xcc\x81 AU LAIT (FWD)", "CAFE\xcc\x81 AU LAIT",
         "JU\xcc\x88RGEN <JUERGEN@EXAMPLE.TEST>, B@C.TEST", "JUERGEN", "JU\xcc\x88RGEN",
         "YOU@THERE.TEST", "YOU", "YOU@THERE.TEST"},
        {"To: Team: a@b, \"C, D\" <c@d>; , e@f\r\nFrom: nobody\r\nSubject: (fwd)", "(FWD)", "",
         "NOBODY", "NOBODY", "NOBODY", "TEAM: A@B, C, D <C@D>;, E@F", "TEAM", "TEAM"},
        {"From: \"\" <a@b>\r\nTo: undisclosed-recipients:;\r\n", "", "", "A@B", "A", "A@B",
         "UNDISCLOSED-RECIPIENTS:;", "UNDISCLOSED-RECIPIENTS", "UNDISCLOSED-RECIPIENTS"},
    };
    struct buf packed = buf_make(10000);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct facts f = read_back(&packed, rows[i].header);

        check("subject", f.subject, rows[i].subject);
        check("base subject", f.base_subject, rows[i].base);
        check("from", f.from.text, rows[i].from);
        check("mailbox", f.from.mailbox, rows[i].mailbox);
        check("display", f.from.display, rows[i].display);
        check("to", f.to.text, rows[i].to);
        check("to mailbox", f.to.mailbox, rows[i].to_mailbox);
        check("to display", f.to.display, rows[i].to_display);
    }
    buf_free(&packed);
}

static void test_dates(void **state)
{
    static const struct {
        const char *header;
        bool has_date;
        int64_t ms;
        int32_t day;
    } rows[] = {
        {"Date: Thu, 1 Jan 1970 00:00:01 +0000\r\n", true, 1000, 0},
        {"Date: 31 Dec 2000 16:01:33 -0800\r\n", true, 978307293000, 11322}, /* RFC 5256 §2.2 */
        {"Date: 1 Jan 1970 00:30:00 +0100\r\n", true, -1800000, 0},
        {"Date: 31 Dec 1969 23:30:00 -0100\r\n", true, 1800000, -1},
        {"Date: 1 Jan 0001 00:00:00 +2359\r\n", true, -62135683140000, -719162},
        {"Date: 31 Dec 9999 23:59:59 -2359\r\n", true, 253402387139000, 2932896},
        {"Date: yesterday\r\n", false, 0, 0},
        {"", false, 0, 0},
    };
    struct buf packed = buf_make(10000);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct facts f = read_back(&packed, rows[i].header);

        if (f.has_date != rows[i].has_date || f.date_ms != rows[i].ms || f.sent_day != rows[i].day)
            fail_msg("row %zu: %d %lld %d", i, f.has_date, (long long)f.date_ms, f.sent_day);
        assert_int_equal(facts_date(&f, 77), f.has_date ? f.date_ms : 77);
    }
    buf_free(&packed);
}

#define ID(c) message_id_number(S("<" c "@x>"))

static void check_ids(struct str got, const char *letters)
{
    assert_int_equal(facts_reference_count(got), strlen(letters));
    for (size_t n = 0; letters[n]; n++) {
        char id[] = {'<', letters[n], '@', 'x', '>'};

        assert_true(facts_reference(got, n) == message_id_number((struct str){id, sizeof(id)}));
    }
}

static void test_references(void **state)
{
    static const struct {
        const char *header;
        const char *ids, *answered; /* a letter each: <a@x> */
    } rows[] = {
        {"References: <a@x>\r\n <b@x> junk <c@x>\r\nIn-Reply-To: <d@x>\r\n", "abc", "d"},
        {"References: <a@x> <b@x>\r\nIn-Reply-To: <b@x>\r\n", "ab", ""},
        {"References: <a@x> <b@x>\r\nIn-Reply-To: <b@x> <a@x> <c@x>\r\n", "ab", "ac"},
        {"In-Reply-To: your letter <a@x> of <b@x>\r\n", "a", "b"},
        {"References: none\r\nIn-Reply-To: <d@x>\r\n", "d", ""},
        {"In-Reply-To: <a@x> <b@x> <c@x> <d@x> <e@x>\r\n", "a", "bcd"},
        {"References: <z@x>\r\nIn-Reply-To: <a@x> <b@x> <c@x> <d@x> <e@x>\r\n", "z", "abcd"},
        {"References: <a b@x>\r\n", "", ""},
        {"\r\n", "", ""},
    };
    struct buf packed = buf_make(10000);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct facts f = read_back(&packed, rows[i].header);

        check_ids(f.references, rows[i].ids);
        check_ids(f.answered, rows[i].answered);
    }
    assert_true(read_back(&packed, "Message-ID: <a@x>\r\n").message_id == ID("a"));
    assert_true(read_back(&packed, "Message-ID: a@x\r\n").message_id == 0);
    buf_free(&packed);
}

static void test_fields(void **state)
{
    struct buf packed = buf_make(100000), header = buf_make(100000);
    struct facts f;

    (void)state;
    f = read_back(&packed, "To: a@b\r\nTO: c@d\r\nSubject:\r\n");
    assert_int_equal(f.has, FACTS_TO | FACTS_SUBJECT);
    assert_int_equal(f.whole, FACTS_FROM | FACTS_CC | FACTS_BCC | FACTS_SUBJECT | FACTS_MESSAGE_ID);

    buf_add_c(&header, "Subject: ");
    for (int i = 0; i < 1000; i++)
        buf_add_c(&header, "日");
    buf_add_c(&header, " (fwd)\r\nCc: x@y\r\nReferences:");
    for (int i = 0; i < 1000; i++)
        buf_printf(&header, " <%d@x>", i);
    buf_add_c(&header, "\r\nBcc: ");
    for (int i = 0; i < 1000; i++)
        buf_add_c(&header, "somebody@example.test, ");
    buf_add_char(&header, '\0');
    f = read_back(&packed, header.p);
    assert_int_equal(f.whole, FACTS_FROM | FACTS_TO | FACTS_CC | FACTS_MESSAGE_ID);
    assert_true(is_utf8(f.subject) && f.subject.n == FACTS_TEXT_MAX - 2 &&
                str_same(f.subject, f.base_subject));
    assert_true(f.is_reply);
    assert_int_equal(f.bcc.text.n, FACTS_TEXT_MAX);
    check("cc", f.cc.mailbox, "X");
    assert_int_equal(facts_reference_count(f.references), FACTS_REFERENCES_MAX);
    assert_true(facts_reference(f.references, 9) == ID("9") &&
                facts_reference(f.references, 10) == ID("910"));
    assert_true(facts_reference(f.references, 99) == ID("999"));
    buf_free(&packed);
    buf_free(&header);
}

static void test_search(void **state)
{
    static const struct {
        const char *header;
        unsigned field;
        const char *text;
        enum facts_answer answer;
    } rows[] = {
        {"Subject: Hello  there\r\n", FACTS_SUBJECT, "LO THE", FACTS_YES},
        {"Subject: Hello  there\r\n", FACTS_SUBJECT, "LO  THE", FACTS_ASK_HEADER},
        {"Subject: Hello  there\r\n", FACTS_SUBJECT, "LO\tTHE", FACTS_ASK_HEADER},
        {"Subject: Hello  there\r\n", FACTS_SUBJECT, "HELLO, ", FACTS_NO},
        {"Subject: a\r\nSubject: b\r\n", FACTS_SUBJECT, "B", FACTS_ASK_HEADER},
        {"Subject:\r\n", FACTS_SUBJECT, "", FACTS_YES},
        {"Subject:\r\n", FACTS_SUBJECT, "X", FACTS_NO},
        {"\r\n", FACTS_SUBJECT, "", FACTS_NO},
        {"From: <a@b.test>\r\n", FACTS_FROM, "A@B.TEST", FACTS_YES},
        {"From: <a@b.test>\r\n", FACTS_FROM, "<A@B", FACTS_ASK_HEADER},
        {"From: \"x\" <a@b.test>\r\n", FACTS_FROM, "X <A@B", FACTS_YES},
        {"From: \"x\" <a@b.test>\r\n", FACTS_FROM, "\"X\"", FACTS_ASK_HEADER},
        {"Message-ID: <Ab@x>\r\n", FACTS_MESSAGE_ID, "<AB@X>", FACTS_YES},
        {"Message-ID: <Ab@x> \r\n", FACTS_MESSAGE_ID, "<ABC@X>", FACTS_NO},
        {"Message-ID: <Ab@x>\r\n", FACTS_MESSAGE_ID, "AB@X", FACTS_ASK_HEADER},
        {"Message-ID: <Ab@x>\r\n", FACTS_MESSAGE_ID, "<AB@X> ", FACTS_ASK_HEADER},
        {"Message-ID: <Ab@x>\r\n", FACTS_MESSAGE_ID, "", FACTS_YES},
        {"Message-ID: <a@x> <b@x>\r\n", FACTS_MESSAGE_ID, "<B@X>", FACTS_ASK_HEADER},
        {"Message-ID: ab@x\r\n", FACTS_MESSAGE_ID, "<B@X>", FACTS_ASK_HEADER},
        {"Subject: x\r\n", FACTS_MESSAGE_ID, "<B@X>", FACTS_NO},
        {"To: a@b\r\nCc: c@d\r\nBcc: e@f\r\n", FACTS_CC, "C@D", FACTS_YES},
        {"To: a@b\r\nCc: c@d\r\nBcc: e@f\r\n", FACTS_TO, "C@D", FACTS_NO},
        {"To: a@b\r\nCc: c@d\r\nBcc: e@f\r\n", FACTS_BCC, "E@F", FACTS_YES},
    };
    struct buf packed = buf_make(10000);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct facts f = read_back(&packed, rows[i].header);

        if (facts_search(&f, rows[i].field, str_from_c(rows[i].text)) != rows[i].answer)
            fail_msg("row %zu: %s in %s", i, rows[i].text, rows[i].header);
    }
    assert_int_equal(facts_field(S("to")), FACTS_TO);
    assert_int_equal(facts_field(S("Date")), 0);
    buf_free(&packed);
}

/* Whatever happened to the bytes: refused, or read as something. */
static void test_damage(void **state)
{
    struct buf packed = buf_make(10000);
    struct facts f;
    struct str whole;

    (void)state;
    read_back(&packed, "From: a <b@c>\r\nSubject: Re: x\r\nReferences: <a@x>\r\n");
    whole = buf_str(&packed);
    for (size_t n = 0; n < whole.n; n++)
        assert_false(facts_read(str_upto(whole, n), &f));
    for (size_t n = 0; n < whole.n; n++)
        for (int bit = 0; bit < 8; bit++) {
            packed.p[n] = (char)(packed.p[n] ^ 1 << bit);
            facts_read(whole, &f);
            packed.p[n] = (char)(packed.p[n] ^ 1 << bit);
        }
    buf_free(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),  cmocka_unit_test(test_dates),  cmocka_unit_test(test_references),
        cmocka_unit_test(test_search), cmocka_unit_test(test_fields), cmocka_unit_test(test_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
