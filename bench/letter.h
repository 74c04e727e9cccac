/* bench/letter.h: letters as people write them, for mailboxes that are searched, sorted and listed.
 *
 * Letter number n is always the same, so every server gets the same mailbox: subjects of a few thousand
 * conversations, replies that refer to what they answer, one to five recipients, encoded words here and there,
 * plain text, text with its HTML, and attachments. A letter has about 3 KB on average. */
#pragma once
#include "base/buf.h"

#define LETTER_RARE "quincunx"   /* stands in the body of every 20,000th letter, and nowhere else */
#define LETTER_SUBJECT "harvest" /* one of the words of subjects: about every 16th letter has it */

void letter_add(struct buf *out, uint64_t n);
