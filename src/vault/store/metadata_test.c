/* Annotations: whose they are and who sees them, what is all or nothing, and where it ends. */
#include "vault/store/metadata.h"

#include "base/scoped.h"
#include "vault/store/changes.h"
#include "vault/store/folders.h"
#include "vault/store/folders_edit.h"
#include "vault/store/roster.h"
#include "vault/store/testing.h"

#include <inttypes.h>
#include <stdio.h>

#define SERVER ((struct mailbox_id){0})
#define NIL STR_NONE

static enum err try_all(struct mailbox_id mailbox, struct account_id who, const struct metadata *v,
                        size_t n)
{
    struct ticket t;
    enum err e = metadata_set(store, &cx, TOM, mailbox, who, v, n, &t);

    if (!e)
        must(engine_wait(engine, &cx, t));
    return e;
}

static enum err try_set(struct mailbox_id mailbox, struct account_id who, const char *entry,
                        struct str value)
{
    return try_all(mailbox, who, &(struct metadata){.entry = str_from_c(entry), .value = value}, 1);
}

static void set(struct mailbox_id mailbox, struct account_id who, const char *entry, const char *value)
{
    must(try_set(mailbox, who, entry, value ? str_from_c(value) : NIL));
}

static void list_of(struct mailbox_id mailbox, struct account_id who, struct metadata **list, size_t *n)
{
    struct view *v = view_open(engine);

    must(metadata_list(v, &cx, TOM, mailbox, who, list, n));
    view_close(&v);
}

/* "/private/a=1 /shared/b=2" */
static const char *list_text(struct mailbox_id mailbox, struct account_id who)
{
    struct buf b = buf_make(1000000);
    struct metadata *list;
    const char *text;
    size_t n;

    list_of(mailbox, who, &list, &n);
    for (size_t i = 0; i < n; i++) {
        assert_non_null(list[i].value.p); /* NULL would be NIL */
        if (i)
            assert_true(str_compare(list[i - 1].entry, list[i].entry) < 0);
        buf_printf(&b, "%s%.*s=%.*s", i ? " " : "", STR_ARG(list[i].entry), STR_ARG(list[i].value));
    }
    text = str_to_c(cx.arena, buf_str(&b));
    buf_free(&b);
    return text;
}

static struct mailbox_id create(const char *name)
{
    struct mailbox_id id;
    struct ticket t;

    durable(folder_create(store, &cx, TOM, spelled_so(str_from_c(name)), 0, &id, &t), t);
    return id;
}

static struct mailbox_id find(const char *name)
{
    struct view *v = view_open(engine);
    struct folder f;

    must(folder_find(v, &cx, TOM, str_from_c(name), &f));
    view_close(&v);
    return f.id;
}

/* ---- whose they are ---- */

static void test_private_and_shared(void **state)
{
    (void)state;
    set(INBOX, TOM, "/private/comment", "toms");
    set(INBOX, FRED, "/private/comment", "freds");
    set(INBOX, TOM, "/shared/comment", "ours");
    assert_string_equal(list_text(INBOX, TOM), "/private/comment=toms /shared/comment=ours");
    assert_string_equal(list_text(INBOX, FRED), "/private/comment=freds /shared/comment=ours");
    set(INBOX, FRED, "/shared/comment", "changed");
    assert_string_equal(list_text(INBOX, TOM), "/private/comment=toms /shared/comment=changed");
    set(INBOX, FRED, "/private/comment", NULL);
    assert_string_equal(list_text(INBOX, TOM), "/private/comment=toms /shared/comment=changed");
    assert_string_equal(list_text(INBOX, FRED), "/shared/comment=changed");
    assert_string_equal(list_text(SENT, TOM), "");
    assert_string_equal(list_text(SERVER, TOM), "");
}

/* The server's own, as one account sees it, are a mailbox's like any. */
static void test_of_the_server(void **state)
{
    (void)state;
    set(SERVER, TOM, "/private/vendor/x", "1");
    set(SERVER, TOM, "/shared/admin", "2");
    assert_string_equal(list_text(SERVER, TOM), "/private/vendor/x=1 /shared/admin=2");
    assert_string_equal(list_text(INBOX, TOM), "");
}

static void test_order(void **state)
{
    (void)state;
    set(INBOX, TOM, "/shared/b", "4");
    set(INBOX, TOM, "/private/b/c", "3");
    set(INBOX, TOM, "/private/b", "1");
    set(INBOX, TOM, "/private/b!", "2");
    assert_string_equal(list_text(INBOX, TOM), "/private/b=1 /private/b!=2 /private/b/c=3 /shared/b=4");
}

