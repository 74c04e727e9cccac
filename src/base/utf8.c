/* What is well-formed, decode() alone decides. */
#include "base/utf8.h"

/* RFC 3629 §4: how long the sequence is that begins with this byte (0: none does), and between which limits its second
 * byte lies; all others are 0x80 to 0xbf. */
static size_t sequence(unsigned char c, unsigned char *least, unsigned char *most)
{
    *least = 0x80;
    *most = 0xbf;
    if (c < 0x80)
        return 1;
    if (c < 0xc2)
        return 0;
    if (c < 0xe0)
        return 2;
    if (c < 0xf0) {
        *least = c == 0xe0 ? 0xa0 : 0x80; /* no overlong forms */
        *most = c == 0xed ? 0x9f : 0xbf;  /* no surrogates */
        return 3;
    }
    *least = c == 0xf0 ? 0x90 : 0x80;
    *most = c == 0xf4 ? 0x8f : 0xbf;
    return c < 0xf5 ? 4 : 0;
}

/* How many bytes from p on are right; `length` of them make a character. */
static size_t decode(const char *p, size_t n, size_t *length, uint32_t *code_point)
{
    static const unsigned char first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    unsigned char least, most;
    uint32_t v;
    size_t i;

    *length = sequence((unsigned char)p[0], &least, &most);
    if (*length == 0)
        return 0;
    v = (unsigned char)p[0] & first_bits[*length];
    for (i = 1; i < *length && i < n; i++) {
        unsigned char c = (unsigned char)p[i];

        if (c < least || c > most)
            return i;
        v = v << 6 | (c & 0x3f);
        least = 0x80;
        most = 0xbf;
    }
    *code_point = v;
    return i;
}

size_t utf8_decode(struct str in, uint32_t *code_point)
{
    size_t length, right;
    uint32_t v = 0;

    if (in.n == 0)
        return 0;
    right = decode(in.p, in.n, &length, &v);
    if (length == 0 || right < length)
        return 0;
    *code_point = v;
    return length;
}

size_t utf8_character_length(struct str in)
{
    uint32_t ignored;

    return utf8_decode(in, &ignored);
}

uint32_t utf8_code_point(struct str character)
{
    uint32_t v = UTF8_REPLACEMENT;

    utf8_decode(character, &v);
    return v;
}

size_t ascii_length(struct str s)
{
    size_t i = 0;
    uint64_t a[4];

    for (; i + sizeof(a) <= s.n; i += sizeof(a)) {
        memcpy(a, s.p + i, sizeof(a));
        if ((a[0] | a[1] | a[2] | a[3]) & 0x8080808080808080u)
            break;
    }
    while (i < s.n && (unsigned char)s.p[i] < 0x80)
        i++;
    return i;
}

size_t utf8_length(struct str s)
{
    size_t i = 0;

    for (;;) {
        size_t ascii = ascii_length(str_from(s, i)), n;

        i += ascii;
        do {
            n = utf8_character_length(str_from(s, i));
            i += n;
        } while (n > 1);
        if (n == 0)
            return i;
    }
}

size_t utf8_broken_length(struct str in)
{
    size_t length, right;
    uint32_t ignored;

    if (in.n == 0)
        return 0;
    right = decode(in.p, in.n, &length, &ignored);
    if (length && right == in.n && right < length)
        return 0;
    return right ? right : 1;
}

bool is_ascii(struct str s)
{
    return ascii_length(s) == s.n;
}

bool is_utf8(struct str s)
{
    return utf8_length(s) == s.n;
}

char *utf8_put(char *p, uint32_t v)
{
    if (v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
        v = UTF8_REPLACEMENT;
    if (v < 0x80) {
        *p++ = (char)v;
        return p;
    }
    if (v < 0x800) {
        *p++ = (char)(0xc0 | v >> 6);
    } else {
        if (v < 0x10000) {
            *p++ = (char)(0xe0 | v >> 12);
        } else {
            *p++ = (char)(0xf0 | v >> 18);
            *p++ = (char)(0x80 | (v >> 12 & 0x3f));
        }
        *p++ = (char)(0x80 | (v >> 6 & 0x3f));
    }
    *p++ = (char)(0x80 | (v & 0x3f));
    return p;
}

void utf8_write(struct buf *out, uint32_t v)
{
    char bytes[4];

    buf_add(out, (struct str){bytes, (size_t)(utf8_put(bytes, v) - bytes)});
}
