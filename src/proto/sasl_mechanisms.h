/* proto/sasl_mechanisms.h: the mechanisms that people sign on with (RFC 4422), one table for what is announced and what
 * is taken. Pure. */
#pragma once
#include "base/buf.h"

/* What depends on the protocol, the connection or the settings. */
struct sasl_offer {
    bool scram;   /* the setting of that name: its keys are kept */
    bool binding; /* TLS gives a channel binding: -PLUS (RFC 5802 §6) */
    bool login;   /* LOGIN as well: SMTP's clients ask for it, others do not */
};

/* " PLAIN SCRAM-SHA-256": those that are offered, each with a space before it. */
void sasl_offer_write(struct buf *out, const struct sasl_offer *offer);
/* The name in capitals, as the vault wants it, in whatever case it came; empty: it is not offered. */
struct str sasl_offered(const struct sasl_offer *offer, struct str name);
