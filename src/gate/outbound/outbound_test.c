/* The driver between a vault and a DNS that are tables, and servers on loopback that follow a script. A scene: what is
 * due, what the servers say, and what the vault is told in the end. 127.0.0.9 is where nobody listens. */
#include "gate/outbound/outbound.h"

#include "base/log.h"
#include "gate/outbound/delivery.h"
#include "gate/outbound/testing.h"
#include "net/testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#define MOST_SERVERS 3

struct scene {
    const char *why;
    const char *settings;
    const char *zone;
    const char *entries[4];
    const char *servers[MOST_SERVERS]; /* on 127.0.0.1, .2, .3 */
    size_t done;
    const char *expected;
};

#define HELLO "S 220 mx\nC EHLO mail.us.test\nS 250-mx\nS 250 PIPELINING\n"
#define ENVELOPE "C MAIL FROM:<a@us.test>\nC RCPT TO:<*\nC DATA\nS 250 ok\nS 250 ok\nS 354 go\n"
#define BODY "C Subject: hi\nC \nC body\nC .\nS 250 2.0.0 taken\n"
#define MESSAGE ENVELOPE BODY
#define BYE "C QUIT\nS 221 bye\nclose\n"
#define ONE_ENTRY                                                                                      \
    {                                                                                                  \
        "1 b.test <a@us.test> <tom@b.test>"                                                            \
    }
#define TAKEN "1.0 delivered 2.0.0 mx1/250 2.0.0 taken\n"

