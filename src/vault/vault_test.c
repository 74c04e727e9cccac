/* The accepting transaction, by its calls, on the memory engine: who may send where, what is written, what a gate may not
 * do, and what a power cut leaves. */
#include "vault/accept/left.h"
#include "vault/accept/transactions.h"
#include "vault/engine/memory.h"
#include "vault/session.h"
#include "vault/signon/handles.h"
#include "vault/store/directory.h"
#include "vault/store/mailbox.h"
#include "vault/testing.h"

#include <stdio.h>
#include <stdlib.h>

/* Of the first message in the account's INBOX. */
static struct cold_row first_looks(struct world *w, struct account_id account)
{
    struct view *v = view_open(w->vault.engine);
    struct cold_row row = {0};
    struct listed *l;
    size_t n, damaged;
    bool found;

    must(w, mailbox_list(v, &w->c.cx, account, INBOX, 0, &l, &n, &damaged));
    assert_true(n > 0);
    must(w, cold_row_view(v, &w->c.cx, account, &(struct cold_key){.body = l[0].body.v}, &row, &found));
    assert_true(found);
    free(l);
    view_close(&v);
    return row;
}

/* ---- who may send where ---- */

static void test_rcpt_answers(void **state)
{
    static const struct {
        const char *from, *to, *client;
        bool signed_on;
        enum err answer;
        const char *why;
    } rows[] = {
        {"a@elsewhere.test", "tom@acompany.test", NULL, false, OK, "mail for us from anyone"},
        {"a@elsewhere.test", "nobody@acompany.test", NULL, false, ERR_NO_SUCH_USER, "unknown"},
        {"a@elsewhere.test", "b@other.test", NULL, false, ERR_NO_RELAY, "no open relay"},
        {"", "b@other.test", NULL, false, ERR_NO_RELAY, "nor for the null reverse-path"},
        {"a@elsewhere.test", "b@other.test", "192.0.2.77", false, OK, "from the office"},
        {"a@elsewhere.test", "b@other.test", "192.0.3.77", false, ERR_NO_RELAY, "not from beside it"},
        {"a@elsewhere.test", "b@other.test", "::ffff:192.0.2.77", false, OK, "the same, mapped"},
        {"a@elsewhere.test", "postmaster", NULL, false, OK, "RFC 5321 4.5.1"},
        {"fred@acompany.test", "b@other.test", NULL, true, OK, "who signed on sends onward"},
        {"fred@acompany.test", "tom", NULL, true, OK, "a bare name is completed"},
        {"fred", "tom", NULL, true, OK, "the sender's too"},
        {"fred@acompany.test", "b@other", NULL, true, ERR_BAD_ADDRESS,
         "RFC 6409 4.2: not a whole domain"},
        {"fred@acompany.test", "b@[192.0.2.9]", NULL, true, OK, "a literal is whole"},
        {"a@elsewhere.test", "b@other", "192.0.2.77", false, OK,
         "the office's servers know what they do"},
        {"a@elsewhere.test", "tom", NULL, false, ERR_NO_SUCH_USER, "nobody's bare name but theirs"},
        {"root", "b@other.test", "uid:0", false, ERR_NO_RELAY, "what a gate says of a uid is nothing"},
        {"tom@acompany.test", "tom@acompany.test", NULL, true, ERR_BAD_SENDER, "not as somebody else"},
        {"a@elsewhere.test", "inside@acompany.test", NULL, false, ERR_INTERNAL_ONLY, "from outside"},
        {"fred@acompany.test", "inside@acompany.test", NULL, true, OK, "from inside"},
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct mail m = {.from = rows[i].from, .to = rows[i].to, .client = rows[i].client};
        enum err e;

        if (rows[i].signed_on)
            m.session = w->fred_on;
        e = begin_mail(w, &m);
        if (e != rows[i].answer)
            fail_msg("%s to %s (%s): %s", rows[i].from, rows[i].to, rows[i].why, err_row(e)->name);
    }
}

