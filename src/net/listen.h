/* net/listen.h: opening a listening socket, for the supervisor; the gate gets the descriptor.
 *
 * No state, safe from any thread. */
#pragma once
#include "base/err.h"

/* "0.0.0.0:25", "[::]:25". The socket listens, does not block and closes at exec. An IPv6 one takes IPv6 only.
 * The cause of a failure begins with the address: "127.0.0.1:2525: Address already in use". */
enum err listen_open(struct cx *cx, struct str where, int *fd);

/* Raises RLIMIT_NOFILE to `want`, or to as many as are allowed. 10,000 relayed sessions are 20,000 descriptors. */
enum err nofile_raise(struct cx *cx, uint64_t want, uint64_t *got);
