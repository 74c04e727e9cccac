/* Three threads copy, move, remove and deliver letters of two contents among three accounts, while a fourth collects without a
 * grace, and a fifth removes one of the accounts and makes it anew. In the end `check` has nothing to say, so every message has
 * its bytes; no account has two letters of one EMAILID; and when all of them are removed, nothing is left. More of it:
 *
 *     build/src/vault/at_once_test --steps 100000 --seed 7                                                             */
#include "vault/admin/test_world.h"

#include "base/arena.h"
#include "base/log.h"
#include "config/config.h"
#include "vault/admin/admin.h"
#include "vault/store/collect.h"
#include "vault/store/directory.h"
#include "vault/store/email.h"
#include "vault/store/letters.h"
#include "vault/store/mailbox.h"
#include "vault/store/threads.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define ACCOUNTS 3
#define MAILBOXES 3 /* of each */
#define CONTENTS 2
#define FEW 4 /* are copied at once */

struct stage {
    struct world *w;
    _Atomic uint64_t accounts[ACCOUNTS];
    struct body_id contents[CONTENTS];
    _Atomic size_t movers;
};

struct actor {
    struct stage *stage;
    pthread_t thread;
    uint64_t random, steps;
    struct cx cx;
    enum err failed;
};

static uint64_t below(struct actor *a, uint64_t n)
{
    a->random = a->random * 6364136223846793005u + 1442695040888963407u;
    return (a->random >> 33) % n;
}

static struct mailbox_ref somewhere(struct actor *a)
{
    return (struct mailbox_ref){{a->stage->accounts[below(a, ACCOUNTS)]}, {1 + below(a, MAILBOXES)}};
}

/* ---- what they do ---- */

static enum err some_of(struct actor *a, struct mailbox_ref box, struct imap_range *out)
{
    struct view *v = view_open(a->stage->w->vault.engine);
    struct mailbox_row row;
    struct counts_row counts;
    enum err e = mailbox_state(v, &a->cx, box.account, box.mailbox, &row, &counts);

    view_close(&v);
    if (!e) {
        uint32_t newest = counts.uid_next < 20 ? 0 : counts.uid_next - 20;

        out->first = newest + 1 + (uint32_t)below(a, 20);
        out->last = out->first + (uint32_t)below(a, FEW);
    }
    return e;
}

static enum err transfer(struct actor *a)
{
    struct mailbox_ref from = somewhere(a), to = somewhere(a);
    struct imap_range range;
    struct imap_set set = {.ranges = &range, .count = 1};
    struct copied c;
    struct ticket t;
    enum err e = some_of(a, from, &range);

    return e ? e
             : (below(a, 2) ? messages_move : messages_copy)(a->stage->w->vault.store, &a->cx, from,
                                                             &set, to, UINT64_MAX, &c, &t);
}

static enum err remove_some(struct actor *a)
{
    struct mailbox_ref box = somewhere(a);
    struct imap_range range;
    struct imap_set set = {.ranges = &range, .count = 1};
    struct removed r;
    struct ticket t;
    enum err e = some_of(a, box, &range);

    range.first = below(a, 3) ? range.first : 1;
    return e ? e : messages_remove(a->stage->w->vault.store, &a->cx, box, &set, false, &r, &t);
}

static enum err deliver(struct actor *a)
{
    struct account_id account = {a->stage->accounts[below(a, ACCOUNTS)]};
    struct txn *t = txn_begin(a->stage->w->vault.engine, &(struct part){PART_ACCOUNT, account.v}, 1);
    struct cold_row looks = {0};
    struct new_email n = {.body = a->stage->contents[below(a, CONTENTS)],
                          .body_size = 16,
                          .prefix = str_upto(S("To: somebody\r\n"), 4 + below(a, 10)),
                          .looks = &looks,
                          .again = true};
    struct placed at;
    struct ticket ticket;
    enum err e = email_add(t, &a->cx, account, INBOX, &n, &at);

    if (!e)
        return txn_commit(&t, &a->cx, &ticket);
    txn_rollback(&t);
    return e;
}

