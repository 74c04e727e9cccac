/* Flags, copies, removal and new messages: what each leaves in the mailbox, what it tells its caller, and what it refuses.
 * (Random changes, and how pictures follow them: roster_test.c; power cuts: admin/power_test.c.) */
#include "vault/store/block.h"
#include "vault/store/changes.h"
#include "vault/store/mailbox.h"
#include "vault/store/reader.h"
#include "vault/store/roster.h"
#include "vault/store/testing.h"

#include <stdio.h>

/* ---- flags ---- */

static struct flags_result set_flags(enum flags_how how, struct imap_set uids, uint64_t system,
                                     const char *keyword)
{
    struct str name = str_from_c(keyword);
    struct flags_change c = {.how = how, .flags = {system, &name, name.n > 0}};
    struct flags_result r;
    struct ticket t;

    durable(messages_set_flags(store, &cx, IN(TOM, INBOX), &uids, &c, &r, &t), t);
    return r;
}

static void test_flags(void **state)
{
    struct flags_result r;

    (void)state;
    for (int i = 0; i < 3; i++)
        deliver(TOM, INBOX, 0, 1);
    r = set_flags(FLAGS_ADD, SET({1, 2}), FLAG_SEEN, "$Junk");
    assert_true(r.new_keywords);
    assert_string_equal(set_text(&r.there), "1:2");
    assert_int_equal(r.modseq, figures_of(TOM).modseq);
    assert_string_equal(mailbox_text(TOM, INBOX), "1 seen $Junk; 2 seen $Junk; 3");
    r = set_flags(FLAGS_REMOVE, SET({2, 9}), 0, "$JUNK");
    assert_false(r.new_keywords);
    assert_string_equal(set_text(&r.there), "2:3");
    assert_string_equal(set_text(&r.changed), "2"); /* 3 did not have it */
    assert_string_equal(mailbox_text(TOM, INBOX), "1 seen $Junk; 2 seen; 3");
    r = set_flags(FLAGS_REPLACE, SET({1, 3}), FLAG_FLAGGED, "Later");
    assert_string_equal(set_text(&r.changed), "1:3");
    assert_string_equal(mailbox_text(TOM, INBOX), "1 flagged Later; 2 flagged Later; 3 flagged Later");
    r = set_flags(FLAGS_REMOVE, SET({1, 3}), 0, "never-seen");
    assert_int_equal(r.modseq, 0);
    assert_false(r.new_keywords);
    r = set_flags(FLAGS_ADD, SET({50, 60}), FLAG_SEEN, "");
    assert_string_equal(set_text(&r.there), "");
    assert_int_equal(r.modseq, 0);
}

static void test_unchanged_since(void **state)
{
    struct flags_change c = {
        .how = FLAGS_ADD, .flags.system = FLAG_FLAGGED, .has_unchanged_since = true};
    struct imap_set all = SET({1, 10});
    struct flags_result r;
    struct ticket t;

    (void)state;
    for (int i = 0; i < 3; i++)
        deliver(TOM, INBOX, 0, 1);
    c.unchanged_since = figures_of(TOM).modseq;
    set_flags(FLAGS_ADD, SET({2, 2}), FLAG_SEEN, "");
    durable(messages_set_flags(store, &cx, IN(TOM, INBOX), &all, &c, &r, &t), t);
    assert_string_equal(set_text(&r.failed), "2");
    assert_string_equal(set_text(&r.there), "1,3");
    assert_string_equal(set_text(&r.unheard), "1,3"); /* of nothing was heard */
    assert_string_equal(mailbox_text(TOM, INBOX), "1 flagged; 2 seen; 3 flagged");
    c.unchanged_since = 0; /* RFC 7162 §3.1.3: nothing has modseq 0 */
    durable(messages_set_flags(store, &cx, IN(TOM, INBOX), &all, &c, &r, &t), t);
    assert_string_equal(set_text(&r.failed), "1:3");
}

