/* vault/upkeep.h: what the vault does by itself now and then: opens the store again after a failure, collects what
 * nobody refers to, gives disk space back, forgets what was begun and never ended. */
#pragma once

struct vault;
struct upkeep;

struct upkeep *upkeep_start(struct vault *v); /* one thread */
void upkeep_stop(struct upkeep *u);
