/* A chain of blocks, filled from the front. A request too large for a block gets one of its own. */
#include "base/arena.h"

#include "base/log.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define USUAL_BLOCK 4096
#define LARGEST_BLOCK (256 * 1024) /* blocks double up to here; most commands fit the first */

struct block {
    struct block *next;
    size_t size, used;
    alignas(max_align_t) char bytes[];
};

struct arena {
    struct block *first; /* the newest; the last in the chain is the one a reset keeps */
    size_t next_size, total;
};

_Noreturn static void out_of_memory(size_t n)
{
    log_line(LOG_ERROR, "memory", "wanted=%zu error=\"out of memory\"", n);
    abort();
}

void *must_alloc(size_t n)
{
    void *p = calloc(1, n ? n : 1);

    if (!p)
        out_of_memory(n);
    return p;
}

void *must_realloc(void *p, size_t n)
{
    p = realloc(p, n ? n : 1);
    if (!p)
        out_of_memory(n);
    return p;
}

struct arena *arena_new(size_t first_block)
{
    struct arena *a = must_alloc(sizeof(*a));

    a->next_size = first_block ? first_block : USUAL_BLOCK;
    return a;
}

static struct block *add_block(struct arena *a, size_t least)
{
    size_t size = a->next_size > least ? a->next_size : least;
    struct block *b = malloc(sizeof(*b) + size);

    if (!b)
        out_of_memory(size);
    *b = (struct block){.next = a->first, .size = size};
    a->first = b;
    if (a->next_size < LARGEST_BLOCK)
        a->next_size *= 2;
    return b;
}

void *arena_alloc_raw(struct arena *a, size_t n)
{
    size_t rounded;
    struct block *b = a->first;
    void *p;

    if (n > SIZE_MAX / 2)
        out_of_memory(n);
    rounded = (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (!b || b->size - b->used < rounded)
        b = add_block(a, rounded);
    p = b->bytes + b->used;
    b->used += rounded;
    a->total += rounded;
    return p;
}

void *arena_alloc(struct arena *a, size_t n)
{
    return memset(arena_alloc_raw(a, n), 0, n);
}

void *arena_alloc_array(struct arena *a, size_t size, size_t count)
{
    if (count && size > SIZE_MAX / count)
        out_of_memory(SIZE_MAX);
    return arena_alloc(a, size * count);
}

size_t arena_size(const struct arena *a)
{
    return a->total;
}

void arena_reset(struct arena *a)
{
    while (a->first && a->first->next) {
        struct block *b = a->first;

        a->first = b->next;
        free(b);
    }
    if (a->first &&
        a->first->size > LARGEST_BLOCK) { /* one huge command must not be remembered for ever */
        free(a->first);
        a->first = NULL;
    }
    if (a->first)
        a->first->used = 0;
    a->total = 0;
}

void arena_release(struct arena *a)
{
    while (a->first) {
        struct block *b = a->first;

        a->first = b->next;
        free(b);
    }
    a->next_size = USUAL_BLOCK;
    a->total = 0;
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    arena_release(a);
    free(a);
}
