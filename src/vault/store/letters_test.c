/* A content that two accounts were sent, and what becomes of it when one copies it to the other: whose letter it is, whose
 * bytes it has, and how long they are kept. */
#include "vault/store/body.h"
#include "vault/store/collect.h"
#include "vault/store/letters.h"
#include "vault/store/mailbox.h"
#include "vault/store/testing.h"

#include "base/scoped.h"

#include <stdlib.h>

static struct body_id content;

static void deliver_it(struct account_id account, const char *prefix, bool again)
{
    const struct part parts[] = {{PART_ACCOUNT, account.v}};
    struct txn *txn = txn_begin(engine, parts, 1);
    struct cold_row looks = {0};
    struct new_email n = {.body = content,
                          .body_size = 5,
                          .prefix = str_from_c(prefix),
                          .looks = &looks,
                          .facts = S("facts"),
                          .again = again};
    struct placed at;
    struct ticket t;

    must(email_add(txn, &cx, account, INBOX, &n, &at));
    durable(txn_commit(&txn, &cx, &t), t);
}

/* UID 1 of both INBOXes. */
static void deliver_to_both(void)
{
    struct txn *txn = txn_begin(engine, NULL, 0);
    struct new_body b = {.id = {fresh_id()}, .last = S("bytes"), .size = 5};
    struct ticket t;

    content = b.id;
    body_put(txn, &b);
    durable(txn_commit(&txn, &cx, &t), t);
    deliver_it(TOM, "To: tom\r\n", false);
    deliver_it(FRED, "To: fred!\r\n", false);
}

static struct copied transfer(bool move, struct mailbox_ref from, uint32_t uid, struct mailbox_ref to)
{
    struct imap_set one = SET({uid, uid});
    struct copied c;
    struct ticket t;

    durable((move ? messages_move : messages_copy)(store, &cx, from, &one, to, UINT64_MAX, &c, &t), t);
    assert_int_equal(c.count, 1);
    return c;
}

static void remove_all(struct account_id account, struct mailbox_id mailbox)
{
    struct imap_set all = SET({1, UINT32_MAX});
    struct removed r;
    struct ticket t;

    durable(messages_remove(store, &cx, IN(account, mailbox), &all, false, &r, &t), t);
}

static struct collected collect_all(void)
{
    struct collected c;

    must(collect(store, &cx, INT64_MAX, &c));
    assert_false(c.more);
    return c;
}

/* "1 To: tom|bytes of 1-; 2 …" of a mailbox: UID, message, origin; "-" if it is the content that all share, "+" a twin. */
static const char *letters_text(struct account_id account, struct mailbox_id mailbox)
{
    scoped(view_close) struct view *v = view_open(engine);
    struct buf b = buf_make(10000);
    struct listed *l;
    const char *text;
    size_t n, damaged;

    must(mailbox_list(v, &cx, account, mailbox, 0, &l, &n, &damaged));
    for (size_t i = 0; i < n; i++) {
        struct message m;
        struct cold_row row;
        struct facts_row facts;
        struct str piece;
        struct letter_id id;
        bool found;

        must(message_find(v, &cx, account, l[i].body, &m));
        must(message_piece(v, &cx, &m, 0, &piece));
        assert_int_equal(l[i].size, m.prefix.n + piece.n);
        must(cold_row_view(v, &cx, account, &(struct cold_key){.body = l[i].body.v}, &row, &found));
        must(facts_row_view(v, &cx, account, &(struct facts_key){.body = l[i].body.v}, &facts, &found));
        assert_true(found && str_same(facts.raw, S("facts")));
        id = letter_id_of(&row, account, l[i].body);
        buf_printf(&b, "%s%u %.*s|%.*s of %llu%c", i ? "; " : "", l[i].uid,
                   STR_ARG(str_upto(m.prefix, m.prefix.n - 2)), STR_ARG(piece),
                   (unsigned long long)id.origin.v, l[i].body.v == content.v ? '-' : '+');
        if (id.content.v != content.v)
            buf_add_char(&b, '!');
    }
    free(l);
    text = str_to_c(cx.arena, buf_str(&b));
    buf_free(&b);
    return text;
}

static struct body_id body_of(struct account_id account, struct mailbox_id mailbox, size_t i)
{
    scoped(view_close) struct view *v = view_open(engine);
    struct body_id body;
    struct listed *l;
    size_t n, damaged;

