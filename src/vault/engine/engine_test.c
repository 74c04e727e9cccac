/* One suite, run on every engine: what engine.h promises whoever stands behind it. */
#include "vault/engine/test_support.h"

#include "base/arena.h"
#include "base/scoped.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct answers {
    size_t n;
    enum err last;
};

struct world {
    struct test_dir dir;
    struct engine *e;
    struct cx cx;
    bool on_disk;
    struct answers answers;
};

static const struct part fred = {PART_ACCOUNT, 7}, tom = {PART_ACCOUNT, 8},
                         directory = {PART_DIRECTORY, 0}, queue = {PART_QUEUE, 0},
                         trace = {PART_TRACE, 0}, body = {PART_BODY, 0};

static void open_engine(struct world *w)
{
    struct engine_options options = {.path = w->dir.path, .disk_reserve = 1};

    assert_int_equal((w->on_disk ? engine_open_rocksdb : engine_open_memory)(&w->cx, &options, &w->e),
                     OK);
}

static int world_make(void **state, bool on_disk)
{
    struct world *w = must_alloc(sizeof(*w));

    w->on_disk = on_disk;
    w->cx.arena = arena_new(0);
    if (on_disk)
        test_dir_make(&w->dir);
    open_engine(w);
    *state = w;
    return 0;
}

static int memory_world(void **state)
{
    return world_make(state, false);
}

static int disk_world(void **state)
{
    return world_make(state, true);
}

static int world_end(void **state)
{
    struct world *w = *state;

    engine_close(w->e);
    if (w->on_disk)
        test_dir_remove(&w->dir);
    arena_free(w->cx.arena);
    free(w);
    return 0;
}

/* ---- transactions ---- */

static const char *txn_text(struct world *w, struct txn *t, struct part part, const char *key)
{
    struct str value;
    bool found;

    assert_int_equal(txn_get(t, &w->cx, part, str_from_c(key), &value, &found), OK);
    return found ? str_to_c(w->cx.arena, value) : "-";
}

static void test_reads_its_own_writes(void **state)
{
    struct world *w = *state;
    struct txn *t;

    commit_durably(w->e, &w->cx, fred, "old", "1");
    t = txn_begin(w->e, &fred, 1);
    assert_string_equal(txn_text(w, t, fred, "old"), "1");
    assert_string_equal(txn_text(w, t, fred, "new"), "-");
    put_c(t, fred, "new", "2");
    put_c(t, fred, "new", "3");
    txn_delete(t, fred, S("old"));
    assert_string_equal(txn_text(w, t, fred, "new"), "3");
    assert_string_equal(txn_text(w, t, fred, "old"), "-");
    txn_rollback(&t);
    assert_null(t);
    txn_rollback(&t);
    assert_string_equal(view_text(w->e, &w->cx, fred, "old"), "1");
    assert_string_equal(view_text(w->e, &w->cx, fred, "new"), "-");
}

static void test_rollback_on_every_way_out(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < 2; i++) { /* the second round waits for ever if the first kept its lock */
        scoped(txn_rollback) struct txn *t = txn_begin(w->e, &fred, 1);

        put_c(t, fred, "k", "v");
    }
    assert_string_equal(view_text(w->e, &w->cx, fred, "k"), "-");
}

/* The same part twice, and parts in any order: each lock is taken once, sorted. */
static void test_many_parts(void **state)
{
    struct world *w = *state;
    struct part parts[102];
    struct ticket ticket;
    struct txn *t;

    for (size_t i = 0; i < 100; i++)
        parts[i] = (struct part){PART_ACCOUNT, 1000 - i * 7};
    parts[100] = directory;
    parts[101] = parts[3];
    t = txn_begin(w->e, parts, 102);
    for (size_t i = 0; i < 101; i++)
        put_c(t, parts[i], "k", "v");
    assert_int_equal(txn_commit(&t, &w->cx, &ticket), OK);
    assert_int_equal(engine_wait(w->e, &w->cx, ticket), OK);
    assert_string_equal(view_text(w->e, &w->cx, parts[99], "k"), "v");
    assert_string_equal(view_text(w->e, &w->cx, directory, "k"), "v");
}

