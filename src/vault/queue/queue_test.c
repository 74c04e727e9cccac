/* The queue, by its calls, on the memory engine: what becomes of an attempt, who is told, and what the postmaster may
 * change. */
#include "vault/queue/queue.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/scoped.h"
#include "config/config.h"
#include "rpc/frame.h"
#include "vault/engine/memory.h"
#include "vault/store/body.h"
#include "vault/store/directory.h"
#include "vault/testing.h"

#include <pthread.h>
#include <sched.h>

/* ---- in place of channel.c: one call that is answered later ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static pthread_cond_t came = PTHREAD_COND_INITIALIZER;
static bool answered;
static struct buf answer;

enum err caller_answer_later(struct caller *c, struct later *token)
{
    *token = (struct later){.call = c->call};
    return OK;
}

bool later_is_heard(const struct later *token)
{
    (void)token;
    return true;
}

void later_answer(struct later *token, enum err e, struct str packed_reply)
{
    HOLD(&lock);

    (void)token;
    if (e)
        return;
    buf_add(&answer, packed_reply);
    answered = true;
    pthread_cond_signal(&came);
}

/* Of a gate that asks for as much as there is. In the world's arena. */
static struct queue_take_reply take_work(struct world *w)
{
    struct queue_take_request q = {.most = 64};
    struct queue_take_reply r = {0};
    struct unpack u;

    answer = buf_make(BUF_UNLIMITED);
    must(w, serve_queue_take(&w->c, &q, &r));
    {
        HOLD(&lock);
        while (!answered)
            pthread_cond_wait(&came, &lock);
        answered = false;
    }
    assert_true(answer.n <= FRAME_LIMIT);
    u = unpack_begin(str_copy(w->c.cx.arena, buf_str(&answer)));
    unpack_queue_take_reply(w->c.cx.arena, &u, &r);
    assert_true(unpack_done(&u));
    buf_free(&answer);
    return r;
}

/* As the mx gate would: leases the only entry and reports one outcome for its first recipient. */
static void attempt(struct world *w, struct entry_id id, uint32_t outcome, const char *status,
                    const char *reply)
{
    struct result result = {.outcome = outcome,
                            .status = str_from_c(status),
                            .reply = str_from_c(reply),
                            .remote = S("mx.other.test")};
    struct queue_done_request q = {.entry = id, .results = &result, .results_count = 1};
    struct queue_done_reply r;

    assert_int_equal(serve_queue_done(&w->c, &q, &r), ERR_DENIED); /* not without the lease */
    assert_true(queue_lease(w->vault.queue, id, GATE, S("other.test")));
    assert_false(queue_lease(w->vault.queue, id, OTHER_GATE, S("other.test")));
    must(w, serve_queue_done(&w->c, &q, &r));
    must(w, engine_wait(w->vault.engine, &w->c.cx, w->c.ticket));
    assert_false(queue_has_lease(w->vault.queue, id, GATE)); /* it went back when that was durable */
}

/* The scheduling thread delivers reports to our own mailboxes; it is woken by the commit. */
static void wait_for_mail(struct world *w, struct account_id account, size_t n)
{
    while (count_in(w, account) < n) {
        engine_flush(w->vault.engine);
        sched_yield();
    }
}

static struct entry_id queue_one(struct world *w, struct mail *m)
{
    struct queue_list_reply list;

    m->from = m->from ? m->from : "fred@acompany.test";
    m->to = "b@other.test";
    m->text = S("Message-ID: <1@x>\r\nSubject: to b\r\n\r\nhello b\r\n");
    m->session = *m->from ? w->fred_on : (struct handle){0};
    m->client = "192.0.2.1";
    must(w, send_mail(w, m));
    list = queue_now(w);
    assert_int_equal(list.entries_count, 1);
    return list.entries[0].entry;
}

static void remove_all(struct world *w)
{
    struct queue_change_request q = {.action = QUEUE_REMOVE, .domain = S("other.test")};
    struct queue_change_reply r = {0};

    must(w, serve_queue_change(&w->c, &q, &r));
    assert_int_equal(queue_now(w).entries_count, 0);
}

