/* Each message is parsed whole and in pieces of every size, and its tree compared. */
#include "mail/mime.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* A tree as text: for each part its depth in dots, its kind, its header and body in quotes, its lines. */
static void draw(const struct mime *m, const char *text, struct buf *out)
{
    static const char kinds[] = "LPM"; /* leaf, multipart, message */

    for (size_t i = 0; i < m->count; i++) {
        const struct mime_part *p = &m->parts[i];

        for (size_t a = i; a; a = m->parts[a].parent)
            buf_add_char(out, '.');
        buf_printf(out, "%c", kinds[p->kind]);
        if (p->kind == MIME_LEAF)
            buf_printf(out, "{%.*s}", (int)(p->end - p->body), text + p->body);
        buf_printf(out, "%" PRIu64 " ", p->lines);
    }
}

static void parse(struct mime *m, struct str in, size_t piece)
{
    for (struct str rest = in; rest.n; rest = str_from(rest, piece))
        mime_feed(m, str_upto(rest, piece));
    mime_end(m);
    assert_true(mime_check(m->parts, m->count, in.n));
}

#define MULTI "Content-Type: multipart/mixed; boundary=b\r\n\r\n"

static void test_trees(void **state)
{
    static const struct {
        const char *in, *out, *why;
    } rows[] = {
        {"A: b\r\n\r\none\r\ntwo\r\n", "L{one\r\ntwo\r\n}2 ", "no parts"},
        {"A: b\r\n\r\none\r\ntwo", "L{one\r\ntwo}2 ", "an open last line counts"},
        {"A: b\r\n", "L{}0 ", "no body"},
        {"A: b", "L{}0 ", "not even a line end"},
        {"", "L{}0 ", "nothing"},
        {"\r\nbody", "L{body}1 ", "no header"},
        {"A: b\n\none\n", "L{one\n}1 ", "LF alone"},
        {MULTI "--b\r\n\r\none\r\n--b\r\nA: b\r\n\r\ntwo\r\n\r\n--b--\r\n", "P9 .L{one}1 .L{two\r\n}1 ",
         "RFC 2046 §5.1.1: the line end before a boundary is the boundary's"},
        {MULTI "preamble\r\n--b\r\n\r\none\r\n--b--\r\nepilogue\r\n--b\r\n\r\nnot a part\r\n",
         "P9 .L{one}1 ", "preamble and epilogue belong to no part"},
        {MULTI "--b\r\n\r\n--b\r\n\r\n\r\n--b--", "P6 .L{}0 .L{}0 ", "empty bodies"},
        {MULTI "--b\r\n--b\r\nA: b\r\n--b--\r\n", "P4 .L{}0 .L{}0 ", "no empty line"},
        {MULTI "--b\r\nContent-Type: message/rfc822\r\n\r\nA: b\r\n\r\n--b--\r\n", "P6 .M2 ..L{}0 ",
         "an empty line that ends a header is no boundary's, and is counted"},
        {MULTI "--b\r\nContent-Type: message/rfc822\r\n\r\n--b--\r\n", "P4 .M0 ..L{}0 ",
         "nor is there a line where there is no byte"},
        {MULTI "--b  \t\r\n\r\none\r\n--bb\r\n--b-\r\n --b\r\n--b -- \r\n-- b\r\n--b--  \r\n",
         "P9 .L{one\r\n--bb\r\n--b-\r\n --b\r\n--b -- \r\n-- b}6 ",
         "padding is allowed, anything else is text"},
        {MULTI "--b\r\n\r\none\r\n", "P3 .L{one\r\n}1 ", "never closed"},
        {MULTI "no parts\r\n", "P1 ", "none"},
        {"Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\none\r\n--b--\r\n",
         "L{--b\r\n\r\none\r\n--b--\r\n}4 ", "no boundary named"},
        {"CONTENT-TYPE : Multipart/Mixed;\r\n\tboundary=\"b (\\\" :\";\r\n x=y\r\n\r\n--b (\" "
         ":\r\n\r\none\r\n--b (\" :--\r\n",
         "P4 .L{one}1 ", "folded, quoted, with a backslash"},
        {"Content-Type: multipart/mixed (c; boundary=x); "
         "boundary=b=_/c\r\n\r\n--b=_/c\r\n\r\none\r\n--b=_/c--\r\n",
         "P4 .L{one}1 ", "a comment; a value that should be in quotes"},
        {"X: y\r\nContent-Type: text/plain\r\nContent-Type: multipart/mixed; "
         "boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n",
         "L{--b\r\n\r\nx\r\n--b--\r\n}4 ", "the first of doubled fields counts"},
        {MULTI "--b\r\nContent-Type: multipart/alternative; "
               "boundary=c\r\n\r\n--c\r\n\r\none\r\n--c\r\n\r\ntwo\r\n--c--\r\n"
               "--b\r\n\r\nthree\r\n--b--\r\n",
         "P14 .P7 ..L{one}1 ..L{two}1 .L{three}1 ", "nested"},
        {MULTI "--b\r\nContent-Type: multipart/mixed; "
               "boundary=c\r\n\r\n--c\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n",
         "P10 .P3 ..L{one}1 .L{two}1 ", "an outer boundary closes an inner multipart"},
        {MULTI "--b\r\nContent-Type: multipart/mixed; "
               "boundary=bb\r\n\r\n--bb\r\n\r\none\r\n--bb--\r\n--b--\r\n",
         "P8 .P4 ..L{one}1 ", "one boundary begins another"},
        {"Content-Type: message/rfc822\r\n\r\nA: b\r\n\r\none\r\n", "M3 .L{one\r\n}1 ",
         "a message inside"},
        {"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nQTogYg==\r\n",
         "L{QTogYg==\r\n}1 ", "RFC 2046 §5.2.1 forbids to encode it"},
        {MULTI "--b\r\nContent-Type: message/rfc822\r\n\r\n" MULTI
               "--b\r\n\r\none\r\n--b--\r\n--b--\r\n",
         "P10 .M6 ..P4 ...L{one}1 ", "the same boundary inside"},
        {MULTI "--b\r\nContent-Type: message/rfc822\r\n\r\nA: b\r\n--b\r\n\r\ntwo\r\n--b--\r\n",
         "P8 .M1 ..L{}0 .L{two}1 ", "a message that ends in its header"},
        {"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nA: "
         "b\r\n\r\none\r\n--b\r\nContent-Type: text/plain\r\n\r\n"
         "two\r\n--b--\r\n",
         "P10 .M3 ..L{one}1 .L{two}1 ", "RFC 2046 §5.1.5: messages by default"},
    };
    struct buf out = buf_make(10000);
    struct mime m = mime_make();

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        for (size_t piece = 1; piece <= strlen(rows[i].in) + 1; piece++) {
            parse(&m, str_from_c(rows[i].in), piece);
            draw(&m, rows[i].in, &out);
            if (!str_same(buf_str(&out), str_from_c(rows[i].out)))
                fail_msg("row %zu, pieces of %zu: %s: got %.*s", i, piece, rows[i].why,
                         STR_ARG(buf_str(&out)));
            buf_clear(&out);
            mime_reset(&m);
        }
    buf_free(&out);
    mime_free(&m);
}

