/* Trace fields to the letter. */
#include "mail/received.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define T(lit)                                                                                         \
    {                                                                                                  \
        lit, sizeof(lit) - 1                                                                           \
    }

static const struct mailbox tom = {T("tom"), T("acompany.test")};
static const struct mailbox nobody = {{NULL, 0}, {NULL, 0}};

static void test_received(void **state)
{
    static const struct {
        struct received r;
        const char *out;
    } rows[] = {
        {{.helo = T("mail.b.test"),
          .client_name = T("mail.b.test"),
          .client_address = T("192.0.2.1"),
          .by = T("mail.acompany.test"),
          .esmtp = true,
          .tls_version = T("TLSv1.3"),
          .tls_cipher = T("TLS_AES_256_GCM_SHA384"),
          .id = T("0CJ2ABC"),
          .for_recipient = &tom,
          .date_ms = INT64_C(1795321900000)},
         "Received: from mail.b.test (mail.b.test [192.0.2.1])\r\n"
         "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384)\r\n"
         "\tby mail.acompany.test with ESMTPS id 0CJ2ABC for <tom@acompany.test>;\r\n"
         "\tSun, 22 Nov 2026 04:31:40 +0000\r\n"},
        {{.helo = T("[192.168.1.7]"),
          .client_address = T("2001:db8::1"),
          .by = T("mail.acompany.test"),
          .auth = true,
          .esmtp = true,
          .tls_version = T("TLSv1.2"),
          .tls_cipher = T("X"),
          .id = T("1"),
          .zone_minutes = 60},
         "Received: from [192.168.1.7] ([IPv6:2001:db8::1])\r\n"
         "\t(using TLSv1.2 with cipher X) by mail.acompany.test with ESMTPSA id 1;\r\n"
         "\tThu, 01 Jan 1970 01:00:00 +0100\r\n"},
        {{.helo = T("a) (b\r\nX: y"), .client_address = T("192.0.2.1"), .by = T("b")},
         "Received: from a???b??X:?y ([192.0.2.1]) by b with SMTP;\r\n"
         "\tThu, 01 Jan 1970 00:00:00 +0000\r\n"},
        {{.by = T("b"), .esmtp = true},
         "Received: from unknown by b with ESMTP; Thu, 01 Jan 1970 00:00:00 +0000\r\n"},
    };
    struct buf out = buf_make(1000);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        received_write(&out, &rows[i].r);
        if (!str_same(buf_str(&out), str_from_c(rows[i].out)))
            fail_msg("row %zu: got\n%.*s", i, STR_ARG(buf_str(&out)));
        buf_clear(&out);
    }
    buf_free(&out);
}

/* RFC 3848, RFC 6531 §4.3 */
static void test_protocols(void **state)
{
    static const struct {
        bool esmtp, tls, auth, utf8;
        const char *name;
    } rows[] = {
        {false, false, false, false, "SMTP"},   {true, false, false, false, "ESMTP"},
        {true, true, false, false, "ESMTPS"},   {true, false, true, false, "ESMTPA"},
        {true, true, true, false, "ESMTPSA"},   {true, false, false, true, "UTF8SMTP"},
        {true, true, false, true, "UTF8SMTPS"}, {true, false, true, true, "UTF8SMTPA"},
        {true, true, true, true, "UTF8SMTPSA"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct received r = {.esmtp = rows[i].esmtp,
                             .auth = rows[i].auth,
                             .utf8 = rows[i].utf8,
                             .tls_version = rows[i].tls ? S("TLSv1.3") : STR_NONE};

        assert_string_equal(received_protocol(&r), rows[i].name);
    }
}

static void test_prefix(void **state)
{
    struct buf out = buf_make(1000);

    (void)state;
    delivery_prefix_write(&out, &tom, S("fred@acompany.test"));
    delivery_prefix_write(&out, &nobody, S("x@a.test"));
    assert_true(str_same(buf_str(&out),
                         S("Return-Path: <tom@acompany.test>\r\nDelivered-To: fred@acompany.test\r\n"
                           "Return-Path: <>\r\nDelivered-To: x@a.test\r\n")));
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_received),
        cmocka_unit_test(test_protocols),
        cmocka_unit_test(test_prefix),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