static void test_values(void **state)
{
    struct world *w = *state;
    static const size_t sizes[] = {0, 1, 1023, 1024, 10000, 256 * 1024};
    char *bytes = must_alloc(256 * 1024);

    for (size_t i = 0; i < 256 * 1024; i++)
        bytes[i] = (char)(i * 31 % 251);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        struct txn *t = txn_begin(w->e, NULL, 0);
        struct ticket ticket;
        struct str value;
        bool found = false;
        char key[] = {'p', 0, (char)0xff, (char)i};

        txn_put(t, body, (struct str){key, 4}, (struct str){bytes, sizes[i]});
        assert_int_equal(txn_commit(&t, &w->cx, &ticket), OK);
        assert_int_equal(engine_wait(w->e, &w->cx, ticket), OK);
        scoped(view_close) struct view *v = view_open(w->e);
        assert_int_equal(view_get(v, &w->cx, body, (struct str){key, 4}, &value, &found), OK);
        assert_true(found);
        assert_true(str_same(value, (struct str){bytes, sizes[i]}));
    }
    free(bytes);
}

/* ---- scans ---- */

static void put_letters(struct txn *t, struct part part, const char *letters)
{
    for (; *letters; letters++)
        txn_put(t, part, (struct str){letters, 1}, (struct str){letters, 1});
}

static void commit_letters(struct world *w, struct part part, const char *letters)
{
    bool blind = part.kind != PART_ACCOUNT;
    struct txn *t = txn_begin(w->e, &part, blind ? 0 : 1);
    struct ticket ticket;

    put_letters(t, part, letters);
    assert_int_equal(txn_commit(&t, &w->cx, &ticket), OK);
    assert_int_equal(engine_wait(w->e, &w->cx, ticket), OK);
}

static void test_scans(void **state)
{
    static const struct {
        const char *from, *to;
        bool backwards;
        const char *rows, *why;
    } rows[] = {
        {"", "", false, "a=a c=c e=e g=g", "the whole part, and nothing of its neighbours"},
        {"", "", true, "g=g e=e c=c a=a", "backwards"},
        {"c", "g", false, "c=c e=e", "from is in, to is not"},
        {"c", "g", true, "e=e c=c", "backwards the same rows"},
        {"b", "f", false, "c=c e=e", "between rows"},
        {"b", "f", true, "e=e c=c", "between rows, backwards"},
        {"c", "c", false, "", "nothing"},
        {"g", "c", false, "", "from behind to"},
        {"g", "c", true, "", "from behind to, backwards"},
        {"h", "", false, "", "behind the last"},
        {"", "a", true, "", "before the first"},
        {"c\x01", "", false, "e=e g=g", "just behind a key"},
    };
    struct world *w = *state;

    commit_letters(w, (struct part){PART_ACCOUNT, 6}, "az");
    commit_letters(w, fred, "aceg");
    commit_letters(w, tom, "az");
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const char *text =
            view_scan_text(w->e, &w->cx, fred, rows[i].from, rows[i].to, rows[i].backwards);

        if (strcmp(text, rows[i].rows) != 0)
            fail_msg("%s: \"%s\" instead of \"%s\"", rows[i].why, text, rows[i].rows);
    }
}

static void test_scans_of_last_parts(void **state)
{
    struct world *w = *state;
    struct part last = {PART_ACCOUNT, UINT64_MAX}, carry = {PART_ACCOUNT, 0xff};

    commit_letters(w, last, "ab");
    commit_letters(w, carry, "cd");
    commit_letters(w, trace, "ef");
    assert_string_equal(view_scan_text(w->e, &w->cx, last, "", "", false), "a=a b=b");
    assert_string_equal(view_scan_text(w->e, &w->cx, carry, "", "", true), "d=d c=c");
    assert_string_equal(view_scan_text(w->e, &w->cx, trace, "", "", false), "e=e f=f");
}