static void test_refused_mail_comes_back_once(void **state)
{
    struct world *w = *state;
    struct mail m = {0}, bounce = {.from = ""};
    struct str report;

    attempt(w, queue_one(w, &m), OUTCOME_FAILED, "5.1.1", "550 5.1.1 no such person here");
    wait_for_mail(w, w->fred, 1);
    report = message_in(w, w->fred, 0);
    assert_true(holds(report, "Return-Path: <>"));
    assert_true(holds(report, "550 5.1.1 no such person here"));
    assert_true(holds(report, "b@other.test"));
    assert_true(holds(report, "Action: failed"));
    assert_true(holds(report, "Subject: to b"));
    while (queue_now(w).entries_count)
        engine_flush(w->vault.engine);
    attempt(w, queue_one(w, &bounce), OUTCOME_FAILED, "5.1.1",
            "550 no"); /* never a report about a report */
    assert_int_equal(queue_now(w).entries_count, 0);
    assert_int_equal(count_in(w, w->fred), 1);
}

static void test_deferred_mail_waits(void **state)
{
    struct world *w = *state;
    struct mail m = {0};
    struct entry_id id = queue_one(w, &m);
    uint64_t before = (uint64_t)now_ms();
    struct queue_info q;

    attempt(w, id, OUTCOME_DEFERRED, "4.3.0", "451 4.3.0 later");
    q = queue_now(w).entries[0];
    assert_int_equal(q.attempts, 1);
    assert_true(q.due >= before + 3600000 && q.due <= (uint64_t)now_ms() + 3600000); /* retry = 1h */
    assert_true(str_same(q.rcpts[0].last_reply, S("451 4.3.0 later")));
    assert_int_equal(count_in(w, w->fred), 0); /* too early to tell the sender */
}

/* A gate that was taken over says what it likes; were all of it kept, the queue could not be listed any more. */
static void test_what_is_kept_of_a_reply_is_short(void **state)
{
    struct world *w = *state;
    struct mail m = {0};
    struct entry_id id = queue_one(w, &m);
    struct buf reply = buf_make(1000000);

    while (!reply.full)
        buf_add_char(&reply, 'x');
    reply.p[reply.n - 1] = '\0';
    attempt(w, id, OUTCOME_DEFERRED, reply.p, reply.p);
    assert_int_equal(queue_now(w).entries[0].rcpts[0].last_reply.n, 2000);
    assert_true(queue_now(w).entries[0].rcpts[0].status.n < 100);
    buf_free(&reply);
}

/* The schedule may have seen an entry in a view that is older than the end of the attempt before: without another look
 * it would be tried again at once, and what was delivered would be delivered twice. */
static void test_what_is_not_due_any_more_is_not_leased(void **state)
{
    static const uint32_t outcomes[] = {OUTCOME_DEFERRED, OUTCOME_RELAYED};
    struct world *w = *state;

    for (size_t i = 0; i < sizeof(outcomes) / sizeof(*outcomes); i++) {
        struct mail m = {0};
        struct entry_id id = queue_one(w, &m);
        struct view *v = view_open(w->vault.engine);
        struct entry_row seen;
        bool found;

        assert_true(queue_lease_due(w->vault.queue, &w->c.cx, id, GATE, &(struct entry_row){0}));
        queue_unlease(w->vault.queue, id);
        attempt(w, id, outcomes[i], "4.3.0", "451 4.3.0 later");
        must(w, entry_read(v, &w->c.cx, id, &seen, &found));
        assert_true(found && seen.due <= (uint64_t)now_ms());
        assert_false(queue_lease_due(w->vault.queue, &w->c.cx, id, GATE, &seen));
        assert_false(queue_is_leased(w->vault.queue, id));
        view_close(&v);
        remove_all(w);
    }
}

/* As attempt(), but nobody has flushed yet. */
static void report_relayed(struct world *w, struct entry_id id, enum err expected)
{
    struct result result = {.outcome = OUTCOME_RELAYED,
                            .status = S("2.0.0"),
                            .reply = S("250 ok"),
                            .remote = S("mx.other.test")};
    struct queue_done_request q = {.entry = id, .results = &result, .results_count = 1};
    struct queue_done_reply r;

    assert_int_equal(serve_queue_done(&w->c, &q, &r), expected);
}

