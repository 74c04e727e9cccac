/* The change log: what it tells, where it ends, and that folding leaves what is young or among the last 100,000. */
#include "vault/store/changes.h"
#include "vault/store/ranges.h"
#include "vault/store/testing.h"

#include "base/clock.h"

/* "2 added 1 1; 3 flags 1 1;" : modseq, what, mailbox, UIDs or name */
static bool write_change(void *arg, const struct change *c)
{
    static const char *const kinds[] = {"?",       "added",        "flags",   "removed",
                                        "mailbox", "subscription", "metadata"};

    buf_printf(arg, "%u %s %u %s%.*s; ", (unsigned)c->modseq, kinds[c->kind], (unsigned)c->mailbox.v,
               set_text(&c->uids), STR_ARG(c->name));
    return true;
}

static const char *told_since(uint64_t since, bool *complete)
{
    struct buf b = buf_make(10000);
    struct view *v = view_open(engine);
    struct account_figures figures;
    uint64_t upto;
    const char *text;

    must(changes_since(v, &cx, TOM, since, write_change, &b, &upto, complete));
    must(account_figures(v, &cx, TOM, &figures));
    assert_int_equal(upto, figures.modseq);
    view_close(&v);
    text = str_to_c(cx.arena, buf_str(&b));
    buf_free(&b);
    return text;
}

static void remove_uids(struct imap_set uids)
{
    struct removed removed;
    struct ticket t;

    durable(messages_remove(store, &cx, IN(TOM, INBOX), &uids, false, &removed, &t), t);
}

static void test_what_is_told(void **state)
{
    struct flags_change seen = {.how = FLAGS_ADD, .flags.system = FLAG_SEEN};
    struct imap_set two = SET({1, 2});
    struct flags_result f;
    struct copied copied;
    struct ticket t;
    bool complete;

    (void)state;
    for (int i = 0; i < 3; i++)
        deliver(TOM, INBOX, 0, 1); /* modseq 2, 3, 4 */
    durable(messages_set_flags(store, &cx, IN(TOM, INBOX), &two, &seen, &f, &t), t);
    durable(messages_set_flags(store, &cx, IN(TOM, INBOX), &two, &seen, &f, &t), t); /* is no change */
    durable(messages_move(store, &cx, IN(TOM, INBOX), &two, IN(TOM, SENT), UINT64_MAX, &copied, &t), t);
    remove_uids(SET({3, 3}));
    assert_string_equal(told_since(3, &complete),
                        "4 added 1 3; 5 flags 1 1:2; 6 removed 1 1:2; 6 added 3 1:2; 7 removed 1 3; ");
    assert_true(complete);
    assert_string_equal(told_since(7, &complete), "");
    assert_true(complete);
    assert_string_equal(told_since(0, &complete), ""); /* how the account was made is not in it */
    assert_false(complete);
}

static bool look_at_two(void *arg, const struct change *c)
{
    (void)c;
    return ++*(int *)arg < 2;
}

static void test_who_has_enough_comes_back(void **state)
{
    struct view *v;
    uint64_t upto;
    bool complete;
    int n = 0;

    (void)state;
    for (int i = 0; i < 3; i++)
        deliver(TOM, INBOX, 0, 1);
    v = view_open(engine);
    must(changes_since(v, &cx, TOM, 1, look_at_two, &n, &upto, &complete));
    assert_int_equal(n, 2);
    assert_int_equal(upto, 2); /* the third was not looked at whole */
    assert_true(complete);
    view_close(&v);
}

static void test_removed(void **state)
{
    struct imap_set uids;
    struct view *v;
    bool complete;

    (void)state;
    for (int i = 0; i < 10; i++)
        deliver(TOM, INBOX, 0, 1); /* modseq up to 11 */
    remove_uids(SET({7, 8}));
    remove_uids(SET({2, 2}, {9, 9}));
    remove_uids(SET({3, 4}));
    v = view_open(engine);
    must(changes_removed(v, &cx, TOM, INBOX, 11, &uids, &complete));
    assert_string_equal(set_text(&uids), "2:4,7:9");
    must(changes_removed(v, &cx, TOM, INBOX, 12, &uids, &complete));
    assert_string_equal(set_text(&uids), "2:4,9");
    must(changes_removed(v, &cx, TOM, SENT, 1, &uids, &complete));
    assert_string_equal(set_text(&uids), "");
    assert_true(complete);
    view_close(&v);
}

/* An entry that cannot be read, or is missing: everything has to be told. */
static void test_a_lost_entry(void **state)
{
    struct buf key = buf_make(32);
    bool complete;

    (void)state;
    for (int i = 0; i < 4; i++)
        deliver(TOM, INBOX, 0, 1);
    change_key_pack(&key, &(struct change_key){.modseq = 3});
    memory_engine_damage(engine, change_part(TOM), buf_str(&key));
    buf_free(&key);
    deliver(TOM, INBOX, 0, 1);
    told_since(1, &complete);
    assert_false(complete);
    told_since(3, &complete);
    assert_true(complete);
}

/* ---- folding ---- */

/* An account as if so much had happened in it, each change a second after the one before; the last one now. */
static void make_long_log(uint64_t entries, int64_t now)
{
    struct change_item item = {.kind = CHANGE_ADDED, .mailbox = INBOX};
    struct ranges one = {0};
    struct state_row state;
    struct ticket t;
    struct txn *txn = txn_begin(engine, &(struct part){PART_ACCOUNT, TOM.v}, 1);
    bool found;

    ranges_add(cx.arena, &one, 1, 1);
    item.what = ranges_pack(cx.arena, &one);
    must(state_row_txn(txn, &cx, TOM, &(struct state_key){0}, &state, &found));
    for (uint64_t i = 0; i < entries; i++)
        change_row_put(txn, TOM, &(struct change_key){.modseq = ++state.modseq},
                       &(struct change_row){.time = (uint64_t)now - (entries - 1 - i) * 1000,
                                            .items = &item,
                                            .items_count = 1});
    state_row_put(txn, TOM, &(struct state_key){0}, &state);
    durable(txn_commit(&txn, &cx, &t), t);
}

static uint64_t floor_after_folding(int64_t now)
{
    struct account_id next = {0};

    do
        must(changes_fold(store, &cx, now, &next));
    while (next.v);
    must(engine_wait(engine, &cx, engine_newest(engine)));
    return figures_of(TOM).log_floor;
}

static void test_folding(void **state)
{
    int64_t made = now_ms(), day = 24 * 3600 * 1000;
    bool complete;

    (void)state;
    make_long_log(CHANGES_KEPT + 5000, made);
    assert_int_equal(floor_after_folding(made), 1); /* too many, but young */
    assert_int_equal(floor_after_folding(made + CHANGES_KEPT_MS + day), 5001);
    assert_int_equal(floor_after_folding(made + CHANGES_KEPT_MS + day),
                     5001); /* old, but not too many */
    told_since(5000, &complete);
    assert_false(complete);
    deliver(TOM, INBOX, 0, 1);
    told_since(CHANGES_KEPT + 5000, &complete);
    assert_true(complete);
}

/* Of too many, only what is too old. */
static void test_folding_stops_at_the_young(void **state)
{
    int64_t made = now_ms(), kept = (CHANGES_KEPT + 1000) * (int64_t)1000;

    (void)state;
    make_long_log(CHANGES_KEPT + 5000, made);
    assert_int_equal(floor_after_folding(made + CHANGES_KEPT_MS - kept), 4000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_told, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_who_has_enough_comes_back, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_removed, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_a_lost_entry, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_folding, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_folding_stops_at_the_young, store_set_up, store_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
