/* Any text is either refused with a cause or gives a configuration whose manual promises hold. */
#include "base/arena.h"
#include "config/config.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(0);
    struct cx cx = {.arena = arena};
    struct config *c = NULL;
    enum err e = config_parse(&cx, (struct str){(const char *)data, size}, "fuzz", arena, &c);

    if (e != OK && (!cx.cause[0] || c))
        abort();
    if (e == OK &&
        (!c->hostname.n || !c->postmaster.n || c->limits.message_size < 65536 || !c->queue.relay_port))
        abort();
    arena_free(arena);
    return 0;
}
