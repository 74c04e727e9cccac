/* vault/admin/test_world.h: a small store in order, which the tests of check and repair then break.
 *
 * Accounts: postmaster has none; Fred is 1 and Tom 2; sales@ is an alias for Fred. Tom's INBOX: UID 1 was removed and is
 * not collected yet, 2 and 3 are there, emails 2 and 3. Fred's: UID 1, the same message as Tom's third. One entry in the
 * queue, one event in the trace. */
#pragma once
#include "vault/caller.h"
#include "vault/engine/memory.h"
#include "vault/queue/queue.h"
#include "vault/store/block.h"
#include "vault/store/body.h"
#include "vault/store/messages.h"
#include "vault/vault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct world {
    struct caller c;
    struct vault vault;
    struct account_id fred, tom;
    struct body_id gone, first, second, queued; /* second is in Tom's and in Fred's mailbox */
    struct txn *t;                              /* in which a row of the table breaks something */
};

/* For cmocka. */
int world_open(void **state);
int world_close(void **state);

void must(struct world *w, enum err e);
void durable(struct world *w, enum err e, struct ticket t);

/* A message in the store that nobody refers to yet. */
struct body_id put_body(struct txn *t, struct str text);
void put_email(struct world *w, struct txn *t, struct account_id account, struct body_id body,
               uint64_t size);
/* Everything that check says of w->vault.engine, one disagreement a line. */
struct str check_text(struct world *w);

/* The messages of a mailbox in w->t, as long as they are few: v[n], in the order of UIDs. */
struct few {
    struct counts_row counts;
    struct roster_entry v[BLOCK_UIDS];
    size_t n;
};
void few_read(struct world *w, struct account_id account, uint64_t mailbox, struct few *few);
void few_write(struct world *w, struct account_id account, uint64_t mailbox, struct few *few);
#define CHANGE_FEW(account, mailbox, change)                                                           \
    struct few few;                                                                                    \
    few_read(w, account, mailbox, &few);                                                               \
    change;                                                                                            \
    few_write(w, account, mailbox, &few)

/* For rows of w->t: AT(mailbox, .mailbox = 1) is a key; READ gets a row that must be there; CHANGE changes it. */
#define AT(name, ...) (&(struct name##_key){__VA_ARGS__})
#define READ(name, account, row, ...)                                                                  \
    struct name##_row row;                                                                             \
    bool row##_there;                                                                                  \
    must(w, name##_row_txn(w->t, &w->c.cx, account, AT(name, __VA_ARGS__), &row, &row##_there));       \
    assert_true(row##_there)
#define CHANGE(name, account, change, ...)                                                             \
    READ(name, account, row, __VA_ARGS__);                                                             \
    change;                                                                                            \
    name##_row_put(w->t, account, AT(name, __VA_ARGS__), &row)
