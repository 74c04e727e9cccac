/* check --repair: of a store in order everything is there again, and of one that is not what nobody may see changed:
 * threads, EMAILIDs, spellings, prefixes, numbers. Row by row: repair_damage_test.c. */
#include "vault/admin/repair_world.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "vault/store/collect.h"
#include "vault/store/directory.h"
#include "vault/store/email.h"
#include "vault/store/folders.h"
#include "vault/store/folders_edit.h"
#include "vault/store/mailbox.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static struct state_row state_in(struct world *w, struct engine *e, struct account_id account)
{
    struct view *v = view_open(e);
    struct state_row row;
    bool found;

    must(w, state_row_view(v, &w->c.cx, account, &(struct state_key){0}, &row, &found));
    assert_true(found);
    view_close(&v);
    return row;
}

static struct mailbox_row inbox_in(struct world *w, struct engine *e, struct account_id account)
{
    struct view *v = view_open(e);
    struct counts_row counts;
    struct mailbox_row row;

    must(w, mailbox_state(v, &w->c.cx, account, INBOX, &row, &counts));
    view_close(&v);
    return row;
}

static struct counts_row counts_in(struct world *w, struct engine *e, struct account_id account)
{
    struct view *v = view_open(e);
    struct counts_row counts;
    struct mailbox_row row;

    must(w, mailbox_state(v, &w->c.cx, account, INBOX, &row, &counts));
    view_close(&v);
    return counts;
}

static void test_a_store_in_order(void **state)
{
    struct world *w = *state;
    struct mailbox_row before = inbox_in(w, w->vault.engine, w->tom), after;
    struct state_row counters = state_in(w, w->vault.engine, w->tom);
    struct repaired r;

    repair_all(w, &r);
    assert_int_equal(r.told.n, 0);
    assert_int_equal(check_repaired(w, &r).n, 0);
    assert_true(
        str_same(contents_text(w, r.engine, STR_NONE), contents_text(w, w->vault.engine, STR_NONE)));
    assert_int_equal(r.sums.accounts, 2);
    assert_int_equal(r.sums.emails, 3);
    assert_int_equal(r.sums.bodies, 3);
    assert_int_equal(r.sums.entries, 1);
    after = inbox_in(w, r.engine, w->tom);
    assert_int_equal(after.uid_validity, before.uid_validity);
    assert_int_equal(counts_in(w, r.engine, w->tom).uid_next,
                     counts_in(w, w->vault.engine, w->tom).uid_next);
    assert_int_equal(counts_in(w, r.engine, w->tom).unseen, 2);
    assert_true(state_in(w, r.engine, w->tom).modseq > counters.modseq);
    assert_true(state_in(w, r.engine, w->tom).next_email >= counters.next_email);
    engine_close(r.engine);
}

/* A client never sees a letter's THREADID change (RFC 8474 §5.2). */
static void test_threads_are_kept(void **state)
{
    struct world *w;
    struct repaired r;
    struct thread_row row;
    struct view *v;
    bool there;

    (void)state;
    world_open((void **)&w);
    thread_both(w);
    repair_all(w, &r);
    v = view_open(r.engine);
    must(w, thread_row_view(v, &w->c.cx, w->tom, AT(thread, .body = w->second.v), &row, &there));
    assert_true(there && row.thread == w->first.v);
    view_close(&v);
    engine_close(r.engine);
    world_close((void **)&w);
}

/* Nor its EMAILID, in an account that has another letter of this content. */
static void test_twins_are_kept(void **state)
{
    struct world *w;
    struct repaired r;
    struct cold_row row;
    struct view *v;
    struct body_id twin;
    bool there;

    (void)state;
    world_open((void **)&w);
    twin = copy_to_fred(w);
    repair_all(w, &r);
    assert_int_equal(twin_of(w, r.engine).v, twin.v);
    v = view_open(r.engine);
    must(w, cold_row_view(v, &w->c.cx, w->fred, AT(cold, .body = twin.v), &row, &there));
    assert_true(there && row.letter.v == w->second.v && row.origin.v == w->tom.v);
    view_close(&v);
    engine_close(r.engine);
    world_close((void **)&w);
}

static void transfer(struct world *w, struct account_id from, uint64_t box, uint32_t uid,
                     struct account_id to, uint64_t into)
{
    const struct imap_range one = {uid, uid};
    struct copied c;
    struct ticket t;

