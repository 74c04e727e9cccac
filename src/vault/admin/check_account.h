/* vault/admin/check_account.h: one account while it is checked. Shared by check_account.c (its own rows, and the counters)
 * and check_mail.c (its emails). */
#pragma once
#include "vault/admin/check_impl.h"
#include "vault/store/block.h"

struct box {
    uint64_t id;
    struct mailbox_row row;   /* its name is kept in the account's arena */
    struct counts_row counts; /* without the tail */
    bool has_counts;
    uint32_t exists, unseen, deleted, last_uid; /* counted */
    uint64_t bytes, deleted_bytes, modseq;
};

struct mail { /* a message of a mailbox */
    uint64_t body, email, mailbox, size;
    uint32_t uid;
    bool has_cold;
};

struct account_check {
    struct arena *arena; /* until the account is done */
    struct state_row state;
    bool has_state;
    struct box *boxes; /* ascending */
    size_t box_count, box_room;
    struct mail *mails; /* by body and email, once all of them are here */
    size_t mail_count, mail_room;
    uint64_t emails, bytes, metadata;
    uint64_t changes; /* entries of the log above its floor */
};

struct box *box_of(struct account_check *a, uint64_t id);

/* Messages that a row of the mailbox holds. */
void note_messages(struct check *k, struct account_check *a, uint64_t mailbox,
                   const struct roster_entry *v, size_t n);
/* Cold rows, references and marks against the messages that were noted. */
void check_mails(struct check *k, struct account_check *a);
void check_threads(struct check *k);
