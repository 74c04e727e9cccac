/* Looking at mailboxes: names, the order of a tree, what is in each in numbers, subscriptions, and what damage costs. */
#include "vault/store/folders_testing.h"

#include "proto/imap_name.h"

/* ---- a new account ---- */

static void test_first_mailboxes(void **state)
{
    static const struct {
        const char *name;
        uint32_t roles;
    } first[] = {{"INBOX", 0},        {"Archive", ROLE_ARCHIVE}, {"Drafts", ROLE_DRAFTS},
                 {"Junk", ROLE_JUNK}, {"Sent", ROLE_SENT},       {"Trash", ROLE_TRASH}};
    struct view *v = view_open(engine);
    struct folder *list, f;
    size_t n;

    (void)state;
    must(folder_list(v, &cx, TOM, &list, &n));
    assert_int_equal(n, 6);
    for (size_t i = 0; i < n; i++) {
        assert_true(str_same(list[i].name, str_from_c(first[i].name)));
        assert_int_equal(list[i].roles, first[i].roles);
        assert_true(list[i].subscribed);
        assert_false(list[i].has_children || list[i].no_select || list[i].damaged);
        assert_int_equal(list[i].uid_validity, 1000);
        assert_int_equal(list[i].uid_next, 1);
    }
    assert_int_equal(list[0].id.v, INBOX.v);
    view_close(&v);
    assert_int_equal(find_in((struct account_id){9}, S("INBOX"), &f), ERR_NOT_FOUND);
}

static void test_counts(void **state)
{
    struct folder f;

    (void)state;
    make_folder("a/b");
    deliver(TOM, folder_named("a/b").id, 0, 10);
    deliver(TOM, folder_named("a/b").id, FLAG_SEEN, 20);
    deliver(TOM, folder_named("a/b").id, FLAG_SEEN | FLAG_DELETED, 40);
    f = folder_named("a/b");
    assert_int_equal(f.uid_next, 4);
    assert_int_equal(f.exists, 3);
    assert_int_equal(f.unseen, 1);
    assert_int_equal(f.deleted, 1);
    assert_int_equal(f.first_recent, 1);
    assert_int_equal(f.bytes, 70);
    assert_int_equal(f.deleted_bytes, 40);
    assert_int_equal(folder_named("a").exists, 0);
    assert_string_equal(tree_text(), "INBOX a a/b");
}

/* ---- names ---- */

/* A tree is in order level by level, which the whole names are not: " " and "!" are less than "/". */
static void test_order_of_a_tree(void **state)
{
    static const char *const names[] = {"a!", "a b",     "a/z",   "a",  "a0/x",
                                        "B",  "INBOX/z", "a/b/c", "A/b"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        struct mailbox_id id;
        enum err e = try_create(names[i], &id);

        assert_int_equal(e, i == 3 ? ERR_EXISTS : OK); /* "a/z" has made it */
    }
    assert_string_equal(tree_text(), "INBOX INBOX/z A A/b B a a/b a/b/c a/z a b a! a0 a0/x");
}

/* Whatever a name is made of, it is that name and no other. What the wire may say is for others to check, so nothing here
 * takes a byte for more than it is. */
static void test_odd_characters(void **state)
{
    static const struct str names[] = {
        {" ", 1},        {"  ", 2},         {"a\0b", 3},
        {"a\0", 2},      {"\"quoted\"", 8}, {"back\\slash", 10},
        {"*", 1},        {"%", 1},          {"&AOk-", 5},
        {"\xc3\xa9", 2}, {"e\xcc\x81", 3},  {"\xff\xfe", 2},
        {".", 1},        {"..", 2},         {"a\r\nb", 4},
        {"inbox", 5},    {"Inbox/x", 7},    {"\xf0\x9f\x93\xac", 4},
        {"\x7f", 1},     {"%s%n", 4},
    };
    const size_t n = sizeof(names) / sizeof(*names);
    struct mailbox_id ids[sizeof(names) / sizeof(*names)];
    struct folder f;
    struct ticket t;

    (void)state;
    for (size_t i = 0; i < n; i++) {
        durable(folder_create(store, &cx, TOM, spelled_so(names[i]), 0, &ids[i], &t), t);
        must(try_subscribe(names[i], true));
    }
    for (size_t i = 0; i < n; i++) {
        must(find_in(TOM, names[i], &f));
        assert_int_equal(f.id.v, ids[i].v);
        assert_true(str_same(f.name, names[i]));
        assert_true(f.subscribed);
        assert_true(str_same(folder_by_id(ids[i]).name, names[i]));
    }
    tree_text();
    for (size_t i = 0; i < n; i++)
        durable(folder_delete(store, &cx, TOM, ids[i], &t), t);
    assert_string_equal(tree_text(), "INBOX Inbox");
}