    must(mailbox_list(v, &cx, account, mailbox, 0, &l, &n, &damaged));
    assert_true(i < n);
    body = l[i].body;
    free(l);
    return body;
}

/* Of any body. */
static bool anything_is_said(void)
{
    scoped(view_close) struct view *v = view_open(engine);
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value;

    must(view_scan(v, &cx, ref_part(NO_ACCOUNT), S("r"), S("s"), false, &scan));
    return scan_next(scan, &key, &value);
}

static size_t twins(void)
{
    scoped(view_close) struct view *v = view_open(engine);
    scoped(buf_free) struct buf b = buf_make(1000);

    must(letter_twins(v, &cx, content, &b));
    return b.n / sizeof(struct body_id);
}

/* Tom's, copied to Fred, is Tom's there too, beside Fred's own; once more, it is the same one. */
static void test_twin(void **state)
{
    (void)state;
    deliver_to_both();
    transfer(false, IN(TOM, INBOX), 1, IN(FRED, INBOX));
    assert_string_equal(letters_text(FRED, INBOX), "1 To: fred!|bytes of 2-; 2 To: tom|bytes of 1+");
    transfer(false, IN(TOM, INBOX), 1, IN(FRED, SENT));
    transfer(false, IN(FRED, INBOX), 2, IN(FRED, SENT));
    assert_string_equal(letters_text(FRED, SENT), "1 To: tom|bytes of 1+; 2 To: tom|bytes of 1+");
    assert_int_equal(twins(), 1);
    transfer(true, IN(FRED, INBOX), 2,
             IN(TOM, SENT)); /* it comes home, where it is the content itself */
    transfer(true, IN(FRED, INBOX), 1, IN(TOM, SENT)); /* and here Fred's is the twin */
    assert_string_equal(letters_text(TOM, SENT), "1 To: tom|bytes of 1-; 2 To: fred!|bytes of 2+");
    assert_int_equal(twins(), 2);
    transfer(true, IN(TOM, SENT), 2, IN(FRED, DRAFTS));
    assert_string_equal(letters_text(FRED, DRAFTS), "1 To: fred!|bytes of 2-");
    collect_all();
    assert_int_equal(twins(), 1);
    assert_string_equal(letters_text(FRED, DRAFTS), "1 To: fred!|bytes of 2-");
    assert_string_equal(letters_text(FRED, SENT), "1 To: tom|bytes of 1+; 2 To: tom|bytes of 1+");
}

/* The bytes stay as long as one of them is there, and no longer; whichever goes first. */
static void test_how_long(void **state)
{
    struct collected c;

    (void)state;
    deliver_to_both();
    transfer(false, IN(TOM, INBOX), 1, IN(FRED, SENT));
    remove_all(FRED, INBOX);
    assert_int_equal(collect_all().bodies, 0);
    remove_all(TOM, INBOX);
    assert_int_equal(collect_all().bodies, 0);
    assert_string_equal(letters_text(FRED, SENT), "1 To: tom|bytes of 1+");
    transfer(false, IN(FRED, SENT), 1, IN(TOM, SENT)); /* the content has nobody but the twin by now */
    assert_string_equal(letters_text(TOM, SENT), "1 To: tom|bytes of 1-");
    remove_all(FRED, SENT);
    assert_int_equal(collect_all().bodies, 1);
    assert_int_equal(twins(), 0);
    assert_string_equal(letters_text(TOM, SENT), "1 To: tom|bytes of 1-");
    transfer(true, IN(TOM, SENT), 1, IN(FRED, SENT));
    deliver_it(FRED, "To: fred\r\n", true);
    remove_all(FRED, SENT);
    assert_int_equal(collect_all().bodies, 0);
    assert_string_equal(letters_text(FRED, INBOX), "2 To: fred|bytes of 2+!");
    remove_all(FRED, INBOX);
    c = collect_all();
    assert_int_equal(c.bodies, 2); /* the twin, and what it had its bytes from */
    assert_int_equal(c.bytes, 5);
}

