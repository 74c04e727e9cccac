/* vault/store/directory.h: domains, accounts, aliases, and where an address leads.
 *
 * Addresses are looked up in their canonical form (mail/address.h): domain in lower-case A-labels, local part in
 * lower case and without quotes. Changes lock the directory; reading never waits. */
#pragma once
#include "vault/store/store.h"

/* ---- where mail for an address goes (RFC 5321 §3.9, RFC 5233 subaddresses) ---- */

enum target_kind { TARGET_ACCOUNT, TARGET_REMOTE };

struct destination {
    enum target_kind kind;
    struct account_id account; /* TARGET_ACCOUNT */
    struct path remote;        /* TARGET_REMOTE: an address of somebody else's domain */
    struct path delivered_to;  /* TARGET_ACCOUNT: the address under which it came here, after aliases */
};

#define MOST_DESTINATIONS 10000 /* of one message, after aliases */

struct destinations {
    struct destination *v; /* in cx->arena; each account and each remote address once */
    size_t n, room;
};

/* Adds where `to` leads: exactly, else without its +subaddress, else the domain's catch-all; aliases are followed,
 * nested ones too, each once, at most 10 deep. postmaster, with or without a domain of ours, always leads somewhere
 * (RFC 5321 §4.5.1). OK; NO_SUCH_USER (our domain, no such address); LIMIT. A domain not ours is a remote
 * destination: whether mail may go there is for the caller to decide. */
enum err directory_resolve(struct store *s, struct view *v, struct cx *cx, const struct path *to,
                           struct destinations *out);
enum err directory_is_ours(struct view *v, struct cx *cx, struct str domain, bool *ours);
/* Changes with every change to the directory: what was decided before it changed is decided again. */
uint64_t directory_version(struct store *s);

/* ---- accounts ---- */

/* By address; a bare name is completed if only one of our domains has it. *found false: nobody. */
enum err directory_find_account(struct store *s, struct view *v, struct cx *cx, struct str address,
                                struct account_id *id, struct account_row *row, bool *found);
enum err directory_account(struct view *v, struct cx *cx, struct account_id id, struct account_row *row,
                           bool *found);
/* Does this reverse-path belong to the account: its address, a subaddress of it, or an alias that leads to it? */
enum err directory_may_send_as(struct store *s, struct view *v, struct cx *cx, struct account_id id,
                               const struct path *from, bool *may);

struct new_account {
    struct str address, name;
    struct amount limit;
    bool internal_only;
    const struct credential_row *credential; /* NULL: no sign-on until a password is set */
};
enum err account_create(struct store *s, struct cx *cx, const struct new_account *n,
                        struct account_id *id, struct ticket *ticket);
enum err account_delete(struct store *s, struct cx *cx, struct account_id id, struct ticket *ticket);
/* What is NULL stays. */
struct account_change {
    const struct str *name;
    const uint64_t *most_bytes, *most_messages; /* 0: no limit */
    const bool *suspended, *internal_only;
};
enum err account_change(struct store *s, struct cx *cx, struct account_id id,
                        const struct account_change *change, struct ticket *ticket);

/* Credentials. `version` grows with each change, and is set by account_set_credential. */
enum err account_credential(struct view *v, struct cx *cx, struct account_id id,
                            struct credential_row *row, bool *found);
enum err account_set_credential(struct store *s, struct cx *cx, struct account_id id,
                                const struct credential_row *row, struct ticket *ticket);

/* ---- domains and aliases ---- */

enum err domain_create(struct store *s, struct cx *cx, struct str domain, struct ticket *ticket);
/* Refused (EXISTS) while addresses of it remain. */
enum err domain_delete(struct store *s, struct cx *cx, struct str domain, struct ticket *ticket);
/* ALIAS_NEW: of an address that nobody has. ALIAS_KNOWN: other targets in place of those it has, with no moment without. */
enum alias_kind { ALIAS_NEW, ALIAS_KNOWN };
enum err alias_write(struct store *s, struct cx *cx, enum alias_kind kind, struct str address,
                     const struct target *targets, size_t n, struct ticket *ticket);
enum err alias_delete(struct store *s, struct cx *cx, struct str address, struct ticket *ticket);