/* ---- values ---- */

static void test_values(void **state)
{
    static const char bytes[] = "a\0b\r\n\xff";
    struct metadata *list;
    size_t n;

    (void)state;
    must(try_set(INBOX, TOM, "/private/bytes", (struct str){bytes, 6}));
    must(try_set(INBOX, TOM, "/private/empty", S(""))); /* is a value (RFC 5464 §4.3), unlike NIL */
    list_of(INBOX, TOM, &list, &n);
    assert_int_equal(n, 2);
    assert_true(str_same(list[0].value, (struct str){bytes, 6}));
    assert_non_null(list[1].value.p);
    assert_int_equal(list[1].value.n, 0);
    set(INBOX, TOM, "/private/empty", NULL);
    set(INBOX, TOM, "/private/empty", NULL); /* what is not there can be removed */
    set(INBOX, TOM, "/private/bytes", "new");
    assert_string_equal(list_text(INBOX, TOM), "/private/bytes=new");
}

static void test_largest_value(void **state)
{
    char *much = arena_alloc(cx.arena, METADATA_VALUE_MAX + 1);
    struct metadata *list;
    size_t n;

    (void)state;
    memset(much, 'v', METADATA_VALUE_MAX + 1);
    must(try_set(INBOX, TOM, "/private/a", (struct str){much, METADATA_VALUE_MAX}));
    assert_int_equal(try_set(INBOX, TOM, "/private/a", (struct str){much, METADATA_VALUE_MAX + 1}),
                     ERR_TOO_BIG);
    assert_int_equal(try_set(SERVER, TOM, "/shared/a", (struct str){much, METADATA_VALUE_MAX + 1}),
                     ERR_TOO_BIG);
    list_of(INBOX, TOM, &list, &n);
    assert_int_equal(n, 1);
    assert_int_equal(list[0].value.n, METADATA_VALUE_MAX);
}

/* The longest name that proto lets through fits into a key. */
static void test_longest_entry(void **state)
{
    char name[1001] = "/private/";
    struct metadata *list;
    size_t n;

    (void)state;
    memset(name + 9, 'n', 1000 - 9);
    set(INBOX, TOM, name, "x");
    list_of(INBOX, TOM, &list, &n);
    assert_int_equal(n, 1);
    assert_int_equal(list[0].entry.n, 1000);
    assert_int_equal(figures_of(TOM).metadata, 1001);
}

/* ---- all or none ---- */

static void test_all_or_none(void **state)
{
    struct str big = {arena_alloc(cx.arena, METADATA_VALUE_MAX + 1), METADATA_VALUE_MAX + 1};
    struct metadata many[] = {{S("/private/a"), S("new")},
                              {S("/shared/b"), S("2")},
                              {S("/private/old"), NIL},
                              {S("/private/big"), big}};
    struct account_figures before;

    (void)state;
    memset((char *)(uintptr_t)big.p, 'v', big.n);
    set(INBOX, TOM, "/private/a", "1");
    set(INBOX, TOM, "/private/old", "1");
    before = figures_of(TOM);
    assert_int_equal(try_all(INBOX, TOM, many, 4), ERR_TOO_BIG);
    assert_string_equal(list_text(INBOX, TOM), "/private/a=1 /private/old=1");
    assert_int_equal(figures_of(TOM).metadata, before.metadata);
    assert_int_equal(figures_of(TOM).modseq, before.modseq);
    must(try_all(INBOX, TOM, many, 3));
    assert_string_equal(list_text(INBOX, TOM), "/private/a=new /shared/b=2");
    assert_int_equal(figures_of(TOM).modseq, before.modseq + 1);
    must(try_all(INBOX, TOM, NULL, 0));
    assert_int_equal(figures_of(TOM).modseq, before.modseq + 1);
    many[1] = (struct metadata){S("/private/a"),
                                S("newer")}; /* twice the same: as if one came after the other */
    must(try_all(INBOX, TOM, many, 2));
    assert_string_equal(list_text(INBOX, TOM), "/private/a=newer /shared/b=2");
    assert_int_equal(figures_of(TOM).metadata, strlen("/private/anewer/shared/b2"));
}

