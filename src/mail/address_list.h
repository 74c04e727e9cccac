/* mail/address_list.h: the addresses in From, To and their like (RFC 5322 §3.4), obsolete forms (§4.4) included.
 *
 *     struct address_list l = address_list_make(field.body);
 *     while (take_address_item(&l, &item))
 *         …
 *     address_list_free(&l);
 *
 * Never fails: what cannot be understood is given as the local part of a mailbox without domain, so that a person
 * still sees it. Quotes, comments and folds are taken away, encoded words (RFC 2047) kept. Never for the envelope:
 * that is mail/address.h. No I/O; a struct belongs to one thread at a time. */
#pragma once
#include "base/buf.h"

enum address_item_kind { ADDRESS_MAILBOX, ADDRESS_GROUP, ADDRESS_GROUP_END };

/* Valid until the next take_address_item(). */
struct address_item {
    enum address_item_kind kind;
    struct str name;  /* display name, or an old-style comment, or the group's name; p NULL: none */
    struct str route; /* obs-route, without its colon; p NULL: none */
    struct str local_part; /* without quotes */
    struct str domain;     /* a literal with its brackets; empty if there is none */
};

struct address_list {
    struct str in; /* private, all of it */
    bool in_group, gap;
    struct buf phrase, local_part, domain, comment;
};

struct address_list address_list_make(struct str field_body);
void address_list_free(struct address_list *l);
bool take_address_item(struct address_list *l, struct address_item *out);
