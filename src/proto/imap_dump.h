/* proto/imap_dump.h: for tests and fuzz targets only: arguments written out as commands again, in one fixed spelling, so
 * that a table can say what was understood, and a fuzz target can check that reading it again changes nothing. */
#pragma once
#include "base/buf.h"
#include "proto/imap_access.h"
#include "proto/imap_append.h"
#include "proto/imap_fetch.h"
#include "proto/imap_list.h"
#include "proto/imap_notify.h"
#include "proto/imap_search.h"

size_t imap_dump_count(void); /* of commands that imap_dump() knows */
struct str imap_dump_name(size_t i);

/* Parses the arguments of the command of that name ("FETCH"; "UID FETCH"), and appends them as they were understood,
 * with the leading space. False: *p tells why. A name that is not known is a bug of the caller's. */
bool imap_dump(struct imap_parse *p, struct str name, struct str args, struct buf *out);