static void test_what_replace_keeps(void **state)
{
    struct flags_change c = {.how = FLAGS_REPLACE,
                             .flags.system = FLAG_SEEN | FLAG_FLAGGED,
                             .keep = FLAG_FLAGGED | FLAG_DELETED};
    struct imap_set all = SET({1, 10});
    struct flags_result r;
    struct ticket t;

    (void)state;
    deliver(TOM, INBOX, FLAG_DELETED | FLAG_ANSWERED, 1);
    durable(messages_set_flags(store, &cx, IN(TOM, INBOX), &all, &c, &r, &t), t);
    assert_string_equal(mailbox_text(TOM, INBOX), "1 seen deleted");
}

/* 56 names; then those that no message has are free again, but not those just named. */
static void test_keywords_run_out(void **state)
{
    struct flags_change c = {.how = FLAGS_ADD};
    struct imap_set one = SET({1, 1});
    struct flags_result r;
    struct ticket t;
    struct str three[3];
    char name[20];

    (void)state;
    deliver(TOM, INBOX, 0, 1);
    deliver(TOM, INBOX, 0, 1);
    for (int i = 0; i < 56; i++) {
        snprintf(name, sizeof(name), "k%d", i);
        set_flags(FLAGS_ADD, SET({1, 1}), 0, name);
    }
    three[0] = S("one-more");
    c.flags = (struct flag_names){0, three, 1};
    assert_int_equal(messages_set_flags(store, &cx, IN(TOM, INBOX), &one, &c, &r, &t), ERR_LIMIT);
    set_flags(FLAGS_REMOVE, SET({1, 1}), 0, "k7");
    set_flags(FLAGS_REMOVE, SET({1, 1}), 0, "k8");
    three[0] = S("new-a");
    three[1] = S("k8");
    three[2] = S("new-b");
    c.flags = (struct flag_names){0, three, 3};
    assert_int_equal(messages_set_flags(store, &cx, IN(TOM, INBOX), &one, &c, &r, &t), ERR_LIMIT);
    c.flags.keyword_count = 2;
    one = SET({2, 2});
    durable(messages_set_flags(store, &cx, IN(TOM, INBOX), &one, &c, &r, &t), t);
    assert_non_null(strstr(mailbox_text(TOM, INBOX), "; 2 new-a k8"));
    c.flags = (struct flag_names){0, three, 1};
    three[0] = (struct str){cx.cause, KEYWORD_MAX + 1};
    assert_int_equal(messages_set_flags(store, &cx, IN(TOM, INBOX), &one, &c, &r, &t), ERR_LIMIT);
}

/* ---- copies ---- */

static struct copied transfer(bool move, struct mailbox_ref from, struct imap_set uids,
                              struct mailbox_ref to)
{
    struct copied c;
    struct ticket t;

    durable((move ? messages_move : messages_copy)(store, &cx, from, &uids, to, UINT64_MAX, &c, &t), t);
    return c;
}

static struct roster_entry entry_of(struct account_id account, struct mailbox_id mailbox, uint32_t uid)
{
    const struct roster_entry *found;
    struct roster_entry e = {0};
    struct roster *r;

    must(roster_get(store, &cx, account, mailbox, &r));
    found = roster_find(r, uid);
    assert_non_null(found);
    e = *found;
    roster_drop(&r);
    return e;
}

static void test_copy(void **state)
{
    struct copied c;
    struct roster_entry a, b;

    (void)state;
    for (int i = 0; i < 3; i++)
        deliver(TOM, INBOX, FLAG_SEEN, 100);
    deliver(TOM, SENT, 0, 1);
    set_flags(FLAGS_ADD, SET({1, 2}), 0, "$Work");
    set_flags(FLAGS_ADD, SET({2, 2}), 0, "$Home");
    c = transfer(false, IN(TOM, INBOX), SET({2, 3}, {9, 12}), IN(TOM, SENT));
    assert_string_equal(set_text(&c.from), "2:3");
    assert_int_equal(c.to_first, 2);
    assert_int_equal(c.to_last, 3);
    assert_int_equal(c.to_uid_validity, 1000);
    assert_string_equal(mailbox_text(TOM, SENT), "1; 2 seen $Work $Home; 3 seen");
    assert_string_equal(mailbox_text(TOM, INBOX), "1 seen $Work; 2 seen $Work $Home; 3 seen");
    a = entry_of(TOM, INBOX, 2);
    b = entry_of(TOM, SENT, 2);
    assert_int_equal(a.body.v, b.body.v);
    assert_int_equal(a.internal_date, b.internal_date);
    assert_true(a.email.v != b.email.v);
    c = transfer(false, IN(TOM, INBOX), SET({9, 12}), IN(TOM, SENT));
    assert_int_equal(c.count, 0);
}