/* Whom the kernel named at the local socket. */
static void test_users_of_this_machine(void **state)
{
    static const struct {
        const char *login, *from, *to;
        enum err answer;
        const char *why;
    } rows[] = {
        {"cron", "cron", "tom", OK, "a bare name is one of the postmaster's domain"},
        {"cron", "cron", "nobody", ERR_NO_SUCH_USER, "where it is looked up as any other"},
        {"cron", "cron@mail.acompany.test", "b@other.test", OK,
         "the host's name will do, and mail goes onward"},
        {"cron", "Cron+jobs@acompany.test", "b@other.test", OK, "so does a subaddress"},
        {"cron", "", "b@other.test", OK, "a report"},
        {"cron", "tom@acompany.test", "tom", ERR_BAD_SENDER, "not as somebody else"},
        {"cron", "cron@other.test", "tom", ERR_BAD_SENDER, "nor of another domain"},
        {"cron", "sales@acompany.test", "tom", ERR_BAD_SENDER, "nor under an alias of others"},
        {"fred", "sales@acompany.test", "b@other.test", OK,
         "but under one of the account of that name"},
        {"fred", "fred@acompany.test", "inside@acompany.test", OK, "it comes from inside"},
        {"", "sales@acompany.test", "b@other.test", OK, "an operator writes as anybody"},
        {"", "ceo@other.test", "b@other.test", OK, "wherever that is"},
    };
    struct world *w = *state;
    struct target sales = {path_of("fred@acompany.test")};
    struct ticket ticket;

    durable(
        w,
        alias_write(w->vault.store, &w->c.cx, ALIAS_NEW, S("sales@acompany.test"), &sales, 1, &ticket),
        ticket);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct mail m = {
            .from = rows[i].from, .to = rows[i].to, .client = "uid:0", .text = S("\r\nhello\r\n")};
        struct signed_on who = {
            .gate = GATE, .protocol = PROTOCOL_LOCAL, .any_sender = !rows[i].login[0]};
        enum err e;

        snprintf(who.client, sizeof(who.client), "%s", rows[i].login);
        must(w, handle_give(w->vault.handles, &w->c.cx, &who, &m.session));
        e = send_mail(w, &m);
        if (e != rows[i].answer)
            fail_msg("%s sends as %s to %s (%s): %s", rows[i].login, rows[i].from, rows[i].to,
                     rows[i].why, err_row(e)->name);
        w->c.gate = OTHER_GATE;
        assert_int_equal(begin_mail(w, &m), ERR_AUTH_NEEDED);
        w->c.gate = GATE;
    }
}

static void test_a_hostile_gate(void **state)
{
    struct world *w = *state;
    struct mail m = {.from = "a@elsewhere.test", .to = "tom@acompany.test", .text = S("\r\nhello\r\n")};
    struct mail relay = m,
                stolen = {.from = "fred@acompany.test", .to = "b@other.test", .text = S("\r\n")};

    must(w, begin_mail(w, &m));
    w->c.gate = OTHER_GATE; /* another gate's transaction, another gate's session */
    assert_int_equal(end_mail(w, &m), ERR_BAD_CALL);
    stolen.session = w->fred_on;
    assert_int_equal(begin_mail(w, &stolen), ERR_AUTH_NEEDED);
    w->c.gate = GATE;
    stolen.session.lo++;
    assert_int_equal(begin_mail(w, &stolen), ERR_AUTH_NEEDED);

    must(w, begin_mail(w, &relay)); /* asked for tom, delivers to a stranger */
    relay.to = "b@other.test";
    assert_int_equal(end_mail(w, &relay), ERR_NO_RELAY);
    assert_int_equal(end_mail(w, &relay), ERR_BAD_CALL); /* and it is over */

    must(w, end_mail(w, &m));
    assert_int_equal(end_mail(w, &m), ERR_BAD_CALL); /* once only */
    assert_int_equal(count_in(w, w->tom), 1);
}

