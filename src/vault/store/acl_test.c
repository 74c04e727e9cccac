/* Who may use a mailbox: what is set, what that comes to, what a new mailbox takes over, and what is refused. */
#include "vault/store/acl.h"

#include "proto/imap_access.h"
#include "vault/store/changes.h"
#include "vault/store/directory.h"
#include "vault/store/folders.h"
#include "vault/store/folders_edit.h"
#include "vault/store/testing.h"

#include <inttypes.h>
#include <stdio.h>

#define L IMAP_RIGHT_LOOKUP
#define R IMAP_RIGHT_READ
#define W IMAP_RIGHT_WRITE
#define I IMAP_RIGHT_INSERT
#define A IMAP_RIGHT_ADMIN

#define ANNE ((struct account_id){3})
#define BOB ((struct account_id){4})

/* Four accounts that the directory knows. */
static int set_up(void **state)
{
    static const struct str addresses[] = {
        {"tom@a.test", 10}, {"fred@a.test", 11}, {"anne@a.test", 11}, {"bob@a.test", 10}};
    struct account_id id;
    struct ticket t;

    store_set_up(state);
    durable(domain_create(store, &cx, S("a.test"), &t), t);
    for (uint64_t i = 0; i < 4; i++) {
        durable(account_create(store, &cx, &(struct new_account){.address = addresses[i]}, &id, &t), t);
        assert_int_equal(id.v, TOM.v + i);
    }
    return 0;
}

static enum err try_set(struct mailbox_id mailbox, struct account_id who, bool negative,
                        enum acl_how how, uint32_t rights)
{
    struct ticket t;
    enum err e = acl_set(store, &cx, TOM, mailbox, who, negative, how, rights, &t);

    if (!e)
        must(engine_wait(engine, &cx, t));
    return e;
}

static void give(struct mailbox_id mailbox, struct account_id who, uint32_t rights)
{
    must(try_set(mailbox, who, false, ACL_REPLACE, rights));
}

static void refuse(struct mailbox_id mailbox, struct account_id who, uint32_t rights)
{
    must(try_set(mailbox, who, true, ACL_REPLACE, rights));
}

static uint32_t rights_of(struct mailbox_id mailbox, struct account_id who)
{
    struct view *v = view_open(engine);
    uint32_t rights;

    must(acl_rights(v, &cx, TOM, mailbox, who, &rights));
    view_close(&v);
    return rights;
}

static const char *taken(struct buf *b)
{
    const char *c = str_to_c(cx.arena, buf_str(b));

    buf_free(b);
    return c;
}

/* "0 lr -w; 3 lrw": by account. */
static const char *list_text(struct mailbox_id mailbox)
{
    struct buf b = buf_make(100000);
    struct view *v = view_open(engine);
    struct acl_entry *list;
    size_t n;

    must(acl_list(v, &cx, TOM, mailbox, &list, &n));
    for (size_t i = 0; i < n; i++) {
        buf_printf(&b, "%s%" PRIu64 " ", i ? "; " : "", list[i].who.v);
        if (list[i].rights)
            imap_rights_write(&b, list[i].rights);
        if (list[i].negative) {
            buf_add_c(&b, list[i].rights ? " -" : "-");
            imap_rights_write(&b, list[i].negative);
        }
    }
    view_close(&v);
    return taken(&b);
}

/* "1 4" */
static const char *owners_text(struct account_id who)
{
    struct buf b = buf_make(10000);
    struct view *v = view_open(engine);
    struct account_id *owners;
    size_t n;

    must(acl_owners(v, &cx, who, &owners, &n));
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%s%" PRIu64, i ? " " : "", owners[i].v);
    view_close(&v);
    return taken(&b);
}

/* ---- what rights come to ---- */

static void test_the_owner_has_all(void **state)
{
    (void)state;
    assert_int_equal(rights_of(INBOX, TOM), UINT32_MAX);
    refuse(INBOX, ANYONE, IMAP_RIGHTS_ALL); /* not even so */
    assert_int_equal(rights_of(INBOX, TOM), UINT32_MAX);
    assert_int_equal(try_set(INBOX, TOM, false, ACL_REPLACE, L), ERR_DENIED);
    assert_int_equal(try_set(INBOX, TOM, true, ACL_ADD, L), ERR_DENIED);
    assert_int_equal(try_set(INBOX, TOM, false, ACL_REPLACE, 0), ERR_DENIED);
}

/* RFC 4314 §2: all that somebody has by any identifier, without all that is taken away by any. */
static void test_what_rights_come_to(void **state)
{
    (void)state;
    assert_int_equal(rights_of(INBOX, FRED), 0);
    give(INBOX, FRED, L | W);
    assert_int_equal(rights_of(INBOX, FRED), L | W);
    assert_int_equal(rights_of(INBOX, ANNE), 0);
    assert_int_equal(rights_of(SENT, FRED), 0);
    give(INBOX, ANYONE, L | R);
    assert_int_equal(rights_of(INBOX, FRED), L | R | W);
    assert_int_equal(rights_of(INBOX, ANNE), L | R);
    refuse(INBOX, FRED, R | I);
    assert_int_equal(rights_of(INBOX, FRED), L | W);
    assert_int_equal(rights_of(INBOX, ANNE), L | R);
    refuse(INBOX, ANYONE, L | A);
    assert_int_equal(rights_of(INBOX, FRED), W);
    assert_int_equal(rights_of(INBOX, ANNE), R);
    give(INBOX, FRED, L | I | W);
    assert_int_equal(rights_of(INBOX, FRED), W); /* what is refused stays refused */
    assert_string_equal(list_text(INBOX), "0 lr -la; 2 lwi -ri");
}

