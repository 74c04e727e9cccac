/* A long FETCH, of which another thread writes a part if the machine has one to spare, says what short ones say that
 * nobody helps with. */
#include "vault/imap/ahead.h"
#include "vault/imap/testing.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "vault/spare.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#define MANY 1700
#define FEW 50  /* for so few nobody helps */
#define BIG 299 /* every so many letters one of 300 KB: there is no room for it in a stretch */

static struct driven driven;

static void begin_with_letters(void)
{
    struct buf mail = buf_make(1000);

    world_start();
    driven = (struct driven){.who = world.fred};
    for (int n = 1; n <= MANY; n++) {
        buf_clear(&mail);
        buf_printf(&mail, "Subject: number %d\r\nFrom: a%d@b.test\r\n%s\r\n%d\r\n%0*d\r\n", n, n,
                   n % 7 ? "" : "Content-Transfer-Encoding: base64\r\n", n, n % 300, 0);
        if (n % BIG == 0)
            world_big_mail(300000);
        else
            world_mail(buf_str(&mail));
    }
    buf_free(&mail);
}

static void end(void)
{
    driven_close(&driven);
    world_stop();
}

static void say(struct driven *d, struct str said, struct buf *replies)
{
    buf_clear(replies);
    while (said.n)
        driven_feed(d, &said, replies);
}

/* The untagged replies are appended. False: the tagged one is not OK. */
static bool fetch(int first, int last, const char *items, struct buf *to)
{
    struct buf command = buf_make(1000), replies = buf_make(BUF_UNLIMITED);
    struct str got;
    size_t at;
    bool ok;

    buf_printf(&command, "f1 FETCH %d:%d %s\r\n", first, last, items);
    say(&driven, buf_str(&command), &replies);
    got = buf_str(&replies);
    assert_true(got.n > 2);
    at = str_rfind_char(str_upto(got, got.n - 2), '\n', &at) ? at + 1 : 0;
    ok = str_starts(str_from(got, at), S("f1 OK "));
    assert_true(ok || str_starts(str_from(got, at), S("f1 NO ")));
    buf_add(to, str_upto(got, at));
    buf_free(&command);
    buf_free(&replies);
    return ok;
}

static void expect_same(const char *items, bool ok)
{
    struct buf whole = buf_make(BUF_UNLIMITED), parts = buf_make(BUF_UNLIMITED);
    size_t at = 0;

    assert_int_equal(fetch(1, MANY, items, &whole), ok);
    for (int n = 1; n <= MANY; n += FEW)
        fetch(n, n + FEW - 1 < MANY ? n + FEW - 1 : MANY, items, &parts);
    while (at < whole.n && at < parts.n && whole.p[at] == parts.p[at])
        at++;
    if (at < whole.n || at < parts.n)
        fail_msg("%s: of %zu and %zu bytes the first %zu are the same", items, whole.n, parts.n, at);
    assert_true(whole.n > MANY);
    buf_free(&whole);
    buf_free(&parts);
}

static void test_all_items(void **state)
{
    static const char *const lists[] = {
        "(UID FLAGS ENVELOPE BODYSTRUCTURE)",
        "(BODY PREVIEW INTERNALDATE RFC822.SIZE)",
        "BODY.PEEK[]",
        "(UID BODY.PEEK[HEADER.FIELDS (Subject)] ENVELOPE)",
        "(BODY.PEEK[HEADER] BODY.PEEK[TEXT]<3.40> BODY.PEEK[9] FLAGS)",
        "(BINARY.SIZE[1] BINARY.PEEK[1]<0.9>)",
    };
    struct buf replies = buf_make(BUF_UNLIMITED);

    (void)state;
    begin_with_letters();
    say(&driven, S("a1 SELECT INBOX\r\n"), &replies);
    say(&driven, S("a2 STORE 400:900 +FLAGS.SILENT (\\Seen kept)\r\n"), &replies);
    for (size_t k = 0; k < sizeof(lists) / sizeof(*lists); k++)
        expect_same(lists[k], true);
    end();
    buf_free(&replies);
}

/* What cannot be told of is left out, and what follows is told. */
static void test_letters_that_cannot_be_read(void **state)
{
    struct buf replies = buf_make(BUF_UNLIMITED);

    (void)state;
    begin_with_letters();
    world_swollen_mail(16, 30000); /* it is described by more than there is room for */
    for (uint64_t n = 100; n < MANY; n += 500)
        world_damage(n, false);
    world_damage(600, true);
    world_damage(601, true); /* made anew from the body */
    say(&driven, S("a1 SELECT INBOX\r\n"), &replies);
    expect_same("(UID ENVELOPE BODYSTRUCTURE)", false);
    expect_same("(UID BODY.PEEK[])", false);
    say(&driven, S("a2 FETCH 600:601 (UID ENVELOPE)\r\n"), &replies);
    assert_true(
        str_starts(buf_str(&replies), S("* 600 FETCH (UID 600)\r\n* 601 FETCH (UID 601 ENVELOPE (")));
    end();
    buf_free(&replies);
}

