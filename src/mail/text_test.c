/* What SEARCH TEXT and BODY look through. */
#include "mail/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define MIXED                                                                                          \
    "Subject: =?utf-8?Q?gr=C3=BC=C3=9Fe?=\r\n  dich\r\nContent-Type: multipart/mixed; "                \
    "boundary=b\r\n\r\nnot this\r\n"                                                                   \
    "--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: "               \
    "quoted-printable\r\n\r\n"                                                                         \
    "caf=E9 au=\r\n lait\r\n"                                                                          \
    "--b\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n"                      \
    "PHA+YSZhbXA7Yjwv\r\ncD5j\r\n"                                                                     \
    "--b\r\nContent-Type: image/png\r\n\r\nimage\r\n"                                                  \
    "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inside\r\n\r\ntext inside\r\n"                \
    "--b\r\nContent-Type: message/delivery-status\r\n\r\nStatus: 5.0.0\r\n"                            \
    "--b\r\nContent-Type: text/plain; charset=klingon\r\n\r\nx\xff\r\n"                                \
    "--b--\r\n"

static void test_texts(void **state)
{
    static const struct {
        const char *in;
        unsigned what;
        const char *out;
    } rows[] = {
        {"Subject: a\r\n b\r\n\r\nc\r\n", TEXT_HEADER, "Subject: a b\n\n"},
        {"Subject: a\r\n b\r\n\r\nc\r\n", TEXT_BODY, "c\r\n\n"},
        {"Subject: a\r\n b\r\n\r\nc\r\n", TEXT_HEADER | TEXT_PARTS | TEXT_BODY,
         "Subject: a b\n\nc\r\n\n"},
        {"", TEXT_HEADER | TEXT_PARTS | TEXT_BODY, "\n\n"},
        {MIXED, TEXT_HEADER, "Subject: grüße  dich\nContent-Type: multipart/mixed; boundary=b\n\n"},
        {MIXED, TEXT_BODY, "café au lait\n a&b c\nSubject: inside\n\ntext inside\nStatus: 5.0.0\nx�\n"},
        {MIXED, TEXT_PARTS,
         "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n"
         "Content-Type: text/html\nContent-Transfer-Encoding: base64\n\nContent-Type: image/png\n\n"
         "Content-Type: message/rfc822\n\nContent-Type: message/delivery-status\n\n"
         "Content-Type: text/plain; charset=klingon\n\n"},
    };
    struct buf out = buf_make(10000);
    struct mime m = mime_make();

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct str in = str_from_c(rows[i].in), text;
        struct mime_source source = mime_source_of(&in);
        struct message_text t;

        mime_feed(&m, in);
        mime_end(&m);
        t = message_text_make();
        message_text_begin(&t, m.parts, m.count, &source, rows[i].what);
        while (message_text_next(&t, &text)) {
            assert_true(text.n > 0);
            buf_add(&out, text);
        }
        assert_false(t.failed);
        message_text_free(&t);
        if (!str_same(buf_str(&out), str_from_c(rows[i].out)))
            fail_msg("row %zu: got\n%.*s", i, STR_ARG(buf_str(&out)));
        buf_clear(&out);
        mime_reset(&m);
    }
    mime_free(&m);
    buf_free(&out);
}

/* Characters that lie across two pieces, and no more memory than a few of them. */
static void test_long(void **state)
{
    struct buf message = buf_make(10000000);
    struct str in, text;
    struct mime_source source = mime_source_of(&in);
    struct mime m = mime_make();
    struct message_text t;
    size_t n = 0;

    (void)state;
    buf_add_c(&message, "Content-Type: text/html; charset=utf-8\r\n\r\n");
    for (int i = 0; i < 100000; i++)
        buf_add_c(&message, "日本&eacute;<p>語");
    in = buf_str(&message);
    mime_feed(&m, in);
    mime_end(&m);
    t = message_text_make();
    message_text_begin(&t, m.parts, m.count, &source, TEXT_BODY);
    while (message_text_next(&t, &text)) {
        assert_true(is_utf8(text));
        n += text.n;
    }
    assert_int_equal(n, 100000 * (9 + 2 + 1) + 1);
    assert_true(t.raw.cap + t.bytes.cap + t.text.cap + t.bare.cap <= 16 * TEXT_PIECE);
    message_text_free(&t);
    mime_free(&m);
    buf_free(&message);
}

static bool read_nothing(void *ctx, uint64_t at, size_t n, struct buf *out)
{
    (void)at;
    (void)n;
    (void)out;
    return ctx != NULL;
}

/* A source that fails, and one that has nothing of what it should. */
static void test_sources(void **state)
{
    const struct mime_part part = {.body = 2, .end = 1000};
    struct mime_source failing = {read_nothing, NULL}, empty = {read_nothing, &failing};
    struct message_text t = message_text_make();
    message_text_begin(&t, &part, 1, &failing, TEXT_BODY);
    struct str text;

    (void)state;
    assert_false(message_text_next(&t, &text));
    assert_true(t.failed);
    message_text_free(&t);
    t = message_text_make();
    message_text_begin(&t, &part, 1, &empty, TEXT_BODY);
    assert_true(message_text_next(&t, &text) && str_same(text, S("\n")));
    assert_false(message_text_next(&t, &text) || t.failed);
    message_text_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_sources),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
