/* Whole reports to the letter, and the shapes that vary. */
#include "mail/report.h"

#include "mail/header.h"
#include "mail/mime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define ORIGINAL                                                                                       \
    "Received: from x\r\nFrom: Fred <fred@acompany.test>\r\nTo: tom@b.test\r\nSubject: Lunch on "      \
    "=?utf-8?Q?Fr=C3=BC?=\r\n"                                                                         \
    "Date: Sun, 22 Nov 2026 05:31:40 +0100\r\nMessage-ID: <1@acompany.test>\r\n\r\nsecret body\r\n"

#define T(lit)                                                                                         \
    {                                                                                                  \
        lit, sizeof(lit) - 1                                                                           \
    }

static const struct report_recipient failed = {.action = REPORT_FAILED,
                                               .address = T("tom@b.test"),
                                               .orcpt = T("rfc822;tommy@b.test"),
                                               .status = T("5.1.1"),
                                               .server = T("mx.b.test"),
                                               .reply =
                                                   T("550-5.1.1 <tom@b.test>: who\n550 5.1.1 is that?"),
                                               .last_attempt_ms = INT64_C(1795321901000)};

static struct report make(const struct report_recipient *recipients, size_t count)
{
    return (struct report){.hostname = S("mail.acompany.test"),
                           .from = S("postmaster@acompany.test"),
                           .to = S("fred@acompany.test"),
                           .unique = S("0cj2"),
                           .date_ms = INT64_C(1795321902000),
                           .arrival_ms = INT64_C(1795321900000),
                           .envid = S("QQ314159"),
                           .original = S(ORIGINAL),
                           .recipients = recipients,
                           .recipient_count = count};
}

