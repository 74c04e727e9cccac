/* The tree of mailboxes: how it is made, taken apart and moved about, what each step leaves behind, and what is refused. A
 * tree is looked at as text, one word a mailbox. */
#include "vault/store/changes.h"
#include "vault/store/folders.h"
#include "vault/store/folders_edit.h"
#include "vault/store/testing.h"

#include "proto/imap_name.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- what a test does, and sees ---- */

static enum err try_create(const char *name, struct mailbox_id *id)
{
    struct ticket t;
    enum err e = folder_create(store, &cx, TOM, str_from_c(name), 0, id, &t);

    if (!e)
        must(engine_wait(engine, &cx, t));
    return e;
}

static struct mailbox_id create(const char *name)
{
    struct mailbox_id id;

    must(try_create(name, &id));
    return id;
}

static enum err find_in(struct account_id account, struct str name, struct folder *f)
{
    struct view *v = view_open(engine);
    enum err e = folder_find(v, &cx, account, name, f);

    view_close(&v);
    return e;
}

static struct folder find(const char *name)
{
    struct folder f;

    must(find_in(TOM, str_from_c(name), &f));
    return f;
}

static bool exists(const char *name)
{
    struct folder f;
    enum err e = find_in(TOM, str_from_c(name), &f);

    if (e)
        assert_int_equal(e, ERR_NOT_FOUND);
    return !e;
}

static struct folder folder_by_id(struct mailbox_id id)
{
    struct view *v = view_open(engine);
    struct folder f;

    must(folder_of(v, &cx, TOM, id, &f));
    view_close(&v);
    return f;
}

static enum err try_delete(const char *name)
{
    struct ticket t;
    enum err e = folder_delete(store, &cx, TOM, find(name).id, &t);

    if (!e)
        must(engine_wait(engine, &cx, t));
    return e;
}

static enum err try_rename(const char *from, const char *to)
{
    struct ticket t;
    enum err e = folder_rename(store, &cx, TOM, find(from).id, str_from_c(to), &t);

    if (!e)
        must(engine_wait(engine, &cx, t));
    return e;
}

static enum err try_subscribe(struct str name, bool yes)
{
    struct ticket t;
    enum err e = folder_subscribe(store, &cx, TOM, name, yes, &t);

    if (!e)
        must(engine_wait(engine, &cx, t));
    return e;
}

static void assert_same(const struct folder *a, const struct folder *b)
{
    assert_int_equal(a->id.v, b->id.v);
    assert_int_equal(a->parent.v, b->parent.v);
    assert_true(str_same(a->name, b->name));
    assert_int_equal(a->roles, b->roles);
    assert_int_equal(a->no_select, b->no_select);
    assert_int_equal(a->has_children, b->has_children);
    assert_int_equal(a->subscribed, b->subscribed);
    assert_int_equal(a->uid_validity, b->uid_validity);
    assert_int_equal(a->uid_next, b->uid_next);
    assert_int_equal(a->modseq, b->modseq);
    assert_int_equal(a->exists, b->exists);
    assert_int_equal(a->unseen, b->unseen);
    assert_int_equal(a->deleted, b->deleted);
    assert_int_equal(a->recent, b->recent);
    assert_int_equal(a->bytes, b->bytes);
    assert_int_equal(a->deleted_bytes, b->deleted_bytes);
    assert_int_equal(a->damaged, b->damaged);
}

/* All, without the first five that everybody has beside INBOX: "INBOX a (b) b/c", in brackets what is \Noselect. Each is
 * the same whether it is listed, found by its name or by its id; and the account counts as many. */
