/* The store on the memory engine: where addresses lead, what a delivery changes, what a removal leaves, and what a
 * power cut at any commit leaves of all that. */
#include "base/arena.h"
#include "config/config.h"
#include "vault/engine/memory.h"
#include "vault/store/body.h"
#include "vault/store/collect.h"
#include "vault/store/directory.h"
#include "vault/store/email.h"
#include "vault/store/mailbox.h"
#include "vault/store/messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct config *the_config;

static const struct config *config_now(void)
{
    return the_config;
}

struct world {
    struct arena *arena;
    struct cx cx;
    struct engine *engine;
    struct store *store;
};

static void must(struct world *w, enum err e)
{
    if (e)
        fail_msg("%s: %s", err_row(e)->name, w->cx.cause);
}

static void durable(struct world *w, enum err e, struct ticket t)
{
    must(w, e);
    must(w, engine_wait(w->engine, &w->cx, t));
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct engine_options options = {0};
    struct config *config;
    struct ticket ticket;

    w->arena = arena_new(0);
    w->cx.arena = w->arena;
    must(w, config_parse(&w->cx,
                         S("hostname = \"mail.acompany.test\"\n"
                           "postmaster = \"postmaster@acompany.test\"\n"),
                         "test", w->arena, &config));
    the_config = config;
    must(w, engine_open_memory(&w->cx, &options, &w->engine));
    must(w, store_open(&w->cx, w->engine, config_now, &w->store));
    durable(w, domain_create(w->store, &w->cx, S("acompany.test"), &ticket), ticket);
    must(w, store_ensure_postmaster(w->store, &w->cx));
    must(w, store_ensure_postmaster(w->store, &w->cx)); /* once is enough */
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    store_close(w->store);
    engine_close(w->engine);
    arena_free(w->arena);
    free(w);
    return 0;
}

static struct account_id add_account(struct world *w, const char *address, uint64_t quota)
{
    struct new_account n = {.address = str_from_c(address), .limit.bytes = quota};
    struct account_id id;
    struct ticket t;

    durable(w, account_create(w->store, &w->cx, &n, &id, &t), t);
    return id;
}

static struct path path_of(const char *text)
{
    struct str s = str_from_c(text);
    size_t at;

    return str_rfind_char(s, '@', &at) ? (struct path){str_upto(s, at), str_from(s, at + 1)}
                                       : (struct path){s, STR_NONE};
}

static void add_alias(struct world *w, const char *address, const char *const *targets)
{
    struct target t[16];
    struct ticket ticket;
    size_t n = 0;

    for (; targets[n]; n++)
        t[n].to = path_of(targets[n]);
    durable(w, alias_write(w->store, &w->cx, ALIAS_NEW, str_from_c(address), t, n, &ticket), ticket);
}

/* ---- where addresses lead ---- */

static void test_resolve(void **state)
{
    /* to, what it leads to: accounts by address, others as they are; in order */
    static const struct {
        const char *to, *leads_to;
        enum err err;
        const char *why;
    } rows[] = {
        {"fred@acompany.test", "fred@acompany.test", OK, "an account"},
        {"FRED@ACompany.TEST", "fred@acompany.test", OK, "case is nobody's business"},
        {"fred+news@acompany.test", "fred@acompany.test", OK, "RFC 5233 subaddress"},
        {"\"fred\"@acompany.test", "fred@acompany.test", OK, "quotes that need not be"},
        {"nobody@acompany.test", "", ERR_NO_SUCH_USER, "not here"},
        {"nobody@elsewhere.test", "nobody@elsewhere.test", OK, "somebody else's domain"},
        {"sales@acompany.test", "fred@acompany.test tom@acompany.test", OK, "a group"},
        {"everybody@acompany.test", "fred@acompany.test tom@acompany.test out@elsewhere.test", OK,
         "nested, each once, one outside"},
        {"loop@acompany.test", "fred@acompany.test", OK, "an alias that leads to itself ends"},
        {"only-loop@acompany.test", "", ERR_NO_SUCH_USER, "and if it leads nowhere else, to nobody"},
        {"stale@acompany.test", "tom@acompany.test", OK, "a member who left costs the others nothing"},
        {"whatever@catchall.test", "tom@acompany.test", OK, "a catch-all"},
        {"postmaster", "postmaster@acompany.test", OK, "RFC 5321 4.5.1, without domain"},
        {"tom", "", ERR_NO_SUCH_USER, "nobody else goes without one, and never to another server"},
        {"PostMaster@catchall.test", "tom@acompany.test", OK, "the catch-all has it"},
        {"postmaster@empty.test", "postmaster@acompany.test", OK, "every domain has one"},
        {"x@empty.test", "", ERR_NO_SUCH_USER, "an empty domain"},
    };
    struct world *w = *state;
    struct ticket t;

    add_account(w, "fred@acompany.test", 0);
    add_account(w, "tom@acompany.test", 0);
    durable(w, domain_create(w->store, &w->cx, S("catchall.test"), &t), t);
    durable(w, domain_create(w->store, &w->cx, S("empty.test"), &t), t);
    add_alias(w, "sales@acompany.test",
              (const char *[]){"fred@acompany.test", "tom@acompany.test", NULL});
    add_alias(w, "everybody@acompany.test",
              (const char *[]){"sales@acompany.test", "tom@acompany.test", "out@elsewhere.test", NULL});
    add_alias(w, "loop@acompany.test",
              (const char *[]){"loop@acompany.test", "fred@acompany.test", NULL});
    add_alias(w, "only-loop@acompany.test", (const char *[]){"only-loop@acompany.test", NULL});
    add_alias(w, "stale@acompany.test",
              (const char *[]){"gone@acompany.test", "tom@acompany.test", NULL});
    add_alias(w, "@catchall.test", (const char *[]){"tom@acompany.test", NULL});
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct view *v = view_open(w->engine);
        struct destinations to = {0};
        struct path path = path_of(rows[i].to);
        struct buf got = buf_make(1000);
        enum err e = directory_resolve(w->store, v, &w->cx, &path, &to);

        for (size_t k = 0; !e && k < to.n; k++) {
            struct account_row row;
            bool found;

            buf_add_c(&got, k ? " " : "");
            if (to.v[k].kind == TARGET_REMOTE) {
                buf_printf(&got, "%.*s@%.*s", STR_ARG(to.v[k].remote.local_part),
                           STR_ARG(to.v[k].remote.domain));
                continue;
            }
            must(w, directory_account(v, &w->cx, to.v[k].account, &row, &found));
            buf_add(&got, row.address);
        }
        if (e != rows[i].err || !str_same(buf_str(&got), str_from_c(rows[i].leads_to)))
            fail_msg("%s (%s): %s, %.*s", rows[i].to, rows[i].why, err_row(e)->name,
                     STR_ARG(buf_str(&got)));
        buf_free(&got);
        view_close(&v);
    }
}

