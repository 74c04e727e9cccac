/* Base 64 goes four characters at a time where it can. Quoted-printable goes by lines; of a line whose end has not come,
 * what the next bytes could change is held back. */
#include "mail/transfer.h"

#include "mail/content.h"
#include "mail/header.h"

enum transfer_encoding transfer_encoding_parse(struct str field)
{
    static const struct {
        const char *name;
        enum transfer_encoding encoding;
    } rows[] = {{"7bit", TRANSFER_IDENTITY},
                {"8bit", TRANSFER_IDENTITY},
                {"binary", TRANSFER_IDENTITY},
                {"quoted-printable", TRANSFER_QUOTED_PRINTABLE},
                {"base64", TRANSFER_BASE64}};
    struct str token, rest;

    if (!parse_content_token(field, &token, &rest))
        return TRANSFER_IDENTITY;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (str_same_nocase(token, str_from_c(rows[i].name)))
            return rows[i].encoding;
    return TRANSFER_UNKNOWN;
}

enum transfer_encoding transfer_encoding_of(struct str part_header)
{
    struct header_field f;

    return find_header_field(part_header, S("Content-Transfer-Encoding"), &f)
               ? transfer_encoding_parse(f.body)
               : TRANSFER_IDENTITY;
}

struct transfer transfer_begin(enum transfer_encoding encoding)
{
    return (struct transfer){.encoding = encoding,
                             .held = buf_make(BUF_UNLIMITED)}; /* a piece and TRANSFER_HELD */
}

/* ---- base 64 ---- */

#define OF_ALPHABET 64

/* The value of a character, and OF_ALPHABET; 0: it is of none. */
static const unsigned char values[256] = {
    ['A'] = 64,  ['B'] = 65,  ['C'] = 66,  ['D'] = 67,  ['E'] = 68,  ['F'] = 69,  ['G'] = 70,
    ['H'] = 71,  ['I'] = 72,  ['J'] = 73,  ['K'] = 74,  ['L'] = 75,  ['M'] = 76,  ['N'] = 77,
    ['O'] = 78,  ['P'] = 79,  ['Q'] = 80,  ['R'] = 81,  ['S'] = 82,  ['T'] = 83,  ['U'] = 84,
    ['V'] = 85,  ['W'] = 86,  ['X'] = 87,  ['Y'] = 88,  ['Z'] = 89,  ['a'] = 90,  ['b'] = 91,
    ['c'] = 92,  ['d'] = 93,  ['e'] = 94,  ['f'] = 95,  ['g'] = 96,  ['h'] = 97,  ['i'] = 98,
    ['j'] = 99,  ['k'] = 100, ['l'] = 101, ['m'] = 102, ['n'] = 103, ['o'] = 104, ['p'] = 105,
    ['q'] = 106, ['r'] = 107, ['s'] = 108, ['t'] = 109, ['u'] = 110, ['v'] = 111, ['w'] = 112,
    ['x'] = 113, ['y'] = 114, ['z'] = 115, ['0'] = 116, ['1'] = 117, ['2'] = 118, ['3'] = 119,
    ['4'] = 120, ['5'] = 121, ['6'] = 122, ['7'] = 123, ['8'] = 124, ['9'] = 125, ['+'] = 126,
    ['/'] = 127};

/* While four at a time are of the alphabet. */
static size_t decode_fours(const unsigned char *p, size_t n, char **out)
{
    size_t i = 0;

    for (; i + 4 <= n; i += 4) {
        uint32_t a = values[p[i]], b = values[p[i + 1]], c = values[p[i + 2]], d = values[p[i + 3]], v;

        if (!(a & b & c & d & OF_ALPHABET))
            break;
        v = (a & 63) << 18 | (b & 63) << 12 | (c & 63) << 6 | (d & 63);
        *(*out)++ = (char)(v >> 16);
        *(*out)++ = (char)(v >> 8);
        *(*out)++ = (char)v;
    }
    return i;
}

