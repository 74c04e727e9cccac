/* mail/charset.h: text in the character sets of mail, as UTF-8. Pure, and safe from any thread: the tables are built in,
 * since the rooms' roots hold no files to load them from, and take memory only where they are read.
 *
 *     struct charset_decoder d = charset_begin(charset_find(name));
 *     text = charset_decode(&d, piece, &room);     // as often as there are pieces, cut anywhere
 *     text = charset_end(&d, &room);
 *
 * Charsets are taken as browsers take them (the WHATWG Encoding Standard): what calls itself ISO-8859-1 is
 * Windows-1252, GB2312 is GB18030, Shift_JIS and ISO-2022-JP hold the characters of Windows. Known on top of those: the
 * Unicode charsets with UTF-7, ISO-2022-KR, HZ, and code pages of DOS and the Macintosh. Bytes that are none of a
 * charset's characters become U+FFFD each. */
#pragma once
#include "base/buf.h"

struct charset; /* a row of a constant table */

/* What a name means, in any case, "-" and "_" not counting; an empty one is US-ASCII. US-ASCII beyond 127 is read as
 * UTF-8, which it then most often is. NULL: not known here. */
const struct charset *charset_find(struct str name);
const struct charset *charset_at(size_t n); /* each in turn; NULL: there are no more */
/* The name MIME prefers, for people. */
struct str charset_name(const struct charset *set);
/* Bytes below 128 are always ASCII, but for those that belong to a character which begins beyond. */
bool charset_keeps_ascii(const struct charset *set);

struct charset_decoder {
    const struct charset *set; /* private, and the rest */
    uint32_t mode, bits;
    unsigned char have, designated;
    unsigned char cut_n, cut[7]; /* the beginning of a character whose end has not come */
};

struct charset_decoder charset_begin(const struct charset *set);
/* The text of the next piece: a part of the piece itself where nothing is to be done, else in *room, whose former
 * content goes. It is whole characters, and lives until either is changed. */
struct str charset_decode(struct charset_decoder *d, struct str piece, struct buf *room);
/* What is left at the end: U+FFFD for a character that is cut off, or nothing. */
struct str charset_end(struct charset_decoder *d, struct buf *room);

/* All at once; appends. False, with nothing appended: the charset is not known here. */
bool charset_to_utf8(struct buf *out, struct str charset, struct str bytes);
