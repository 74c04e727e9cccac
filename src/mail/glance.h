/* mail/glance.h: whether the text of a message (text.h) may hold some words, told from its bytes as they lie there.
 *
 *     struct unfolded word = glance_word(needle);                      // once
 *     if (word.needle.n && !glance(raw, &word, TEXT_BODY)) … no, and nothing was decoded
 *
 * Most messages do not hold what SEARCH looks for, and most of those need not be taken apart to see it. This is so:
 *
 * A `word` is a run of ASCII letters and digits of a folded needle. Where the needle is found in the folded text, so is the
 * word, and each of its characters comes from somewhere in the message. If nothing is decoded and nothing taken out in
 * between, they come from bytes side by side that differ in case at most: then a message without such bytes does not hold
 * the word, whatever its parts are. What keeps characters from lying side by side is looked for, and answered with "it may":
 *
 *   a byte beyond ASCII      i;unicode-casemap makes letters and digits of many characters ("é", "K", "ﬁ", "①")
 *   a charset                in which bytes below 128 may be something else: UTF-7, UTF-16, ISO-2022, HZ
 *   quoted-printable, base64 of a text. Of other parts nothing is decoded
 *   an encoded word          "=?" in a message of which headers are searched, be it of messages inside
 *   markup                   of HTML, that parts the word: its beginning, and then "<" or "&"; and a reference like "&#113;",
 *                            with which it could begin
 *
 * All else that is done to a text (text.h) adds characters, replaces others than letters and digits, takes line ends out of
 * headers, where white space follows, or leaves out whole parts.
 *
 * The charset and the encoding of a part stand in fields whose names stand in one piece. So no parts are looked for: each
 * "Content-Type" or "Content-Transfer-Encoding" anywhere is taken for one. What looks like one and is none only makes the
 * answer "it may"; but for a type that is no text, which counts only where it is sure to be in the same header.
 *
 * Pure. */
#pragma once
#include "mail/casemap.h"

/* Of a folded needle: the longest of its words, cut. Empty: it has none. */
struct unfolded glance_word(struct str needle);
/* False: the text of the message (`what` of text.h) does not hold it. `raw`: all of the message, or more than that. */
bool glance(struct str raw, const struct unfolded *word, unsigned what);
