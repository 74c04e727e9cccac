/* UTF-16 and UTF-32 (RFC 2781), and UTF-7 (RFC 2152). */
#include "mail/charset_step.h"

/* charset_decoder.mode of the charsets whose first bytes tell the order. Without them it is big-endian (RFC 2781 §4.3). */
enum { ORDER_UNKNOWN, BIG, LITTLE };

static uint32_t read_bytes(const unsigned char *p, size_t n, bool little)
{
    uint32_t v = 0;

    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[little ? n - 1 - i : i];
    return v;
}

static bool is_high(uint32_t v)
{
    return v >= 0xd800 && v <= 0xdbff;
}

static bool is_low(uint32_t v)
{
    return v >= 0xdc00 && v <= 0xdfff;
}

static size_t utf16(const unsigned char *p, size_t n, bool little, char **out)
{
    uint32_t v, low;

    if (n < 2)
        return 0;
    v = read_bytes(p, 2, little);
    if (!is_high(v)) {
        charset_put(out, v); /* a lone low one becomes U+FFFD there */
        return 2;
    }
    if (n < 4)
        return 0;
    low = read_bytes(p + 2, 2, little);
    if (!is_low(low)) {
        charset_put(out, UTF8_REPLACEMENT);
        return 2;
    }
    charset_put(out, 0x10000 + ((v - 0xd800) << 10 | (low - 0xdc00)));
    return 4;
}

size_t utf16_be_step(struct charset_decoder *d, const unsigned char *p, size_t n, char **out)
{
    (void)d;
    return utf16(p, n, false, out);
}

size_t utf16_le_step(struct charset_decoder *d, const unsigned char *p, size_t n, char **out)
{
    (void)d;
    return utf16(p, n, true, out);
}

static size_t utf32(const unsigned char *p, size_t n, bool little, char **out)
{
    if (n < 4)
        return 0;
    charset_put(out, read_bytes(p, 4, little));
    return 4;
}

size_t utf32_be_step(struct charset_decoder *d, const unsigned char *p, size_t n, char **out)
{
    (void)d;
    return utf32(p, n, false, out);
}

size_t utf32_le_step(struct charset_decoder *d, const unsigned char *p, size_t n, char **out)
{
    (void)d;
    return utf32(p, n, true, out);
}

/* True: the first `width` bytes are a mark, which is not text. */
static bool take_order(struct charset_decoder *d, const unsigned char *p, size_t width)
{
    d->mode = read_bytes(p, width, true) == 0xfeff ? LITTLE : BIG;
    return read_bytes(p, width, d->mode == LITTLE) == 0xfeff;
}

size_t utf16_step(struct charset_decoder *d, const unsigned char *p, size_t n, char **out)
{
    if (n < 2)
        return 0;
    if (d->mode == ORDER_UNKNOWN && take_order(d, p, 2))
        return 2;
    return utf16(p, n, d->mode == LITTLE, out);
}

size_t utf32_step(struct charset_decoder *d, const unsigned char *p, size_t n, char **out)
{
    if (n < 4)
        return 0;
    if (d->mode == ORDER_UNKNOWN && take_order(d, p, 4))
        return 4;
    return utf32(p, n, d->mode == LITTLE, out);
}

/* ---- UTF-7: "+", base 64 of UTF-16, and "-" or whatever else is not of base 64 ---- */

enum { UTF7_PLAIN, UTF7_BEGUN, UTF7_BASE64 };
#define UTF7_MODE 3u

static int base64_value(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* A high surrogate that waits for its low one stands in charset_decoder.mode, above the two bits of the mode itself. */
static void utf7_unit(struct charset_decoder *d, uint32_t unit, char **out)
{
    uint32_t high = d->mode >> 2;

    d->mode &= UTF7_MODE;
    if (high && is_low(unit)) {
        charset_put(out, 0x10000 + ((high - 0xd800) << 10 | (unit - 0xdc00)));
        return;
    }
    if (high)
        charset_put(out, UTF8_REPLACEMENT);
    if (is_high(unit))
        d->mode |= unit << 2;
    else
        charset_put(out, unit);
}

static void utf7_base64(struct charset_decoder *d, uint32_t value, char **out)
{
    d->bits = d->bits << 6 | value;
    d->have = (unsigned char)(d->have + 6);
    if (d->have >= 16) {
        d->have = (unsigned char)(d->have - 16);
        utf7_unit(d, d->bits >> d->have & 0xffff, out);
        d->bits &= (1u << d->have) - 1;
    }
}

/* Back to plain text; what base 64 left over must be fewer than six bits, all of them zero. */
void utf7_leave(struct charset_decoder *d, char **out)
{
    if (d->mode >> 2 || d->have >= 6 || d->bits)
        charset_put(out, UTF8_REPLACEMENT);
    d->mode = UTF7_PLAIN;
    d->have = 0;
    d->bits = 0;
}

size_t utf7_step(struct charset_decoder *d, const unsigned char *p, size_t n, char **out)
{
    uint32_t mode = d->mode & UTF7_MODE;
    int value = base64_value(p[0]);

    (void)n;
    if (mode == UTF7_PLAIN) {
        if (p[0] == '+')
            d->mode = UTF7_BEGUN;
        else
            charset_put(out, p[0] < 0x80 ? p[0] : UTF8_REPLACEMENT);
        return 1;
    }
    if (value >= 0) {
        d->mode = (d->mode & ~UTF7_MODE) | UTF7_BASE64;
        utf7_base64(d, (uint32_t)value, out);
        return 1;
    }
    if (mode == UTF7_BEGUN && p[0] == '-') {
        charset_put(out, '+');
        d->mode = UTF7_PLAIN;
        return 1;
    }
    utf7_leave(d, out);
    return p[0] == '-' ? 1 : utf7_step(d, p, n, out);
}
