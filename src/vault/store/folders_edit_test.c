/* The tree of mailboxes: how it is made, taken apart and moved about, what each step leaves behind, and what is refused. */
#include "vault/store/changes.h"
#include "vault/store/folders_testing.h"

#include "proto/imap_name.h"

#include <stdio.h>

/* ---- names ---- */

static void test_names_above_are_made(void **state)
{
    struct mailbox_id id;

    (void)state;
    make_folder("a/b/c");
    assert_string_equal(tree_text(), "INBOX a a/b a/b/c");
    assert_true(folder_named("a").has_children);
    assert_true(folder_named("a/b").has_children);
    assert_false(folder_named("a/b/c").has_children);
    assert_int_equal(folder_named("a/b/c").parent.v, folder_named("a/b").id.v);
    assert_int_equal(try_create("a", &id), ERR_EXISTS);
    assert_int_equal(try_create("a/b/c", &id), ERR_EXISTS);
    assert_int_equal(try_create("INBOX", &id), ERR_EXISTS);
    make_folder("INBOX/d");
    assert_string_equal(tree_text(), "INBOX INBOX/d a a/b a/b/c");
}

/* ---- deleting ---- */

static void test_delete(void **state)
{
    struct mailbox_id id = make_folder("a");
    struct ticket t;

    (void)state;
    deliver(TOM, id, 0, 10);
    must(try_delete("a"));
    assert_string_equal(tree_text(), "INBOX");
    assert_int_equal(folder_delete(store, &cx, TOM, id, &t), ERR_NOT_FOUND);
    assert_int_equal(folder_delete(store, &cx, TOM, (struct mailbox_id){0}, &t), ERR_NOT_FOUND);
    assert_int_equal(try_delete("INBOX"), ERR_DENIED);
    must(try_delete("Trash")); /* what a new account has is not special */
    assert_false(folder_exists("Trash"));
}

/* RFC 9051 §6.3.5: what is below stays, and the name with it, until the last of them goes. */
static void test_a_name_above_others(void **state)
{
    (void)state;
    make_folder("a/b/c");
    make_folder("a/b/d");
    deliver(TOM, folder_named("a/b").id, 0, 10);
    deliver(TOM, folder_named("a/b/c").id, 0, 5);
    must(try_delete("a/b"));
    must(try_delete("a"));
    assert_string_equal(tree_text(), "INBOX (a) (a/b) a/b/c a/b/d");
    assert_int_equal(figures_of(TOM).mail.bytes, 5);
    assert_int_equal(folder_named("a/b").exists, 0);
    assert_int_equal(folder_named("a/b/c").exists, 1);
    assert_false(folder_named("a/b").damaged);
    assert_int_equal(try_delete("a/b"), ERR_EXISTS);
    assert_int_equal(try_delete("a"), ERR_EXISTS);
    must(try_delete("a/b/c"));
    assert_string_equal(tree_text(), "INBOX (a) (a/b) a/b/d");
    must(try_delete("a/b/d"));
    assert_string_equal(tree_text(), "INBOX");
}

static void test_a_name_keeps_no_role(void **state)
{
    (void)state;
    make_folder("Junk/old");
    must(try_delete("Junk"));
    assert_true(folder_named("Junk").no_select);
    assert_int_equal(folder_named("Junk").roles, 0);
    assert_true(
        folder_named("Junk").subscribed); /* RFC 9051 §6.3.7: only UNSUBSCRIBE takes that back */
    must(try_delete("Junk/old"));
    assert_false(folder_exists("Junk"));
}

/* The name is a mailbox again, and another one: UIDVALIDITY is new and so is its MAILBOXID (RFC 8474 §4). */
static void test_a_name_becomes_a_mailbox_again(void **state)
{
    struct folder before, after;

    (void)state;
    make_folder("a/b/c");
    for (int i = 0; i < 70; i++)
        deliver(TOM, folder_named("a/b").id, FLAG_SEEN, 10);
    before = folder_named("a/b");
    must(try_delete("a/b"));
    make_folder("a/b");
    after = folder_named("a/b");
    assert_string_equal(tree_text(), "INBOX a a/b a/b/c");
    assert_true(after.uid_validity > before.uid_validity);
    assert_int_not_equal(after.id.v, before.id.v);
    assert_int_equal(folder_named("a/b/c").parent.v, after.id.v);
    assert_int_equal(after.uid_next, 1);
    assert_int_equal(after.exists, 0);
    assert_string_equal(mailbox_text(TOM, after.id), "");
    deliver(TOM, after.id, FLAG_FLAGGED, 10);
    assert_string_equal(mailbox_text(TOM, after.id), "1 flagged");
}