static const char *tree(void)
{
    struct buf b = buf_make(100000);
    struct view *v = view_open(engine);
    struct account_figures figures;
    struct folder *list, one;
    const char *text;
    size_t n;

    must(folder_list(v, &cx, TOM, &list, &n));
    must(account_figures(v, &cx, TOM, &figures));
    assert_int_equal(n, figures.mailboxes);
    for (size_t i = 0; i < n; i++) {
        must(folder_of(v, &cx, TOM, list[i].id, &one));
        assert_same(&one, &list[i]);
        must(folder_find(v, &cx, TOM, list[i].name, &one));
        assert_same(&one, &list[i]);
        if (list[i].id.v > INBOX.v && list[i].id.v < INBOX.v + 6)
            continue;
        buf_printf(&b, list[i].no_select ? "%s(%.*s)" : "%s%.*s", b.n ? " " : "",
                   STR_ARG(list[i].name));
    }
    view_close(&v);
    text = str_to_c(cx.arena, buf_str(&b));
    buf_free(&b);
    return text;
}

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
    create("a/b");
    deliver(TOM, find("a/b").id, 0, 10);
    deliver(TOM, find("a/b").id, FLAG_SEEN, 20);
    deliver(TOM, find("a/b").id, FLAG_SEEN | FLAG_DELETED, 40);
    f = find("a/b");
    assert_int_equal(f.uid_next, 4);
    assert_int_equal(f.exists, 3);
    assert_int_equal(f.unseen, 1);
    assert_int_equal(f.deleted, 1);
    assert_int_equal(f.recent, 3);
    assert_int_equal(f.bytes, 70);
    assert_int_equal(f.deleted_bytes, 40);
    assert_int_equal(find("a").exists, 0);
    assert_string_equal(tree(), "INBOX a a/b");
}

/* ---- names ---- */

static void test_names_above_are_made(void **state)
{
    struct mailbox_id id;

    (void)state;
    create("a/b/c");
    assert_string_equal(tree(), "INBOX a a/b a/b/c");
    assert_true(find("a").has_children);
    assert_true(find("a/b").has_children);
    assert_false(find("a/b/c").has_children);
    assert_int_equal(find("a/b/c").parent.v, find("a/b").id.v);
    assert_int_equal(try_create("a", &id), ERR_EXISTS);
    assert_int_equal(try_create("a/b/c", &id), ERR_EXISTS);
    assert_int_equal(try_create("INBOX", &id), ERR_EXISTS);
    create("INBOX/d");
    assert_string_equal(tree(), "INBOX INBOX/d a a/b a/b/c");
}

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
    assert_string_equal(tree(), "INBOX INBOX/z A A/b B a a/b a/b/c a/z a b a! a0 a0/x");
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
        durable(folder_create(store, &cx, TOM, names[i], 0, &ids[i], &t), t);
        must(try_subscribe(names[i], true));
    }
    for (size_t i = 0; i < n; i++) {
        must(find_in(TOM, names[i], &f));
        assert_int_equal(f.id.v, ids[i].v);
        assert_true(str_same(f.name, names[i]));
        assert_true(f.subscribed);
        assert_true(str_same(folder_by_id(ids[i]).name, names[i]));
    }
    tree();
    for (size_t i = 0; i < n; i++)
        durable(folder_delete(store, &cx, TOM, ids[i], &t), t);
    assert_string_equal(tree(), "INBOX Inbox");
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
    create(longest);
    create(deepest);
    assert_true(str_same(folder_by_id(find(longest).id).name, str_from_c(longest)));
    assert_true(str_same(folder_by_id(find(deepest).id).name, str_from_c(deepest)));
    tree();
}

/* ---- deleting ---- */

static void test_delete(void **state)
{
    struct mailbox_id id = create("a");
    struct ticket t;

    (void)state;
    deliver(TOM, id, 0, 10);
    must(try_delete("a"));
    assert_string_equal(tree(), "INBOX");
    assert_int_equal(folder_delete(store, &cx, TOM, id, &t), ERR_NOT_FOUND);
    assert_int_equal(folder_delete(store, &cx, TOM, (struct mailbox_id){0}, &t), ERR_NOT_FOUND);
    assert_int_equal(try_delete("INBOX"), ERR_DENIED);
    must(try_delete("Trash")); /* what a new account has is not special */
    assert_false(exists("Trash"));
}

static uint64_t bytes_used(void)
{
    struct view *v = view_open(engine);
    struct account_figures f;

    must(account_figures(v, &cx, TOM, &f));
    view_close(&v);
    return f.bytes;
}

/* RFC 9051 §6.3.5: what is below stays, and the name with it, until the last of them goes. */
static void test_a_name_above_others(void **state)
{
    (void)state;
    create("a/b/c");
    create("a/b/d");
    deliver(TOM, find("a/b").id, 0, 10);
    deliver(TOM, find("a/b/c").id, 0, 5);
    must(try_delete("a/b"));
    must(try_delete("a"));
    assert_string_equal(tree(), "INBOX (a) (a/b) a/b/c a/b/d");
    assert_int_equal(bytes_used(), 5);
    assert_int_equal(find("a/b").exists, 0);
    assert_int_equal(find("a/b/c").exists, 1);
    assert_false(find("a/b").damaged);
    assert_int_equal(try_delete("a/b"), ERR_EXISTS);
    assert_int_equal(try_delete("a"), ERR_EXISTS);
    must(try_delete("a/b/c"));
    assert_string_equal(tree(), "INBOX (a) (a/b) a/b/d");
    must(try_delete("a/b/d"));
    assert_string_equal(tree(), "INBOX");
}

