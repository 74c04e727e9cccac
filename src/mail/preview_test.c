/* What a list shows of a message. */
#include "mail/preview.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define X50 "xxxxxxxxx xxxxxxxxx xxxxxxxxx xxxxxxxxx xxxxxxxxx "

static void test_previews(void **state)
{
    static const struct {
        const char *in, *out, *why;
    } rows[] = {
        {"\r\nHello,\r\n\r\n  how are\tyou?\r\n", "Hello, how are you?", "one line"},
        {"\r\n", "", "nothing"},
        {"Content-Type: image/png\r\n\r\nx", "", "no text"},
        {"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
         "base64\r\n\r\nR3LD\r\nvMOfZQ==\r\n",
         "Gr\xc3\xbc\xc3\x9f"
         "e",
         "base 64"},
        {"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: "
         "quoted-printable\r\n\r\n"
         "Gr=FC=DFe =\r\nan=20alle =80 =ZZ",
         "Gr\xc3\xbc\xc3\x9f"
         "e an alle \xe2\x82\xac =ZZ",
         "quoted-printable, and Windows' euro"},
        {"Content-Type: text/plain; charset=koi8-r\r\n\r\n\xf0\xd2", "Пр", "Cyrillic"},
        {"Content-Type: text/plain; charset=klingon\r\n\r\n\xf0\xf2", "",
         "a charset that is not known"},
        {"\r\na\xff"
         "b\x01"
         "c",
         "a\xef\xbf\xbd"
         "b c",
         "broken bytes, a control"},
        {"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: "
         "text/html\r\n\r\n<b>html</b>\r\n"
         "--b\r\n\r\nplain\r\n--b--\r\n",
         "plain", "plain text wins"},
        {"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Disposition: "
         "attachment\r\n\r\nnot this\r\n"
         "--b\r\n\r\nthis\r\n--b--\r\n",
         "this", "attachments do not count"},
        {"Content-Type: text/html\r\n\r\n<html><head><title>no</title><style>p{}</style></head><!-- "
         "<p>no --><body><p>a"
         "<br>b<b>c</b> &lt;d&gt; &amp;amp; &#8364;&nbsp;&nope; <a "
         "href=\"x\">e</a></p><script>if(a<b){}</script>f</body>",
         "a bc <d> &amp; \xe2\x82\xac &nope; e f", "markup goes"},
        {"Content-Type: text/html\r\n\r\na<b", "a", "a tag left open"},
        {"\r\n" X50 X50 X50 X50 "y", X50 X50 X50 "xxxxxxxxx xxxxxxxxx xxxxxxxxx xxxxxxxxx xxxxxxxxx",
         "200 characters"},
    };
    struct buf out = buf_make(10000);
    struct mime m = mime_make();

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct str in = str_from_c(rows[i].in);
        struct mime_source source = mime_source_of(&in);

        mime_feed(&m, in);
        mime_end(&m);
        assert_true(preview_write(&out, m.parts, m.count, &source));
        if (!str_same(buf_str(&out), str_from_c(rows[i].out)))
            fail_msg("%s: got\n\"%.*s\"", rows[i].why, STR_ARG(buf_str(&out)));
        buf_clear(&out);
        mime_reset(&m);
    }
    mime_free(&m);
    buf_free(&out);
}

/* Cut anywhere: what is decoded piece by piece is the same wherever a piece ends. */
static void test_pieces(void **state)
{
    static const struct {
        const char *header, *body;
    } rows[] = {
        {"text/html; charset=utf-8\r\n\r\n", "Gr\xc3\xbc\xc3\x9f<b>e</b> &amp;<style>p</style>you"},
        {"text/plain; charset=utf-8\r\n\r\n", "Gr\xc3\xbc\xc3\x9f"
                                              "e &    you"},
        {"text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n",
         "Gr=FC=DF=\r\ne &=20\r\nyou"},
        {"text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n",
         "R3LDvMOfZSAmIHlvdQ=="}};
    struct buf in = buf_make(10000), out = buf_make(10000);
    struct mime m = mime_make();

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        for (size_t pad = 980; pad < 1030; pad++) {
            struct str message;
            struct mime_source source;

            buf_clear(&in);
            buf_printf(&in, "Content-Type: %s%*s\r\n%s", rows[i].header, (int)pad, "", rows[i].body);
            message = buf_str(&in);
            source = mime_source_of(&message);
            mime_feed(&m, message);
            mime_end(&m);
            assert_true(preview_write(&out, m.parts, m.count, &source));
            if (!str_same(buf_str(&out), S("Gr\xc3\xbc\xc3\x9f"
                                           "e & you")))
                fail_msg("%s, %zu: got\n\"%.*s\"", rows[i].header, pad, STR_ARG(buf_str(&out)));
            buf_clear(&out);
            mime_reset(&m);
        }
    mime_free(&m);
    buf_free(&in);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_previews), cmocka_unit_test(test_pieces)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