/* RFC 9051 §6.3.4: who knew the one before must not take the new one for it. */
static void test_uid_validity_grows(void **state)
{
    uint32_t last = folder_named("INBOX").uid_validity;
    uint64_t last_id = 0;

    (void)state;
    for (int i = 0; i < 5; i++) {
        struct folder f;

        make_folder("a");
        f = folder_named("a");
        assert_true(f.uid_validity > last);
        assert_true(f.id.v > last_id);
        last = f.uid_validity;
        last_id = f.id.v;
        must(i % 2 ? try_rename("a", "elsewhere") : try_delete("a"));
        if (i % 2)
            must(try_delete("elsewhere"));
    }
}

/* ---- renaming ---- */

static void test_rename(void **state)
{
    struct folder before, after;

    (void)state;
    make_folder("a/b/c");
    deliver(TOM, folder_named("a/b").id, FLAG_FLAGGED, 10);
    before = folder_named("a/b");
    must(try_rename("a/b", "x/y/z"));
    assert_string_equal(tree_text(), "INBOX a x x/y x/y/z x/y/z/c");
    after = folder_named("x/y/z");
    assert_int_equal(after.id.v, before.id.v);
    assert_int_equal(after.uid_validity, before.uid_validity);
    assert_int_equal(after.uid_next, before.uid_next);
    assert_string_equal(mailbox_text(TOM, after.id), "1 flagged");
    must(try_rename("x/y/z", "x/y/Z"));
    must(try_rename("x/y/Z/c", "c"));
    assert_string_equal(tree_text(), "INBOX a c x x/y x/y/Z");
    must(try_rename("x", "INBOX/x"));
    assert_string_equal(tree_text(), "INBOX INBOX/x INBOX/x/y INBOX/x/y/Z a c");
}

static void test_rename_refuses(void **state)
{
    const char *whole;
    struct ticket t;

    (void)state;
    make_folder("a/b/c");
    make_folder("ab");
    whole = tree_text();
    assert_int_equal(try_rename("a", "a"), ERR_EXISTS);
    assert_int_equal(try_rename("a", "ab"), ERR_EXISTS);
    assert_int_equal(try_rename("a/b", "a"), ERR_EXISTS);
    assert_int_equal(try_rename("a", "INBOX"), ERR_EXISTS);
    assert_int_equal(try_rename("a", "a/b"), ERR_BAD_VALUE);
    assert_int_equal(try_rename("a", "a/new"), ERR_BAD_VALUE);
    assert_int_equal(try_rename("a", "a/new/newer"), ERR_BAD_VALUE);
    assert_int_equal(try_rename("a", "a/b/c/d"), ERR_BAD_VALUE);
    assert_int_equal(folder_rename(store, &cx, TOM, (struct mailbox_id){77}, spelled_so(S("x/y")), &t),
                     ERR_NOT_FOUND);
    assert_string_equal(tree_text(), whole); /* nor were any made on the way */
    must(try_rename("a", "abc"));            /* begins as its own name does, and is beside it */
    assert_string_equal(tree_text(), "INBOX ab abc abc/b abc/b/c");
}

static void test_rename_and_names_above(void **state)
{
    (void)state;
    make_folder("a/b/c");
    must(try_delete("a"));
    must(try_delete("a/b"));
    assert_int_equal(try_rename("a/b/c", "a"), ERR_EXISTS);
    must(try_rename("a", "n")); /* a name alone can be moved as well */
    assert_string_equal(tree_text(), "INBOX (n) (n/b) n/b/c");
    must(try_rename("n/b/c", "n/c")); /* and goes when nothing needs it */
    assert_string_equal(tree_text(), "INBOX (n) n/c");
    must(try_rename("n/c", "c"));
    assert_string_equal(tree_text(), "INBOX c");
}

/* RFC 9051 §5.1 leaves the limits to us; a name below must not come to lie beyond them. */
static void test_rename_too_long(void **state)
{
    char deep[2 * IMAP_NAME_LEVELS_MAX] = "", wide[IMAP_NAME_LEVEL_MAX + 3] = "x/";
    char long_name[IMAP_NAME_MAX + 1] = "";
    const char *whole;

    (void)state;
    for (size_t i = 0; i < 2 * (IMAP_NAME_LEVELS_MAX - 2) - 1; i++)
        deep[i] = i % 2 ? '/' : 'd';
    memset(wide + 2, 'w', IMAP_NAME_LEVEL_MAX);
    make_folder(deep); /* 18 levels */
    make_folder("a/b/c");
    make_folder(wide);
    whole = tree_text();
    snprintf(long_name, sizeof(long_name), "%s/a", deep);
    assert_int_equal(try_rename("a", long_name), ERR_LIMIT); /* with those below: 21 */
    assert_string_equal(tree_text(), whole);
    must(try_rename("a/b", long_name)); /* 20 */
    must(try_rename(long_name, "a/b"));
    memset(long_name, 'l', IMAP_NAME_MAX);
    for (size_t i = IMAP_NAME_LEVEL_MAX; i < IMAP_NAME_MAX; i += IMAP_NAME_LEVEL_MAX + 1)
        long_name[i] = '/';
    long_name[IMAP_NAME_MAX - IMAP_NAME_LEVEL_MAX] =
        '\0'; /* one byte too many, with "/" and what is below */
    assert_int_equal(try_rename("x", long_name), ERR_LIMIT);
    assert_string_equal(tree_text(), whole);
    long_name[IMAP_NAME_MAX - IMAP_NAME_LEVEL_MAX - 1] = '\0';
    must(try_rename("x", long_name));
    tree_text();
}

