/* vault/vault.h: the vault as a process: what its parts are, and who may use them.
 *
 * Made once, at room_start; after that every member stays, and each is safe from any thread. */
#pragma once
#include "base/err.h"
#include "config/config.h"
#include "rpc/calls.h"
#include "vault/engine/engine.h"
#include "vault/peer.h"

#include <stdatomic.h>

struct vault {
    struct engine *engine;
    struct store *store;
    struct operators operators;
    struct local_users *local_users;
    struct handles *handles; /* who is signed on */
    struct signons *signons; /* sign-ons under way */
    struct transactions
        *transactions; /* SMTP transactions under way, and what they may still add to quotas */
    struct queue *queue;
    struct search *search; /* NULL: nobody is served, and nothing is indexed */
    struct loop *loop;
    struct channels *channels; /* and with them the long lane */
    int64_t started_ms;
    int64_t grace_ms;           /* how long what was removed can still be read */
    _Atomic uint64_t delivered; /* into mailboxes, since the start */
    struct repair *repair;      /* under way, in a vault that only examines; and its new store */
    struct engine *repaired;
    uint64_t backup; /* the one under way, 0: none. See admin/backup.c */
    int64_t backup_used_ms;
};

/* The settings in force; they change at SIGHUP, and the old ones stay readable, as a command may still use them. */
const struct config *settings(void);
