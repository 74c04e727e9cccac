/* What befalls the store that twins_test plays with. Each ends with a store that is open. */
#include "vault/admin/twins_model.h"

#include "base/arena.h"
#include "base/clock.h"
#include "vault/admin/repair.h"
#include "vault/store/collect.h"
#include "vault/store/directory.h"
#include "vault/store/renew.h"

#include <inttypes.h>
#include <stdlib.h>

void cut_power_soon(struct play *p, uint64_t commits, bool keep)
{
    memory_engine_cut_power_at_commit(p->w->vault.engine, commits, keep);
}

void start_again(struct play *p)
{
    memory_engine_cut_power_at_commit(p->w->vault.engine, 0, 0); /* if it has not come to that */
    engine_tend(p->w->vault.engine);
    assert_true(engine_is_open(p->w->vault.engine));
}

/* ---- the collector, and what opens the store anew ---- */

void go_round(struct play *p)
{
    struct collected c = {0};

    if (!below(p, 3)) {
        cut_power_soon(p, 1 + below(p, 3), below(p, 2));
        (void)collect(p->w->vault.store, &p->w->c.cx, INT64_MAX, &c);
        start_again(p);
        expect_order(p);
    }
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

void reopen(struct play *p)
{
    open_anew(p, p->w->vault.engine);
}

static void repair_it(struct play *p, bool was_damaged)
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
        if (reply.found_count && !was_damaged)
            fail_msg("step %" PRIu64 ": repair found %.*s", p->step, STR_ARG(reply.found[0].text));
    } while (!reply.done);
    repair_close(&r);
    open_anew(p, e);
    forget_threads(p); /* what waited for the collector is not there */
}

void repair(struct play *p)
{
    repair_it(p, false);
}

/* ---- damage ---- */

/* The key of one of the rows of [from, to), at random; empty: there is none. */
static void choose_row(struct play *p, struct part part, struct str from, struct str to,
                       struct buf *out)
{
    size_t n = count_rows(p, part, from, to), chosen = n ? below(p, n) : 0;
    struct view *v = view_open(p->w->vault.engine);
    struct scan *scan;
    struct str key, value;

    must(p->w, view_scan(v, &p->w->c.cx, part, from, to, false, &scan));
    for (size_t i = 0; scan_next(scan, &key, &value); i++)
        if (i == chosen)
            buf_add(out, key);
    scan_close(&scan);
    view_close(&v);
}

/* For a newer view. */
static void flush(struct play *p)
{
    struct txn *t = txn_begin(p->w->vault.engine, NULL, 0);

    trace_put(t, &(struct trace_event){.kind = TRACE_RETRIED});
    commit(p, &t);
}

/* A row without which nothing is lost, for others tell what it did. */
void damage_and_repair(struct play *p)
{
    struct account_id account = p->is.accounts[below(p, ACCOUNTS)];
    const struct {
        struct part part;
        struct str from, to;
    } kinds[] = {
        {body_part(NO_ACCOUNT), S("b"), S("c")}, {ref_part(NO_ACCOUNT), S("r"), S("s")},
        {ref_part(NO_ACCOUNT), S("r"), S("s")},  {link_part(account), S("k"), S("l")},
        {state_part(account), S("s"), S("t")},   {name_part(account), S("i"), S("j")},
    };
    size_t kind = below(p, sizeof(kinds) / sizeof(*kinds));
    struct buf key = buf_make(ENGINE_MAX_KEY);

    choose_row(p, kinds[kind].part, kinds[kind].from, kinds[kind].to, &key);
    if (key.n) {
        memory_engine_damage(p->w->vault.engine, kinds[kind].part, buf_str(&key));
        flush(p);
        repair_it(p, true);
        expect_order(p);
    }
    buf_free(&key);
}

/* ---- backups ---- */

static void copy_state(const struct play *p, struct state *to, const struct state *from)
{
    struct state copy = *from;

    for (size_t a = 0; a < ACCOUNTS; a++) {
        copy.threads[a] = to->threads[a];
        memcpy(copy.threads[a], from->threads[a], p->most_letters * sizeof(uint64_t));
    }
    *to = copy;
}

void back_up(struct play *p)
{
    engine_close(p->backup);
    must(p->w, memory_engine_copy(&p->w->c.cx, p->w->vault.engine, &p->backup));
    copy_state(p, &p->was, &p->is);
}

/* As `posthorn restore` does it (restore.c), with the queue kept. */
void restore(struct play *p)
{
    struct store *s;
    struct cx *cx = &p->w->c.cx;
    struct engine *e;
    struct ticket t;
    uint64_t mailboxes = 0;

    if (!p->backup)
        return;
    must(p->w, memory_engine_copy(cx, p->backup, &e));
    open_anew(p, e);
    copy_state(p, &p->is, &p->was);
    s = p->w->vault.store;
    durable(p->w, directory_renew(s, cx, now_ms(), &t), t);
    for (size_t a = 0; a < ACCOUNTS; a++)
        durable(p->w, account_renew(s, cx, p->is.accounts[a], now_ms(), &mailboxes, &t), t);
}

/* ---- accounts ---- */

void renew_account(struct play *p)
{
    size_t account = below(p, ACCOUNTS);
    struct ticket t;

    durable(p->w, account_delete(p->w->vault.store, &p->w->c.cx, p->is.accounts[account], &t), t);
    make_account(p, account);
}
