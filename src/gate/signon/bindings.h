/* gate/signon/bindings.h: the channel bindings of a connection's TLS (RFC 5056), kept from the handshake to the sign-on.
 * gate/secure.h has where they come from. Values: nothing to free. */
#pragma once
#include "rpc/calls.h"

struct bindings {
    unsigned char exporter_size, unique_size; /* 0: there is none */
    char exporter[32];                        /* RFC 9266 */
    char unique[64];                          /* RFC 5929 §3 */
};

static inline bool bindings_any(const struct bindings *b)
{
    return b->exporter_size || b->unique_size;
}
/* As signon_begin wants them: how many there are. They point into *b. */
#define BINDINGS_MOST 2
size_t bindings_list(const struct bindings *b, struct binding out[BINDINGS_MOST]);
