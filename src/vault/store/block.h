/* vault/store/block.h: messages as they lie in the rows `block` and in the tail of `counts`; for this folder, check and
 * repair.
 *
 * A block is the messages of up to 64 UIDs in a row, packed in columns, so that what is alike in neighbours (ids that
 * count on, dates, flags) costs little: a message takes about twelve bytes. What is unpacked has been checked: UIDs
 * ascend, ids are none of them 0, nothing is left over. */
#pragma once
#include "vault/store/roster.h"

#define BLOCK_UIDS 64
#define TAIL_MOST 8 /* messages; more of them move to blocks */

static inline uint32_t block_of(uint32_t uid)
{
    return uid / BLOCK_UIDS;
}

/* Of the block that begins with UID `first`: n of its messages, at least one, ascending. */
void entries_pack(struct buf *b, uint32_t first, const struct roster_entry *v, size_t n);
bool entries_unpack(struct str in, uint32_t first, struct roster_entry v[BLOCK_UIDS], size_t *n);

/* The tail: up to TAIL_MOST messages whose UIDs lie within BLOCK_UIDS of each other; none: empty. */
struct str tail_pack(struct arena *a, const struct roster_entry *v, size_t n);
bool tail_unpack(struct str in, struct roster_entry v[BLOCK_UIDS], size_t *n);
/* May they be a tail? */
bool tail_fits(const struct roster_entry *v, size_t n);

/* The messages of a mailbox with UIDs from first to last, in ascending runs, as a view shows them. Rows that cannot be
 * read are passed over and counted. `tail` is that of the mailbox's counts row. */
struct block_reader {
    struct view *v;
    struct cx *cx;
    struct account_id account;
    struct mailbox_id mailbox;
    struct str tail;
    void (*look)(void *arg, const struct roster_entry *v, size_t n);
    void *arg;
    uint32_t damaged;
};
enum err blocks_read(struct block_reader *r, uint32_t first, uint32_t last);