/* RFC 6531 §3.2: at any level. Not in a body, a preamble or an epilogue. */
static void test_utf8_headers(void **state)
{
    static const struct {
        const char *in;
        bool utf8_header, utf8_own_header;
        const char *why;
    } rows[] = {
        {"A: b\r\n\r\n\xc3\xbc\r\n", false, false, "a body"},
        {"A: \xc3\xbc\r\n\r\nx\r\n", true, true, "the message's own"},
        {"A: b\r\n \xc3\xbc\r\n\r\nx\r\n", true, true, "a fold"},
        {"A: \xc3\xbc", true, true, "a header and nothing else"},
        {MULTI "\xc3\xbc\r\n--b\r\nA: b\r\n\r\n\xc3\xbc\r\n--b--\r\n\xc3\xbc\r\n", false, false,
         "around and in a part"},
        {MULTI "--b\r\nA: \xc3\xbc\r\n\r\nx\r\n--b--\r\n", true, false, "a part's"},
        {MULTI "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: \xc3\xbc\r\n\r\nx\r\n--b--\r\n",
         true, false, "of a message inside"},
        {MULTI "--b\r\nContent-Type: message/global\r\nContent-Transfer-Encoding: "
               "base64\r\n\r\nU3ViamVjdDogw7w=\r\n--b--\r\n",
         false, false, "one that is encoded"},
    };
    struct mime m = mime_make();

    (void)state;
    for (size_t piece = 1; piece < 200; piece += piece < 50 ? 1 : 49)
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
            parse(&m, str_from_c(rows[i].in), piece);
            if (m.utf8_header != rows[i].utf8_header || m.utf8_own_header != rows[i].utf8_own_header)
                fail_msg("row %zu, pieces of %zu: %s", i, piece, rows[i].why);
            assert_false(m.is_cut);
            mime_reset(&m);
        }
    mime_free(&m);
}