/* RFC 4314 §3.1: "+" adds, "-" takes away, and neither touches what was not named. */
static void test_adding_and_removing(void **state)
{
    (void)state;
    must(try_set(INBOX, FRED, false, ACL_ADD, L | R));
    must(try_set(INBOX, FRED, false, ACL_ADD, R | W));
    must(try_set(INBOX, FRED, false, ACL_REMOVE, L | A));
    assert_string_equal(list_text(INBOX), "2 rw");
    must(try_set(INBOX, FRED, true, ACL_ADD, W));
    assert_string_equal(list_text(INBOX), "2 rw -w");
    must(try_set(INBOX, FRED, false, ACL_REPLACE, 0)); /* DELETEACL fred: "-fred" is another (§3.2) */
    assert_string_equal(list_text(INBOX), "2 -w");
    must(try_set(INBOX, FRED, true, ACL_REMOVE, W));
    assert_string_equal(list_text(INBOX), "");
}

static void test_what_changes_nothing(void **state)
{
    uint64_t at;

    (void)state;
    give(INBOX, FRED, L | R);
    at = figures_of(TOM).modseq;
    give(INBOX, FRED, L | R);
    must(try_set(INBOX, FRED, false, ACL_ADD, R));
    must(try_set(INBOX, FRED, false, ACL_REMOVE, W));
    must(try_set(INBOX, ANNE, false, ACL_REPLACE, 0));
    must(try_set(INBOX, ANNE, true, ACL_REMOVE, W));
    assert_int_equal(figures_of(TOM).modseq, at);
    give(INBOX, FRED, L);
    assert_int_equal(figures_of(TOM).modseq, at + 1);
}

static void test_what_is_gone(void **state)
{
    struct view *v;
    struct acl_entry *list;
    struct ticket t;
    size_t n;

    (void)state;
    assert_int_equal(try_set((struct mailbox_id){77}, FRED, false, ACL_ADD, L), ERR_NOT_FOUND);
    assert_int_equal(try_set((struct mailbox_id){0}, FRED, false, ACL_ADD, L), ERR_NOT_FOUND);
    assert_int_equal(acl_set(store, &cx, (struct account_id){9}, INBOX, FRED, false, ACL_ADD, L, &t),
                     ERR_NOT_FOUND);
    assert_string_equal(owners_text(FRED), "");
    v = view_open(engine);
    must(acl_list(v, &cx, TOM, (struct mailbox_id){77}, &list, &n));
    assert_int_equal(n, 0);
    view_close(&v);
    assert_int_equal(rights_of((struct mailbox_id){77}, FRED), 0);
}

/* Rights are of an account: whoever gets its address later has none of them. */
static void test_a_removed_account(void **state)
{
    struct account_id again;
    struct ticket t;

    (void)state;
    give(INBOX, ANYONE, L);
    give(INBOX, FRED, L | R);
    give(INBOX, ANNE, L | W);
    durable(account_delete(store, &cx, FRED, &t), t);
    assert_string_equal(list_text(INBOX), "0 l; 3 lw");
    durable(account_create(store, &cx, &(struct new_account){.address = S("fred@a.test")}, &again, &t),
            t);
    assert_int_equal(rights_of(INBOX, again), L);
    assert_string_equal(list_text(INBOX), "0 l; 3 lw");
}

/* ---- what a new mailbox takes over ---- */

static struct mailbox_id create(struct str name)
{
    struct mailbox_id id;
    struct ticket t;

    durable(folder_create(store, &cx, TOM, spelled_so(name), 0, &id, &t), t);
    return id;
}

static struct mailbox_id id_of(struct str name)
{
    struct view *v = view_open(engine);
    struct folder f;

    must(folder_find(v, &cx, TOM, name, &f));
    view_close(&v);
    return f.id;
}

static void test_a_new_mailbox_takes_over(void **state)
{
    struct mailbox_id a = create(S("a")), c;

    (void)state;
    give(a, FRED, L | R);
    refuse(a, ANNE, W);
    give(a, ANYONE, L);
    c = create(S("a/b/c"));
    assert_string_equal(list_text(id_of(S("a/b"))), "0 l; 2 lr; 3 -w");
    assert_string_equal(list_text(c), "0 l; 2 lr; 3 -w");
    give(a, FRED, 0); /* from now on each has its own */
    assert_string_equal(list_text(a), "0 l; 3 -w");
    assert_string_equal(list_text(c), "0 l; 2 lr; 3 -w");
    give(c, BOB, L);
    assert_string_equal(list_text(id_of(S("a/b"))), "0 l; 2 lr; 3 -w");
    give(INBOX, FRED, L);
    assert_string_equal(list_text(create(S("top"))),
                        ""); /* INBOX is above nothing but what is below it */
    assert_string_equal(list_text(create(S("INBOX/x"))), "2 l");
}