/* Rows of the store and of the transaction, in one order. */
static void test_scans_within_a_transaction(void **state)
{
    static const struct {
        const char *stored, *put, *deleted, *from, *to;
        const char *rows, *backwards;
    } rows[] = {
        {"ace", "bd", "", "", "", "a=a b=b c=c d=d e=e", "e=e d=d c=c b=b a=a"},
        {"ace", "", "ace", "", "", "", ""},
        {"ace", "", "c", "", "", "a=a e=e", "e=e a=a"},
        {"ace", "c", "a", "", "", "c=c e=e", "e=e c=c"},
        {"", "abc", "b", "", "", "a=a c=c", "c=c a=a"},
        {"ace", "bd", "", "b", "d", "b=b c=c", "c=c b=b"},
        {"ace", "fg", "xyz", "", "", "a=a c=c e=e f=f g=g", "g=g f=f e=e c=c a=a"},
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct part part = {PART_ACCOUNT, 100 + i};
        struct scan *s;

        commit_letters(w, part, rows[i].stored);
        scoped(txn_rollback) struct txn *t = txn_begin(w->e, &part, 1);
        put_letters(t, part, rows[i].put);
        for (const char *c = rows[i].deleted; *c; c++)
            txn_delete(t, part, (struct str){c, 1});
        assert_int_equal(
            txn_scan(t, &w->cx, part, str_from_c(rows[i].from), str_from_c(rows[i].to), false, &s), OK);
        assert_string_equal(scan_text(&s, &w->cx), rows[i].rows);
        assert_int_equal(
            txn_scan(t, &w->cx, part, str_from_c(rows[i].from), str_from_c(rows[i].to), true, &s), OK);
        assert_string_equal(scan_text(&s, &w->cx), rows[i].backwards);
    }
}

static void test_scans_that_skip(void **state)
{
    static const struct {
        const char *to, *rows, *why;
    } rows[] = {
        {"b", "b=b c=c e=e f=f", "to the next row"},
        {"e", "e=e f=f", "to a row"},
        {"d", "e=e f=f", "to where there is none"},
        {"f", "f=f", "to one of the transaction"},
        {"z", "", "to the end"},
    };
    struct world *w = *state;

    commit_letters(w, fred, "ace");
    scoped(txn_rollback) struct txn *t = txn_begin(w->e, &fred, 1);
    put_letters(t, fred, "bf");
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct str key, value;
        struct scan *s;
        const char *text;

        assert_int_equal(txn_scan(t, &w->cx, fred, STR_NONE, STR_NONE, false, &s), OK);
        assert_true(scan_next(s, &key, &value));
        assert_true(str_same(key, S("a")));
        scan_skip(s, str_from_c(rows[i].to));
        text = scan_text(&s, &w->cx);
        if (strcmp(text, rows[i].rows) != 0)
            fail_msg("%s: \"%s\" instead of \"%s\"", rows[i].why, text, rows[i].rows);
    }
}

static void test_delete_range(void **state)
{
    struct world *w = *state;
    struct ticket ticket;
    struct txn *t;

    commit_letters(w, trace, "abcdef");
    t = txn_begin(w->e, NULL, 0);
    put_letters(t, trace, "x");
    txn_put(t, trace, S("bb"), S("written before, so it goes"));
    txn_delete_range(t, trace, S("b"), S("e"));
    txn_put(t, trace, S("cc"), S("after"));
    assert_int_equal(txn_commit(&t, &w->cx, &ticket), OK);
    assert_int_equal(engine_wait(w->e, &w->cx, ticket), OK);
    assert_string_equal(view_scan_text(w->e, &w->cx, trace, "", "", false), "a=a cc=after e=e f=f x=x");

    commit_letters(w, fred, "abc");
    commit_letters(w, tom, "abc");
    t = txn_begin(w->e, &fred, 1);
    txn_delete_range(t, fred, STR_NONE, STR_NONE);
    assert_int_equal(txn_commit(&t, &w->cx, &ticket), OK);
    assert_int_equal(engine_wait(w->e, &w->cx, ticket), OK);
    assert_string_equal(view_scan_text(w->e, &w->cx, fred, "", "", false), "");
    assert_string_equal(view_scan_text(w->e, &w->cx, tom, "", "", false), "a=a b=b c=c");
}

static void test_accounts_with_rows(void **state)
{
    struct world *w = *state;
    static const uint64_t ids[] = {3, 0x100, 0xffffffffu, UINT64_MAX};
    scoped(view_close) struct view *v = NULL;
    uint64_t id = 0;
    bool found;

    for (size_t i = 0; i < 4; i++)
        commit_letters(w, (struct part){PART_ACCOUNT, ids[i]}, "ab");
    commit_durably(w->e, &w->cx, directory, "k", "v");
    v = view_open(w->e);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(view_next_account(v, &w->cx, id, &id, &found), OK);
        assert_true(found);
        assert_true(id == ids[i]);
    }
    assert_int_equal(view_next_account(v, &w->cx, id, &id, &found), OK);
    assert_false(found);
}