static void test_part_trees_are_checked(void **state)
{
    static const struct body_part bad[][2] = {
        {{.end = 1000, .body = 10}},         /* beyond the body */
        {{.start = 5, .end = 9, .body = 9}}, /* not the whole */
        {{.end = 9, .body = 2, .kind = 1},
         {.start = 5, .body = 4, .end = 9}}, /* begins behind its own header's end */
        {{.end = 9, .body = 2, .kind = 1},
         {.parent = 7, .start = 5, .body = 6, .end = 9}}, /* no such parent */
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct mail m = {.from = "a@x.test", .to = "tom@acompany.test", .text = S("\r\nhello\r\n")};
        struct rcpt rcpt = {.to = path_of(m.to)};
        struct body_part parts[2] = {bad[i][0], bad[i][1]};
        struct deliver_request q = {.reverse_path = path_of(m.from),
                                    .client = S("198.51.100.1"),
                                    .rcpts = &rcpt,
                                    .rcpts_count = 1,
                                    .last = m.text,
                                    .parts = parts,
                                    .parts_count = i < 2 ? 1 : 2};
        struct deliver_reply r;

        must(w, begin_mail(w, &m));
        q.transaction = m.id;
        assert_int_equal(serve_deliver(&w->c, &q, &r), ERR_BAD_CALL);
    }
    assert_int_equal(count_in(w, w->tom), 0);
}

/* ---- what is written ---- */

static void test_local_delivery(void **state)
{
    struct world *w = *state;
    struct mail m = {.from = "a@elsewhere.test",
                     .to = "Tom+news@acompany.test",
                     .text = S("Subject: x\r\n\r\nhi\r\n")};

    must(w, send_mail(w, &m));
    assert_true(str_same(message_in(w, w->tom, 0), S("Return-Path: <a@elsewhere.test>\r\n"
                                                     "Delivered-To: Tom+news@acompany.test\r\n"
                                                     "Subject: x\r\n\r\nhi\r\n")));
    assert_true(holds(first_looks(w, w->tom).envelope, "\"x\"")); /* IMAP finds everything in place */
    assert_true(holds(first_looks(w, w->tom).bodystructure, "(\"text\" \"plain\""));
}

static void test_loops_end(void **state)
{
    struct world *w = *state;
    struct buf b = buf_make(1 << 16);
    struct mail again = {.from = "a@x.test",
                         .to = "tom@acompany.test",
                         .text = S("Delivered-To: TOM@acompany.test\r\n\r\n")};
    struct mail many = {.from = "a@x.test", .to = "tom@acompany.test"};

    assert_int_equal(send_mail(w, &again), ERR_MAIL_LOOP);
    for (int i = 0; i < 101; i++)
        buf_add_c(&b, "Received: from here\r\n");
    buf_add_c(&b, "\r\n");
    many.text = buf_str(&b);
    assert_int_equal(send_mail(w, &many), ERR_MAIL_LOOP);
    many.text = str_from(many.text, 21); /* a hundred is allowed */
    must(w, send_mail(w, &many));
    assert_int_equal(count_in(w, w->tom), 1);
    buf_free(&b);
}

static void test_quota_counts_what_is_under_way(void **state)
{
    struct world *w = *state;
    struct mail first = {.from = "a@x.test", .to = "full@acompany.test"}, second = first;
    char text[90];

    memset(text, 'x', sizeof(text));
    memcpy(text, "\r\n", 2);
    first.text = second.text = (struct str){text, sizeof(text)};
    must(w, begin_mail(w, &first));
    must(w, begin_mail(w, &second)); /* 90 of 100 are coming: one more may go over */
    struct mail third = second;
    assert_int_equal(begin_mail(w, &third), ERR_MAILBOX_FULL); /* 180 are coming */
    must(w, serve_envelope_end(&w->c, &(struct envelope_end_request){.transaction = second.id},
                               &(struct envelope_end_reply){0}));
    must(w, begin_mail(w, &third)); /* what was given up counts no more */
    must(w, end_mail(w, &first));
    must(w, end_mail(w, &third));
    assert_int_equal(count_in(w, w->full), 2);
    assert_int_equal(begin_mail(w, &second), ERR_MAILBOX_FULL);
}