static void test_names_that_are_none(void **state)
{
    char *much = arena_alloc(cx.arena, 100000);
    struct folder f;

    (void)state;
    memset(much, 'a', 100000);
    assert_int_equal(find_in(TOM, STR_NONE, &f), ERR_NOT_FOUND);
    assert_int_equal(find_in(TOM, S("/"), &f), ERR_NOT_FOUND);
    assert_int_equal(find_in(TOM, S("INBOX/"), &f), ERR_NOT_FOUND);
    assert_int_equal(find_in(TOM, S("/INBOX"), &f), ERR_NOT_FOUND);
    assert_int_equal(find_in(TOM, S("INBO"), &f), ERR_NOT_FOUND);
    assert_int_equal(find_in(TOM, S("INBOX\0"), &f), ERR_NOT_FOUND);
    assert_int_equal(find_in(TOM, (struct str){much, 100000}, &f), ERR_NOT_FOUND);
    assert_int_equal(try_subscribe(STR_NONE, true), ERR_LIMIT);
    assert_int_equal(try_subscribe((struct str){much, IMAP_NAME_MAX + 1}, true), ERR_LIMIT);
    must(try_subscribe((struct str){much, IMAP_NAME_MAX}, true));
}

/* The longest name of all, and the deepest. */
static void test_longest_and_deepest(void **state)
{
    char longest[IMAP_NAME_MAX + 1] = "", deepest[2 * IMAP_NAME_LEVELS_MAX] = "";

    (void)state;
    memset(longest, 'x', IMAP_NAME_MAX);
    for (size_t i = IMAP_NAME_LEVEL_MAX; i < IMAP_NAME_MAX; i += IMAP_NAME_LEVEL_MAX + 1)
        longest[i] = '/';
    for (size_t i = 0; i < 2 * IMAP_NAME_LEVELS_MAX - 1; i++)
        deepest[i] = i % 2 ? '/' : 'd';
    assert_null(imap_name_check(str_from_c(longest)));
    assert_null(imap_name_check(str_from_c(deepest)));
    make_folder(longest);
    make_folder(deepest);
    assert_true(str_same(folder_by_id(folder_named(longest).id).name, str_from_c(longest)));
    assert_true(str_same(folder_by_id(folder_named(deepest).id).name, str_from_c(deepest)));
    tree_text();
}

/* ---- subscriptions ---- */

static const char *subscriptions(void)
{
    struct buf b = buf_make(100000);
    struct view *v = view_open(engine);
    struct str *names;
    const char *text;
    size_t n;

    must(folder_subscriptions(v, &cx, TOM, &names, &n));
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%s%.*s", i ? " " : "", STR_ARG(names[i]));
    view_close(&v);
    text = str_to_c(cx.arena, buf_str(&b));
    buf_free(&b);
    return text;
}

static void test_subscriptions(void **state)
{
    (void)state;
    must(try_subscribe(S("nowhere/yet"), true));
    must(try_subscribe(S("nowhere/yet"), true));
    must(try_subscribe(S("Sent"), false));
    must(try_subscribe(S("Sent"), false));
    assert_string_equal(subscriptions(), "Archive Drafts INBOX Junk Trash nowhere/yet");
    assert_false(folder_named("Sent").subscribed);
    assert_false(folder_exists("nowhere/yet"));
    make_folder("nowhere/yet");
    assert_true(folder_named("nowhere/yet").subscribed);
    assert_false(folder_named("nowhere").subscribed);
    must(try_rename("nowhere/yet", "here")); /* RFC 9051 §6.3.6 moves mailboxes, not subscriptions */
    assert_false(folder_named("here").subscribed);
    must(try_delete("here"));
    assert_string_equal(subscriptions(), "Archive Drafts INBOX Junk Trash nowhere/yet");
}

/* ---- damage ---- */

static void damage(struct buf *key)
{
    memory_engine_damage(engine, mailbox_part(TOM), buf_str(key));
    buf_free(key);
    deliver(FRED, INBOX, 0, 1); /* views see it after the next flush */
}

/* Counts that cannot be read cost the counts and nothing else. */
static void test_damaged_counts(void **state)
{
    struct buf key = buf_make(32);
    struct folder f;

    (void)state;
    make_folder("a/b");
    deliver(TOM, folder_named("a").id, 0, 10);
    counts_key_pack(&key, &(struct counts_key){.mailbox = folder_named("a").id.v});
    damage(&key);
    assert_string_equal(tree_text(), "INBOX a a/b");
    f = folder_named("a");
    assert_true(f.damaged);
    assert_int_equal(f.exists, 0);
    assert_int_equal(f.uid_next, 0);
    assert_true(f.uid_validity > 1000);
    assert_false(folder_named("a/b").damaged);
}

/* A mailbox whose row cannot be read is not there, and hides nothing of what is below it. */
static void test_a_damaged_mailbox(void **state)
{
    struct buf key = buf_make(32);
    struct view *v;
    struct folder *list, f;
    size_t n;

    (void)state;
    make_folder("a/b/c");
    make_folder("z");
    mailbox_key_pack(&key, &(struct mailbox_key){.mailbox = folder_named("a").id.v});
    damage(&key);
    v = view_open(engine);
    must(folder_list(v, &cx, TOM, &list, &n));
    view_close(&v);
    assert_int_equal(n, 6 + 3);
    assert_true(str_same(list[n - 3].name, S("b")));
    assert_true(str_same(list[n - 2].name, S("b/c")));
    assert_true(str_same(list[n - 1].name, S("z")));
    assert_int_equal(find_in(TOM, S("a"), &f), ERR_DAMAGED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, store_set_up, store_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_first_mailboxes),     TEST(test_counts),
        TEST(test_order_of_a_tree),     TEST(test_odd_characters),
        TEST(test_names_that_are_none), TEST(test_longest_and_deepest),
        TEST(test_subscriptions),       TEST(test_damaged_counts),
        TEST(test_a_damaged_mailbox),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