/* RFC 9051 §6.3.6: its messages move, what is below it stays, and it is there as before. */
static void test_rename_inbox(void **state)
{
    struct str junk = S("$Junk");
    struct flags_change c = {.how = FLAGS_ADD, .flags = {FLAG_SEEN, &junk, 1}};
    struct imap_set first = SET({1, 1});
    struct folder inbox, old;
    struct flags_result r;
    struct ticket t;

    (void)state;
    make_folder("INBOX/below");
    for (int i = 0; i < 3; i++)
        deliver(TOM, INBOX, 0, 10);
    durable(messages_set_flags(store, &cx, IN(TOM, INBOX), &first, &c, &r, &t), t);
    inbox = folder_named("INBOX");
    must(try_rename("INBOX", "old/mail"));
    assert_string_equal(tree_text(), "INBOX INBOX/below old old/mail");
    old = folder_named("old/mail");
    assert_int_not_equal(old.id.v, INBOX.v);
    assert_true(old.uid_validity > inbox.uid_validity);
    assert_int_equal(old.exists, 3);
    assert_int_equal(old.unseen, 2);
    assert_string_equal(mailbox_text(TOM, old.id), "1 seen $Junk; 2; 3");
    assert_string_equal(mailbox_text(TOM, INBOX), "");
    assert_int_equal(folder_named("INBOX").uid_validity, inbox.uid_validity);
    assert_int_equal(folder_named("INBOX").uid_next, inbox.uid_next);
    assert_int_equal(folder_named("INBOX").exists, 0);
    assert_int_equal(figures_of(TOM).mail.bytes, 30);
    deliver(TOM, INBOX, 0, 10);
    assert_string_equal(mailbox_text(TOM, INBOX), "4");
    assert_int_equal(try_rename("INBOX", "INBOX"), ERR_EXISTS);
    assert_int_equal(try_rename("INBOX", "old"), ERR_EXISTS);
    assert_string_equal(mailbox_text(TOM, INBOX), "4");
    must(try_rename("INBOX", "INBOX/kept"));
    assert_string_equal(tree_text(), "INBOX INBOX/below INBOX/kept old old/mail");
    assert_string_equal(mailbox_text(TOM, folder_named("INBOX/kept").id), "1");
}

static void test_rename_an_empty_inbox(void **state)
{
    (void)state;
    must(try_rename("INBOX", "old"));
    assert_string_equal(tree_text(), "INBOX old");
    assert_int_equal(folder_named("old").exists, 0);
    make_folder("n/b");
    must(try_delete("n"));
    deliver(TOM, INBOX, 0, 1);
    must(try_rename("INBOX", "n")); /* a name above others is free for that, as for CREATE */
    assert_string_equal(tree_text(), "INBOX n n/b old");
    assert_string_equal(mailbox_text(TOM, folder_named("n").id), "1");
}

/* ---- roles ---- */

static void test_roles(void **state)
{
    struct mailbox_id id;
    struct ticket t;

    (void)state;
    durable(folder_create(store, &cx, TOM, spelled_so(S("a/b")), ROLE_ARCHIVE | ROLE_SENT, &id, &t), t);
    assert_int_equal(folder_named("a/b").roles, ROLE_ARCHIVE | ROLE_SENT);
    assert_int_equal(folder_named("a").roles, 0); /* made on the way */
}

/* ---- the change log ---- */

static bool see(void *arg, const struct change *c)
{
    static const char *const kinds[] = {
        [CHANGE_MAILBOX] = "mailbox", [CHANGE_SUBSCRIPTION] = "subscription"};
    const char *kind = c->kind < sizeof(kinds) / sizeof(*kinds) ? kinds[c->kind] : NULL;

    if (kind)
        buf_printf(arg, "%s ", kind);
    return true;
}

