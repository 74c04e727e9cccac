/* vault/imap/catenate.h: one message out of parts: literals that came, and parts of messages that are here already, named
 * by URLs (RFC 4469, RFC 5092). */
#pragma once
#include "proto/imap_append.h"
#include "vault/imap/upload.h"

struct imap;

/* In i->arena, ended; to be forgotten by the caller. NULL: *e, or the reply is set (BADURL, TOOBIG). */
struct upload *catenate(struct imap *i, const struct imap_append_message *m, struct upload **literals,
                        size_t count, enum err *e);
