/* Dates written, and dates read as people and programs write them. */
#include "mail/date.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_write(void **state)
{
    static const struct {
        int64_t s;
        int zone;
        const char *out;
    } rows[] = {
        {0, 0, "Thu, 01 Jan 1970 00:00:00 +0000"},
        {1795321900, 0, "Sun, 22 Nov 2026 04:31:40 +0000"},
        {1795321900, 60, "Sun, 22 Nov 2026 05:31:40 +0100"},
        {1795321900, -570, "Sat, 21 Nov 2026 19:01:40 -0930"},
        {951782400, 0, "Tue, 29 Feb 2000 00:00:00 +0000"},
        {4107542400, 0, "Mon, 01 Mar 2100 00:00:00 +0000"},
        {-1, 0, "Wed, 31 Dec 1969 23:59:59 +0000"},
    };
    struct buf out = buf_make(100);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        int64_t ms;
        int zone;

        date_write(&out, rows[i].s * 1000, rows[i].zone);
        if (!str_same(buf_str(&out), str_from_c(rows[i].out)))
            fail_msg("row %zu: got %.*s", i, STR_ARG(buf_str(&out)));
        assert_true(date_parse(buf_str(&out), &ms, &zone));
        assert_true(ms == rows[i].s * 1000 && zone == rows[i].zone);
        buf_clear(&out);
    }
    buf_free(&out);
}

static void test_parse(void **state)
{
    static const struct {
        const char *in;
        int64_t s;
        int zone;
        const char *why;
    } rows[] = {
        {"Fri, 21 Nov 1997 09:55:06 -0600", 880127706, -360, "RFC 5322 appendix A.1.1"},
        {" Tue, 1 Jul 2003 10:52:37 +0200\r\n", 1057049557, 120, "A.1.2"},
        {"Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n               -0330 "
         "(Newfoundland Time)",
         -27723480, -210, "A.5: folds and comments"},
        {"21 Nov 97 09:55:06 GMT", 880106106, 0, "A.6.2: two-digit year, zone by name"},
        {"Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", 880127706, -360, "A.6.3"},
        {"1 Jan 100 00:00:00 +0000", 946684800, 0, "§4.3: three digits count from 1900"},
        {"1 Jan 49 00:00 +0000", 2493072000, 0, "§4.3: 49 is 2049"},
        {"1 Jan 2000 00:00:00 EST", 946702800, -300, "§4.3"},
        {"1 Jan 2000 00:00:00 Z", 946684800, 0, "a letter"},
        {"1 Jan 2000 00:00:00 CEST", 946684800, 0, "unknown names are UTC"},
        {"1 Jan 2000 00:00:00", 946684800, 0, "no zone"},
        {"1 Jan 2000 00:00:00 +9999", 946684800, 0, "no such zone"},
        {"Sat 1 January 2000 00:00:00 +0000", 946684800, 0, "no comma, the month in full"},
        {"01-Jan-2000 00:00:00 +0000", 946684800, 0, "hyphens"},
        {"31 Dec 2016 23:59:60 +0000", 1483228799, 0, "a leap second"},
        {"1 Jan 2000", 946684800, 0, "RFC 5256 §2.2: no time"},
        {"1 Jan 2000 (12:00:00 +0000", 946684800, 0, "nor here"},
        {"1 Jan 2000 24:00:00 +0100", 946684800, 0, "no such time"},
        {"1 Jan 2000 00:60:00 +0000", 946684800, 0, "nor this"},
    };
    static const char *const bad[] = {"",
                                      "yesterday",
                                      "32 Jan 2000 00:00:00 +0000",
                                      "29 Feb 2100 00:00:00 +0000",
                                      "0 Jan 2000 00:00:00 +0000",
                                      "1 Foo 2000 00:00:00 +0000",
                                      "1 Ja 2000 00:00:00 +0000",
                                      "1 Jan 2 00:00:00 +0000",
                                      "1 Jan 20000 00:00:00 +0000"};
    int64_t ms;
    int zone;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if (!date_parse(str_from_c(rows[i].in), &ms, &zone))
            fail_msg("%s: %s: refused", rows[i].in, rows[i].why);
        if (ms != rows[i].s * 1000 || zone != rows[i].zone)
            fail_msg("%s: %s: got %" PRId64 ", zone %d", rows[i].in, rows[i].why, ms / 1000, zone);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        if (date_parse(str_from_c(bad[i]), &ms, &zone))
            fail_msg("accepted %s", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_parse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
