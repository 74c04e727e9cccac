#include "vault/store/testing.h"

#include "vault/store/folders_edit.h"
#include "vault/store/roster.h"

#include <stdlib.h>

struct engine *engine;
struct store *store;
struct cx cx;

static const struct config *no_config(void)
{
    return NULL;
}

void must(enum err e)
{
    if (e)
        fail_msg("%s: %s", err_row(e)->name, cx.cause);
}

void durable(enum err e, struct ticket t)
{
    must(e);
    must(engine_wait(engine, &cx, t));
}

int store_set_up(void **state)
{
    const struct part parts[] = {{PART_ACCOUNT, TOM.v}, {PART_ACCOUNT, FRED.v}};
    struct engine_options options = {0};
    struct ticket t;
    struct txn *txn;

    (void)state;
    cx.arena = arena_new(0);
    must(engine_open_memory(&cx, &options, &engine));
    must(store_open(&cx, engine, no_config, &store));
    txn = txn_begin(engine, parts, 2);
    folders_begin(txn, TOM, 1000);
    folders_begin(txn, FRED, 2000);
    durable(txn_commit(&txn, &cx, &t), t);
    return 0;
}

int store_tear_down(void **state)
{
    (void)state;
    store_close(store);
    engine_close(engine);
    arena_free(cx.arena);
    return 0;
}

struct placed deliver(struct account_id account, struct mailbox_id mailbox, uint64_t flags,
                      uint64_t size)
{
    struct txn *txn = txn_begin(engine, &(struct part){PART_ACCOUNT, account.v}, 1);
    struct cold_row looks = {0};
    struct new_email n = {.body = {fresh_id()}, .body_size = size, .flags = flags, .looks = &looks};
    struct placed at;
    struct ticket t;

    must(email_add(txn, &cx, account, mailbox, &n, &at));
    durable(txn_commit(&txn, &cx, &t), t);
    return at;
}

static const char *in_arena(struct buf *b)
{
    const char *c = str_to_c(cx.arena, buf_str(b));

    buf_free(b);
    return c;
}

const char *set_text(const struct imap_set *set)
{
    struct buf b = buf_make(10000);

    for (size_t i = 0; i < set->count; i++) {
        buf_printf(&b, "%s%u", i ? "," : "", set->ranges[i].first);
        if (set->ranges[i].last != set->ranges[i].first)
            buf_printf(&b, ":%u", set->ranges[i].last);
    }
    return in_arena(&b);
}

static void write_flags(struct buf *b, const struct roster *r, uint64_t flags)
{
    static const char *const names[] = {"seen", "answered", "flagged", "deleted", "draft"};

    for (unsigned bit = 0; bit < 64; bit++) {
        if (!(flags >> bit & 1))
            continue;
        if (bit < FLAG_KEYWORD_FIRST)
            buf_printf(b, " %s", bit < 5 ? names[bit] : "?");
        else
            buf_printf(b, " %.*s", STR_ARG(roster_keyword(r, bit)));
    }
}

const char *mailbox_text(struct account_id account, struct mailbox_id mailbox)
{
    struct buf b = buf_make(100000);
    const struct roster_entry *e;
    struct roster_walk w;
    struct roster *r;

    must(roster_get(store, &cx, account, mailbox, &r));
    for (w = roster_walk(r, NULL); (e = roster_next(&w));) {
        buf_printf(&b, "%s%u", b.n ? "; " : "", e->uid);
        write_flags(&b, r, e->flags);
    }
    roster_drop(&r);
    return in_arena(&b);
}

struct account_figures figures_of(struct account_id account)
{
    struct view *v = view_open(engine);
    struct account_figures f;

    must(account_figures(v, &cx, account, &f));
    view_close(&v);
    return f;
}
