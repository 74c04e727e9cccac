/* vault/imap/testing.h: IMAP sessions in this process, on a real store over the memory engine: for conversations, the model
 * and the fuzz target. One thread. */
#pragma once
#include "vault/imap/imap.h"

struct world {
    struct cx cx;
    struct engine *engine;
    struct store *store;
    struct account_id fred, tom;
    struct buf prefix; /* what the next messages begin with */
};
extern struct world world;

void world_start(void);
void world_stop(void);
/* For many short lives of one world: after world_keep() there is none, and each world_start_again() is as it was then. */
void world_keep(void);
void world_start_again(void);
void world_mail(struct str text);    /* comes into fred's INBOX */
void world_limit(uint32_t messages); /* that one command may work on; 0: any number */
void world_unauthenticate(bool on);
void world_8bit_headers(bool taken);
/* Every turn in the long lane takes so long, by the clock that sessions are given; 0: by this machine's. */
void world_slow(uint32_t ms);
void world_uid_validity(uint32_t v); /* of fred's INBOX */
void world_quota(struct account_id account, const struct amount *limit);
void world_swollen_mail(uint64_t parts, uint64_t senders); /* whose looks are longer than itself */
void world_big_mail(uint64_t size);
/* Of fred's INBOX the message of this number cannot be read any more: its body, or else what is kept of its looks. A
 * further message comes, so that all see it. */
void world_damage(uint64_t number, bool looks);

/* A session, driven as attached.c drives it. */
struct driven {
    struct session s;
    struct account_id who;
    enum session_wish wish;
    bool is_open;
};
/* Signs on if need be, and takes from *in what the session takes; replies is appended to. */
void driven_feed(struct driven *d, struct str *in, struct buf *replies);
void driven_wake(struct driven *d, struct buf *replies); /* what it watches may have changed */
/* What it has said leaves, if what that rests on is durable. */
void driven_pass_on(struct driven *d, struct buf *replies);
void driven_close(struct driven *d);
