/* What should be there is a table: which letters are in which mailbox under which UIDs. What is there is asked of the store. */
#include "vault/admin/twins_model.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "vault/admin/admin.h"
#include "vault/store/directory.h"
#include "vault/store/mailbox.h"
#include "vault/store/threads.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

uint64_t below(struct play *p, uint64_t n)
{
    p->random = p->random * 6364136223846793005u + 1442695040888963407u;
    return (p->random >> 33) % n;
}

struct str text_str(const struct text *t)
{
    return str_from_c(t->p);
}

struct mailbox_ref at(const struct play *p, size_t account, size_t mailbox)
{
    return (struct mailbox_ref){p->is.accounts[account], {mailbox + 1}};
}

void commit(struct play *p, struct txn **t)
{
    struct ticket ticket;
    enum err e = txn_commit(t, &p->w->c.cx, &ticket);

    durable(p->w, e, ticket);
}

/* ---- what should be there ---- */

static bool has_letter(const struct play *p, size_t account, size_t letter)
{
    for (size_t m = 0; m < MAILBOXES; m++)
        for (size_t i = 0; i < p->is.n[account][m]; i++)
            if (p->is.held[account][m][i].letter == letter)
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
    const struct held *h = &p->is.held[account][mailbox][i];
    const struct known *k = &p->letters[h->letter];
    struct cx *cx = &p->w->c.cx;
    struct account_id id = p->is.accounts[account];
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
    if (p->is.threads[account][h->letter] &&
        (!found || thread.thread != p->is.threads[account][h->letter]))
        fail_msg("step %" PRIu64 ": account %zu letter %zu changed its thread", p->step, account,
                 h->letter);
    p->is.threads[account][h->letter] = found ? thread.thread : 0;
}

static void expect_mailbox(struct play *p, struct view *v, size_t account, size_t mailbox)
{
    struct listed *l;
    size_t n, damaged;

    must(p->w, mailbox_list(v, &p->w->c.cx, p->is.accounts[account], (struct mailbox_id){mailbox + 1},
                            0, &l, &n, &damaged));
    if (n != p->is.n[account][mailbox] || damaged)
        fail_msg("step %" PRIu64 ": account %zu mailbox %zu has %zu messages, not %zu", p->step,
                 account, mailbox, n, p->is.n[account][mailbox]);
    for (size_t i = 0; i < n; i++)
        expect_message(p, v, account, mailbox, i, &l[i]);
    free(l);
}

void expect_all(struct play *p)
{
    struct view *v = view_open(p->w->vault.engine);

    for (size_t a = 0; a < ACCOUNTS; a++)
        for (size_t m = 0; m < MAILBOXES; m++)
            expect_mailbox(p, v, a, m);
    view_close(&v);
}

void expect_order(struct play *p)
{
    struct str said = check_text(p->w);

    if (said.n)
        fail_msg("step %" PRIu64 ": %.*s", p->step, STR_ARG(said));
}

/* ---- what comes to be there ---- */

size_t room_in(const struct play *p, size_t account, size_t mailbox)
{
    return MOST_EACH - p->is.n[account][mailbox];
}

void note(struct play *p, size_t account, size_t mailbox, struct held h)
{
    p->is.held[account][mailbox][p->is.n[account][mailbox]++] = h;
}

struct held take_out(struct play *p, size_t account, size_t mailbox, size_t i)
{
    struct held *h = p->is.held[account][mailbox], out = h[i];

    memmove(&h[i], &h[i + 1], (--p->is.n[account][mailbox] - i) * sizeof(*h));
    return out;
}

struct body_id body_at(struct play *p, size_t account, size_t mailbox, uint32_t uid)
{
    struct view *v = view_open(p->w->vault.engine);
    struct body_id body = {0};
    struct listed *l;
    size_t n, damaged;

    must(p->w, mailbox_list(v, &p->w->c.cx, p->is.accounts[account], (struct mailbox_id){mailbox + 1},
                            0, &l, &n, &damaged));
    for (size_t i = 0; i < n; i++)
        if (l[i].uid == uid)
            body = l[i].body;
    free(l);
    view_close(&v);
    return body;
}

/* Nobody has another letter with its EMAILID. */
void note_letter(struct play *p, size_t account, size_t mailbox, const struct text *prefix,
                 const struct text *text, uint32_t uid)
{
    struct known k = {{p->is.accounts[account], body_at(p, account, mailbox, uid)}, *prefix, *text};

    for (size_t i = 0; i < p->letter_count; i++)
        if (letter_id_same(p->letters[i].id, k.id) && is_somewhere(p, i))
            fail_msg("step %" PRIu64 ": letter %zu has the EMAILID of letter %zu", p->step,
                     p->letter_count, i);
    assert_true(p->letter_count < p->most_letters);
    p->letters[p->letter_count] = k;
    note(p, account, mailbox, (struct held){p->letter_count++, uid});
}

void forget_threads(struct play *p)
{
    for (size_t a = 0; a < ACCOUNTS; a++)
        for (size_t i = 0; i < p->letter_count; i++)
            if (!has_letter(p, a, i))
                p->is.threads[a][i] = 0;
}

void finish_entry(struct play *p, struct content *c)
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

void make_account(struct play *p, size_t account)
{
    struct credential_row credential = {.argon2 = S("?")};
    char address[32];
    struct new_account n = {.credential = &credential};
    struct ticket t;

    snprintf(address, sizeof(address), "a%zu@acompany.test", account);
    n.address = str_from_c(address);
    durable(p->w, account_create(p->w->vault.store, &p->w->c.cx, &n, &p->is.accounts[account], &t), t);
    for (size_t m = 0; m < MAILBOXES; m++)
        p->is.n[account][m] = 0;
    memset(p->is.threads[account], 0, p->letter_count * sizeof(*p->is.threads[account]));
}

size_t count_rows(struct play *p, struct part part, struct str from, struct str to)
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

/* ---- beginning and end ---- */

void play_begin(struct play *p, uint64_t seed, uint64_t most_letters)
{
    *p = (struct play){.random = seed, .most_letters = most_letters};
    p->letters = calloc(most_letters, sizeof(*p->letters));
    world_open((void **)&p->w);
    for (size_t a = 0; a < ACCOUNTS; a++) {
        p->is.threads[a] = calloc(most_letters, sizeof(*p->is.threads[a]));
        p->was.threads[a] = calloc(most_letters, sizeof(*p->was.threads[a]));
        make_account(p, a);
    }
}

void play_end(struct play *p)
{
    engine_close(p->backup);
    world_close((void **)&p->w);
    for (size_t a = 0; a < ACCOUNTS; a++) {
        free(p->is.threads[a]);
        free(p->was.threads[a]);
    }
    free(p->letters);
}