/* A list goes on from the queue: who comes later has the content as those have who came first. */
static void test_delivered_in_turn(void **state)
{
    (void)state;
    deliver_to_both();
    remove_all(FRED, INBOX);
    collect_all();
    deliver_it(FRED, "To: fred, later\r\n", true); /* nobody was told of the first one */
    assert_string_equal(letters_text(FRED, INBOX), "2 To: fred, later|bytes of 2-");
    assert_int_equal(twins(), 0);
    transfer(true, IN(FRED, INBOX), 2, IN(TOM, SENT));
    collect_all();
    deliver_it(FRED, "To: fred, last\r\n", true);
    assert_string_equal(letters_text(FRED, INBOX), "3 To: fred, last|bytes of 2+!");
    assert_string_equal(letters_text(TOM, SENT), "1 To: fred, later|bytes of 2+");
    remove_all(FRED, INBOX);
    remove_all(TOM, INBOX);
    remove_all(TOM, SENT);
    assert_int_equal(collect_all().bodies, 3);
    assert_false(anything_is_said());
}

/* What waited in the queue until its mailbox had room, and somebody else has copied theirs there meanwhile. */
static void test_delivered_later(void **state)
{
    (void)state;
    deliver_to_both();
    remove_all(FRED, INBOX);
    collect_all();
    transfer(false, IN(TOM, INBOX), 1, IN(FRED, SENT));
    deliver_it(FRED, "To: fred, later\r\n", true);
    assert_string_equal(letters_text(FRED, SENT), "1 To: tom|bytes of 1-");
    assert_string_equal(letters_text(FRED, INBOX), "2 To: fred, later|bytes of 2+!");
    transfer(false, IN(FRED, INBOX), 2, IN(TOM, INBOX));
    assert_string_equal(letters_text(TOM, INBOX),
                        "1 To: tom|bytes of 1-; 2 To: fred, later|bytes of 2+!");
}

/* The content itself has become free, and the twin is there still: the account does not have the letter twice. */
static void test_one_of_each(void **state)
{
    (void)state;
    deliver_to_both();
    transfer(false, IN(TOM, INBOX), 1, IN(FRED, SENT));
    remove_all(FRED, INBOX);
    collect_all();
    transfer(false, IN(TOM, INBOX), 1, IN(FRED, SENT));
    assert_string_equal(letters_text(FRED, SENT), "1 To: tom|bytes of 1+; 2 To: tom|bytes of 1+");
}

/* What Fred was sent lives on at Tom's when Fred is sent it once more: another letter, with another prefix. */
static void test_sent_twice(void **state)
{
    (void)state;
    deliver_to_both();
    transfer(true, IN(FRED, INBOX), 1, IN(TOM, SENT));
    collect_all();
    deliver_it(FRED, "To: fred, once more\r\n", true);
    transfer(false, IN(FRED, INBOX), 2, IN(TOM, SENT));
    assert_string_equal(letters_text(TOM, SENT),
                        "1 To: fred!|bytes of 2+; 2 To: fred, once more|bytes of 2+!");
}

/* A repair took Tom's copy of Fred's twin for a letter of Tom's. The one that he is copied then is a twin of that twin, which
 * stays as long, for by it the letter is found wherever it goes. */
static void test_twin_of_a_twin(void **state)
{
    struct txn *t;
    struct cold_row row;
    struct body_id own;
    struct ticket ticket;
    bool found;

    (void)state;
    deliver_to_both();
    deliver_it(FRED, "To: fred, later\r\n", true);
    own = body_of(FRED, INBOX, 1);
    transfer(false, IN(FRED, INBOX), 2, IN(TOM, INBOX));
    t = txn_begin(engine, &(struct part){PART_ACCOUNT, TOM.v}, 1);
    must(cold_row_txn(t, &cx, TOM, &(struct cold_key){.body = own.v}, &row, &found));
    row.origin.v = 0;
    cold_row_put(t, TOM, &(struct cold_key){.body = own.v}, &row);
    durable(txn_commit(&t, &cx, &ticket), ticket);
    transfer(false, IN(FRED, INBOX), 2, IN(TOM, SENT));
    transfer(false, IN(FRED, INBOX), 2, IN(TOM, SENT));
    assert_int_equal(body_of(TOM, SENT, 0).v, body_of(TOM, SENT, 1).v);
    remove_all(FRED, INBOX);
    remove_all(TOM, INBOX);
    collect_all();
    transfer(true, IN(TOM, SENT), 1, IN(FRED, SENT));
    assert_int_equal(body_of(FRED, SENT, 0).v, own.v);
    assert_string_equal(letters_text(FRED, SENT), "1 To: fred, later|bytes of 2+!");
    remove_all(FRED, SENT);
    remove_all(TOM, SENT);
    assert_int_equal(collect_all().bodies, 3);
}