static void test_may_send_as(void **state)
{
    static const struct {
        const char *from;
        bool may;
    } rows[] = {
        {"fred@acompany.test", true},   {"Fred+list@acompany.test", true},
        {"sales@acompany.test", true},  {"tom@acompany.test", false},
        {"fred@elsewhere.test", false}, {"nobody@acompany.test", false},
    };
    struct world *w = *state;
    struct account_id fred = add_account(w, "fred@acompany.test", 0);
    struct view *v;

    add_account(w, "tom@acompany.test", 0);
    add_alias(w, "sales@acompany.test", (const char *[]){"fred@acompany.test", NULL});
    v = view_open(w->engine);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct path from = path_of(rows[i].from);
        bool may;

        must(w, directory_may_send_as(w->store, v, &w->cx, fred, &from, &may));
        if (may != rows[i].may)
            fail_msg("%s: %d", rows[i].from, may);
    }
    view_close(&v);
}

static void test_directory_refuses(void **state)
{
    struct world *w = *state;
    struct new_account n = {.address = S("fred@acompany.test")};
    struct account_id id;
    struct ticket t;

    add_account(w, "fred@acompany.test", 0);
    assert_int_equal(account_create(w->store, &w->cx, &n, &id, &t), ERR_EXISTS);
    n.address = S("fred@elsewhere.test");
    assert_int_equal(account_create(w->store, &w->cx, &n, &id, &t), ERR_NO_SUCH_DOMAIN);
    n.address = S("no address");
    assert_int_equal(account_create(w->store, &w->cx, &n, &id, &t), ERR_BAD_ADDRESS);
    assert_int_equal(domain_create(w->store, &w->cx, S("ACompany.test"), &t), ERR_EXISTS);
    assert_int_equal(domain_delete(w->store, &w->cx, S("acompany.test"), &t), ERR_EXISTS);
    assert_int_equal(domain_delete(w->store, &w->cx, S("elsewhere.test"), &t), ERR_NO_SUCH_DOMAIN);
    assert_int_equal(alias_delete(w->store, &w->cx, S("fred@acompany.test"), &t), ERR_NOT_FOUND);
}

/* ---- emails ---- */

static enum err deliver(struct world *w, struct account_id account, struct str text,
                        struct ticket *ticket, struct placed *at)
{
    struct txn *t = txn_begin(w->engine, &(struct part){PART_ACCOUNT, account.v}, 1);
    struct new_body b = {.id = {fresh_id()}, .last = text, .size = text.n};
    struct cold_row looks = {.parser = 1};
    struct new_email n = {
        .body = b.id, .body_size = text.n, .prefix = S("Return-Path: <>\r\n"), .looks = &looks};
    enum err e;

    digest_of(text, b.sha256);
    body_put(t, &b);
    e = email_add(t, &w->cx, account, INBOX, &n, at);
    if (!e)
        return txn_commit(&t, &w->cx, ticket);
    txn_rollback(&t);
    return e;
}

