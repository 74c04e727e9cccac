/* The charsets of China, Japan and Korea: the decoders of the WHATWG Encoding Standard, and ISO-2022 (RFC 1468, RFC 1554,
 * RFC 1557) and HZ (RFC 1843), which it has only a part of. */
#include "mail/charset_step.h"

#define PRIVATE_USE 0xe000 /* WHATWG: Shift_JIS's rows for users' own characters */
#define PRIVATE_FIRST 8836
#define PRIVATE_LAST 10715

static bool is_between(unsigned char c, unsigned char least, unsigned char most)
{
    return c >= least && c <= most;
}

/* A second byte that makes no character with the first: it is gone with it unless it is ASCII, which may be markup or a
 * line end. */
static size_t broken_pair(unsigned char trail, char **out)
{
    charset_put(out, UTF8_REPLACEMENT);
    return trail < 0x80 ? 1 : 2;
}

static size_t one(uint32_t code_point, char **out)
{
    charset_put(out, code_point);
    return 1;
}

static size_t pair(uint32_t code_point, unsigned char trail, char **out)
{
    if (code_point == 0)
        return broken_pair(trail, out);
    charset_put(out, code_point);
    return 2;
}

size_t shift_jis_step(struct charset_decoder *d, const unsigned char *p, size_t n, char **out)
{
    size_t pointer;

    (void)d;
    if (p[0] <= 0x80)
        return one(p[0], out);
    if (is_between(p[0], 0xa1, 0xdf))
        return one(0xff61u - 0xa1 + p[0], out);
    if (!is_between(p[0], 0x81, 0x9f) && !is_between(p[0], 0xe0, 0xfc))
        return one(UTF8_REPLACEMENT, out);
    if (n < 2)
        return 0;
    if (!is_between(p[1], 0x40, 0x7e) && !is_between(p[1], 0x80, 0xfc))
        return broken_pair(p[1], out);
    pointer = (p[0] - (p[0] < 0xa0 ? 0x81u : 0xc1u)) * 188 + p[1] - (p[1] < 0x7f ? 0x40u : 0x41u);
    if (pointer >= PRIVATE_FIRST && pointer <= PRIVATE_LAST)
        return pair((uint32_t)(PRIVATE_USE + pointer - PRIVATE_FIRST), p[1], out);
    return pair(pointer < JIS0208_COUNT ? table_jis0208[pointer] : 0, p[1], out);
}

/* Both bytes 0xa1 to 0xfe, or 0x21 to 0x7e, by their distance from the first of those. */
static uint32_t in_94_by_94(const uint16_t *table, unsigned lead, unsigned trail)
{
    return lead < 94 && trail < 94 ? table[lead * 94 + trail] : 0;
}

size_t euc_jp_step(struct charset_decoder *d, const unsigned char *p, size_t n, char **out)
{
    uint32_t v;

    (void)d;
    if (p[0] < 0x80)
        return one(p[0], out);
    if (p[0] != 0x8e && p[0] != 0x8f && !is_between(p[0], 0xa1, 0xfe))
        return one(UTF8_REPLACEMENT, out);
    if (n < 2)
        return 0;
    if (p[0] == 0x8e)
        return pair(is_between(p[1], 0xa1, 0xdf) ? 0xff61u - 0xa1 + p[1] : 0, p[1], out);
    if (p[0] != 0x8f)
        return pair(in_94_by_94(table_jis0208, p[0] - 0xa1u, p[1] - 0xa1u), p[1], out);
    if (!is_between(p[1], 0xa1, 0xfe))
        return broken_pair(p[1], out);
    if (n < 3)
        return 0;
    v = in_94_by_94(table_jis0212, p[1] - 0xa1u, p[2] - 0xa1u);
    charset_put(out, charset_found(v));
    return v || p[2] >= 0x80 ? 3 : 2;
}

static uint32_t euc_kr(unsigned char lead, unsigned char trail)
{
    return trail >= 0x41 && trail != 0xff ? table_euc_kr[(lead - 0x81) * 190 + trail - 0x41] : 0;
}

size_t euc_kr_step(struct charset_decoder *d, const unsigned char *p, size_t n, char **out)
{
    (void)d;
    if (p[0] < 0x80)
        return one(p[0], out);
    if (!is_between(p[0], 0x81, 0xfe))
        return one(UTF8_REPLACEMENT, out);
    if (n < 2)
        return 0;
    return pair(euc_kr(p[0], p[1]), p[1], out);
}

