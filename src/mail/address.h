/* mail/address.h: mailboxes, paths and domains, as RFC 5321 §4.1.2 spells them.
 *
 * Parsing copies nothing: each str in a result points into the input and lives as long as it.
 * parse_* moves *in past what it read; or gives false, and *in and *out are untouched.
 * No I/O, no state: safe from any thread. */
#pragma once
#include "base/buf.h"

/* RFC 5321 §4.5.3.1.1 to .3, in octets. A path counts with its angle brackets. */
#define LOCAL_PART_MAX 64
#define DOMAIN_MAX 255
#define PATH_MAX_LENGTH 256
#define LABEL_MAX 63 /* RFC 1035 §2.3.4 */

struct mailbox {
    struct str local_part; /* as written, quotes and case kept: only its owner may fold it */
    struct str
        domain; /* as written, a literal with its brackets; empty for <Postmaster> and a bare name */
};

enum address_flags {
    ADDRESS_UTF8 = 1,      /* SMTPUTF8 was asked for: RFC 6531 §3.3 */
    ADDRESS_NO_DOMAIN = 2, /* a local part alone is enough (submission completes it) */
    ADDRESS_UNDERSCORE =
        4 /* "_" in a domain: for EHLO, where Windows hosts say it; §4.1.2 forbids it in mailboxes */
};

/* Reverse-path of MAIL. "<>" (RFC 5321 §4.5.5, a bounce) gives two empty parts. */
bool parse_reverse_path(struct str *in, unsigned flags, struct mailbox *out);
/* Forward-path of RCPT. "<Postmaster>" in any case needs no domain (§4.1.1.3). A source route
 * "<@a,@b:c@d>" is read and left out, as §4.1.1.3 and appendix C say. */
bool parse_forward_path(struct str *in, unsigned flags, struct mailbox *out);
/* Mailbox = Local-part "@" ( Domain / address-literal ), without angle brackets. */
bool parse_mailbox(struct str *in, unsigned flags, struct mailbox *out);
/* Domain / address-literal: also what EHLO says. */
bool parse_domain(struct str *in, unsigned flags, struct str *out);

/* The whole of s is one. */
bool is_mailbox(struct str s, unsigned flags, struct mailbox *out);
bool is_domain(struct str s, unsigned flags);   /* a name, not a literal */
bool is_address_literal(struct str s);          /* [192.0.2.1], [IPv6:2001:db8::1]: RFC 5321 §4.1.3 */
bool mailbox_is_empty(const struct mailbox *m); /* the null reverse-path */
bool mailbox_is_ascii(const struct mailbox *m); /* goes out without SMTPUTF8 */

/* Appends local-part@domain as written, without brackets; nothing for the null reverse-path. */
void mailbox_write(struct buf *out, const struct mailbox *m);

/* A local part's meaning without quotes: "a\"b" is a"b, and "fred" is fred (§4.1.2 calls them equivalent). */
void local_part_unquote(struct buf *out, struct str local_part);
/* And back: quoted only where a dot-string cannot say it. */
void local_part_quote(struct buf *out, struct str plain);
