/* Each charset by characters that tell it from its neighbours, whole and cut at every byte; and the tables against the C
 * library's. */
#include "mail/charset.h"

#include "base/utf8.h"

#include <iconv.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* What is written here in UTF-8 is what the bytes stand for. */
static const struct {
    const char *charset, *in, *out;
} rows[] = {
    {"utf-8", "gr\xc3\xbc", "grü"},
    {"UTF8", "a\xc3", "a�"},
    {"utf-8", "\xe2\x82x\xed\xa0\x80", "�x���"},
    {"", "gr\xc3\xbc", "grü"},
    {"us-ascii", "a", "a"},
    {"ANSI_X3.4-1968", "a", "a"},
    {"ISO-8859-1", "\xa4\xe9\x80", "¤é€"},
    {"Latin1", "\xfc", "ü"},
    {"windows-1252", "\x93x\x94", "“x”"},
    {"iso-8859-2", "\xb1\xf8", "ąř"},
    {"iso-8859-3", "\xa1\xfe\xa5", "Ħŝ�"},
    {"iso-8859-4", "\xa2\xe7", "ĸį"},
    {"iso-8859-5", "\xc0\xd1", "Рб"},
    {"iso-8859-6", "\xc7\xe4", "ال"},
    {"iso-8859-7", "\xe1\xf9", "αω"},
    {"ISO-8859-8-I", "\xe0\xf9", "אש"},
    {"iso-8859-9", "\xf0\xfd", "ğı"},
    {"iso-8859-10", "\xb3\xff", "ģĸ"},
    {"TIS-620", "\xa1\xe0", "กเ"},
    {"iso-8859-13", "\xe0\xfb", "ąū"},
    {"iso-8859-14", "\xa1\xf0", "Ḃŵ"},
    {"iso-8859-15", "\xa4\xe9", "€é"},
    {"iso-8859-16", "\xaa\xfe", "Șț"},
    {"windows-1250", "\x9a\xb9", "šą"},
    {"cp1251", "\xcf\xf0\xe8", "При"},
    {"windows-1253", "\xe1\x80", "α€"},
    {"windows-1254", "\xf0\x80", "ğ€"},
    {"windows-1255", "\xe0\x80", "א€"},
    {"windows-1256", "\xc7\x81", "اپ"},
    {"windows-1257", "\xe0\x80", "ą€"},
    {"windows-1258", "\xf5\xfe", "ơ₫"},
    {"koi8-r", "\xf0\xd2\xc9", "При"},
    {"KOI8-U", "\xa4\xa6", "єі"},
    {"macintosh", "\x8a\xdb", "ä€"},
    {"x-mac-cyrillic", "\x8f\xf0", "Пр"},
    {"cp437", "\x84\xe1", "äß"},
    {"cp850", "\x84\xd5", "äı"},
    {"cp852", "\xa5\x9f", "ąč"},
    {"cp858", "\xd5", "€"},
    {"cp866", "\x8f\xe0", "Пр"},
    {"iso-2022-jp", "\x1b$B$3$s\x1b(B!", "こん!"},
    {"iso-2022-jp", "\x1b$B-!|q\x1b(J\\\x1b(I1\x1b(B", "①ⅰ¥ｱ"},
    {"iso-2022-jp", "\x1b$B$3\nx\x1bx", "こ\nx�x"},
    {"ISO-2022-JP-2", "\x1b$(D0!\x1b$A!A\x1b$(C0!\x1b(B", "丂×가"},
    {"Shift_JIS", "\x82\xb1\x82\xf1\xb1\\", "こんｱ\\"},
    {"x-sjis", "\x87\x40\xfb\xfc\x81\x81 \xf0\x40", "①髙＝ \xee\x80\x80"},
    {"shift_jis", "\x81\"\xff", "�\"�"},
    {"euc-jp", "\xa4\xb3\x8e\xb1\x8f\xb0\xa1<\xa4<", "こｱ丂<�<"},
    {"EUC-KR", "\xb0\xa1\xc7\xd1", "가한"},
    {"ks_c_5601-1987", "\x81\x41", "갂"},
    {"iso-2022-kr", "\x1b$)C\x0e\x30\x21\x0f a", "가 a"},
    {"gb2312", "\xc4\xe3\xba\xc3", "你好"},
    {"GBK", "\x81\x40\x80", "丂€"},
    {"gb18030", "\x81\x30\x84\x36\x95\x32\x82\x36\xff", "¥𠀀�"},
    {"gb18030", "\x81\x30\x84<\x81\x30x", "�0�<�0x"},
    {"HZ-GB-2312", "a~{VPND~}~~b~\nc", "a中文~bc"},
    {"big5", "\xa7\x41\xa6\x6e\x88\x62\x87\x40", "你好Ê̄䏰"},
    {"Big5-HKSCS", "\x88\x66\xa1<", "Ê�<"},
    {"utf-16", "\xfe\xff\x20\xac", "€"},
    {"utf-16", "\xff\xfe\xac\x20", "€"},
    {"UTF-16BE", "\xd8\x3d\xde\x01\xdc\x01\xd8\x3d", "😁��"},
    {"utf-16le", "\x3d\xd8\x20\xac", "�갠"},
    {"utf-32", "\xff\xfe\x01\x01", "�"},
    {"utf-7", "Hi +Jjo--! +ZeVnLIqe- +2D3eAA +- +A", "Hi ☺-! 日本語 😀 + �"},
    {"unicode-1-1-utf-7", "+2D0-x+AGEAYgBj.", "�xabc."},
};