/* RFC 4314 §4: who may not set a flag there does not bring it along either. */
static void test_copy_without_rights(void **state)
{
    struct imap_set all = SET({1, 9});
    struct copied c;
    struct ticket t;

    (void)state;
    deliver(TOM, INBOX, FLAG_SEEN | FLAG_DELETED, 1);
    set_flags(FLAGS_ADD, SET({1, 1}), 0, "$Work");
    durable(messages_copy(store, &cx, IN(TOM, INBOX), &all, IN(TOM, SENT), FLAG_SEEN, &c, &t), t);
    assert_string_equal(mailbox_text(TOM, SENT), "1 seen");
    assert_string_equal(mailbox_text(TOM, INBOX), "1 seen deleted $Work");
}

static void test_move(void **state)
{
    struct roster_entry before, after;
    uint64_t modseq;
    struct copied c;

    (void)state;
    for (int i = 0; i < 3; i++)
        deliver(TOM, INBOX, 0, 100);
    before = entry_of(TOM, INBOX, 2);
    c = transfer(true, IN(TOM, INBOX), SET({2, 2}), IN(TOM, SENT));
    modseq = figures_of(TOM).modseq;
    assert_int_equal(c.modseq, modseq);
    assert_string_equal(mailbox_text(TOM, INBOX), "1; 3");
    assert_string_equal(mailbox_text(TOM, SENT), "1");
    after = entry_of(TOM, SENT, 1);
    assert_int_equal(before.email.v, after.email.v);
    assert_int_equal(before.body.v, after.body.v);
    c = transfer(true, IN(TOM, INBOX), SET({1, 3}), IN(TOM, INBOX)); /* into itself: new UIDs */
    assert_string_equal(set_text(&c.from), "1,3");
    assert_string_equal(mailbox_text(TOM, INBOX), "4; 5");
}

static void test_to_another_account(void **state)
{
    struct roster_entry a, b;
    struct view *v;
    struct message m;

    (void)state;
    for (int i = 0; i < 2; i++)
        deliver(TOM, INBOX, 0, 100);
    set_flags(FLAGS_ADD, SET({1, 2}), 0, "$Work");
    transfer(false, IN(TOM, INBOX), SET({1, 1}), IN(FRED, SENT));
    transfer(true, IN(TOM, INBOX), SET({2, 2}), IN(FRED, SENT));
    assert_string_equal(mailbox_text(TOM, INBOX), "1 $Work");
    assert_string_equal(mailbox_text(FRED, SENT), "1 $Work; 2 $Work");
    a = entry_of(TOM, INBOX, 1);
    b = entry_of(FRED, SENT, 1);
    assert_int_equal(a.body.v, b.body.v);
    v = view_open(engine);
    must(message_find(v, &cx, FRED, b.body, &m));
    view_close(&v);
}

/* ---- removal ---- */

static void test_expunge(void **state)
{
    struct imap_set some = SET({1, 3});
    struct removed r;
    struct ticket t;

    (void)state;
    for (int i = 0; i < 5; i++)
        deliver(TOM, INBOX, i % 2 ? 0 : FLAG_DELETED, 1); /* 1, 3, 5 */
    durable(messages_remove(store, &cx, IN(TOM, INBOX), &some, true, &r, &t), t);
    assert_string_equal(set_text(&r.uids), "1,3");
    assert_int_equal(r.modseq, figures_of(TOM).modseq);
    durable(messages_remove(store, &cx, IN(TOM, INBOX), NULL, true, &r, &t), t);
    assert_string_equal(set_text(&r.uids), "5");
    durable(messages_remove(store, &cx, IN(TOM, INBOX), NULL, true, &r, &t), t);
    assert_int_equal(r.modseq, 0);
    assert_string_equal(mailbox_text(TOM, INBOX), "2; 4");
    assert_int_equal(messages_remove(store, &cx, IN(TOM, (struct mailbox_id){77}), NULL, true, &r, &t),
                     ERR_NOT_FOUND);
}

