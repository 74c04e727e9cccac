/* RFC 9051's own example, and what is odd. */
#include "mail/section.h"

#include "mail/header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define PREFIX "Return-Path: <a@b.test>\r\n"
/* §6.4.5.1, its parts by their names there. */
#define COMPLEX                                                                                        \
    "Subject: outer\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\npreamble\r\n"                  \
    "--a\r\n\r\none\r\n"                                                                               \
    "--a\r\nContent-Type: application/octet-stream\r\n\r\ntwo\r\n"                                     \
    "--a\r\nContent-Type: message/rfc822\r\n\r\nSubject: three\r\nContent-Type: multipart/mixed; "     \
    "boundary=b\r\n\r\n"                                                                               \
    "--b\r\n\r\n3.1\r\n--b\r\nContent-Type: application/octet-stream\r\n\r\n3.2\r\n--b--\r\n"          \
    "\r\n--a\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"                                     \
    "--c\r\nContent-Type: image/gif\r\n\r\n4.1\r\n"                                                    \
    "--c\r\nContent-Type: message/rfc822\r\n\r\nSubject: four\r\nContent-Type: multipart/mixed; "      \
    "boundary=d\r\n\r\n"                                                                               \
    "--d\r\n\r\n4.2.1\r\n--d\r\nContent-Type: multipart/alternative; boundary=e\r\n\r\n"               \
    "--e\r\n\r\n4.2.2.1\r\n--e\r\nContent-Type: text/richtext\r\n\r\n4.2.2.2\r\n--e--\r\n"             \
    "\r\n--d--\r\n\r\n--c--\r\n\r\n--a--\r\n"
#define PLAIN "Subject: plain\r\n\r\nbody\r\n"
#define EMPTY                                                                                          \
    "Content-Type: multipart/mixed; boundary=b\r\n\r\nno parts\r\n" /* a text is shown in it */
#define INSIDE "Content-Type: message/rfc822\r\n\r\nSubject: inside\r\n\r\ntext\r\n"

/* "1.2.MIME" as a section; enough for a test. */
static struct imap_section parse(struct str s, uint32_t numbers[10])
{
    static const struct {
        struct str word;
        enum imap_section_text text;
    } words[] = {{S("HEADER"), IMAP_SECTION_HEADER},
                 {S("TEXT"), IMAP_SECTION_TEXT},
                 {S("MIME"), IMAP_SECTION_MIME}};
    struct imap_section out = {.part = numbers};
    uint64_t v;

    while (take_u64(&s, &v)) {
        numbers[out.part_depth++] = (uint32_t)v;
        take_char(&s, '.');
    }
    for (size_t i = 0; i < 3; i++)
        if (str_same(s, words[i].word))
            out.text = words[i].text;
    return out;
}

