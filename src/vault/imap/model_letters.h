/* vault/imap/model_letters.h: the letters of a random conversation, which answer each other at random, and which of them
 * are one conversation: THREADID and EMAILID (RFC 8474 §5) as a model.
 *
 * A letter is one content: its copies are the same letter. Its thread is known here from when the server finds it out, which
 * is when somebody first asks (store/threads.h): then it has the oldest of the threads that its message ids lead to, under
 * its subject, or begins one. Ids that were told never change. */
#pragma once
#include "vault/imap/model_picture.h"

/* Appends the text of a new one; its number. */
size_t letter_make(struct model *m, struct buf *out);
/* EMAILID, THREADID, RFC822.SIZE and INTERNALDATE, if they are among a FETCH's items, are the letter's. */
void letter_told(struct model *m, size_t letter, struct str items);
void letters_free(struct model *m);

/* Acts: both ids of some messages, and who is in one thread. */
void do_threads(struct model *m, size_t s);
void do_search_thread(struct model *m, size_t s);
