/* vault/admin/repair.h: a new store out of what can be read in a damaged one.
 *
 *     struct repair *r = repair_open(damaged, empty);
 *     while (!e && !reply.done)
 *         e = repair_step(r, cx, &reply);      // some accounts, say; names what was left out or made anew
 *     repair_close(&r);
 *
 * The first store is only read. Every row that can be read and agrees with the others goes into the second; counters,
 * references, the schedule and the directory's ways to accounts are computed anew, and what was lost is made again
 * where others tell of it: a message's place from its reference, its looks from its body, an account from its address.
 * What cannot be made again is named. `posthorn check` finds nothing in the result.
 *
 * One thread at a time. Memory grows with the emails of the largest account, some 200 bytes each. */
#pragma once
#include "rpc/calls.h"

struct engine;
struct repair;

/* postmaster: whose domain an account gets that nobody knows the address of; copied. */
struct repair *repair_open(struct engine *from, struct engine *to, struct str postmaster);
/* Fails only if the new store cannot be written, or the old one not be opened; it is of no use then. With `done` all
 * that was written is durable. */
enum err repair_step(struct repair *r, struct cx *cx, struct repair_reply *reply);
void repair_close(struct repair **r); /* not the engines */