static const struct place {
    const char *message, *section, *out; /* NULL: NIL */
} places[] = {
    {PLAIN, "", PREFIX PLAIN},
    {PLAIN, "HEADER", PREFIX "Subject: plain\r\n\r\n"},
    {PLAIN, "TEXT", "body\r\n"},
    {PLAIN, "1", "body\r\n"},
    {PLAIN, "1.MIME", PREFIX "Subject: plain\r\n\r\n"},
    {PLAIN, "MIME", NULL},
    {EMPTY, "1", ""},
    {EMPTY, "1.MIME", ""},
    {EMPTY, "1.TEXT", NULL},
    {EMPTY, "1.1", NULL},
    {EMPTY, "2", NULL},
    {PLAIN, "2", NULL},
    {PLAIN, "0", NULL},
    {PLAIN, "1.1", NULL},
    {PLAIN, "1.HEADER", NULL},
    {PLAIN, "1.TEXT", NULL},
    {"", "", PREFIX},
    {"", "HEADER", PREFIX},
    {"", "TEXT", ""},
    {"\r\nx", "HEADER", PREFIX "\r\n"},
    {"Subject: no body", "HEADER", PREFIX "Subject: no body"},
    {INSIDE, "1", "Subject: inside\r\n\r\ntext\r\n"},
    {INSIDE, "1.HEADER", "Subject: inside\r\n\r\n"},
    {INSIDE, "1.TEXT", "text\r\n"},
    {INSIDE, "1.1", "text\r\n"},
    {INSIDE, "1.1.MIME", "Subject: inside\r\n\r\n"},
    {INSIDE, "1.1.HEADER", NULL},
    {INSIDE, "1.1.1", NULL},
    {INSIDE, "HEADER", PREFIX "Content-Type: message/rfc822\r\n\r\n"},
    {COMPLEX, "1", "one"},
    {COMPLEX, "1.MIME", "\r\n"},
    {COMPLEX, "1.HEADER", NULL},
    {COMPLEX, "2", "two"},
    {COMPLEX, "2.MIME", "Content-Type: application/octet-stream\r\n\r\n"},
    {COMPLEX, "3.MIME", "Content-Type: message/rfc822\r\n\r\n"},
    {COMPLEX, "3.HEADER", "Subject: three\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"},
    {COMPLEX, "3.TEXT",
     "--b\r\n\r\n3.1\r\n--b\r\nContent-Type: application/octet-stream\r\n\r\n3.2\r\n--b--\r\n"},
    {COMPLEX, "3.1", "3.1"},
    {COMPLEX, "3.2", "3.2"},
    {COMPLEX, "3.3", NULL},
    {COMPLEX, "4.MIME", "Content-Type: multipart/mixed; boundary=c\r\n\r\n"},
    {COMPLEX, "4.HEADER", NULL},
    {COMPLEX, "4.1", "4.1"},
    {COMPLEX, "4.1.MIME", "Content-Type: image/gif\r\n\r\n"},
    {COMPLEX, "4.2.HEADER", "Subject: four\r\nContent-Type: multipart/mixed; boundary=d\r\n\r\n"},
    {COMPLEX, "4.2.1", "4.2.1"},
    {COMPLEX, "4.2.2.MIME", "Content-Type: multipart/alternative; boundary=e\r\n\r\n"},
    {COMPLEX, "4.2.2",
     "--e\r\n\r\n4.2.2.1\r\n--e\r\nContent-Type: text/richtext\r\n\r\n4.2.2.2\r\n--e--\r\n"},
    {COMPLEX, "4.2.2.1", "4.2.2.1"},
    {COMPLEX, "4.2.2.2", "4.2.2.2"},
    {COMPLEX, "4.2.2.3", NULL},
    {COMPLEX, "5", NULL},
};

static void find_row(size_t i, struct mime *m, struct buf *message)
{
    const struct place *row = &places[i];
    struct section_range r;
    uint32_t numbers[10];
    struct imap_section s = parse(str_from_c(row->section), numbers);
    bool found;

    mime_feed(m, str_from_c(row->message));
    mime_end(m);
    buf_add_c(message, PREFIX);
    buf_add_c(message, row->message);
    found = section_find(&s, m->parts, m->count, sizeof(PREFIX) - 1, &r);
    if (found != (row->out != NULL))
        fail_msg("row %zu, %s: %s", i, row->section, found ? "there" : "NIL");
    if (found && !str_same(str_upto(str_from(buf_str(message), r.at), r.n), str_from_c(row->out)))
        fail_msg("row %zu, %s: got %zu+%zu \"%.*s\"", i, row->section, (size_t)r.at, (size_t)r.n,
                 (int)r.n, message->p + r.at);
    mime_reset(m);
    buf_clear(message);
}

static void test_places(void **state)
{
    struct buf message = buf_make(10000);
    struct mime m = mime_make();

    (void)state;
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
        find_row(i, &m, &message);
    mime_free(&m);
    buf_free(&message);
}