static void decode_in_steps(struct str charset, struct str in, size_t step, struct buf *out)
{
    struct charset_decoder d = charset_begin(charset_find(charset));
    struct buf room = buf_make(1000);

    for (; in.n; in = str_from(in, step))
        buf_add(out, charset_decode(&d, str_upto(in, step), &room));
    buf_add(out, charset_end(&d, &room));
    buf_free(&room);
}

static void test_charsets(void **state)
{
    struct buf out = buf_make(1000);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct str charset = str_from_c(rows[i].charset), in = str_from_c(rows[i].in);

        assert_true(charset_to_utf8(&out, charset, in));
        for (size_t step = 1; step <= in.n + 1; step++) {
            if (!str_same(buf_str(&out), str_from_c(rows[i].out)))
                fail_msg("row %zu, %s, by %zu: got %.*s, not %s", i, rows[i].charset, step - 1,
                         STR_ARG(buf_str(&out)), rows[i].out);
            buf_clear(&out);
            decode_in_steps(charset, in, step, &out);
        }
        buf_clear(&out);
    }
    assert_false(charset_to_utf8(&out, S("klingon"), S("a")));
    assert_null(charset_find(S("iso-8859-1-and-a-name-that-is-longer-than-any-name-of-a-charset")));
    buf_free(&out);
}

static void test_nul(void **state)
{
    struct buf out = buf_make(100);

    (void)state;
    charset_to_utf8(&out, S("utf-32be"), S("\0\1\xf6\0\0\x11\0\0\0\0\0\0"));
    assert_true(str_same(buf_str(&out), S("😀�\0")));
    buf_clear(&out);
    decode_in_steps(S("iso-2022-jp"), S("a\0b"), 1, &out);
    assert_true(str_same(buf_str(&out), S("a\0b")));
    buf_free(&out);
}

/* What iconv makes of bytes that are one character in its charset; empty: it does not know them. */
static struct str by_iconv(iconv_t cd, struct str bytes, char room[16])
{
    char copy[8], *in = copy, *out = room;
    size_t in_left = bytes.n, out_left = 16;