static const struct scene scenes[] = {
    {"by MX", "", "b.test MX 10 mx1\nmx1 A 127.0.0.1\n", ONE_ENTRY, {HELLO MESSAGE BYE}, 1, TAKEN},
    {"no MX: the domain's own address",
     "",
     "b.test A 127.0.0.1\n",
     ONE_ENTRY,
     {HELLO MESSAGE BYE},
     1,
     "1.0 delivered 2.0.0 b.test/250 2.0.0 taken\n"},
    {"an address literal",
     "",
     "",
     {"1 [127.0.0.1] <a@us.test> <tom@[127.0.0.1]>"},
     {HELLO MESSAGE BYE},
     1,
     "1.0 delivered 2.0.0 [127.0.0.1]/250 2.0.0 taken\n"},
    {"nobody listens at the first host",
     "",
     "b.test MX 10 mx0 20 mx1\nmx0 A 127.0.0.9\nmx1 A 127.0.0.1\n",
     ONE_ENTRY,
     {HELLO MESSAGE BYE},
     1,
     TAKEN},
    {"nobody listens anywhere",
     "",
     "b.test MX 10 mx0\nmx0 A 127.0.0.9\n",
     {"1 b.test <a@us.test> <tom@b.test>", "2 b.test <> <ann@b.test>"},
     {NULL},
     2,
     "1.0 deferred 4.4.1 /connection to mx0 (127.0.0.9) failed: connection refused\n"
     "2.0 deferred 4.4.1 /connection to mx0 (127.0.0.9) failed: connection refused\n"},
    {"an international domain, and a server that knows nothing of it",
     "",
     "xn--bcher-kva.test A 127.0.0.1\n",
     {"1 xn--bcher-kva.test <a@us.test> <tom@b\xc3\xbc"
      "cher.test>"},
     {HELLO "C MAIL FROM:<a@us.test>\nC RCPT TO:<tom@xn--bcher-kva.test>\nC DATA\nS 250 ok\nS 250 "
            "ok\nS 354 go\n" BODY BYE},
     1,
     "1.0 delivered 2.0.0 xn--bcher-kva.test/250 2.0.0 taken\n"},
    {"an international local part, and such a server",
     "",
     "b.test MX 10 mx1\nmx1 A 127.0.0.1\n",
     {"1 b.test <a@us.test> <t\xc3\xb6m@b.test>"},
     {HELLO BYE},
     1,
     "1.0 failed 5.6.7 /the next server cannot take international addresses\n"},
    {"no such domain",
     "",
     "",
     ONE_ENTRY,
     {NULL},
     1,
     "1.0 failed 5.1.2 /b.test does not exist: there is no such domain\n"},
    {"a null MX",
     "",
     "b.test MX 0 .\n",
     ONE_ENTRY,
     {NULL},
     1,
     "1.0 failed 5.1.10 /b.test takes no mail: it has a null MX\n"},
    {"the DNS is down",
     "",
     "b.test MX FAILED\n",
     ONE_ENTRY,
     {NULL},
     1,
     "1.0 deferred 4.4.3 /b.test cannot be looked up at the moment: SERVFAIL\n"},
    {"our own name",
     "",
     "b.test MX 10 mail.us.test\n",
     ONE_ENTRY,
     {NULL},
     1,
     "1.0 failed 5.4.6 /b.test names this very server as its mail host, but is none of its domains\n"},
    {"two messages over one connection",
     "",
     "b.test MX 10 mx1\nmx1 A 127.0.0.1\n",
     {"1 b.test <a@us.test> <tom@b.test>", "later", "2 b.test <a@us.test> <ann@b.test>"},
     {HELLO MESSAGE MESSAGE BYE},
     2,
     TAKEN "2.0 delivered 2.0.0 mx1/250 2.0.0 taken\n"},
    {"the server wants no second message on a connection",
     "",
     "b.test MX 10 mx1\nmx1 A 127.0.0.1\n",
     {"1 b.test <a@us.test> <tom@b.test>", "later", "2 b.test <a@us.test> <ann@b.test>"},
     {HELLO MESSAGE "C MAIL *\nC RCPT *\nC DATA\nS 421 enough\nclose\n" HELLO MESSAGE BYE},
     2,
     TAKEN "2.0 delivered 2.0.0 mx1/250 2.0.0 taken\n"},
    {"some recipients",
     "",
     "b.test MX 10 mx1\nmx1 A 127.0.0.1\n",
     {"1 b.test <a@us.test> <tom@b.test> <ann@b.test> <x@b.test>"},
     {HELLO "C MAIL *\nC RCPT *\nC RCPT *\nC RCPT *\nC DATA\nS 250 ok\nS 550 5.1.1 who?\nS 250 ok\n"
            "S 450 4.2.1 slow\nS 354 go\n" BODY BYE},
     1,
     "1.0 failed 5.1.1 mx1/550 5.1.1 who?\n1.1 delivered 2.0.0 mx1/250 2.0.0 taken\n"
     "1.2 deferred 4.2.1 mx1/450 4.2.1 slow\n"},
    {"554 in the greeting: the next host",
     "",
     "b.test MX 10 mx1 20 mx2\nmx1 A 127.0.0.1\nmx2 A 127.0.0.2\n",
     ONE_ENTRY,
     {"S 554 no\nclose\n", HELLO MESSAGE BYE},
     1,
     "1.0 delivered 2.0.0 mx2/250 2.0.0 taken\n"},
    {"554 in every greeting",
     "",
     "b.test MX 10 mx1 20 mx2\nmx1 A 127.0.0.1\nmx2 A 127.0.0.2\n",
     ONE_ENTRY,
     {"S 554 no\nclose\n", "S 554 5.3.2 never\nclose\n"},
     1,
     "1.0 failed 5.3.2 mx2/554 5.3.2 never\n"},
    {"554 in one, and the other is not to be reached",
     "",
     "b.test MX 10 mx1 20 mx0\nmx1 A 127.0.0.1\nmx0 A 127.0.0.9\n",
     ONE_ENTRY,
     {"S 554 no\nclose\n"},
     1,
     "1.0 deferred 4.4.1 /connection to mx0 (127.0.0.9) failed: connection refused\n"},
    {"451 to MAIL: the next host",
     "",
     "b.test MX 10 mx1 20 mx2\nmx1 A 127.0.0.1\nmx2 A 127.0.0.2\n",
     ONE_ENTRY,
     {HELLO "C MAIL *\nC RCPT *\nC DATA\nS 451 4.3.2 busy\nS 503 no\nS 503 no\n" BYE,
      HELLO MESSAGE BYE},
     1,
     "1.0 delivered 2.0.0 mx2/250 2.0.0 taken\n"},
    {"it hangs up in the envelope: the next host",
     "",
     "b.test MX 10 mx1 20 mx2\nmx1 A 127.0.0.1\nmx2 A 127.0.0.2\n",
     ONE_ENTRY,
     {HELLO "C MAIL *\nC RCPT *\nC DATA\nclose\n", HELLO MESSAGE BYE},
     1,
     "1.0 delivered 2.0.0 mx2/250 2.0.0 taken\n"},
    {"it hangs up after the dot: no other host now",
     "",
     "b.test MX 10 mx1 20 mx2\nmx1 A 127.0.0.1\nmx2 A 127.0.0.2\n",
     ONE_ENTRY,
     {HELLO ENVELOPE "C Subject: hi\nC \nC body\nC .\nclose\n"},
     1,
     "1.0 deferred 4.4.2 /*"},
    {"TLS",
     "",
     "b.test MX 10 mx1\nmx1 A 127.0.0.1\n",
     ONE_ENTRY,
     {"S 220 mx\nC EHLO *\nS 250-mx\nS 250 STARTTLS\nC STARTTLS\nS 220 go\ntls\nC EHLO *\nS 250-mx\n"
      "S 250 PIPELINING\n" MESSAGE BYE},
     1,
     TAKEN},
    {"TLS that fails: in the clear",
     "",
     "b.test MX 10 mx1\nmx1 A 127.0.0.1\n",
     ONE_ENTRY,
     {"S 220 mx\nC EHLO *\nS 250-mx\nS 250 STARTTLS\nC STARTTLS\nS 220 go\nS this is no "
      "handshake\nclose\n"
      "S 220 mx\nC EHLO *\nS 250-mx\nS 250-STARTTLS\nS 250 PIPELINING\n" MESSAGE BYE},
     1,
     TAKEN},
    {"a smart host",
     "relay { host = \"127.0.0.1:%u\" user = \"tom\" password-file = \"%s\" }\n",
     "",
     ONE_ENTRY,
     {"S 220 mx\nC EHLO *\nS 250-mx\nS 250-PIPELINING\nS 250 AUTH PLAIN\nC AUTH PLAIN "
      "AHRvbQBzZWNyZXQ=\n"
      "S 235 yes\n" MESSAGE BYE},
     1,
     "1.0 delivered 2.0.0 127.0.0.1/250 2.0.0 taken\n"},
    {"its name, and a wrong password",
     "relay { host = \"relay.test:%u\" user = \"tom\" password-file = \"%s\" }\n",
     "relay.test A 127.0.0.1\n",
     ONE_ENTRY,
     {"S 220 mx\nC EHLO *\nS 250-mx\nS 250 AUTH PLAIN\nC AUTH PLAIN *\nS 535 5.7.8 no\nclose\n"},
     1,
     "1.0 deferred 5.7.8 relay.test/535 5.7.8 no\n"},
};

