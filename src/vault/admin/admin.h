/* vault/admin/admin.h: what the postmaster's commands ask: the serve_ functions of calls.def's last section. They are
 * implemented here (directory.c, queue.c, status.c, check.c, repair_call.c, backup.c,
 * restore.c) and declared in rpc/calls.h. */
#pragma once
#include "rpc/frame.h"
#include "vault/caller.h"

/* Of a list in one answer: so many rows, or so many bytes, packed; the last row may be twice as long as those. */
#define PAGE 1000
#define PAGE_BYTES (FRAME_LIMIT / 4)

struct vault;
void repair_end(struct vault *v); /* one that is under way, when the vault ends */

/* What a backup has left behind goes: at start (long_unused false), and from time to time. */
void backup_clear(struct vault *v, bool long_unused);

/* What the postmaster does to a queue entry that nobody else holds: QUEUE_…; *e as it is afterwards. */
struct entry_row;
void entry_change(struct txn *t, struct entry_id id, struct entry_row *e, uint32_t action);

/* A path from what somebody typed: "fred@acompany.test", "fred", "@acompany.test". */
enum err parse_typed_path(struct cx *cx, struct str text, struct path *out);