    memcpy(copy, bytes.p, bytes.n);
    iconv(cd, NULL, NULL, NULL, NULL);
    if (iconv(cd, &in, &in_left, &out, &out_left) == (size_t)-1 || in_left ||
        iconv(cd, NULL, NULL, &out, &out_left) == (size_t)-1)
        return STR_NONE;
    return (struct str){room, 16 - out_left};
}

static bool is_c1(struct str s)
{
    return s.p[0] == '\xc2' && (unsigned char)s.p[1] < 0xa0;
}

/* What iconv reads and we read in another way. */
static size_t count_differences(const struct charset *ours, iconv_t theirs)
{
    struct buf room = buf_make(100);
    size_t differ = 0;

    for (unsigned v = 0x80; v < 0x10000; v++) {
        char bytes[2] = {(char)(v >> 8), (char)v}, text[16];
        struct str in = v < 0x100 ? (struct str){bytes + 1, 1} : (struct str){bytes, 2};
        struct str expected = v >= 0x100 && v < 0x8000 ? STR_NONE : by_iconv(theirs, in, text);
        struct charset_decoder d = charset_begin(ours);

        if (expected.n && !is_c1(expected))
            differ += !str_same(charset_decode(&d, in, &room), expected);
    }
    buf_free(&room);
    return differ;
}

static void test_tables(void **state)
{
    /* `differ`: what WHATWG (or a later version of a charset) and the C library disagree on, at most. A pair of single
     * bytes counts as well: 256 a byte. */
    static const struct {
        const char *ours, *theirs;
        size_t differ;
    } tables[] = {
        {"iso-8859-2", "ISO-8859-2", 0},
        {"iso-8859-3", "ISO-8859-3", 0},
        {"iso-8859-4", "ISO-8859-4", 0},
        {"iso-8859-5", "ISO-8859-5", 0},
        {"iso-8859-6", "ISO-8859-6", 0},
        {"iso-8859-7", "ISO-8859-7", 0},
        {"iso-8859-8", "ISO-8859-8", 0},
        {"iso-8859-10", "ISO-8859-10", 0},
        {"iso-8859-13", "ISO-8859-13", 0},
        {"iso-8859-14", "ISO-8859-14", 0},
        {"iso-8859-15", "ISO-8859-15", 0},
        {"iso-8859-16", "ISO-8859-16", 0},
        {"windows-874", "CP874", 0},
        {"windows-1250", "CP1250", 0},
        {"windows-1251", "CP1251", 0},
        {"windows-1252", "CP1252", 0},
        {"windows-1253", "CP1253", 0},
        {"windows-1254", "CP1254", 0},
        {"windows-1255", "CP1255", 32}, /* it composes Hebrew points */
        {"windows-1256", "CP1256", 0},
        {"windows-1257", "CP1257", 0},
        {"windows-1258", "CP1258", 198}, /* and Vietnamese tones */
        {"koi8-r", "KOI8-R", 0},
        {"koi8-u", "KOI8-U", 0},
        {"macintosh", "MACINTOSH", 1020}, /* the euro sign came later, and three others */
        {"x-mac-cyrillic", "MAC-CYRILLIC", 511},
        {"cp437", "CP437", 0},
        {"cp850", "CP850", 0},
        {"cp852", "CP852", 0},
        {"cp866", "CP866", 0},
        {"shift_jis", "CP932", 0},
        {"euc-jp", "EUC-JP", 6}, /* ＼～∥ and the like, as Windows has them */
        {"euc-kr", "UHC", 0},
        {"gb18030", "GB18030", 25}, /* of 2000 and of 2005 */
        {"big5", "BIG5-HKSCS", 79}, /* of 2004 and of 2008, and Windows' punctuation */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
        iconv_t cd = iconv_open("UTF-8", tables[i].theirs);
        size_t differ;

        if (cd == (iconv_t)-1)
            skip();
        differ = count_differences(charset_find(str_from_c(tables[i].ours)), cd);
        iconv_close(cd);
        if (differ > tables[i].differ)
            fail_msg("%s: %zu differ", tables[i].ours, differ);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_charsets),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