/* ---- a stage ---- */

static struct {
    struct test_loop loop;
    struct outbound *outbound;
    struct arena *arena;
    struct config *config;
    struct smtp_script *servers[MOST_SERVERS];
    uint16_t port;
} stage;

static const struct config *config_in_force(void)
{
    return stage.config;
}

static void password_file(char path[64])
{
    int fd;

    snprintf(path, 64, "/tmp/outbound_test.XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, "secret\n", 7) == 7);
    close(fd);
}

/* "%u" and "%s" of a scene's settings are the port and the file with the password. */
static struct str fill_in(const char *settings, const char *password)
{
    struct buf b = buf_make(4096);
    struct str s = str_from_c(settings), before, filled;

    buf_printf(&b, "hostname = \"mail.us.test\"\nqueue { relay-port = %u }\n", stage.port);
    while (take_until(&s, '%', &before)) {
        buf_add(&b, before);
        if (take_char(&s, 'u'))
            buf_printf(&b, "%u", stage.port);
        else if (take_char(&s, 's'))
            buf_add_c(&b, password);
    }
    buf_add(&b, s);
    filled = str_copy(stage.arena, buf_str(&b));
    buf_free(&b);
    return filled;
}

static void stage_open(const char *settings, const char *dns, const char *const servers[MOST_SERVERS])
{
    struct cx cx = {.arena = stage.arena = arena_new(0)};
    char path[64];

    stage.port = 0;
    for (unsigned i = 0; i < MOST_SERVERS; i++)
        stage.servers[i] =
            servers[i] || !i ? smtp_script_run(i + 1, &stage.port, servers[i] ? servers[i] : "") : NULL;
    test_loop_start(&stage.loop);
    fake_vault_open(stage.loop.loop);
    fake_zone(dns, stage.loop.loop);
    password_file(path);
    if (config_parse(&cx, fill_in(settings, path), "test.conf", stage.arena, &stage.config))
        fail_msg("%s", cx.cause);
    if (outbound_open(&cx, stage.config, &stage.outbound))
        fail_msg("%s", cx.cause);
    unlink(path);
}

static void stage_start(void)
{
    struct cx cx = {.arena = stage.arena};
    struct outbound_parts parts = {.loop = stage.loop.loop, .config = config_in_force};

    assert_int_equal(outbound_start(&cx, stage.outbound, &parts), OK);
    fake_vault_wake();
}

static void stage_close(const char *why)
{
    char trouble[300];

    test_loop_end(&stage.loop);
    for (size_t i = 0; i < MOST_SERVERS; i++)
        if (stage.servers[i] && !smtp_script_end(stage.servers[i], trouble))
            fail_msg("%s: server %zu: %s", why, i + 1, trouble);
    assert_int_equal(atomic_load(&stage.outbound->busy), 0);
    outbound_close(&stage.outbound);
    fake_vault_close();
    arena_free(stage.arena);
}

static void expect_results(size_t done, const char *expected, const char *why)
{
    struct buf got = buf_make(BUF_UNLIMITED);
    struct str pattern = str_from_c(expected);
    bool prefix = pattern.n && pattern.p[pattern.n - 1] == '*';

    fake_vault_await(done, &got);
    if (prefix ? !str_starts(buf_str(&got), str_upto(pattern, pattern.n - 1))
               : !str_same(buf_str(&got), pattern))
        fail_msg("%s:\n  expected %s\n  got      %.*s", why, expected, STR_ARG(buf_str(&got)));
    buf_free(&got);
}

/* "later": only the first entry is handed out; what follows waits for queue_more. */
static void test_scenes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(scenes) / sizeof(*scenes); i++) {
        const struct scene *s = &scenes[i];

        stage_open(s->settings, s->zone, s->servers);
        for (size_t n = 0; n < 4 && s->entries[n]; n++)
            if (str_same(str_from_c(s->entries[n]), S("later")))
                fake_vault_hands_out(1);
            else
                fake_vault_entry(s->entries[n]);
        stage_start();
        expect_results(s->done, s->expected, s->why);
        stage_close(s->why);
    }
}

