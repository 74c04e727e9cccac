/* vault/imap/mailbox_answers.h: what LIST says of a mailbox besides its name, written by the commands that are for it. */
#pragma once
#include "vault/imap/place.h"

/* "* STATUS name (…)": of a mailbox that may be read; items are IMAP_STATUS_ bits (proto/imap_list.h). Of one
 * whose counts are damaged it says nothing (RFC 5819 §2 lets us drop it); STATUS itself must not come so far. */
void status_write(struct imap *i, const struct place *p, uint32_t items);
/* "* METADATA name (entry value …)": of the entries named (RFC 9590 §3.1; NIL: there is none). */
enum err metadata_write(struct imap *i, const struct place *p, const struct str *entries, size_t count);
