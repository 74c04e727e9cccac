/* vault/admin/twins_model.h: what twins_test plays with: the letters that three accounts should have, and a store to hold them
 * against. */
#pragma once
#include "vault/admin/test_world.h"
#include "vault/store/letters.h"

#define ACCOUNTS 3
#define MAILBOXES 3 /* of each: INBOX and two more */
#define CONTENTS 4
#define MOST_EACH 12 /* of a mailbox */

struct text {
    char p[80];
};

struct known { /* a letter, as it came to be */
    struct letter_id id;
    struct text prefix, text;
};

struct held { /* a message */
    size_t letter;
    uint32_t uid;
};

struct content {
    struct body_id body; /* 0: none */
    struct text text;
};

struct state { /* what should be in a store */
    struct account_id accounts[ACCOUNTS];
    struct held held[ACCOUNTS][MAILBOXES][MOST_EACH]; /* in the order of UIDs */
    size_t n[ACCOUNTS][MAILBOXES];
    struct content contents[CONTENTS];
    uint64_t *threads[ACCOUNTS]; /* of letters; 0: not known */
};

struct play {
    struct world *w;
    uint64_t random, step, most_letters;
    struct state is, was;  /* was: in the backup */
    struct engine *backup; /* NULL: none */
    struct known *letters;
    size_t letter_count;
};

void play_begin(struct play *p, uint64_t seed, uint64_t most_letters);
void play_end(struct play *p);

uint64_t below(struct play *p, uint64_t n);
struct str text_str(const struct text *t);
struct mailbox_ref at(const struct play *p, size_t account, size_t mailbox);
void commit(struct play *p, struct txn **t);

size_t room_in(const struct play *p, size_t account, size_t mailbox);
void note(struct play *p, size_t account, size_t mailbox, struct held h);
struct held take_out(struct play *p, size_t account, size_t mailbox, size_t i);
/* One that came to be in this mailbox. */
void note_letter(struct play *p, size_t account, size_t mailbox, const struct text *prefix,
                 const struct text *text, uint32_t uid);
struct body_id body_at(struct play *p, size_t account, size_t mailbox, uint32_t uid);
/* A letter that has gone may come again, and be threaded anew. */
void forget_threads(struct play *p);
void make_account(struct play *p, size_t account);
void finish_entry(struct play *p, struct content *c);

/* Every message is there, and as it was. */
void expect_all(struct play *p);
void expect_order(struct play *p);
size_t count_rows(struct play *p, struct part part, struct str from, struct str to);

/* ---- what befalls the store (twins_fate.c) ---- */

/* At the nth commit from now, which the disk has kept, or not; then the store is to be started again. */
void cut_power_soon(struct play *p, uint64_t commits, bool keep);
void start_again(struct play *p);
void go_round(struct play *p);
void reopen(struct play *p);
void repair(struct play *p);
void damage_and_repair(struct play *p);
void back_up(struct play *p);
void restore(struct play *p);
void renew_account(struct play *p);
/* Of a copy (twins_spoil.c). */
void spoil(struct play *p);
