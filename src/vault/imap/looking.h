/* vault/imap/looking.h: what the messages of one command look like, by a second thread while more of them come.
 *
 * Parsing a letter, describing it and its digest take as long as receiving it and writing it down. While a processor is
 * left, a helper does that for letters which are whole, and writes their bytes to the log ahead of the commit; it leaves as
 * soon as there is none, so that nobody waits in it for a client that is slow. Helpers stay when they have nothing to do: a
 * thread for each processor but the first, four at most, started when one is first called. Without one, or where it is
 * behind, the session's own thread looks at letters at the end, and their bytes go with the commit. */
#pragma once
#include "vault/imap/upload.h"

struct looking;

struct looking *looking_new(size_t most); /* bytes: of all they look like */
/* A message all of which is in memory. Nobody else touches it until looking_end(). */
void looking_add(struct looking *l, struct upload *u);
/* All that were added are ready. What they look like is here and in cx->arena. ERR_TOO_BIG: that is more than `most`. */
enum err looking_end(struct looking *l, struct cx *cx);
/* Waits for the helper; what was added must still be there. What went ahead and was not taken is taken back. */
void looking_free(struct looking **l, struct cx *cx);

void looking_stop(void); /* the process ends, and no session is left: so do the helpers */
