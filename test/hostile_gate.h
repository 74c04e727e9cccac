/* hostile_gate.h: for hostile_*_test.c: a real posthorn-vault in a directory of its own, and a gate that was taken over.
 *
 * The vault has one domain, acompany.test, and in it Tom, whose password is "sehr geheim". A test plays the gate on our ends of
 * the channels, w->mx and w->users: one that it gives to an rpc_client is the client's from then on, and it sets it to -1.
 * Whatever the gate did, still_works() shows that an honest one delivers a message, and tear_down() that the vault stops
 * when told and exits with 0.
 *
 * Whatever is not as it must be fails the test; what a call answers is returned where a test may want another answer than
 * OK. The calls go to the client of rpc_use(). One thread. POSTHORN_BUILD names the directory of the programs. */
#pragma once
#include "config/config.h"
#include "control/room.h"
#include "rpc/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct world {
    struct cx cx;
    struct room_process vault;
    struct config *config; /* in cx.arena, like the replies */
    char directory[64], text[1024];
    int mx, users; /* our ends of the first channels */
    struct rpc_client *postmaster;
};

extern const struct path tom, stranger; /* stranger: at a domain that is not ours */

int set_up(void **state); /* for cmocka; *state is the world */
int tear_down(void **state);

void must(struct world *w, enum err e);
void pair(int ends[2]);    /* a socketpair */
int dial(struct str path); /* a Unix socket */

/* Another life of a gate, as the supervisor would start one: our end of its first channel. users: not mx. */
int new_gate(struct world *w, bool users);

/* What an honest gate calls. The session may be none, {0}. envelope() writes the id of the transaction as soon as there is
 * one, and returns what is said to the sender or the recipient. */
enum err envelope(struct world *w, struct path to, struct handle session, struct body_id *id);
enum err deliver(struct world *w, struct path to, struct body_id id);
struct handle sign_on(struct world *w, uint32_t protocol); /* Tom, who must get a session */

/* A new gate, which is mx, delivers a message to Tom, and he has it. Uses another client than before. */
void still_works(struct world *w);
