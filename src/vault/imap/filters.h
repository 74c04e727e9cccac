/* vault/imap/filters.h: filters, searches with a name (RFC 5466): in the place of the name comes what it stands for. */
#pragma once
#include "proto/imap_search.h"
#include "vault/imap/imap.h"

/* No key FILTER is left in the program, and it needs what the filters need; what is new lies in `a`.
 * False: the reply is set (UNDEFINED-FILTER, LIMIT, BADCHARSET), or *e. */
bool filters_insert(struct imap *i, struct arena *a, struct imap_search *search, enum err *e);