static void *move_on(void *arg)
{
    struct actor *a = arg;

    for (uint64_t i = 0; i < a->steps && !a->failed; i++) {
        uint64_t what = below(a, 10);

        a->failed = what < 6 ? transfer(a) : what < 9 ? remove_some(a) : deliver(a);
        if (a->failed == ERR_NOT_FOUND) /* the account was removed meanwhile */
            a->failed = OK;
        if (!a->failed && i % 10 == 0)
            a->failed = engine_wait(a->stage->w->vault.engine, &a->cx,
                                    engine_newest(a->stage->w->vault.engine));
        arena_reset(a->cx.arena);
    }
    a->stage->movers--;
    return NULL;
}

static void *go_round(void *arg)
{
    struct actor *a = arg;

    while (a->stage->movers && !a->failed) {
        struct collected c;

        a->failed = collect(a->stage->w->vault.store, &a->cx, INT64_MAX, &c);
        arena_reset(a->cx.arena);
    }
    return NULL;
}

static enum err make_account(struct world *w, struct cx *cx, size_t i, struct account_id *id)
{
    struct credential_row credential = {.argon2 = S("?")};
    struct new_account n = {.credential = &credential};
    struct ticket t;
    char address[32];
    enum err e;

    snprintf(address, sizeof(address), "a%zu@acompany.test", i);
    n.address = str_from_c(address);
    e = account_create(w->vault.store, cx, &n, id, &t);
    return e ? e : engine_wait(w->vault.engine, cx, t);
}

static void *renew(void *arg)
{
    struct actor *a = arg;
    struct world *w = a->stage->w;

    while (a->stage->movers && !a->failed) {
        struct account_id id = {a->stage->accounts[0]};
        struct ticket t;

        for (uint64_t round = below(a, 50); round > 0 && !a->failed; round--)
            a->failed = remove_some(a);
        if (!a->failed)
            a->failed = account_delete(w->vault.store, &a->cx, id, &t);
        if (!a->failed)
            a->failed = make_account(w, &a->cx, 0, &id);
        a->stage->accounts[0] = id.v;
        arena_reset(a->cx.arena);
    }
    return NULL;
}

/* ---- beginning and end ---- */

static void set_the_stage(struct stage *s)
{
    struct entry_rcpt rcpt = {.to = {S("b"), S("other.test")}, .state = RCPT_WAITING};
    struct txn *txn;
    struct ticket t;

    world_open((void **)&s->w);
    for (size_t i = 0; i < ACCOUNTS; i++) {
        struct account_id id;

        must(s->w, make_account(s->w, &s->w->c.cx, i, &id));
        s->accounts[i] = id.v;
    }
    txn = txn_begin(s->w->vault.engine, NULL, 0);
    for (size_t i = 0; i < CONTENTS; i++) {
        s->contents[i] = put_body(txn, S("Subject: say\r\n\r\n"));
        queue_add(txn, settings(),
                  &(struct new_entry){.id = {s->contents[i].v, 1},
                                      .destination = S("other.test"),
                                      .size = 16,
                                      .rcpts = &rcpt,
                                      .rcpts_count = 1});
    }
    durable(s->w, txn_commit(&txn, &s->w->c.cx, &t), t);
}

static void end_entries(struct stage *s)
{
    struct txn *t = txn_begin(s->w->vault.engine, NULL, 0);
    struct ticket ticket;

    for (size_t i = 0; i < CONTENTS; i++) {
        struct entry_row row;
        bool found;

        must(s->w, entry_row_txn(t, &s->w->c.cx, NO_ACCOUNT,
                                 AT(entry, .body = s->contents[i].v, .n = 1), &row, &found));
        assert_true(found);
        entry_change(t, (struct entry_id){s->contents[i].v, 1}, &row, QUEUE_REMOVE);
    }
    durable(s->w, txn_commit(&t, &s->w->c.cx, &ticket), ticket);
}