/* A repair has lost what stood before Tom's own; the copy that comes home says the size of what is there. */
static void test_lost_prefix(void **state)
{
    struct txn *t;
    struct cold_row row;
    struct ticket ticket;
    bool found;

    (void)state;
    deliver_to_both();
    transfer(false, IN(TOM, INBOX), 1, IN(FRED, SENT));
    t = txn_begin(engine, &(struct part){PART_ACCOUNT, TOM.v}, 1);
    must(cold_row_txn(t, &cx, TOM, &(struct cold_key){.body = content.v}, &row, &found));
    row.prefix = S("\r\n");
    cold_row_put(t, TOM, &(struct cold_key){.body = content.v}, &row);
    durable(txn_commit(&t, &cx, &ticket), ticket);
    transfer(false, IN(FRED, SENT), 1, IN(TOM, SENT));
    assert_string_equal(letters_text(TOM, SENT), "1 |bytes of 1-");
}

static void change(void (*how)(struct txn *t))
{
    struct txn *t = txn_begin(engine, NULL, 0);
    struct ticket ticket;

    how(t);
    durable(txn_commit(&t, &cx, &ticket), ticket);
}

static void put_stray_piece(struct txn *t)
{
    piece_row_put(t, NO_ACCOUNT, &(struct piece_key){.body = content.v, .n = 1000000},
                  &(struct piece_row){.raw = S("stray")});
}

static void write_nonsense(struct txn *t)
{
    struct body_row row;
    bool found;

    must(body_row_txn(t, &cx, NO_ACCOUNT, &(struct body_key){.body = content.v}, &row, &found));
    row.pieces = 100000;
    body_row_put(t, NO_ACCOUNT, &(struct body_key){.body = content.v}, &row);
    put_stray_piece(t);
}

/* A row that says more pieces than any message has: they are gone all the same, and without being counted. */
static void test_nonsense(void **state)
{
    scoped(view_close) struct view *v = NULL;
    struct piece_row row;
    bool found;

    (void)state;
    deliver_to_both();
    change(write_nonsense);
    remove_all(TOM, INBOX);
    remove_all(FRED, INBOX);
    assert_int_equal(collect_all().bodies, 1);
    v = view_open(engine);
    must(piece_row_view(v, &cx, NO_ACCOUNT, &(struct piece_key){.body = content.v, .n = 1000000}, &row,
                        &found));
    assert_false(found);
}

static void give_back_hold(struct txn *t)
{
    body_release(t, content, BODY_PART, body_of(FRED, SENT, 0).v);
}

/* Bodies hold what they have their bytes from, whatever a mark says. */
static void test_mark_on_a_hold(void **state)
{
    (void)state;
    deliver_to_both();
    transfer(false, IN(TOM, INBOX), 1, IN(FRED, SENT));
    change(give_back_hold);
    remove_all(TOM, INBOX);
    remove_all(FRED, INBOX);
    collect_all();
    assert_string_equal(letters_text(FRED, SENT), "1 To: tom|bytes of 1+");
}

/* What the account has of this content cannot be read: another letter of it comes all the same. */
static void test_beside_damage(void **state)
{
    scoped(buf_free) struct buf key = buf_make(32);
    struct imap_set first = SET({1, 1});
    struct removed r;
    struct ticket t;

    (void)state;
    deliver_to_both();
    cold_key_pack(&key, &(struct cold_key){.body = content.v});
    memory_engine_damage(engine, cold_part(FRED), buf_str(&key));
    deliver_it(FRED, "To: fred, later\r\n", true);
    durable(messages_remove(store, &cx, IN(FRED, INBOX), &first, false, &r, &t), t);
    assert_string_equal(letters_text(FRED, INBOX), "2 To: fred, later|bytes of 2+!");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_twin, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_how_long, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_delivered_in_turn, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_delivered_later, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_one_of_each, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_sent_twice, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_twin_of_a_twin, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_lost_prefix, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_nonsense, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_mark_on_a_hold, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_beside_damage, store_set_up, store_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