#define FAILED_REPORT                                                                                  \
    "From: Mail Delivery System <postmaster@acompany.test>\r\n"                                        \
    "To: <fred@acompany.test>\r\n"                                                                     \
    "Subject: =?utf-8?Q?Not_delivered_to_tom=40b=2Etest=3A_Lunch_on_Fr=C3=BC?=\r\n"                    \
    "Date: Sun, 22 Nov 2026 04:31:42 +0000\r\n"                                                        \
    "Message-ID: <0cj2@mail.acompany.test>\r\n"                                                        \
    "In-Reply-To: <1@acompany.test>\r\n"                                                               \
    "References: <1@acompany.test>\r\n"                                                                \
    "Auto-Submitted: auto-replied\r\n"                                                                 \
    "MIME-Version: 1.0\r\n"                                                                            \
    "Content-Type: multipart/report; report-type=delivery-status;\r\n"                                 \
    "\tboundary=\"=_report_0cj2_0\"\r\n"                                                               \
    "Content-Transfer-Encoding: 8bit\r\n"                                                              \
    "\r\n"                                                                                             \
    "This is a delivery report in MIME format.\r\n"                                                    \
    "\r\n"                                                                                             \
    "--=_report_0cj2_0\r\n"                                                                            \
    "Content-Type: text/plain; charset=utf-8\r\n"                                                      \
    "Content-Description: What happened\r\n"                                                           \
    "Content-Transfer-Encoding: 8bit\r\n"                                                              \
    "\r\n"                                                                                             \
    "Your message could not be delivered to tom@b.test.\r\n"                                           \
    "\r\n"                                                                                             \
    "    The mail server mx.b.test said:\r\n"                                                          \
    "        550-5.1.1 <tom@b.test>: who\r\n"                                                          \
    "        550 5.1.1 is that?\r\n"                                                                   \
    "    There is no mailbox of this name.\r\n"                                                        \
    "    Check the address for a mistake, then send the message again.\r\n"                            \
    "\r\n"                                                                                             \
    "It will not be tried again by itself.\r\n"                                                        \
    "\r\n"                                                                                             \
    "About your message:\r\n"                                                                          \
    "\r\n"                                                                                             \
    "    Subject:     Lunch on Fr\xc3\xbc\r\n"                                                         \
    "    To:          tom@b.test\r\n"                                                                  \
    "    Written:     Sun, 22 Nov 2026 05:31:40 +0100\r\n"                                             \
    "    Taken here:  Sun, 22 Nov 2026 04:31:40 +0000\r\n"                                             \
    "    Message-ID:  <1@acompany.test>\r\n"                                                           \
    "\r\n"                                                                                             \
    "This report was written by the mail server mail.acompany.test.\r\n"                               \
    "Its second part says the same for programs, the third is the header of your message.\r\n"         \
    "\r\n"                                                                                             \
    "--=_report_0cj2_0\r\n"                                                                            \
    "Content-Type: message/delivery-status\r\n"                                                        \
    "Content-Description: The same for programs\r\n"                                                   \
    "\r\n"                                                                                             \
    "Original-Envelope-Id: QQ314159\r\n"                                                               \
    "Reporting-MTA: dns; mail.acompany.test\r\n"                                                       \
    "Arrival-Date: Sun, 22 Nov 2026 04:31:40 +0000\r\n"                                                \
    "\r\n"                                                                                             \
    "Original-Recipient: rfc822;tommy@b.test\r\n"                                                      \
    "Final-Recipient: rfc822;tom@b.test\r\n"                                                           \
    "Action: failed\r\n"                                                                               \
    "Status: 5.1.1\r\n"                                                                                \
    "Remote-MTA: dns; mx.b.test\r\n"                                                                   \
    "Diagnostic-Code: smtp; 550-5.1.1 <tom@b.test>: who\r\n"                                           \
    " 550 5.1.1 is that?\r\n"                                                                          \
    "Last-Attempt-Date: Sun, 22 Nov 2026 04:31:41 +0000\r\n"                                           \
    "\r\n"                                                                                             \
    "--=_report_0cj2_0\r\n"                                                                            \
    "Content-Type: text/rfc822-headers\r\n"                                                            \
    "Content-Description: Header of your message\r\n"                                                  \
    "\r\n"                                                                                             \
    "Received: from x\r\n"                                                                             \
    "From: Fred <fred@acompany.test>\r\n"                                                              \
    "To: tom@b.test\r\n"                                                                               \
    "Subject: Lunch on =?utf-8?Q?Fr=C3=BC?=\r\n"                                                       \
    "Date: Sun, 22 Nov 2026 05:31:40 +0100\r\n"                                                        \
    "Message-ID: <1@acompany.test>\r\n"                                                                \
    "\r\n"                                                                                             \
    "--=_report_0cj2_0--\r\n"

static void check_line_lengths(struct str text)
{
    struct str line;

    while (take_until(&text, '\n', &line))
        assert_true(line.n <= 999 && line.n > 0 && line.p[line.n - 1] == '\r');
    assert_int_equal(text.n, 0);
}

static void test_failed(void **state)
{
    struct report r = make(&failed, 1);
    struct buf out = buf_make(BUF_UNLIMITED);

    (void)state;
    report_write(&out, &r);
    if (!str_same(buf_str(&out), S(FAILED_REPORT)))
        fail_msg("got\n%.*s", STR_ARG(buf_str(&out)));
    check_line_lengths(buf_str(&out));
    buf_free(&out);
}

/* Part n of the report, from 1, header included. */
static struct str part(const struct mime *m, struct str report, size_t n)
{
    for (size_t i = 1; i < m->count; i++)
        if (m->parts[i].parent == 0 && --n == 0)
            return str_upto(str_from(report, m->parts[i].start), m->parts[i].end - m->parts[i].start);
    fail_msg("no such part");
    return STR_NONE;
}

struct shape_row {
    struct report_recipient rcpt;
    bool smtputf8, full;
    size_t part;
    const char *holds, *lacks, *why;
};

