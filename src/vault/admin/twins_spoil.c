/* A copy of the store in which some rows say what nobody wrote: bytes changed, cut off, or another row's. Whatever is done with
 * it then may fail, but ends; and what a repair makes of it passes `check`. */
#include "vault/admin/twins_model.h"

#include "base/arena.h"
#include "vault/accept/looks.h"
#include "vault/admin/admin.h"
#include "vault/admin/check.h"
#include "vault/admin/repair.h"
#include "vault/store/collect.h"
#include "vault/store/directory.h"
#include "vault/store/reader.h"
#include "vault/store/roster.h"

#define ROWS_MOST 4 /* that are spoiled at once */

struct row {
    struct str key, value;
};

static size_t read_rows(struct play *p, struct part part, struct str from, struct str to,
                        struct row *rows, size_t most)
{
    struct view *v = view_open(p->w->vault.engine);
    struct arena *a = p->w->c.cx.arena;
    struct scan *scan;
    struct str key, value;
    size_t n = 0;

    must(p->w, view_scan(v, &p->w->c.cx, part, from, to, false, &scan));
    while (n < most && scan_next(scan, &key, &value))
        rows[n++] = (struct row){str_copy(a, key), str_copy(a, value)};
    scan_close(&scan);
    view_close(&v);
    return n;
}

static struct str changed_bytes(struct play *p, struct str s, size_t from)
{
    char *bytes = arena_alloc(p->w->c.cx.arena, s.n + 8);
    size_t at = from < s.n ? from + below(p, s.n - from) : s.n, n = 1 + below(p, 8);

    memcpy(bytes, s.p, s.n);
    if (!below(p, 4))
        return (struct str){bytes, at};
    for (size_t i = at; i < s.n && i < at + n; i++)
        bytes[i] = below(p, 3) ? (char)below(p, 256) : below(p, 2) ? '\0' : '\xff';
    return (struct str){bytes, s.n};
}

/* only_letters: rows of them, under their own keys. */
static void spoil_row(struct play *p, bool only_letters)
{
    const struct str tags = only_letters ? S("efkt") : S("snbuefktcilmw");
    const struct {
        struct part part;
        char tag;
    } shared[] = {{ref_part(NO_ACCOUNT), 'b'},   {ref_part(NO_ACCOUNT), 'r'},
                  {ref_part(NO_ACCOUNT), 'd'},   {piece_part(NO_ACCOUNT), 'p'},
                  {entry_part(NO_ACCOUNT), 'q'}, {account_part(NO_ACCOUNT), 'N'}};
    struct account_id account = p->is.accounts[below(p, ACCOUNTS)];
    size_t kinds = only_letters ? 4 : sizeof(shared) / sizeof(*shared), kind = below(p, 2 * kinds);
    bool of_all = kind < kinds;
    char tag = of_all ? shared[kind].tag : tags.p[below(p, tags.n)], after = (char)(tag + 1);
    struct part part = of_all ? shared[kind].part : state_part(account), one[] = {part};
    struct row rows[500];
    size_t n = read_rows(p, part, (struct str){&tag, 1}, (struct str){&after, 1}, rows, 500);
    struct row *row = &rows[n ? below(p, n) : 0];
    struct txn *t;

    if (!n)
        return;
    t = txn_begin(p->w->vault.engine, one, !of_all || tag == 'N');
    switch (below(p, 4)) {
    case 0:
        txn_put(t, part, row->key, rows[below(p, n)].value);
        break;
    case 1:
        if (row->key.n > 1 && !only_letters)
            txn_put(t, part, changed_bytes(p, row->key, 1), row->value);
        break;
    default:
        txn_put(t, part, row->key, changed_bytes(p, row->value, 0));
    }
    commit(p, &t);
}

/* ---- what is done with it ---- */

static struct cx own_cx(struct play *p)
{
    return (struct cx){.arena = p->w->c.cx.arena};
}