/* ---- what is durable ---- */

static void test_views_show_what_is_durable(void **state)
{
    struct world *w = *state;
    struct view *before;
    struct ticket ticket = commit_one(w->e, &w->cx, fred, "k", "1");
    struct str value;
    bool found = true;

    assert_string_equal(view_text(w->e, &w->cx, fred, "k"), "-");
    before = view_open(w->e);
    assert_int_equal(engine_wait(w->e, &w->cx, ticket), OK);
    assert_string_equal(view_text(w->e, &w->cx, fred, "k"), "1");
    assert_int_equal(view_get(before, &w->cx, fred, S("k"), &value, &found), OK);
    assert_false(found); /* a view does not move */
    view_close(&before);
}

static void test_transactions_see_the_newest(void **state)
{
    struct world *w = *state;
    struct ticket seen;
    struct txn *t;

    commit_one(w->e, &w->cx, fred, "k", "1");
    t = txn_begin(w->e, &fred, 1);
    assert_string_equal(txn_text(w, t, fred, "k"), "1");
    assert_int_equal(txn_commit(&t, &w->cx, &seen), OK);
    assert_true(seen.v == engine_newest(w->e).v);
    assert_string_equal(view_text(w->e, &w->cx, fred, "k"), "-");
    assert_int_equal(engine_wait(w->e, &w->cx, seen), OK); /* who answers by it waits for it */
    assert_string_equal(view_text(w->e, &w->cx, fred, "k"), "1");
}

/* Its rows are kept in memory, also that one does not exist: nobody may notice. */
static void test_rows_of_the_directory(void **state)
{
    struct world *w = *state;
    struct view *before;
    struct ticket ticket;
    struct str value;
    bool found;

    assert_string_equal(view_text(w->e, &w->cx, directory, "k"), "-");
    commit_durably(w->e, &w->cx, directory, "k", "1");
    assert_string_equal(view_text(w->e, &w->cx, directory, "k"), "1");
    before = view_open(w->e);
    ticket = commit_one(w->e, &w->cx, directory, "k", "2");
    assert_string_equal(view_text(w->e, &w->cx, directory, "k"), "1"); /* not durable yet */
    assert_int_equal(engine_wait(w->e, &w->cx, ticket), OK);
    assert_string_equal(view_text(w->e, &w->cx, directory, "k"), "2");
    assert_int_equal(view_get(before, &w->cx, directory, S("k"), &value, &found), OK);
    assert_true(found && str_same(value, S("1"))); /* a view does not move */
    view_close(&before);
    assert_string_equal(view_text(w->e, &w->cx, directory, "k"), "2");
    commit_durably(w->e, &w->cx, fred, "k", "1"); /* another part: the directory's rows stay */
    assert_string_equal(view_text(w->e, &w->cx, directory, "k"), "2");
    for (int i = 0; i < 20000; i++) { /* more than can be kept */
        char key[32];

        snprintf(key, sizeof(key), "%d", i);
        assert_string_equal(view_text(w->e, &w->cx, directory, key), "-");
    }
    assert_string_equal(view_text(w->e, &w->cx, directory, "k"), "2");
}

static void test_one_flush_for_many(void **state)
{
    struct world *w = *state;
    struct engine_figures before, after;
    struct ticket last = {0};

    engine_figures(w->e, &before);
    for (int i = 0; i < 10; i++)
        last = commit_one(w->e, &w->cx, fred, "k", "v");
    assert_int_equal(engine_wait(w->e, &w->cx, last), OK);
    assert_int_equal(engine_wait(w->e, &w->cx, (struct ticket){last.v - 5}), OK);
    assert_int_equal(engine_wait(w->e, &w->cx, (struct ticket){0}), OK);
    engine_figures(w->e, &after);
    assert_true(after.flushes == before.flushes + 1);
    assert_true(after.commits == before.commits + 10);
}

static void note_answer(void *arg, enum err e)
{
    struct answers *a = arg;

    a->n++;
    a->last = e;
}

