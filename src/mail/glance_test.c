/* A glance tells what it can, and never misses what the text holds. */
#include "mail/glance_testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define ALL (TEXT_HEADER | TEXT_PARTS | TEXT_BODY)
#define TYPE(type) "Content-Type: " type "\r\n"
#define ENCODING(encoding) "Content-Transfer-Encoding: " encoding "\r\n"
#define MIXED TYPE("multipart/mixed; boundary=b") "\r\n--b\r\n"
#define PDF TYPE("application/pdf")
#define HTML TYPE("text/html") "\r\n"

static void test_words(void **state)
{
    static const struct {
        const char *needle, *word;
    } rows[] = {
        {"QUINCUNX", "QUINCUNX"},
        {"A QUINCUNX.", "QUINCUNX"},
        {"ABC DEF", "ABC"},
        {"CAFE\u0301S", "CAFE"},
        {"\u00df", ""},
        {"...", ""},
        {"", ""},
        {"7-BIT", "BIT"},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        assert_true(str_same(glance_word(str_from_c(rows[i].needle)).needle, str_from_c(rows[i].word)));
}

/* Of the word QUINCUNX. Where the text holds it, the answer has to be yes; where it does not, it may be. */
static void test_glances(void **state)
{
    static const struct {
        const char *raw;
        unsigned what;
        bool may, holds;
    } rows[] = {
        {"Subject: a\r\n\r\nb quinCunx c\r\n", TEXT_BODY, true, true},
        {"Subject: a\r\n\r\nb quincun x\r\n", TEXT_BODY, false, false},
        {"Subject: a\r\n\r\nb quincun\r\nx", TEXT_BODY, false, false},
        {"Subject: quincunx\r\n\r\nb\r\n", ALL, true, true},
        {"Subject: =?utf-8?q?quinc?=\r\n =?utf-8?q?unx?=\r\n\r\nb\r\n", ALL, true, true},
        {"Subject: =?utf-8?q?quinc?=\r\n =?utf-8?q?unx?=\r\n\r\nb\r\n", TEXT_BODY, false, false},
        {TYPE("message/rfc822") "\r\nSubject: =?utf-8?q?=71uincunx?=\r\n\r\n", TEXT_BODY, true, true},
        {TYPE("multipart/digest; boundary=b") "\r\n--b\r\n\r\nSubject: =?utf-8?q?=71uincunx?=\r\n\r\n",
         TEXT_BODY, true, true},
        /* characters that are decomposed */
        {"\r\nquincun\xc3\xa9\r\n", TEXT_BODY, true, false},
        {"\r\n\xef\xbd\x91uincunx\r\n", TEXT_BODY, true, true},
        /* charsets */
        {TYPE("text/plain; charset=utf-7") "\r\nquincun+AHg-\r\n", TEXT_BODY, true, true},
        {TYPE("text/plain; x=\"charset=a\"; charset=\"utf\\-7\"") "\r\nquincun+AHg-\r\n", TEXT_BODY,
         true, true},
        {"content-type :text/plain;\r\n CHARSET (a)=(b) unicode-1-1-utf-7\r\n\r\nquincun+AHg-\r\n",
         TEXT_BODY, true, true},
        {TYPE("text/plain; charset=iso-2022-kr") "\r\nquin\x0f\x63unx\r\n", TEXT_BODY, true, true},
        {TYPE("text/plain; charset=us-ascii") "\r\nquincun+AHg-\r\n", TEXT_BODY, false, false},
        {TYPE("text/plain; charset=klingon") "\r\nquincun+AHg-\r\n", TEXT_BODY, false, false},
        {TYPE("image/png; charset=utf-7") "\r\nquincun+AHg-\r\n", TEXT_BODY, false, false},
        /* encodings */
        {ENCODING("7bit") "\r\ncXVpbmN1bng=\r\n", TEXT_BODY, false, false},
        {ENCODING("base64") "\r\ncXVpbmN1bng=\r\n", TEXT_BODY, true, true},
        {"content-TRANSFER-encoding\t: (a) Base64 x\r\n\r\ncXVpbmN1bng=\r\n", TEXT_BODY, true, true},
        {ENCODING("quoted-printable") "\r\nquin=\r\ncunx\r\n", TEXT_BODY, true, true},
        {ENCODING("quoted-printable") TYPE("text/plain") "\r\n=71uincunx\r\n", TEXT_BODY, true, true},
        {PDF ENCODING("base64") "\r\ncXVpbmN1bng=\r\n", TEXT_BODY, false, false},
        {ENCODING("base64") PDF "\r\ncXVpbmN1bng=\r\n", TEXT_BODY, false, false},
        {"X-" PDF ENCODING("base64") "\r\ncXVpbmN1bng=\r\n", TEXT_BODY, true, true},
        {PDF TYPE("text/plain") ENCODING("base64") "\r\ncXVpbmN1bng=\r\n", TEXT_BODY, true, false},
        {TYPE("text/plain") PDF ENCODING("base64") "\r\ncXVpbmN1bng=\r\n", TEXT_BODY, true, true},
        {TYPE("text/plain") "A: b\r\n" ENCODING("base64") PDF "\r\ncXVpbmN1bng=\r\n", TEXT_BODY, true,
         true},
        {PDF "A: b\r\n C\r\n" ENCODING("base64") "\r\ncXVpbmN1bng=\r\n", TEXT_BODY, false, false},
        {MIXED PDF "--b\r\n" ENCODING("base64") "\r\ncXVpbmN1bng=\r\n", TEXT_BODY, true, true},
        {MIXED ENCODING("base64") "--b\r\n" PDF "\r\ncXVpbmN1bng=\r\n", TEXT_BODY, true, false},
        {MIXED ENCODING("base64") "\r\ncXVpbmN1bng=\r\n--b\r\n" PDF "\r\n", TEXT_BODY, true, true},
        {MIXED "\r\nb\r\n--b\r\n" PDF ENCODING("base64") "\r\ncXVpbmN1bng=\r\n--b--\r\n", TEXT_BODY,
         false, false},
        {MIXED TYPE("text/plain") "\r\n" PDF
                                  "\r\n--b\r\n" ENCODING("base64") "\r\ncXVpbmN1bng=\r\n--b--\r\n",
         TEXT_BODY, true, true},
        {TYPE("message/rfc822") "\r\n" PDF ENCODING("base64") "\r\ncXVpbmN1bng=\r\n", TEXT_BODY, false,
         false},
        {TYPE("message/delivery-status") ENCODING("base64") "\r\ncXVpbmN1bng=\r\n", TEXT_BODY, true,
         true},
        /* markup */
        {HTML "<p>a<br>quin cunx &nbsp;a &amp; b&c;d</p>\r\n", TEXT_BODY, true, false},
        {HTML "<p>a<br>quin cunx &nbsp;a &amp; b&c</p>\r\n", TEXT_BODY, false, false},
        {HTML "quin<b>cu</b>nx\r\n", TEXT_BODY, true, true},
        {HTML "quincun<!-- > -->x\r\n", TEXT_BODY, true, true},
        {HTML "QUIN<style>a</style>CUNX\r\n", TEXT_BODY, true, false},
        {HTML "quincun&#120;\r\n", TEXT_BODY, true, true},
        {HTML "&#x71;uincunx\r\n", TEXT_BODY, true, true},
        {TYPE("text/plain") "\r\nquin<b>cu</b>nx\r\n", TEXT_BODY, false, false},
        {MIXED "\r\n--b\r\n" HTML "q<b>uincunx", TEXT_BODY, true, true},
    };
    static const struct str needle = S("QUINCUNX");
    struct unfolded word = glance_word(needle);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct str raw = str_from_c(rows[i].raw);
        bool holds = text_holds(raw, needle, rows[i].what), may = glance(raw, &word, rows[i].what);

        if (holds != rows[i].holds || may != rows[i].may)
            fail_msg("holds %d, may %d: %s", holds, may, rows[i].raw);
    }
}

