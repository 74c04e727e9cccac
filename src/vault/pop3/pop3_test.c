/* POP3 after sign-on, on a real store over the memory engine. Most of it is in conversations/; their own words:
 *
 *   mail: Subject: hi\r\n\r\nbody\r\n   such a message comes into the mailbox
 *   prefix: Return-Path: <>\r\n         and the next ones begin with this
 *   big: 300000                         one with so many octets of body, in lines of 50
 *   utf8:                               UTF8 mode was chosen before sign-on
 *   gone:                               the connection breaks
 *   again:                              somebody signs on once more
 *   other: DELE 1\r\nQUIT\r\n           another session on the same mailbox, from beginning to end
 *   damage: 2                           the second message's body cannot be read any more
 *   damage-row: 2                       nor its cold row
 *   power: 0                            the next flush fails
 *   collected: 1                        the first message's body was deleted by the collector */
#include "vault/pop3/pop3.h"

#include "base/arena.h"
#include "base/log.h"
#include "config/config.h"
#include "testing/conversation.h"
#include "vault/engine/memory.h"
#include "vault/pop3/surrogate.h"
#include "vault/store/body.h"
#include "vault/store/directory.h"
#include "vault/store/email.h"
#include "vault/store/ranges.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct cx cx;
static struct config config = {
    .postmaster = {"postmaster@acompany.test", 24}, .scram = true, .limits = {.errors = 5}};
static struct engine *engine;
static struct store *store;
static struct account_id fred;
static struct buf prefix;

static const struct config *settings(void)
{
    return &config;
}

/* ---- the store ---- */

static void store_start(void)
{
    struct new_account n = {.address = S("fred@acompany.test")};
    struct ticket ticket = {0};

    assert_int_equal(engine_open_memory(&cx, &(struct engine_options){0}, &engine), OK);
    assert_int_equal(store_open(&cx, engine, settings, &store), OK);
    assert_int_equal(domain_create(store, &cx, S("acompany.test"), &ticket), OK);
    assert_int_equal(account_create(store, &cx, &n, &fred, &ticket), OK);
    assert_int_equal(engine_wait(engine, &cx, ticket), OK);
    prefix = buf_make(1000);
}

static void store_stop(void)
{
    store_close(store);
    engine_close(engine);
    buf_free(&prefix);
    arena_reset(cx.arena);
}

