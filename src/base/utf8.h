/* base/utf8.h: single characters of UTF-8 (RFC 3629). Pure. */
#pragma once
#include "base/buf.h"

#define UTF8_REPLACEMENT 0xfffd

/* How many bytes the first character of `in` (not empty) takes; 0: none well-formed begins there. */
size_t utf8_character_length(struct str in);
/* The code point of one well-formed character. */
uint32_t utf8_code_point(struct str character);
void utf8_write(struct buf *out, uint32_t code_point); /* what is no character: UTF8_REPLACEMENT */