/* ---- new messages ---- */

static struct new_message message_of(const char *text)
{
    static const struct cold_row looks = {.parser = 1};
    struct new_message m = {.body = {.id = {fresh_id()}, .last = str_from_c(text)},
                            .looks = &looks,
                            .internal_date = 86400000};

    m.body.size = m.body.last.n;
    return m;
}

static void test_append(void **state)
{
    struct str keyword = S("$Draft");
    struct new_message v[3] = {message_of("one"), message_of("two"), message_of("three")};
    struct added a;
    struct ticket t;

    (void)state;
    deliver(TOM, DRAFTS, 0, 1);
    v[1].flags = (struct flag_names){FLAG_DRAFT, &keyword, 1};
    durable(messages_append(store, &cx, IN(TOM, DRAFTS), v, 3, &a, &t), t);
    assert_int_equal(a.first_uid, 2);
    assert_int_equal(a.uid_validity, 1000);
    assert_int_equal(a.modseq, figures_of(TOM).modseq);
    assert_string_equal(mailbox_text(TOM, DRAFTS), "1; 2; 3 draft $Draft; 4");
    assert_int_equal(entry_of(TOM, DRAFTS, 4).size, 5);
    assert_int_equal(entry_of(TOM, DRAFTS, 4).internal_date, 86400000);
}

/* Pieces that went ahead, all of them; and what is taken back. */
static void test_pieces_ahead(void **state)
{
    struct new_message m = message_of("");
    struct message found;
    struct txn *txn = txn_begin(engine, NULL, 0);
    struct added a;
    struct ticket t;
    struct str piece;
    struct view *v;
    size_t swept;

    (void)state;
    body_put_ahead(txn, m.body.id, 0, S("whole"));
    durable(txn_commit(&txn, &cx, &t), t);
    m.body.ahead = 1;
    m.body.size = 5;
    durable(messages_append(store, &cx, IN(TOM, INBOX), &m, 1, &a, &t), t);
    must(body_sweep(store, &cx, &swept));
    assert_int_equal(swept, 0);
    v = view_open(engine);
    must(message_find(v, &cx, TOM, m.body.id, &found));
    must(message_piece(v, &cx, &found, 0, &piece));
    assert_true(str_same(piece, S("whole")));
    view_close(&v);
    txn = txn_begin(engine, NULL, 0);
    body_put_ahead(txn, (struct body_id){77}, 0, S("never"));
    durable(txn_commit(&txn, &cx, &t), t);
    txn = txn_begin(engine, NULL, 0);
    body_forget(txn, (struct body_id){77}, 1);
    durable(txn_commit(&txn, &cx, &t), t);
    must(body_sweep(store, &cx, &swept));
    assert_int_equal(swept, 0);
}

static bool has_piece(struct body_id body)
{
    struct view *v = view_open(engine);
    struct piece_row row;
    bool found;

    must(piece_row_view(v, &cx, NO_ACCOUNT, &(struct piece_key){.body = body.v}, &row, &found));
    view_close(&v);
    return found;
}

/* Letters that went ahead with one mark: taken, taken back, and left behind. */
static void test_letters_ahead(void **state)
{
    enum { TAKEN, TAKEN_BACK, LEFT };
    struct str pieces[3] = {S("one"), S("two"), S("three")};
    struct new_message v[3];
    struct body_id bodies[3];
    struct added a;
    struct ticket t;
    size_t swept;

    (void)state;
    for (int way = TAKEN; way <= LEFT; way++) {
        struct txn *txn = txn_begin(engine, NULL, 0);

        for (size_t i = 0; i < 3; i++) {
            v[i] = message_of("");
            bodies[i] = v[i].body.id;
            v[i].body.size = pieces[i].n;
            v[i].body.ahead = 1;
            v[i].body.mark = bodies[0].v;
        }
        bodies_put_ahead(txn, bodies, pieces, 3);
        durable(txn_commit(&txn, &cx, &t), t);
        for (size_t i = 0; i < 3; i++)
            assert_true(has_piece(bodies[i]));
        txn = txn_begin(engine, NULL, 0);
        if (way == TAKEN_BACK)
            bodies_forget(txn, bodies, 3);
        durable(txn_commit(&txn, &cx, &t), t);
        if (way == TAKEN)
            durable(messages_append(store, &cx, IN(TOM, INBOX), v, 3, &a, &t), t);
        must(body_sweep(store, &cx, &swept));
        durable(OK, engine_newest(engine));
        assert_int_equal(swept, way == LEFT ? 3 : 0);
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(has_piece(bodies[i]), way == TAKEN);
    }
}