/* Only those that changed, of which a stretch goes over many others. */
static void test_changed_letters(void **state)
{
    struct buf replies = buf_make(BUF_UNLIMITED), command = buf_make(1000);
    uint64_t modseq;
    struct str text;
    size_t at;

    (void)state;
    begin_with_letters();
    say(&driven, S("a1 SELECT INBOX (CONDSTORE)\r\n"), &replies);
    text = buf_str(&replies);
    assert_true(str_find(text, S("[HIGHESTMODSEQ "), &at));
    text = str_from(text, at + 15);
    assert_true(take_u64(&text, &modseq));
    say(&driven, S("a2 STORE 3,700,1690 +FLAGS.SILENT (\\Seen)\r\n"), &replies);
    buf_printf(&command, "a3 FETCH 1:* (UID ENVELOPE) (CHANGEDSINCE %llu)\r\n",
               (unsigned long long)modseq);
    say(&driven, buf_str(&command), &replies);
    text = buf_str(&replies);
    for (int n = 0; n < 3; n++) {
        static const char *const begins[] = {"* 3 FETCH (", "* 700 FETCH (", "* 1690 FETCH ("};

        assert_true(str_starts(text, str_from_c(begins[n])));
        assert_true(str_find(text, S("\r\n"), &at));
        text = str_from(text, at + 2);
    }
    assert_true(str_starts(text, S("a3 OK ")));
    end();
    buf_free(&replies);
    buf_free(&command);
}

/* One turn of the session: what it says leaves. False: it was the last one. */
static bool turn(struct driven *d, struct str *in, struct buf *replies)
{
    session_begin(&d->s);
    d->wish = in->n ? imap_session.feed(&d->s, in) : imap_session.more(&d->s);
    driven_pass_on(d, replies);
    return d->wish == SESSION_WRITE || d->wish == SESSION_LONG;
}

/* Until no second thread is at work: it has given up, since nobody takes what it writes. */
static void await_no_helper(void)
{
    static struct spare_user all = {.most = 1000000};
    long there = sysconf(_SC_NPROCESSORS_ONLN) - 1, got = 0;

    while (got < there) {
        spare_give_back(&all, got);
        sched_yield();
        got = spare_take(&all, there);
    }
    spare_give_back(&all, got);
}

/* The helper ends while the client takes nothing, and another one goes on; mail that comes meanwhile does not matter. */
static void test_slow_client(void **state)
{
    struct str first = S("a2 FETCH 1:* (ENVELOPE BODYSTRUCTURE)\r\n"), in = first;
    struct buf replies = buf_make(BUF_UNLIMITED), whole = buf_make(BUF_UNLIMITED);
    bool goes_on;

    (void)state;
    begin_with_letters();
    say(&driven, S("a1 SELECT INBOX\r\n"), &replies);
    say(&driven, first, &whole);
    buf_clear(&replies);
    do {
        goes_on = turn(&driven, &in, &replies);
        await_no_helper();
        world_mail(S("Subject: another\r\n\r\n"));
    } while (goes_on);
    assert_true(replies.n > whole.n); /* and what has come */
    for (size_t at = 0; at < whole.n; at++)
        if (replies.p[at] != whole.p[at]) {
            assert_true(str_starts(str_from(buf_str(&replies), at), S("* ")) &&
                        str_starts(str_from(buf_str(&whole), at), S("a2 OK")));
            break;
        }
    end();
    buf_free(&replies);
    buf_free(&whole);
}

#define SESSIONS 12

/* Clients go at any moment of it. */
static void test_clients_that_go(void **state)
{
    struct driven sessions[SESSIONS] = {0};
    struct buf replies = buf_make(BUF_UNLIMITED);

    (void)state;
    begin_with_letters();
    for (int round = 0; round < 3; round++) {
        for (int n = 0; n < SESSIONS; n++) {
            struct driven *d = &sessions[n];
            struct str in =
                n % 2 ? S("a2 FETCH 1:* BODY.PEEK[]\r\n") : S("a2 FETCH 1:* (ENVELOPE)\r\n");

            *d = (struct driven){.who = world.fred};
            say(d, S("a1 SELECT INBOX\r\n"), &replies);
            for (int turns = round * n; turns >= 0 && turn(d, &in, &replies); turns--)
                ;
        }
        for (int n = 0; n < SESSIONS; n++)
            driven_close(&sessions[n]);
    }
    await_no_helper(); /* each has given back what it had */
    end();
    buf_free(&replies);
}

/* Many a large part would be decoded in one turn for a few bytes: that is left to the session, which does it bit by bit. */
static void test_sizes_of_large_parts(void **state)
{
    static const uint32_t part[] = {1};
    const struct imap_fetch_att att = {.att = IMAP_ATT_BINARY_SIZE,
                                       .section = {.part = part, .part_depth = 1}};
    const struct imap_fetch items = {
        .items = IMAP_ATT_BIT(IMAP_ATT_BINARY_SIZE), .atts = &att, .att_count = 1};
    struct buf out = buf_make(BUF_UNLIMITED);
    struct imap session = {.s = &driven.s};
    struct ahead_of of = {.i = &session, .items = &items};
    struct fetch_mark from = {0}, upto;
    uint64_t alone_until;
    struct roster *roster;
    struct ahead *a;

    (void)state;
    world_start();
    driven = (struct driven){.who = world.fred};
    world_big_mail(300000);
    say(&driven, S("a1 SELECT INBOX\r\n"), &out);
    buf_clear(&out);
    of.account = world.fred;
    assert_int_equal(roster_get(world.store, &world.cx, world.fred, INBOX, &roster), OK);
    of.roster = roster;
    from.walk = roster_walk(roster, NULL);
    a = ahead_start(&of, &from); /* NULL: no processor is left */
    if (a) {
        assert_true(ahead_take(a, &out, &upto, &alone_until));
        assert_int_equal(out.n, 0);
        assert_int_equal(upto.found, 0);
        assert_int_equal(alone_until, 1);
    }
    ahead_free(&a);
    roster_drop(&roster);
    end();
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_items),       cmocka_unit_test(test_letters_that_cannot_be_read),
        cmocka_unit_test(test_changed_letters), cmocka_unit_test(test_slow_client),
        cmocka_unit_test(test_clients_that_go), cmocka_unit_test(test_sizes_of_large_parts),
    };

    world.cx.arena = arena_new(0);
    log_start("ahead-test", LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