static void test_binary(void **state)
{
    static const struct {
        const char *message, *section;
        enum transfer_encoding encoding;
        bool crlf;
        const char *out;
    } rows[] = {
        {"Content-Transfer-Encoding: base64\r\n\r\nYQpiDQo=\r\n", "1", TRANSFER_BASE64, true,
         "a\r\nb\r\n"},
        {"Content-Transfer-Encoding: base64\r\n\r\nYQ==\r\n", "", TRANSFER_IDENTITY, false,
         "Content-Transfer-Encoding: base64\r\n\r\nYQ==\r\n"},
        {"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nYQpi\r\n", "1",
         TRANSFER_BASE64, false, "a\nb"},
        {"Content-Type: text/html\r\nContent-Transfer-Encoding: "
         "quoted-printable\r\n\r\n=41=0A=0D\n=0Ax\r\n",
         "1", TRANSFER_QUOTED_PRINTABLE, true, "A\r\n\r\n\r\nx\r\n"},
        {"Content-Transfer-Encoding: x-rot13\r\n\r\nN", "1", TRANSFER_UNKNOWN, true, NULL},
        {"Content-Type: multipart/mixed; boundary=a\r\nContent-Transfer-Encoding: "
         "base64\r\n\r\n--a\r\n\r\nx\r\n--a--",
         "1", TRANSFER_IDENTITY, true, "x"},
        {"Content-Transfer-Encoding: 8bit\r\n\r\na\nb\r\n", "1", TRANSFER_IDENTITY, true, "a\r\nb\r\n"},
        {"Content-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\na\nb", "1",
         TRANSFER_IDENTITY, false, "a\nb"},
    };
    struct buf out = buf_make(1000), room = buf_make(10000);
    struct mime m = mime_make();

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct str message = str_from_c(rows[i].message);
        struct mime_source source = mime_source_of(&message);
        enum transfer_encoding encoding;
        struct section_range r;
        uint32_t numbers[10];
        struct imap_section s = parse(str_from_c(rows[i].section), numbers);
        bool crlf, failed;
        struct binary b;

        mime_feed(&m, message);
        mime_end(&m);
        assert_true(
            section_find_binary(&s, m.parts, m.count, 0, &source, &r, &encoding, &crlf, &failed));
        assert_false(failed);
        if (encoding != rows[i].encoding || crlf != rows[i].crlf)
            fail_msg("row %zu: %d %d", i, encoding, crlf);
        for (size_t step = 1; rows[i].out && step <= r.n; step++) {
            b = binary_begin(encoding, crlf);
            for (size_t n = 0; n < r.n; n += step)
                buf_add(&out,
                        binary_next(&b, str_upto(str_upto(str_from(message, r.at + n), r.n - n), step),
                                    &room));
            buf_add(&out, binary_end(&b, &room));
            if (!str_same(buf_str(&out), str_from_c(rows[i].out)))
                fail_msg("row %zu, by %zu: got \"%.*s\"", i, step, STR_ARG(buf_str(&out)));
            buf_clear(&out);
        }
        mime_reset(&m);
    }
    mime_free(&m);
    buf_free(&out);
    buf_free(&room);
}

static void test_filter(void **state)
{
    static const struct str names[] = {S("subject"), S("TO")};
#define FOLDED "Subject: a\r\n b\r\n\tc\r\n"
    static const struct {
        const char *in, *fields, *others;
    } rows[] = {
        {FOLDED "From: x\r\n y\r\nTo : z\r\n\r\n", FOLDED "To : z\r\n\r\n", "From: x\r\n y\r\n\r\n"},
        {"From: x\n" FOLDED "\n", FOLDED "\n", "From: x\n\n"},
        {"Subjects: x\r\nSub: y\r\n\r\n", "\r\n", "Subjects: x\r\nSub: y\r\n\r\n"},
        {"no field\r\n too\r\nSubject:\r\n\r\n", "Subject:\r\n\r\n", "no field\r\n too\r\n\r\n"},
        {"", "", ""},
        {"\r\n", "\r\n", "\r\n"},
        {"Subject", "", "Subject"},
        {"to:", "to:", ""},
        {" folded from nowhere\r\nto:1\r\nTO: 2\r\n", "to:1\r\nTO: 2\r\n", " folded from nowhere\r\n"},
        {"\rto: x\r\nto: y\r\n", "to: y\r\n", "\rto: x\r\n"},
    };
    struct buf out = buf_make(1000);

    (void)state;
    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(*rows); i++) {
        struct str in = str_from_c(rows[i / 2].in);
        const char *expected = i % 2 ? rows[i / 2].others : rows[i / 2].fields;

        for (size_t step = 1; step <= in.n; step++) {
            struct imap_section s = {.text = i % 2 ? IMAP_SECTION_FIELDS_NOT : IMAP_SECTION_FIELDS,
                                     .fields = names,
                                     .field_count = 2};
            struct header_filter f = header_filter_begin(&s);

            for (size_t n = 0; n < in.n; n += step)
                header_filter_feed(&f, str_upto(str_from(in, n), step), &out);
            header_filter_end(&f, &out);
            if (!str_same(buf_str(&out), str_from_c(expected)))
                fail_msg("row %zu, by %zu: got \"%.*s\"", i, step, STR_ARG(buf_str(&out)));
            buf_clear(&out);
        }
    }
    buf_free(&out);
}

static void test_long_name(void **state)
{
    struct imap_section s = {.text = IMAP_SECTION_FIELDS_NOT};
    struct header_filter f = header_filter_begin(&s);
    struct buf in = buf_make(10000), out = buf_make(10000);

    (void)state;
    for (int i = 0; i < 1000; i++)
        buf_add_char(&in, 'x');
    buf_add_c(&in, ": y\r\n\r\n");
    header_filter_feed(&f, buf_str(&in), &out);
    header_filter_end(&f, &out);
    assert_true(str_same(buf_str(&in), buf_str(&out)));
    buf_free(&in);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_binary),
        cmocka_unit_test(test_filter),
        cmocka_unit_test(test_long_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