static void test_replace(void **state)
{
    struct new_message m = message_of("better");
    struct added a;
    struct ticket t;

    (void)state;
    for (int i = 0; i < 2; i++)
        deliver(TOM, DRAFTS, 0, 1);
    durable(messages_replace(store, &cx, IN(TOM, DRAFTS), 1, IN(TOM, DRAFTS), &m, &a, &t), t);
    assert_int_equal(a.first_uid, 3);
    assert_int_equal(a.modseq, a.removed_modseq);
    assert_string_equal(mailbox_text(TOM, DRAFTS), "2; 3");
    m = message_of("sent");
    durable(messages_replace(store, &cx, IN(TOM, DRAFTS), 3, IN(TOM, SENT), &m, &a, &t), t);
    assert_string_equal(mailbox_text(TOM, DRAFTS), "2");
    assert_string_equal(mailbox_text(TOM, SENT), "1");
    m = message_of("too late");
    assert_int_equal(messages_replace(store, &cx, IN(TOM, DRAFTS), 3, IN(TOM, SENT), &m, &a, &t),
                     ERR_GONE);
    assert_string_equal(mailbox_text(TOM, SENT), "1");
}

/* ---- quota ---- */

static void set_limit(struct account_id account, struct amount limit)
{
    struct txn *txn = txn_begin(engine, &(struct part){PART_DIRECTORY, 0}, 1);
    struct ticket t;

    account_row_put(txn, NO_ACCOUNT, &(struct account_key){.account = account.v},
                    &(struct account_row){.limit = limit});
    durable(txn_commit(&txn, &cx, &t), t);
}

static enum err try_copy(struct mailbox_ref from, struct mailbox_ref to)
{
    struct imap_set one = SET({1, 1});
    struct copied c;
    struct ticket t;

    return messages_copy(store, &cx, from, &one, to, UINT64_MAX, &c, &t);
}

static enum err try_move(struct mailbox_ref from, struct mailbox_ref to)
{
    struct imap_set one = SET({1, 1});
    struct copied c;
    struct ticket t;

    return messages_move(store, &cx, from, &one, to, UINT64_MAX, &c, &t);
}

static enum err try_append(struct mailbox_ref to, const char *text)
{
    struct new_message m = message_of(text);
    struct added a;
    struct ticket t;

    return messages_append(store, &cx, to, &m, 1, &a, &t);
}

static enum err try_replace(struct mailbox_ref at, uint32_t uid, const char *text)
{
    struct new_message m = message_of(text);
    struct added a;
    struct ticket t;

    return messages_replace(store, &cx, at, uid, at, &m, &a, &t);
}

static void test_limit_of_bytes(void **state)
{
    (void)state;
    deliver(TOM, INBOX, 0, 100);
    set_limit(TOM, (struct amount){.bytes = 109});
    set_limit(FRED, (struct amount){.bytes = 99});
    assert_int_equal(try_append(IN(TOM, INBOX), "0123456789"), ERR_OVER_QUOTA);
    assert_int_equal(try_copy(IN(TOM, INBOX), IN(TOM, SENT)), ERR_OVER_QUOTA);
    assert_int_equal(try_move(IN(TOM, INBOX), IN(FRED, SENT)), ERR_OVER_QUOTA);
    assert_string_equal(mailbox_text(TOM, INBOX), "1");
    set_limit(TOM, (struct amount){.bytes = 50});
    transfer(true, IN(TOM, INBOX), SET({1, 1}), IN(TOM, SENT)); /* takes no room */
    must(try_replace(IN(TOM, SENT), 1, "0123456789"));
    set_limit(TOM, (struct amount){.bytes = 20});
    must(try_append(IN(TOM, INBOX), "0123456789")); /* full to the byte */
    assert_int_equal(try_append(IN(TOM, INBOX), "0"), ERR_OVER_QUOTA);
    must(try_replace(IN(TOM, SENT), 2, "9876543210"));
    assert_int_equal(try_replace(IN(TOM, SENT), 3, "98765432100"), ERR_OVER_QUOTA);
}