static void test_what_is_gone(void **state)
{
    struct metadata m = {S("/private/a"), S("1")};
    struct ticket t;

    (void)state;
    assert_int_equal(try_set((struct mailbox_id){77}, TOM, "/private/a", S("1")), ERR_NOT_FOUND);
    assert_int_equal(try_set((struct mailbox_id){77}, TOM, "/private/a", NIL), ERR_NOT_FOUND);
    assert_int_equal(metadata_set(store, &cx, (struct account_id){9}, INBOX, TOM, &m, 1, &t),
                     ERR_NOT_FOUND);
    assert_string_equal(list_text((struct mailbox_id){77}, TOM), "");
}

/* ---- limits ---- */

static const char *entry_name(const char *above, size_t i)
{
    struct buf b = buf_make(100);
    const char *name;

    buf_printf(&b, "%s%03zu", above, i);
    name = str_to_c(cx.arena, buf_str(&b));
    buf_free(&b);
    return name;
}

static void test_most_entries(void **state)
{
    struct metadata swap[2] = {{S("/private/one-more"), S("x")}, {S("/private/000"), NIL}};

    (void)state;
    for (size_t i = 0; i < METADATA_ENTRIES_MAX; i++)
        set(INBOX, TOM, entry_name("/private/", i), "x");
    assert_int_equal(try_set(INBOX, TOM, "/private/one-more", S("x")), ERR_LIMIT);
    set(INBOX, TOM, "/private/one-more", NULL);
    set(INBOX, TOM, "/private/000", "y"); /* one that is there */
    for (size_t i = 0; i < METADATA_ENTRIES_MAX; i++)
        set(INBOX, TOM, entry_name("/shared/", i), "x"); /* these are everybody's, and counted apart */
    assert_int_equal(try_set(INBOX, FRED, "/shared/one-more", S("x")), ERR_LIMIT);
    set(INBOX, FRED, "/private/one", "x");
    set(SENT, TOM, "/private/one", "x");
    must(try_all(INBOX, TOM, swap,
                 2)); /* it is what remains that counts, in whatever order it is said */
    assert_int_equal(try_set(INBOX, TOM, "/private/000", S("x")), ERR_LIMIT);
}

/* 64 values of the largest kind, with their names, are more than there is room for. */
static void test_quota(void **state)
{
    struct str big = {arena_alloc(cx.arena, METADATA_VALUE_MAX), METADATA_VALUE_MAX};
    const uint64_t fit = METADATA_BYTES_MAX / (METADATA_VALUE_MAX + 12);
    struct metadata swap[2];
    struct mailbox_id a = create("a");
    uint64_t used, room;

    (void)state;
    memset((char *)(uintptr_t)big.p, 'v', big.n);
    for (uint64_t i = 0; i < fit; i++)
        must(try_set(i % 2 ? a : SERVER, TOM, entry_name("/private/", i), big));
    used = figures_of(TOM).metadata;
    assert_int_equal(used, fit * (METADATA_VALUE_MAX + 12));
    assert_int_equal(try_set(INBOX, TOM, "/shared/x", big), ERR_OVER_QUOTA);
    room = METADATA_BYTES_MAX - used - strlen("/shared/x");
    assert_int_equal(try_set(INBOX, TOM, "/shared/x", (struct str){big.p, room + 1}), ERR_OVER_QUOTA);
    must(try_set(INBOX, TOM, "/shared/x", (struct str){big.p, room})); /* to the last byte */
    assert_int_equal(figures_of(TOM).metadata, METADATA_BYTES_MAX);
    assert_int_equal(try_set(INBOX, TOM, "/shared/y", S("")), ERR_OVER_QUOTA); /* a name counts */
    set(INBOX, TOM, "/shared/y", NULL);
    swap[0] = (struct metadata){S("/shared/y"), S("0123456789")};
    swap[1] = (struct metadata){S("/shared/x"), NIL};
    must(try_all(INBOX, TOM, swap, 2)); /* what is given back in the same command is room */
    assert_int_equal(figures_of(TOM).metadata, used + strlen("/shared/y0123456789"));
}

