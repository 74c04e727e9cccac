/* vault/imap/looking.h: what the messages of one command look like, by a second thread while more of them come.
 *
 * Parsing a letter, describing it and its digest take as long as receiving it and writing it down. While a processor is
 * left, a thread does that for letters which are whole; it ends as soon as there is none, so that nobody waits in it for a
 * client that is slow. Without it, or where it is behind, the session's own thread does it at the end. */
#pragma once
#include "vault/imap/upload.h"

struct looking;

struct looking *looking_new(size_t most); /* bytes: of all they look like */
/* A message all of which is in memory. Nobody else touches it until looking_end(). */
void looking_add(struct looking *l, struct upload *u);
/* All that were added are ready. What they look like is here and in cx->arena. ERR_TOO_BIG: that is more than `most`. */
enum err looking_end(struct looking *l, struct cx *cx);
void looking_free(struct looking **l); /* waits for the thread; what was added must still be there */
