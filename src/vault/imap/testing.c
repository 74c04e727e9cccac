#include "vault/imap/testing.h"

#include "base/arena.h"
#include "config/config.h"
#include "mail/mime.h"
#include "rpc/parts.h"
#include "vault/accept/looks.h"
#include "vault/engine/memory.h"
#include "vault/store/body.h"
#include "vault/store/directory.h"
#include "vault/store/email.h"
#include "vault/store/mailbox.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

struct world world;

static struct config config = {.postmaster = {"postmaster@acompany.test", 24},
                               .scram = true,
                               .imap_unauthenticate = true,
                               .limits = {.errors = 5, .message_size = 50 << 20}};

static const struct config *settings(void)
{
    return &config;
}

static void must(enum err e)
{
    assert(!e);
}

/* ---- the store ---- */

static struct account_id make_account(struct str address)
{
    struct new_account n = {.address = address};
    struct account_id id;
    struct ticket ticket;

    must(account_create(world.store, &world.cx, &n, &id, &ticket));
    must(engine_wait(world.engine, &world.cx, ticket));
    return id;
}

void world_limit(uint32_t messages)
{
    config.limits.imap_messages = messages;
}

void world_unauthenticate(bool on)
{
    config.imap_unauthenticate = on;
}

void world_8bit_headers(bool taken)
{
    config.imap_8bit_headers = taken;
}

void world_quota(struct account_id account, const struct amount *limit)
{
    struct account_key key = {.account = account.v};
    struct txn *t = txn_begin(world.engine, &(struct part){PART_DIRECTORY, 0}, 1);
    struct account_row row;
    struct ticket ticket;
    bool found;

    must(account_row_txn(t, &world.cx, NO_ACCOUNT, &key, &row, &found));
    row.limit = *limit;
    account_row_put(t, NO_ACCOUNT, &key, &row);
    must(txn_commit(&t, &world.cx, &ticket));
    must(engine_wait(world.engine, &world.cx, ticket));
}

void world_uid_validity(uint32_t v)
{
    struct mailbox_key key = {.mailbox = INBOX.v};
    struct txn *t = txn_begin(world.engine, &(struct part){PART_ACCOUNT, world.fred.v}, 1);
    struct mailbox_row row;
    struct ticket ticket;
    bool found;

    must(mailbox_row_txn(t, &world.cx, world.fred, &key, &row, &found));
    row.uid_validity = v;
    mailbox_row_put(t, world.fred, &key, &row);
    must(txn_commit(&t, &world.cx, &ticket));
    must(engine_wait(world.engine, &world.cx, ticket));
}

/* It stands still but in the long lane, where a turn is over after the first piece of work. */
static struct {
    atomic_llong ms;
    uint32_t turn, look;
} slow;

static int64_t slow_clock(void)
{
    return atomic_fetch_add(&slow.ms, slow.look);
}

void world_slow(uint32_t ms)
{
    slow.turn = ms;
    imap_set_clock(ms ? slow_clock : NULL);
}

static void slow_turn_begins(bool is_long)
{
    slow.look = is_long ? SESSION_LONG_TURN_MS - 1 : 0;
    if (is_long)
        atomic_fetch_add(&slow.ms, slow.turn);
}

static void open_world(void)
{
    world_slow(0);
    world_limit(0);
    world_unauthenticate(true);
    world_8bit_headers(false);
    must(store_open(&world.cx, world.engine, settings, &world.store));
    world.prefix = buf_make(1000);
}

void world_start(void)
{
    struct ticket ticket;

    must(engine_open_memory(&world.cx, &(struct engine_options){0}, &world.engine));
    open_world();
    must(domain_create(world.store, &world.cx, S("acompany.test"), &ticket));
    world.fred = make_account(S("fred@acompany.test"));
    world.tom = make_account(S("tom@acompany.test"));
}

static void close_world(void)
{
    store_close(world.store);
    buf_free(&world.prefix);
    arena_reset(world.cx.arena);
}

void world_stop(void)
{
    close_world();
    engine_close(world.engine);
}

static struct engine *kept;

void world_keep(void)
{
    close_world();
    kept = world.engine;
}

void world_start_again(void)
{
    must(memory_engine_copy(&world.cx, kept, &world.engine));
    open_world();
}

/* As a gate sends it along, and accept/ looks at it. */
static struct cold_row looks_of_mail(struct txn *t, struct body_id id, uint32_t ahead, struct str last,
                                     struct str text)
{
    struct mime m = mime_make();
    struct body_part *parts;
    struct cold_row looks = {0};
    struct str facts;

    mime_feed(&m, text);
    mime_end(&m);
    parts = body_parts_of(world.cx.arena, m.parts, m.count);
    must(looks_of_new(t, &world.cx, id, ahead, last, parts, m.count, &looks, &facts));
    mime_free(&m);
    return looks;
}

void world_mail(struct str text)
{
    struct part part = {PART_ACCOUNT, world.fred.v};
    struct txn *t = txn_begin(world.engine, &part, 1);
    struct new_body b = {.id = {fresh_id()}, .size = text.n};
    struct cold_row looks;
    struct new_email n = {.body = b.id,
                          .body_size = text.n,
                          .prefix = buf_str(&world.prefix),
                          .internal_date = 1000000000000,
                          .received = 1000000000000,
                          .looks = &looks};
    struct placed placed;
    struct ticket ticket;

    digest_of(text, b.sha256);
    b.last = text;
    while (b.last.n > BODY_PIECE) {
        body_put_ahead(t, b.id, b.ahead++, str_upto(b.last, BODY_PIECE));
        b.last = str_from(b.last, BODY_PIECE);
    }
    looks = looks_of_mail(t, b.id, b.ahead, b.last, text);
    body_put(t, &b);
    must(email_add(t, &world.cx, world.fred, INBOX, &n, &placed));
    must(txn_commit(&t, &world.cx, &ticket));
    must(engine_wait(world.engine, &world.cx, ticket));
}

