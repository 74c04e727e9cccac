/* Conversations as the reader sees them, at every cut. A trace says what happened: "c:…" a command, "l:…" a literal
 * announced, "+" a continuation, "d:…" data joined, "e" its end, "x:tag:…" a refusal, "bye". */
#include "proto/imap_reader.h"

#include "proto/imap_token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct imap_limits small = {
    .line = 40, .text = 60, .literal = 20, .literals = 3, .nonsync = 100, .skip = 200};

/* Marks as "<index:size>", so that traces can be read. */
static void add_text(struct buf *out, struct str s)
{
    struct imap_bulk bulk;

    while (s.n)
        if (take_imap_bulk(&s, &bulk)) {
            buf_printf(out, "<%s%u:%u>", bulk.is_literal8 ? "~" : "", bulk.index, (unsigned)bulk.size);
        } else {
            buf_add_char(out, s.p[0]);
            s = str_from(s, 1);
        }
}

/* plan: what becomes of each literal: i, b, r (refused at once), R (refused at the first data). */
static void decide(struct imap_reader *r, const char **plan, struct buf *out)
{
    struct buf reply = buf_make(100);

    buf_printf(out, "l:");
    add_text(out, r->text);
    buf_printf(out, "(%s%u%s)|", r->literal.is_literal8 ? "~" : "", (unsigned)r->literal.size,
               r->literal.sync ? "" : "+");
    switch (**plan) {
    case 'b':
    case 'R':
        imap_literal_bulk(r, &reply);
        break;
    case 'r':
        imap_refuse(r, "NO no");
        break;
    default:
        imap_literal_inline(r, &reply);
    }
    if (**plan && **plan != 'R')
        ++*plan;
    if (reply.n)
        buf_printf(out, "+|");
    buf_free(&reply);
}

static void note_data(struct imap_reader *r, bool *in_data, struct buf *out)
{
    if (!*in_data)
        buf_printf(out, "d%u:", r->literal.index);
    *in_data = true;
    for (size_t i = 0; i < r->data.n; i++)
        buf_add_char(out, r->data.p[i] ? r->data.p[i] : '@');
}

/* False: the connection ends. */
static bool feed(struct imap_reader *r, struct str in, const char **plan, bool *in_data,
                 struct buf *out)
{
    enum imap_event e;

    while ((e = imap_read(r, &in)) != IMAP_MORE) {
        if (*in_data && e != IMAP_DATA) {
            buf_printf(out, "|");
            *in_data = false;
        }
        switch (e) {
        case IMAP_LITERAL:
            decide(r, plan, out);
            break;
        case IMAP_DATA:
            if (**plan == 'R') {
                imap_refuse(r, "NO no");
                ++*plan;
            } else {
                note_data(r, in_data, out);
            }
            break;
        case IMAP_DATA_END:
            buf_printf(out, "e%u|", r->literal.index);
            break;
        case IMAP_COMMAND:
            buf_printf(out, "c:");
            add_text(out, r->text);
            buf_printf(out, "|");
            assert_true(imap_reader_is_between(r));
            break;
        case IMAP_REFUSED:
            buf_printf(out, "x:%.*s:%s|", STR_ARG(r->tag), r->why);
            break;
        default:
            buf_printf(out, "bye");
            return false;
        }
    }
    assert_int_equal(in.n, 0);
    return true;
}

static void trace(struct str in, size_t cut, const char *plan, struct buf *out)
{
    struct imap_reader r = imap_reader_make(&small);
    bool in_data = false, going = true;

    for (; in.n && going; in = str_from(in, cut))
        going = feed(&r, str_upto(in, cut), &plan, &in_data, out);
    imap_reader_free(&r);
}

