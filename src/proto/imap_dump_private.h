/* proto/imap_dump_private.h: what imap_dump.c and imap_dump_search.c share. */
#pragma once
#include "proto/imap_dump.h"

typedef bool dump_fn(struct imap_parse *p, struct str args, bool uid, struct buf *out);

dump_fn dump_notify, dump_search, dump_sort, dump_thread, dump_esearch;

void dump_string(struct buf *out, struct str s);             /* .p NULL: NIL */
void dump_set(struct buf *out, const struct imap_set *set);  /* with the space before it */
void dump_atts(struct buf *out, const struct imap_fetch *f); /* "(FLAGS …)" */
void dump_partial(struct buf *out, const struct imap_partial *partial);
