/* IMAP after sign-on, on a real store over the memory engine. Most of it is in conversations/. Each begins with fred
 * signed on ("a0"), whose greeting is checked and not repeated there; the files' own words:
 *
 *   mail: Subject: hi\r\n\r\nbody\r\n   such a message comes into fred's INBOX
 *   prefix: Return-Path: <>\r\n         and the next ones begin with this
 *   big: 300000                         one with so many octets of body, in lines of 50
 *   parts: 16, senders: 30000           one with so many parts of 60 KB of parameters, or with so many addresses
 *   other: a SELECT INBOX\r\n…          another session of fred's, from beginning to end; what it hears is not looked at
 *   tom: a SELECT INBOX\r\n…            a session of tom's, likewise
 *   as: tom                             the session that speaks is tom's from now on
 *   gone:                               the connection breaks; the next C: signs on once more
 *   timeout:                            the client was silent for too long
 *   damage: 2                           the second message's body cannot be read any more
 *   damage-looks: 2                     … nor what is kept of how it looks, but its body can
 *   damage-counts: 2                    what is in fred's mailbox of this id, in numbers, cannot be read any more
 *   limit: 3                            the most messages that one command may work on
 *   uid-validity: 67890007              that of fred's INBOX, before anybody has looked at it
 *   slow: 6000                          every turn in the long lane takes so many milliseconds, by the session's clock
 *   unauthenticate: off                 that setting
 *   8bit-headers: on                    that setting
 *   quota: 100                          so many octets fred may have, and as many messages as he likes
 *   messages: 3                         so many messages, and as many octets; tom-messages: tom
 *   power: 0                            the next flush fails */
#include "vault/imap/testing.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "testing/conversation.h"
#include "vault/imap/upload.h"
#include "vault/engine/memory.h"
#include "vault/store/body.h"
#include "vault/store/mailbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct driven driven;

static void feed(struct str *in, struct buf *replies)
{
    driven_feed(&driven, in, replies);
}

/* ---- words ---- */

static void other_session(struct account_id who, struct str said)
{
    struct driven other = {.who = who};
    struct buf replies = buf_make(BUF_UNLIMITED);
    struct str in = said;

    while (in.n && !(other.is_open && other.wish == SESSION_CLOSE))
        driven_feed(&other, &in, &replies);
    driven_close(&other);
    buf_free(&replies);
}

static void damage_counts(uint64_t mailbox)
{
    struct buf key = buf_make(32);

    counts_key_pack(&key, &(struct counts_key){.mailbox = mailbox});
    memory_engine_damage(world.engine, counts_part(world.fred), buf_str(&key));
    buf_free(&key);
    world_mail(S("Subject: flushes\r\n\r\n"));
}

static bool own_word(struct str word, struct str value, struct buf *replies)
{
    struct buf text = buf_make(BUF_UNLIMITED);
    uint64_t n = 0;
    bool known = true;

    parse_u64(value, &n);
    add_unescaped(&text, value);
    if (str_same(word, S("mail"))) {
        world_mail(buf_str(&text));
    } else if (str_same(word, S("prefix"))) {
        buf_clear(&world.prefix);
        buf_add(&world.prefix, buf_str(&text));
    } else if (str_same(word, S("big"))) {
        world_big_mail(n);
    } else if (str_same(word, S("parts"))) {
        world_swollen_mail(n, 0);
    } else if (str_same(word, S("senders"))) {
        world_swollen_mail(0, n);
    } else if (str_same(word, S("other"))) {
        other_session(world.fred, buf_str(&text));
    } else if (str_same(word, S("tom"))) {
        other_session(world.tom, buf_str(&text));
    } else if (str_same(word, S("as"))) {
        driven_close(&driven);
        driven.who = str_same(value, S("tom")) ? world.tom : world.fred;
    } else if (str_same(word, S("gone"))) {
        driven_close(&driven);
    } else if (str_same(word, S("timeout"))) {
        session_begin(&driven.s);
        imap_session.last_words(&driven.s, ERR_TIMEOUT);
        driven.wish = SESSION_CLOSE;
        driven_pass_on(&driven, replies);
    } else if (str_same(word, S("damage")) || str_same(word, S("damage-looks"))) {
        world_damage(n, str_same(word, S("damage-looks")));
    } else if (str_same(word, S("damage-counts"))) {
        damage_counts(n);
    } else if (str_same(word, S("limit"))) {
        world_limit((uint32_t)n);
    } else if (str_same(word, S("slow"))) {
        world_slow((uint32_t)n);
    } else if (str_same(word, S("uid-validity"))) {
        world_uid_validity((uint32_t)n);
    } else if (str_same(word, S("unauthenticate"))) {
        world_unauthenticate(str_same(value, S("on")));
    } else if (str_same(word, S("8bit-headers"))) {
        world_8bit_headers(str_same(value, S("on")));
    } else if (str_same(word, S("quota"))) {
        world_quota(world.fred, &(struct amount){.bytes = n});
    } else if (str_same(word, S("messages"))) {
        world_quota(world.fred, &(struct amount){.messages = n});
    } else if (str_same(word, S("tom-messages"))) {
        world_quota(world.tom, &(struct amount){.messages = n});
    } else if (str_same(word, S("power"))) {
        memory_engine_fail_next_flush(world.engine);
    } else {
        known = false;
    }
    driven_wake(&driven, replies);
    buf_free(&text);
    return known;
}