static void test_limit_of_messages(void **state)
{
    (void)state;
    deliver(TOM, INBOX, 0, 100);
    deliver(TOM, INBOX, 0, 100);
    set_limit(TOM, (struct amount){.messages = 2});
    set_limit(FRED, (struct amount){.messages = 1});
    assert_int_equal(try_append(IN(TOM, INBOX), "0"), ERR_OVER_QUOTA);
    assert_int_equal(try_copy(IN(TOM, INBOX), IN(TOM, SENT)), ERR_OVER_QUOTA);
    set_limit(TOM, (struct amount){.messages = 1});
    transfer(true, IN(TOM, INBOX), SET({1, 1}), IN(TOM, SENT)); /* is no message more */
    must(try_replace(IN(TOM, SENT), 1,
                     "a larger one, as there is room for so many bytes as one likes, "
                     "and it is still one message, in the place of one"));
    assert_int_equal(figures_of(TOM).mail.messages, 2);
    must(try_copy(IN(TOM, INBOX), IN(FRED, SENT))); /* none, it was moved */
    assert_int_equal(figures_of(FRED).mail.messages, 0);
    transfer(true, IN(TOM, INBOX), SET({2, 2}), IN(FRED, INBOX));
    assert_int_equal(figures_of(FRED).mail.messages, 1);
    assert_int_equal(figures_of(TOM).mail.messages, 1);
    assert_int_equal(try_copy(IN(FRED, INBOX), IN(TOM, INBOX)), ERR_OVER_QUOTA);
    assert_int_equal(try_move(IN(FRED, INBOX), IN(TOM, INBOX)), ERR_OVER_QUOTA);
    assert_int_equal(figures_of(TOM).mail.messages, 1);
}

/* ---- \Recent ---- */

static void test_recent(void **state)
{
    uint64_t modseq;
    uint32_t first;

    (void)state;
    deliver(TOM, INBOX, 0, 1);
    deliver(TOM, INBOX, 0, 1);
    modseq = figures_of(TOM).modseq;
    must(mailbox_recent(store, &cx, IN(TOM, INBOX), false, &first));
    assert_int_equal(first, 1);
    must(mailbox_recent(store, &cx, IN(TOM, INBOX), true, &first));
    assert_int_equal(first, 1);
    must(mailbox_recent(store, &cx, IN(TOM, INBOX), false, &first));
    assert_int_equal(first, 3); /* at once, before a flush */
    must(engine_wait(engine, &cx, engine_newest(engine)));
    must(mailbox_recent(store, &cx, IN(TOM, INBOX), true, &first));
    assert_int_equal(first, 3);
    assert_int_equal(figures_of(TOM).modseq, modseq); /* nobody is told */
    deliver(TOM, INBOX, 0, 1);
    must(mailbox_recent(store, &cx, IN(TOM, INBOX), false, &first));
    assert_int_equal(first, 3);
}

/* ---- many messages, one after the other ---- */