/* What it relayed is still due for whoever reads the store, until the result is durable. */
static void test_the_lease_outlives_the_gate_that_reported(void **state)
{
    struct world *w = *state;
    struct mail m = {0};
    struct entry_id id = queue_one(w, &m);
    struct entry_row seen = {.destination = S("other.test")};

    assert_true(queue_lease_due(w->vault.queue, &w->c.cx, id, GATE, &seen));
    report_relayed(w, id, OK);
    report_relayed(w, id, ERR_DENIED); /* once is enough */
    queue_gate_ended(w->vault.queue, GATE);
    assert_false(queue_lease_due(w->vault.queue, &w->c.cx, id, OTHER_GATE, &seen));
    must(w, engine_wait(w->vault.engine, &w->c.cx, w->c.ticket));
    assert_false(queue_is_leased(w->vault.queue, id));
    assert_int_equal(queue_now(w).entries_count, 0);
}

/* The flush was done, and failed for all that anybody knows: until the store is open again its views show what was before,
 * and who went by that would relay a second time. */
static void test_nothing_is_leased_while_the_store_has_failed(void **state)
{
    struct world *w = *state;
    struct mail m = {0};
    struct entry_id id = queue_one(w, &m);
    struct entry_row seen = {.destination = S("other.test")};

    assert_true(queue_lease_due(w->vault.queue, &w->c.cx, id, GATE, &seen));
    memory_engine_cut_power_after_flush(w->vault.engine, 1);
    report_relayed(w, id, OK);
    assert_int_equal(engine_wait(w->vault.engine, &w->c.cx, w->c.ticket), ERR_STORE);
    assert_false(queue_is_leased(w->vault.queue, id));
    assert_false(queue_lease_due(w->vault.queue, &w->c.cx, id, GATE, &seen));
    engine_tend(w->vault.engine);
    assert_true(engine_is_open(w->vault.engine));
    assert_int_equal(queue_now(w).entries_count, 0);
}

static void test_a_result_becomes_durable_after_the_end(void **state)
{
    struct world *w = *state;
    struct mail m = {0};
    struct entry_id id = queue_one(w, &m);

    assert_true(queue_lease(w->vault.queue, id, GATE, S("other.test")));
    report_relayed(w, id, OK);
    queue_close(w->vault.queue);
    w->vault.queue = NULL;
    must(w, engine_wait(w->vault.engine, &w->c.cx, w->c.ticket));
    w->vault.queue = queue_open(&w->vault);
    assert_int_equal(queue_now(w).entries_count, 0);
}

static void test_success_is_told_if_asked(void **state)
{
    static const struct {
        uint32_t notify, outcome;
        size_t reports;
        const char *action;
    } rows[] = {{0, OUTCOME_RELAYED, 0, ""},
                {NOTIFY_SUCCESS, OUTCOME_RELAYED, 1, "Action: relayed"},
                {NOTIFY_SUCCESS, OUTCOME_DELIVERED, 0, ""}, /* the next server reports */
                {NOTIFY_NEVER, OUTCOME_FAILED, 0, ""},
                {NOTIFY_SUCCESS, OUTCOME_FAILED, 0, ""}};
    struct world *w = *state;
    size_t reports = 0;

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct mail m = {.notify = rows[i].notify};

        attempt(w, queue_one(w, &m), rows[i].outcome, "2.0.0", "250 ok");
        reports += rows[i].reports;
        wait_for_mail(w, w->fred, reports);
        while (queue_now(w).entries_count)
            engine_flush(w->vault.engine);
        assert_int_equal(count_in(w, w->fred), reports);
        if (rows[i].reports)
            assert_true(holds(message_in(w, w->fred, reports - 1), rows[i].action));
    }
}

/* Of a message from outside, as it is when a list has many members; its lease is ours, so that the schedule leaves it. */
static struct entry_id put_local(struct world *w, const char *const *to, size_t n)
{
    struct str text = S("Subject: all\r\n\r\nhello\r\n");
    struct entry_rcpt *rcpts = arena_array(w->c.cx.arena, struct entry_rcpt, n);
    struct new_body body = {.id = {fresh_id()}, .last = text, .size = text.n};
    struct new_entry entry = {.id = {body.id.v, 1},
                              .destination = LOCAL_DESTINATION,
                              .reverse_path = path_of("a@other.test"),
                              .size = text.n,
                              .rcpts = rcpts,
                              .rcpts_count = n};
    struct txn *t = txn_begin(w->vault.engine, NULL, 0);
    struct ticket ticket;