/* ---- GB18030, of which GBK and GB 2312 are parts ---- */

static uint32_t gb_pair(unsigned char lead, unsigned char trail)
{
    if (trail < 0x40 || trail == 0x7f || trail == 0xff)
        return 0;
    return table_gb18030[(lead - 0x81) * 190 + trail - (trail < 0x7f ? 0x40 : 0x41)];
}

/* The count of four bytes: in the BMP by runs, beyond it straight on. */
static uint32_t gb_counted(uint32_t count)
{
    size_t low = 0, high = GB18030_RUNS;

    if (count >= 189000)
        return count - 189000 < 0x100000 ? 0x10000 + count - 189000 : 0;
    if (count >= 39420)
        return 0;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;

        if (table_gb18030_counts[middle] <= count)
            low = middle;
        else
            high = middle;
    }
    return (uint32_t)table_gb18030_firsts[low] + count - table_gb18030_counts[low];
}

static size_t gb_four(const unsigned char *p, size_t n, char **out)
{
    uint32_t v;

    if ((n > 2 && !is_between(p[2], 0x81, 0xfe)) || (n > 3 && !is_between(p[3], 0x30, 0x39)))
        return one(UTF8_REPLACEMENT, out);
    if (n < 4)
        return 0;
    v = gb_counted((((p[0] - 0x81u) * 10 + (p[1] - 0x30u)) * 126 + (p[2] - 0x81u)) * 10 +
                   (p[3] - 0x30u));
    if (v == 0)
        return one(UTF8_REPLACEMENT, out);
    charset_put(out, v);
    return 4;
}

size_t gb18030_step(struct charset_decoder *d, const unsigned char *p, size_t n, char **out)
{
    (void)d;
    if (p[0] < 0x80)
        return one(p[0], out);
    if (p[0] == 0x80) /* Windows' euro sign */
        return one(0x20ac, out);
    if (p[0] == 0xff)
        return one(UTF8_REPLACEMENT, out);
    if (n < 2)
        return 0;
    if (is_between(p[1], 0x30, 0x39))
        return gb_four(p, n, out);
    return pair(gb_pair(p[0], p[1]), p[1], out);
}

/* "~{" GB 2312 "~}", "~~" and "~" line end; a line's end ends the Chinese as well. */
size_t hz_step(struct charset_decoder *d, const unsigned char *p, size_t n, char **out)
{
    if (p[0] == '\n')
        d->mode = 0;
    if (p[0] == '~') {
        if (n < 2)
            return 0;
        if (p[1] == '{' || p[1] == '}') {
            d->mode = p[1] == '{';
            return 2;
        }
        if (p[1] == '\n' || (p[1] == '~' && d->mode == 0)) {
            if (p[1] == '~')
                charset_put(out, '~');
            return 2;
        }
    }
    if (d->mode == 0 || p[0] <= 0x20)
        return one(p[0] < 0x80 ? p[0] : UTF8_REPLACEMENT, out);
    if (n < 2)
        return 0;
    if (!is_between(p[0], 0x21, 0x7e) || !is_between(p[1], 0x21, 0x7e))
        return one(UTF8_REPLACEMENT, out);
    return pair(gb_pair(p[0] | 0x80, p[1] | 0x80), p[1], out);
}

/* ---- Big5 ---- */

/* Four of Hong Kong's characters are a letter and an accent. */
static bool put_accented(unsigned char trail, char **out)
{
    uint32_t letter = trail == 0x62 || trail == 0x64 ? 0xca : 0xea;

    if (trail != 0x62 && trail != 0x64 && trail != 0xa3 && trail != 0xa5)
        return false;
    charset_put(out, letter);
    charset_put(out, trail == 0x62 || trail == 0xa3 ? 0x304 : 0x30c);
    return true;
}

