/* control/certificates.h: certificates and their keys, read by the supervisor while it may.
 *
 * Without a `tls` block there is one in the data directory, made at first start and kept. */
#pragma once
#include "config/config.h"
#include "rpc/calls.h"

/* PEM, in `arena`, checked: it can be parsed, and each key belongs to its certificate. The cause names the file. */
enum err certificates_read(struct cx *cx, const struct config *config, struct arena *arena,
                           struct certificate **out, size_t *count);

/* When the first of them ends, in milliseconds since 1970; reads no key, so everybody may ask. */
enum err certificates_end(struct cx *cx, const struct config *config, int64_t *ms);
