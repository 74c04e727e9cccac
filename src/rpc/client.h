/* rpc/client.h: the calling side of a channel: what gate, command line and supervisor link.
 *
 * A call takes a free channel, writes its frame, and waits for the answer on it: no reader thread, no hand-over,
 * one wake-up there and one back. Channels beyond the first are socket pairs that the client makes and hands to
 * the server over the first, so their number follows the number of threads that call at once. A call that nobody waits
 * for in a thread is answered on a channel of its own kind, where one wake-up may bring many answers. */
#pragma once
#include "rpc/calls.h"

struct rpc_client;

/* `fd`: the first channel, owned from now on. `most`: how many calls may be under way, FRAME_CALLS_MOST
 * (frame.h) at most; more wait their turn. */
struct rpc_client *rpc_client_new(int fd, size_t most);
void rpc_client_free(struct rpc_client *c);
bool rpc_client_is_gone(struct rpc_client *c);

/* The client that the stubs vault_… use; process-wide, set once before the first call. */
void rpc_use(struct rpc_client *c);

/* Called around the wait for each answer, so that a pool of threads can know who is waiting. May be NULL. */
void rpc_on_wait(void (*begin)(void), void (*end)(void));

/* One call, which is what a stub does: take a channel, pack the request into its buffer, send it and wait. The payload
 * of the answer is copied to cx->arena. After rpc_begin() there is always an rpc_end(). */
struct rpc_channel;
enum err rpc_begin(struct rpc_client *c, struct cx *cx, enum call call, struct rpc_channel **ch);
struct buf *rpc_request(struct rpc_channel *ch);
enum err rpc_end(struct rpc_client *c, struct cx *cx, struct rpc_channel *ch, const int *fds,
                 size_t fd_count, struct str *reply);
/* All of that, with a request that is packed already. */
enum err rpc_call(struct rpc_client *c, struct cx *cx, enum call call, struct str request,
                  const int *fds, size_t fd_count, struct str *reply);

/* OPEN calls: sent now, answered some time, in any order: rpc_begin(), and then not rpc_end() but rpc_end_open(): the
 * request goes, and its channel is free for others. The answers come on one descriptor, which the caller watches and
 * which it asks for before the first call of any kind; rpc_open_answer() takes one off, in one thread at a time. `id` is
 * the caller's number for the call, below 2^63. */
int rpc_open_fd(struct rpc_client *c); /* -1: the vault has gone */
enum err rpc_end_open(struct rpc_client *c, struct cx *cx, struct rpc_channel *ch, uint64_t id,
                      const int *fds, size_t fd_count);
/* 1: an answer (payload in cx->arena); 0: wait until the descriptor can be read; -1: the vault has gone. */
int rpc_open_answer(struct rpc_client *c, struct cx *cx, uint64_t *id, enum err *e,
                    struct str *payload);
