/* Letters are given threads by their message ids and subjects, keep them, and leave nothing behind. */
#include "vault/store/threads.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "vault/store/collect.h"
#include "vault/store/reader.h"
#include "vault/store/testing.h"

#include <stdio.h>

static uint64_t thread_of(struct account_id account, struct body_id body)
{
    scoped(view_close) struct view *v = view_open(engine);
    struct message_reader *r = reader_open(v, account, false);
    uint64_t thread = 0;
    bool found;

    must(reader_thread(r, &cx, body, &thread, &found));
    reader_close(&r);
    return found ? thread : 0;
}

static struct letter made_of(struct body_id body, const char *header)
{
    scoped(buf_free) struct buf packed = buf_make(BUF_UNLIMITED);
    struct facts f;

    facts_write(&packed, str_from_c(header));
    assert_true(facts_read(buf_str(&packed), &f));
    return letter_of(body, &f);
}

/* Bodies in the order in which they came. */
static void bodies_of(struct account_id account, struct body_id *out)
{
    scoped(view_close) struct view *v = view_open(engine);
    struct listed *list;
    size_t n, damaged;

    must(mailbox_list(v, &cx, account, INBOX, 0, &list, &n, &damaged));
    for (size_t i = 0; i < n; i++)
        out[i] = list[i].body;
    free(list);
}

static struct ticket assign(const struct letter *l, size_t n)
{
    struct ticket t;

    must(threads_assign(store, &cx, TOM, l, n, &t));
    return t;
}

static struct link_row link_of(uint64_t key)
{
    scoped(view_close) struct view *v = view_open(engine);
    struct link_row row;
    bool found;

    must(link_row_view(v, &cx, TOM, &(struct link_key){.key = key}, &row, &found));
    return found ? row : (struct link_row){0};
}

static size_t rows(const char *from, const char *to)
{
    scoped(view_close) struct view *v = view_open(engine);
    struct scan *s;
    struct str key, value;
    size_t n = 0;

    must(view_scan(v, &cx, (struct part){PART_ACCOUNT, TOM.v}, str_from_c(from), str_from_c(to), false,
                   &s));
    while (scan_next(s, &key, &value))
        n++;
    scan_close(&s);
    return n;
}

static void test_letters(void **state)
{
    static const struct {
        const char *header;
        int thread; /* the letter that begins it */
        const char *why;
    } cases[] = {
        {"Message-ID: <a@x>\r\nSubject: one\r\n\r\n", 0, "the first"},
        {"Message-ID: <b@x>\r\nReferences: <a@x>\r\nSubject: Re: one\r\n\r\n", 0, "an answer"},
        {"Message-ID: <c@x>\r\nIn-Reply-To: <b@x>\r\nSubject: RE: One\r\n\r\n", 0, "its answer"},
        {"Message-ID: <d@x>\r\nReferences: <a@x>\r\nSubject: two\r\n\r\n", 3, "another subject"},
        {"Message-ID: <a@x>\r\nSubject: one\r\n\r\n", 0, "the same letter once more"},
        {"Message-ID: <f@x>\r\nSubject: one\r\n\r\n", 5, "the subject alone"},
        {"Message-ID: <g@x>\r\nReferences: <f@x> <c@x>\r\nSubject: one\r\n\r\n", 0,
         "of two threads the oldest"},
        {"Message-ID: <h@x>\r\nReferences: <f@x>\r\nSubject: one\r\n\r\n", 5, "none were merged"},
        {"Subject: one\r\n\r\n", 8, "without an id"},
        {"References: <y@x>\r\nSubject: q\r\n\r\n", 9, "an answer before its letter"},
        {"Message-ID: <y@x>\r\nSubject: q\r\n\r\n", 9, "the letter then"},
        {"Message-ID: <m@x>\r\nReferences: <elsewhere@x>\r\nIn-Reply-To: <f@x>\r\nSubject: one\r\n\r\n",
         5, "In-Reply-To beside References"},
        {"Message-ID: <n@x>\r\nIn-Reply-To: <nowhere@x> <f@x>\r\nSubject: one\r\n\r\n", 5,
         "the second of In-Reply-To"},
        {"Message-ID: <o@x>\r\nReferences: <elsewhere@x>\r\nSubject: on e\r\n\r\n", 5,
         "an id of References that another one had, whatever white space is in the subject"},
        {"Message-ID: <p@x>\r\nIn-Reply-To: <nowhere@x>\r\nReferences: <q@x>\r\nSubject: one\r\n\r\n",
         5, "In-Reply-To of both"},
        {"Message-ID: <r@x>\r\nReferences: <f@x>\r\nSubject: =?utf-8?Q?Re=C2=A0:_one?=\r\n\r\n", 5,
         "an answer in French, with a no-break space before the colon"},
    };
    enum { N = sizeof(cases) / sizeof(*cases) };
    struct body_id bodies[N];
    struct letter l[N], again;

    (void)state;
    for (size_t i = 0; i < N; i++)
        deliver(TOM, INBOX, 0, 10);
    bodies_of(TOM, bodies);
    for (size_t i = 0; i < N; i++)
        l[i] = made_of(bodies[i], cases[i].header);
    must(engine_wait(engine, &cx, assign(l, 4)));
    must(engine_wait(engine, &cx, assign(l, N)));
    for (size_t i = 0; i < N; i++)
        if (thread_of(TOM, bodies[i]) != bodies[cases[i].thread].v)
            fail_msg("%s: another thread", cases[i].why);
    assert_int_equal(thread_of(FRED, bodies[0]), 0);

    again = made_of(bodies[0], "Message-ID: <f@x>\r\nSubject: one\r\n\r\n");
    must(engine_wait(engine, &cx, assign(&again, 1)));
    assert_int_equal(thread_of(TOM, bodies[0]), bodies[0].v); /* it keeps what it has */
}