static void test_a_name_keeps_no_role(void **state)
{
    (void)state;
    create("Junk/old");
    must(try_delete("Junk"));
    assert_true(find("Junk").no_select);
    assert_int_equal(find("Junk").roles, 0);
    assert_true(find("Junk").subscribed); /* RFC 9051 §6.3.7: only UNSUBSCRIBE takes that back */
    must(try_delete("Junk/old"));
    assert_false(exists("Junk"));
}

/* The name is a mailbox again, and another one: UIDVALIDITY is new and so is its MAILBOXID (RFC 8474 §4). */
static void test_a_name_becomes_a_mailbox_again(void **state)
{
    struct folder before, after;

    (void)state;
    create("a/b/c");
    for (int i = 0; i < 70; i++)
        deliver(TOM, find("a/b").id, FLAG_SEEN, 10);
    before = find("a/b");
    must(try_delete("a/b"));
    create("a/b");
    after = find("a/b");
    assert_string_equal(tree(), "INBOX a a/b a/b/c");
    assert_true(after.uid_validity > before.uid_validity);
    assert_int_not_equal(after.id.v, before.id.v);
    assert_int_equal(find("a/b/c").parent.v, after.id.v);
    assert_int_equal(after.uid_next, 1);
    assert_int_equal(after.exists, 0);
    assert_string_equal(mailbox_text(TOM, after.id), "");
    deliver(TOM, after.id, FLAG_FLAGGED, 10);
    assert_string_equal(mailbox_text(TOM, after.id), "1 flagged");
}