static void decode_one(struct transfer *t, unsigned char c, char **out)
{
    if (c == '=') {
        t->have = 0;
        t->bits = 0;
        return;
    }
    if (values[c] == 0)
        return;
    t->bits = (t->bits << 6 | (values[c] & 63u)) & 0xffffff;
    t->have += 6;
    if (t->have >= 8) {
        t->have -= 8;
        *(*out)++ = (char)(t->bits >> t->have);
    }
}

static void decode_base64(struct transfer *t, struct str in, struct buf *room)
{
    char *begin = buf_reserve(room, in.n + 4), *out = begin;

    for (size_t i = 0; begin && i < in.n;) {
        if (t->have == 0)
            i += decode_fours((const unsigned char *)in.p + i, in.n - i, &out);
        if (i < in.n)
            decode_one(t, (unsigned char)in.p[i++], &out);
    }
    if (begin)
        buf_grew(room, (size_t)(out - begin));
}

/* ---- quoted-printable ---- */

static void decode_escapes(struct buf *out, struct str in)
{
    size_t at;

    while (str_find_char(in, '=', &at)) {
        int high = at + 2 < in.n ? hex_value(in.p[at + 1]) : -1;
        int low = high < 0 ? -1 : hex_value(in.p[at + 2]);

        buf_add(out, str_upto(in, at));
        buf_add_char(out, low < 0 ? '=' : (char)((unsigned)high << 4 | (unsigned)low));
        in = str_from(in, at + (low < 0 ? 1 : 3));
    }
    buf_add(out, in);
}

static struct str without_white_space(struct str s)
{
    while (s.n && is_wsp(s.p[s.n - 1]))
        s.n--;
    return s;
}

/* A line with its end, which may be LF alone, or missing at the end of all. */
static void decode_line(struct buf *out, struct str line)
{
    struct str text = line;

    if (text.n && text.p[text.n - 1] == '\n')
        text.n--;
    if (text.n < line.n && text.n && text.p[text.n - 1] == '\r')
        text.n--;
    line = str_from(line, text.n);
    text = without_white_space(text);
    if (text.n && text.p[text.n - 1] == '=') {
        decode_escapes(out, str_upto(text, text.n - 1));
        return;
    }
    decode_escapes(out, text);
    buf_add(out, line);
}

/* How much of a line without end does not depend on what follows: not the white space at its end, nor an escape or soft
 * line break that may go on. */
static size_t settled(struct str s)
{
    size_t n = s.n;

    while (n && (is_wsp(s.p[n - 1]) || s.p[n - 1] == '\r'))
        n--;
    if (n && s.p[n - 1] == '=')
        return n - 1;
    if (n == s.n && n > 1 && s.p[n - 2] == '=')
        return n - 2;
    return n;
}

static void decode_quoted_printable(struct transfer *t, struct str in, struct buf *out)
{
    size_t lf, n;
    bool held = t->held.n > 0;

    if (held) {
        buf_add(&t->held, in);
        in = buf_str(&t->held);
    }
    while (str_find_char(in, '\n', &lf)) {
        decode_line(out, str_upto(in, lf + 1));
        in = str_from(in, lf + 1);
    }
    n = settled(in);
    decode_escapes(out, str_upto(in, n));
    in = str_from(in, n);
    if (held)
        buf_take(&t->held, t->held.n - in.n);
    if (!held)
        buf_add(&t->held, in);
    if (t->held.n > TRANSFER_HELD) { /* no system pads a line with so much */
        decode_escapes(out, buf_str(&t->held));
        buf_clear(&t->held);
    }
}

struct str transfer_decode(struct transfer *t, struct str piece, struct buf *room)
{
    if (t->encoding != TRANSFER_BASE64 && t->encoding != TRANSFER_QUOTED_PRINTABLE)
        return piece;
    buf_clear(room);
    if (t->encoding == TRANSFER_BASE64)
        decode_base64(t, piece, room);
    else
        decode_quoted_printable(t, piece, room);
    return buf_str(room);
}

struct str transfer_end(struct transfer *t, struct buf *room)
{
    buf_clear(room);
    decode_line(room, buf_str(&t->held));
    buf_free(&t->held);
    *t = transfer_begin(t->encoding);
    return buf_str(room);
}
