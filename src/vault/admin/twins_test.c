/* Letters of few contents among three accounts, at random: delivered, some of them later, appended, replaced, copied and moved
 * in all directions, removed, with whole accounts at times, while the collector goes round, the power is cut, the store is
 * opened anew, is repaired, some of it damaged before, and is restored from a backup. After each step every message is what it
 * was, and so is its EMAILID (RFC 8474 §5.1); `check` has nothing to say, and in the end nothing is left. More of it:
 *
 *     build/src/vault/twins_test --steps 100000 --seed 7                                                             */
#include "vault/admin/twins_model.h"

#include "base/arena.h"
#include "base/log.h"
#include "config/config.h"
#include "vault/store/email.h"
#include "vault/store/mailbox.h"
#include "vault/store/threads.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LETTERS_A_STEP 3

/* ---- deliveries ---- */

static void deliver(struct play *p, size_t account, const struct content *c, bool again)
{
    struct part part = {PART_ACCOUNT, p->is.accounts[account].v};
    struct txn *t;
    struct cold_row looks = {0};
    struct text prefix;
    struct new_email n = {
        .body = c->body, .body_size = text_str(&c->text).n, .looks = &looks, .again = again};
    struct placed placed;

    if (!room_in(p, account, 0))
        return;
    snprintf(prefix.p, sizeof(prefix.p), "Delivered-To: %zu %.*s\r\n", p->letter_count,
             (int)below(p, 9), "somebody");
    n.prefix = text_str(&prefix);
    t = txn_begin(p->w->vault.engine, &part, 1);
    must(p->w, email_add(t, &p->w->c.cx, p->is.accounts[account], INBOX, &n, &placed));
    commit(p, &t);
    note_letter(p, account, 0, &prefix, &c->text, placed.uid);
}

/* To some at once; it waits in the queue for others. */
static void deliver_new(struct play *p)
{
    struct content *c = &p->is.contents[below(p, CONTENTS)];
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
    const struct content *c = &p->is.contents[below(p, CONTENTS)];

    if (c->body.v)
        deliver(p, below(p, ACCOUNTS), c, true);
}

/* ---- what their owners do ---- */

static void choose_text(struct play *p, struct text *text)
{
    const struct content *c = &p->is.contents[below(p, CONTENTS)];

    if (c->body.v && below(p, 2))
        *text = c->text;
    else
        snprintf(text->p, sizeof(text->p), "Subject: %" PRIu64 "\r\n\r\n", p->step);
}

static struct new_message message_of(const struct text *text, const struct cold_row *looks)
{
    struct str bytes = text_str(text);
    struct new_message m = {.body = {.id = {fresh_id()}, .last = bytes, .size = bytes.n},
                            .looks = looks};

    digest_of(bytes, m.body.sha256);
    return m;
}

static void append(struct play *p)
{
    size_t account = below(p, ACCOUNTS), mailbox = below(p, MAILBOXES),
           n = 1 + below(p, LETTERS_A_STEP);
    const struct text none = {""};
    const struct cold_row looks = {0};
    struct new_message v[LETTERS_A_STEP];
    struct text text;
    struct added added;
    struct ticket t;

    if (n > room_in(p, account, mailbox))
        return;
    choose_text(p, &text);
    for (size_t i = 0; i < n; i++)
        v[i] = message_of(&text, &looks);
    durable(p->w,
            messages_append(p->w->vault.store, &p->w->c.cx, at(p, account, mailbox), v, n, &added, &t),
            t);
    for (size_t i = 0; i < n; i++)
        note_letter(p, account, mailbox, &none, &text, added.first_uid + (uint32_t)i);
}

static void replace(struct play *p)
{
    size_t account = below(p, ACCOUNTS), from = below(p, MAILBOXES), to = below(p, MAILBOXES),
           n = p->is.n[account][from];
    const struct text none = {""};
    const struct cold_row looks = {0};
    struct new_message m;
    struct text text;
    struct added added;
    struct ticket t;

    if (!n || !room_in(p, account, to))
        return;
    choose_text(p, &text);
    m = message_of(&text, &looks);
    durable(p->w,
            messages_replace(p->w->vault.store, &p->w->c.cx, at(p, account, from),
                             take_out(p, account, from, below(p, n)).uid, at(p, account, to), &m,
                             &added, &t),
            t);
    note_letter(p, account, to, &none, &text, added.first_uid);
}

/* Some of a mailbox. */
struct transfer {
    size_t from, box, to, into;
    bool move;
    bool chosen[MOST_EACH];
    struct imap_range ranges[MOST_EACH];
    size_t n;
};

static void choose_some(struct play *p, struct transfer *x)
{
    size_t room = room_in(p, x->to, x->into), first;

    x->n = 0;
    if (!p->is.n[x->from][x->box])
        return;
    first = below(p, p->is.n[x->from][x->box]);
    for (size_t i = first; i < p->is.n[x->from][x->box] && x->n < room; i++) {
        uint32_t uid = p->is.held[x->from][x->box][i].uid;

        x->chosen[i] = i == first || !below(p, 4);
        if (x->chosen[i])
            x->ranges[x->n++] = (struct imap_range){uid, uid};
    }
}

