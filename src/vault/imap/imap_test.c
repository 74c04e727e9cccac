/* IMAP after sign-on, on a real store over the memory engine. Most of it is in conversations/. Each begins with fred
 * signed on ("a0"), whose greeting is checked and not repeated there; the files' own words:
 *
 *   mail: Subject: hi\r\n\r\nbody\r\n   such a message comes into fred's INBOX
 *   prefix: Return-Path: <>\r\n         and the next ones begin with this
 *   big: 300000                         one with so many octets of body, in lines of 50
 *   other: a SELECT INBOX\r\n…          another session of fred's, from beginning to end; what it hears is not looked at
 *   tom: a SELECT INBOX\r\n…            a session of tom's, likewise
 *   as: tom                             the session that speaks is tom's from now on
 *   gone:                               the connection breaks; the next C: signs on once more
 *   timeout:                            the client was silent for too long
 *   damage: 2                           the second message's body cannot be read any more
 *   power: 0                            the next flush fails */
#include "vault/imap/imap.h"

#include "base/arena.h"
#include "base/log.h"
#include "config/config.h"
#include "mail/mime.h"
#include "testing/conversation.h"
#include "vault/accept/looks.h"
#include "vault/engine/memory.h"
#include "vault/store/body.h"
#include "vault/store/directory.h"
#include "vault/store/email.h"
#include "vault/store/mailbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct cx cx;
static struct config config = {.postmaster = {"postmaster@acompany.test", 24},
                               .scram = true,
                               .limits = {.errors = 5, .message_size = 50 << 20}};
static struct engine *engine;
static struct store *store;
static struct account_id fred, tom;
static struct buf prefix;

static const struct config *settings(void)
{
    return &config;
}

/* ---- the store ---- */

static struct account_id make_account(struct str address)
{
    struct new_account n = {.address = address};
    struct account_id id;
    struct ticket ticket;

    assert_int_equal(account_create(store, &cx, &n, &id, &ticket), OK);
    assert_int_equal(engine_wait(engine, &cx, ticket), OK);
    return id;
}

static void store_start(void)
{
    struct ticket ticket;

    assert_int_equal(engine_open_memory(&cx, &(struct engine_options){0}, &engine), OK);
    assert_int_equal(store_open(&cx, engine, settings, &store), OK);
    assert_int_equal(domain_create(store, &cx, S("acompany.test"), &ticket), OK);
    fred = make_account(S("fred@acompany.test"));
    tom = make_account(S("tom@acompany.test"));
    prefix = buf_make(1000);
}

static void store_stop(void)
{
    store_close(store);
    engine_close(engine);
    buf_free(&prefix);
    arena_reset(cx.arena);
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
    parts = arena_array(cx.arena, struct body_part, m.count);
    for (size_t i = 0; i < m.count; i++)
        parts[i] = (struct body_part){.parent = m.parts[i].parent,
                                      .start = m.parts[i].start,
                                      .body = m.parts[i].body,
                                      .end = m.parts[i].end,
                                      .lines = m.parts[i].lines,
                                      .kind = m.parts[i].kind};
    assert_int_equal(looks_of_new(t, &cx, id, ahead, last, parts, m.count, &looks, &facts), OK);
    mime_free(&m);
    return looks;
}