    assert_true(queue_lease(w->vault.queue, entry.id, 0, LOCAL_DESTINATION));
    for (size_t i = 0; i < n; i++)
        rcpts[i] = (struct entry_rcpt){.to = path_of(to[i]), .state = RCPT_WAITING};
    digest_of(text, body.sha256);
    body_put(t, &body);
    queue_add(t, settings(), &entry);
    durable(w, txn_commit(&t, &w->c.cx, &ticket), ticket);
    return entry.id;
}

static void deliver(struct world *w, struct entry_id id)
{
    struct ticket ticket;

    durable(w, queue_deliver_local(&w->vault, &w->c.cx, id, &ticket), ticket);
}

/* A flush, after which views see the damage, and the directory is read again. */
static void change_directory(struct world *w)
{
    struct part part = domain_part(NO_ACCOUNT);
    struct txn *t = txn_begin(w->vault.engine, &part, 1);
    struct ticket ticket;

    domain_row_put(t, NO_ACCOUNT, &(struct domain_key){.name = S("later.test")},
                   &(struct domain_row){0});
    must(w, txn_commit(&t, &w->c.cx, &ticket));
    must(w, engine_wait(w->vault.engine, &w->c.cx, ticket));
}

static void damage(struct world *w, struct part part, void (*pack)(struct buf *out, const void *key),
                   const void *key)
{
    struct buf b = buf_make(64);

    pack(&b, key);
    memory_engine_damage(w->vault.engine, part, buf_str(&b));
    buf_free(&b);
    change_directory(w);
}

static void pack_state(struct buf *out, const void *key)
{
    state_key_pack(out, key);
}

static void pack_piece(struct buf *out, const void *key)
{
    piece_key_pack(out, key);
}

static void test_a_damaged_mailbox_keeps_no_other_waiting(void **state)
{
    static const char *const to[] = {"tom@acompany.test", "fred@acompany.test"};
    struct world *w = *state;
    struct entry_id id = put_local(w, to, 2);
    struct queue_info q;

    damage(w, state_part(w->tom), pack_state, &(struct state_key){0});
    deliver(w, id);
    assert_int_equal(count_in(w, w->fred), 1);
    q = queue_now(w).entries[0];
    assert_int_equal(q.rcpts[0].state, RCPT_WAITING);
    assert_int_equal(q.rcpts[1].state, RCPT_DONE);
    assert_true(q.attempts == 1 && q.due > (uint64_t)now_ms());
    deliver(w, id);
    assert_int_equal(count_in(w, w->fred), 1);
    assert_int_equal(queue_now(w).entries[0].attempts, 2);
}

/* Or it would be tried again at once, for ever, and 64 of them would keep all others waiting. */
static void test_a_damaged_message_is_put_off(void **state)
{
    static const char *const to[] = {"fred@acompany.test"};
    struct world *w = *state;
    struct entry_id id = put_local(w, to, 1);
    struct queue_info q;

    damage(w, piece_part(NO_ACCOUNT), pack_piece, &(struct piece_key){.body = id.body});
    deliver(w, id);
    q = queue_now(w).entries[0];
    assert_int_equal(q.rcpts[0].state, RCPT_WAITING);
    assert_true(q.attempts == 1 && q.due > (uint64_t)now_ms());
}

static void pack_ref(struct buf *out, const void *key)
{
    ref_key_pack(out, key);
}

/* What a list's members may need numbers for waits, as with other damage; who needs none has the message. */
static void test_damaged_references(void **state)
{
    static const char *const lists[] = {"both@acompany.test"}, *const people[] = {"fred@acompany.test"};
    struct world *w = *state;
    struct target both[] = {{path_of("tom@acompany.test")}, {path_of("inside@acompany.test")}};
    struct entry_id to_list, to_fred;
    struct queue_list_reply queued;
    struct ticket t;

    durable(w, alias_write(w->vault.store, &w->c.cx, ALIAS_NEW, S("both@acompany.test"), both, 2, &t),
            t);
    to_list = put_local(w, lists, 1);
    to_fred = put_local(w, people, 1);
    damage(w, ref_part(NO_ACCOUNT), pack_ref,
           &(struct ref_key){.body = to_list.body, .part = QUEUE_PART, .owner = to_list.n});
    damage(w, ref_part(NO_ACCOUNT), pack_ref,
           &(struct ref_key){.body = to_fred.body, .part = QUEUE_PART, .owner = to_fred.n});
    deliver(w, to_fred);
    assert_int_equal(count_in(w, w->fred), 1);
    deliver(w, to_list);
    assert_int_equal(count_in(w, w->tom), 0);
    queued = queue_now(w);
    assert_int_equal(queued.entries_count, 1);
    assert_true(queued.entries[0].attempts == 1 && queued.entries[0].due > (uint64_t)now_ms());
    assert_int_equal(queued.entries[0].rcpts[0].state, RCPT_WAITING);
}

