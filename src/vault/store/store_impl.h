/* vault/store/store_impl.h: what the files of store/ share among themselves. */
#pragma once
#include "vault/store/store.h"

#include <stdatomic.h>

#define ROSTER_BYTES ((size_t)64 * 1024 * 1024) /* pictures of mailboxes that are kept in memory */

struct store_private {
    struct store pub; /* first: a struct store of ours is one of these */
    _Atomic uint64_t directory_version;
    struct roster_cache *rosters;
};

static inline struct store_private *store_of(struct store *s)
{
    return (struct store_private *)s;
}

/* The postmaster's address: the setting, or postmaster@ the hostname. Lives as long as the settings. */
struct str store_postmaster(struct store *s);

/* Marks every reference that an account's emails hold as dead, before the account's rows go. */
enum err account_drop_references(struct txn *t, struct cx *cx, struct account_id account);
