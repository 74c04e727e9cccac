/* vault/store/store.h: the store as a whole: what is kept, above the engine and below the protocols.
 *
 * One per process, opened at start. Functions may be called from any thread. Those that change something write one
 * engine transaction and give its ticket: nobody is told before it is durable (engine.h). */
#pragma once
#include "vault/store/rows.h"

#define STORE_FORMAT                                                                                   \
    1 /* of the rows on disk; an older program refuses a newer store, a newer one migrates */

struct config;

struct store {
    struct engine *engine;
    const struct config *(*config)(
        void); /* the settings in force: they change at SIGHUP. Valid for one command */
};

/* Checks or writes the format number, goes on with the ids where they ended, sweeps bodies whose `deliver` never
 * came, and makes sure that postmaster's mail has a mailbox. */
enum err store_open(struct cx *cx, struct engine *engine, const struct config *(*config)(void),
                    struct store **out);
void store_close(struct store *s); /* not the engine */
