/* What is well-formed, is_utf8() alone decides. */
#include "base/utf8.h"

size_t utf8_character_length(struct str in)
{
    for (size_t n = 1; n <= 4 && n <= in.n; n++)
        if (is_utf8(str_upto(in, n)))
            return n;
    return 0;
}

uint32_t utf8_code_point(struct str c)
{
    static const unsigned char first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t v = (unsigned char)c.p[0] & first_bits[c.n];

    for (size_t i = 1; i < c.n; i++)
        v = v << 6 | ((unsigned char)c.p[i] & 0x3f);
    return v;
}

/* The last `n` six-bit groups of v. */
static void add_tail(struct buf *out, uint32_t v, int n)
{
    while (n-- > 0)
        buf_add_char(out, (char)(0x80 | (v >> (6 * n) & 0x3f)));
}

void utf8_write(struct buf *out, uint32_t v)
{
    if (v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
        v = UTF8_REPLACEMENT;
    if (v < 0x80) {
        buf_add_char(out, (char)v);
    } else if (v < 0x800) {
        buf_add_char(out, (char)(0xc0 | v >> 6));
        add_tail(out, v, 1);
    } else if (v < 0x10000) {
        buf_add_char(out, (char)(0xe0 | v >> 12));
        add_tail(out, v, 2);
    } else {
        buf_add_char(out, (char)(0xf0 | v >> 18));
        add_tail(out, v, 3);
    }
}