static void test_a_limit_of_messages(void **state)
{
    struct world *w = *state;
    struct mail first = {.from = "a@x.test", .to = "full@acompany.test", .text = S("\r\nhi\r\n")};
    struct mail second = first, third = first;

    set_limit(w, w->full, (struct amount){.messages = 2});
    must(w, begin_mail(w, &first));
    must(w, begin_mail(w, &second));
    assert_int_equal(begin_mail(w, &third), ERR_MAILBOX_FULL); /* two are coming */
    set_limit(w, w->full, (struct amount){.messages = 1});
    must(w, end_mail(w, &first));
    must(
        w,
        end_mail(
            w,
            &second)); /* what was promised is kept: a body is not taken for some and refused for others */
    assert_int_equal(count_in(w, w->full), 2);
    assert_int_equal(begin_mail(w, &third), ERR_MAILBOX_FULL);
    set_limit(w, w->full, (struct amount){.messages = 3});
    must(w, send_mail(w, &third));
    assert_int_equal(begin_mail(w, &first), ERR_MAILBOX_FULL);
    set_limit(w, w->full, (struct amount){.messages = 4, .bytes = 1});
    assert_int_equal(begin_mail(w, &first), ERR_MAILBOX_FULL);
    set_limit(w, w->full, (struct amount){0});
    must(w, begin_mail(w, &first));
}

/* A list is not refused for one of its members, who gets no more than others do for all that. */
static void test_a_full_member_of_a_list(void **state)
{
    struct world *w = *state;
    struct target both[] = {{path_of("tom@acompany.test")}, {path_of("full@acompany.test")}};
    struct mail m = {.from = "a@x.test",
                     .to = "both@acompany.test",
                     .text = S("\r\nhi\r\n"),
                     .notify = NOTIFY_SUCCESS | NOTIFY_FAILURE};
    struct queue_list_reply queued;
    size_t to_full = 0;
    struct ticket t;

    durable(w, alias_write(w->vault.store, &w->c.cx, ALIAS_NEW, S("both@acompany.test"), both, 2, &t),
            t);
    set_limit(w, w->full, (struct amount){.messages = 1});
    must(w, send_mail(w, &m));
    assert_int_equal(count_in(w, w->tom), 1);
    assert_int_equal(count_in(w, w->full), 1);
    must(w, send_mail(w, &m));
    assert_int_equal(count_in(w, w->tom), 2);
    assert_int_equal(count_in(w, w->full), 1);
    queued = queue_now(w); /* twice the list's report of success, and none of a member's */
    assert_int_equal(queued.entries_count, 3);
    for (size_t i = 0; i < queued.entries_count; i++)
        to_full += str_same(queued.entries[i].rcpts[0].to, S("full@acompany.test"));
    assert_int_equal(to_full, 1);
}

static void test_a_body_in_pieces(void **state)
{
    struct world *w = *state;
    struct mail m = {.from = "a@x.test", .to = "tom@acompany.test"};
    struct buf piece = buf_make(BODY_PIECE);
    struct body_piece_request q = {.n = 0};
    struct body_piece_reply r;
    struct rcpt rcpt = {.to = path_of("tom@acompany.test")};
    struct body_part part = {.body = 9, .end = BODY_PIECE + 3};
    struct deliver_request d = {.client = S("198.51.100.1"),
                                .reverse_path = path_of("a@x.test"),
                                .rcpts = &rcpt,
                                .rcpts_count = 1,
                                .pieces_before = 1,
                                .last = S("end"),
                                .parts = &part,
                                .parts_count = 1};
    struct deliver_reply dr;

    buf_add_c(&piece, "A: b\r\n\r\nx");
    while (!piece.full)
        buf_add_char(&piece, 'y');
    must(w, begin_mail(w, &m));
    q.transaction = d.transaction = m.id;
    q.piece = buf_str(&piece);
    q.n = 1;
    assert_int_equal(serve_body_piece(&w->c, &q, &r), ERR_BAD_CALL); /* out of order */
    q.n = 0;
    must(w, serve_body_piece(&w->c, &q, &r));
    must(w, serve_deliver(&w->c, &d, &dr));
    must(w, engine_wait(w->vault.engine, &w->c.cx, w->c.ticket));
    assert_int_equal(message_in(w, w->tom, 0).n,
                     BODY_PIECE + strlen("Return-Path: <a@x.test>\r\n"
                                         "Delivered-To: tom@acompany.test\r\n"));
    buf_free(&piece);
}