static void note_transfer(struct play *p, const struct transfer *x, uint32_t first)
{
    struct held gone[MOST_EACH];
    size_t n = 0;

    for (size_t i = MOST_EACH; i-- > 0;)
        if (x->chosen[i])
            gone[n++] = x->move ? take_out(p, x->from, x->box, i) : p->is.held[x->from][x->box][i];
    while (n-- > 0)
        note(p, x->to, x->into, (struct held){gone[n].letter, first++});
}

static uint32_t uid_next(struct play *p, size_t account, size_t mailbox)
{
    struct view *v = view_open(p->w->vault.engine);
    struct counts_row counts;
    struct mailbox_row row;

    must(p->w, mailbox_state(v, &p->w->c.cx, p->is.accounts[account], (struct mailbox_id){mailbox + 1},
                             &row, &counts));
    view_close(&v);
    return counts.uid_next;
}

/* The power may be cut: then nobody is told that it is done, and it is or is not. */
static void transfer(struct play *p)
{
    struct transfer x = {.from = below(p, ACCOUNTS),
                         .box = below(p, MAILBOXES),
                         .to = below(p, ACCOUNTS),
                         .into = below(p, MAILBOXES),
                         .move = below(p, 2)};
    bool cut = !below(p, 20), keep = below(p, 2);
    struct imap_set set = {.ranges = x.ranges};
    uint32_t first = uid_next(p, x.to, x.into);
    struct copied c;
    struct ticket t;
    enum err e;

    choose_some(p, &x);
    set.count = x.n;
    if (!x.n)
        return;
    if (cut)
        cut_power_soon(p, 1, keep);
    e = (x.move ? messages_move : messages_copy)(p->w->vault.store, &p->w->c.cx, at(p, x.from, x.box),
                                                 &set, at(p, x.to, x.into), UINT64_MAX, &c, &t);
    if (!e)
        e = engine_wait(p->w->vault.engine, &p->w->c.cx, t);
    if (cut)
        start_again(p);
    else
        must(p->w, e);
    assert_int_equal(cut, e != OK);
    if (!cut || keep)
        note_transfer(p, &x, first);
}

static void expunge(struct play *p, size_t account, size_t mailbox, size_t i)
{
    struct imap_range one = {p->is.held[account][mailbox][i].uid, p->is.held[account][mailbox][i].uid};
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

    for (size_t n = below(p, 4); n && p->is.n[account][mailbox]; n--)
        expunge(p, account, mailbox, below(p, p->is.n[account][mailbox]));
}

static void ask_thread(struct play *p)
{
    size_t account = below(p, ACCOUNTS);
    struct letter l = {.count = below(p, 3), .keys = {7 + below(p, 3), 20 + below(p, 5)}};
    struct ticket t;

    if (!p->is.n[account][0])
        return;
    l.body = body_at(p, account, 0, p->is.held[account][0][below(p, p->is.n[account][0])].uid);
    durable(p->w, threads_assign(p->w->vault.store, &p->w->c.cx, p->is.accounts[account], &l, 1, &t),
            t);
}

/* ---- the play ---- */

static const struct {
    void (*act)(struct play *p);
    unsigned often;
} acts[] = {
    {deliver_new, 12},      {deliver_again, 12}, {append, 2},   {replace, 2},       {transfer, 50},
    {expunge_some, 16},     {ask_thread, 8},     {go_round, 6}, {reopen, 2},        {repair, 2},
    {damage_and_repair, 3}, {back_up, 1},        {restore, 1},  {renew_account, 1}, {spoil, 3},
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

/* But what the world began with: one that waits in the queue, and three messages. */
static void end(struct play *p)
{
    for (size_t c = 0; c < CONTENTS; c++)
        if (p->is.contents[c].body.v)
            finish_entry(p, &p->is.contents[c]);
    for (size_t a = 0; a < ACCOUNTS; a++)
        for (size_t m = 0; m < MAILBOXES; m++)
            while (p->is.n[a][m])
                expunge(p, a, m, p->is.n[a][m] - 1);
    go_round(p);
    expect_order(p);
    assert_int_equal(count_rows(p, body_part(NO_ACCOUNT), S("b"), S("c")), 3);
    assert_int_equal(count_rows(p, piece_part(NO_ACCOUNT), S("p"), S("q")), 3);
    assert_int_equal(count_rows(p, ref_part(NO_ACCOUNT), S("r"), S("s")), 4);
    for (size_t a = 0; a < ACCOUNTS; a++)
        assert_int_equal(count_rows(p, cold_part(p->is.accounts[a]), S("e"), S("f")), 0);
}

static void play(uint64_t seed, uint64_t steps)
{
    struct play *p = calloc(1, sizeof(*p));

    play_begin(p, seed, steps * LETTERS_A_STEP + 1);
    for (p->step = 1; p->step <= steps; p->step++) {
        act(p);
        expect_all(p);
        if (p->step % 10 == 0)
            expect_order(p);
        arena_reset(p->w->c.cx.arena);
    }
    end(p);
    play_end(p);
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
    log_start("twins_test", LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