static uint64_t next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

/* What is made of these by chance is hardly ever good mail, and often nearly. Twice means twice as likely. */
static const char *const pieces[] = {
    "ab",
    "c",
    "A",
    "b",
    "C",
    "abc",
    "ab",
    "c",
    "=",
    "=\r\n",
    "=62",
    "=3C",
    "\r\n",
    "\r\n",
    "\n",
    "\r",
    " ",
    "\t",
    "\r\n ",
    "\r\n\r\n",
    "\r\n\r\n",
    "--b\r\n",
    "\r\n--b\r\n",
    "\r\n--b--\r\n",
    "<",
    ">",
    "<b>",
    "</p>",
    "<!--",
    "-->",
    "<title>",
    "</title>",
    "&",
    ";",
    "&#98;",
    "&b;",
    "&nbsp;",
    "&amp;",
    "&#x4",
    "\"",
    "YWJj",
    "Yg==",
    "=?utf-8?q?b?=",
    "=?utf-8?b?YWJj?=",
    "+AGI-",
    "+AGIAYw-",
    "\x1b$B",
    "\x1b(B",
    "\x0e",
    "\x0f",
    "\xc3\xa9",
    "\xef\xbd\x82",
    "\xe2\x84\xaa",
    TYPE("text/plain"),
    TYPE("text/plain; charset=utf-7"),
    TYPE("text/plain; charset=\"utf-8\""),
    TYPE("text/html"),
    TYPE("text/html"),
    PDF,
    PDF,
    TYPE("message/rfc822"),
    TYPE("multipart/mixed; boundary=b"),
    TYPE("multipart/digest; boundary=b"),
    TYPE("text"),
    "Content-Type: ",
    "Content-Type:\r\n ",
    "content-type:text/html\n",
    "X-",
    ENCODING("base64"),
    ENCODING("quoted-printable"),
    ENCODING("quoted-printable"),
    ENCODING("7bit"),
    "Content-Transfer-Encoding : BASE64\n",
    "Subject: ",
    "A:\r\n",
    MIXED,
    MIXED,
    HTML,
    HTML,
    "\r\n--b\r\n" HTML,
    "\r\n--b\r\n" PDF,
    TYPE("message/rfc822") "\r\n",
};

