/* net/tls_selfsigned.h: a certificate for who has none yet.
 *
 * EC P-256, ten years, for the given host names (an address is one too). No network. */
#pragma once
#include "base/buf.h"
#include "base/err.h"

enum err tls_selfsigned(struct cx *cx, const struct str *names, size_t count, struct buf *chain_pem,
                        struct buf *key_pem);
