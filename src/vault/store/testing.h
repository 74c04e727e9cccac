/* vault/store/testing.h: for the tests of this folder: a store in memory with two empty accounts, which no directory
 * knows. */
#pragma once
#include "vault/engine/memory.h"
#include "vault/store/changes.h"
#include "vault/store/email.h"
#include "vault/store/messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define TOM ((struct account_id){1})
#define FRED ((struct account_id){2})
#define DRAFTS ((struct mailbox_id){2})
#define SENT ((struct mailbox_id){3})
#define IN(account, mailbox) ((struct mailbox_ref){account, mailbox})

extern struct engine *engine;
extern struct store *store;
extern struct cx cx;

int store_set_up(void **state); /* for cmocka */
int store_tear_down(void **state);

void must(enum err e);
void durable(enum err e, struct ticket t);
/* What the account counts now. */
struct account_figures figures_of(struct account_id account);

/* A new message; its body has so many bytes, none of which are there. */
struct placed deliver(struct account_id account, struct mailbox_id mailbox, uint64_t flags,
                      uint64_t size);

/* SET({1, 3}, {7, 7}) */
#define SET(...)                                                                                       \
    ((struct imap_set){.ranges = (const struct imap_range[]){__VA_ARGS__},                             \
                       .count = sizeof((const struct imap_range[]){__VA_ARGS__}) /                     \
                                sizeof(struct imap_range)})
/* "1:3,7": of a set in order. In cx.arena. */
const char *set_text(const struct imap_set *set);
/* A mailbox as text: "1 seen; 5 flagged deleted $Junk". In cx.arena. */
const char *mailbox_text(struct account_id account, struct mailbox_id mailbox);