static void add_by_chance(struct buf *out, uint64_t *seed)
{
    uint64_t n = 1 + next(seed) % 24;

    while (n--)
        buf_add_c(out, pieces[next(seed) % (sizeof(pieces) / sizeof(*pieces))]);
}

static void test_chance(void **state)
{
    static const struct str needles[] = {S("ABC"), S("BC"), S("B"), S("A"), S("AB\r\nC"), S("A ABC")};
    struct buf raw = buf_make(BUF_UNLIMITED);
    size_t decided = 0, held = 0;

    (void)state;
    for (uint64_t round = 0; round < 40000; round++) {
        uint64_t seed = round;
        struct str needle = needles[round % (sizeof(needles) / sizeof(*needles))];
        struct unfolded word = glance_word(needle);
        unsigned what = round % 7 ? TEXT_BODY : ALL;

        next(&seed);
        buf_clear(&raw);
        add_by_chance(&raw, &seed);
        if (glance_misses(buf_str(&raw), needle, what))
            fail_msg("missed \"%.*s\" in round %zu: %.*s", STR_ARG(needle), (size_t)round,
                     STR_ARG(buf_str(&raw)));
        decided += !glance(buf_str(&raw), &word, what);
        held += text_holds(buf_str(&raw), needle, what);
    }
    assert_true(decided > 100 && held > 1000); /* or nothing was tried */
    buf_free(&raw);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_glances),
        cmocka_unit_test(test_chance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
