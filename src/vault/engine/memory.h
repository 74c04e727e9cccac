/* vault/engine/memory.h: how a test breaks the memory engine. Only for engines that engine_open_memory() made.
 *
 * A power cut leaves what was flushed, and `keep` of the commits after that, in order, as a disk may have written
 * them by itself. From then on every call fails as it does after any failure of the store, so nothing more is
 * acknowledged; engine_tend() is the next start. Tickets are settled as failed: nobody was told. */
#pragma once
#include "vault/engine/engine.h"

void memory_engine_cut_power(struct engine *e, size_t keep); /* now */
/* One that begins with what is durable in `of`. It costs nothing: they share the rows, until one of them changes its own. */
enum err memory_engine_copy(struct cx *cx, struct engine *of, struct engine **out);
/* When the nth write from now has been done, and before it is flushed: 1 is the next. Cuts within one commit need
 * no other test, since a commit is all there or not at all. */
void memory_engine_cut_power_at_commit(struct engine *e, uint64_t nth, size_t keep);
/* When the nth flush from now has been done, and before anybody is told. */
void memory_engine_cut_power_after_flush(struct engine *e, uint64_t nth);
void memory_engine_fail_next_flush(struct engine *e); /* what was written since the last one is lost */
void memory_engine_fail_next_write(struct engine *e);
void memory_engine_fail_opening(struct engine *e, bool yes); /* as a full disk does */
/* Called by whoever looks how much of the disk is free, before it has the answer. */
void memory_engine_while_looking(struct engine *e, void (*meanwhile)(void *arg), void *arg);
/* The row cannot be read any more, until it is written again. Views opened later than the next flush see it. */
void memory_engine_damage(struct engine *e, struct part part, struct str key);
