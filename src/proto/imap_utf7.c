/* Modified UTF-7 (RFC 3501 §5.1.3): printable US-ASCII is itself, "&" is "&-", and the rest is UTF-16 in base 64
 * between "&" and "-", with "," for "/" and without padding. Exactly one spelling of each name is taken. */
#include "base/utf8.h"
#include "proto/imap_name.h"

static int digit_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (is_digit(c))
        return c - '0' + 52;
    return c == '+' ? 62 : c == ',' ? 63 : -1;
}

static char char_of(unsigned digit)
{
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,"[digit & 63];
}

/* UTF-16 units one by one. */
struct units {
    struct buf *out;
    uint32_t high; /* a high surrogate that waits for its other half */
};

static bool add_unit(struct units *u, uint32_t unit)
{
    bool is_low = unit >= 0xdc00 && unit <= 0xdfff, is_high = unit >= 0xd800 && unit <= 0xdbff;

    if ((u->high != 0) != is_low)
        return false;
    if (is_high) {
        u->high = unit;
        return true;
    }
    if (u->high)
        unit = 0x10000 + ((u->high - 0xd800) << 10) + (unit - 0xdc00);
    else if (unit == 0 || (unit >= 0x20 && unit <= 0x7e)) /* that needed no shift, or is no name */
        return false;
    u->high = 0;
    utf8_write(u->out, unit);
    return true;
}

/* What stands between "&" and "-", both taken. */
static bool decode_shifted(struct buf *out, struct str in)
{
    struct units u = {.out = out};
    uint32_t bits = 0;
    unsigned count = 0;

    for (size_t i = 0; i < in.n; i++) {
        int digit = digit_of(in.p[i]);

        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        count += 6;
        if (count < 16)
            continue;
        count -= 16;
        if (!add_unit(&u, bits >> count & 0xffff))
            return false;
        bits &= (UINT32_C(1) << count) - 1;
    }
    return u.high == 0 && count < 6 && bits == 0;
}

bool imap_utf7_decode(struct buf *out, struct str in)
{
    bool shifted_before = false;
    struct str shifted;

    while (in.n) {
        char c = in.p[0];

        if (!is_printable(c))
            return false;
        in = str_from(in, 1);
        if (c != '&') {
            buf_add_char(out, c);
            shifted_before = false;
            continue;
        }
        if (!take_until(&in, '-', &shifted))
            return false;
        if (shifted.n == 0)
            buf_add_char(out, '&');
        else if (shifted_before || !decode_shifted(out, shifted)) /* "…-&…" could have been one shift */
            return false;
        shifted_before = shifted.n > 0;
    }
    return true;
}

/* Bits on their way into base 64. */
struct shift {
    struct buf *out;
    bool open;
    uint32_t bits;
    unsigned count;
};

static void shift_add(struct shift *s, uint32_t unit)
{
    if (!s->open)
        buf_add_char(s->out, '&');
    s->open = true;
    s->bits = s->bits << 16 | unit;
    for (s->count += 16; s->count >= 6;) {
        s->count -= 6;
        buf_add_char(s->out, char_of(s->bits >> s->count));
    }
    s->bits &= (UINT32_C(1) << s->count) - 1;
}

static void shift_end(struct shift *s)
{
    if (!s->open)
        return;
    if (s->count)
        buf_add_char(s->out, char_of(s->bits << (6 - s->count)));
    buf_add_char(s->out, '-');
    *s = (struct shift){.out = s->out};
}

void imap_utf7_encode(struct buf *out, struct str in)
{
    struct shift s = {.out = out};

    while (in.n) {
        size_t n = utf8_character_length(in);
        uint32_t c = n ? utf8_code_point(str_upto(in, n)) : UTF8_REPLACEMENT;

        in = str_from(in, n ? n : 1);
        if (c >= 0x20 && c <= 0x7e) {
            shift_end(&s);
            buf_add_char(out, (char)c);
            if (c == '&')
                buf_add_char(out, '-');
        } else if (c > 0xffff) {
            shift_add(&s, 0xd800 + ((c - 0x10000) >> 10));
            shift_add(&s, 0xdc00 + ((c - 0x10000) & 0x3ff));
        } else {
            shift_add(&s, c);
        }
    }
    shift_end(&s);
}