static void add_mail(struct str text)
{
    struct part part = {PART_ACCOUNT, fred.v};
    struct txn *t = txn_begin(engine, &part, 1);
    struct cold_row looks = {0};
    struct body_id body = {fresh_id()};
    struct new_body b = {.id = body, .size = text.n};
    struct new_email n = {
        .body = body, .body_size = text.n, .prefix = buf_str(&prefix), .looks = &looks};
    struct placed placed;
    struct ticket ticket;

    while (text.n > BODY_PIECE) {
        body_put_ahead(t, body, b.ahead++, str_upto(text, BODY_PIECE));
        text = str_from(text, BODY_PIECE);
    }
    b.last = text;
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

static struct listed listed_at(uint64_t number)
{
    struct view *v = view_open(engine);
    struct listed *list, found = {0};
    size_t n, damaged;

    assert_int_equal(mailbox_list(v, &cx, fred, INBOX, 0, &list, &n, &damaged), OK);
    if (number <= n)
        found = list[number - 1];
    free(list);
    view_close(&v);
    return found;
}

/* ---- a session, driven as attached.c drives it ---- */

static struct session session;
static enum session_wish wish;
static bool is_open;
static uint32_t modes;

static void pass_on(struct buf *replies)
{
    if (!session.ticket.v || !engine_wait(engine, &cx, session.ticket))
        buf_add(replies, buf_str(&session.out));
    else
        wish = SESSION_CLOSE; /* lost: not a word */
    session.ticket = (struct ticket){0};
    assert_false(session.out.full);
    session_rest(&session);
}

static void session_open(struct buf *replies)
{
    if (is_open)
        return;
    session = (struct session){.store = store,
                               .who = {.account = fred, .client = "192.0.2.1"},
                               .modes = modes,
                               .out = buf_make(SESSION_OUT + (1 << 20))};
    is_open = true;
    session_begin(&session);
    wish = pop3_session.open(&session) ? SESSION_CLOSE : SESSION_MORE;
    pass_on(replies);
}

static void session_close(void)
{
    if (!is_open)
        return;
    session_begin(&session);
    if (session.core)
        pop3_session.close(&session);
    session_rest(&session);
    is_open = false;
}

static void feed(struct str *in, struct buf *replies)
{
    session_open(replies);
    session_begin(&session);
    if (wish == SESSION_MORE && in->n)
        wish = pop3_session.feed(&session, in);
    pass_on(replies);
    while (wish == SESSION_WRITE) {
        session_begin(&session);
        wish = pop3_session.more(&session);
        pass_on(replies);
    }
}

/* ---- words ---- */

static void other_session(struct str value)
{
    struct session first = session;
    enum session_wish first_wish = wish;
    bool first_open = is_open;
    struct buf bytes = buf_make(10000), replies = buf_make(BUF_UNLIMITED);
    struct str in;

    add_unescaped(&bytes, value);
    in = buf_str(&bytes);
    is_open = false;
    while (in.n && !(is_open && wish == SESSION_CLOSE))
        feed(&in, &replies);
    session_close();
    buf_free(&bytes);
    buf_free(&replies);
    session = first;
    wish = first_wish;
    is_open = first_open;
}

static void damage(struct str value, bool row)
{
    struct buf key = buf_make(100);
    struct listed l;
    uint64_t number = 0;

    parse_u64(value, &number);
    l = listed_at(number);
    if (row)
        cold_key_pack(&key, &(struct cold_key){.body = l.body.v});
    else
        piece_key_pack(&key, &(struct piece_key){.body = l.body.v, .n = l.size > BODY_PIECE});
    memory_engine_damage(engine, row ? cold_part(fred) : piece_part(NO_ACCOUNT), buf_str(&key));
    buf_free(&key);
    buf_clear(&prefix);
    add_mail(S("Subject: flushes\r\n\r\n")); /* later views see the damage */
}

static void collect(struct str value)
{
    struct txn *t = txn_begin(engine, NULL, 0);
    struct ticket ticket;
    uint64_t number = 0;

    parse_u64(value, &number);
    piece_row_delete(t, NO_ACCOUNT, &(struct piece_key){.body = listed_at(number).body.v});
    assert_int_equal(txn_commit(&t, &cx, &ticket), OK);
    assert_int_equal(engine_wait(engine, &cx, ticket), OK);
}

static bool own_word(struct str word, struct str value, struct buf *replies)
{
    struct buf text = buf_make(BUF_UNLIMITED);
    uint64_t n = 0;

    (void)replies;
    parse_u64(value, &n);
    add_unescaped(&text, value);
    if (str_same(word, S("mail")) || str_same(word, S("m"))) {
        add_mail(buf_str(&text));
    } else if (str_same(word, S("prefix"))) {
        buf_clear(&prefix);
        buf_add(&prefix, buf_str(&text));
    } else if (str_same(word, S("big"))) {
        add_big(n);
    } else if (str_same(word, S("utf8"))) {
        modes = MODE_UTF8;
    } else if (str_same(word, S("gone")) || str_same(word, S("again"))) {
        session_close();
    } else if (str_same(word, S("other"))) {
        other_session(value);
    } else if (str_same(word, S("damage")) || str_same(word, S("damage-row"))) {
        damage(value, word.n > 6);
    } else if (str_same(word, S("collected"))) {
        collect(value);
    } else if (str_same(word, S("power"))) {
        memory_engine_fail_next_flush(engine);
    } else {
        return false;
    }
    buf_free(&text);
    return true;
}

static void begin(void)
{
    modes = 0;
    store_start();
}

static bool end(void)
{
    session_close();
    store_stop();
    return true;
}

static bool is_closed(void)
{
    return is_open && wish == SESSION_CLOSE;
}

static const char *folder = "conversations";

static void test_conversations(void **state)
{
    const struct conversation_core core = {begin, feed, is_closed, own_word, end};

    (void)state;
    assert_int_equal(conversations_run(folder, &core), 0);
}

/* ---- what is too long for a conversation ---- */

/* RFC 1939 §5: STAT and LIST of very many; nothing of their bodies is read, for there are none. */
static void test_many_messages(void **state)
{
    enum { MANY = 100000 };
    struct buf replies = buf_make(BUF_UNLIMITED);
    struct part part = {PART_ACCOUNT, 0};
    struct cold_row looks = {0};
    struct ticket ticket;
    struct str in, line, all;
    size_t lines = 0;
    struct txn *t;

    (void)state;
    begin();
    part.id = fred.v;
    t = txn_begin(engine, &part, 1);
    for (uint64_t i = 0; i < MANY; i++) {
        struct new_email n = {.body = {i + 1}, .body_size = 1000, .looks = &looks};
        struct placed placed;

        assert_int_equal(email_add(t, &cx, fred, INBOX, &n, &placed), OK);
        arena_reset(cx.arena);
    }
    assert_int_equal(txn_commit(&t, &cx, &ticket), OK);
    assert_int_equal(engine_wait(engine, &cx, ticket), OK);
    in = S("STAT\r\nLIST\r\nUIDL\r\n");
    while (in.n)
        feed(&in, &replies);
    all = buf_str(&replies);
    assert_true(take_until(&all, '\n', &line));
    assert_true(str_same(line, S("+OK 100000 messages (100000000 octets)\r")));
    assert_true(take_until(&all, '\n', &line));
    assert_true(str_same(line, S("+OK 100000 100000000\r")));
    while (take_until(&all, '\n', &line))
        lines++;
    assert_int_equal(lines, 2 * (MANY + 2));
    buf_free(&replies);
    end();
}

/* A deletion of every second one of many is still one transaction, and its entry in the log can be read. */
static void test_many_deletions(void **state)
{
    enum { MANY = 5000 };
    struct buf replies = buf_make(BUF_UNLIMITED), said = buf_make(BUF_UNLIMITED);
    struct state_row row;
    struct change_row change;
    struct ranges removed;
    struct view *v;
    struct str in;
    bool found;

    (void)state;
    begin();
    for (int i = 0; i < MANY; i++)
        add_mail(S("Subject: one of many\r\n\r\n"));
    for (int i = 1; i <= MANY; i += 2)
        buf_printf(&said, "DELE %d\r\n", i);
    buf_add(&said, S("QUIT\r\n"));
    in = buf_str(&said);
    while (in.n)
        feed(&in, &replies);
    assert_true(str_ends_nocase(buf_str(&replies), S("+OK bye\r\n")));
    v = view_open(engine);
    assert_int_equal(account_used(v, &cx, fred, &row, &found), OK);
    assert_int_equal(row.used.messages, MANY / 2);
    assert_int_equal(
        change_row_view(v, &cx, fred, &(struct change_key){.modseq = row.modseq}, &change, &found), OK);
    assert_true(found);
    assert_int_equal(change.items_count, 1);
    assert_true(ranges_unpack(cx.arena, change.items[0].what, &removed));
    assert_int_equal(removed.n, MANY / 2);
    view_close(&v);
    buf_free(&said);
    buf_free(&replies);
    end();
}

static const struct {
    const char *header, *expected, *why;
} surrogates[] = {
    {"Subject: hi\r\n", "Subject: hi\r\n", "ASCII stays"},
    {"Subject: Gr\xc3\xbc\xc3\x9f"
     "e\r\n",
     "Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=\r\n", "a word"},
    {"From: J\xc3\xb6rg <j\xc3\xb6rg@\xc3\xbc.test>\r\n",
     "From: =?UTF-8?Q?J=C3=B6rg?= <=?UTF-8?Q?j=C3=B6rg?=@=?UTF-8?Q?=C3=BC=2Etest?=>\r\n", "an address"},
    {"X: \xff\xc3\r\n", "X: =?UTF-8?Q?=3F=3F?=\r\n", "no UTF-8"},
    {"X: "
     "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac"
     "\r\n",
     "X: =?UTF-8?Q?=E6=97=A5=E6=9C=AC=E8=AA=9E=E6=97=A5=E6=9C=AC=E8=AA=9E=E6=97=A5?= "
     "=?UTF-8?Q?=E6=9C=AC?=\r\n",
     "too long for one encoded word, and no character is cut"},
};

static void test_surrogates(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(surrogates) / sizeof(*surrogates); i++) {
        struct str in = str_from_c(surrogates[i].header);
        struct buf out = buf_make(SURROGATE_MAX(in.n));

        surrogate_write(&out, in);
        if (!str_same(buf_str(&out), str_from_c(surrogates[i].expected)))
            printf("row %zu (%s): %.*s\n", i, surrogates[i].why, STR_ARG(buf_str(&out)));
        assert_true(str_same(buf_str(&out), str_from_c(surrogates[i].expected)));
        assert_false(out.full);
        buf_free(&out);
    }
}

/* The worst there is fits what SURROGATE_MAX allows. */
static void test_longest_surrogate(void **state)
{
    struct buf in = buf_make(BUF_UNLIMITED), out;

    (void)state;
    for (int i = 0; i < 5000; i++)
        buf_add(&in, i % 2 ? S(" ") : S("\xff"));
    out = buf_make(SURROGATE_MAX(in.n));
    surrogate_write(&out, buf_str(&in));
    assert_false(out.full);
    assert_true(is_ascii(buf_str(&out)));
    buf_free(&in);
    buf_free(&out);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conversations),     cmocka_unit_test(test_many_messages),
        cmocka_unit_test(test_many_deletions),    cmocka_unit_test(test_surrogates),
        cmocka_unit_test(test_longest_surrogate),
    };

    if (argc > 1)
        folder = argv[1];
    cx.arena = arena_new(0);
    log_start("pop3-test", LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
