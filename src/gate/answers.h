/* gate/answers.h: calls whose answers no thread waits for (OPEN calls, rpc/client.h).
 *
 *     answers_begin(cx, CALL_deliver, &ch);
 *     pack_deliver_request(rpc_request(ch), &q);
 *     answers_ask(cx, ch, NULL, 0, conn_id(c), &awaited);
 *     … and whenever that watch is woken:
 *     if (answers_look(cx, &awaited, &e, &payload)) …
 *
 * The answers come on one descriptor, which a watch of the loop reads: all that one flush of the vault has made durable
 * come with one wake-up, and whom they concern is run by the same thread. */
#pragma once
#include "net/loop.h"
#include "rpc/client.h"

/* Once, before the first call of any kind; and once when no thread runs the loop any more. */
enum err answers_start(struct cx *cx, struct loop *loop, struct rpc_client *vault);
void answers_stop(void);

struct awaited;

/* As rpc_begin(); after it there is always an answers_ask(), which sends what was packed and gives the channel back. On success the watch `who` is woken when the answer has come, or, with
 * ERR_VAULT_AWAY, when none can come any more. */
enum err answers_begin(struct cx *cx, enum call call, struct rpc_channel **ch);
enum err answers_ask(struct cx *cx, struct rpc_channel *ch, const int *fds, size_t fd_count,
                     struct watch_id who, struct awaited **out);
/* False: not yet. True: *e says how it ended (cx->cause why), *payload is in cx->arena, and *a is freed and NULL. */
bool answers_look(struct cx *cx, struct awaited **a, enum err *e, struct str *payload);
/* Nobody wants to know any more; NULL is fine. `late`, if not NULL, is given the answer in a thread of the loop: for what
 * has to be undone. It is not called where the vault has gone. */
void answers_forget(struct awaited **a, void (*late)(struct cx *cx, enum err e, struct str payload));