/* In order, with gaps of every length, and then what is not there, or behind. */
static void read_with_gaps(const struct body_id *bodies, int n, bool much)
{
    struct view *v = view_open(engine);
    struct message_reader *r = reader_open(v, TOM, much);
    struct facts_row facts;
    struct cold_row row;
    bool found;

    for (int step = 1; step < 40; step += 3)
        for (int i = 0; i < n; i += step) {
            must(reader_cold(r, &cx, bodies[i], &row, &found));
            assert_true(found);
            assert_int_equal(row.body_size, i);
            if (i % 7 == 0 || i == n / 2) {
                must(reader_cold(r, &cx, (struct body_id){bodies[i].v + 1}, &row, &found));
                assert_int_equal(found, i + 1 < n && bodies[i + 1].v == bodies[i].v + 1);
                must(reader_cold(r, &cx, bodies[i / 2], &row, &found));
                assert_int_equal(row.body_size, i / 2);
            }
            must(reader_facts(r, &cx, bodies[i], &facts, &found)); /* these have none */
            assert_false(found);
        }
    for (int i = 0; i < n; i += i == 99 ? 101 : 1) { /* a whole stretch is left out */
        must(reader_cold(r, &cx, bodies[i], &row, &found));
        assert_true(found && row.body_size == (uint64_t)i);
        must(reader_cold(r, &cx, bodies[i], &row, &found)); /* the same again */
        assert_true(found && row.body_size == (uint64_t)i);
    }
    reader_close(&r);
    view_close(&v);
}

static void test_reader(void **state)
{
    enum { MANY = 300 };
    struct body_id bodies[MANY];

    (void)state;
    for (int i = 0; i < MANY; i++) {
        deliver(TOM, INBOX, 0, (uint64_t)i);
        bodies[i] = entry_of(TOM, INBOX, (uint32_t)i + 1).body;
    }
    for (int much = 0; much < 2; much++)
        read_with_gaps(bodies, MANY, much);
}

/* ---- rows that make no sense ---- */

static void say_next_uid(uint32_t uid)
{
    struct txn *txn = txn_begin(engine, &(struct part){PART_ACCOUNT, TOM.v}, 1);
    struct counts_row row;
    struct ticket t;
    bool found;

    must(counts_row_txn(txn, &cx, TOM, &(struct counts_key){.mailbox = INBOX.v}, &row, &found));
    row.uid_next = uid;
    counts_row_put(txn, TOM, &(struct counts_key){.mailbox = INBOX.v}, &row);
    durable(txn_commit(&txn, &cx, &t), t);
}

static enum err add(uint32_t n)
{
    struct txn *txn = txn_begin(engine, &(struct part){PART_ACCOUNT, TOM.v}, 1);
    struct cold_row looks = {0};
    struct new_email mail = {.body_size = 1, .looks = &looks};
    struct placed at;
    struct ticket t;
    enum err e = OK;

    for (uint32_t i = 0; i < n && !e; i++) {
        mail.body.v = fresh_id();
        e = email_add(txn, &cx, TOM, INBOX, &mail, &at);
    }
    if (!e)
        durable(txn_commit(&txn, &cx, &t), t);
    txn_rollback(&txn);
    return e;
}

static void remove_some(uint32_t first, uint32_t last)
{
    struct imap_set some = SET({first, last});
    struct removed r;
    struct ticket t;

    durable(messages_remove(store, &cx, IN(TOM, INBOX), &some, false, &r, &t), t);
}

/* Counts that would give a UID to a second message: what would take the first one's place is refused. */
static void test_wrong_next_uid(void **state)
{
    const char *before;

    (void)state;
    must(add(100));
    say_next_uid(100); /* it is among the last few, which stand beside the counts */
    assert_int_equal(add(1), ERR_DAMAGED);
    say_next_uid(101);
    remove_some(95, 100);
    before = mailbox_text(TOM, INBOX);
    say_next_uid(70); /* in the block where those would come to */
    assert_int_equal(add(TAIL_MOST + 1), ERR_DAMAGED);
    assert_string_equal(mailbox_text(TOM, INBOX), before);
    say_next_uid(101);
    remove_some(50, 63);
    before = mailbox_text(TOM, INBOX);
    say_next_uid(60); /* and in the one behind it */
    assert_int_equal(add(TAIL_MOST + 1), ERR_DAMAGED);
    assert_string_equal(mailbox_text(TOM, INBOX), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_flags, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_unchanged_since, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_what_replace_keeps, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_keywords_run_out, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_copy, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_copy_without_rights, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_move, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_to_another_account, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_expunge, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_append, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_pieces_ahead, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_letters_ahead, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_replace, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_limit_of_bytes, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_limit_of_messages, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_recent, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_reader, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_next_uid, store_set_up, store_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