static bool has_pieces(struct world *w, struct body_id body)
{
    struct view *v = view_open(w->vault.engine);
    struct piece_row row;
    bool found;

    must(w, piece_row_view(v, &w->c.cx, NO_ACCOUNT, &(struct piece_key){.body = body.v}, &row, &found));
    view_close(&v);
    return found;
}

static size_t rows_ahead(struct world *w)
{
    struct view *v = view_open(w->vault.engine);
    struct str key, value;
    struct scan *s;
    size_t n = 0;

    must(w, view_scan(v, &w->c.cx, ahead_part(NO_ACCOUNT), S("p"), S("q"), false, &s));
    while (scan_next(s, &key, &value))
        n++;
    scan_close(&s);
    view_close(&v);
    return n;
}

static struct mail begin_with_piece(struct world *w, struct str piece)
{
    struct mail m = {.from = "a@x.test", .to = "tom@acompany.test", .text = S("end")};
    struct body_piece_request q = {.piece = piece};

    must(w, begin_mail(w, &m));
    q.transaction = m.id;
    must(w, serve_body_piece(&w->c, &q, &(struct body_piece_reply){0}));
    must(w, engine_wait(w->vault.engine, &w->c.cx, engine_newest(w->vault.engine)));
    return m;
}

/* Whoever sends half a message and goes leaves nothing on the disk; nor does who is refused at its end. */
static void test_half_a_body(void **state)
{
    struct world *w = *state;
    struct buf piece = buf_make(BODY_PIECE);
    struct mail gone, refused, busy, waits;
    struct transaction *taken;

    buf_add_c(&piece, "A: b\r\n\r\nx");
    while (!piece.full)
        buf_add_char(&piece, 'y');
    gone = begin_with_piece(w, buf_str(&piece));
    refused = begin_with_piece(w, buf_str(&piece));
    busy = begin_with_piece(w, buf_str(&piece));
    must(w, serve_envelope_end(&w->c, &(struct envelope_end_request){.transaction = gone.id},
                               &(struct envelope_end_reply){0}));
    assert_int_equal(end_mail(w, &refused), ERR_BAD_CALL); /* of fewer pieces than there are */
    w->c.gate = OTHER_GATE;
    waits = begin_with_piece(w, buf_str(&piece));
    taken = transaction_take(w->vault.transactions, busy.id, GATE);
    transactions_end_gate(w->vault.transactions, GATE);
    assert_int_equal(left_bodies_take_back(&w->vault, &w->c.cx), 2 * BODY_PIECE);
    must(w, engine_wait(w->vault.engine, &w->c.cx, engine_newest(w->vault.engine)));
    assert_false(has_pieces(w, gone.id));
    assert_false(has_pieces(w, refused.id));
    assert_true(has_pieces(w, busy.id)); /* until who has it gives it back */
    assert_true(has_pieces(w, waits.id));
    assert_int_equal(rows_ahead(w), 2);

    transaction_give_back(w->vault.transactions, taken);
    assert_int_equal(left_bodies_take_back(&w->vault, &w->c.cx), BODY_PIECE);

    transactions_end_gate(w->vault.transactions, OTHER_GATE);
    memory_engine_fail_next_flush(w->vault.engine);
    assert_int_equal(engine_wait(w->vault.engine, &w->c.cx, engine_newest(w->vault.engine)), ERR_STORE);
    engine_tend(w->vault.engine);
    assert_int_equal(left_bodies_take_back(&w->vault, &w->c.cx), 0); /* who knows what became of it? */
    assert_int_equal(rows_ahead(w), 2);                              /* the next start sweeps these */
    buf_free(&piece);
}