static const char *seen_since(uint64_t since)
{
    struct buf b = buf_make(10000);
    struct view *v = view_open(engine);
    const char *text;
    bool complete;
    uint64_t upto;

    must(changes_since(v, &cx, TOM, since, see, &b, &upto, &complete));
    assert_true(complete);
    view_close(&v);
    text = str_to_c(cx.arena, buf_str(&b));
    buf_free(&b);
    return text;
}

/* Each change takes one modseq, whatever it does; what changes nothing takes none. */
static void test_changes_are_seen(void **state)
{
    uint64_t at = figures_of(TOM).modseq;
    struct mailbox_id id;

    (void)state;
    make_folder("a/b/c");
    assert_string_equal(seen_since(at), "mailbox mailbox mailbox ");
    assert_int_equal(figures_of(TOM).modseq, ++at);
    must(try_rename("a/b/c", "c"));
    assert_string_equal(seen_since(at), "mailbox ");
    assert_int_equal(figures_of(TOM).modseq, ++at);
    must(try_delete("c"));
    assert_string_equal(seen_since(at), "mailbox ");
    assert_int_equal(figures_of(TOM).modseq, ++at);
    must(try_subscribe(S("c"), true));
    assert_string_equal(seen_since(at), "subscription ");
    assert_int_equal(figures_of(TOM).modseq, ++at);
    must(try_subscribe(S("c"), true));
    assert_int_equal(try_create("a", &id), ERR_EXISTS);
    assert_int_equal(try_rename("a", "a/b/x"), ERR_BAD_VALUE);
    assert_int_equal(figures_of(TOM).modseq, at);
}

/* ---- limits ---- */

static void test_most_mailboxes(void **state)
{
    struct mailbox_id id;
    struct folder *list;
    struct ticket t;
    struct view *v;
    char name[40];
    size_t n;

    (void)state;
    for (int i = 0; i < MOST_MAILBOXES - 6 - 100; i++) { /* in a hundred of a hundred each */
        snprintf(name, sizeof(name), "%02d/%d", i % 100, i);
        must(folder_create(store, &cx, TOM, spelled_so(str_from_c(name)), 0, &id, &t));
    }
    must(engine_wait(engine, &cx, t));
    v = view_open(engine);
    must(folder_list(v, &cx, TOM, &list, &n));
    view_close(&v);
    assert_int_equal(n, MOST_MAILBOXES);
    assert_int_equal(try_create("one more", &id), ERR_LIMIT);
    assert_int_equal(try_create("00/0/below", &id), ERR_LIMIT);
    assert_int_equal(try_rename("00", "on/the/way"), ERR_LIMIT);
    assert_int_equal(try_rename("INBOX", "old"), ERR_LIMIT);
    assert_false(folder_exists("on"));
    must(try_rename("00", "zz"));
    assert_true(folder_exists("zz/0") && !folder_exists("00/0"));
    must(try_delete("01/1"));
    assert_int_equal(try_create("one/more", &id), ERR_LIMIT); /* two would be */
    assert_false(folder_exists("one"));
    make_folder("one");
    assert_int_equal(try_create("one more", &id), ERR_LIMIT);
    must(try_delete("01"));
    assert_int_equal(try_create("one more", &id), ERR_LIMIT); /* the name is one of them still */
    make_folder("01");
}

static void test_most_subscriptions(void **state)
{
    struct txn *txn = txn_begin(engine, &(struct part){PART_ACCOUNT, TOM.v}, 1);
    struct ticket t;
    char name[20];

    (void)state;
    for (int i = 6; i < MOST_SUBSCRIPTIONS - 1;
         i++) { /* one by one they would take long: each counts the others */
        snprintf(name, sizeof(name), "s%d", i);
        subscription_row_put(txn, TOM, &(struct subscription_key){.name = str_from_c(name)},
                             &(struct subscription_row){0});
    }
    durable(txn_commit(&txn, &cx, &t), t);
    must(try_subscribe(S("the last"), true));
    assert_int_equal(try_subscribe(S("one more"), true), ERR_LIMIT);
    must(try_subscribe(S("the last"), true)); /* again is fine */
    must(try_subscribe(S("Sent"), false));
    must(try_subscribe(S("one more"), true));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, store_set_up, store_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_names_above_are_made),
        TEST(test_delete),
        TEST(test_a_name_above_others),
        TEST(test_a_name_keeps_no_role),
        TEST(test_a_name_becomes_a_mailbox_again),
        TEST(test_uid_validity_grows),
        TEST(test_rename),
        TEST(test_rename_refuses),
        TEST(test_rename_and_names_above),
        TEST(test_rename_too_long),
        TEST(test_rename_inbox),
        TEST(test_rename_an_empty_inbox),
        TEST(test_roles),
        TEST(test_changes_are_seen),
        TEST(test_most_mailboxes),
        TEST(test_most_subscriptions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
