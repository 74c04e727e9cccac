/* mail/idna.h: addresses as look-up keys, and international domains (RFC 5891). What needs libidn2 and
 * libunistring is here and nowhere else in mail/. No state: safe from any thread. */
#pragma once
#include "mail/address.h"

struct arena;

/* How the DNS spells the domain: A-labels, lower case (UTS #46, non-transitional). A literal only gets its case
 * folded. False: it is no domain; *out is untouched. */
bool domain_to_ascii(struct arena *a, struct str domain, struct str *out);
/* How people spell it: U-labels. What cannot be converted stays as it is. */
struct str domain_to_unicode(struct arena *a, struct str domain);

/* One person's address in one spelling. Folding the case of a local part is right only where the domain is
 * ours: RFC 5321 §2.4 leaves its meaning to the host that owns it. */
struct address_key {
    struct str local_part; /* without quotes, folded: tom+news */
    struct str
        user; /* local_part up to the first "+": tom. The same when there is none, or it comes first */
    struct str detail; /* what follows that "+": news. Not folded (RFC 5233 §4 keeps it) */
    struct str domain; /* as domain_to_ascii() spells it; empty when the mailbox had none */
};

/* False: the domain is none, or the local part is not UTF-8; *out is untouched. */
bool address_key(struct arena *a, const struct mailbox *m, struct address_key *out);
/* local_part@domain of a key, quoted where needed: what is written in rows and shown. */
void address_key_write(struct buf *out, const struct address_key *k);