static void read_message(struct message_reader *r, struct cx *cx, struct body_id body)
{
    struct message m = {.body = body};
    struct cold_row row;
    struct str piece;
    uint64_t thread;
    bool found;

    if (!reader_cold(r, cx, body, &row, &found) && found) {
        m.body_size = row.body_size;
        (void)reader_piece(r, cx, &m, 0, &piece);
    }
    (void)reader_thread(r, cx, body, &thread, &found);
}

static void read_mailbox(struct play *p, struct cx *cx, struct view *v, struct mailbox_ref box)
{
    struct message_reader *r = reader_open(v, box.account, below(p, 2));
    struct roster *roster;

    if (below(p, 2))
        reader_mends(r, UINT32_MAX, looks_of_stored);
    if (!roster_get(p->w->vault.store, cx, box.account, box.mailbox, &roster)) {
        struct roster_walk w = roster_walk(roster, NULL);
        const struct roster_entry *entry;

        while ((entry = roster_next(&w)))
            read_message(r, cx, entry->body);
        roster_drop(&roster);
    }
    reader_close(&r);
}

static void read_all(struct play *p)
{
    struct cx cx = own_cx(p);

    for (size_t a = 0; a < ACCOUNTS; a++)
        for (size_t m = 0; m < MAILBOXES; m++) {
            struct view *v = view_open(p->w->vault.engine);

            read_mailbox(p, &cx, v, at(p, a, m));
            view_close(&v);
        }
}

static void change_all(struct play *p)
{
    struct imap_range few = {1, 1 + (uint32_t)below(p, 50)};
    struct imap_set set = {.ranges = &few, .count = 1};
    struct store *s = p->w->vault.store;
    struct cx cx = own_cx(p);
    struct ticket t;

    for (int i = 0; i < 10; i++) {
        struct mailbox_ref from = at(p, below(p, ACCOUNTS), below(p, MAILBOXES)),
                           to = at(p, below(p, ACCOUNTS), below(p, MAILBOXES));
        struct copied c;
        struct removed r;

        (void)(below(p, 2) ? messages_copy : messages_move)(s, &cx, from, &set, to, UINT64_MAX, &c, &t);
        if (!below(p, 3))
            (void)messages_remove(s, &cx, from, &set, false, &r, &t);
    }
    if (!below(p, 3))
        (void)account_delete(s, &cx, p->is.accounts[below(p, ACCOUNTS)], &t);
}

static void collect_some(struct play *p)
{
    struct cx cx = own_cx(p);
    struct collected c = {0};

    for (int i = 0; i < 10; i++)
        (void)collect(p->w->vault.store, &cx, INT64_MAX, &c);
    (void)engine_wait(p->w->vault.engine, &cx, engine_newest(p->w->vault.engine));
}

static void repair_it(struct play *p, bool expect)
{
    struct engine_options options = {0};
    struct engine *e, *spoiled = p->w->vault.engine;
    struct repair_reply reply;
    struct repair *r;
    struct cx cx = own_cx(p);
    enum err err;

    must(p->w, engine_open_memory(&p->w->c.cx, &options, &e));
    r = repair_open(spoiled, e, S("postmaster@acompany.test"));
    do {
        reply = (struct repair_reply){0};
        err = repair_step(r, &cx, &reply);
    } while (!err && !reply.done);
    repair_close(&r);
    p->w->vault.engine = e;
    if (!err && expect)
        expect_order(p);
    else if (!err)
        (void)check_text(p->w);
    p->w->vault.engine = spoiled;
    engine_close(e);
}

void spoil(struct play *p)
{
    struct vault before = p->w->vault;
    struct cx cx = own_cx(p);
    struct engine *e;
    bool only_letters = below(p, 2);

    must(p->w, memory_engine_copy(&cx, before.engine, &e));
    p->w->vault.engine = e;
    for (size_t n = 1 + below(p, ROWS_MOST); n > 0; n--)
        spoil_row(p, only_letters);
    if (!store_open(&cx, e, settings, &p->w->vault.store)) {
        (void)check_text(p->w);
        read_all(p);
        repair_it(p, only_letters);
        change_all(p);
        collect_some(p);
        read_all(p);
        (void)check_text(p->w);
        store_close(p->w->vault.store);
    }
    p->w->vault = before;
    engine_close(e);
}