static void check_shape(const struct shape_row *row)
{
    struct report r = make(&row->rcpt, 1);
    struct buf out = buf_make(BUF_UNLIMITED);
    struct mime m = mime_make();
    struct str in, text;
    size_t at;

    r.smtputf8 = row->smtputf8;
    r.full = row->full;
    report_write(&out, &r);
    in = buf_str(&out);
    mime_feed(&m, in);
    mime_end(&m);
    text = row->part ? part(&m, in, row->part) : str_upto(in, header_length(in));
    if ((row->holds && !str_find(text, str_from_c(row->holds), &at)) ||
        (row->lacks && str_find(text, str_from_c(row->lacks), &at)))
        fail_msg("%s: got\n%.*s", row->why, STR_ARG(text));
    check_line_lengths(in);
    mime_free(&m);
    buf_free(&out);
}

static const struct shape_row shapes[] = {
    {{.action = REPORT_DELAYED,
      .address = T("a@b.test"),
      .status = T("4.4.1"),
      .retry_until_ms = INT64_C(1795753900000)},
     false,
     false,
     1,
     "It is being tried again until Fri, 27 Nov 2026 04:31:40 +0000.",
     "could not be delivered",
     "delay"},
    {{.action = REPORT_DELAYED,
      .address = T("a@b.test"),
      .status = T("4.4.1"),
      .retry_until_ms = INT64_C(1795753900000)},
     false,
     false,
     2,
     "Action: delayed\r\nStatus: 4.4.1\r\nWill-Retry-Until: Fri, 27 Nov 2026 04:31:40 +0000\r\n",
     NULL,
     "RFC 3464 §2.3.9"},
    {{.action = REPORT_DELIVERED, .address = T("a@b.test"), .status = T("2.0.0")},
     false,
     false,
     2,
     "\r\n\r\nFinal-Recipient: rfc822;a@b.test\r\nAction: delivered\r\nStatus: 2.0.0\r\n",
     "Original-Recipient",
     "success"},
    {{.action = REPORT_RELAYED, .address = T("a@b.test"), .status = T("2.0.0")},
     false,
     false,
     0,
     "Subject: =?utf-8?Q?Passed_on_to",
     NULL,
     "the subject says what happened"},
    {{.action = REPORT_FAILED,
      .address = T("a@b.test"),
      .status = T("5.4.7"),
      .reason = T("It was tried for five days.")},
     false,
     false,
     1,
     "It was tried for five days.",
     "said:",
     "our own reason"},
    {{.action = REPORT_FAILED, .address = T("a@b.test"), .status = T("5.9.9")},
     false,
     false,
     1,
     "please show this report",
     NULL,
     "an unknown status"},
    {{.action = REPORT_FAILED,
      .address = T("a@b.test"),
      .status = T("5.0.0"),
      .reply = T("550 a\x01\xff\nAction: x\r\n--b")},
     false,
     false,
     2,
     "Diagnostic-Code: smtp; 550 a??\r\n Action: x\r\n --b\r\n",
     "\r\nAction: x",
     "no field is smuggled in"},
    {{.action = REPORT_FAILED, .address = T("gr\xc3\xbc@b.test"), .status = T("5.1.1")},
     false,
     false,
     2,
     "Final-Recipient: utf-8;gr\\x{FC}@b.test\r\n",
     NULL,
     "RFC 6533 §3: 7-bit"},
    {{.action = REPORT_FAILED, .address = T("gr\xc3\xbc@b.test"), .status = T("5.1.1")},
     true,
     false,
     2,
     "Final-Recipient: utf-8;gr\xc3\xbc@b.test\r\n",
     "message/delivery-status",
     "RFC 6533 §4: letters kept"},
    {{.action = REPORT_FAILED, .address = T("a@b.test"), .status = T("5.1.1")},
     true,
     false,
     3,
     "Content-Type: message/global-headers\r\n",
     "secret",
     "RFC 6533 §4.3"},
    {{.action = REPORT_FAILED, .address = T("a@b.test"), .status = T("5.1.1")},
     false,
     false,
     3,
     "Content-Type: text/rfc822-headers\r\n",
     "secret",
     "RET=HDRS"},
    {{.action = REPORT_FAILED, .address = T("a@b.test"), .status = T("5.1.1")},
     false,
     true,
     3,
     "\r\n\r\nsecret body",
     NULL,
     "RET=FULL"},
};

