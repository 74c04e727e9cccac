/* mail/casemap.h: i;unicode-casemap (RFC 5051), by which SEARCH, SORT and THREAD compare: each character in title case,
 * then decomposed as far as it goes. So "CAFE" is found in "café", and "Straße" is not "STRASSE".
 *
 *     casemap(&needle, words);                       // once
 *     struct finder f = finder_make(buf_str(&needle));
 *     while (more text)
 *         if (finder_feed(&f, casemap_next(&fold, piece, &room)))
 *             … found
 *
 * Two folded strings are equal, ordered and part of each other by their bytes (i;octet). What is not UTF-8 becomes
 * U+FFFD.
 * RFC-GAP: RFC 5051 §2 (1b) and RFC 5255 §4.6 (c) would compare a text with a broken byte as a whole unfolded, byte by byte;
 * but a search must find the words beside it. So I18NLEVEL=1 is not announced, which RFC 5256 §7 would have (SHOULD).
 * Pure. */
#pragma once
#include "base/buf.h"

/* Folds a whole text; appends. */
void casemap(struct buf *out, struct str text);

/* Or piece by piece, cut anywhere. */
struct casemap {
    unsigned char cut_n, cut[4]; /* private: the beginning of a character */
};
/* The next piece folded, in *room, whose former content goes. */
struct str casemap_next(struct casemap *c, struct str piece, struct buf *room);
struct str casemap_end(struct casemap *c, struct buf *room);

/* Looks for bytes in bytes that come in pieces. An empty needle is found at once. Nothing is allocated before a piece
 * comes, and then as much as the needle is long. */
struct finder {
    struct str needle; /* of the caller, and outlives the finder */
    bool found;
    struct buf tail; /* private: the end of what was seen, shorter than the needle */
};
struct finder finder_make(struct str needle);
void finder_free(struct finder *f);
bool finder_feed(struct finder *f, struct str piece); /* whether it was found by now */
void finder_restart(struct finder *f); /* another text begins; what was found stays found */

/* Where `needle` is first found, as str_find(); faster, for long texts. */
bool find_bytes(struct str text, struct str needle, size_t *at);
/* The same of a text that is not folded, for a folded needle of ASCII, which is not empty. */
struct unfolded {
    struct str needle;
    size_t one,
        two; /* where two of its bytes stand, by which it is looked for: best those that are rare */
};
struct unfolded unfolded_make(struct str needle);
bool find_unfolded(struct str text, const struct unfolded *u, size_t *at);
