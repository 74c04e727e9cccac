/* Western Europe's charsets are Unicode's first 256 characters with a few exceptions; UTF-8 is only checked. */
#include "mail/charset.h"

#include "base/utf8.h"

/* Windows-1252, 0x80 to 0x9f: WHATWG's table, which keeps the five unassigned bytes as C1 controls. */
static const uint16_t windows_1252[32] = {
    0x20ac, 0x0081, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x008d, 0x017d, 0x008f, 0x0090, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x009d, 0x017e, 0x0178};

static uint32_t from_windows_1252(unsigned char c)
{
    return c >= 0x80 && c < 0xa0 ? windows_1252[c - 0x80] : c;
}

/* ISO-8859-15: where it differs from ISO-8859-1. */
static uint32_t from_latin9(unsigned char c)
{
    static const struct {
        unsigned char from;
        uint16_t to;
    } rows[] = {{0xa4, 0x20ac}, {0xa6, 0x0160}, {0xa8, 0x0161}, {0xb4, 0x017d},
                {0xb8, 0x017e}, {0xbc, 0x0152}, {0xbd, 0x0153}, {0xbe, 0x0178}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (rows[i].from == c)
            return rows[i].to;
    return c;
}

/* NULL: UTF-8. What calls itself ISO-8859-1 is Windows-1252 in truth, as every browser takes it. */
static const struct {
    const char *name;
    uint32_t (*to_unicode)(unsigned char c);
} charsets[] = {
    {"", NULL},
    {"us-ascii", NULL},
    {"ascii", NULL},
    {"utf-8", NULL},
    {"utf8", NULL},
    {"iso-8859-1", from_windows_1252},
    {"iso8859-1", from_windows_1252},
    {"latin1", from_windows_1252},
    {"windows-1252", from_windows_1252},
    {"cp1252", from_windows_1252},
    {"iso-8859-15", from_latin9},
};

static void add_utf8(struct buf *out, struct str bytes)
{
    if (is_utf8(bytes)) {
        buf_add(out, bytes);
        return;
    }
    while (bytes.n) {
        size_t n = utf8_character_length(bytes);

        if (n)
            buf_add(out, str_upto(bytes, n));
        else
            utf8_write(out, UTF8_REPLACEMENT);
        bytes = str_from(bytes, n ? n : 1);
    }
}

bool charset_to_utf8(struct buf *out, struct str charset, struct str bytes)
{
    for (size_t i = 0; i < sizeof(charsets) / sizeof(*charsets); i++) {
        if (!str_same_nocase(charset, str_from_c(charsets[i].name)))
            continue;
        if (!charsets[i].to_unicode) {
            add_utf8(out, bytes);
            return true;
        }
        for (size_t n = 0; n < bytes.n; n++)
            utf8_write(out, charsets[i].to_unicode((unsigned char)bytes.p[n]));
        return true;
    }
    return false;
}