/* Fred, and some others, write all they may into Tom's account; what they may not is left to Tom. */
static void test_quota_of_guests(void **state)
{
    struct str big = {arena_alloc(cx.arena, METADATA_VALUE_MAX), METADATA_VALUE_MAX};
    const uint64_t one = METADATA_VALUE_MAX + 12, fit = METADATA_BYTES_MAX_OF_GUEST / one;
    const uint64_t guests = METADATA_BYTES_MAX_BY_GUESTS / (fit * one);
    struct account_id guest = FRED;
    struct mailbox_id a = create("a");

    (void)state;
    memset((char *)(uintptr_t)big.p, 'v', big.n);
    for (uint64_t g = 0; g < guests; g++, guest.v += 100) {
        for (uint64_t i = 0; i < fit; i++)
            must(try_set(i % 2 ? a : INBOX, guest, entry_name("/private/", i), big));
        assert_int_equal(try_set(SENT, guest, "/private/more", big), ERR_OVER_QUOTA);
        must(try_set(INBOX, guest, "/private/000", big)); /* as much as before */
    }
    for (uint64_t i = 0; i < fit; i++) /* what is left for all of them, be it shared by all */
        try_set(a, FRED, entry_name("/shared/", i), big);
    assert_int_equal(try_set(a, FRED, "/shared/more", big), ERR_OVER_QUOTA);
    assert_true(figures_of(TOM).metadata <= METADATA_BYTES_MAX_BY_GUESTS);
    for (uint64_t i = 0; i < (METADATA_BYTES_MAX - METADATA_BYTES_MAX_BY_GUESTS) / one; i++)
        must(try_set(SENT, TOM, entry_name("/private/", i), big));
    set(INBOX, FRED, "/private/000", NULL);
    assert_int_equal(try_set(INBOX, FRED, "/private/000", S("")),
                     ERR_OVER_QUOTA); /* Tom has more than half */
}

static uint64_t modseq_of(struct mailbox_id mailbox)
{
    scoped(roster_drop) struct roster *r = NULL;

    must(roster_get(store, &cx, TOM, mailbox, &r));
    return roster_counts(r)->modseq;
}

/* RFC 7162 §3.2: clients that ask for what is new find it. */
static void test_modseq(void **state)
{
    struct mailbox_id a = create("a"), b = create("a/b");
    struct ticket t;
    uint64_t before = modseq_of(INBOX);

    (void)state;
    set(INBOX, TOM, "/private/none", NULL);
    set(SERVER, TOM, "/private/x", "1");
    assert_int_equal(modseq_of(INBOX), before);
    set(INBOX, FRED, "/private/x", "1");
    assert_int_equal(modseq_of(INBOX), figures_of(TOM).modseq);
    set(b, TOM, "/shared/x", "1");
    assert_int_equal(modseq_of(b), figures_of(TOM).modseq);
    assert_int_equal(modseq_of(INBOX), figures_of(TOM).modseq - 1);
    durable(folder_delete(store, &cx, TOM, a, &t), t);
    set(a, TOM, "/shared/x", "of a name alone");
    assert_string_equal(list_text(a, TOM), "/shared/x=of a name alone");
}

static uint32_t roles_of(struct mailbox_id id)
{
    struct view *v = view_open(engine);
    struct folder f;

    must(folder_of(v, &cx, TOM, id, &f));
    view_close(&v);
    return f.roles;
}

static void test_what_it_is_for(void **state)
{
    const uint32_t junk = ROLE_JUNK, none = 0;
    struct str big = {arena_alloc(cx.arena, METADATA_VALUE_MAX + 1), METADATA_VALUE_MAX + 1};
    struct metadata both[] = {{.entry = S("/private/specialuse"), .roles = &junk},
                              {.entry = S("/private/a"), .value = big}};
    struct mailbox_id a = create("a");
    uint64_t before = modseq_of(a);

    (void)state;
    memset((char *)(uintptr_t)big.p, 'v', big.n);
    assert_int_equal(try_all(a, TOM, both, 2), ERR_TOO_BIG);
    assert_int_equal(roles_of(a), 0);
    assert_int_equal(modseq_of(a), before);
    both[1].value = S("1");
    must(try_all(a, TOM, both, 2));
    assert_int_equal(roles_of(a), ROLE_JUNK);
    assert_string_equal(list_text(a, TOM), "/private/a=1");
    assert_int_equal(modseq_of(a), figures_of(TOM).modseq);
    before = modseq_of(a);
    must(try_all(a, TOM, both, 1));
    assert_int_equal(modseq_of(a), before); /* nothing is new */
    both[0].roles = &none;
    must(try_all(a, TOM, both, 1));
    assert_int_equal(roles_of(a), 0);
    assert_true(modseq_of(a) > before); /* RFC 7162 §3.2: it is an annotation */
}

/* Of another account are other annotations, and another room. */
static void test_other_accounts(void **state)
{
    struct metadata m = {S("/shared/a"), S("freds")};
    struct view *v;
    struct metadata *list;
    struct ticket t;
    size_t n;

    (void)state;
    set(INBOX, TOM, "/shared/a", "toms");
    durable(metadata_set(store, &cx, FRED, INBOX, FRED, &m, 1, &t), t);
    v = view_open(engine);
    must(metadata_list(v, &cx, FRED, INBOX, TOM, &list, &n));
    view_close(&v);
    assert_int_equal(n, 1);
    assert_true(str_same(list[0].value, S("freds")));
    assert_string_equal(list_text(INBOX, TOM), "/shared/a=toms");
}