static void test_shapes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
        check_shape(&shapes[i]);
}

/* RFC 6533 §4.5: to who knows which server, in base64; but message/rfc822 may not be. */
static void test_seven_bit(void **state)
{
    static const struct {
        const char *original;
        bool smtputf8, full, ascii;
    } rows[] = {
        {"Subject: gr\xc3\xbc\xc3\x9f"
         "e\r\n\r\nbody\r\n",
         true, true, true},
        {"Subject: gr\xc3\xbc\xc3\x9f"
         "e\r\n\r\nbody\r\n",
         true, false, true},
        {"Subject: x\r\n\r\ngr\xc3\xbc\xc3\x9f"
         "e\r\n",
         false, true, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct report_recipient to = {
            .action = REPORT_FAILED, .address = S("t\xc3\xb6m@b.test"), .status = S("5.6.7")};
        struct report r = make(&to, 1);
        struct buf out = buf_make(BUF_UNLIMITED);
        size_t at;

        r.original = str_from_c(rows[i].original);
        r.smtputf8 = rows[i].smtputf8;
        r.full = rows[i].full;
        r.seven_bit = true;
        report_write(&out, &r);
        assert_int_equal(is_ascii(buf_str(&out)), rows[i].ascii);
        assert_int_equal(str_find(buf_str(&out), S("Content-Transfer-Encoding: base64\r\n"), &at),
                         true);
        check_line_lengths(buf_str(&out));
        buf_free(&out);
    }
}

static void test_several(void **state)
{
    struct report_recipient rcpts[] = {
        {.action = REPORT_DELAYED, .address = S("late@b.test"), .status = S("4.4.1")},
        failed,
        {.action = REPORT_FAILED, .address = S("other@b.test"), .status = S("5.2.2")},
    };
    struct report r = make(rcpts, 3);
    struct buf out = buf_make(BUF_UNLIMITED);
    size_t failures, delays, at;

    (void)state;
    report_write(&out, &r);
    assert_true(str_find(buf_str(&out), S("Subject: =?utf-8?Q?Not_delivered=3A"), &at));
    assert_true(str_find(buf_str(&out), S("could not be delivered to:\r\n\r\ntom@b.test"), &failures));
    assert_true(str_find(buf_str(&out), S("not been delivered yet to late@b.test.\r\n"), &delays));
    assert_true(failures < delays);
    buf_free(&out);
}

/* The original holds what would be the boundary. */
static void test_boundary(void **state)
{
    struct report r = make(&failed, 1);
    struct buf out = buf_make(BUF_UNLIMITED);
    struct mime m = mime_make();

    (void)state;
    r.original = S("A: b\r\n\r\n--=_report_0cj2_0--\r\n--=_report_0cj2_1\r\n\r\nx\r\n");
    r.full = true;
    report_write(&out, &r);
    mime_feed(&m, buf_str(&out));
    mime_end(&m);
    assert_int_equal(m.count, 5); /* multipart, text, status, message, and the message inside */
    mime_free(&m);
    buf_free(&out);
}

static void test_meanings(void **state)
{
    (void)state;
    assert_string_equal(status_meaning(S("5.1.1")), "There is no mailbox of this name.");
    assert_string_equal(status_meaning(S("5.1.10")), "This domain takes no mail at all.");
    assert_string_equal(status_meaning(S("4.2.2")), "The mailbox is full.");
    assert_string_equal(status_meaning(S("5.2.99")), "Something is wrong with the mailbox.");
    assert_string_equal(status_meaning(S("5.0.0")), "");
    assert_string_equal(status_meaning(S("")), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failed),    cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_seven_bit), cmocka_unit_test(test_several),
        cmocka_unit_test(test_boundary),  cmocka_unit_test(test_meanings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