/* A name that becomes a mailbox again is a new one, and so are its rights. */
static void test_made_again(void **state)
{
    struct mailbox_id a = create(S("a")), b = create(S("a/b")), c = create(S("a/b/c"));
    struct ticket t;

    (void)state;
    give(b, FRED, L | R);
    give(c, FRED, L | W);
    give(a, ANNE, L);
    durable(folder_delete(store, &cx, TOM, b, &t), t);
    assert_string_equal(list_text(b), "");
    give(b, BOB, L); /* a bare name can be shared: it goes with it */
    b = create(S("a/b"));
    assert_string_equal(list_text(b), "3 l");
    assert_string_equal(list_text(c), "2 lw");
    durable(folder_delete(store, &cx, TOM, c, &t), t);
    assert_string_equal(list_text(c), "");
    assert_string_equal(list_text(create(S("a/b/c"))), "3 l");
}

static void test_renamed(void **state)
{
    struct mailbox_id a = create(S("a")), to = create(S("to")), moved;
    struct ticket t;

    (void)state;
    give(a, FRED, L | R);
    give(to, ANNE, L);
    give(INBOX, BOB, L);
    durable(folder_rename(store, &cx, TOM, a, spelled_so(S("to/b")), &t), t);
    assert_string_equal(list_text(a), "2 lr"); /* its own go along (RFC 4314 §4) */
    durable(folder_rename(store, &cx, TOM, INBOX, spelled_so(S("to/mail")), &t), t);
    moved = id_of(S("to/mail"));
    assert_string_equal(list_text(moved), "3 l"); /* a new one (RFC 9051 §6.3.6) */
    assert_string_equal(list_text(INBOX), "4 l");
}

/* ---- who has given rights ---- */

static void test_owners(void **state)
{
    struct ticket t;

    (void)state;
    assert_string_equal(owners_text(FRED), "");
    give(INBOX, FRED, L);
    give(SENT, FRED, L);
    refuse(INBOX, ANNE, L); /* to be refused something is no right */
    assert_string_equal(owners_text(FRED), "1");
    assert_string_equal(owners_text(ANNE), "");
    assert_string_equal(owners_text(TOM), "");
    durable(acl_set(store, &cx, BOB, INBOX, ANYONE, false, ACL_ADD, L, &t), t);
    durable(acl_set(store, &cx, BOB, INBOX, FRED, false, ACL_ADD, L, &t), t);
    durable(acl_set(store, &cx, ANNE, INBOX, FRED, false, ACL_ADD, L, &t), t);
    assert_string_equal(owners_text(FRED), "1 3 4");
    assert_string_equal(owners_text(ANNE), "4");
    assert_string_equal(owners_text(TOM), "4");
    assert_string_equal(owners_text(BOB), ""); /* not itself */
}

/* ---- limits ---- */

static void test_most_entries(void **state)
{
    const uint64_t first = 1000;

    (void)state;
    for (uint64_t i = 0; i < MOST_ACL; i++) {
        struct ticket t;

        must(acl_set(store, &cx, TOM, INBOX, (struct account_id){first + i}, i % 2, ACL_ADD, L, &t));
    }
    assert_int_equal(try_set(INBOX, FRED, false, ACL_ADD, L), ERR_LIMIT);
    assert_int_equal(try_set(INBOX, ANYONE, true, ACL_REPLACE, L), ERR_LIMIT);
    must(try_set(INBOX, FRED, false, ACL_REPLACE, 0)); /* DELETEACL of who has none makes no entry */
    must(try_set(INBOX, FRED, false, ACL_REMOVE, L));
    must(try_set(INBOX, (struct account_id){first}, true, ACL_ADD, R)); /* an entry that is there */
    give(SENT, FRED, L);                                                /* each mailbox has its own */
    must(try_set(INBOX, (struct account_id){first}, true, ACL_REPLACE, 0));
    must(try_set(INBOX, (struct account_id){first}, false, ACL_REPLACE, 0));
    give(INBOX, FRED, L);
    assert_int_equal(try_set(INBOX, ANNE, false, ACL_ADD, L), ERR_LIMIT);
    assert_int_equal(rights_of(INBOX, FRED), L);
    assert_string_equal(list_text(INBOX), "2 l"); /* nobody knows the others */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, store_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_the_owner_has_all),
        TEST(test_what_rights_come_to),
        TEST(test_adding_and_removing),
        TEST(test_what_changes_nothing),
        TEST(test_what_is_gone),
        TEST(test_a_removed_account),
        TEST(test_a_new_mailbox_takes_over),
        TEST(test_made_again),
        TEST(test_renamed),
        TEST(test_owners),
        TEST(test_most_entries),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
