#include "vault/store/folders.h"

/* ---- a new account ---- */

static void put_folder(struct txn *t, struct account_id account, uint64_t id, struct str name,
                       uint32_t roles, uint32_t uid_validity)
{
    struct mailbox_row row = {.name = name, .roles = roles, .uid_validity = uid_validity};
    struct counts_row counts = {.uid_next = 1, .recent = 1, .modseq = 1};

    mailbox_row_put(t, account, &(struct mailbox_key){.mailbox = id}, &row);
    counts_row_put(t, account, &(struct counts_key){.mailbox = id}, &counts);
    name_row_put(t, account, &(struct name_key){.name = name}, &(struct name_row){.mailbox = {id}});
    subscription_row_put(t, account, &(struct subscription_key){.name = name},
                         &(struct subscription_row){0});
}

/* What clients would make at once, each under a name of its own, if it were not there: RFC 6154 tells them these. */
void folders_begin(struct txn *t, struct account_id account, uint32_t uid_validity)
{
    static const struct {
        struct str name;
        uint32_t roles;
    } first[] = {
        {{"INBOX", 5}, 0},        {{"Drafts", 6}, ROLE_DRAFTS}, {{"Sent", 4}, ROLE_SENT},
        {{"Junk", 4}, ROLE_JUNK}, {{"Trash", 5}, ROLE_TRASH},   {{"Archive", 7}, ROLE_ARCHIVE},
    };
    const size_t n = sizeof(first) / sizeof(*first);
    struct state_row state = {.version = STORE_FORMAT,
                              .modseq = 1,
                              .next_email = 1,
                              .next_mailbox = INBOX.v + n,
                              .uid_validity = uid_validity,
                              .mailboxes = n};

    for (size_t i = 0; i < n; i++)
        put_folder(t, account, INBOX.v + i, first[i].name, first[i].roles, uid_validity);
    state_row_put(t, account, &(struct state_key){0}, &state);
}
