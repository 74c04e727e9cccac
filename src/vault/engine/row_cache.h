/* vault/engine/row_cache.h: rows of the directory, kept in memory: nearly every call reads some, and hardly one changes
 * them.
 *
 * What is kept belongs to one state of the directory (struct durable says which), and is found by views of that state
 * alone: so nothing has to be thrown away when a row changes, and nobody sees a mixture. Rows that do not exist are
 * kept too. Safe from any thread; memory is bounded, whatever is asked for. */
#pragma once
#include "base/err.h"

struct row_cache;

struct row_cache *row_cache_new(void);
void row_cache_free(struct row_cache *c);

/* True: *found, and then *value in the arena. */
bool row_cache_find(struct row_cache *c, uint64_t state, struct str key, struct arena *a,
                    struct str *value, bool *found);
void row_cache_keep(struct row_cache *c, uint64_t state, struct str key, struct str value, bool found);
