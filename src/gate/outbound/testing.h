/* gate/outbound/testing.h: what outbound_test.c puts around the driver: a vault and a resolver that answer from tables,
 * and SMTP servers on loopback that follow a script. */
#pragma once
#include "net/loop.h"
#include "rpc/calls.h"

/* ---- the vault ---- */

void fake_vault_open(struct loop *loop); /* that of who asks it */
void fake_vault_close(void);
/* "1 b.test <a@us.test> <tom@b.test> <ann@b.test>": number, destination, reverse-path, recipients. Due from now on. */
void fake_vault_entry(const char *text);
void fake_vault_wake(void); /* whoever asked is answered, if something is due */
/* The body of entry `body`: `pieces` of them, each of piece_size times 'x' in lines; 0: a small one. */
void fake_vault_big_bodies(uint32_t pieces, size_t piece_size);
void fake_vault_loses_piece(uint32_t n); /* asking for it fails */
/* So many to queue_take, and the others only to queue_more. */
void fake_vault_hands_out(size_t most);
/* Waits for so many queue_done. What they said, a line each recipient, sorted: "1.0 delivered 2.0.0 mx1 250 ok". */
void fake_vault_await(size_t done, struct buf *out);
size_t fake_vault_most_asked(void); /* the most entries that a queue_take asked for */

/* ---- the resolver ---- */

/* "b.test MX 10 mx1 20 mx2\nmx1 A 127.0.0.2\nc.test MX FAILED\n…"; what is not there does not exist. */
void fake_zone(const char *text, struct loop *loop);

/* ---- the servers ---- */

struct smtp_script;
/* On 127.0.0.x:port (0: any; then *port is it). Script: a line each: "S text", "C glob", "tls", "count N" (a body of so
 * many bytes up to its dot), "close" (the connection ends; also at the end), "stall" (says nothing until the other side
 * has gone). One connection after the other, as often as there is "close". */
struct smtp_script *smtp_script_run(unsigned x, uint16_t *port, const char *script);
void smtp_script_await_stall(struct smtp_script *s);
/* Stops it. False: something else was said than expected, or not everything came to pass: `trouble` says what. */
bool smtp_script_end(struct smtp_script *s, char trouble[300]);