size_t big5_step(struct charset_decoder *d, const unsigned char *p, size_t n, char **out)
{
    size_t pointer;

    (void)d;
    if (p[0] < 0x80)
        return one(p[0], out);
    if (!is_between(p[0], 0x81, 0xfe))
        return one(UTF8_REPLACEMENT, out);
    if (n < 2)
        return 0;
    if (!is_between(p[1], 0x40, 0x7e) && !is_between(p[1], 0xa1, 0xfe))
        return broken_pair(p[1], out);
    if (p[0] == 0x88 && put_accented(p[1], out))
        return 2;
    pointer = (p[0] - 0x81u) * 157 + p[1] - (p[1] < 0x7f ? 0x40u : 0x62u);
    if (table_big5_plane2[pointer / 16] >> pointer % 16 & 1)
        return pair(0x20000u + table_big5[pointer], p[1], out);
    return pair(table_big5[pointer], p[1], out);
}

/* ---- ISO-2022 ---- */

enum { ASCII, ROMAN, KATAKANA, TWO_BYTES, JIS0208 = TWO_BYTES, JIS0212, KSC5601, GB2312 };

/* charset_decoder.mode is what stands in G0, .designated in G1, and .bits whether G1 is shifted in. */
static const struct {
    const char *escape;
    unsigned char set;
    bool g1;
} escapes[] = {
    {"\x1b(B", ASCII, false},    {"\x1b(J", ROMAN, false},    {"\x1b(H", ROMAN, false},
    {"\x1b(I", KATAKANA, false}, {"\x1b$@", JIS0208, false},  {"\x1b$B", JIS0208, false},
    {"\x1b$A", GB2312, false},   {"\x1b$(@", JIS0208, false}, {"\x1b$(B", JIS0208, false},
    {"\x1b$(D", JIS0212, false}, {"\x1b$(C", KSC5601, false}, {"\x1b$(A", GB2312, false},
    {"\x1b$)C", KSC5601, true},  {"\x1b$)A", GB2312, true},
};

static size_t take_escape(struct charset_decoder *d, const unsigned char *p, size_t n, char **out)
{
    bool begun = false;

    for (size_t i = 0; i < sizeof(escapes) / sizeof(*escapes); i++) {
        size_t length = strlen(escapes[i].escape), have = n < length ? n : length;

        if (memcmp(p, escapes[i].escape, have) != 0)
            continue;
        begun = begun || have < length;
        if (have < length)
            continue;
        if (escapes[i].g1)
            d->designated = escapes[i].set;
        else
            d->mode = escapes[i].set;
        return length;
    }
    return begun ? 0 : one(UTF8_REPLACEMENT, out);
}

static uint32_t of_set(uint32_t set, unsigned char lead, unsigned char trail)
{
    switch (set) {
    case JIS0208:
        return in_94_by_94(table_jis0208, lead - 0x21u, trail - 0x21u);
    case JIS0212:
        return in_94_by_94(table_jis0212, lead - 0x21u, trail - 0x21u);
    case KSC5601:
        return euc_kr(lead | 0x80, trail | 0x80);
    default:
        return gb_pair(lead | 0x80, trail | 0x80);
    }
}

static uint32_t of_one_byte(uint32_t set, unsigned char c)
{
    if (set == KATAKANA)
        return c <= 0x5f ? 0xff61u - 0x21 + c : UTF8_REPLACEMENT;
    if (set == ROMAN && c == '\\')
        return 0xa5;
    return set == ROMAN && c == '~' ? 0x203e : c;
}

/* RFC 1468 has a line end in ASCII; who forgot to say so has lost no more than the line. */
static void control(struct charset_decoder *d, unsigned char c, char **out)
{
    if (c == 0x0e || c == 0x0f) { /* SO, SI */
        d->bits = c == 0x0e && d->designated != ASCII;
        return;
    }
    if (c == '\n') {
        d->mode = ASCII;
        d->bits = 0;
    }
    charset_put(out, c);
}

size_t iso_2022_step(struct charset_decoder *d, const unsigned char *p, size_t n, char **out)
{
    uint32_t set = d->bits ? d->designated : d->mode;

    if (p[0] == 0x1b)
        return take_escape(d, p, n, out);
    if (p[0] <= 0x20 || p[0] == 0x7f) {
        control(d, p[0], out);
        return 1;
    }
    if (p[0] >= 0x80)
        return one(UTF8_REPLACEMENT, out);
    if (set < TWO_BYTES)
        return one(of_one_byte(set, p[0]), out);
    if (n < 2)
        return 0;
    if (!is_between(p[1], 0x21, 0x7e))
        return one(UTF8_REPLACEMENT, out);
    charset_put(out, charset_found(of_set(set, p[0], p[1])));
    return 2;
}
