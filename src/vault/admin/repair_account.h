/* vault/admin/repair_account.h: one account while it is repaired: what was read of it, and where it stands. Shared by
 * repair_account.c (rows of the account) and repair_email.c (its emails). */
#pragma once
#include "vault/admin/repair_impl.h"

struct box {
    uint64_t id;
    struct mailbox_row row; /* as read; then with its counters anew, as it is written */
    uint32_t first_free;    /* no UID from here on was ever given, as far as can be read */
};

struct seen { /* a hot row that could be read */
    uint64_t mailbox, email, body, modseq, flags, size, internal_date;
    uint32_t uid;
    bool done; /* its email was written, or named as lost */
};

struct account {
    struct repair *r;
    struct arena *arena; /* until the account is done */
    struct state_row state;
    uint64_t modseq; /* of whatever is new in this account: above every one that was ever shown */
    struct box *boxes;
    size_t box_count, box_room;
    struct seen *seen; /* by mailbox and UID */
    size_t seen_count, seen_room;
    struct seen **by_email;
};

struct box *account_box(struct account *a, uint64_t id);
struct box *account_box_or_new(struct account *a, uint64_t id);
/* The hot rows of an email, in *first … ; how many. */
size_t account_seen_of(const struct account *a, uint64_t email, struct seen ***first);
struct seen *account_seen_at(const struct account *a, uint64_t mailbox, uint32_t uid);

/* Every email whose cold row can be read; then those that only a hot row tells of. */
void repair_emails(struct account *a);
