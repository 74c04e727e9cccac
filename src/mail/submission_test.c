/* Each message passes whole and in pieces of every size. */
#include "mail/submission.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct submission_fixes fixes = {{"<new@a.test>", 12},
                                              {"Sun, 22 Nov 2026 04:31:40 +0000", 31}};

#define ID "Message-ID: <new@a.test>\r\n"
#define DATE "Date: Sun, 22 Nov 2026 04:31:40 +0000\r\n"

static void check(const struct submission_fixes *with, struct str in, size_t piece, struct str out,
                  struct str id, const char *why)
{
    struct submission_filter f = submission_filter_make(with);
    struct buf got = buf_make(1000);

    for (; in.n; in = str_from(in, piece))
        submission_feed(&f, str_upto(in, piece), &got);
    submission_end(&f, &got);
    if (!str_same(buf_str(&got), out) || !str_same(f.message_id, id) || !f.header_done)
        fail_msg("pieces of %zu: %s: got \"%.*s\", id \"%.*s\"", piece, why, STR_ARG(buf_str(&got)),
                 STR_ARG(f.message_id));
    buf_free(&got);
    submission_filter_free(&f);
}

static void test_fixes(void **state)
{
    static const struct {
        const char *in, *out, *id, *why;
    } rows[] = {
        {"From: a\r\n\r\nbody\r\n", "From: a\r\n" ID DATE "\r\nbody\r\n", "<new@a.test>",
         "both are missing"},
        {"From: a\r\nmessage-id: <old@a.test>\r\nDATE: x\r\n\r\nbody\r\n",
         "From: a\r\nmessage-id: <old@a.test>\r\nDATE: x\r\n\r\nbody\r\n", "<old@a.test>",
         "nothing is"},
        {"Message-ID: <old@a.test>\r\n\r\n", "Message-ID: <old@a.test>\r\n" DATE "\r\n", "<old@a.test>",
         "one is"},
        {"Bcc: x@a.test,\r\n y@a.test\r\nTo: z\r\n\r\nBcc: stays\r\n",
         "To: z\r\n" ID DATE "\r\nBcc: stays\r\n", "<new@a.test>",
         "RFC 5322 §3.6.3: Bcc goes, folded or not"},
        {"Resent-Bcc: x\r\nReturn-Path: <y>\r\nTo: z\r\n\r\n", "To: z\r\n" ID DATE "\r\n",
         "<new@a.test>", "so do these"},
        {"hello\r\n", ID DATE "\r\nhello\r\n", "<new@a.test>", "no header at all"},
        {"hello\r\nDate: x\r\n\r\nmore\r\n", ID DATE "\r\nhello\r\nDate: x\r\n\r\nmore\r\n",
         "<new@a.test>", "text that has paragraphs"},
        {" hello\r\n", ID DATE "\r\n hello\r\n", "<new@a.test>", "nor does a field begin so"},
        {"\r\nhello\r\n", ID DATE "\r\nhello\r\n", "<new@a.test>", "an empty header"},
        {"From x Mon\r\nTo: z\r\n\r\n", "From x Mon\r\nTo: z\r\n" ID DATE "\r\n", "<new@a.test>",
         "an mbox line"},
        {"To: z\r\n", "To: z\r\n" ID DATE, "<new@a.test>", "no body"},
        {"To: z", "To: z\r\n" ID DATE, "<new@a.test>", "an open line (BDAT)"},
        {"To: z\r\nBcc: y", "To: z\r\n" ID DATE, "<new@a.test>", "an open line that goes"},
        {"", ID DATE, "<new@a.test>", "nothing"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        for (size_t piece = 1; piece <= strlen(rows[i].in) + 1; piece++)
            check(&fixes, str_from_c(rows[i].in), piece, str_from_c(rows[i].out),
                  str_from_c(rows[i].id), rows[i].why);
}

/* Our own Received field stands before it. */
static void test_no_line_continues_ours(void **state)
{
    static const struct {
        const char *in, *out, *why;
    } rows[] = {
        {" for <x@y.test>\r\n", "\r\n for <x@y.test>\r\n", "a blank"},
        {"\tfor <x@y.test>\r\nTo: z\r\n\r\nbody\r\n", "\r\n\tfor <x@y.test>\r\nTo: z\r\n\r\nbody\r\n",
         "a tab, and fields behind it"},
        {"hello\r\n", "hello\r\n", "text that continues nothing"},
        {"\r\n hello\r\n", "\r\n hello\r\n", "an empty header"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        for (size_t piece = 1; piece <= strlen(rows[i].in); piece++)
            check(NULL, str_from_c(rows[i].in), piece, str_from_c(rows[i].out), STR_NONE, rows[i].why);
}

static void test_facts(void **state)
{
    struct submission_filter f = submission_filter_make(NULL);
    struct str in = S("Received: a\r\nDelivered-To: tom@a.test\r\nReceived: b\r\n\tc\r\ndelivered-to:  "
                      "fred@a.test \r\n"
                      "Message-ID:\r\n <1@b.test>\r\nBcc: stays\r\n\r\nReceived: not this\r\n");
    struct buf out = buf_make(1000);
    struct str address;
    size_t at = 0;

    (void)state;
    submission_feed(&f, in, &out);
    assert_true(f.header_done);
    assert_true(str_same(buf_str(&out), in));
    assert_int_equal(f.received_count, 2);
    assert_true(str_same(f.message_id, S("<1@b.test>")));
    assert_true(next_delivered_to(&f, &at, &address));
    assert_true(str_same(address, S("tom@a.test")));
    assert_true(next_delivered_to(&f, &at, &address));
    assert_true(str_same(address, S("fred@a.test")));
    assert_false(next_delivered_to(&f, &at, &address));
    buf_free(&out);
    submission_filter_free(&f);
}

static void test_header_too_long(void **state)
{
    struct submission_filter f = submission_filter_make(NULL);
    struct buf out = buf_make(BUF_UNLIMITED);

    (void)state;
    for (int i = 0; i < 20000; i++)
        submission_feed(&f, S("X: 12345678901234567890\r\n"), &out);
    submission_feed(&f, S("\r\nbody\r\n"), &out);
    submission_end(&f, &out);
    assert_true(f.header_too_long);
    assert_int_equal(out.n, 0);
    assert_true(f.header.n <= SUBMISSION_HEADER_MAX);
    buf_free(&out);
    submission_filter_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixes),
        cmocka_unit_test(test_no_line_continues_ours),
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_header_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
