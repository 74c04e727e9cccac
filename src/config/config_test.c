/* The configuration: what face.md shows is understood, and every mistake is told with its line and what was
 * expected. */
#include "config/config.h"
#include "config/table.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define LEAST "hostname = \"mail.example.com\"\n"

struct fixture {
    struct arena *command, *process;
    struct cx cx;
};

static int setup(void **state)
{
    struct fixture *f = must_alloc(sizeof(*f));

    f->command = arena_new(0);
    f->process = arena_new(0);
    f->cx.arena = f->command;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    arena_free(f->command);
    arena_free(f->process);
    free(f);
    return 0;
}

static struct config *parsed(struct fixture *f, const char *text)
{
    struct config *c = NULL;

    if (config_parse(&f->cx, str_from_c(text), "test.conf", f->process, &c) != OK)
        fail_msg("refused: %s", f->cx.cause);
    return c;
}

static void assert_str(struct str s, const char *expected)
{
    assert_string_equal(s.p, expected); /* the NUL behind it as well */
    assert_int_equal(s.n, strlen(expected));
}

static const char whole[] =
    "# everything that there is\n"
    "hostname = \"mail.example.com\"\n"
    "data-dir = \"/srv/mail\"\n"
    "engine   = \"rocksdb\"\n"
    "postmaster = \"anna@example.com\"\n"
    "listen smtp        { on = {\"0.0.0.0:25\", \"[::]:25\"} }\n"
    "listen submissions { on = {\"127.0.0.1:465\"} }\n"
    "listen pop3s       { on = {\"127.0.0.1:995\"} }\n"
    "tls { certificate = \"/etc/a.pem\"  key = \"/etc/a.key\" }\n"
    "tls { certificate = \"/etc/b.pem\"  key = \"/etc/b.key\" }\n"
    "allow-plaintext-auth = true\n"
    "scram = no\n"
    "dns { servers = {\"127.0.0.1@5353\", \"2001:db8::53\"}  trust-anchor = \"/etc/root.key\" }\n"
    "queue { # in blocks too\n"
    "    retry = { // and in lists\n\"10s\", /* of any\n kind, even ${VARIABLES} */ \"2m\"}\n"
    "    warn-after = \"30s\"  give-up-after = 2d\n"
    "    relay-port = 2625\n"
    "}\n"
    "relay { host = \"smtp.isp.example:587\"  user = \"me\"  password-file = \"/etc/secret\" }\n"
    "limits { message-size = \"64K\"  recipients = 200  connections = 20  connections-per-address = 5\n"
    "         disk-reserve = \"1G\" errors = 3 idle = 10s }\n"
    "outgoing { helo = \"out.example.com\"  source = {\"192.0.2.1\", \"2001:db8::1\"}  ipv6 = false }\n"
    "network \"office\" { from = {\"192.168.0.0/16\", \"2001:db8:1::/48\"}  relay = true }\n"
    "network \"guests\" { from = {\"10.0.0.1\"} }\n"
    "control-socket = \"/run/p/control\"\n"
    "log-level = debug\n";

static void test_whole(void **state)
{
    struct config *c = parsed(*state, whole);

    assert_str(c->hostname, "mail.example.com");
    assert_str(c->data_dir, "/srv/mail");
    assert_str(c->postmaster, "anna@example.com");
    assert_true(c->allow_plaintext_auth && !c->scram);
    assert_int_equal(c->listen_count, 3);
    assert_str(config_listen_find(c, SERVICE_SMTP)->on.v[1].host, "::");
    assert_int_equal(config_listen_find(c, SERVICE_SMTP)->on.v[1].port, 25);
    assert_null(config_listen_find(c, SERVICE_POP3));
    assert_int_equal(c->tls_count, 2);
    assert_str(c->tls[1].key, "/etc/b.key");
    assert_int_equal(c->dns.servers.n, 2);
    assert_int_equal(c->dns.servers.v[0].port, 5353);
    assert_int_equal(c->dns.servers.v[1].port, 53);
    assert_int_equal(c->queue.retry.n, 2);
    assert_int_equal(c->queue.retry.v[1], 120000);
    assert_int_equal(c->queue.give_up_after, 2 * 86400000);
    assert_int_equal(c->queue.relay_port, 2625);
    assert_true(c->relay.given);
    assert_str(c->relay.host.host, "smtp.isp.example");
    assert_int_equal(c->limits.message_size, 65536);
    assert_int_equal(c->limits.idle, 10000);
    assert_str(c->outgoing.source.v[1], "2001:db8::1");
    assert_false(c->outgoing.ipv6);
    assert_str(c->control_socket, "/run/p/control");
    assert_str(c->submit_socket, "/srv/mail/submit.sock");
    assert_int_equal(c->log_level, LOG_DEBUG);
}