/* Pieces are fetched one by one, as fast as the server reads. */
static void test_a_long_body(void **state)
{
    static const char *const servers[MOST_SERVERS] = {HELLO ENVELOPE
                                                      "count 786432\nS 250 2.0.0 taken\n" BYE};

    (void)state;
    stage_open("", "b.test MX 10 mx1\nmx1 A 127.0.0.1\n", servers);
    fake_vault_big_bodies(3, BODY_PIECE);
    fake_vault_entry("1 b.test <a@us.test> <tom@b.test>");
    stage_start();
    expect_results(1, TAKEN, "a long body");
    stage_close("a long body");
}

/* A body that cannot be read to its end must not be ended with a dot, and no other host could do better. */
static void test_a_lost_piece(void **state)
{
    static const char *const servers[MOST_SERVERS] = {HELLO ENVELOPE "stall\nclose\n"};

    (void)state;
    stage_open("", "b.test MX 10 mx1 20 mx0\nmx1 A 127.0.0.1\nmx0 A 127.0.0.9\n", servers);
    fake_vault_big_bodies(3, BODY_PIECE);
    fake_vault_loses_piece(1);
    fake_vault_entry("1 b.test <a@us.test> <tom@b.test>");
    stage_start();
    expect_results(1, "1.0 deferred 4.3.0 /the message could not be read from the queue\n",
                   "a lost piece");
    stage_close("a lost piece");
}

/* A thousand would be the same: they are put off without waiting, and never more than the places at once. */
static void test_many_for_a_dead_host(void **state)
{
    static const char *const servers[MOST_SERVERS] = {NULL};
    struct buf got = buf_make(BUF_UNLIMITED);

    (void)state;
    stage_open("", "b.test MX 10 mx0\nmx0 A 127.0.0.9\n", servers);
    for (unsigned i = 1; i <= 200; i++) {
        char text[100];

        snprintf(text, sizeof(text), "%u b.test <a@us.test> <tom@b.test>", i);
        fake_vault_entry(text);
    }
    stage_start();
    fake_vault_await(200, &got);
    assert_false(str_find(buf_str(&got), S("did not end"), &(size_t){0}));
    assert_int_equal(fake_vault_most_asked(), OUTBOUND_MOST);
    buf_free(&got);
    stage_close("many for a dead host");
}

/* The loop stops while a server says nothing: what was not decided costs no attempt. */
static void test_stopping(void **state)
{
    static const char *const servers[MOST_SERVERS] = {"S 220 mx\nC EHLO *\nstall\nclose\n"};
    struct buf got = buf_make(BUF_UNLIMITED);

    (void)state;
    stage_open("", "b.test MX 10 mx1\nmx1 A 127.0.0.1\n", servers);
    fake_vault_entry("1 b.test <a@us.test> <tom@b.test>");
    stage_start();
    smtp_script_await_stall(stage.servers[0]);
    stage_close("stopping");
    fake_vault_await(0, &got);
    assert_int_equal(got.n, 0);
    buf_free(&got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scenes),       cmocka_unit_test(test_a_long_body),
        cmocka_unit_test(test_a_lost_piece), cmocka_unit_test(test_many_for_a_dead_host),
        cmocka_unit_test(test_stopping),
    };

    log_start("outbound-test", LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
