/* Each wire text is read whole and in pieces of every size; what a piece boundary changes is a mistake. */
#include "proto/dots.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define T(lit)                                                                                         \
    {                                                                                                  \
        lit, sizeof(lit) - 1                                                                           \
    }

enum { CR = 1, LF = 2, NUL = 4, OPEN = 8 };

static int flags_of(const struct dots *d)
{
    return (d->bare_cr ? CR : 0) | (d->bare_lf ? LF : 0) | (d->nul ? NUL : 0) | (d->ended ? 0 : OPEN);
}

/* Gives how many bytes were left unread. */
static size_t read_in_pieces(struct dots *d, struct str in, size_t size, struct buf *out)
{
    struct str piece;

    while (in.n && !d->ended) {
        struct str part = str_upto(in, size);

        in = str_from(in, part.n);
        while (take_body(d, &part, &piece))
            buf_add(out, piece);
        if (d->ended)
            return part.n + in.n;
        assert_int_equal(part.n, 0);
    }
    return in.n;
}

static void test_read(void **state)
{
    static const struct {
        struct str wire, body;
        size_t left;
        int flags;
        const char *why;
    } rows[] = {
        {T("a\r\n.\r\n"), T("a\r\n"), 0, 0,
         "RFC 5321 §4.1.1.4: the CRLF before the dot belongs to the body"},
        {T(".\r\n"), T(""), 0, 0, "no body at all"},
        {T("\r\n.\r\nQUIT\r\n"), T("\r\n"), 6, 0, "what follows is a command"},
        {T("..\r\n.\r\n"), T(".\r\n"), 0, 0, "§4.5.2: a doubled dot"},
        {T("...a\r\n.b\r\n.\r\n"), T("..a\r\nb\r\n"), 0, 0, "the first dot goes, doubled or not"},
        {T("a.\r\n.b.\r\n.\r\n"), T("a.\r\nb.\r\n"), 0, 0, "dots elsewhere stay"},
        {T("a\n.\r\n.\r\n"), T("a\n.\r\n"), 0, LF, "LF . CRLF is no end (smuggling)"},
        {T("a\r\n.\nb\r\n.\r\n"), T("a\r\n\nb\r\n"), 0, LF, "CRLF . LF is none either"},
        {T("a\n.\nb\r\n.\r\n"), T("a\n.\nb\r\n"), 0, LF, "nor LF . LF"},
        {T("a\r.\r\n.\r\n"), T("a\r.\r\n"), 0, CR, "nor CR . CRLF"},
        {T("a\r\n.\rb\r\n.\r\n"), T("a\r\n\rb\r\n"), 0, CR, "nor CRLF . CR"},
        {T("a\r\n.\r\r\n.\r\n"), T("a\r\n\r\r\n"), 0, CR, "CRLF . CR CRLF"},
        {T("a\r\r\n.\r\n"), T("a\r\r\n"), 0, CR, "CR before CRLF"},
        {T("a\r\n.\r.\r\n.\r\n"), T("a\r\n\r.\r\n"), 0, CR, "CRLF . CR . CRLF"},
        {T("a\0b\r\n.\r\n"), T("a\0b\r\n"), 0, NUL, "NUL passes and is told"},
        {T("a\r\n"), T("a\r\n"), 0, OPEN, "not ended"},
        {T("a\r\n."), T("a\r\n"), 0, OPEN, "a dot held back"},
        {T("a\r\n.\r"), T("a\r\n"), 0, OPEN, "a CR held back"},
    };
    struct buf out = buf_make(1000);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        for (size_t size = 1; size <= rows[i].wire.n; size++) {
            struct dots d = {0};
            size_t left = read_in_pieces(&d, rows[i].wire, size, &out);

            if (!str_same(buf_str(&out), rows[i].body) || left != rows[i].left ||
                flags_of(&d) != rows[i].flags)
                fail_msg("row %zu, pieces of %zu: %s: got \"%.*s\", %zu left, flags %d", i, size,
                         rows[i].why, STR_ARG(buf_str(&out)), left, flags_of(&d));
            buf_clear(&out);
        }
    buf_free(&out);
}

static void test_pieces_are_large(void **state)
{
    struct str in = S("one\r\ntwo\r\n three\r\n..four\r\nfive\r\n.\r\n"), piece;
    struct dots d = {0};

    (void)state;
    assert_true(take_body(&d, &in, &piece));
    assert_true(str_same(piece, S("one\r\ntwo\r\n three\r\n")));
    assert_true(take_body(&d, &in, &piece));
    assert_true(str_same(piece, S(".four\r\nfive\r\n")));
    assert_false(take_body(&d, &in, &piece));
    assert_true(d.ended);
}

static void test_bdat(void **state)
{
    static const struct {
        struct str in;
        int flags;
        const char *why;
    } rows[] = {
        {T("a\r\n.\r\nb"), OPEN, "dots mean nothing, and the last line may be open"},
        {T("a\nb"), OPEN | LF, "bare LF"},
        {T("a\rb"), OPEN | CR, "bare CR"},
        {T("a\r"), OPEN | CR, "bare CR at the very end"},
        {T("\0"), OPEN | NUL, "NUL"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        for (size_t size = 1; size <= rows[i].in.n; size++) {
            struct dots d = {0};

            for (struct str in = rows[i].in; in.n; in = str_from(in, size))
                note_body(&d, str_upto(in, size));
            body_done(&d);
            if (flags_of(&d) != rows[i].flags)
                fail_msg("row %zu, pieces of %zu: %s: flags %d", i, size, rows[i].why, flags_of(&d));
        }
}

static void test_write(void **state)
{
    static const struct {
        struct str body, wire;
        const char *why;
    } rows[] = {
        {T("a\r\nb\r\n"), T("a\r\nb\r\n.\r\n"), "nothing to do"},
        {T(""), T(".\r\n"), "empty"},
        {T("a"), T("a\r\n.\r\n"), "the last line did not end"},
        {T(".\r\n.a\r\n..\r\na.\r\n"), T("..\r\n..a\r\n...\r\na.\r\n.\r\n"),
         "RFC 1939 §3: doubled at line starts"},
        {T("a\nb\n"), T("a\r\nb\r\n.\r\n"), "RFC 5321 §2.3.8: never a bare LF"},
        {T("a\n.b\n"), T("a\r\n..b\r\n.\r\n"), "and what follows is a line start"},
        {T("a\r.b\r\r\n\r"), T("a\r\n..b\r\n\r\n\r\n.\r\n"), "never a bare CR"},
        {T("a\r"), T("a\r\n.\r\n"), "CR at the very end"},
        {T("\n"), T("\r\n.\r\n"), "LF alone"},
    };
    struct buf out = buf_make(1000);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        for (size_t size = 1; size <= rows[i].body.n + 1; size++) {
            struct stuffing w = {0};

            for (struct str in = rows[i].body; in.n; in = str_from(in, size))
                stuff_body(&w, &out, str_upto(in, size));
            stuff_end(&w, &out);
            if (!str_same(buf_str(&out), rows[i].wire))
                fail_msg("row %zu, pieces of %zu: %s: got \"%.*s\"", i, size, rows[i].why,
                         STR_ARG(buf_str(&out)));
            buf_clear(&out);
        }
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_pieces_are_large),
        cmocka_unit_test(test_bdat),
        cmocka_unit_test(test_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
