/* proto/imap_capability.h: what an IMAP server announces (RFC 9051 §6.1.1, §7.2.2), for both rooms: the gate in its
 * greeting and before sign-on, the vault after it. One table, imap_capability.def, so that greeting, CAPABILITY, ENABLE
 * and what works cannot drift apart. Pure. */
#pragma once
#include "base/buf.h"

/* What depends on the connection, the session or the settings. */
struct imap_offer {
    bool signed_on;
    bool starttls;          /* before sign-on: there is a certificate, and TLS is not active yet */
    bool passwords;         /* before sign-on: a password would be taken on this connection as it is */
    bool scram;             /* the setting of that name */
    bool binding;           /* TLS gives a channel binding: -PLUS */
    bool compressed;        /* COMPRESS is active: not offered twice */
    bool unauthenticate;    /* the setting of that name */
    uint64_t append_limit;  /* bytes; 0: APPENDLIMIT is left out */
    uint32_t message_limit; /* messages; 0: MESSAGELIMIT is left out */
};

/* "CAPABILITY IMAP4rev2 …", for "* …" CRLF and for "[…]". */
void imap_capability_write(struct buf *out, const struct imap_offer *offer);

/* What ENABLE switches on. */
enum {
    IMAP_ENABLE_REV2 = 1,
    IMAP_ENABLE_UTF8 = 2,
    IMAP_ENABLE_CONDSTORE = 4,
    IMAP_ENABLE_QRESYNC = 8,
    IMAP_ENABLE_UIDONLY = 16,
    IMAP_ENABLE_METADATA = 32,
    IMAP_ENABLE_METADATA_SERVER = 64
};
/* The bit of one capability's name (without case), if it is ready, offered, and can be enabled; else 0 (RFC 5161 §3.1:
 * ignored). QRESYNC brings CONDSTORE with it (RFC 7162 §3.2.3). */
uint32_t imap_enable_bits(struct str capability, const struct imap_offer *offer);
/* "ENABLED CONDSTORE QRESYNC": for bits that were switched on now; "ENABLED" for none. */
void imap_enabled_write(struct buf *out, uint32_t bits);

/* Is it in the table and ready? For who decides by it, as the gate by "IMAP4rev2". */
bool imap_is_capable(struct str keyword, const struct imap_offer *offer);