static void begin(void)
{
    world_start();
    driven.who = world.fred;
}

static bool end(void)
{
    driven_close(&driven);
    world_stop();
    return true;
}

static bool is_closed(void)
{
    return driven.is_open && (driven.wish == SESSION_CLOSE || driven.wish == SESSION_SIGN_OFF);
}

static const char *folder = "conversations";

static void test_conversations(void **state)
{
    const struct conversation_core core = {begin, feed, is_closed, own_word, end};

    (void)state;
    assert_int_equal(conversations_run(folder, &core), 0);
}

#define MANY 2500 /* so many that several threads read them */
#define ONE_IN 97

static void say(struct str said, struct buf *replies)
{
    buf_clear(replies);
    while (said.n)
        driven_feed(&driven, &said, replies);
}

static void expect_in(const struct buf *replies, struct str text)
{
    size_t at;

    if (!str_find(buf_str(replies), text, &at))
        fail_msg("%.*s\nhas no %.*s", (int)replies->n, replies->p, STR_ARG(text));
}

static void test_reading_by_threads(void **state)
{
    struct buf mail = buf_make(1000), replies = buf_make(BUF_UNLIMITED),
               found = buf_make(BUF_UNLIMITED);

    (void)state;
    begin();
    buf_add(&found, S("* SEARCH"));
    for (int n = 1; n <= MANY; n++) {
        buf_clear(&mail);
        buf_printf(&mail, "Subject: %d\r\n\r\n%s %d\r\n", n, n % ONE_IN ? "hay" : "a Needle", n);
        world_mail(buf_str(&mail));
        if (n % ONE_IN == 0)
            buf_printf(&found, " %d", n);
    }
    buf_add(&found, S("\r\n"));
    say(S("a1 SELECT INBOX\r\n"), &replies);
    say(S("a2 SEARCH BODY needle\r\na3 SEARCH OR BODY \"needle\" TEXT nowhere\r\n"), &replies);
    expect_in(&replies, buf_str(&found));
    say(S("a4 SORT (ARRIVAL SUBJECT) UTF-8 1:300 BODY needle\r\n"), &replies);
    expect_in(&replies, S("* SORT 194 291 97\r\n")); /* all arrived at once; numbers are texts here */
    say(S("a5 SORT (REVERSE SUBJECT) UTF-8 1:300 BODY needle\r\n"), &replies);
    expect_in(&replies, S("* SORT 97 291 194\r\n"));
    end();
    buf_free(&mail);
    buf_free(&replies);
    buf_free(&found);
}

/* RFC 5032 §2: there is a number of seconds for which a message is both OLDER and YOUNGER. Its age grows while it is
 * looked for, but not by a second with each command. */
static void test_ages_are_in_seconds(void **state)
{
    struct buf command = buf_make(100), replies = buf_make(BUF_UNLIMITED);
    int64_t age = now_ms() / 1000 - 1000000000; /* when the world's mail came in */
    size_t at, tries = 0;

    (void)state;
    begin();
    world_mail(S("Subject: x\r\n\r\n"));
    say(S("a1 SELECT INBOX\r\n"), &replies);
    do {
        assert_true(tries < 100);
        buf_clear(&command);
        buf_printf(&command, "a2 SEARCH OLDER %d YOUNGER %d\r\n", (int)(age + tries),
                   (int)(age + tries));
        say(buf_str(&command), &replies);
        tries++;
    } while (!str_find(buf_str(&replies), S("* SEARCH 1\r\n"), &at));
    end();
    buf_free(&command);
    buf_free(&replies);
}