/* Of a letter that is gone nothing is written; with the last one everything goes. */
static void test_nothing_stays(void **state)
{
    struct body_id bodies[2];
    struct collected c;
    struct removed r;
    struct letter l[2];
    struct ticket t;

    (void)state;
    deliver(TOM, INBOX, 0, 10);
    deliver(TOM, INBOX, 0, 10);
    bodies_of(TOM, bodies);
    l[0] = made_of(bodies[0], "Message-ID: <a@x>\r\n\r\n");
    l[1] = made_of(bodies[1], "Message-ID: <b@x>\r\nReferences: <a@x>\r\n\r\n");
    must(engine_wait(engine, &cx, assign(l, 2)));
    assert_int_equal(rows("t", "u"), 2);
    assert_int_equal(rows("k", "l"), 2);

    durable(messages_remove(store, &cx, IN(TOM, INBOX), &SET({1, 1}), false, &r, &t), t);
    must(collect(store, &cx, INT64_MAX, &c));
    assert_int_equal(rows("t", "u"), 1);
    assert_int_equal(rows("k", "l"), 2);
    assert_int_equal(thread_of(TOM, bodies[1]), bodies[0].v);

    durable(messages_remove(store, &cx, IN(TOM, INBOX), &SET({2, 2}), false, &r, &t), t);
    must(collect(store, &cx, INT64_MAX, &c));
    assert_int_equal(rows("t", "u") + rows("k", "l"), 0);
    must(engine_wait(engine, &cx, assign(l, 2)));
    assert_int_equal(rows("t", "u") + rows("k", "l"), 0);
}

/* However many ids somebody writes, and however long. */
static void test_hostile(void **state)
{
    scoped(buf_free) struct buf h = buf_make(BUF_UNLIMITED);
    struct letter l;

    (void)state;
    buf_add(&h, S("Message-ID: <own@x>\r\nReferences:"));
    for (int i = 0; i < 100000; i++)
        buf_printf(&h, " <%d@x>\r\n", i);
    buf_add(&h, S("In-Reply-To:"));
    for (int i = 0; i < 100000; i++)
        buf_printf(&h, " <answered%d@x>\r\n", i);
    buf_add(&h, S("Subject: s\r\n\r\n"));
    buf_add_char(&h, '\0');
    l = made_of((struct body_id){7}, h.p);
    assert_int_equal(l.count, LETTER_KEYS_MAX);
    for (size_t i = 1; i < l.count; i++)
        assert_true(l.keys[i - 1] < l.keys[i]);
}

/* What was told of a letter is told of it in another account as well. */
static void test_into_another_account(void **state)
{
    struct body_id bodies[4], own[2];
    struct letter l[4], answer;
    struct collected c;
    struct copied copied;
    struct removed r;
    struct ticket t;

    (void)state;
    for (size_t i = 0; i < 4; i++)
        deliver(TOM, INBOX, 0, 10);
    bodies_of(TOM, bodies);
    l[0] = made_of(bodies[0], "Message-ID: <a@x>\r\n\r\n");
    l[1] = made_of(bodies[1], "Message-ID: <b@x>\r\nReferences: <a@x>\r\n\r\n");
    l[2] = made_of(bodies[2], "Message-ID: <c@x>\r\nReferences: <a@x>\r\n\r\n");
    l[3] = made_of(bodies[3], "Message-ID: <d@x>\r\nReferences: <a@x>\r\n\r\n");
    durable(messages_copy(store, &cx, IN(TOM, INBOX), &SET({4, 4}), IN(FRED, INBOX), UINT64_MAX,
                          &copied, &t),
            t);
    must(threads_assign(store, &cx, FRED, &l[3], 1, &t));
    must(engine_wait(engine, &cx, t));
    must(engine_wait(engine, &cx, assign(l, 4)));
    durable(messages_copy(store, &cx, IN(TOM, INBOX), &SET({2, 2}), IN(FRED, SENT), UINT64_MAX, &copied,
                          &t),
            t);
    durable(messages_move(store, &cx, IN(TOM, INBOX), &SET({3, 4}), IN(FRED, SENT), UINT64_MAX, &copied,
                          &t),
            t);
    assert_int_equal(thread_of(FRED, bodies[1]), bodies[0].v);
    assert_int_equal(thread_of(FRED, bodies[2]), bodies[0].v);
    assert_int_equal(thread_of(FRED, bodies[3]), bodies[3].v); /* as it was told there */

    deliver(FRED, INBOX, 0, 10);
    bodies_of(FRED, own);
    answer = made_of(own[1], "References: <b@x>\r\n\r\n");
    must(threads_assign(store, &cx, FRED, &answer, 1, &t));
    must(engine_wait(engine, &cx, t));
    assert_int_equal(thread_of(FRED, own[1]), bodies[0].v);

    durable(messages_remove(store, &cx, IN(TOM, INBOX), NULL, false, &r, &t), t);
    must(collect(store, &cx, INT64_MAX, &c));
    assert_int_equal(rows("t", "u") + rows("k", "l"), 0);
    assert_int_equal(thread_of(FRED, bodies[1]), bodies[0].v);
}

