/* proto/imap_notify.h: NOTIFY (RFC 5465), and the choice of mailboxes that ESEARCH shares (RFC 7377). */
#pragma once
#include "proto/imap_fetch.h"

#define IMAP_NOTIFY_GROUPS_MAX 100
#define IMAP_NOTIFY_MAILBOXES_MAX 1000 /* named in one choice */

/* filter-mailboxes (RFC 5465 §8, §6; RFC 7377 §4) */
struct imap_mailbox_filter {
    enum imap_mailbox_filter_kind {
        IMAP_FILTER_SELECTED,
        IMAP_FILTER_SELECTED_DELAYED,
        IMAP_FILTER_INBOXES,
        IMAP_FILTER_PERSONAL,
        IMAP_FILTER_SUBSCRIBED,
        IMAP_FILTER_SUBTREE,     /* each of mailboxes and all below it */
        IMAP_FILTER_SUBTREE_ONE, /* … and its children (RFC 7377 only; BAD in NOTIFY) */
        IMAP_FILTER_MAILBOXES
    } kind;
    const struct str *mailboxes; /* inner form */
    size_t mailbox_count;
};

enum {
    IMAP_EVENT_MESSAGE_NEW = 1,
    IMAP_EVENT_MESSAGE_EXPUNGE = 2,
    IMAP_EVENT_FLAG_CHANGE = 4,
    IMAP_EVENT_ANNOTATION_CHANGE = 8,
    IMAP_EVENT_MAILBOX_NAME = 16,
    IMAP_EVENT_SUBSCRIPTION_CHANGE = 32,
    IMAP_EVENT_MAILBOX_METADATA_CHANGE = 64,
    IMAP_EVENT_SERVER_METADATA_CHANGE = 128,
    IMAP_EVENT_UNKNOWN = 256 /* NO [BADEVENT (…)] with those we know (§5) */
};
#define IMAP_EVENT_MESSAGE 15 /* of messages, all that may go with "selected" */

struct imap_event_group {
    struct imap_mailbox_filter filter;
    uint32_t events;        /* 0: NONE */
    bool has_atts;          /* MessageNew (…) */
    struct imap_fetch atts; /* items, atts, att_count, sets_seen */
};

struct imap_notify {
    bool none;   /* NOTIFY NONE: the rest is empty */
    bool status; /* SET STATUS …: tell the state of each mailbox first (§4) */
    const struct imap_event_group *groups;
    size_t group_count;
};
/* The rules between events (§8: New and Expunge together, FlagChange with both, one selected group, atts only there)
 * are checked: BAD. */
bool parse_imap_notify(struct imap_parse *p, struct str args, struct imap_notify *out);

/* For imap_search.c: one filter-mailboxes. */
bool take_imap_mailbox_filter(struct imap_parse *p, struct str *in, struct imap_mailbox_filter *out);
