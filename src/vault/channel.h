/* vault/channel.h: the vault's end of the channels on which calls come, and the lanes they run in.
 *
 * Calls of the short lane run in the loop's threads, at once; their answers leave when what they rest on is durable,
 * without a thread waiting for it. Calls of the long lane wait for one of a few threads of their own. A channel's
 * owner is fixed when it is made: every channel that comes over another one belongs to the same life of the same
 * room, so no call can claim to be somebody else's. */
#pragma once
#include "vault/caller.h"

struct loop;
struct channels;

/* `gate_ended` is called when the first channel of a gate's life has closed, and again after a call that was still running
 * then. */
struct channels *channels_new(struct vault *v, struct loop *loop,
                              void (*gate_ended)(struct vault *v, uint64_t gate));
/* After the loop has ended: no thread of it is left. Waits for the long lane, after which no call runs any more: what calls
 * use can go now, and may still answer. */
void channels_end(struct channels *c);
void channels_free(struct channels *c);

/* A first channel; owns fd. *gate: the life it begins. */
enum err channel_add(struct channels *c, struct cx *cx, int fd, enum room room, uint64_t *gate);
/* A listening socket for the command line (Unix), whose calls are those of `room`. Only the vault's operators are
 * listened to, whatever the mode of the socket's file says. */
enum err channels_listen(struct channels *c, struct cx *cx, int fd, enum room room);

/* Around what settles many calls, in this thread: their answers leave together, with one wake-up of who reads them. */
void answers_gather(void);
void answers_send(void);

/* Runs in the long lane: for work that no call waits for. False: thousands wait already, or it ends. */
bool long_lane_run(struct channels *c, void (*work)(void *arg), void *arg);