#define KEPT 5000 /* messages of a context: more than is told of at once */

struct kept {
    uint32_t v[KEPT];
    size_t n;
};

/* One ADDTO or REMOVEFROM at a position, as a client follows it (RFC 5267 §4.3.3, §4.3.4). */
static void follow(struct kept *k, bool adds, size_t position, const struct imap_set *set)
{
    struct imap_set_walk w = {set};
    size_t n = imap_set_size(set), at = position - 1;
    uint32_t uid;

    assert_true(position && at + (adds ? 0 : n) <= k->n && k->n + (adds ? n : 0) <= KEPT);
    if (adds)
        memmove(k->v + at + n, k->v + at, (k->n - at) * sizeof(*k->v));
    for (size_t m = at; imap_set_next(&w, &uid); m++) {
        assert_true(adds || k->v[m] == uid);
        k->v[m] = uid;
    }
    if (!adds)
        memmove(k->v + at, k->v + at + n, (k->n - at - n) * sizeof(*k->v));
    k->n = adds ? k->n + n : k->n - n;
}

/* All that the replies say of the context; how many responses. */
static size_t follow_all(struct kept *k, struct str replies)
{
    struct imap_parse p = imap_parse_make(world.cx.arena, false);
    size_t count = 0, at;

    while (str_find(replies, S(" UID "), &at)) {
        bool adds;
        uint32_t position;
        struct imap_set set;

        replies = str_from(replies, at + 5);
        adds = take_text(&replies, S("ADDTO ("));
        if (!adds && !take_text(&replies, S("REMOVEFROM (")))
            continue;
        count++;
        do {
            assert_true(take_imap_nz_number(&replies, &position) && take_imap_sp(&replies) &&
                        take_imap_set(&p, &replies, &set));
            follow(k, adds, position, &set);
        } while (take_imap_sp(&replies));
        assert_true(take_text(&replies, S(")\r\n")));
    }
    return count;
}

/* By the subject: all odd ones, the last one first, before all even ones. */
static void expect_kept(const struct kept *k, unsigned begin, unsigned step)
{
    size_t n = 0;

    for (unsigned half = 1; half <= 2; half++)
        for (unsigned uid = KEPT; uid; uid--)
            if (uid % 2 == half % 2 && uid >= begin && (uid - begin) % step == 0)
                assert_int_equal(k->v[n++], uid);
    assert_int_equal(k->n, n);
}

static void test_long_contexts(void **state)
{
    struct buf mail = buf_make(BUF_UNLIMITED), replies = buf_make(BUF_UNLIMITED);
    struct kept k = {.n = 0};

    (void)state;
    begin();
    for (int n = 1; n <= KEPT; n++) {
        buf_clear(&mail);
        buf_printf(&mail, "Subject: %s %05d\r\n\r\nx\r\n", n % 2 ? "a" : "b", KEPT - n);
        world_mail(buf_str(&mail));
    }
    say(S("a1 SELECT INBOX\r\na2 UID SORT RETURN (UPDATE COUNT) (SUBJECT) UTF-8 FLAGGED\r\n"),
        &replies);
    say(S("a3 STORE 1:* +FLAGS.SILENT (\\Flagged)\r\n"), &replies);
    assert_in_range(follow_all(&k, buf_str(&replies)), 3, 100);
    expect_kept(&k, 1, 1);
    buf_clear(&mail);
    buf_add(&mail, S("a4 UID STORE 1"));
    for (int n = 4; n <= KEPT; n += 3)
        buf_printf(&mail, ",%d", n);
    buf_add(&mail, S(" -FLAGS.SILENT (\\Flagged)\r\n"));
    say(buf_str(&mail), &replies); /* every third goes… */
    follow_all(&k, buf_str(&replies));
    assert_int_equal(k.n, KEPT - (KEPT + 2) / 3);
    say(S("a5 UID STORE 2:* -FLAGS.SILENT (\\Flagged)\r\n"), &replies);
    follow_all(&k, buf_str(&replies));
    assert_int_equal(k.n, 0);
    *strchr(mail.p, '-') = '+';
    say(buf_str(&mail), &replies); /* … and comes */
    follow_all(&k, buf_str(&replies));
    expect_kept(&k, 1, 3);
    end();
    buf_free(&mail);
    buf_free(&replies);
}