/* The second piece is lost when the store fails, and by the end of the message it is open again. A third is refused. */
static void test_a_body_that_is_lost_in_part(void **state)
{
    struct world *w = *state;
    struct mail m = {.from = "a@x.test", .to = "tom@acompany.test", .text = S("end")};
    struct rcpt rcpt = {.to = path_of(m.to)};
    struct body_part part = {.body = 9, .end = 2 * BODY_PIECE + 3};
    struct deliver_request d = {.client = S("198.51.100.1"),
                                .reverse_path = path_of(m.from),
                                .rcpts = &rcpt,
                                .rcpts_count = 1,
                                .pieces_before = 2,
                                .last = m.text,
                                .parts = &part,
                                .parts_count = 1};
    struct buf piece = buf_make(BODY_PIECE);
    struct body_piece_request q;

    buf_add_c(&piece, "A: b\r\n\r\nx");
    while (!piece.full)
        buf_add_char(&piece, 'y');
    must(w, begin_mail(w, &m));
    d.transaction = m.id;
    q = (struct body_piece_request){.transaction = m.id, .piece = buf_str(&piece)};
    must(w, serve_body_piece(&w->c, &q, &(struct body_piece_reply){0}));
    must(w, engine_wait(w->vault.engine, &w->c.cx, engine_newest(w->vault.engine)));
    q.n = 1;
    must(w, serve_body_piece(&w->c, &q, &(struct body_piece_reply){0}));
    memory_engine_fail_next_flush(w->vault.engine);
    while (engine_wait(w->vault.engine, &w->c.cx, engine_newest(w->vault.engine)) == OK)
        ;
    q.n = 2;
    assert_int_equal(serve_body_piece(&w->c, &q, &(struct body_piece_reply){0}), ERR_STORE);
    engine_tend(w->vault.engine);
    assert_true(engine_is_open(w->vault.engine));
    assert_int_equal(serve_body_piece(&w->c, &q, &(struct body_piece_reply){0}),
                     ERR_STORE); /* nor now */
    assert_int_equal(serve_deliver(&w->c, &d, &(struct deliver_reply){0}), ERR_STORE);
    assert_int_equal(count_in(w, w->tom), 0);
    buf_free(&piece);
}

/* ---- everything agrees ---- */

static void check_all(struct world *w)
{
    struct check_request q = {0};

    do {
        struct check_reply r = {0};

        must(w, serve_check(&w->c, &q, &r));
        if (r.found_count)
            fail_msg("%.*s: %.*s", STR_ARG(r.found[0].address), STR_ARG(r.found[0].text));
        q.after_account = r.next_account;
    } while (q.after_account != UINT64_MAX);
}

/* At each commit of a delivery to two kinds of recipients the power goes: it is all there or not at all. */
static void test_power_cut_while_accepting(void **state)
{
    struct world *w = *state;
    struct target both[] = {{path_of("tom@acompany.test")}, {path_of("b@other.test")}};
    size_t delivered = 0, queued = 0;
    struct ticket t;

    durable(w, alias_write(w->vault.store, &w->c.cx, ALIAS_NEW, S("both@acompany.test"), both, 2, &t),
            t);
    for (uint64_t cut = 1; cut <= 6; cut++) {
        struct mail m = {.from = "a@x.test", .to = "both@acompany.test", .text = S("\r\nhi\r\n")};
        size_t n;
        enum err e;

        memory_engine_cut_power_at_commit(w->vault.engine, cut, cut % 2);
        for (int i = 0; i < 8; i++) {
            e = send_mail(w, &m);
            if (e)
                break;
            delivered++;
            queued++;
        }
        assert_true(e != OK);
        while (!engine_is_open(w->vault.engine))
            engine_tend(w->vault.engine);
        n = count_in(w, w->tom);
        assert_true(n == delivered || n == delivered + 1);
        assert_int_equal(queue_now(w).entries_count, queued + (n - delivered));
        queued += n - delivered;
        delivered = n;
        check_all(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rcpt_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_users_of_this_machine, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_hostile_gate, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_part_trees_are_checked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_local_delivery, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_loops_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_quota_counts_what_is_under_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_limit_of_messages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_member_of_a_list, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_body_in_pieces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_half_a_body, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_body_that_is_lost_in_part, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_power_cut_while_accepting, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