    durable(w,
            messages_move(w->vault.store, &w->c.cx, (struct mailbox_ref){from, {box}},
                          &(struct imap_set){.ranges = &one, .count = 1},
                          (struct mailbox_ref){to, {into}}, 0, &c, &t),
            t);
    assert_int_equal(c.count, 1);
}

static struct body_id newest(struct world *w, struct account_id id)
{
    struct view *v = view_open(w->vault.engine);
    struct body_id body;
    struct listed *l;
    size_t n, damaged;

    must(w, mailbox_list(v, &w->c.cx, id, INBOX, 0, &l, &n, &damaged));
    assert_true(n > 0);
    body = l[n - 1].body;
    free(l);
    view_close(&v);
    return body;
}

/* Fred's own letter was with Tom and came back beside Tom's, which then went. What Fred is sent after that is another one,
 * for it would take the EMAILID of his own. */
static void test_what_has_left(void **state)
{
    struct world *w;
    struct repaired r;
    struct collected c;

    (void)state;
    for (int damaged = 0; damaged < 2; damaged++) {
        world_open((void **)&w);
        transfer(w, w->fred, 1, 1, w->tom, 3);
        must(w, collect(w->vault.store, &w->c.cx, INT64_MAX, &c));
        transfer(w, w->tom, 1, 3, w->fred, 1);
        transfer(w, w->tom, 3, 1, w->fred, 3);
        transfer(w, w->fred, 1, 2, w->tom, 1);
        must(w, collect(w->vault.store, &w->c.cx, INT64_MAX, &c));
        if (damaged) {
            DAMAGE(ref, NO_ACCOUNT, .body = w->second.v, .part = LEFT_PART, .owner = w->fred.v);
            deliver_to_tom(w);
        }
        repair_all(w, &r);
        assert_int_equal(check_repaired(w, &r).n, 0);
        store_close(w->vault.store);
        engine_close(w->vault.engine);
        w->vault.engine = r.engine;
        must(w, store_open(&w->c.cx, r.engine, settings, &w->vault.store));
        send_again(w);
        assert_true(newest(w, w->fred).v != w->second.v);
        assert_int_equal(check_text(w).n, 0);
        world_close((void **)&w);
    }
}

static void expect_spelling(struct world *w, struct engine *e, uint64_t mailbox, const char *is)
{
    struct view *v = view_open(e);
    struct str spelled;

    must(w, folder_spelling(v, &w->c.cx, w->tom, (struct mailbox_id){mailbox}, &spelled));
    assert_true(str_same(spelled, str_from_c(is)));
    view_close(&v);
}

static struct mailbox_id make_folder(struct world *w, struct str name, struct str spelled)
{
    struct mailbox_id id;
    struct ticket t;

    durable(
        w,
        folder_create(w->vault.store, &w->c.cx, w->tom, (struct new_name){name, spelled}, 0, &id, &t),
        t);
    return id;
}

/* Spellings are kept (RFC 3501 §5.1.3); but not beside a name that had to become another. */
static void test_spellings_are_kept(void **state)
{
    struct world *w;
    struct repaired r;
    struct mailbox_id kept, other;
    struct ticket t;
    char recovered[40];

    (void)state;
    world_open((void **)&w);
    kept = make_folder(w, S("a\xc3\xa9"), S("ae\xcc\x81"));
    other = make_folder(w, S("u\xc3\xa9"), S("ue\xcc\x81"));
    w->t = txn_begin(w->vault.engine, &(struct part){PART_ACCOUNT, w->tom.v}, 1);
    CHANGE(mailbox, w->tom, row.name = S("a\xc3\xa9"), .mailbox = other.v);
    durable(w, txn_commit(&w->t, &w->c.cx, &t), t);
    repair_all(w, &r);
    snprintf(recovered, sizeof(recovered), "Recovered-%" PRIu64, other.v);
    expect_spelling(w, r.engine, kept.v, "ae\xcc\x81");
    expect_spelling(w, r.engine, other.v, recovered);
    engine_close(r.engine);
    world_close((void **)&w);
}

/* ---- what stood before a message ---- */

static struct body_id mail_to_tom(struct world *w, struct str prefix)
{
    struct txn *t = txn_begin(w->vault.engine, &(struct part){PART_ACCOUNT, w->tom.v}, 1);
    struct cold_row looks = {0};
    struct new_email n = {.body = put_body(t, S("Subject: pre\r\n\r\n")),
                          .body_size = 16,
                          .prefix = prefix,
                          .looks = &looks};
    struct placed at;
    struct ticket ticket;