#define LETTERS 300 /* in one command: a second thread looks at them while more come */

/* Every tenth is so long that not all of the command stays in memory. */
static void add_letters(struct buf *command, int n)
{
    buf_add(command, S("a2 APPEND INBOX"));
    for (int k = 1; k <= n; k++) {
        int lines = k % 10 ? 3 : 20000;

        buf_printf(command, " {%d+}\r\nSubject: number %4d\r\nFrom: a%04d@b.test\r\n\r\n",
                   22 + 20 + 2 + 9 * lines, k, k);
        while (lines--)
            buf_add(command, S("hay, hay\n"));
    }
}

static void expect_nothing_left_behind(void)
{
    size_t swept;

    assert_int_equal(body_sweep(world.store, &world.cx, &swept), OK);
    assert_int_equal(swept, 0);
}

static void test_appending_by_threads(void **state)
{
    struct buf command = buf_make(BUF_UNLIMITED), replies = buf_make(BUF_UNLIMITED),
               wanted = buf_make(200);

    (void)state;
    begin();
    say(S("a1 SELECT INBOX\r\n"), &replies);
    add_letters(&command, LETTERS / 2); /* and then one that is refused, so that none is taken */
    buf_add(&command, S(" {3+}\r\na\0b\r\na3 NOOP\r\n"));
    say(buf_str(&command), &replies);
    expect_in(&replies, S("a2 NO "));
    expect_nothing_left_behind();
    buf_clear(&command);
    add_letters(&command, LETTERS);
    buf_add(&command, S("\r\na4 FETCH 1:* (ENVELOPE BODYSTRUCTURE)\r\n"));
    say(buf_str(&command), &replies);
    expect_in(&replies, S("a2 OK "));
    for (int k = 1; k <= LETTERS; k++) {
        int lines = k % 10 ? 3 : 20000;

        buf_clear(&wanted);
        buf_printf(&wanted, "* %d FETCH (ENVELOPE (NIL \"number %4d\" ((NIL NIL \"a%04d\" \"b.test\"))",
                   k, k, k);
        expect_in(&replies, buf_str(&wanted));
        buf_clear(&wanted);
        buf_printf(&wanted, "\"7bit\" %d %d ", 9 * lines, lines);
        expect_in(&replies, buf_str(&wanted));
    }
    end();
    buf_free(&command);
    buf_free(&replies);
    buf_free(&wanted);
}

#define SESSIONS 1000

/* Sessions of fred's that announce a literal and send nothing of it hold all that fred may hold, and not what others need:
 * tom's message comes in, while fred hears what is wrong; and as soon as one of them has gone, fred may go on as well. */
static void test_who_only_announces(void **state)
{
    struct driven *v = must_alloc(SESSIONS * sizeof(*v));
    struct buf replies = buf_make(BUF_UNLIMITED);
    size_t promised = 0;

    (void)state;
    begin();
    for (size_t k = 0; k < SESSIONS; k++) {
        struct str said = S("a1 APPEND INBOX {1000000}\r\n");

        v[k].who = world.fred;
        buf_clear(&replies);
        driven_feed(&v[k], &said, &replies);
        if (!str_starts(buf_str(&replies), S("+ ")))
            break;
        promised++;
    }
    assert_int_equal(promised, 64 * 4); /* a quarter of 256 MiB in pieces of 256 KiB */
    expect_in(&replies, S("a1 NO [LIMIT] "));
    say(S("a2 APPEND INBOX {8}\r\n"), &replies);
    expect_in(&replies, S("a2 NO [LIMIT] "));
    driven_close(&driven);

    driven.who = world.tom;
    say(S("b1 APPEND INBOX {8+}\r\na: b\r\n\r\n\r\n"), &replies);
    expect_in(&replies, S("b1 OK "));
    for (int k = 0; k < 100; k++) { /* and large ones, one after the other */
        say(S("b2 APPEND INBOX {1000000}\r\n"), &replies);
        expect_in(&replies, S("+ "));
        driven_close(&driven);
    }

    driven.who = world.fred;
    driven_close(&v[7]);
    say(S("c1 APPEND INBOX {8}\r\n"), &replies);
    expect_in(&replies, S("+ "));
    say(S("a: b\r\n\r\n\r\n"), &replies);
    expect_in(&replies, S("c1 OK "));
    for (size_t k = 0; k < SESSIONS; k++)
        driven_close(&v[k]);
    end();
    buf_free(&replies);
    free(v);
}

