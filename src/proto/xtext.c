/* Both codings leave printable ASCII alone and differ in how they escape the rest. */
#include "proto/xtext.h"

#include "base/utf8.h"

/* xchar = any ASCII CHAR between "!" and "~", except "+" and "=" (RFC 3461 §4) */
static bool is_xchar(char c)
{
    return c >= '!' && c <= '~' && c != '+' && c != '=';
}

static bool hex_digit(char c, uint32_t *out)
{
    if (is_digit(c))
        *out = (uint32_t)(c - '0');
    else if (c >= 'A' && c <= 'F')
        *out = (uint32_t)(c - 'A' + 10);
    else
        return false;
    return true;
}

void xtext_encode(struct buf *out, struct str in)
{
    for (size_t i = 0; i < in.n; i++)
        if (is_xchar(in.p[i]))
            buf_add_char(out, in.p[i]);
        else
            buf_printf(out, "+%02X", (unsigned char)in.p[i]);
}

/* hexchar = "+" followed by two UPPER CASE hexadecimal digits (RFC 3461 §4) */
static bool take_hexchar(struct str *in, char *out)
{
    uint32_t high, low;

    if (in->n < 3 || !hex_digit(in->p[1], &high) || !hex_digit(in->p[2], &low))
        return false;
    *out = (char)(high * 16 + low);
    *in = str_from(*in, 3);
    return true;
}

bool xtext_decode(struct buf *out, struct str in)
{
    while (in.n) {
        char c = in.p[0];

        if (c == '+') {
            if (!take_hexchar(&in, &c))
                return false;
        } else if (is_xchar(c)) {
            in = str_from(in, 1);
        } else {
            return false;
        }
        buf_add_char(out, c);
    }
    return true;
}

/* QCHAR (RFC 6533 §3) */
static bool is_qchar(char c)
{
    return is_xchar(c) && c != '\\';
}

void unitext_encode(struct buf *out, struct str in, bool ascii)
{
    while (in.n) {
        size_t n = utf8_character_length(in);
        struct str c = str_upto(in, n ? n : 1);

        if (n > 1 ? !ascii : is_qchar(c.p[0]))
            buf_add(out, c);
        else
            buf_printf(out, "\\x{%02X}", n ? utf8_code_point(c) : UTF8_REPLACEMENT);
        in = str_from(in, c.n);
    }
}

/* EmbeddedUnicodeChar = "\x{" HEXPOINT "}". An ASCII character that needs no escape may not have one, so that an
 * address has one spelling; surrogates are no characters. */
static bool take_embedded(struct str *in, uint32_t *out)
{
    struct str s = *in, digits;
    uint32_t v = 0, digit;

    if (!take_text(&s, S("\\x{")) || !take_until(&s, '}', &digits) || digits.n < 2 || digits.n > 6)
        return false;
    for (size_t i = 0; i < digits.n; i++) {
        if (!hex_digit(digits.p[i], &digit))
            return false;
        v = v << 4 | digit;
    }
    if (v == 0 || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff) || (v < 0x80 && is_qchar((char)v)))
        return false;
    *in = s;
    *out = v;
    return true;
}

bool unitext_decode(struct buf *out, struct str in)
{
    uint32_t v;

    if (!is_utf8(in))
        return false;
    while (in.n) {
        if (in.p[0] == '\\') {
            if (!take_embedded(&in, &v))
                return false;
            utf8_write(out, v);
        } else if (is_qchar(in.p[0]) || (unsigned char)in.p[0] >= 0x80) {
            buf_add_char(out, in.p[0]);
            in = str_from(in, 1);
        } else {
            return false;
        }
    }
    return true;
}

static bool is_utf8_type(struct str type)
{
    return str_same_nocase(type, S("utf-8"));
}

bool parse_orcpt(struct str in, struct orcpt *out)
{
    struct buf plain = buf_make(BUF_UNLIMITED); /* never longer than the input */
    struct orcpt o;
    bool good;

    if (!take_until(&in, ';', &o.type) || o.type.n == 0 || in.n == 0)
        return false;
    for (size_t i = 0; i < o.type.n; i++)
        if (!is_alnum(o.type.p[i]) && o.type.p[i] != '-')
            return false;
    o.address = in;
    good = is_utf8_type(o.type) ? unitext_decode(&plain, in) : xtext_decode(&plain, in);
    buf_free(&plain);
    if (good)
        *out = o;
    return good;
}

void orcpt_decode(struct buf *out, const struct orcpt *o)
{
    if (is_utf8_type(o->type))
        unitext_decode(out, o->address);
    else
        xtext_decode(out, o->address);
}