static void test_callbacks(void **state)
{
    struct world *w = *state;
    struct answers a = {0, ERR_BUG};
    struct ticket one = commit_one(w->e, &w->cx, fred, "k", "1"),
                  two = commit_one(w->e, &w->cx, tom, "k", "2");

    assert_false(engine_flush(w->e)); /* nobody waits */
    engine_when_durable(w->e, one, note_answer, &a);
    engine_when_durable(w->e, two, note_answer, &a);
    assert_int_equal(a.n, 0);
    assert_true(engine_flush(w->e));
    assert_int_equal(a.n, 2);
    assert_int_equal(a.last, OK);
    engine_when_durable(w->e, one, note_answer, &a);
    assert_int_equal(a.n, 3); /* at once */
    assert_false(engine_flush(w->e));
}

static void commit_more(void *arg, enum err e)
{
    struct world *w = arg;

    assert_int_equal(e, OK);
    engine_when_durable(w->e, commit_one(w->e, &w->cx, fred, "k", "2"), note_answer, &w->answers);
}

/* Who comes while a flush is under way is left for the next one. */
static void test_flush_once(void **state)
{
    struct world *w = *state;

    assert_false(engine_flush_once(w->e));
    w->answers = (struct answers){0, ERR_BUG};
    engine_when_durable(w->e, commit_one(w->e, &w->cx, fred, "k", "1"), commit_more, w);
    assert_true(engine_flush_once(w->e));
    assert_int_equal(w->answers.n, 0);
    assert_true(engine_wants_flush(w->e));
    assert_true(engine_flush_once(w->e));
    assert_int_equal(w->answers.n, 1);
    assert_false(engine_wants_flush(w->e));
}

static void test_tend_flushes_what_nobody_waits_for(void **state)
{
    struct world *w = *state;

    commit_one(w->e, &w->cx, fred, "k", "1");
    engine_tend(w->e);
    assert_string_equal(view_text(w->e, &w->cx, fred, "k"), "1");
}

static void count(void *arg)
{
    ++*(int *)arg;
}

static void test_watches(void **state)
{
    struct world *w = *state;
    int freds = 0, toms = 0, queues = 0;
    struct part_watch *a = part_watch_open(w->e, fred, count, &freds),
                      *b = part_watch_open(w->e, tom, count, &toms);
    struct part_watch *c = part_watch_open(w->e, queue, count, &queues);
    struct ticket ticket;

    commit_one(w->e, &w->cx, fred, "k", "1");
    ticket = commit_one(w->e, &w->cx, fred, "k", "2");
    assert_int_equal(freds, 0); /* not durable yet */
    assert_int_equal(engine_wait(w->e, &w->cx, ticket), OK);
    assert_int_equal(freds, 1);
    assert_int_equal(toms, 0);
    part_watch_close(&a);
    assert_null(a);
    part_watch_close(&a);
    commit_durably(w->e, &w->cx, fred, "k", "3");
    commit_durably(w->e, &w->cx, queue, "k", "3");
    assert_int_equal(freds, 1);
    assert_int_equal(queues, 1);
    part_watch_close(&b);
    part_watch_close(&c);
}

static void test_kept_over_closing(void **state)
{
    struct world *w = *state;

    if (!w->on_disk)
        skip();
    commit_one(w->e, &w->cx, fred, "k", "1"); /* closing flushes */
    engine_close(w->e);
    open_engine(w);
    assert_string_equal(view_text(w->e, &w->cx, fred, "k"), "1");
}

/* ---- threads ---- */

#define THREADS 8
#define ROUNDS 60

struct worker {
    struct world *w;
    uint64_t first; /* one of its two accounts; the other is a neighbour's too */
    atomic_int *called;
};

static void call_back(void *arg, enum err e)
{
    if (e == OK)
        atomic_fetch_add((atomic_int *)arg, 1);
}

static uint64_t count_up(struct txn *t, struct cx *cx, struct part part)
{
    uint64_t n = 0;
    char text[32];
    struct str value;
    bool found;

    assert_int_equal(txn_get(t, cx, part, S("n"), &value, &found), OK);
    if (found)
        assert_true(parse_u64(value, &n));
    snprintf(text, sizeof(text), "%llu", (unsigned long long)n + 1);
    put_c(t, part, "n", text);
    return n + 1;
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    struct engine *e = worker->w->e;
    struct cx cx = {.arena = arena_new(0)};

    for (int i = 0; i < ROUNDS; i++) {
        struct part parts[2] = {{PART_ACCOUNT, worker->first},
                                {PART_ACCOUNT, (worker->first + 1) % THREADS}};
        struct txn *t = txn_begin(e, parts, 2);
        struct ticket ticket;

        count_up(t, &cx, parts[0]);
        count_up(t, &cx, parts[1]);
        assert_int_equal(txn_commit(&t, &cx, &ticket), OK);
        if (i % 3 == 0) {
            engine_when_durable(e, ticket, call_back, worker->called);
            engine_flush(e);
        } else {
            assert_int_equal(engine_wait(e, &cx, ticket), OK);
            atomic_fetch_add(worker->called, 1);
        }
        arena_reset(cx.arena);
    }
    arena_free(cx.arena);
    return NULL;
}

