/* After a restore: what clients knew is refused, what is stored is as it was, and no counter goes on where it stood. */
#include "vault/store/testing.h"

#include "base/clock.h"
#include "vault/store/changes.h"
#include "vault/store/folders.h"
#include "vault/store/folders_edit.h"
#include "vault/store/renew.h"

static struct folder inbox_of(struct account_id account)
{
    struct view *v = view_open(engine);
    struct folder f;

    must(folder_find(v, &cx, account, S("INBOX"), &f));
    view_close(&v);
    return f;
}

static bool never(void *arg, const struct change *c)
{
    (void)arg, (void)c;
    fail_msg("nothing can be told one by one");
    return false;
}

/* Is there an answer to "what is new since"? */
static bool can_tell(struct account_id account, uint64_t since)
{
    struct view *v = view_open(engine);
    uint64_t upto;
    bool complete;

    must(changes_since(v, &cx, account, since, never, NULL, &upto, &complete));
    view_close(&v);
    return complete;
}

static void renew(int64_t now, uint64_t *mailboxes)
{
    struct ticket t;

    must(account_renew(store, &cx, TOM, now, mailboxes, &t));
    must(engine_wait(engine, &cx, t));
}

static void test_clients_start_anew(void **state)
{
    uint64_t mailboxes = 0;
    struct folder before, after;
    struct account_figures old, new;

    (void)state;
    deliver(TOM, INBOX, FLAG_SEEN, 100);
    deliver(TOM, INBOX, 0, 100);
    before = inbox_of(TOM);
    old = figures_of(TOM);
    renew(now_ms(), &mailboxes);
    after = inbox_of(TOM);
    new = figures_of(TOM);

    assert_int_equal(mailboxes, 6);
    assert_string_equal(mailbox_text(TOM, INBOX), "1 seen; 2");
    assert_true(after.uid_validity > before.uid_validity);
    assert_int_equal(after.uid_next, before.uid_next);
    assert_int_equal(after.modseq, new.modseq);
    assert_int_equal(new.log_floor, new.modseq);
    assert_true(new.modseq < (uint64_t)1 << 53);
    for (uint64_t since = 0; since <= old.modseq + 1000; since++)
        assert_false(can_tell(TOM, since));
    assert_false(can_tell(TOM, new.modseq - 1));
    assert_true(can_tell(TOM, new.modseq));
    assert_false(can_tell(TOM, new.modseq + 1));
    assert_int_equal(inbox_of(FRED).uid_validity, 2000); /* another account's are its own */
}

/* Whatever was given out between the backup and the restore is not given out again. */
static void test_nothing_is_given_twice(void **state)
{
    int64_t now = now_ms();
    uint64_t mailboxes = 0;
    struct mailbox_id lost, made;
    struct placed lost_at, at;
    struct folder first, f;
    struct ticket t;
    struct view *v;

    (void)state;
    durable(folder_create(store, &cx, TOM, spelled_so(S("Lost")), 0, &lost, &t), t);
    lost_at = deliver(TOM, INBOX, 0, 1);
    renew(now, &mailboxes);
    first = inbox_of(TOM);
    durable(folder_create(store, &cx, TOM, spelled_so(S("Made")), 0, &made, &t), t);
    at = deliver(TOM, INBOX, 0, 1);
    v = view_open(engine);
    must(folder_of(v, &cx, TOM, made, &f));
    view_close(&v);
    assert_true(made.v > lost.v + 1000000);
    assert_true(at.email.v > lost_at.email.v + 1000000);
    assert_true(f.uid_validity > first.uid_validity);
    assert_true(can_tell(TOM, figures_of(TOM).modseq));

    renew(now + 1000, &mailboxes); /* restored once more, a second later */
    assert_true(inbox_of(TOM).uid_validity > f.uid_validity);
    renew(1000, &mailboxes); /* with a clock that was never set: still beyond what the store knows */
    assert_true(inbox_of(TOM).uid_validity > f.uid_validity + 86400);
}

static void test_the_end_of_uid_validity(void **state)
{
    uint64_t mailboxes = 0;
    struct ticket t;

    (void)state;
    assert_int_equal(account_renew(store, &cx, TOM, (int64_t)UINT32_MAX * 1000, &mailboxes, &t),
                     ERR_LIMIT);
    assert_int_equal(inbox_of(TOM).uid_validity, 1000);
    must(account_renew(store, &cx, (struct account_id){77}, now_ms(), &mailboxes, &t)); /* nobody */
    assert_int_equal(mailboxes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_clients_start_anew, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_is_given_twice, store_set_up, store_tear_down),
        cmocka_unit_test_setup_teardown(test_the_end_of_uid_validity, store_set_up, store_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