/* Of all that may be under way others hold so much that nothing is left for tom, who cannot help it. */
static void test_others_hold_all(void **state)
{
    struct buf replies = buf_make(BUF_UNLIMITED);
    struct driven fred = {.is_open = false};
    struct str said = S("a1 APPEND INBOX {20000}\r\n");

    (void)state;
    begin();
    fred.who = world.fred;
    upload_set_budget(80000);
    driven_feed(&fred, &said, &replies);
    expect_in(&replies, S("+ "));
    driven.who = world.tom;
    say(S("b1 APPEND INBOX {16000}\r\n"), &replies);
    expect_in(&replies, S("b1 NO [UNAVAILABLE] "));
    driven_close(&fred);
    say(S("b2 APPEND INBOX {16000}\r\n"), &replies);
    expect_in(&replies, S("+ "));
    upload_set_budget((size_t)256 << 20);
    end();
    buf_free(&replies);
}

/* A letter of 8 KB that looks like ten times as much: of that, too, all sessions have only so much in memory. */
static void test_looks_are_limited(void **state)
{
    struct buf command = buf_make(BUF_UNLIMITED), replies = buf_make(BUF_UNLIMITED);

    (void)state;
    begin();
    for (int round = 0; round < 2; round++) {
        upload_set_budget(round ? (size_t)16 << 20 : 80000);
        buf_clear(&command);
        buf_printf(&command, "a%d APPEND INBOX {%d+}\r\nFrom: a", round, 7 + 2 * 4000 + 4);
        for (int k = 0; k < 4000; k++)
            buf_add(&command, S(",a"));
        buf_add(&command, S("\r\n\r\n\r\n"));
        say(buf_str(&command), &replies);
        expect_in(&replies, round ? S("a1 OK ") : S("a0 NO [LIMIT] "));
    }
    upload_set_budget(20000); /* all of it was given back */
    for (int k = 0; k < 100; k++) {
        say(S("b1 APPEND INBOX {14+}\r\nSubject: x\r\n\r\n\r\n"), &replies);
        expect_in(&replies, S("b1 OK "));
    }
    upload_set_budget((size_t)256 << 20);
    end();
    buf_free(&command);
    buf_free(&replies);
}

#define LONG_LETTERS 300

/* 300 letters, each with a subject of 2,000 bytes and 50 references that lead nowhere. */
static void add_long_letters(void)
{
    struct buf mail = buf_make(BUF_UNLIMITED);

    for (int n = 0; n < LONG_LETTERS; n++) {
        buf_clear(&mail);
        buf_printf(&mail, "Subject: %d", n);
        for (int k = 0; k < 200; k++)
            buf_printf(&mail, "%s%010d", k % 50 ? "" : "\r\n ", k);
        buf_add(&mail, S("\r\nReferences:"));
        for (int k = 0; k < 50; k++)
            buf_printf(&mail, "\r\n <%d.%d@b.test>", n, k);
        buf_add(&mail, S("\r\n\r\nx\r\n"));
        world_mail(buf_str(&mail));
    }
    buf_free(&mail);
}

