/* Letters of few contents among three accounts, at random: delivered, some of them later, copied and moved in all directions,
 * removed, with whole accounts at times, while the collector goes round, the store is opened anew, and is repaired. After each
 * step every message is what it was, and so is its EMAILID (RFC 8474 §5.1); `check` has nothing to say, and in the end nothing
 * is left. More of it:
 *
 *     build/src/vault/twins_test --steps 100000 --seed 7                                                             */
#include "vault/admin/test_world.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "config/config.h"
#include "vault/admin/admin.h"
#include "vault/admin/repair.h"
#include "vault/store/collect.h"
#include "vault/store/directory.h"
#include "vault/store/email.h"
#include "vault/store/letters.h"
#include "vault/store/mailbox.h"
#include "vault/store/threads.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define ACCOUNTS 3
#define MAILBOXES 3 /* of each: INBOX and two more */
#define CONTENTS 4
#define MOST_EACH 12 /* of a mailbox */

struct text {
    char p[80];
};

struct known { /* a letter, as it was delivered */
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
    uint32_t entry;
};

struct play {
    struct world *w;
    uint64_t random, step;
    struct account_id accounts[ACCOUNTS];
    struct held held[ACCOUNTS][MAILBOXES][MOST_EACH];
    size_t n[ACCOUNTS][MAILBOXES];
    struct content contents[CONTENTS];
    struct known *letters;
    size_t letter_count;
    uint64_t *threads[ACCOUNTS]; /* of letters; 0: not known */
};

static uint64_t below(struct play *p, uint64_t n)
{
    p->random = p->random * 6364136223846793005u + 1442695040888963407u;
    return (p->random >> 33) % n;
}

static struct str text_str(const struct text *t)
{
    return str_from_c(t->p);
}

static struct mailbox_ref at(const struct play *p, size_t account, size_t mailbox)
{
    return (struct mailbox_ref){p->accounts[account], {mailbox + 1}};
}

static void commit(struct play *p, struct txn **t)
{
    struct ticket ticket;
    enum err e = txn_commit(t, &p->w->c.cx, &ticket);

    durable(p->w, e, ticket);
}

/* ---- what should be there ---- */

static bool has_letter(const struct play *p, size_t account, size_t letter)
{
    for (size_t m = 0; m < MAILBOXES; m++)
        for (size_t i = 0; i < p->n[account][m]; i++)
            if (p->held[account][m][i].letter == letter)
                return true;
    return false;
}

static bool is_somewhere(const struct play *p, size_t letter)
{
    bool is = false;

    for (size_t a = 0; a < ACCOUNTS; a++)
        is |= has_letter(p, a, letter);
    return is;
}

/* The message is what was delivered, under its EMAILID; its thread stays what it was as long as the account has it. */
static void expect_message(struct play *p, struct view *v, size_t account, size_t mailbox, size_t i,
                           const struct listed *l)
{
    const struct held *h = &p->held[account][mailbox][i];
    const struct known *k = &p->letters[h->letter];
    struct cx *cx = &p->w->c.cx;
    struct account_id id = p->accounts[account];
    struct str piece = STR_NONE;
    struct message m;
    struct cold_row row;
    struct thread_row thread;
    bool found;

    must(p->w, message_find(v, cx, id, l->body, &m));
    if (m.pieces)
        must(p->w, message_piece(v, cx, &m, 0, &piece));
    must(p->w, cold_row_view(v, cx, id, AT(cold, .body = l->body.v), &row, &found));
    if (l->uid != h->uid || !letter_id_same(letter_id_of(&row, id, l->body), k->id) ||
        !str_same(m.prefix, text_str(&k->prefix)) || !str_same(piece, text_str(&k->text)) ||
        l->size != m.prefix.n + piece.n)
        fail_msg("step %" PRIu64 ": account %zu mailbox %zu UID %u is %.*s|%.*s, %" PRIu64
                 " bytes, not UID %u %s|%s of E%" PRIx64 "-%" PRIx64,
                 p->step, account, mailbox, l->uid, STR_ARG(m.prefix), STR_ARG(piece), l->size, h->uid,
                 k->prefix.p, k->text.p, k->id.origin.v, k->id.content.v);
    must(p->w, thread_row_view(v, cx, id, AT(thread, .body = l->body.v), &thread, &found));
    if (p->threads[account][h->letter] && (!found || thread.thread != p->threads[account][h->letter]))
        fail_msg("step %" PRIu64 ": account %zu letter %zu changed its thread", p->step, account,
                 h->letter);
    p->threads[account][h->letter] = found ? thread.thread : 0;
}

