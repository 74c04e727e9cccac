/* vault/caller.h: what a handler of a call (serve_NAME) knows about who calls.
 *
 * A handler returns OK with *r filled, or an error. The answer leaves when c->ticket is durable, so a handler that
 * wrote something only stores the ticket and returns: no thread waits for the disk. */
#pragma once
#include "rpc/calls.h"
#include "vault/engine/engine.h"

struct vault;
struct channel;

struct caller {
    struct cx cx; /* arena: until the answer has left */
    struct vault *vault;
    enum room room; /* from the channel the call came on, not from the call */
    uint64_t gate;  /* which life of that room: grows when a gate is started anew */
    enum lane lane; /* the lane this runs in now */
    struct ticket ticket;
    int *fds; /* that came along; set one to -1 to keep it, the rest is closed */
    size_t fd_count;
    /* private to channel.c: */
    struct channel *channel;
    uint64_t call_id;
    uint16_t call;
    bool again_in_long_lane, answered_later;
};

/* In the short lane, when it turns out that the work is long: `return caller_go_long(c);`. The handler runs again,
 * from the start, with c->lane == LONG. */
enum err caller_go_long(struct caller *c);

/* OPEN calls: `return caller_answer_later(c, &token)` and, some time, from any thread, the answer: the packed reply
 * or an error. A token is used once; answering one whose channel has gone is fine. */
struct later {
    struct channel *channel;
    uint64_t call_id;
    uint16_t call;
};
enum err caller_answer_later(struct caller *c, struct later *token);
/* False: who asked has ended. To be looked at after something was done for it: whatever is done later, nobody undoes. */
bool later_is_heard(const struct later *token);
void later_answer(struct later *token, enum err e, struct str packed_reply);