static void test_silence(void **state)
{
    struct config *c = parsed(*state, LEAST);

    assert_str(c->postmaster, "postmaster@mail.example.com");
    assert_str(c->data_dir, "/var/lib/posthorn");
    assert_str(c->control_socket, "/var/lib/posthorn/control.sock");
    assert_str(c->outgoing.helo, "mail.example.com");
    assert_true(c->scram && !c->allow_plaintext_auth && c->outgoing.ipv6);
    assert_false(c->relay.given || c->queue.given);
    assert_int_equal(c->queue.retry.n, 6);
    assert_int_equal(c->queue.retry.v[5], 4 * 3600000);
    assert_int_equal(c->limits.message_size, 50 << 20);
    assert_int_equal(c->listen_count + c->tls_count + c->network_count, 0);
}

/* Each mistake, and a part of what is said about it. */
static void test_mistakes(void **state)
{
    static const struct {
        const char *text, *said;
    } rows[] = {
        {"", "test.conf: hostname is missing"},
        {"hostname = \"a b\"\n", "test.conf:1: hostname \"a b\": expected a host name"},
        {"hostname = \"-a\"\n", "expected a host name"},
        {LEAST "hostnam = x\n",
         "test.conf:2: unknown setting \"hostnam\": expected one of hostname, data-dir"},
        {LEAST "# a\n#b\n// c\n/* d\n*/ x = 3\n", "test.conf:6: unknown setting \"x\""},
        {LEAST "data-dir = /var//lib#\nx = '#' \"//\\\"#\"\n", "test.conf:3: unknown setting \"x\""},
        {LEAST "\nqueue {\n  retyr = {}\n}\n",
         "test.conf:4: unknown setting \"retyr\": expected one of retry, warn"},
        {LEAST "hostname = \"b\"\n", "test.conf:2: hostname is given twice"},
        {LEAST "listen smtp { on = {\"0.0.0.0:25\", \"0.0.0.0:26\"} on = {\"0.0.0.0:27\"} }\n",
         "test.conf:2: on is given twice"},
        {LEAST "engine = \"postgresql://db/mail\"\n", "PostgreSQL is not in this version yet"},
        {LEAST "engine = sqlite\n", "test.conf:2: engine \"sqlite\": expected \"rocksdb\""},
        {LEAST "listen http { on = {\"0.0.0.0:80\"} }\n",
         "test.conf:2: listen \"http\": expected another service: this"},
        {LEAST "listen gopher { on = {\"0.0.0.0:70\"} }\n",
         "test.conf:2: listen \"gopher\": expected smtp"},
        {LEAST "listen gopher { }\n", "test.conf:2: listen \"gopher\": expected smtp"},
        {LEAST "listen { on = {\"0.0.0.0:70\"} }\n", "test.conf:2: missing title for section 'listen'"},
        {LEAST "listen smtp { }\n", "test.conf:2: on is missing in the block \"listen\""},
        {LEAST "listen smtp { on = {\"0.0.0.0:25\"} }\nlisten smtp { on = {\"[::]:25\"} }\n",
         "test.conf:3: a second block \"smtp\": expected another title"},
        {LEAST "listen smtp { on = {\n\"0.0.0.0:25\",\n\"mail:25\"} }\n",
         "test.conf:4: on \"mail:25\": expected an address"},
        {LEAST "listen smtp { on = {\"[::1]\"} }\n", "expected an address and a port"},
        {LEAST "listen smtp { on = {\"::1:25\"} }\n", "expected an address and a port"},
        {LEAST "listen smtp { on = {\"1.2.3.4:70000\"} }\n", "expected an address and a port"},
        {LEAST "tls { certificate = \"/a\" }\n", "key is missing in the block \"tls\""},
        {LEAST "allow-plaintext-auth = maybe\n", "expected true or false"},
        {LEAST "dns { servers = {\"ns.example\"} }\n", "expected an address, such as"},
        {LEAST "dns { trust-anchor = \"/k\" }\n", "trust-anchor goes with servers"},
        {LEAST "queue { warn-after = 4x }\n", "test.conf:2: warn-after \"4x\": expected a duration"},
        {LEAST "queue { retry = {1m, 0s} }\n", "retry \"0s\": expected a value from 1s to 7d"},
        {LEAST "queue { relay-port = 0 }\n", "expected a port"},
        {LEAST "queue { }\nqueue { }\n", "test.conf:3: a second block \"queue\" ends here"},
        {LEAST "limits { message-size = 1K }\n", "expected a value from 64K to 1G"},
        {LEAST "limits { recipients = 99 }\n", "expected a value from 100 to 100000"},
        {LEAST "limits { recipients = -1 }\n", "expected a whole number"},
        {LEAST "relay { host = \"h:25\" user = \"u\" }\n", "user and password-file go together"},
        {LEAST "relay { user = \"u\" }\n", "host is missing in the block \"relay\""},
        {LEAST "outgoing { source = {\"192.0.2.1:25\"} }\n", "expected an address without port"},
        {LEAST "network \"a\" { from = {\"10.0.0.1/8\"} }\n",
         "the bits behind the prefix must be zero"},
        {LEAST "network \"a\" { from = {\"10.0.0.0/33\"} }\n", "expected a prefix from /0 to /32"},
        {LEAST "network \"a\" { }\n", "from is missing"},
        {LEAST "postmaster = \"postmaster\"\n", "expected a mail address"},
        {LEAST "data-dir = \"\"\n", "expected the path"},
        {LEAST "data-dir = \"${HOME}/mail\"\n", "test.conf:2: \"${\" is not allowed"},
        {LEAST "data-dir = \"/var\n", "test.conf:2: the string that begins here has no end"},
        {LEAST "queue {\n", "test.conf:2: the brace that opens here is not closed"},
        {LEAST "}\n", "unexpected closing brace"},
        {LEAST "scram true\n", "test.conf:2: missing equal sign"},
        {LEAST "log-level = loud\n", "expected debug, info, warning or error"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct config *c = NULL;
        enum err e = config_parse(&f->cx, str_from_c(rows[i].text), "test.conf", f->process, &c);

        if (e != ERR_CONFIG || c)
            fail_msg("row %zu: accepted: %s", i, rows[i].text);
        if (!strstr(f->cx.cause, rows[i].said))
            fail_msg("row %zu: \"%s\" does not say \"%s\"", i, f->cx.cause, rows[i].said);
    }
}

static void test_nul(void **state)
{
    struct fixture *f = *state;
    struct config *c = NULL;

    assert_int_equal(config_parse(&f->cx, S(LEAST "\0scram = no\n"), "test.conf", f->process, &c),
                     ERR_CONFIG);
}

/* What the rows themselves say has to be good, or the first start of a server would find it. */
static void test_rows(void **state)
{
    struct fixture *f = *state;
    size_t in_block[BLOCK_COUNT] = {0};

    for (const struct setting *s = config_settings; s < config_settings + config_setting_count; s++) {
        const char *const texts[] = {s->least, s->most};
        uint64_t value[8];

        for (size_t i = 0; i < 2; i++)
            if (texts[i] && config_values[s->type].parse(f->command, str_from_c(texts[i]), value))
                fail_msg("%s: bound %s", s->name, texts[i]);
        if (s->standard && s->standard[0] && !config_values[s->type].is_list &&
            config_values[s->type].parse(f->command, str_from_c(s->standard), value))
            fail_msg("%s: default %s", s->name, s->standard);
        if (++in_block[s->block] > 15)
            fail_msg("%s: more settings in its block than MOST_OPTIONS holds", s->name);
    }
}

static void test_networks(void **state)
{
    static const struct {
        const char *address, *network, *why;
    } rows[] = {
        {"::ffff:192.168.3.4", "office", "inside"},
        {"::ffff:192.169.0.0", NULL, "one beyond"},
        {"2001:db8:1:ffff::1", "office", "its second network"},
        {"2001:db8:2::1", NULL, "beside it"},
        {"::ffff:10.0.0.1", NULL, "known, but may not relay"},
        {"::c0a8:304", NULL, "the same bytes, but not IPv4"},
    };
    struct config *c = parsed(*state, whole);

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        uint8_t address[16];

        assert_int_equal(inet_pton(AF_INET6, rows[i].address, address), 1);
        if (!str_same(str_from_c(config_relaying_network(c, address)), str_from_c(rows[i].network)))
            fail_msg("row %zu: %s", i, rows[i].why);
    }
}

