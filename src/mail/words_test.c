/* RFC 2047, by its examples (§8) and by what comes instead. */
#include "mail/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_decode(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"plain", "plain"},
        {"=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>", "Keith Moore <moore@cs.utk.edu>"},
        {"=?ISO-8859-1?Q?Andr=E9?= Pirard", "Andr\xc3\xa9 Pirard"},
        {"=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n =?US-ASCII?B?dQ==?=",
         "If you can read this you"},
        {"(=?ISO-8859-1?Q?a?= b)", "(a b)"},
        {"=?utf-8?q?a?= =?utf-8?q?b?= c =?utf-8?q?d?=", "ab c d"},
        {"=?utf-8*de?q?gr=C3=BC?=", "gr\xc3\xbc"},
        {"=?koi8-r?B?8Q==?=", "Я"},
        {"=?klingon?B?8Q==?=", "=?klingon?B?8Q==?="},
        {"=?utf-8?B?w7w?= =?utf-8?B?w7wu?=", "üü."},
        {"=?utf-8?B?w7x4wr?= =?utf-8?B?vC4?=", "üx¼."},
        {"=?utf-8?Q?a=E2=82?= =?UTF-8?Q?=AC?= =?utf-8?Q?=E2?= b", "a€� b"},
        {"=?utf-8?Q?=E2=82?= =?iso-8859-1?Q?=E9?=", "�é"},
        {"=?utf-8?B?w!?= x =?utf-8?q?b?=  =?utf-8?q?=zz?=", "=?utf-8?B?w!?= x b  =?utf-8?q?=zz?="},
        {"=?iso-2022-jp?B?GyRCJDMbKEI=?= =?iso-2022-jp?B?GyRCJHM=?= =?iso-2022-jp?Q?a?=", "こんa"},
        {"=?utf-8?Q?=ZZ?= x", "=?utf-8?Q?=ZZ?= x"},
        {"=?utf-8?X?a?=", "=?utf-8?X?a?="},
        {"=?utf-8?B?a?= =?open", "=?utf-8?B?a?= =?open"},
        {"a =?", "a =?"},
        {"=?utf-8?Q?a=0D=0AX:_b=00?=", "a??X: b?"},
        {"a\xff\x01z", "a??z"},
    };
    struct buf out = buf_make(1000);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        words_decode(&out, str_from_c(rows[i].in));
        if (!str_same(buf_str(&out), str_from_c(rows[i].out)))
            fail_msg("row %zu: %s gave %.*s", i, rows[i].in, STR_ARG(buf_str(&out)));
        buf_clear(&out);
    }
    buf_free(&out);
}

#define U10 "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"

static void test_write(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"Lunch on Friday?", "Lunch on Friday?"},
        {"gr\xc3\xbc\xc3\x9f"
         "e!",
         "=?utf-8?Q?gr=C3=BC=C3=9Fe!?="},
        {"looks like =?x?=", "=?utf-8?Q?looks_like_=3D=3Fx=3F=3D?="},
        {"a\r\nb", "=?utf-8?Q?a=0D=0Ab?="},
        {"\xff", "=?utf-8?Q?=3F?="},
        {U10 U10 U10, NULL},
    };
    struct buf out = buf_make(1000), back = buf_make(1000);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        size_t column = 9, longest = 0;

        words_write(&out, str_from_c(rows[i].in), column);
        for (size_t n = 0; n < out.n; n++) {
            column = out.p[n] == '\n' ? 0 : column + (out.p[n] != '\r');
            longest = column > longest ? column : longest;
        }
        assert_true(longest <= 76);
        if (rows[i].out && !str_same(buf_str(&out), str_from_c(rows[i].out)))
            fail_msg("row %zu: %s gave %.*s", i, rows[i].in, STR_ARG(buf_str(&out)));
        words_decode(&back, buf_str(&out));
        if (!rows[i].out)
            assert_true(str_same(buf_str(&back), str_from_c(rows[i].in)));
        buf_clear(&out);
        buf_clear(&back);
    }
    buf_free(&out);
    buf_free(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
