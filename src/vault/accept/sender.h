/* vault/accept/sender.h: who sends, as far as the vault knows it, and what that person may do. */
#pragma once
#include "vault/caller.h"
#include "vault/store/directory.h"

struct sender {
    struct account_id account; /* {0}: nobody signed on */
    struct str login; /* of a user of this machine; empty: it is none, or one who may use any name */
    struct str
        own_domain; /* completes a bare name: the account's; the postmaster's for a user of this machine */
    struct str client;  /* the address the gate tells */
    bool may_relay;     /* to other domains: signed on, of this machine, or from a network that may */
    bool inside;        /* of our own office: the same */
    bool internal_only; /* the account's own mail stays inside */
};

/* From the handle, if there is one (an unknown one is ERR_AUTH_NEEDED, a suspended account ERR_SUSPENDED), else from
 * the client's address against `network`. */
enum err sender_find(struct caller *c, struct view *v, struct handle session, struct str client,
                     struct sender *out);
/* A signed-on account sends under its own addresses, or under none; so does nobody else pretend. A user of this machine
 * sends as login@hostname and login@ the postmaster's domain, and if that is an account, under its other addresses. */
enum err sender_check_reverse_path(struct vault *vault, struct view *v, struct cx *cx,
                                   const struct sender *s, const struct path *reverse_path);
/* "tom", said by somebody who signed on, is tom of the same domain, and said by a user of this machine (cron), of the
 * postmaster's; postmaster stays the server's. */
struct path sender_complete(const struct sender *s, const struct path *p);