static void test_a_full_mailbox_waits(void **state)
{
    static const char *const to[] = {"full@acompany.test", "fred@acompany.test"};
    static const struct amount limits[] = {{.messages = 1}, {.bytes = 1}};
    struct world *w = *state;

    for (size_t i = 0; i < 2; i++) {
        struct entry_id id = put_local(w, (const char *const[]){"full@acompany.test"}, 1);
        struct queue_info q;

        set_limit(w, w->full, (struct amount){0});
        deliver(w, id);
        set_limit(w, w->full, limits[i]);
        id = put_local(w, to, 2);
        deliver(w, id);
        q = queue_now(w).entries[0];
        assert_int_equal(q.rcpts[0].state, RCPT_WAITING);
        assert_true(str_same(q.rcpts[0].status, S("4.2.2")));
        assert_int_equal(q.rcpts[1].state, RCPT_DONE);
        assert_int_equal(count_in(w, w->fred), i + 1);
        assert_int_equal(count_in(w, w->full), 2 * i + 1);
        set_limit(w, w->full, (struct amount){.messages = 2 * i + 2}); /* room for one */
        deliver(w, id);
        assert_int_equal(count_in(w, w->full), 2 * i + 2);
        assert_int_equal(queue_now(w).entries_count, 0);
    }
}

static void pack_domain(struct buf *out, const void *key)
{
    domain_key_pack(out, key);
}

/* What the other server said is settled all the same, or it would get the message again and again. */
static void test_a_report_to_a_damaged_domain(void **state)
{
    struct world *w = *state;
    struct mail m = {0};
    struct entry_id id = queue_one(w, &m);

    damage(w, domain_part(NO_ACCOUNT), pack_domain, &(struct domain_key){.name = S("acompany.test")});
    attempt(w, id, OUTCOME_FAILED, "5.1.1", "550 5.1.1 no such person here");
    assert_int_equal(queue_now(w).entries_count, 1);
    assert_true(queue_now(w).entries[0].entry.body != id.body); /* the report, which waits */
}

static void pack_due(struct buf *out, const void *key)
{
    due_key_pack(out, key);
}

/* The block of the schedule that cannot be read costs the entries in it, not all that come later. */
static void test_the_schedule_goes_on_behind_damage(void **state)
{
    static const char *const to[] = {"fred@acompany.test"};
    struct world *w = *state;
    struct mail m = {0};
    struct entry_id lost = queue_one(w, &m), id;

    damage(w, due_part(NO_ACCOUNT), pack_due,
           &(struct due_key){.due = queue_now(w).entries[0].due, .body = lost.body, .n = lost.n});
    id = put_local(w, to, 1);
    queue_unlease(w->vault.queue, id);
    wait_for_mail(w, w->fred, 1);
}

static void pack_entry(struct buf *out, const void *key)
{
    entry_key_pack(out, key);
}

static void test_entries_behind_damage_are_listed(void **state)
{
    struct world *w = *state;
    struct mail first = {0}, second = {.from = "fred@acompany.test",
                                       .to = "c@other.test",
                                       .text = S("Subject: to c\r\n\r\n"),
                                       .session = w->fred_on};
    struct entry_id lost = queue_one(w, &first);

    must(w, send_mail(w, &second));
    damage(w, entry_part(NO_ACCOUNT), pack_entry, &(struct entry_key){.body = lost.body, .n = lost.n});
    assert_int_equal(queue_now(w).entries_count, 1);
    remove_all(w);
}