static void expect_mailbox(struct play *p, struct view *v, size_t account, size_t mailbox)
{
    struct listed *l;
    size_t n, damaged;

    must(p->w, mailbox_list(v, &p->w->c.cx, p->accounts[account], (struct mailbox_id){mailbox + 1}, 0,
                            &l, &n, &damaged));
    if (n != p->n[account][mailbox] || damaged)
        fail_msg("step %" PRIu64 ": account %zu mailbox %zu has %zu messages, not %zu", p->step,
                 account, mailbox, n, p->n[account][mailbox]);
    for (size_t i = 0; i < n; i++)
        expect_message(p, v, account, mailbox, i, &l[i]);
    free(l);
}

static void expect_all(struct play *p)
{
    struct view *v = view_open(p->w->vault.engine);

    for (size_t a = 0; a < ACCOUNTS; a++)
        for (size_t m = 0; m < MAILBOXES; m++)
            expect_mailbox(p, v, a, m);
    view_close(&v);
}

static void expect_order(struct play *p)
{
    struct str said = check_text(p->w);

    if (said.n)
        fail_msg("step %" PRIu64 ": %.*s", p->step, STR_ARG(said));
}

/* ---- deliveries ---- */

static void note(struct play *p, size_t account, size_t mailbox, size_t letter, uint32_t uid)
{
    p->held[account][mailbox][p->n[account][mailbox]++] = (struct held){letter, uid};
}

/* Nobody has another letter with its EMAILID. */
static void note_letter(struct play *p, size_t account, const struct content *c,
                        const struct text *prefix, struct body_id body, uint32_t uid)
{
    struct known k = {{p->accounts[account], body}, *prefix, c->text};

    for (size_t i = 0; i < p->letter_count; i++)
        if (letter_id_same(p->letters[i].id, k.id) && is_somewhere(p, i))
            fail_msg("step %" PRIu64 ": letter %zu has the EMAILID of letter %zu", p->step,
                     p->letter_count, i);
    p->letters[p->letter_count] = k;
    note(p, account, 0, p->letter_count++, uid);
}

static struct body_id body_at(struct play *p, size_t account, uint32_t uid)
{
    struct view *v = view_open(p->w->vault.engine);
    struct body_id body = {0};
    struct listed *l;
    size_t n, damaged;

    must(p->w, mailbox_list(v, &p->w->c.cx, p->accounts[account], INBOX, 0, &l, &n, &damaged));
    for (size_t i = 0; i < n; i++)
        if (l[i].uid == uid)
            body = l[i].body;
    free(l);
    view_close(&v);
    return body;
}

static void deliver(struct play *p, size_t account, const struct content *c, bool again)
{
    struct part part = {PART_ACCOUNT, p->accounts[account].v};
    struct txn *t;
    struct cold_row looks = {0};
    struct text prefix;
    struct new_email n = {
        .body = c->body, .body_size = text_str(&c->text).n, .looks = &looks, .again = again};
    struct placed placed;

    if (p->n[account][0] == MOST_EACH)
        return;
    snprintf(prefix.p, sizeof(prefix.p), "Delivered-To: %zu %.*s\r\n", p->letter_count,
             (int)below(p, 9), "somebody");
    n.prefix = text_str(&prefix);
    t = txn_begin(p->w->vault.engine, &part, 1);
    must(p->w, email_add(t, &p->w->c.cx, p->accounts[account], INBOX, &n, &placed));
    commit(p, &t);
    note_letter(p, account, c, &prefix, body_at(p, account, placed.uid), placed.uid);
}

static void finish_entry(struct play *p, struct content *c)
{
    struct entry_row row;
    struct txn *t = txn_begin(p->w->vault.engine, NULL, 0);
    bool found;

    must(p->w,
         entry_row_txn(t, &p->w->c.cx, NO_ACCOUNT, AT(entry, .body = c->body.v, .n = 1), &row, &found));
    assert_true(found);
    entry_change(t, (struct entry_id){c->body.v, 1}, &row, QUEUE_REMOVE);
    commit(p, &t);
    *c = (struct content){0};
}

/* To some at once; it waits in the queue for others. */
static void deliver_new(struct play *p)
{
    struct content *c = &p->contents[below(p, CONTENTS)];
    struct entry_rcpt rcpt = {.to = {S("b"), S("other.test")}, .state = RCPT_WAITING};
    struct txn *t;

    if (c->body.v)
        finish_entry(p, c);
    if (below(p, 8))
        snprintf(c->text.p, sizeof(c->text.p), "Subject: %" PRIu64 "\r\n\r\n", p->step);
    t = txn_begin(p->w->vault.engine, NULL, 0);
    c->body = put_body(t, text_str(&c->text));
    queue_add(t, settings(),
              &(struct new_entry){.id = {c->body.v, 1},
                                  .destination = S("other.test"),
                                  .size = text_str(&c->text).n,
                                  .rcpts = &rcpt,
                                  .rcpts_count = 1});
    commit(p, &t);
    for (size_t a = 0; a < ACCOUNTS; a++)
        if (below(p, 2))
            deliver(p, a, c, false);
}

