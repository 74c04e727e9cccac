/* vault/store/edit.h: how an account is changed; for the files of this folder.
 *
 *     t = txn_begin(engine, &account_part, 1);
 *     e = edit_begin(&edit, t, cx, account);
 *     e = box_open(&box, &edit, mailbox);
 *     e = box_walk(&box, uids, visit, arg);       // any number of these
 *     e = box_add(&box, &entry);
 *     e = box_close(&box);
 *     e = edit_end(&edit);                         // nothing is written if nothing changed
 *     e = txn_commit(&t, cx, &ticket);
 *
 * An edit takes one modseq and writes one entry of the change log, whatever it does. After an error the transaction is
 * rolled back. Everything lives in cx->arena. One mailbox is open once at a time. */
#pragma once
#include "vault/store/block.h"
#include "vault/store/ranges.h"

struct edit {
    struct txn *t;
    struct cx *cx;
    struct account_id account;
    struct state_row state;
    struct amount used_before;
    uint64_t modseq; /* of this change */
    int64_t now;
    struct change_item *items;
    size_t items_count, items_room;
    struct dropped *dropped;
    size_t dropped_count, dropped_room;
};

/* ERR_NOT_FOUND: there is no such account (any more). */
enum err edit_begin(struct edit *e, struct txn *t, struct cx *cx, struct account_id account);
/* Something that a client can see: `what` is packed UIDs, or a name; in the arena. */
void edit_note(struct edit *e, uint32_t kind, struct mailbox_id mailbox, struct str what);
/* A new email of so many bytes: its id. */
struct email_id edit_new_email(struct edit *e, uint64_t size);
/* An email's last place is gone: the collector will take its reference. */
void edit_drop_email(struct edit *e, const struct roster_entry *entry);
static inline bool edit_changed(const struct edit *e)
{
    return e->items_count > 0;
}
enum err edit_end(struct edit *e);

/* ---- a mailbox ---- */

struct box {
    struct edit *e;
    struct mailbox_id id;
    struct counts_row counts;
    struct mailbox_row row; /* after box_row() */
    bool has_row, row_changed, counts_changed;
    struct roster_entry *tail; /* the last messages: as read, then with those that were added */
    size_t tail_count, tail_room;
    struct ranges added, flagged, removed;
    uint64_t keywords_named; /* those that box_keyword() has given: somebody is about to use them */
};

/* ERR_NOT_FOUND: there is no such mailbox, or it is \Noselect. */
enum err box_open(struct box *b, struct edit *e, struct mailbox_id id);
/* Reads `row`, once. */
enum err box_row(struct box *b);

enum box_verdict {
    BOX_KEEP,
    BOX_CHANGED, /* its flags: gets the edit's modseq */
    BOX_MOVED,   /* gone from here; the email lives on */
    BOX_DROPPED, /* gone, and its email with it */
};
typedef enum box_verdict box_visit(void *arg, struct roster_entry *entry);
/* The messages of a set (in order; NULL: all), ascending. What was added is visited as well. */
enum err box_walk(struct box *b, const struct imap_set *uids, box_visit *visit, void *arg);
/* entry->uid and modseq are set here. ERR_LIMIT: no UID is left. */
enum err box_add(struct box *b, struct roster_entry *entry);

/* The flag of a keyword; `add` if need be. *mask 0: it has none, and none was wanted. ERR_LIMIT. */
enum err box_keyword(struct box *b, struct str name, bool add, uint64_t *mask);
/* Flags of another mailbox with this list of keywords, as this one has them. */
enum err box_map_flags(struct box *b, const struct mailbox_row *from, uint64_t flags, uint64_t *mapped);
enum err box_close(struct box *b);
/* Of a mailbox that is not open: something about it has changed, its messages have not; its modseq becomes the edit's. */
enum err box_touch(struct edit *e, struct mailbox_id id);

/* The account's annotations with from ≤ key < to. The keys may go as soon as it returns. */
enum err annotations_scan(struct edit *e, const struct annotation_key *from,
                          const struct annotation_key *to, struct scan **out);
