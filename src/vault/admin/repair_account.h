/* vault/admin/repair_account.h: one account while it is repaired: what was read of it, and where it stands. Shared by
 * repair_account.c (reading it, and its counters), repair_email.c (its emails) and repair_mailbox.c (its mailboxes). */
#pragma once
#include "vault/admin/repair_impl.h"
#include "vault/store/block.h"

struct box {
    uint64_t id;
    struct mailbox_row row;
    struct counts_row counts; /* as read; then anew, as it is written */
    bool has_counts;
    bool renumbered;     /* nobody knows which UIDs it has given: it has a new UIDVALIDITY */
    uint32_t first_free; /* no UID from here on was ever given, as far as can be read */
};

struct seen { /* a message of a mailbox */
    struct roster_entry entry;
    uint64_t mailbox;
    bool done; /* its email was placed, or named as lost */
};

struct named { /* a name that leads to a mailbox */
    uint64_t id, parent;
    struct str name;
};

struct account {
    struct repair *r;
    struct arena *arena; /* until the account is done */
    struct state_row state;
    uint64_t modseq; /* of whatever is new in this account: above every one that was ever shown */
    struct box *boxes;
    size_t box_count, box_room;
    struct named *names;
    size_t name_count, name_room;
    struct seen *seen; /* as read; by mailbox and UID after account_sort_seen() */
    size_t seen_count, seen_room;
    struct seen **by_body; /* and email */
    struct seen *placed;   /* what is written */
    size_t placed_count, placed_room;
};

struct box *account_box(struct account *a, uint64_t id);
struct box *account_box_or_new(struct account *a, uint64_t id);
uint32_t account_next_uid(struct box *b);
/* The messages of a body, in *first … ; how many. */
size_t account_seen_of(const struct account *a, uint64_t body, struct seen ***first);
struct seen *account_seen_at(const struct account *a, uint64_t mailbox, uint32_t uid);
void account_place(struct account *a, uint64_t mailbox, const struct roster_entry *entry);

/* Every email whose cold row can be read; then those that only a mailbox tells of. */
void repair_emails(struct account *a);
/* The thread of a letter that was copied, with these looks. */
void repair_thread(struct account *a, struct body_id body, const struct cold_row *cold);
/* The rows of its mailboxes, with what was placed in them. */
void repair_mailboxes(struct account *a);