static void deliver_again(struct play *p)
{
    const struct content *c = &p->contents[below(p, CONTENTS)];

    if (c->body.v)
        deliver(p, below(p, ACCOUNTS), c, true);
}

/* ---- what their owners do ---- */

static void take_out(struct play *p, size_t account, size_t mailbox, size_t i)
{
    struct held *h = p->held[account][mailbox];

    memmove(&h[i], &h[i + 1], (--p->n[account][mailbox] - i) * sizeof(*h));
}

static void transfer(struct play *p)
{
    size_t from = below(p, ACCOUNTS), box = below(p, MAILBOXES), to = below(p, ACCOUNTS),
           into = below(p, MAILBOXES), n = p->n[from][box], i;
    bool move = below(p, 2);
    struct imap_range one;
    struct imap_set set = {.ranges = &one, .count = 1};
    struct copied c;
    struct ticket t;
    struct held h;

    if (!n || p->n[to][into] == MOST_EACH)
        return;
    i = below(p, n);
    h = p->held[from][box][i];
    one = (struct imap_range){h.uid, h.uid};
    durable(p->w,
            (move ? messages_move : messages_copy)(p->w->vault.store, &p->w->c.cx, at(p, from, box),
                                                   &set, at(p, to, into), UINT64_MAX, &c, &t),
            t);
    assert_int_equal(c.count, 1);
    if (move)
        take_out(p, from, box, i);
    note(p, to, into, h.letter, c.to_first);
}

static void expunge(struct play *p, size_t account, size_t mailbox, size_t i)
{
    struct imap_range one = {p->held[account][mailbox][i].uid, p->held[account][mailbox][i].uid};
    struct imap_set set = {.ranges = &one, .count = 1};
    struct removed r;
    struct ticket t;

    durable(
        p->w,
        messages_remove(p->w->vault.store, &p->w->c.cx, at(p, account, mailbox), &set, false, &r, &t),
        t);
    take_out(p, account, mailbox, i);
}

static void expunge_some(struct play *p)
{
    size_t account = below(p, ACCOUNTS), mailbox = below(p, MAILBOXES);

    for (size_t n = below(p, 4); n && p->n[account][mailbox]; n--)
        expunge(p, account, mailbox, below(p, p->n[account][mailbox]));
}

static void ask_thread(struct play *p)
{
    size_t account = below(p, ACCOUNTS);
    struct letter l = {.count = 2, .keys = {7 + below(p, 3), 20 + below(p, 5)}};
    struct ticket t;

    if (!p->n[account][0])
        return;
    l.body = body_at(p, account, p->held[account][0][below(p, p->n[account][0])].uid);
    durable(p->w, threads_assign(p->w->vault.store, &p->w->c.cx, p->accounts[account], &l, 1, &t), t);
}

/* ---- what befalls the store ---- */

/* A letter that has gone may come again, and be threaded anew. */
static void forget_threads(struct play *p)
{
    for (size_t a = 0; a < ACCOUNTS; a++)
        for (size_t i = 0; i < p->letter_count; i++)
            if (!has_letter(p, a, i))
                p->threads[a][i] = 0;
}

static void go_round(struct play *p)
{
    struct collected c;

    do
        must(p->w, collect(p->w->vault.store, &p->w->c.cx, INT64_MAX, &c));
    while (c.more);
    forget_threads(p);
}

static void open_anew(struct play *p, struct engine *e)
{
    store_close(p->w->vault.store);
    if (e != p->w->vault.engine)
        engine_close(p->w->vault.engine);
    p->w->vault.engine = e;
    must(p->w, store_open(&p->w->c.cx, e, settings, &p->w->vault.store));
}

static void reopen(struct play *p)
{
    open_anew(p, p->w->vault.engine);
}

static void repair(struct play *p)
{
    struct engine_options options = {0};
    struct engine *e;
    struct repair *r;
    struct repair_reply reply;

    must(p->w, engine_open_memory(&p->w->c.cx, &options, &e));
    r = repair_open(p->w->vault.engine, e, S("postmaster@acompany.test"));
    do {
        reply = (struct repair_reply){0};
        must(p->w, repair_step(r, &p->w->c.cx, &reply));
        if (reply.found_count)
            fail_msg("step %" PRIu64 ": repair found %.*s", p->step, STR_ARG(reply.found[0].text));
    } while (!reply.done);
    repair_close(&r);
    open_anew(p, e);
    forget_threads(p); /* what waited for the collector is not there */
}