/* Counters that are shared in a ring: none is lost, nobody waits for ever, everybody is called. */
static void test_threads(void **state)
{
    struct world *w = *state;
    pthread_t threads[THREADS];
    struct worker workers[THREADS];
    atomic_int called = 0;
    char expected[16];

    for (size_t i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){w, i, &called};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    engine_tend(w->e);
    assert_int_equal(atomic_load(&called), THREADS * ROUNDS);
    snprintf(expected, sizeof(expected), "%d", 2 * ROUNDS);
    for (uint64_t i = 0; i < THREADS; i++)
        assert_string_equal(view_text(w->e, &w->cx, (struct part){PART_ACCOUNT, i}, "n"), expected);
}

/* ---- upkeep ---- */

static void test_upkeep(void **state)
{
    struct world *w = *state;
    struct engine_figures figures;

    assert_true(engine_is_open(w->e));
    assert_true(engine_has_room(w->e));
    commit_letters(w, body, "abc");
    assert_int_equal(engine_compact(w->e, &w->cx, PART_BODY), OK);
    assert_int_equal(engine_compact(w->e, &w->cx, PART_ACCOUNT), OK);
    assert_string_equal(view_scan_text(w->e, &w->cx, body, "", "", false), "a=a b=b c=c");
    engine_figures(w->e, &figures);
    assert_true(figures.disk_used > 0);
    assert_true(figures.disk_free > 0);
}

static void test_checkpoint(void **state)
{
    struct world *w = *state;
    struct engine_options options = {0};
    struct engine *copy;
    char path[300];

    commit_letters(w, body, "abc");
    commit_letters(w, fred, "d");
    if (!w->on_disk) {
        assert_int_equal(engine_checkpoint(w->e, &w->cx, "copy"), ERR_SYSTEM);
        return;
    }
    assert_int_equal(engine_checkpoint(w->e, &w->cx, "copy"), OK);
    commit_letters(w, body, "x");
    assert_int_not_equal(engine_checkpoint(w->e, &w->cx, "copy"), OK); /* it is there already */
    assert_true(engine_is_open(w->e));
    snprintf(path, sizeof(path), "%s/copy", w->dir.path);
    options.path = path;
    assert_int_equal(engine_open_rocksdb(&w->cx, &options, &copy), OK);
    assert_string_equal(view_scan_text(copy, &w->cx, body, "", "", false), "a=a b=b c=c");
    commit_durably(copy, &w->cx, fred, "e", "e");
    engine_close(copy);
    assert_string_equal(view_scan_text(w->e, &w->cx, fred, "", "", false), "d=d");
}

#define ON(engine, test)                                                                               \
    {                                                                                                  \
#test " on " #engine, test, engine##_world, world_end, NULL                                    \
    }
#define ON_BOTH(test) ON(memory, test), ON(disk, test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_reads_its_own_writes),
        ON_BOTH(test_rollback_on_every_way_out),
        ON_BOTH(test_many_parts),
        ON_BOTH(test_values),
        ON_BOTH(test_scans),
        ON_BOTH(test_scans_of_last_parts),
        ON_BOTH(test_scans_within_a_transaction),
        ON_BOTH(test_scans_that_skip),
        ON_BOTH(test_delete_range),
        ON_BOTH(test_accounts_with_rows),
        ON_BOTH(test_views_show_what_is_durable),
        ON_BOTH(test_transactions_see_the_newest),
        ON_BOTH(test_rows_of_the_directory),
        ON_BOTH(test_one_flush_for_many),
        ON_BOTH(test_callbacks),
        ON_BOTH(test_flush_once),
        ON_BOTH(test_tend_flushes_what_nobody_waits_for),
        ON_BOTH(test_watches),
        ON(disk, test_kept_over_closing),
        ON_BOTH(test_threads),
        ON_BOTH(test_upkeep),
        ON_BOTH(test_checkpoint),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
