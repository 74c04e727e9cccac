/* vault/store/email.h: a new email in a mailbox: all rows of it, in the caller's transaction.
 *
 * The caller holds the account's part. One modseq and one change-log entry for each call. */
#pragma once
#include "vault/store/store.h"

struct new_email {
    struct body_id body;
    uint64_t body_size;
    struct str prefix; /* Return-Path and Delivered-To, whole lines */
    uint64_t flags;
    uint64_t internal_date, received; /* ms since 1970 */
    const struct cold_row
        *looks;       /* parser, envelope, bodystructure, preview, parts: made once for all accounts */
    struct str facts; /* mail/facts.h; empty: not known, and asked of the header when wanted */
    /* At it already: ERR_OVER_QUOTA; in bytes one message may go over. {0}: it goes in however full it is, as in a commit
     * that other recipients share. */
    struct amount limit;
    /* Some account may have this content already: of a letter that went to others before (letters.h). */
    bool again;
};

struct placed {
    struct email_id email;
    uint32_t uid;
    uint64_t modseq;
};

/* ERR_NOT_FOUND: the account or the mailbox was removed meanwhile. */
enum err email_add(struct txn *t, struct cx *cx, struct account_id account, struct mailbox_id mailbox,
                   const struct new_email *n, struct placed *out);
/* Rough but enough for quota: what the account holds now. found false: no such account part. */
enum err account_used(struct view *v, struct cx *cx, struct account_id account, struct state_row *state,
                      bool *found);
