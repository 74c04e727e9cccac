/* RFC 9051's own examples first, then what is odd. */
#include "mail/imap_structure.h"

#include "mail/header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_envelopes(void **state)
{
    static const struct {
        const char *in, *out, *why;
    } rows[] = {
        {"Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nFrom: Terry Gray <gray@cac.washington.edu>\r\n"
         "Subject: IMAP4rev2 WG mtg summary and minutes\r\nTo: imap@cac.washington.edu\r\n"
         "cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n"
         "Message-Id: <B27397-0100000@cac.washington.edu>\r\n\r\n",
         "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev2 WG mtg summary and minutes\" "
         "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((\"Terry Gray\" NIL \"gray\" "
         "\"cac.washington.edu\")) "
         "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((NIL NIL \"imap\" "
         "\"cac.washington.edu\")) "
         "((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) "
         "NIL NIL "
         "\"<B27397-0100000@cac.washington.edu>\")",
         "RFC 9051 §8"},
        {"\r\n", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)", "nothing"},
        {"Subject:\r\nIn-Reply-To: \r\nTo:\r\n\r\n", "(NIL \"\" NIL NIL NIL NIL NIL NIL \"\" NIL)",
         "present but empty"},
        {"Sender: a@b\r\nReply-To: c@d\r\nFrom: e@f\r\n\r\n",
         "(NIL NIL ((NIL NIL \"e\" \"f\")) ((NIL NIL \"a\" \"b\")) ((NIL NIL \"c\" \"d\")) NIL NIL NIL "
         "NIL NIL)",
         "no need to default"},
        {"To: g:a@b;\r\n\r\n",
         "(NIL NIL NIL NIL NIL ((NIL NIL \"g\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL)) NIL NIL NIL "
         "NIL)",
         "a group"},
        {"To: :a@b;\r\n\r\n",
         "(NIL NIL NIL NIL NIL ((NIL NIL \"\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL)) NIL NIL NIL "
         "NIL)",
         "a group without a name is no group's end"},
        {"Subject: \"a\\b\"\r\n\tc\r\n\r\n",
         "(NIL \"\\\"a\\\\b\\\"\tc\" NIL NIL NIL NIL NIL NIL NIL NIL)", "escaped"},
        {"Subject: gr\xc3\xbc\r\n\r\n", "(NIL {4}\r\ngr\xc3\xbc NIL NIL NIL NIL NIL NIL NIL NIL)",
         "a literal"},
    };
    struct buf out = buf_make(10000);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        imap_envelope_write(&out, str_from_c(rows[i].in));
        if (!str_same(buf_str(&out), str_from_c(rows[i].out)))
            fail_msg("%s: got\n%.*s", rows[i].why, STR_ARG(buf_str(&out)));
        buf_clear(&out);
    }
    buf_free(&out);
}

#define NIL_ENVELOPE "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"
#define PLAIN "\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" "

/* BODY is BODYSTRUCTURE without extension data, however it is made. */
static void check_shortened(const struct mime *m, const struct mime_source *source, const char *why)
{
    struct buf whole = buf_make(10000), shorter = buf_make(10000), right = buf_make(10000);

    assert_true(imap_structure_write(&whole, m->parts, m->count, source, true));
    assert_true(imap_structure_write(&right, m->parts, m->count, source, false));
    imap_structure_shorten(&shorter, buf_str(&whole));
    if (!str_same(buf_str(&shorter), buf_str(&right)))
        fail_msg("%s: shortened is\n%.*s", why, STR_ARG(buf_str(&shorter)));
    buf_free(&whole);
    buf_free(&shorter);
    buf_free(&right);
}

