/* gate/leash.h: the supervisor's line to this process (rpc/leash.def), descriptor 3. */
#pragma once
#include "rpc/calls.h"

#define LEASH 3

/* room_start, the first call. The request points into memory that stays until leash_started(). */
struct leash_start {
    struct cx cx;
    struct room_start_request request;
    int *fds; /* the channel to the vault, then the listeners */
    size_t fd_count;
    struct leash_start_private *own;
};

/* Waits for it. False: there is no supervisor. */
bool leash_wait_start(struct leash_start *s);
/* Answers it and forgets it. An error is told with its cause in s->cx. */
void leash_started(struct leash_start *s, enum err e);

/* The other calls are answered by the loop from now on: room_reload, room_stop. A supervisor that has gone is one that
 * said stop. */
enum err leash_serve(struct cx *cx);