static void test_limits(void **state)
{
    struct mime m = mime_make();
    struct buf in = buf_make(BUF_UNLIMITED);

    (void)state;
    for (int i = 0; i < 200; i++)
        buf_add(&in, S("Content-Type: message/rfc822\r\n\r\n"));
    parse(&m, buf_str(&in), 1000);
    assert_int_equal(m.count, MIME_DEPTH_MAX + 1);
    assert_int_equal(m.parts[MIME_DEPTH_MAX].kind, MIME_LEAF);
    assert_true(m.is_cut);
    mime_reset(&m);
    buf_clear(&in);
    buf_add(&in, S(MULTI));
    for (int i = 0; i < 3000; i++)
        buf_add(&in, S("--b\r\n\r\nx\r\n"));
    parse(&m, buf_str(&in), 1000);
    assert_int_equal(m.count, MIME_PARTS_MAX);
    assert_true(m.is_cut);
    assert_int_equal(m.parts[MIME_PARTS_MAX - 1].end - m.parts[MIME_PARTS_MAX - 1].body, 1);
    mime_reset(&m);
    buf_clear(&in);
    buf_add(&in, S(MULTI "--b\r\nX: "));
    for (int i = 0; i < 100000; i++)
        buf_add_char(&in, 'x');
    buf_add(&in, S("\r\n\r\nbody\r\n--b--\r\n"));
    parse(&m, buf_str(&in), 777);
    assert_int_equal(m.count, 2);
    assert_int_equal(m.parts[1].end - m.parts[1].body, 4);
    assert_true(m.line.cap <= 8192);
    buf_free(&in);
    mime_free(&m);
}

static void test_check(void **state)
{
    static const struct {
        struct mime_part parts[4];
        size_t count;
        bool good;
        const char *why;
    } rows[] = {
        {{{0, 0, 10, 100, 5, MIME_LEAF}}, 1, true, "one leaf"},
        {{{0}}, 0, false, "no part"},
        {{{0, 1, 10, 100, 5, MIME_LEAF}}, 1, false, "does not begin at 0"},
        {{{0, 0, 10, 99, 5, MIME_LEAF}}, 1, false, "does not reach the end"},
        {{{0, 0, 10, 101, 5, MIME_LEAF}}, 1, false, "reaches beyond"},
        {{{0, 0, 101, 100, 5, MIME_LEAF}}, 1, false, "body behind its end"},
        {{{0, 0, 10, 100, 91, MIME_LEAF}}, 1, false, "more lines than bytes"},
        {{{0, 0, 10, 100, 5, 3}}, 1, false, "no such kind"},
        {{{1, 0, 10, 100, 5, MIME_LEAF}}, 1, false, "a root with a parent"},
        {{{0, 0, 10, 100, 5, MIME_LEAF}, {0, 10, 20, 30, 1, MIME_LEAF}},
         2,
         false,
         "a leaf with a child"},
        {{{0, 0, 10, 100, 5, MIME_MULTIPART},
          {0, 10, 20, 30, 1, MIME_LEAF},
          {0, 30, 40, 50, 1, MIME_LEAF}},
         3,
         true,
         "two parts"},
        {{{0, 0, 10, 100, 5, MIME_MULTIPART},
          {0, 10, 20, 30, 1, MIME_LEAF},
          {0, 29, 40, 50, 1, MIME_LEAF}},
         3,
         false,
         "which overlap"},
        {{{0, 0, 10, 100, 5, MIME_MULTIPART}, {0, 9, 20, 30, 1, MIME_LEAF}},
         2,
         false,
         "before its parent's body"},
        {{{0, 0, 10, 100, 5, MIME_MULTIPART}, {0, 10, 20, 101, 1, MIME_LEAF}},
         2,
         false,
         "behind its parent's end"},
        {{{0, 0, 10, 100, 5, MIME_MULTIPART}, {1, 10, 20, 30, 1, MIME_LEAF}},
         2,
         false,
         "its own parent"},
        {{{0, 0, 10, 100, 5, MIME_MULTIPART},
          {2, 10, 20, 30, 1, MIME_LEAF},
          {0, 30, 40, 50, 1, MIME_LEAF}},
         3,
         false,
         "a parent that comes later"},
        {{{0, 0, 10, 100, 5, MIME_MESSAGE}}, 1, false, "a message without one inside"},
        {{{0, 0, 10, 100, 5, MIME_MESSAGE}, {0, 10, 20, 100, 5, MIME_LEAF}}, 2, true, "with one"},
        {{{0, 0, 10, 100, 5, MIME_MESSAGE}, {0, 11, 20, 100, 5, MIME_LEAF}},
         2,
         false,
         "not at its start"},
        {{{0, 0, 10, 100, 5, MIME_MESSAGE},
          {0, 10, 10, 10, 0, MIME_LEAF},
          {0, 10, 20, 100, 5, MIME_LEAF}},
         3,
         false,
         "with two"},
        {{{0, 0, 10, 100, 5, MIME_MULTIPART},
          {0, 10, 10, 10, 0, MIME_MULTIPART},
          {0, 10, 10, 10, 0, MIME_LEAF},
          {1, 10, 10, 10, 0, MIME_LEAF}},
         4,
         false,
         "behind a part that closed its parent"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (mime_check(rows[i].parts, rows[i].count, 100) != rows[i].good)
            fail_msg("row %zu: %s", i, rows[i].why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trees),
        cmocka_unit_test(test_utf8_headers),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_check),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