static size_t list(struct world *w, struct account_id account, struct listed **l)
{
    struct view *v = view_open(w->engine);
    size_t n, damaged;

    must(w, mailbox_list(v, &w->cx, account, INBOX, 0, l, &n, &damaged));
    view_close(&v);
    assert_int_equal(damaged, 0);
    return n;
}

static void test_remove_and_collect(void **state)
{
    struct world *w = *state;
    struct account_id fred = add_account(w, "fred@acompany.test", 0);
    const struct imap_range ranges[] = {{1, 1}, {3, 3}, {99, 99}};
    const struct imap_set first = {.ranges = ranges, .count = 3};
    struct removed removed;
    struct collected got;
    struct listed *l;
    struct message m;
    struct ticket t;
    struct placed at;
    struct str piece;
    struct view *v;

    for (int i = 0; i < 3; i++)
        durable(w, deliver(w, fred, S("hello\r\n"), &t, &at), t);
    assert_int_equal(list(w, fred, &l), 3);
    durable(w,
            messages_remove(w->store, &w->cx, (struct mailbox_ref){fred, INBOX}, &first, false,
                            &removed, &t),
            t);
    assert_int_equal(removed.uids.count, 2);
    v = view_open(w->engine);
    must(w, message_find(v, &w->cx, fred, l[0].body, &m)); /* removed, and still readable */
    must(w, message_piece(v, &w->cx, &m, 0, &piece));
    assert_true(str_same(piece, S("hello\r\n")));
    view_close(&v);
    must(w, collect(w->store, &w->cx, INT64_MAX, &got));
    assert_int_equal(got.references, 2);
    assert_int_equal(got.bodies, 2);
    v = view_open(w->engine);
    assert_int_equal(message_find(v, &w->cx, fred, l[0].body, &m), ERR_GONE);
    must(w, message_find(v, &w->cx, fred, l[1].body, &m));
    must(w, message_piece(v, &w->cx, &m, 0, &piece)); /* the one that stayed */
    view_close(&v);
    free(l);
    assert_int_equal(list(w, fred, &l), 1);
    assert_int_equal(l[0].uid, 2);
    free(l);
    durable(w, deliver(w, fred, S("again\r\n"), &t, &at), t);
    assert_int_equal(at.uid, 4); /* RFC 3501 2.3.1.1: never the same twice */
}

static void test_quota_goes_over_by_one(void **state)
{
    struct world *w = *state;
    struct account_id fred = add_account(w, "fred@acompany.test", 30);
    struct ticket t;
    struct placed at;

    durable(w, deliver(w, fred, S("0123456789012345678901234567890123456789"), &t, &at), t);
    struct txn *txn = txn_begin(w->engine, &(struct part){PART_ACCOUNT, fred.v}, 1);
    struct cold_row looks = {0};
    struct new_email n = {.limit.bytes = 30, .looks = &looks};

    assert_int_equal(email_add(txn, &w->cx, fred, INBOX, &n, &at), ERR_OVER_QUOTA);
    n.limit = (struct amount){.messages = 1};
    assert_int_equal(email_add(txn, &w->cx, fred, INBOX, &n, &at), ERR_OVER_QUOTA);
    n.limit = (struct amount){0}; /* a commit that others share */
    must(w, email_add(txn, &w->cx, fred, INBOX, &n, &at));
    txn_rollback(&txn);
}

/* A power cut at every single commit of a short history: what was acknowledged is there, and what was shown (UIDs,
 * modseq) is never given again to another message. */
static void test_power_cut_at_each_commit(void **state)
{
    struct world *w = *state;
    struct account_id fred = add_account(w, "fred@acompany.test", 0);
    uint32_t greatest_shown = 0;
    size_t acknowledged = 0;

    for (uint64_t cut = 1; cut <= 12; cut++) {
        bool powered = true;
        struct listed *l;
        size_t n;

        memory_engine_cut_power_at_commit(w->engine, cut, cut % 2);
        for (int i = 0; i < 12 && powered; i++) {
            struct ticket t = {0};
            struct placed at;

            if (deliver(w, fred, S("mail\r\n"), &t, &at) || engine_wait(w->engine, &w->cx, t)) {
                powered = false;
                break;
            }
            acknowledged++;
            assert_true(at.uid > greatest_shown);
            greatest_shown = at.uid;
        }
        assert_false(powered);
        engine_tend(w->engine);
        assert_true(engine_is_open(w->engine));
        n = list(w, fred, &l);
        assert_true(n >= acknowledged); /* what was not acknowledged may be there, once */
        acknowledged = n;
        for (size_t i = 1; i < n; i++)
            assert_true(l[i].uid > l[i - 1].uid);
        if (n && l[n - 1].uid > greatest_shown)
            greatest_shown = l[n - 1].uid; /* a client sees it now */
        free(l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_resolve, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_may_send_as, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_directory_refuses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_remove_and_collect, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_quota_goes_over_by_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_power_cut_at_each_commit, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
