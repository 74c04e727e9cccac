/* gate/outbound/outbound.h: mail to other servers. Takes due entries from the vault's queue, finds where they go,
 * brings them there, and reports what became of each recipient. When to try again is the vault's business.
 *
 *     outbound_open()     reads files: before the sandbox closes
 *     outbound_start()    before loop_run(): asks the vault for work from then on
 *     outbound_close()    after loop_run()
 *
 * loop_stop() ends it: nothing new is begun, a message under way is finished within the grace. What was not even
 * tried goes back to the queue with the end of this process. */
#pragma once
#include "config/config.h"
#include "net/loop.h"
#include "net/resolver.h"

struct outbound;

#define OUTBOUND_ROOTS_FILE                                                                            \
    "/etc/ssl/certs/ca-certificates.crt" /* Debian's; missing: no certificate is trusted */

#define OUTBOUND_MOST 64 /* deliveries at once */

struct outbound_parts {
    struct loop *loop;
    struct resolver *resolver;
    const struct config *(*config)(void); /* the one in force; older ones stay where they are */
};

/* The certificates that are trusted, the relay's password, this machine's own addresses. */
enum err outbound_open(struct cx *cx, const struct config *config, struct outbound **out);
enum err outbound_start(struct cx *cx, struct outbound *o, const struct outbound_parts *parts);
void outbound_close(struct outbound **o);