static void expect_order(struct stage *s)
{
    struct str said = check_text(s->w);

    if (said.n)
        fail_msg("%.*s", STR_ARG(said));
}

/* An account's rows of letters come in the order of contents, and there are few. */
static void expect_each_once(struct stage *s, struct account_id account)
{
    struct letter_id seen[10000];
    struct view *v = view_open(s->w->vault.engine);
    struct scan *scan;
    struct str key, value;
    size_t n = 0;

    must(s->w, view_scan(v, &s->w->c.cx, cold_part(account), S("e"), S("f"), false, &scan));
    while (n < 10000 && scan_next(scan, &key, &value)) {
        struct cold_key ck;
        struct cold_row row;

        assert_true(cold_key_unpack(key, &ck) && cold_unpack(NULL, value, &row));
        seen[n++] = letter_id_of(&row, account, (struct body_id){ck.body});
        for (size_t i = 0; i + 1 < n; i++)
            assert_false(letter_id_same(seen[i], seen[n - 1]));
    }
    scan_close(&scan);
    view_close(&v);
}

static void remove_all(struct stage *s)
{
    for (size_t i = 0; i < ACCOUNTS; i++)
        for (uint64_t m = 1; m <= MAILBOXES; m++) {
            struct removed r;
            struct ticket t;

            durable(s->w,
                    messages_remove(s->w->vault.store, &s->w->c.cx,
                                    (struct mailbox_ref){{s->accounts[i]}, {m}}, NULL, false, &r, &t),
                    t);
        }
}

static void collect_all(struct stage *s)
{
    struct collected c;

    do
        must(s->w, collect(s->w->vault.store, &s->w->c.cx, INT64_MAX, &c));
    while (c.more);
}

/* What the world began with is there still. */
static void expect_nothing(struct stage *s)
{
    struct view *v = view_open(s->w->vault.engine);
    struct scan *scan;
    struct str key, value;
    size_t n = 0;

    must(s->w, view_scan(v, &s->w->c.cx, body_part(NO_ACCOUNT), S("b"), S("c"), false, &scan));
    while (scan_next(scan, &key, &value))
        n++;
    scan_close(&scan);
    view_close(&v);
    assert_int_equal(n, 3);
}

static uint64_t chosen_seed = 1, chosen_steps = 1500;

static void test_at_once(void **state)
{
    struct stage s = {.movers = 3};
    static void *(*const parts[])(void *) = {move_on, move_on, move_on, go_round, renew};
    enum { ACTORS = sizeof(parts) / sizeof(*parts) };
    struct actor actors[ACTORS];

    (void)state;
    set_the_stage(&s);
    for (size_t i = 0; i < ACTORS; i++) {
        actors[i] = (struct actor){.stage = &s,
                                   .random = chosen_seed * 100 + i,
                                   .steps = chosen_steps,
                                   .cx = {.arena = arena_new(0)}};
        assert_int_equal(pthread_create(&actors[i].thread, NULL, parts[i], &actors[i]), 0);
    }
    for (size_t i = 0; i < ACTORS; i++) {
        pthread_join(actors[i].thread, NULL);
        if (actors[i].failed)
            fail_msg("%s: %s", err_row(actors[i].failed)->name, actors[i].cx.cause);
        arena_free(actors[i].cx.arena);
    }
    must(s.w, engine_wait(s.w->vault.engine, &s.w->c.cx, engine_newest(s.w->vault.engine)));
    expect_order(&s);
    for (size_t i = 0; i < ACCOUNTS; i++)
        expect_each_once(&s, (struct account_id){s.accounts[i]});
    end_entries(&s);
    remove_all(&s);
    collect_all(&s);
    expect_order(&s);
    expect_nothing(&s);
    world_close((void **)&s.w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_at_once)};

    for (int i = 1; i + 1 < argc; i += 2)
        if (!parse_u64(str_from_c(argv[i + 1]),
                       str_same(str_from_c(argv[i]), S("--seed")) ? &chosen_seed : &chosen_steps))
            return 1;
    log_start("at_once_test", LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
