/* base/utf8.h: single characters of UTF-8 (RFC 3629), and how far a text is well-formed. Pure. */
#pragma once
#include "base/buf.h"

#define UTF8_REPLACEMENT 0xfffd

/* The first character of `in`: how many bytes it takes; 0: none well-formed begins there. */
size_t utf8_decode(struct str in, uint32_t *code_point);
size_t utf8_character_length(struct str in);
/* The code point of one well-formed character. */
uint32_t utf8_code_point(struct str character);

/* How many bytes at the front are ASCII; are well-formed UTF-8, in whole characters. */
size_t ascii_length(struct str s);
size_t utf8_length(struct str s);
/* Of bytes that no well-formed character begins: how many of them are to be replaced by one U+FFFD (the maximal subpart,
 * Unicode §3.9). 0: `in` is all of it, and a character that is cut off. */
size_t utf8_broken_length(struct str in);

void utf8_write(struct buf *out, uint32_t code_point); /* what is no character: UTF8_REPLACEMENT */
/* To p, where there is room for 4 bytes; gives what comes behind. */
char *utf8_put(char *p, uint32_t code_point);