void world_big_mail(uint64_t size)
{
    struct buf b = buf_make(BUF_UNLIMITED);

    buf_add(&b, S("Subject: big\r\n\r\n"));
    while (b.n < size)
        buf_add(&b, S(".23456789 123456789 123456789 123456789 12345678\r\n"));
    b.n = size;
    world_mail(buf_str(&b));
    buf_free(&b);
}

void world_swollen_mail(uint64_t parts, uint64_t senders)
{
    struct buf b = buf_make(BUF_UNLIMITED);

    buf_add(&b, S("Subject: swollen\r\nContent-Type: multipart/mixed; boundary=b\r\nFrom: c@d"));
    for (uint64_t k = 0; k < senders; k++)
        buf_add(&b, S(",a"));
    buf_add(&b, S("\r\n\r\n"));
    for (uint64_t k = 0; k < parts; k++) {
        buf_add(&b, S("--b\r\nContent-Type: text/plain; a=b"));
        for (unsigned n = 0; n < 400; n++)
            buf_printf(&b, "; p%u=%0150u", n, n);
        buf_add(&b, S("\r\n\r\nhi\r\n"));
    }
    buf_add(&b, S("--b--\r\n"));
    world_mail(buf_str(&b));
    buf_free(&b);
}

void world_damage(uint64_t number, bool looks)
{
    struct buf key = buf_make(100);
    struct view *v = view_open(world.engine);
    struct listed *list;
    size_t n, damaged;

    must(mailbox_list(v, &world.cx, world.fred, INBOX, 0, &list, &n, &damaged));
    assert(number >= 1 && number <= n);
    if (looks)
        cold_key_pack(&key, &(struct cold_key){.body = list[number - 1].body.v});
    else
        piece_key_pack(&key, &(struct piece_key){.body = list[number - 1].body.v});
    memory_engine_damage(world.engine, looks ? cold_part(world.fred) : piece_part(NO_ACCOUNT),
                         buf_str(&key));
    free(list);
    view_close(&v);
    buf_free(&key);
    buf_clear(&world.prefix);
    world_mail(S("Subject: flushes\r\n\r\n")); /* later views see the damage */
}

/* ---- a session, driven as attached.c drives it ---- */

void driven_pass_on(struct driven *d, struct buf *replies)
{
    if (!d->s.ticket.v || !engine_wait(world.engine, &world.cx, d->s.ticket))
        buf_add(replies, buf_str(&d->s.out));
    else
        d->wish = SESSION_CLOSE; /* lost: not a word */
    d->s.ticket = (struct ticket){0};
    assert(!d->s.out.full);
    arena_reset(d->s.cx->arena);
    if (d->wish == SESSION_MORE)
        session_rest(&d->s);
    buf_clear(&d->s.out);
}

static void session_open(struct driven *d)
{
    struct buf greeting = buf_make(BUF_UNLIMITED);

    if (d->is_open)
        return;
    d->s = (struct session){.store = world.store,
                            .tag = S("a0"),
                            .who = {.account = d->who, .client = "192.0.2.1"},
                            .out = buf_make(SESSION_OUT + SESSION_LEAP)};
    d->is_open = true;
    session_begin(&d->s);
    d->wish = imap_session.open(&d->s) ? SESSION_CLOSE : SESSION_MORE;
    driven_pass_on(d, &greeting);
    assert(str_starts(buf_str(&greeting), S("a0 OK [CAPABILITY IMAP4rev")));
    assert(str_ends_nocase(buf_str(&greeting), S("] signed on\r\n")));
    buf_free(&greeting);
}

void driven_close(struct driven *d)
{
    if (!d->is_open)
        return;
    session_begin(&d->s);
    if (d->s.core)
        imap_session.close(&d->s);
    session_rest(&d->s);
    d->is_open = false;
}

static void go_on(struct driven *d, struct buf *replies)
{
    for (;;) {
        driven_pass_on(d, replies);
        if (d->wish == SESSION_COMPRESS)
            d->wish = SESSION_MORE;
        if (d->wish != SESSION_WRITE && d->wish != SESSION_LONG)
            break;
        slow_turn_begins(d->wish == SESSION_LONG);
        session_begin(&d->s);
        d->wish = imap_session.more(&d->s);
    }
}

void driven_wake(struct driven *d, struct buf *replies)
{
    if (!d->is_open || d->wish != SESSION_MORE || !d->s.watched_count)
        return;
    d->s.watch_changed = false;
    session_begin(&d->s);
    d->wish = imap_session.woken(&d->s);
    go_on(d, replies);
}

void driven_feed(struct driven *d, struct str *in, struct buf *replies)
{
    bool
        goes_on; /* its turn was over, on a slow machine before it took a byte: what is left comes again */

    session_open(d);
    do {
        session_begin(&d->s);
        slow_turn_begins(false);
        if (d->wish == SESSION_MORE && in->n)
            d->wish = imap_session.feed(&d->s, in);
        goes_on = d->wish == SESSION_WRITE;
        go_on(d, replies);
    } while (goes_on && d->wish == SESSION_MORE && in->n);
    if (d->s.watch_changed) /* as after each new choice */
        driven_wake(d, replies);
}
