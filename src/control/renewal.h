/* control/renewal.h: a new data directory for a store that was repaired.
 *
 * The vault can write beneath its own directory only, so the new store grows there, in DATA/store/repaired, and is taken
 * from there when it is whole: moved, or copied if the new directory lies on another disk. The certificate made at first
 * start goes along, since clients have seen it. Files of the vault are never followed to where a link points: it may have
 * been taken over. */
#pragma once
#include "config/config.h"

#define RENEWAL_NAME "repaired"

/* `directory` must be empty, or be missing and is made; what an earlier try has left in the store is removed. */
enum err renewal_begin(struct cx *cx, const struct config *config, const char *directory);
/* Nobody has the new store open any more. Afterwards data-dir = `directory` can be served from. */
enum err renewal_finish(struct cx *cx, const struct config *config, const char *directory);
/* Instead: nothing of it stays in the store. `directory` stays, empty. */
void renewal_abandon(const struct config *config);
