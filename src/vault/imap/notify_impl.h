/* vault/imap/notify_impl.h: NOTIFY in three parts: cmd_notify.c knows what is asked for and whom to listen to, notify_news.c
 * tells what an account's change log has, notify_names.c how names have changed (RFC 5465 §5.4). */
#pragma once
#include "proto/imap_access.h"
#include "proto/imap_notify.h"
#include "vault/imap/notify.h"
#include "vault/imap/place.h"
#include "vault/imap/selected.h"

#define ACCOUNTS_MOST 100 /* that one session listens to */

struct listened {
    struct account_id account;
    uint64_t modseq; /* told up to here */
};

struct notify {
    bool commanded;      /* else it is here for ENABLE METADATA alone */
    struct arena *arena; /* of the request */
    struct imap_notify set;
    const struct imap_event_group *selected; /* NULL: none */
    uint32_t events;                         /* of all groups for other mailboxes */
    bool others;                             /* some group may name mailboxes that others share */
    struct listened accounts[ACCOUNTS_MOST];
    size_t account_count;
    struct account_id watched[ACCOUNTS_MOST + 1]; /* the session's own, while it waits */
    size_t watched_count;
    struct arena *names_arena;
    struct place *names; /* as they were; only with IMAP_EVENT_MAILBOX_NAME. By account and id */
    size_t name_count;
};

static inline bool notify_is_readable(const struct place *p)
{
    return !p->folder.no_select && p->rights & IMAP_RIGHT_READ;
}

/* ---- what is asked for (cmd_notify.c), as IMAP_EVENT_ bits ---- */

/* Of one mailbox, which is not selected. */
uint32_t notify_events_of(const struct imap *i, const struct place *p);
/* By ENABLE, of every mailbox that may be read. METADATA has annotations of the server as well. */
uint32_t notify_enabled_events(const struct imap *i);
/* Of anything but the selected mailbox. */
uint32_t notify_events_elsewhere(const struct imap *i);

/* ---- names (notify_names.c) ---- */

/* LIST of what is there; old_name: empty, or what its OLDNAME is. */
void notify_say_list(struct imap *i, const struct place *p, struct str old_name);
/* LIST with these attributes alone, of what may be no mailbox: then `at` is {0}. */
void notify_say_bare_list(struct imap *i, struct str attributes, struct mailbox_ref at,
                          struct str name);
void notify_say_nonexistent(struct imap *i, struct str name); /* with \Subscribed, if so */
bool notify_is_subscribed(struct imap *i, struct str name);
/* Remembers them: these are what the client knows. They are put in order. */
void notify_keep_names(struct notify *n, struct place *v, size_t count);
void notify_forget_names(struct notify *n);
/* How they differ from those that are remembered. */
enum err notify_tell_names(struct imap *i);

/* ---- the change log (notify_news.c) ---- */

struct notify_found {
    struct arena *arena;
    bool only_metadata; /* nothing else is asked for */
    bool names;         /* some have changed */
    struct news *v;     /* private, and the rest */
    size_t n;
    struct account_id account;
};
struct notify_found notify_found_make(bool only_metadata);
void notify_found_free(struct notify_found *f);
/* What is new in one account. *lost: it cannot be told what, or it is too much. */
enum err notify_find(struct imap *i, struct listened *l, struct notify_found *f, bool *lost);
/* *lost: it is too much to be said. */
enum err notify_tell(struct imap *i, const struct notify_found *f, bool *lost);
