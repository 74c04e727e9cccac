/* proto/pop3_capa.h: what a POP3 server announces (RFC 2449), for both rooms: gate says it before sign-on and vault
 * after it, and RFC 2449 §5 wants the same in both states. One table, so that they cannot drift apart. Pure. */
#pragma once
#include "base/buf.h"

/* What depends on the connection or the settings. */
struct pop3_offer {
    bool
        stls; /* RFC 2595 §4: before sign-on only, when there is a certificate and TLS is not active yet */
    bool passwords; /* a password would be taken on this connection as it is */
    bool scram;     /* the setting of that name */
};

/* The lines of CAPA, from the first capability to the last dot; the "+OK" before them is the caller's. */
void pop3_capa_write(struct buf *out, const struct pop3_offer *offer);
