/* vault/search/terms.h: what is asked of the index for a text that is looked for.
 *
 * The index knows which trigrams (three characters in a row) a message has. A message that holds the text has all of the
 * text's trigrams; one that has them all may hold it. Pure. */
#pragma once
#include "base/buf.h"

/* An expression for MATCH: the text's trigrams, or some of them, each quoted. False: nothing can be asked, and the text is
 * to be looked for everywhere: it has fewer than three characters, or a line feed or NUL in it, or is no UTF-8. The text is
 * folded (mail/casemap.h), as what is indexed. */
bool terms_of(struct buf *out, struct str folded);

/* Makes of folded text what the index is given: SQLite ends a text at NUL. In place. */
void terms_prepare(struct buf *text);