static const struct command {
    struct str in;
    const char *plan, *out, *why;
} commands[] = {
#define ROW(in, plan, out, why)                                                                        \
    {                                                                                                  \
        {in, sizeof(in) - 1}, plan, out, why                                                           \
    }
    ROW("a1 NOOP\r\na2 LOGOUT\r\n", "", "c:a1 NOOP|c:a2 LOGOUT|", "lines"),
    ROW("\r\n", "", "c:|", "an empty line is a command that no parser takes"),
    ROW("A001 LOGIN {11+}\r\nFRED FOOBAR {7+}\r\nfat man\r\n", "ii",
        "l:A001 LOGIN (11+)|l:A001 LOGIN {11}\r\nFRED FOOBAR (7+)|"
        "c:A001 LOGIN {11}\r\nFRED FOOBAR {7}\r\nfat man|",
        "RFC 7888 §3"),
    ROW("A001 LOGIN {11}\r\nFRED FOOBAR {7}\r\nfat man\r\n", "ii",
        "l:A001 LOGIN (11)|+|l:A001 LOGIN {11}\r\nFRED FOOBAR (7)|+|"
        "c:A001 LOGIN {11}\r\nFRED FOOBAR {7}\r\nfat man|",
        "RFC 3501 §7.5"),
    ROW("a X {0}\r\n {000}\r\n\r\n", "ii", "l:a X (0)|+|l:a X {0}\r\n (0)|+|c:a X {0}\r\n {0}\r\n|",
        "literals of nothing"),
    ROW("a X {3}\r\n\r\n\r\r\n", "i", "l:a X (3)|+|c:a X {3}\r\n\r\n\r|", "line ends inside one"),
    ROW("a X {1}\r\n\r\nb\r\n", "i",
        "l:a X (1)|+|x:a:BAD a line ends in CRLF, and holds neither alone|",
        "a CR of a literal ends no line"),
    ROW("a APPEND x ~{5}\r\na\0b\r\n {2+}\r\nxy\r\n", "bb",
        "l:a APPEND x (~5)|+|d0:a@b\r\n|e0|l:a APPEND x <~0:5> (2+)|d1:xy|e1|c:a APPEND x <~0:5> "
        "<1:2>|",
        "MULTIAPPEND, past the text"),
    ROW("a APPEND x {0}\r\n\r\nb NOOP\r\n", "b", "l:a APPEND x (0)|+|e0|c:a APPEND x <0:0>|c:b NOOP|",
        "a message of nothing"),
    ROW("a APPEND {1+}\r\nx {2+}\r\nhi\r\n", "ib",
        "l:a APPEND (1+)|l:a APPEND {1}\r\nx (2+)|d0:hi|e0|c:a APPEND {1}\r\nx <0:2>|", "both kinds"),
    ROW("a APPEND x {5}\r\nb NOOP\r\n", "r", "l:a APPEND x (5)|x:a:NO no|c:b NOOP|",
        "the client did not send it"),
    ROW("a APPEND x {5+}\r\nhello {2+}\r\nhi\r\nb NOOP\r\n", "r",
        "l:a APPEND x (5+)|x:a:NO no|c:b NOOP|", "… but here it did"),
    ROW("a APPEND x {5+}\r\nhello {2}\r\nb NOOP\r\n", "r", "l:a APPEND x (5+)|x:a:NO no|c:b NOOP|",
        "… and then it waits for a plus"),
    ROW("a APPEND x {5}\r\nhello\r\nb NOOP\r\n", "R", "l:a APPEND x (5)|+|x:a:NO no|c:b NOOP|",
        "refused on the way"),
    ROW("a X {10+}\r\n0123456789 {11+}\r\n0123456789a\r\nb NOOP\r\n", "ii",
        "l:a X (10+)|l:a X {10}\r\n0123456789 (11+)|"
        "x:a:BAD [TOOBIG] the literal is larger than this server takes here|c:b NOOP|",
        "inline literals have a limit together"),
    ROW("a X {0+}\r\n {0+}\r\n {0+}\r\n {1+}\r\nx\r\nb NOOP\r\n", "",
        "l:a X (0+)|l:a X {0}\r\n (0+)|l:a X {0}\r\n {0}\r\n (0+)|"
        "x:a:BAD too many literals in one command|c:b NOOP|",
        "and a number"),
    ROW("a APPEND x "
        "{101+}\r\n0123456789012345678901234567890123456789012345678901234567890123456789"
        "0123456789012345678901234567890\r\nb NOOP\r\n",
        "", "x:a:BAD [TOOBIG] the literal is larger than this server takes|c:b NOOP|",
        "RFC 7888 §5: LITERAL-"),
    ROW("a APPEND x {201+}\r\nx", "", "bye", "longer than one reads for nothing"),
    ROW("a APPEND x {99999999999999999999999+}\r\nx", "", "bye", "no number"),
    ROW("a APPEND x {99999999999999999999999}\r\nb NOOP\r\n", "",
        "x:a:BAD [TOOBIG] the literal is larger than this server takes|c:b NOOP|", "… but it waits"),
    ROW("tag 0123456789012345678901234567890123456789\r\nb NOOP\r\n", "",
        "x:tag:BAD the command is too long|c:b NOOP|", "a line"),
    ROW("tag 0123456789012345678901234567890123456789 {5+}\r\nx\r\n{}\r\nb NOOP\r\n", "",
        "x:tag:BAD the command is too long|c:b NOOP|", "RFC 7888 §3: its literal belongs to it"),
    ROW("tag 0123456789012345678901234567890123456789 {5}\r\nb NOOP\r\n", "",
        "x:tag:BAD the command is too long|c:b NOOP|", "and one that waits"),
    ROW("tag 0123456789 {1+}\r\nx0123456789012345678901234567890123456789\r\nb NOOP\r\n", "i",
        "l:tag 0123456789 (1+)|x:tag:BAD the command is too long|c:b NOOP|", "lines together"),
    ROW("0123456789012345678901234567890123456789xx\r\nb NOOP\r\n", "",
        "x::BAD the command is too long|c:b NOOP|", "no tag was seen"),
    ROW("0123456789012345678901234567890123456789 x\r\nb NOOP\r\n", "",
        "x:0123456789012345678901234567890123456789:BAD the command is too long|c:b NOOP|",
        "a long tag"),
    ROW("a NO\0OP\r\nb NOOP\r\n", "", "x:a:BAD a command holds no NUL|c:b NOOP|", "NUL"),
    ROW("a NOOP\nb DELETE x\r\nc NOOP\r\n", "",
        "x:a:BAD a line ends in CRLF, and holds neither alone|c:c NOOP|", "bare LF hides a command"),
    ROW("a NOOP\rb\r\nc NOOP\r\n", "", "x:a:BAD a line ends in CRLF, and holds neither alone|c:c NOOP|",
        "bare CR"),
    ROW("a N\rP {3+}\r\nx\r\n\r\nc NOOP\r\n", "",
        "x:a:BAD a line ends in CRLF, and holds neither alone|c:c NOOP|", "with a literal behind it"),
    ROW("a X {}\r\na X {+}\r\na X 5}\r\na X \"{5}\"\r\n", "",
        "c:a X {}|c:a X {+}|c:a X 5}|c:a X \"{5}\"|", "no announcements"),
#undef ROW
};