/* RFC 9051 §6.3.4: who knew the one before must not take the new one for it. */
static void test_uid_validity_grows(void **state)
{
    uint32_t last = find("INBOX").uid_validity;
    uint64_t last_id = 0;

    (void)state;
    for (int i = 0; i < 5; i++) {
        struct folder f;

        create("a");
        f = find("a");
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
    create("a/b/c");
    deliver(TOM, find("a/b").id, FLAG_FLAGGED, 10);
    before = find("a/b");
    must(try_rename("a/b", "x/y/z"));
    assert_string_equal(tree(), "INBOX a x x/y x/y/z x/y/z/c");
    after = find("x/y/z");
    assert_int_equal(after.id.v, before.id.v);
    assert_int_equal(after.uid_validity, before.uid_validity);
    assert_int_equal(after.uid_next, before.uid_next);
    assert_string_equal(mailbox_text(TOM, after.id), "1 flagged");
    must(try_rename("x/y/z", "x/y/Z"));
    must(try_rename("x/y/Z/c", "c"));
    assert_string_equal(tree(), "INBOX a c x x/y x/y/Z");
    must(try_rename("x", "INBOX/x"));
    assert_string_equal(tree(), "INBOX INBOX/x INBOX/x/y INBOX/x/y/Z a c");
}

static void test_rename_refuses(void **state)
{
    const char *whole;
    struct ticket t;

    (void)state;
    create("a/b/c");
    create("ab");
    whole = tree();
    assert_int_equal(try_rename("a", "a"), ERR_EXISTS);
    assert_int_equal(try_rename("a", "ab"), ERR_EXISTS);
    assert_int_equal(try_rename("a/b", "a"), ERR_EXISTS);
    assert_int_equal(try_rename("a", "INBOX"), ERR_EXISTS);
    assert_int_equal(try_rename("a", "a/b"), ERR_BAD_VALUE);
    assert_int_equal(try_rename("a", "a/new"), ERR_BAD_VALUE);
    assert_int_equal(try_rename("a", "a/new/newer"), ERR_BAD_VALUE);
    assert_int_equal(try_rename("a", "a/b/c/d"), ERR_BAD_VALUE);
    assert_int_equal(folder_rename(store, &cx, TOM, (struct mailbox_id){77}, S("x/y"), &t),
                     ERR_NOT_FOUND);
    assert_string_equal(tree(), whole); /* nor were any made on the way */
    must(try_rename("a", "abc"));       /* begins as its own name does, and is beside it */
    assert_string_equal(tree(), "INBOX ab abc abc/b abc/b/c");
}

static void test_rename_and_names_above(void **state)
{
    (void)state;
    create("a/b/c");
    must(try_delete("a"));
    must(try_delete("a/b"));
    assert_int_equal(try_rename("a/b/c", "a"), ERR_EXISTS);
    must(try_rename("a", "n")); /* a name alone can be moved as well */
    assert_string_equal(tree(), "INBOX (n) (n/b) n/b/c");
    must(try_rename("n/b/c", "n/c")); /* and goes when nothing needs it */
    assert_string_equal(tree(), "INBOX (n) n/c");
    must(try_rename("n/c", "c"));
    assert_string_equal(tree(), "INBOX c");
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
    create(deep); /* 18 levels */
    create("a/b/c");
    create(wide);
    whole = tree();
    snprintf(long_name, sizeof(long_name), "%s/a", deep);
    assert_int_equal(try_rename("a", long_name), ERR_LIMIT); /* with those below: 21 */
    assert_string_equal(tree(), whole);
    must(try_rename("a/b", long_name)); /* 20 */
    must(try_rename(long_name, "a/b"));
    memset(long_name, 'l', IMAP_NAME_MAX);
    for (size_t i = IMAP_NAME_LEVEL_MAX; i < IMAP_NAME_MAX; i += IMAP_NAME_LEVEL_MAX + 1)
        long_name[i] = '/';
    long_name[IMAP_NAME_MAX - IMAP_NAME_LEVEL_MAX] =
        '\0'; /* one byte too many, with "/" and what is below */
    assert_int_equal(try_rename("x", long_name), ERR_LIMIT);
    assert_string_equal(tree(), whole);
    long_name[IMAP_NAME_MAX - IMAP_NAME_LEVEL_MAX - 1] = '\0';
    must(try_rename("x", long_name));
    tree();
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
    create("INBOX/below");
    for (int i = 0; i < 3; i++)
        deliver(TOM, INBOX, 0, 10);
    durable(messages_set_flags(store, &cx, IN(TOM, INBOX), &first, &c, &r, &t), t);
    inbox = find("INBOX");
    must(try_rename("INBOX", "old/mail"));
    assert_string_equal(tree(), "INBOX INBOX/below old old/mail");
    old = find("old/mail");
    assert_int_not_equal(old.id.v, INBOX.v);
    assert_true(old.uid_validity > inbox.uid_validity);
    assert_int_equal(old.exists, 3);
    assert_int_equal(old.unseen, 2);
    assert_string_equal(mailbox_text(TOM, old.id), "1 seen $Junk; 2; 3");
    assert_string_equal(mailbox_text(TOM, INBOX), "");
    assert_int_equal(find("INBOX").uid_validity, inbox.uid_validity);
    assert_int_equal(find("INBOX").uid_next, inbox.uid_next);
    assert_int_equal(find("INBOX").exists, 0);
    assert_int_equal(bytes_used(), 30);
    deliver(TOM, INBOX, 0, 10);
    assert_string_equal(mailbox_text(TOM, INBOX), "4");
    assert_int_equal(try_rename("INBOX", "INBOX"), ERR_EXISTS);
    assert_int_equal(try_rename("INBOX", "old"), ERR_EXISTS);
    assert_string_equal(mailbox_text(TOM, INBOX), "4");
    must(try_rename("INBOX", "INBOX/kept"));
    assert_string_equal(tree(), "INBOX INBOX/below INBOX/kept old old/mail");
    assert_string_equal(mailbox_text(TOM, find("INBOX/kept").id), "1");
}

static void test_rename_an_empty_inbox(void **state)
{
    (void)state;
    must(try_rename("INBOX", "old"));
    assert_string_equal(tree(), "INBOX old");
    assert_int_equal(find("old").exists, 0);
    create("n/b");
    must(try_delete("n"));
    deliver(TOM, INBOX, 0, 1);
    must(try_rename("INBOX", "n")); /* a name above others is free for that, as for CREATE */
    assert_string_equal(tree(), "INBOX n n/b old");
    assert_string_equal(mailbox_text(TOM, find("n").id), "1");
}

/* ---- roles ---- */

static void test_roles(void **state)
{
    struct mailbox_id id;
    struct ticket t;
    uint64_t modseq;

    (void)state;
    durable(folder_create(store, &cx, TOM, S("a/b"), ROLE_ARCHIVE | ROLE_SENT, &id, &t), t);
    assert_int_equal(find("a/b").roles, ROLE_ARCHIVE | ROLE_SENT);
    assert_int_equal(find("a").roles, 0); /* made on the way */
    durable(folder_set_roles(store, &cx, TOM, id, ROLE_JUNK, &t), t);
    assert_int_equal(find("a/b").roles, ROLE_JUNK);
    modseq = find("a/b").modseq;
    durable(folder_set_roles(store, &cx, TOM, id, ROLE_JUNK, &t), t);
    assert_int_equal(find("a/b").modseq, modseq);
    assert_int_equal(folder_set_roles(store, &cx, TOM, (struct mailbox_id){77}, 0, &t), ERR_NOT_FOUND);
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
    assert_false(find("Sent").subscribed);
    assert_false(exists("nowhere/yet"));
    create("nowhere/yet");
    assert_true(find("nowhere/yet").subscribed);
    assert_false(find("nowhere").subscribed);
    must(try_rename("nowhere/yet", "here")); /* RFC 9051 §6.3.6 moves mailboxes, not subscriptions */
    assert_false(find("here").subscribed);
    must(try_delete("here"));
    assert_string_equal(subscriptions(), "Archive Drafts INBOX Junk Trash nowhere/yet");
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

static uint64_t modseq_now(void)
{
    struct view *v = view_open(engine);
    struct account_figures f;

    must(account_figures(v, &cx, TOM, &f));
    view_close(&v);
    return f.modseq;
}

/* Each change takes one modseq, whatever it does; what changes nothing takes none. */
static void test_changes_are_seen(void **state)
{
    uint64_t at = modseq_now();
    struct mailbox_id id;

    (void)state;
    create("a/b/c");
    assert_string_equal(seen_since(at), "mailbox mailbox mailbox ");
    assert_int_equal(modseq_now(), ++at);
    must(try_rename("a/b/c", "c"));
    assert_string_equal(seen_since(at), "mailbox ");
    assert_int_equal(modseq_now(), ++at);
    must(try_delete("c"));
    assert_string_equal(seen_since(at), "mailbox ");
    assert_int_equal(modseq_now(), ++at);
    must(try_subscribe(S("c"), true));
    assert_string_equal(seen_since(at), "subscription ");
    assert_int_equal(modseq_now(), ++at);
    must(try_subscribe(S("c"), true));
    assert_int_equal(try_create("a", &id), ERR_EXISTS);
    assert_int_equal(try_rename("a", "a/b/x"), ERR_BAD_VALUE);
    assert_int_equal(modseq_now(), at);
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
        must(folder_create(store, &cx, TOM, str_from_c(name), 0, &id, &t));
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
    assert_false(exists("on"));
    must(try_rename("00", "zz"));
    assert_true(exists("zz/0") && !exists("00/0"));
    must(try_delete("01/1"));
    assert_int_equal(try_create("one/more", &id), ERR_LIMIT); /* two would be */
    assert_false(exists("one"));
    create("one");
    assert_int_equal(try_create("one more", &id), ERR_LIMIT);
    must(try_delete("01"));
    assert_int_equal(try_create("one more", &id), ERR_LIMIT); /* the name is one of them still */
    create("01");
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
    create("a/b");
    deliver(TOM, find("a").id, 0, 10);
    counts_key_pack(&key, &(struct counts_key){.mailbox = find("a").id.v});
    damage(&key);
    assert_string_equal(tree(), "INBOX a a/b");
    f = find("a");
    assert_true(f.damaged);
    assert_int_equal(f.exists, 0);
    assert_int_equal(f.uid_next, 0);
    assert_true(f.uid_validity > 1000);
    assert_false(find("a/b").damaged);
}

/* A mailbox whose row cannot be read is not there, and hides nothing of what is below it. */
static void test_a_damaged_mailbox(void **state)
{
    struct buf key = buf_make(32);
    struct view *v;
    struct folder *list, f;
    size_t n;

    (void)state;
    create("a/b/c");
    create("z");
    mailbox_key_pack(&key, &(struct mailbox_key){.mailbox = find("a").id.v});
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
        TEST(test_first_mailboxes),
        TEST(test_counts),
        TEST(test_names_above_are_made),
        TEST(test_order_of_a_tree),
        TEST(test_odd_characters),
        TEST(test_names_that_are_none),
        TEST(test_longest_and_deepest),
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
        TEST(test_subscriptions),
        TEST(test_changes_are_seen),
        TEST(test_most_mailboxes),
        TEST(test_most_subscriptions),
        TEST(test_damaged_counts),
        TEST(test_a_damaged_mailbox),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
