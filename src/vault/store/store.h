/* vault/store/store.h: the store as a whole: what is kept, above the engine and below the protocols.
 *
 * One per process, opened at start. Functions may be called from any thread. Those that change something write one
 * engine transaction and give its ticket: nobody is told before it is durable (engine.h). */
#pragma once
#include "vault/store/rows.h"

/* Of the rows on disk. An older program refuses a newer store; a newer one migrates those that were ever released, and
 * refuses the others. */
#define STORE_FORMAT 6

struct config;
struct view;

struct store {
    struct engine *engine;
    const struct config *(*config)(
        void); /* the settings in force: they change at SIGHUP. Valid for one command */
};

/* Checks or writes the format number, goes on with the ids where they ended, and sweeps bodies whose `deliver` never
 * came. */
enum err store_open(struct cx *cx, struct engine *engine, const struct config *(*config)(void),
                    struct store **out);
void store_close(struct store *s); /* not the engine */
/* For whoever reads rows without opening the store: ERR_CONFIG for those of another format, which mean something else here.
 * OK where the format itself is lost. */
enum err store_check_format(struct view *v, struct cx *cx);

/* Mail for the postmaster must have somewhere to go (RFC 5321 §4.5.1): when the first comes and the address of the
 * setting leads nowhere, an account is made for it, which nobody can sign on to until the operator sets a password. */
enum err store_ensure_postmaster(struct store *s, struct cx *cx);