/* However the bytes are cut. */
static void read_row(size_t i, struct buf *out)
{
    const struct command *row = &commands[i];

    for (size_t cut = 1; cut <= row->in.n; cut++) {
        buf_clear(out);
        trace(row->in, cut, row->plan, out);
        if (!str_same(buf_str(out), str_from_c(row->out)))
            fail_msg("row %zu (%s), cut %zu: got %.*s", i, row->why, cut, STR_ARG(buf_str(out)));
    }
}

static void test_commands(void **state)
{
    struct buf out = buf_make(BUF_UNLIMITED);

    (void)state;
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
        read_row(i, &out);
    buf_free(&out);
}

static void test_nothing_is_copied_or_kept(void **state)
{
    struct imap_reader r = imap_reader_make(&imap_limits_signed_on);
    struct str in = S("a1 NOOP\r\na2"), all = in;

    (void)state;
    assert_int_equal(imap_read(&r, &in), IMAP_COMMAND);
    assert_ptr_equal(r.text.p, all.p);
    assert_int_equal(imap_read(&r, &in), IMAP_MORE);
    assert_false(imap_reader_is_between(&r));
    in = S(" NOOP\r\n");
    assert_int_equal(imap_read(&r, &in), IMAP_COMMAND);
    assert_true(str_same(r.text, S("a2 NOOP")));
    assert_int_equal(imap_read(&r, &in), IMAP_MORE);
    assert_null(r.gathered.p);
    in = S("a3 STARTTLS");
    assert_int_equal(imap_read(&r, &in), IMAP_MORE);
    imap_reader_forget(&r);
    assert_true(imap_reader_is_between(&r));
    imap_reader_free(&r);
}

static void test_raw(void **state)
{
    struct imap_reader r = imap_reader_make(&imap_limits_signed_off);
    struct buf big = buf_make(BUF_UNLIMITED);
    struct str in, line;

    (void)state;
    for (size_t i = 0; i < IMAP_RAW_MAX; i++)
        buf_add_char(&big, 'x');
    buf_add(&big, S("\r\nDONE\r\n"));
    for (size_t cut = 1; cut <= big.n; cut = cut < 8 ? cut + 1 : cut * 3) {
        unsigned too_long = 0, lines = 0;

        for (struct str rest = buf_str(&big); rest.n; rest = str_from(rest, cut)) {
            enum imap_raw got;

            for (in = str_upto(rest, cut);
                 (got = imap_read_raw(&r, &in, &line)) != IMAP_RAW_MORE || in.n;) {
                too_long += got == IMAP_RAW_TOO_LONG;
                if (got == IMAP_RAW_LINE) {
                    assert_true(str_same(line, S("DONE")));
                    lines++;
                }
            }
        }
        assert_int_equal(too_long, 1);
        assert_int_equal(lines, 1);
    }
    in = S("a AUTHENTICATE PLAIN\r\n\r\nb NOOP\r\n");
    assert_int_equal(imap_read(&r, &in), IMAP_COMMAND);
    assert_int_equal(imap_read_raw(&r, &in, &line), IMAP_RAW_LINE);
    assert_int_equal(line.n, 0);
    assert_int_equal(imap_read(&r, &in), IMAP_COMMAND);
    assert_true(str_same(r.text, S("b NOOP")));
    imap_reader_free(&r);
    buf_free(&big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_nothing_is_copied_or_kept),
        cmocka_unit_test(test_raw),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