/* As long as they may be, and together longer than an answer may be. */
static void add_long_entries(struct world *w, int n)
{
    struct entry_rcpt rcpts[100];
    struct buf orcpt = buf_make(500), local = buf_make(64), domain = buf_make(200);
    struct new_entry e = {.id = {fresh_id(), 0},
                          .reverse_path = path_of("fred@acompany.test"),
                          .rcpts = rcpts,
                          .rcpts_count = 100};
    struct txn *t = txn_begin(w->vault.engine, NULL, 0);
    struct ticket ticket;

    buf_add_c(&orcpt, "rfc822;");
    while (!orcpt.full)
        buf_add_char(&orcpt, 'x');
    while (!local.full)
        buf_add_char(&local, 'x');
    for (int i = 0; i < 46; i++)
        buf_add_c(&domain, "abc.");
    buf_add_c(&domain, "d0");
    for (int i = 0; i < 100; i++)
        rcpts[i] = (struct entry_rcpt){
            .to = {buf_str(&local), buf_str(&domain)}, .orcpt = buf_str(&orcpt), .state = RCPT_WAITING};
    e.destination = buf_str(&domain);
    for (int i = 0; i < n; i++) {
        e.id.n++;
        domain.p[domain.n - 1] = (char)('0' + i % 5); /* one alone has not so many places */
        queue_add(t, settings(), &e);
    }
    durable(w, txn_commit(&t, &w->c.cx, &ticket), ticket);
    buf_free(&orcpt);
    buf_free(&local);
    buf_free(&domain);
}

/* What is leased to a gate that hears nothing of it is lost until that gate ends. */
static void test_an_answer_is_not_too_long(void **state)
{
    struct world *w = *state;
    size_t got = 0;

    add_long_entries(w, 64);
    while (got < 64)
        got += take_work(w).entries_count;
    assert_int_equal(got, 64);
}

static void test_a_long_queue_is_listed_in_pages(void **state)
{
    struct world *w = *state;
    struct queue_list_request q = {0};
    struct queue_list_reply r = {.more = true};
    size_t got = 0;

    add_long_entries(w, 200);
    while (r.more) {
        scoped(buf_free) struct buf b = buf_make(BUF_UNLIMITED);

        r = (struct queue_list_reply){0};
        must(w, serve_queue_list(&w->c, &q, &r));
        pack_queue_list_reply(&b, &r);
        assert_true(b.n <= FRAME_LIMIT);
        got += r.entries_count;
        if (r.entries_count)
            q.after = r.entries[r.entries_count - 1].entry;
    }
    assert_int_equal(got, 200);
}

/* Nobody takes them, and they are more than a round looks at. */
static void test_a_long_queue_keeps_no_other_waiting(void **state)
{
    static const char *const to[] = {"fred@acompany.test"};
    struct world *w = *state;
    struct entry_rcpt rcpt = {.to = path_of("b@other.test"), .state = RCPT_WAITING};
    struct new_entry e = {.id = {fresh_id(), 0},
                          .destination = S("other.test"),
                          .reverse_path = path_of("fred@acompany.test"),
                          .rcpts = &rcpt,
                          .rcpts_count = 1};
    struct txn *t = txn_begin(w->vault.engine, NULL, 0);
    struct ticket ticket;

    for (int i = 0; i < 20001; i++) {
        e.id.n++;
        queue_add(t, settings(), &e);
    }
    durable(w, txn_commit(&t, &w->c.cx, &ticket), ticket);
    queue_unlease(w->vault.queue, put_local(w, to, 1));
    wait_for_mail(w, w->fred, 1);
}

static size_t count_of(struct str text, const char *what)
{
    size_t n = 0, at;

    for (; str_find(text, str_from_c(what), &at); n++)
        text = str_from(text, at + 1);
    return n;
}