/* What a search may hold is limited, and all of it given back. */
static void test_searches_are_limited(void **state)
{
    static const struct {
        const char *command, *reply;
    } rows[] = {
        {"SORT (SUBJECT) UTF-8 BODY x", "OK "},
        {"SORT (SUBJECT SUBJECT SUBJECT SUBJECT SUBJECT) UTF-8 BODY x", "NO [LIMIT] "},
        {"SORT (SUBJECT SUBJECT SUBJECT SUBJECT SUBJECT) UTF-8 1:10 BODY x", "OK "},
        {"SORT RETURN (SAVE) (CC SUBJECT SUBJECT SUBJECT SUBJECT) UTF-8 BODY x", "NO [LIMIT] "},
        {"SORT (SUBJECT SUBJECT SUBJECT SUBJECT SUBJECT) UTF-8 ALL", "OK "}, /* the table has numbers */
        {"THREAD ORDEREDSUBJECT UTF-8 ALL", "OK "},
        {"THREAD REFERENCES UTF-8 ALL", "NO [LIMIT] "},
        {"THREAD REFERENCES UTF-8 1:10", "OK "},
        {"SEARCH ALL", "OK "},
    };
    struct buf command = buf_make(1000), replies = buf_make(BUF_UNLIMITED);

    (void)state;
    begin();
    add_long_letters();
    imap_set_budget((size_t)8 << 20); /* a quarter: fred's */
    say(S("a1 SELECT INBOX\r\n"), &replies);
    for (int round = 0; round < 20; round++)
        for (size_t k = 0; k < sizeof(rows) / sizeof(*rows); k++) {
            buf_clear(&command);
            buf_printf(&command, "a2 %s\r\n", rows[k].command);
            say(buf_str(&command), &replies);
            buf_clear(&command);
            buf_printf(&command, "a2 %s", rows[k].reply);
            expect_in(&replies, buf_str(&command));
        }
    imap_set_budget(LONG_LETTERS * 50);
    say(S("a3 SEARCH ALL\r\n"), &replies);
    expect_in(&replies, S("a3 NO [LIMIT] "));
    say(S("a4 ESEARCH IN (personal) ALL\r\n"), &replies);
    expect_in(&replies, S("a4 NO [LIMIT] "));
    say(S("a5 STATUS INBOX (MESSAGES)\r\n"), &replies);
    expect_in(&replies, S("a5 OK "));
    imap_set_budget(IMAP_BUDGET);
    end();
    buf_free(&command);
    buf_free(&replies);
}

/* A search that cannot be done again for its context: the client is told, and hears nothing more of it. */
static void test_contexts_that_are_lost(void **state)
{
    struct buf replies = buf_make(BUF_UNLIMITED);
    size_t at;

    (void)state;
    begin();
    add_long_letters();
    say(S("a1 SELECT INBOX\r\na2 UID SORT RETURN (UPDATE COUNT) (SUBJECT) UTF-8 FLAGGED\r\n"),
        &replies);
    imap_set_budget(LONG_LETTERS * 1000);
    say(S("a4 STORE 1:* +FLAGS.SILENT (\\Flagged)\r\n"), &replies);
    expect_in(&replies, S("* NO [NOUPDATE \"a2\"] "));
    expect_in(&replies, S("a4 OK "));
    imap_set_budget(IMAP_BUDGET);
    say(S("a3 UID SEARCH RETURN (UPDATE COUNT) FLAGGED\r\n"), &replies);
    say(S("a5 STORE 1:2 -FLAGS.SILENT (\\Flagged)\r\n"), &replies);
    expect_in(&replies, S("* ESEARCH (TAG \"a3\") UID REMOVEFROM (0 1:2)\r\n"));
    assert_false(str_find(buf_str(&replies), S("\"a2\""), &at));
    say(S("a6 STORE 3 +FLAGS (\\Deleted)\r\na7 EXPUNGE\r\n"), &replies);
    expect_in(&replies, S("* 3 EXPUNGE\r\n"));
    assert_false(str_find(buf_str(&replies), S("\"a2\""), &at));
    say(S("a8 CANCELUPDATE \"a2\"\r\n"), &replies);
    expect_in(&replies, S("a8 OK "));
    end();
    buf_free(&replies);
}

/* RFC 5465 §5.8: more than is told in one go. From then on it is as after NOTIFY NONE. */
static void test_too_much_news(void **state)
{
    struct buf command = buf_make(BUF_UNLIMITED), replies = buf_make(BUF_UNLIMITED);

    (void)state;
    begin();
    say(S("a1 NOTIFY SET (personal (SubscriptionChange))\r\n"), &replies);
    expect_in(&replies, S("a1 OK "));
    other_session(world.fred, S("x SUBSCRIBE one\r\n"));
    driven_wake(&driven, &replies);
    expect_in(&replies, S("* LIST (\\NonExistent \\Subscribed) \"/\" one\r\n"));
    for (int n = 0; n <= 2000; n++)
        buf_printf(&command, "x%d SUBSCRIBE n/%d\r\n", n, n);
    other_session(world.fred, buf_str(&command));
    buf_clear(&replies);
    driven_wake(&driven, &replies);
    expect_in(&replies, S("* OK [NOTIFICATIONOVERFLOW] "));
    other_session(world.fred, S("x UNSUBSCRIBE one\r\n"));
    buf_clear(&replies);
    driven_wake(&driven, &replies);
    assert_int_equal(replies.n, 0);
    say(S("a2 NOTIFY SET (personal (SubscriptionChange))\r\n"), &replies);
    other_session(world.fred, S("x SUBSCRIBE one\r\n"));
    driven_wake(&driven, &replies);
    expect_in(&replies, S("* LIST (\\NonExistent \\Subscribed) \"/\" one\r\n"));
    end();
    buf_free(&command);
    buf_free(&replies);
}