static void test_ranges(void **state)
{
    static const struct {
        const char *range, *address;
        bool in;
    } rows[] = {
        {"0.0.0.0/0", "::ffff:255.1.2.3", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"::/0", "::ffff:1.2.3.4", true},
        {"10.128.0.0/9", "::ffff:10.127.0.1", false},
        {"10.128.0.0/9", "::ffff:10.200.0.1", true},
        {"192.0.2.1", "::ffff:192.0.2.1", true},
        {"192.0.2.1/32", "::ffff:192.0.2.0", false},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct config_range r;
        uint8_t address[16];

        assert_null(config_parse_network(f->command, str_from_c(rows[i].range), &r));
        assert_int_equal(inet_pton(AF_INET6, rows[i].address, address), 1);
        if (config_range_holds(&r, address) != rows[i].in)
            fail_msg("row %zu: %s and %s", i, rows[i].range, rows[i].address);
    }
}

/* Every setting is in both forms of the manual, by its name. */
static void test_manual(void **state)
{
    struct buf text = buf_make(BUF_UNLIMITED), roff = buf_make(BUF_UNLIMITED);
    size_t at;

    (void)state;
    config_manual_text(&text);
    config_manual_roff(&roff);
    for (const struct setting *s = config_settings; s < config_settings + config_setting_count; s++)
        if (s->name && (!str_find(buf_str(&text), str_from_c(s->name), &at) || strlen(s->manual) < 10))
            fail_msg("%s", s->name);
    assert_true(str_find(buf_str(&roff), S(".TP\n.B warn\\-after\n"), &at));
    buf_free(&text);
    buf_free(&roff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_silence, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mistakes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nul, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_networks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ranges, setup, teardown),
        cmocka_unit_test(test_manual),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
