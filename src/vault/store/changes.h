/* vault/store/changes.h: the change log of an account: what is new since a modseq.
 *
 * One entry for each modseq. The log has a floor; who asks below it cannot be told what changed since and is told
 * everything: *complete comes back false. Reading goes through a view. Results live in cx->arena. */
#pragma once
#include "proto/imap_set.h"
#include "vault/store/store.h"

struct account_figures {
    uint64_t modseq;    /* of the last change */
    uint64_t log_floor; /* changes up to here cannot be told one by one any more */
    struct amount mail; /* in use; so are the others */
    uint64_t mailboxes, metadata;
};
enum err account_figures(struct view *v, struct cx *cx, struct account_id account,
                         struct account_figures *out);

/* The limits of an account (RFC 9208), 0: none. */
struct account_limits {
    struct amount mail;
    uint64_t mailboxes, metadata;
};
enum err account_limits(struct view *v, struct cx *cx, struct account_id account,
                        struct account_limits *out);

/* UIDs of the mailbox that were removed after `since`, in order (RFC 7162 §3.2.10 VANISHED (EARLIER)). Of a mailbox whose
 * UIDVALIDITY is still the client's: UIDs are never given twice. */
enum err changes_removed(struct view *v, struct cx *cx, struct account_id account,
                         struct mailbox_id mailbox, uint64_t since, struct imap_set *uids,
                         bool *complete);

/* Everything after `since`, in order. */
struct change {
    uint64_t modseq;
    int64_t time;
    uint32_t kind; /* CHANGE_… of rows.h */
    struct mailbox_id mailbox;
    struct imap_set uids; /* ADDED, FLAGS, REMOVED */
    struct str name;      /* SUBSCRIPTION: the mailbox's; METADATA: the entry's */
};
/* Until look() says false or the end: *upto is the last modseq that was looked at whole. */
enum err changes_since(struct view *v, struct cx *cx, struct account_id account, uint64_t since,
                       bool (*look)(void *arg, const struct change *c), void *arg, uint64_t *upto,
                       bool *complete);

/* Folds away what is both older than 90 days and beyond the last 100,000 entries, of every account. *next: where to go on,
 * 0 when through. From a background thread. */
#define CHANGES_KEPT_MS ((int64_t)90 * 24 * 3600 * 1000)
#define CHANGES_KEPT 100000
enum err changes_fold(struct store *s, struct cx *cx, int64_t now, struct account_id *next);