/* What a client that goes away in the middle leaves behind is taken back, whoever is looking at it. */
static void test_going_while_appending(void **state)
{
    struct buf command = buf_make(BUF_UNLIMITED), replies = buf_make(BUF_UNLIMITED);
    struct str said;

    (void)state;
    begin();
    say(S("a1 NOOP\r\n"), &replies);
    add_letters(&command, LETTERS);
    said = buf_str(&command);
    while (said.n)
        driven_feed(&driven, &said, &replies);
    driven_close(&driven);
    driven = (struct driven){.who = world.fred};
    say(S("a1 STATUS INBOX (MESSAGES)\r\n"), &replies);
    expect_in(&replies, S("(MESSAGES 0)"));
    expect_nothing_left_behind();
    end();
    buf_free(&command);
    buf_free(&replies);
}

static void lose_what_is_not_durable(void)
{
    memory_engine_fail_next_flush(world.engine);
    engine_tend(world.engine);
    engine_tend(world.engine);
    assert_true(engine_is_open(world.engine));
}

/* The store fails, and is open again, before the command is whole: what had gone ahead is lost. */
static void test_failing_while_appending(void **state)
{
    struct buf command = buf_make(BUF_UNLIMITED), replies = buf_make(BUF_UNLIMITED);

    (void)state;
    begin();
    say(S("a1 NOOP\r\n"), &replies);
    add_letters(&command, LETTERS);
    say(buf_str(&command), &replies);
    lose_what_is_not_durable();
    say(S("\r\na4 STATUS INBOX (MESSAGES)\r\n"), &replies);
    expect_in(&replies, S("a2 NO "));
    expect_in(&replies, S("(MESSAGES 0)"));
    say(S("a5 APPEND INBOX {8+}\r\na: b\r\n\r\n\r\n"), &replies);
    expect_in(&replies, S("a5 OK "));
    expect_nothing_left_behind();
    end();
    buf_free(&command);
    buf_free(&replies);
}

static void add_large(struct buf *command)
{
    buf_printf(command, " {%d+}\r\nSubject: large\r\n\r\n", 18 + 9 * 40000);
    for (int lines = 0; lines < 40000; lines++)
        buf_add(command, S("hay, hay\n"));
}

/* What of the first letter went ahead is lost, and the second's pieces go into the store that is open then. */
static void test_failing_between_large_letters(void **state)
{
    struct buf command = buf_make(BUF_UNLIMITED), replies = buf_make(BUF_UNLIMITED);

    (void)state;
    begin();
    buf_add(&command, S("a2 APPEND INBOX"));
    add_large(&command);
    say(buf_str(&command), &replies);
    lose_what_is_not_durable();
    buf_clear(&command);
    add_large(&command);
    buf_add(&command, S("\r\na4 STATUS INBOX (MESSAGES)\r\n"));
    say(buf_str(&command), &replies);
    expect_in(&replies, S("a2 NO "));
    expect_in(&replies, S("(MESSAGES 0)"));
    end();
    buf_free(&command);
    buf_free(&replies);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conversations),
        cmocka_unit_test(test_reading_by_threads),
        cmocka_unit_test(test_ages_are_in_seconds),
        cmocka_unit_test(test_long_contexts),
        cmocka_unit_test(test_appending_by_threads),
        cmocka_unit_test(test_going_while_appending),
        cmocka_unit_test(test_looks_are_limited),
        cmocka_unit_test(test_failing_while_appending),
        cmocka_unit_test(test_who_only_announces),
        cmocka_unit_test(test_others_hold_all),
        cmocka_unit_test(test_searches_are_limited),
        cmocka_unit_test(test_contexts_that_are_lost),
        cmocka_unit_test(test_too_much_news),
        cmocka_unit_test(test_failing_between_large_letters),
    };

    if (argc > 1)
        folder = argv[1];
    world.cx.arena = arena_new(0);
    log_start("imap-test", LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