static void test_structures(void **state)
{
    static const struct {
        const char *in;
        bool extended;
        const char *out, *why;
    } rows[] = {
        {"\r\none\r\ntwo\r\n", false, "(" PLAIN "10 2)", "nothing said"},
        {"\r\none\r\n", true, "(" PLAIN "5 1 NIL NIL NIL NIL)", "with extensions"},
        {"Content-Type: TEXT/PLAIN; CHARSET=US-ASCII; NAME=cc.diff\r\n"
         "Content-ID: <960723163407.20117h@cac.washington.edu>\r\nContent-Description: Compiler "
         "diff\r\n"
         "Content-Transfer-Encoding: BASE64\r\n\r\nYQ==\r\n",
         false,
         "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\" \"NAME\" \"cc.diff\") "
         "\"<960723163407.20117h@cac.washington.edu>\" \"Compiler diff\" \"BASE64\" 6 1)",
         "RFC 9051 §7.5.2"},
        {"Content-Type: image/png\r\nContent-Disposition: attachment; filename=\"a "
         "b.png\"\r\nContent-Language: de, en\r\n"
         "Content-Location: http://a.test/\r\nContent-MD5: Q2hlY2s=\r\n\r\nx",
         true,
         "(\"image\" \"png\" NIL NIL NIL \"7bit\" 1 \"Q2hlY2s=\" (\"attachment\" (\"filename\" \"a "
         "b.png\")) "
         "(\"de\" \"en\") \"http://a.test/\")",
         "all extensions, no lines"},
        {"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\nContent-Type: "
         "text/html\r\n\r\ntwo\r\n--b--\r\n",
         true,
         "((" PLAIN
         "3 1 NIL NIL NIL NIL)(\"text\" \"html\" NIL NIL NIL \"7bit\" 3 1 NIL NIL NIL NIL) \"mixed\" "
         "(\"boundary\" \"b\") NIL NIL NIL)",
         "two parts"},
        {"Content-Type: multipart/mixed; boundary=b\r\n\r\n", false, "((" PLAIN "0 0) \"mixed\")",
         "a multipart of nothing"},
        {"Content-Type: multipart/mixed\r\n\r\nx", false,
         "(\"application\" \"octet-stream\" NIL NIL NIL \"7bit\" 1)", "one that cannot be divided"},
        {"Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\none\r\n", false,
         "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 19 (NIL \"x\" NIL NIL NIL NIL NIL NIL NIL NIL) "
         "(" PLAIN "5 1) 3)",
         "a message inside"},
        {"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nYQ==\r\n", false,
         "(\"application\" \"octet-stream\" NIL NIL NIL \"base64\" 6)",
         "an encoded one is not looked into"},
        {"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n\r\none\r\n--b--\r\n", false,
         "((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 5 " NIL_ENVELOPE " (" PLAIN
         "3 1) 2) \"digest\")",
         "RFC 2046 §5.1.5: messages by default"},
        {"Content-Type: application/pdf; name*0*=iso-8859-1''caf%E9;\r\n name*1=\" x\"; a*0=b; "
         "a*1=c\r\n"
         "Content-Disposition: attachment; filename*=utf-8''%E2%82%AC.pdf\r\n\r\nx",
         true,
         "(\"application\" \"pdf\" (\"name*\" \"utf-8''caf%C3%A9%20x\" \"a\" \"bc\") NIL NIL \"7bit\" "
         "1 NIL "
         "(\"attachment\" (\"filename*\" \"utf-8''%E2%82%AC.pdf\")) NIL NIL)",
         "RFC 2231"},
        {"Content-Type: text\r\n\r\nx", false, "(" PLAIN "1 1)",
         "RFC 2045 §5.2: a bad type is text/plain"},
    };
    struct buf out = buf_make(10000);
    struct mime m = mime_make();

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct str in = str_from_c(rows[i].in);
        struct mime_source source = mime_source_of(&in);

        mime_feed(&m, in);
        mime_end(&m);
        assert_true(imap_structure_write(&out, m.parts, m.count, &source, rows[i].extended));
        if (!str_same(buf_str(&out), str_from_c(rows[i].out)))
            fail_msg("%s: got\n%.*s", rows[i].why, STR_ARG(buf_str(&out)));
        check_shortened(&m, &source, rows[i].why);
        buf_clear(&out);
        mime_reset(&m);
    }
    mime_free(&m);
    buf_free(&out);
}

/* A source that is asked for bytes, and one that is all in memory. */
static void test_sources(void **state)
{
    struct str in = S("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: "
                      "message/rfc822\r\n\r\nSubject: s\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--\r\n");
    struct mime_source whole = mime_source_of(&in), asked = whole;
    struct buf a = buf_make(10000), b = buf_make(10000);
    struct mime m = mime_make();

    (void)state;
    asked.whole = STR_NONE;
    mime_feed(&m, in);
    mime_end(&m);
    assert_true(imap_structure_write(&a, m.parts, m.count, &whole, true));
    assert_true(imap_structure_write(&b, m.parts, m.count, &asked, true));
    assert_true(a.n > 100 && str_same(buf_str(&a), buf_str(&b)));
    mime_free(&m);
    buf_free(&a);
    buf_free(&b);
}

static void test_decoded(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"(\"a\" \"b\")", "(\"a\" \"b\")"},
        {"(\"f*\" \"utf-8''caf%C3%A9\" \"g\" \"utf-8''%41\")",
         "(\"f*\" \"café\" \"g\" \"utf-8''%41\")"},
        {"(\"f*\" \"utf-8''%22%5C\")", "(\"f*\" \"\\\"\\\\\")"},
        {"(\"f*\" \"utf-8''a%0Ab\")", "(\"f*\" {3}\r\na\nb)"},
        {"({24}\r\n\"f*\" \"utf-8''%41%41%41\" \"*\" {10}\r\nutf-8''%41)",
         "({24}\r\n\"f*\" \"utf-8''%41%41%41\" \"*\" \"A\")"},
        {"(\"f*\")(\"utf-8''%41\" \"\\\"*\" \"utf-8''%41\")",
         "(\"f*\")(\"utf-8''%41\" \"\\\"*\" \"A\")"},
        {"{9}\r\nutf-8''", "{9}\r\nutf-8''"},
        {"\"utf-8''\\", "\"utf-8''\\"},
    };
    struct buf out = buf_make(1000);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        imap_structure_decode(&out, str_from_c(rows[i].in));
        if (!str_same(buf_str(&out), str_from_c(rows[i].out)))
            fail_msg("row %zu: got %.*s", i, STR_ARG(buf_str(&out)));
        buf_clear(&out);
    }
    buf_free(&out);
}

static bool read_nothing(void *ctx, uint64_t at, size_t n, struct buf *out)
{
    (void)ctx;
    (void)at;
    (void)n;
    (void)out;
    return false;
}

static void test_source_fails(void **state)
{
    const struct mime_part part = {.end = 10};
    struct mime_source source = {read_nothing, NULL};
    struct buf out = buf_make(1000);

    (void)state;
    assert_false(imap_structure_write(&out, &part, 1, &source, true));
    buf_free(&out);
}

static void test_no_structure(void **state)
{
    static const char *const rows[] = {"", "(", "NIL", "((((", "(\"a\" \"b", "({99}\r\nx)", "(1 2 3"};
    struct buf out = buf_make(1000);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        imap_structure_shorten(&out, str_from_c(rows[i]));
        assert_true(str_starts(buf_str(&out), S("(\"text\" \"plain\"")));
        buf_clear(&out);
    }
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_envelopes),    cmocka_unit_test(test_structures),
        cmocka_unit_test(test_sources),      cmocka_unit_test(test_decoded),
        cmocka_unit_test(test_source_fails), cmocka_unit_test(test_no_structure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
