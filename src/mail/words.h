/* mail/words.h: encoded words (RFC 2047): header text beyond ASCII. Pure; results are appended. */
#pragma once
#include "base/buf.h"

/* Unstructured text for a field that has `column` octets on its line already: as it is if it is printable ASCII and
 * would not be mistaken for an encoded word, else as encoded words, folded (§2: 75 octets a word, 76 a line).
 * What is not UTF-8 becomes "?". */
void words_write(struct buf *out, struct str text, size_t column);

/* Printable ASCII without an encoded word: decoding gives it back as it is. */
bool words_are_plain(struct str text);
/* An unfolded field body as UTF-8. Encoded words in charsets that charset.h does not know stay as they are;
 * bytes that are not UTF-8, and controls, become "?". */
void words_decode(struct buf *out, struct str text);

/* Text to be shown: tabs become spaces, controls and what is not UTF-8 become "?". */
void words_clean(struct buf *out, struct str text);
