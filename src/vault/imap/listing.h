/* vault/imap/listing.h: which names LIST and LSUB tell of, and what is known of each (RFC 9051 §6.3.9, RFC 5258 §3, RFC 3501
 * §6.3.9).
 *
 * All there is to list is gathered first, under one view: the user's own mailboxes, what others share, names that are only
 * subscribed to, and those above names that may be seen. Everything lives in i->arena. */
#pragma once
#include "proto/imap_list.h"
#include "vault/imap/place.h"

struct list_entry {
    struct place p;
    bool exists; /* else only subscribed to, or above a name that may be seen */
    bool subscribed;
    bool has_chosen_below;    /* CHILDINFO: something below is chosen */
    bool has_unmatched_below; /* … that no pattern matches */
};

struct listing {
    struct imap_list a;
    const struct str *patterns; /* joined with the reference */
    bool lsub;
    struct list_entry *v;
    size_t n, room, next;
    size_t noted;                /* RECURSIVEMATCH: so many have told those above them */
    struct list_entry **by_name; /* sorted */
    size_t sorted;               /* how many those are */
    const struct str *subscriptions;
    size_t subscription_count;
};

/* Fills `v`; `a`, `patterns` and `lsub` are set. */
enum err listing_gather(struct imap *i, struct listing *l);
/* What RECURSIVEMATCH is about. False: enough for one step, so call it again. */
bool listing_note_parents(struct imap *i, struct listing *l);
/* By the selection options, whatever the patterns say. */
bool listing_is_chosen(const struct listing *l, const struct list_entry *at);
/* Is there a response for it? */
bool listing_tells_of(const struct listing *l, const struct list_entry *at);
