/* mail/charset_step.h: between the files of mail/charset*.c.
 *
 * A step reads one character at p, where n bytes are (at least one), and writes it to *out, where there is room for 8. It
 * gives how many bytes it took; 0: the character goes on beyond n, which it never says of CHARSET_CUT_MAX bytes. What is no
 * character is written as U+FFFD; a byte below 128 that does not belong to a broken one is left for the next step. */
#pragma once
#include "base/utf8.h"
#include "mail/charset.h"
#include "mail/charset_tables.h"

#define CHARSET_CUT_MAX 7 /* charset_decoder.cut */

typedef size_t charset_step(struct charset_decoder *d, const unsigned char *p, size_t n, char **out);

enum { ASCII_INSIDE = 1 };

struct charset {
    const char *name;
    charset_step *step;
    const uint16_t *table;
    unsigned flags;
    const char *names;
};

charset_step iso_2022_step, shift_jis_step, euc_jp_step, euc_kr_step, gb18030_step, hz_step, big5_step;
charset_step utf16_step, utf16_be_step, utf16_le_step, utf32_step, utf32_be_step, utf32_le_step,
    utf7_step;
/* What ends with the text. */
void utf7_leave(struct charset_decoder *d, char **out);

/* Of a table, whose 0 is no character. */
static inline uint32_t charset_found(uint32_t code_point)
{
    return code_point ? code_point : UTF8_REPLACEMENT;
}

static inline void charset_put(char **out, uint32_t code_point)
{
    *out = utf8_put(*out, code_point);
}
