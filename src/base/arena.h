/* base/arena.h: memory that is given back all at once.
 *
 * Three lifetimes: process, session (connect to close) and command (emptied after each reply). Nothing in an
 * arena is freed one by one. An arena belongs to one thread at a time. Memory running out ends the process
 * with one line in the log: whatever was acknowledged is in the store already. */
#pragma once
#include <stddef.h>

struct arena;

struct arena *
arena_new(size_t first_block);     /* 0: the usual 4 KiB; the block is only taken at first use */
void arena_free(struct arena *a);  /* NULL is fine */
void arena_reset(struct arena *a); /* empties it, keeps one block for the next round */
void arena_release(
    struct arena *a); /* empties it and gives that block back too: nothing will be done for a while */
void *arena_alloc(struct arena *a, size_t n);     /* zeroed, aligned for anything; never NULL */
void *arena_alloc_raw(struct arena *a, size_t n); /* the same, not zeroed: for who fills all of it */
size_t arena_size(const struct arena *a);         /* bytes handed out since the last reset */

/* An array of `count` of `type`, zeroed; a product that overflows ends the process. */
#define arena_array(a, type, count) ((type *)arena_alloc_array((a), sizeof(type), (count)))
void *arena_alloc_array(struct arena *a, size_t size, size_t count);

/* For what is not in an arena. The same promise: zeroed, never NULL. */
void *must_alloc(size_t n);
void *must_realloc(void *p, size_t n); /* the new part is not zeroed */