static void make_account(struct play *p, size_t account)
{
    struct credential_row credential = {.argon2 = S("?")};
    char address[32];
    struct new_account n = {.credential = &credential};
    struct ticket t;

    snprintf(address, sizeof(address), "a%zu@acompany.test", account);
    n.address = str_from_c(address);
    durable(p->w, account_create(p->w->vault.store, &p->w->c.cx, &n, &p->accounts[account], &t), t);
    for (size_t m = 0; m < MAILBOXES; m++)
        p->n[account][m] = 0;
    memset(p->threads[account], 0, p->letter_count * sizeof(*p->threads[account]));
}

static void renew_account(struct play *p)
{
    size_t account = below(p, ACCOUNTS);
    struct ticket t;

    durable(p->w, account_delete(p->w->vault.store, &p->w->c.cx, p->accounts[account], &t), t);
    make_account(p, account);
}

/* ---- the play ---- */

static const struct {
    void (*act)(struct play *p);
    unsigned often;
} acts[] = {
    {deliver_new, 12}, {deliver_again, 12}, {transfer, 50}, {expunge_some, 14}, {ask_thread, 8},
    {go_round, 6},     {reopen, 2},         {repair, 2},    {renew_account, 1},
};

static void act(struct play *p)
{
    unsigned sum = 0, n;

    for (size_t i = 0; i < sizeof(acts) / sizeof(*acts); i++)
        sum += acts[i].often;
    n = (unsigned)below(p, sum);
    for (size_t i = 0; i < sizeof(acts) / sizeof(*acts); n -= acts[i++].often)
        if (n < acts[i].often) {
            acts[i].act(p);
            return;
        }
}

static size_t count_rows(struct play *p, struct part part, struct str from, struct str to)
{
    struct view *v = view_open(p->w->vault.engine);
    struct scan *scan;
    struct str key, value;
    size_t n = 0;

    must(p->w, view_scan(v, &p->w->c.cx, part, from, to, false, &scan));
    while (scan_next(scan, &key, &value))
        n++;
    scan_close(&scan);
    view_close(&v);
    return n;
}

/* But what the world began with: one that waits in the queue, and three messages. */
static void end(struct play *p)
{
    for (size_t c = 0; c < CONTENTS; c++)
        if (p->contents[c].body.v)
            finish_entry(p, &p->contents[c]);
    for (size_t a = 0; a < ACCOUNTS; a++)
        for (size_t m = 0; m < MAILBOXES; m++)
            while (p->n[a][m])
                expunge(p, a, m, p->n[a][m] - 1);
    go_round(p);
    expect_order(p);
    assert_int_equal(count_rows(p, body_part(NO_ACCOUNT), S("b"), S("c")), 3);
    assert_int_equal(count_rows(p, piece_part(NO_ACCOUNT), S("p"), S("q")), 3);
    assert_int_equal(count_rows(p, ref_part(NO_ACCOUNT), S("r"), S("s")), 4);
    for (size_t a = 0; a < ACCOUNTS; a++)
        assert_int_equal(count_rows(p, cold_part(p->accounts[a]), S("e"), S("f")), 0);
}

static void play(uint64_t seed, uint64_t steps)
{
    struct play *p = calloc(1, sizeof(*p));

    p->random = seed;
    p->letters = calloc(steps * ACCOUNTS + 1, sizeof(*p->letters));
    world_open((void **)&p->w);
    for (size_t a = 0; a < ACCOUNTS; a++) {
        p->threads[a] = calloc(steps * ACCOUNTS + 1, sizeof(*p->threads[a]));
        make_account(p, a);
    }
    for (p->step = 1; p->step <= steps; p->step++) {
        act(p);
        expect_all(p);
        if (p->step % 10 == 0)
            expect_order(p);
        arena_reset(p->w->c.cx.arena);
    }
    end(p);
    world_close((void **)&p->w);
    for (size_t a = 0; a < ACCOUNTS; a++)
        free(p->threads[a]);
    free(p->letters);
    free(p);
}

static uint64_t chosen_seed, chosen_steps = 600;

static void test_twins(void **state)
{
    (void)state;
    for (uint64_t seed = 1; !chosen_seed && seed <= 4; seed++)
        play(seed, chosen_steps);
    if (chosen_seed)
        play(chosen_seed, chosen_steps);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_twins)};

    for (int i = 1; i + 1 < argc; i += 2)
        if (!parse_u64(str_from_c(argv[i + 1]),
                       str_same(str_from_c(argv[i]), S("--seed")) ? &chosen_seed : &chosen_steps))
            return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