/* ---- with their mailbox ---- */

static void test_a_mailbox_goes(void **state)
{
    struct mailbox_id a = create("a"), b = create("a/b");
    struct ticket t;

    (void)state;
    set(a, TOM, "/private/x", "1");
    set(a, FRED, "/private/x", "22");
    set(a, TOM, "/shared/x", "333");
    set(b, TOM, "/shared/x", "4");
    set(INBOX, TOM, "/shared/x", "5");
    durable(folder_delete(store, &cx, TOM, a, &t), t); /* its name stays */
    assert_string_equal(list_text(a, TOM), "");
    assert_string_equal(list_text(a, FRED), "");
    assert_string_equal(list_text(b, TOM), "/shared/x=4");
    assert_int_equal(figures_of(TOM).metadata, 2 * strlen("/shared/x4"));
    set(a, TOM, "/shared/x", "of a name alone");
    a = create("a");
    assert_string_equal(list_text(a, TOM), "");
    assert_int_equal(figures_of(TOM).metadata, 2 * strlen("/shared/x4"));
    durable(folder_delete(store, &cx, TOM, b, &t), t);
    assert_int_equal(figures_of(TOM).metadata, strlen("/shared/x5"));
    assert_string_equal(list_text(INBOX, TOM), "/shared/x=5");
}

static void test_a_mailbox_is_renamed(void **state)
{
    struct mailbox_id a = create("a");
    struct ticket t;

    (void)state;
    set(a, TOM, "/private/x", "1");
    set(INBOX, TOM, "/private/x", "2");
    durable(folder_rename(store, &cx, TOM, a, spelled_so(S("b/c")), &t), t);
    assert_string_equal(list_text(a, TOM), "/private/x=1");
    set(INBOX, TOM, "/shared/y", "3");
    set(INBOX, FRED, "/private/x", "4");
    durable(folder_rename(store, &cx, TOM, INBOX, spelled_so(S("old")), &t), t);
    assert_string_equal(list_text(INBOX, TOM), "/private/x=2 /shared/y=3");
    a = find("old");
    assert_string_equal(list_text(a, TOM), "/private/x=2 /shared/y=3"); /* RFC 5464 §4.1 */
    assert_string_equal(list_text(a, FRED), "/shared/y=3");
    assert_int_equal(figures_of(TOM).metadata,
                     2 * strlen("/private/x2/shared/y3") + strlen("/private/x1/private/x4"));
}

/* ---- the change log ---- */

static bool see(void *arg, const struct change *c)
{
    if (c->kind == CHANGE_METADATA)
        buf_printf(arg, "%" PRIu64 " %.*s; ", c->mailbox.v, STR_ARG(c->name));
    return true;
}

static void test_changes_are_seen(void **state)
{
    struct metadata two[] = {{S("/private/a"), NIL}, {S("/shared/b"), S("2")}};
    uint64_t since = figures_of(TOM).modseq, upto;
    struct buf b = buf_make(1000);
    struct view *v;
    bool complete;

    (void)state;
    set(SERVER, TOM, "/private/a", "1");
    set(INBOX, TOM, "/private/a", "1");
    must(try_all(INBOX, TOM, two, 2));
    set(INBOX, TOM, "/private/none", NULL);
    v = view_open(engine);
    must(changes_since(v, &cx, TOM, since, see, &b, &upto, &complete));
    view_close(&v);
    assert_true(complete);
    assert_int_equal(upto, since + 3);
    assert_string_equal(str_to_c(cx.arena, buf_str(&b)),
                        "0 /private/a; 1 /private/a; 1 /private/a; 1 /shared/b; ");
    buf_free(&b);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, store_set_up, store_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_private_and_shared),
        TEST(test_of_the_server),
        TEST(test_order),
        TEST(test_values),
        TEST(test_largest_value),
        TEST(test_longest_entry),
        TEST(test_all_or_none),
        TEST(test_what_is_gone),
        TEST(test_most_entries),
        TEST(test_quota),
        TEST(test_quota_of_guests),
        TEST(test_modseq),
        TEST(test_what_it_is_for),
        TEST(test_other_accounts),
        TEST(test_a_mailbox_goes),
        TEST(test_a_mailbox_is_renamed),
        TEST(test_changes_are_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
