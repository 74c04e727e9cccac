/* bench/message.h: the text of the messages.
 *
 * Each is a message as RFC 5322 wants it, of exactly the size asked for, with its own Message-ID; its body is
 * base 64 of random bytes, a different stretch each time, so that no server wins by compressing. No line begins
 * with a dot, so what goes over the wire is what is meant. */
#pragma once
#include "base/buf.h"

struct message_source;

struct message_source *message_source_new(void);
void message_source_free(struct message_source *m);

/* Appends a message of `size` octets, at least 2048. */
void message_add(struct message_source *m, struct buf *out, size_t size, const char *from,
                 const char *to);