    must(w, email_add(t, &w->c.cx, w->tom, INBOX, &n, &at));
    durable(w, txn_commit(&t, &w->c.cx, &ticket), ticket);
    return n.body;
}

static void note_accepted(struct world *w, struct body_id body, struct str from, struct str to)
{
    struct txn *t = txn_begin(w->vault.engine, NULL, 0);
    struct ticket ticket;

    trace_put(t, &(struct trace_event){.kind = TRACE_QUEUED, .message = body});
    trace_put(t,
              &(struct trace_event){.kind = TRACE_ACCEPTED, .message = body, .from = from, .to = to});
    durable(w, txn_commit(&t, &w->c.cx, &ticket), ticket);
}

static struct str prefix_in(struct world *w, struct engine *e, struct body_id body)
{
    struct view *v = view_open(e);
    struct message m;

    must(w, message_find(v, &w->c.cx, w->tom, body, &m));
    view_close(&v);
    return m.prefix;
}

#define PREFIX(from, to) "Return-Path: <" from ">\r\nDelivered-To: " to "\r\n"

static void test_prefix(void **state)
{
    static const struct {
        const char *prefix, *from, *to; /* from NULL: nothing was traced */
        bool is_kept;
        const char *why;
    } rows[] = {
        {PREFIX("ann@other.test", "tom@acompany.test"), "ann@other.test",
         "fred@acompany.test tom@acompany.test", true, "by name"},
        {PREFIX("", "Tom+news@acompany.test"), "<>", "Tom+news@acompany.test bob@acompany.test", true,
         "a report, to a subaddress"},
        {PREFIX("ann@other.test", "tom@acompany.test"), "ann@other.test", "everybody@acompany.test",
         true, "by an alias"},
        {PREFIX("ann", "tom@acompany.test"), "ann", "tom@acompany.test", true, "a bare name"},
        {PREFIX("ann@other.test", "anyone@catchall.test"), "ann@other.test", "anyone@catchall.test",
         false, "nobody knows that this is Tom"},
        {PREFIX("ann@other.test", "tom+x@acompany.test"), "ann@other.test", "staff@acompany.test",
         false, "nor what an alias made of it"},
        {PREFIX("ann@other.test", "tom@acompany.test"), NULL, NULL, false, "too old for the trace"},
        {"", NULL, NULL, true, "it had none"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct str prefix = str_from_c(rows[i].prefix);
        struct world *w;
        struct repaired r;
        struct body_id body;
        size_t at;

        world_open((void **)&w);
        body = mail_to_tom(w, prefix);
        DAMAGE(cold, w->tom, .body = body.v);
        note_accepted(w, rows[i].from ? body : w->first, str_from_c(rows[i].from),
                      str_from_c(rows[i].to));
        repair_all(w, &r);
        assert_int_equal(check_repaired(w, &r).n, 0);
        if (!str_same(prefix_in(w, r.engine, body), rows[i].is_kept ? prefix : STR_NONE) ||
            str_find(r.told, S("Delivered-To were lost, and UID 4 became UID 5"), &at) ==
                rows[i].is_kept ||
            str_find(r.told, S("email 4, UID 4, was made again"), &at) != rows[i].is_kept)
            fail_msg("%s: %.*s", rows[i].why, STR_ARG(r.told));
        engine_close(r.engine);
        world_close((void **)&w);
    }
}

/* Messages that have moved from the tail into a block: it is lost, and they come back where they first were. */
static void test_a_block(void **state)
{
    struct world *w = *state;
    struct imap_range moved = {5, 6};
    struct imap_set uids = {.ranges = &moved, .count = 1};
    struct copied copied;
    struct repaired r;
    struct ticket t;
    size_t at;

    for (int i = 0; i < 20; i++)
        deliver_to_tom(w);
    durable(w,
            messages_move(w->vault.store, &w->c.cx, (struct mailbox_ref){w->tom, INBOX}, &uids,
                          (struct mailbox_ref){w->tom, {2}}, UINT64_MAX, &copied, &t),
            t);
    DAMAGE(block, w->tom, .mailbox = 1, .block = 0);
    durable(w, domain_create(w->vault.store, &w->c.cx, S("other.test"), &t), t);
    repair_all(w, &r);
    assert_int_equal(check_repaired(w, &r).n, 0);
    assert_int_equal(counts_in(w, r.engine, w->tom).exists, 20);
    assert_int_equal(counts_in(w, r.engine, w->tom).uid_next, 24);
    assert_int_equal(inbox_in(w, r.engine, w->tom).uid_validity,
                     inbox_in(w, w->vault.engine, w->tom).uid_validity);
    assert_true(str_find(r.told, S("UID 4, email 4: its flags were lost; it is UID 4 now"), &at));
    assert_false(str_find(r.told, S("UID 5, email"), &at)); /* it is where it was moved to */
    engine_close(r.engine);
}

/* What clients were shown stays true: nothing that was given out is given again. */
static void test_counters_only_grow(void **state)
{
    struct world *w = *state;
    struct mailbox_row before = inbox_in(w, w->vault.engine, w->tom);
    struct state_row counters_before = state_in(w, w->vault.engine, w->tom);
    struct repaired r;
    struct ticket t;

    DAMAGE(state, w->tom, 0);
    DAMAGE(mailbox, w->tom, .mailbox = 1);
    durable(w, domain_create(w->vault.store, &w->c.cx, S("other.test"), &t), t);
    repair_all(w, &r);
    assert_true(inbox_in(w, r.engine, w->tom).uid_validity > before.uid_validity);
    assert_true(state_in(w, r.engine, w->tom).modseq > counters_before.modseq);
    assert_true(state_in(w, r.engine, w->tom).next_email > counters_before.next_email);
    assert_true(state_in(w, r.engine, w->tom).uid_validity >=
                inbox_in(w, r.engine, w->tom).uid_validity);
    engine_close(r.engine);
}

/* A new store that cannot be written ends it with an error, not with half a store. */
static void test_a_full_disk(void **state)
{
    struct world *w = *state;
    struct engine_options options = {0};
    struct engine *to;
    struct repair *r;
    enum err e = OK;

    must(w, engine_open_memory(&w->c.cx, &options, &to));
    r = repair_open(w->vault.engine, to, S("postmaster@acompany.test"));
    memory_engine_fail_next_write(to);
    for (int i = 0; i < 10 && !e; i++) {
        struct repair_reply reply = {0};

        e = repair_step(r, &w->c.cx, &reply);
        assert_false(reply.done && !e);
    }
    assert_true(e != OK);
    repair_close(&r);
    engine_close(to);
}

/* Rows of another format would be taken for damaged ones, and thrown away. */
static void test_another_format(void **state)
{
    struct world *w = *state;
    struct txn *t = txn_begin(w->vault.engine, &(struct part){PART_DIRECTORY, 0}, 1);
    struct engine_options options = {0};
    struct check_request q = {0};
    struct repair_reply repaired = {0};
    struct check_reply checked = {0};
    struct store *store;
    struct engine *to;
    struct repair *r;
    struct ticket ticket;
    scoped(buf_free) struct buf cause = buf_make(200);

    format_row_put(t, NO_ACCOUNT, AT(format, 0), &(struct format_row){.version = STORE_FORMAT - 1});
    durable(w, txn_commit(&t, &w->c.cx, &ticket), ticket);
    must(w, engine_open_memory(&w->c.cx, &options, &to));
    r = repair_open(w->vault.engine, to, S("postmaster@acompany.test"));
    assert_int_equal(store_open(&w->c.cx, w->vault.engine, settings, &store), ERR_CONFIG);
    buf_printf(&cause, "the store has format %d, this program knows %d: use the program that wrote it",
               STORE_FORMAT - 1, STORE_FORMAT);
    assert_true(str_same(str_from_c(w->c.cx.cause), buf_str(&cause)));
    assert_int_equal(serve_check(&w->c, &q, &checked), ERR_CONFIG);
    assert_int_equal(repair_step(r, &w->c.cx, &repaired), ERR_CONFIG);
    assert_false(repaired.done);
    assert_int_equal(engine_newest(to).v, 0);
    repair_close(&r);
    engine_close(to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_another_format, world_open, world_close),
        cmocka_unit_test(test_threads_are_kept),
        cmocka_unit_test(test_twins_are_kept),
        cmocka_unit_test(test_what_has_left),
        cmocka_unit_test(test_spellings_are_kept),
        cmocka_unit_test_setup_teardown(test_a_store_in_order, world_open, world_close),
        cmocka_unit_test(test_prefix),
        cmocka_unit_test_setup_teardown(test_a_block, world_open, world_close),
        cmocka_unit_test_setup_teardown(test_counters_only_grow, world_open, world_close),
        cmocka_unit_test_setup_teardown(test_a_full_disk, world_open, world_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