/* All of a crowd refer to one letter that nobody has: the work for each does not grow with those before it, and the last one
 * takes everything along. */
static void test_a_crowd(void **state)
{
    enum { N = 2 * THREADS_AT_ONCE + 100 };
    struct letter *l = arena_array(cx.arena, struct letter, N);
    struct body_id *bodies = arena_array(cx.arena, struct body_id, N);
    struct link_row row;
    struct collected c = {.more = true};
    struct removed r;
    struct ticket t;
    uint64_t key;

    (void)state;
    for (size_t i = 0; i < N; i++)
        deliver(TOM, INBOX, 0, 10);
    bodies_of(TOM, bodies);
    for (size_t i = 0; i < N; i++)
        l[i] = made_of(bodies[i], "References: <root@x>\r\nSubject: s\r\n\r\n");
    key = l[0].keys[0];
    for (size_t i = 0; i < N; i += THREADS_AT_ONCE)
        must(
            engine_wait(engine, &cx, assign(l + i, N - i < THREADS_AT_ONCE ? N - i : THREADS_AT_ONCE)));
    for (size_t i = 0; i < N; i++)
        assert_int_equal(thread_of(TOM, bodies[i]), bodies[0].v);
    row = link_of(key);
    assert_int_equal(row.letters, N);
    assert_int_equal(row.thread, bodies[0].v);

    /* without the first of them, those that stay are what they were, and so is who joins them */
    durable(messages_remove(store, &cx, IN(TOM, INBOX), &SET({1, N - 1}), false, &r, &t), t);
    while (c.more)
        must(collect(store, &cx, INT64_MAX, &c));
    assert_int_equal(link_of(key).letters, 1);
    assert_int_equal(rows("t", "u"), 1);
    deliver(TOM, INBOX, 0, 10);
    bodies_of(TOM, bodies);
    l[0] = made_of(bodies[1], "In-Reply-To: <root@x>\r\nSubject: s\r\n\r\n");
    must(engine_wait(engine, &cx, assign(l, 1)));
    assert_int_equal(thread_of(TOM, bodies[1]), row.thread);

    durable(messages_remove(store, &cx, IN(TOM, INBOX), NULL, false, &r, &t), t);
    must(collect(store, &cx, INT64_MAX, &c));
    assert_int_equal(rows("t", "u") + rows("k", "l"), 0);
}

/* Who asks while another's answer is not durable yet finds nothing, changes nothing, and waits for what the other wrote: so
 * both tell the same. If the power goes before that, neither has told anything. */
static void test_two_at_once(void **state)
{
    struct body_id bodies[2];
    struct letter l[2], turned[2];
    struct ticket first, second;

    (void)state;
    deliver(TOM, INBOX, 0, 10);
    deliver(TOM, INBOX, 0, 10);
    bodies_of(TOM, bodies);
    l[0] = turned[1] = made_of(bodies[0], "Message-ID: <a@x>\r\n\r\n");
    l[1] = turned[0] = made_of(bodies[1], "Message-ID: <b@x>\r\nReferences: <a@x>\r\n\r\n");
    for (int lost = 1; lost >= 0; lost--) {
        first = assign(l, 2);
        assert_int_equal(thread_of(TOM, bodies[0]), 0);
        second = assign(turned, 2);
        assert_true(second.v >= first.v && !engine_is_durable(engine, second));
        if (lost) {
            memory_engine_cut_power(engine, 0);
            assert_int_not_equal(engine_wait(engine, &cx, second), OK);
            engine_tend(engine);
            assert_int_equal(rows("t", "u") + rows("k", "l"), 0);
        }
    }
    must(engine_wait(engine, &cx, second));
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(thread_of(TOM, bodies[i]), bodies[0].v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_into_another_account, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_a_crowd, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_two_at_once, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_letters, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_stays, store_set_up, store_tear_down),
        cmocka_unit_test(test_hostile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