static void add_mail(struct str text)
{
    struct part part = {PART_ACCOUNT, fred.v};
    struct txn *t = txn_begin(engine, &part, 1);
    struct new_body b = {.id = {fresh_id()}, .size = text.n};
    struct cold_row looks;
    struct new_email n = {.body = b.id,
                          .body_size = text.n,
                          .prefix = buf_str(&prefix),
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
    assert_int_equal(email_add(t, &cx, fred, INBOX, &n, &placed), OK);
    assert_int_equal(txn_commit(&t, &cx, &ticket), OK);
    assert_int_equal(engine_wait(engine, &cx, ticket), OK);
}

static void add_big(uint64_t size)
{
    struct buf b = buf_make(BUF_UNLIMITED);

    buf_add(&b, S("Subject: big\r\n\r\n"));
    while (b.n < size)
        buf_add(&b, S(".23456789 123456789 123456789 123456789 12345678\r\n"));
    b.n = size;
    add_mail(buf_str(&b));
    buf_free(&b);
}

/* ---- a session, driven as attached.c drives it ---- */

struct driven {
    struct session s;
    enum session_wish wish;
    bool is_open;
    uint64_t seen; /* what was durable when it was last woken */
};

static struct driven driven;
static struct account_id speaker;

static void pass_on(struct driven *d, struct buf *replies)
{
    if (!d->s.ticket.v || !engine_wait(engine, &cx, d->s.ticket))
        buf_add(replies, buf_str(&d->s.out));
    else
        d->wish = SESSION_CLOSE; /* lost: not a word */
    d->s.ticket = (struct ticket){0};
    assert_false(d->s.out.full);
    buf_free(&d->s.out);
    arena_release(d->s.cx.arena);
}

static void session_open(struct driven *d, struct buf *replies)
{
    struct buf greeting = buf_make(BUF_UNLIMITED);

    (void)replies;
    if (d->is_open)
        return;
    d->s = (struct session){.cx = {.arena = arena_new(0)},
                            .store = store,
                            .tag = S("a0"),
                            .who = {.account = speaker, .client = "192.0.2.1"},
                            .out = buf_make(SESSION_OUT + (1 << 20))};
    d->is_open = true;
    d->wish = imap_session.open(&d->s) ? SESSION_CLOSE : SESSION_MORE;
    pass_on(d, &greeting);
    assert_true(str_starts(buf_str(&greeting), S("a0 OK [CAPABILITY IMAP4rev")));
    assert_true(str_ends_nocase(buf_str(&greeting), S("] signed on\r\n")));
    buf_free(&greeting);
}

static void session_close(struct driven *d)
{
    if (!d->is_open)
        return;
    if (d->s.core)
        imap_session.close(&d->s);
    buf_free(&d->s.out);
    arena_free(d->s.cx.arena);
    d->is_open = false;
}

static void go_on(struct driven *d, struct buf *replies)
{
    for (;;) {
        pass_on(d, replies);
        if (d->wish == SESSION_COMPRESS)
            d->wish = SESSION_MORE;
        if (d->wish != SESSION_WRITE && d->wish != SESSION_LONG)
            break;
        d->wish = imap_session.more(&d->s);
    }
}

static void wake(struct driven *d, struct buf *replies)
{
    if (!d->is_open || d->wish != SESSION_MORE || !d->s.watched_count)
        return;
    d->s.watch_changed = false;
    d->wish = imap_session.woken(&d->s);
    go_on(d, replies);
}

static void feed_to(struct driven *d, struct str *in, struct buf *replies)
{
    session_open(d, replies);
    if (d->wish == SESSION_MORE && in->n)
        d->wish = imap_session.feed(&d->s, in);
    go_on(d, replies);
    if (d->s.watch_changed) /* as after each new choice */
        wake(d, replies);
}

static void feed(struct str *in, struct buf *replies)
{
    feed_to(&driven, in, replies);
}

/* ---- words ---- */

static void other_session(struct account_id who, struct str said)
{
    struct driven other = {.is_open = false};
    struct account_id before = speaker;
    struct buf replies = buf_make(BUF_UNLIMITED);
    struct str in = said;

    speaker = who;
    while (in.n && !(other.is_open && other.wish == SESSION_CLOSE))
        feed_to(&other, &in, &replies);
    session_close(&other);
    buf_free(&replies);
    speaker = before;
}

static void damage(uint64_t number)
{
    struct buf key = buf_make(100);
    struct view *v = view_open(engine);
    struct listed *list;
    size_t n, damaged;

    assert_int_equal(mailbox_list(v, &cx, fred, INBOX, 0, &list, &n, &damaged), OK);
    assert_true(number >= 1 && number <= n);
    piece_key_pack(&key, &(struct piece_key){.body = list[number - 1].body.v});
    memory_engine_damage(engine, piece_part(NO_ACCOUNT), buf_str(&key));
    free(list);
    view_close(&v);
    buf_free(&key);
    buf_clear(&prefix);
    add_mail(S("Subject: flushes\r\n\r\n")); /* later views see the damage */
}

static bool own_word(struct str word, struct str value, struct buf *replies)
{
    struct buf text = buf_make(BUF_UNLIMITED);
    uint64_t n = 0;
    bool known = true;

    parse_u64(value, &n);
    add_unescaped(&text, value);
    if (str_same(word, S("mail"))) {
        add_mail(buf_str(&text));
    } else if (str_same(word, S("prefix"))) {
        buf_clear(&prefix);
        buf_add(&prefix, buf_str(&text));
    } else if (str_same(word, S("big"))) {
        add_big(n);
    } else if (str_same(word, S("other"))) {
        other_session(fred, buf_str(&text));
    } else if (str_same(word, S("tom"))) {
        other_session(tom, buf_str(&text));
    } else if (str_same(word, S("as"))) {
        session_close(&driven);
        speaker = str_same(value, S("tom")) ? tom : fred;
    } else if (str_same(word, S("gone"))) {
        session_close(&driven);
    } else if (str_same(word, S("timeout"))) {
        imap_session.last_words(&driven.s, ERR_TIMEOUT);
        driven.wish = SESSION_CLOSE;
        pass_on(&driven, replies);
    } else if (str_same(word, S("damage"))) {
        damage(n);
    } else if (str_same(word, S("power"))) {
        memory_engine_fail_next_flush(engine);
    } else {
        known = false;
    }
    wake(&driven, replies);
    buf_free(&text);
    return known;
}

static void begin(void)
{
    store_start();
    speaker = fred;
}

static bool end(void)
{
    session_close(&driven);
    store_stop();
    return true;
}

static bool is_closed(void)
{
    return driven.is_open && (driven.wish == SESSION_CLOSE || driven.wish == SESSION_SIGN_OFF);
}

static const char *folder = "conversations";

static void test_conversations(void **state)
{
    const struct conversation_core core = {begin, feed, is_closed, own_word, end};

    (void)state;
    assert_int_equal(conversations_run(folder, &core), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conversations),
    };

    if (argc > 1)
        folder = argv[1];
    cx.arena = arena_new(0);
    log_start("imap-test", LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