/* RFC 3461 §5.2.7.3 (c): one report for the alias, none for its members; and §6.2: RET=FULL is about failures. */
static void test_success_of_an_alias(void **state)
{
    static const struct {
        const char *to;
        uint32_t notify;
        const char *action, *final; /* NULL: no report */
    } rows[] = {{"both@acompany.test", NOTIFY_SUCCESS, "Action: expanded", "both@acompany.test"},
                {"both@acompany.test", NOTIFY_SUCCESS | NOTIFY_FAILURE, "Action: expanded",
                 "both@acompany.test"},
                {"one@acompany.test", NOTIFY_SUCCESS, "Action: delivered", "tom@acompany.test"},
                {"both@acompany.test", NOTIFY_FAILURE, NULL, NULL}};
    struct world *w = *state;
    struct target both[] = {{path_of("tom@acompany.test")}, {path_of("inside@acompany.test")}};
    size_t reports = 0;
    struct ticket t;

    durable(w, alias_write(w->vault.store, &w->c.cx, ALIAS_NEW, S("both@acompany.test"), both, 2, &t),
            t);
    durable(w, alias_write(w->vault.store, &w->c.cx, ALIAS_NEW, S("one@acompany.test"), both, 1, &t),
            t);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct mail m = {.from = "fred@acompany.test",
                         .to = rows[i].to,
                         .session = w->fred_on,
                         .text = S("Subject: all\r\n\r\nnot to come back\r\n"),
                         .notify = rows[i].notify,
                         .ret = 'F'};
        struct str report;

        must(w, send_mail(w, &m));
        reports += rows[i].action != NULL;
        wait_for_mail(w, w->fred, reports);
        while (queue_now(w).entries_count)
            engine_flush(w->vault.engine);
        assert_int_equal(count_in(w, w->fred), reports);
        if (!rows[i].action)
            continue;
        report = message_in(w, w->fred, reports - 1);
        assert_int_equal(count_of(report, "Final-Recipient:"), 1);
        assert_true(holds(report, rows[i].action));
        assert_true(holds(report, rows[i].final));
        assert_false(holds(report, "not to come back"));
    }
}

static void test_the_postmaster_changes_entries(void **state)
{
    struct world *w = *state;
    struct mail m = {0};
    struct entry_id id = queue_one(w, &m);
    struct queue_change_request q = {.action = QUEUE_HOLD, .entry = id};
    struct queue_change_reply r = {0};

    assert_true(queue_lease(w->vault.queue, id, GATE, S("other.test")));
    assert_int_equal(serve_queue_change(&w->c, &q, &r), ERR_BUSY); /* it is on its way */
    queue_unlease(w->vault.queue, id);
    must(w, serve_queue_change(&w->c, &q, &r));
    assert_true(queue_now(w).entries[0].held);
    q.action = QUEUE_RELEASE;
    must(w, serve_queue_change(&w->c, &q, &r));
    assert_false(queue_now(w).entries[0].held);
    q = (struct queue_change_request){.action = QUEUE_REMOVE, .domain = S("OTHER.test")};
    r.changed = 0;
    must(w, serve_queue_change(&w->c, &q, &r));
    assert_int_equal(r.changed, 1);
    assert_int_equal(queue_now(w).entries_count, 0);
}

static void test_an_unreadable_entry_can_be_removed(void **state)
{
    struct world *w = *state;
    struct mail m = {0};
    struct entry_id id = queue_one(w, &m);
    struct queue_change_request q = {.action = QUEUE_HOLD, .entry = id};
    struct queue_change_reply r = {0};
    struct buf key = buf_make(64);

    entry_key_pack(&key, &(struct entry_key){.body = id.body, .n = id.n});
    memory_engine_damage(w->vault.engine, entry_part(NO_ACCOUNT), buf_str(&key));
    add_account(w, "later@acompany.test", 0, false); /* a flush, after which views see the damage */
    buf_free(&key);
    assert_int_equal(serve_queue_change(&w->c, &q, &r), ERR_DAMAGED);
    q.action = QUEUE_REMOVE;
    must(w, serve_queue_change(&w->c, &q, &r));
    assert_int_equal(r.changed, 1);
    assert_int_equal(queue_now(w).entries_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refused_mail_comes_back_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_deferred_mail_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_kept_of_a_reply_is_short, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_not_due_any_more_is_not_leased, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_lease_outlives_the_gate_that_reported, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_is_leased_while_the_store_has_failed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_result_becomes_durable_after_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_success_is_told_if_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_damaged_mailbox_keeps_no_other_waiting, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_damaged_message_is_put_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_report_to_a_damaged_domain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_schedule_goes_on_behind_damage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_long_queue_keeps_no_other_waiting, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_entries_behind_damage_are_listed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_answer_is_not_too_long, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_long_queue_is_listed_in_pages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_success_of_an_alias, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damaged_references, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_mailbox_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_postmaster_changes_entries, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_unreadable_entry_can_be_removed, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
