/* The resolver against an nsd of its own on loopback, with zones that this file writes. */
#include "base/scoped.h"
#include "net/resolver.h"
#include "net/testing.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define NSD "/usr/sbin/nsd"
#define SKIPPED 77 /* to meson */

static const char zone[] =
    "$ORIGIN test.\n"
    "$TTL 60\n"
    "@ SOA ns.test. root.test. 1 3600 600 86400 60\n"
    "@ NS ns\n"
    "ns A 127.0.0.1\n"
    "acompany MX 20 backup.acompany\n"
    "acompany MX 10 mail.acompany\n"
    "acompany MX 10 mail2.acompany\n"
    "mail.acompany A 192.0.2.1\n"
    "mail.acompany A 192.0.2.2\n"
    "mail.acompany AAAA 2001:db8::1\n"
    "nomail MX 0 .\n"
    "alias CNAME alias2\n"
    "alias2 CNAME acompany\n"
    "loop CNAME loop2\n"
    "loop2 CNAME loop\n"
    "refused NS ns.refused\n" /* a part that this server does not hold, and nobody else */
    "ns.refused A 127.0.0.1\n";

/* Signed by ldnsutils, and then one record changed. */
static const char signed_zone[] = "$ORIGIN signed.\n"
                                  "$TTL 60\n"
                                  "@ SOA ns.signed. root.signed. 1 3600 600 86400 60\n"
                                  "@ NS ns\n"
                                  "ns A 127.0.0.1\n"
                                  "good MX 10 mail.good\n"
                                  "mail.good A 192.0.2.1\n"
                                  "forged A 192.0.2.2\n";
static const char sign[] = "cd '%s' && key=$(ldns-keygen -a ECDSAP256SHA256 -k signed.) && "
                           "ldns-signzone -o signed. -f signed.zone unsigned.zone $key && sed -i "
                           "s/192.0.2.2/192.0.2.3/ signed.zone && "
                           "mv $key.ds signed.anchor && rm $key.key $key.private";

static char dir[] = "/tmp/resolver_test.XXXXXX";
static struct endpoint server;
static pid_t nsd;

/* ---- nsd */

__attribute__((format(printf, 2, 3))) static void write_file(const char *name, const char *format, ...)
{
    char path[128];
    va_list args;
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "w");
    assert_non_null(f);
    va_start(args, format);
    vfprintf(f, format, args);
    va_end(args);
    assert_int_equal(fclose(f), 0);
}

static bool is_free(const struct endpoint *e, int type)
{
    int fd = socket(AF_INET, type, 0);
    bool bound = bind(fd, &e->any, endpoint_size(e)) == 0;

    close(fd);
    return bound;
}

/* One that is free for UDP and TCP, and below those that the system gives to clients: nobody takes it meanwhile. */
static struct endpoint free_port(void)
{
    for (int i = 0; i < 768; i++) {
        struct endpoint e = endpoint_v4("\x7f\0\0\1", (uint16_t)(32000 + (getpid() + i) % 768));

        if (is_free(&e, SOCK_DGRAM) && is_free(&e, SOCK_STREAM))
            return e;
    }
    fail_msg("no port is free");
    abort();
}

/* Asks for the SOA of test. until something comes back; a port where nobody listens answers with an error at once. */
static void wait_until_it_answers(void)
{
    static const char question[] = "\x12\x34\0\0\0\1\0\0\0\0\0\0\4test\0\0\6\0\1";
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    char answer[512];

    assert_int_equal(connect(fd, &server.any, endpoint_size(&server)), 0);
    for (int i = 0; i < 6000; i++) { /* a minute: the machine may be busy */
        struct pollfd p = {.fd = fd, .events = POLLIN};

        if (send(fd, question, sizeof(question) - 1, 0) > 0 && poll(&p, 1, 20) > 0 &&
            recv(fd, answer, sizeof(answer), 0) > 0) {
            close(fd);
            return;
        }
        poll(NULL, 0, 10);
    }
    fail_msg("nsd does not answer");
}

static int start_nsd(void **state)
{
    char config[sizeof(dir) + 16], command[sizeof(sign) + sizeof(dir)];

    (void)state;
    assert_non_null(mkdtemp(dir));
    server = free_port();
    write_file("test.zone", "%s", zone);
    write_file("unsigned.zone", "%s", signed_zone);
    snprintf(command, sizeof(command), sign, dir);
    assert_int_equal(system(command), 0);
    write_file(
        "nsd.conf",
        "server:\n ip-address: 127.0.0.1@%u\n username: \"\"\n chroot: \"\"\n database: \"\"\n"
        " server-count: 1\n zonesdir: \"%s\"\n pidfile: \"%s/pid\"\n xfrdfile: \"\"\n xfrdir: \"%s\"\n"
        " zonelistfile: \"%s/zones\"\n logfile: \"%s/log\"\n"
        "remote-control:\n control-enable: no\n"
        "zone:\n name: \"test.\"\n zonefile: \"test.zone\"\n"
        "zone:\n name: \"signed.\"\n zonefile: \"signed.zone\"\n",
        endpoint_port(&server), dir, dir, dir, dir, dir);
    snprintf(config, sizeof(config), "%s/nsd.conf", dir);
    nsd = fork();
    if (nsd == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        execl(NSD, NSD, "-d", "-c", config, (char *)NULL);
        _exit(127);
    }
    wait_until_it_answers();
    return 0;
}

static int stop_nsd(void **state)
{
    static const char *const files[] = {"test.zone", "unsigned.zone", "signed.zone", "signed.anchor",
                                        "nsd.conf",  "log",           "zones",       "pid",
                                        "anchor",    "resolv.conf",   "hosts"};
    char path[128];

    (void)state;
    kill(nsd, SIGTERM);
    waitpid(nsd, NULL, 0);
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
        unlink(path);
    }
    rmdir(dir);
    return 0;
}

/* ---- asking, and waiting for the answer */

struct heard {
    int pipe[2];
    enum dns_outcome outcome;
    bool secure;
    char text[512]; /* "10 mail.acompany.test, 20 …"; "192.0.2.1, …" */
    char canonical[256];
};

static void note_records(struct buf *b, const struct dns_answer *answer)
{
    char ip[ENDPOINT_TEXT_SIZE];

    for (size_t i = 0; i < answer->mx_count; i++)
        buf_printf(b, "%s%u %.*s", i ? ", " : "", answer->mx[i].preference,
                   STR_ARG(answer->mx[i].exchange));
    for (size_t i = 0; i < answer->address_count; i++) {
        endpoint_ip_text(&answer->addresses[i], ip);
        buf_printf(b, "%s%s", i ? ", " : "", ip);
    }
}

static void on_answer(void *arg, const struct dns_answer *answer)
{
    struct heard *h = arg;
    struct buf b = buf_make(sizeof(h->text) - 1);

    h->outcome = answer->outcome;
    h->secure = answer->secure;
    note_records(&b, answer);
    snprintf(h->text, sizeof(h->text), "%.*s", STR_ARG(buf_str(&b)));
    snprintf(h->canonical, sizeof(h->canonical), "%.*s", STR_ARG(answer->canonical));
    buf_free(&b);
    assert_int_equal(write(h->pipe[1], "a", 1), 1);
}

static struct test_loop t;
static struct resolver *resolver;
static struct cx cx;

static void begin(struct resolver_settings settings)
{
    resolver = NULL;
    if (resolver_open(&cx, &settings, &resolver) != OK)
        fail_msg("%s", cx.cause);
    test_loop_start(&t);
    assert_int_equal(resolver_start(&cx, resolver, t.loop), OK);
}

static void end(void)
{
    loop_stop(t.loop, TEST_GRACE_MS);
    pthread_join(t.thread, NULL);
    resolver_close(&resolver);
    loop_close(&t.loop);
}

static void ask(struct heard *h, const char *name, enum dns_type type, int64_t timeout_ms)
{
    char byte;

    *h = (struct heard){.text = ""};
    assert_int_equal(pipe(h->pipe), 0);
    assert_int_equal(resolver_ask(&cx, resolver, str_from_c(name), type, timeout_ms, on_answer, h), OK);
    assert_int_equal(read(h->pipe[0], &byte, 1), 1);
    close(h->pipe[0]);
    close(h->pipe[1]);
}

struct question {
    const char *name;
    enum dns_type type;
    enum dns_outcome outcome;
    const char *text, *canonical;
};

static void ask_all(const struct question *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct heard h;

        ask(&h, rows[i].name, rows[i].type, 60000);
        if (h.outcome != rows[i].outcome || strcmp(h.text, rows[i].text) != 0)
            fail_msg("row %zu: %s: outcome %d, %s", i, rows[i].name, h.outcome, h.text);
        if (rows[i].canonical)
            assert_string_equal(h.canonical, rows[i].canonical);
        assert_false(h.secure);
    }
}

static void test_own_servers(void **state)
{
    static const struct question rows[] = {
        {"acompany.test", DNS_MX, DNS_OK,
         "10 mail.acompany.test, 10 mail2.acompany.test, 20 backup.acompany.test", "acompany.test"},
        {"Acompany.Test.", DNS_MX, DNS_OK,
         "10 mail.acompany.test, 10 mail2.acompany.test, 20 backup.acompany.test", NULL},
        {"mail.acompany.test", DNS_A, DNS_OK, "192.0.2.1, 192.0.2.2", NULL},
        {"mail.acompany.test", DNS_AAAA, DNS_OK, "2001:db8::1", NULL},
        {"mail.acompany.test", DNS_MX, DNS_NODATA, "", NULL},
        {"nomail.test", DNS_MX, DNS_OK, "0 ", NULL},
        {"nobody.test", DNS_MX, DNS_NXDOMAIN, "", NULL},
        {"alias.test", DNS_MX, DNS_OK,
         "10 mail.acompany.test, 10 mail2.acompany.test, 20 backup.acompany.test", "acompany.test"},
        {"loop.test", DNS_MX, DNS_FAILED, "", NULL},
        {"elsewhere.example", DNS_MX, DNS_FAILED, "", NULL},        /* REFUSED: not our zone */
        {"1.0.168.192.in-addr.arpa", DNS_MX, DNS_FAILED, "", NULL}, /* asked of the server as well */
    };

    (void)state;
    begin((struct resolver_settings){.servers = &server, .server_count = 1});
    assert_false(resolver_validates(resolver));
    ask_all(rows, sizeof(rows) / sizeof(*rows));
    end();
}

/* The zone is not signed, and the anchor says it must be. */
static void test_bogus(void **state)
{
    static const struct question rows[] = {{"acompany.test", DNS_MX, DNS_BOGUS, "", NULL}};
    char anchor[sizeof(dir) + 16];

    (void)state;
    write_file("anchor", "test. IN DS 1 8 2 %064d\n", 1);
    snprintf(anchor, sizeof(anchor), "%s/anchor", dir);
    begin((struct resolver_settings){.servers = &server, .server_count = 1, .trust_anchor = anchor});
    assert_true(resolver_validates(resolver));
    ask_all(rows, 1);
    end();
}

/* What is signed is proven, also that there is nothing; what was changed since is not told. */
static void test_signed(void **state)
{
    static const struct {
        const char *name;
        enum dns_type type;
        enum dns_outcome outcome;
        bool secure;
    } rows[] = {
        {"good.signed", DNS_MX, DNS_OK, true},
        {"mail.good.signed", DNS_A, DNS_OK, true},
        {"mail.good.signed", DNS_AAAA, DNS_NODATA, true},
        {"nobody.signed", DNS_MX, DNS_NXDOMAIN, true},
        {"forged.signed", DNS_A, DNS_BOGUS, false},
    };
    char anchor[sizeof(dir) + 16];

    (void)state;
    snprintf(anchor, sizeof(anchor), "%s/signed.anchor", dir);
    begin((struct resolver_settings){.servers = &server, .server_count = 1, .trust_anchor = anchor});
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct heard h;

        ask(&h, rows[i].name, rows[i].type, 60000);
        if (h.outcome != rows[i].outcome || h.secure != rows[i].secure)
            fail_msg("%s: outcome %d, secure %d: %s", rows[i].name, h.outcome, h.secure, h.text);
    }
    end();
}

/* What check-config says: from the settings alone, or from what the resolvers answer. */
static void test_try(void **state)
{
    char anchor[sizeof(dir) + 16], resolv_conf[sizeof(dir) + 16];
    struct dns_validation v;

    (void)state;
    snprintf(anchor, sizeof(anchor), "%s/signed.anchor", dir);
    snprintf(resolv_conf, sizeof(resolv_conf), "%s/resolv.conf", dir);
    write_file("resolv.conf", "nameserver 127.0.0.53\n");
    assert_int_equal(
        resolver_try(&cx, &(struct resolver_settings){.servers = &server, .server_count = 1}, 1000, &v),
        OK);
    assert_false(v.validates);
    assert_int_equal(resolver_try(&cx,
                                  &(struct resolver_settings){
                                      .servers = &server, .server_count = 1, .trust_anchor = anchor},
                                  1000, &v),
                     OK);
    assert_true(v.validates);
    assert_non_null(strstr(v.why, anchor));
    assert_int_equal(
        resolver_try(&cx, &(struct resolver_settings){.resolv_conf = resolv_conf}, 100, &v), OK);
    assert_false(v.validates); /* nobody is there to bring signatures */
    assert_true(*v.why);
    assert_int_equal(
        resolver_try(&cx, &(struct resolver_settings){.trust_anchor = "/nonexistent"}, 100, &v),
        ERR_CONFIG);
}

/* /etc/hosts and resolv.conf of the system are those of the test here; no resolver is there, so none brings the
 * signed root, and a question goes as far as its deadline. */
static void test_system(void **state)
{
    static const struct question rows[] = {
        {"printer.office.example", DNS_A, DNS_OK, "192.0.2.99", NULL}};
    char resolv_conf[sizeof(dir) + 16], hosts[sizeof(dir) + 16];
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct endpoint silent = endpoint_v4("\x7f\0\0\x35", 53);
    struct heard h;

    (void)state;
    bind(fd, &silent.any,
         endpoint_size(&silent)); /* hears and says nothing; without the right to port 53: closed */
    write_file("resolv.conf", "nameserver 127.0.0.53\n");
    write_file("hosts", "192.0.2.99 printer.office.example\n");
    snprintf(resolv_conf, sizeof(resolv_conf), "%s/resolv.conf", dir);
    snprintf(hosts, sizeof(hosts), "%s/hosts", dir);
    begin((struct resolver_settings){.resolv_conf = resolv_conf, .hosts = hosts});
    ask_all(rows, 1);
    ask(&h, "acompany.example", DNS_MX, 30);
    assert_int_equal(h.outcome, DNS_FAILED);
    assert_false(resolver_validates(resolver));
    end();
    close(fd);
}

static void test_deadline_and_stop(void **state)
{
    struct endpoint silent = free_port();
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct heard h, last = {.text = ""};

    (void)state;
    assert_int_equal(bind(fd, &silent.any, endpoint_size(&silent)), 0);
    begin((struct resolver_settings){.servers = &silent, .server_count = 1});
    ask(&h, "acompany.test", DNS_MX, 30);
    assert_int_equal(h.outcome, DNS_FAILED);
    assert_int_equal(pipe(last.pipe), 0);
    assert_int_equal(resolver_ask(&cx, resolver, S("other.test"), DNS_MX, 1000000, on_answer, &last),
                     OK);
    end(); /* does not wait for it, but tells */
    assert_int_equal(last.outcome, DNS_FAILED);
    close(last.pipe[0]);
    close(last.pipe[1]);
    close(fd);
}

static atomic_int answered;

static void on_any(void *arg, const struct dns_answer *answer)
{
    const int *all = arg;

    if (answer->outcome != DNS_NXDOMAIN)
        fail_msg("%d answered, then: %s", atomic_load(&answered), answer->trouble);
    if (atomic_fetch_add(&answered, 1) + 1 == RESOLVER_MOST_QUERIES)
        assert_int_equal(write(*all, "a", 1), 1);
}

/* As many at once as may be, each answered. */
static void test_many(void **state)
{
    char name[64], byte;
    int asked = 0, all[2];
    enum err e;

    (void)state;
    assert_int_equal(pipe(all), 0);
    begin((struct resolver_settings){.servers = &server, .server_count = 1});
    while (asked < RESOLVER_MOST_QUERIES) {
        snprintf(name, sizeof(name), "nobody%d.test", asked);
        e = resolver_ask(&cx, resolver, str_from_c(name), DNS_A, 60000, on_any, &all[1]);
        if (e)
            fail_msg("%d: %s", asked, cx.cause);
        asked++;
    }
    assert_int_equal(read(all[0], &byte, 1), 1);
    end();
    close(all[0]);
    close(all[1]);
}

static void test_bad_input(void **state)
{
    static const char *const names[] = {"", ".", "a..b", "a b", "b\xc3\xbc.test", "x\n.test"};
    struct resolver_settings settings = {
        .servers = &server, .server_count = 1, .trust_anchor = "/nonexistent/anchor"};
    struct resolver *r = NULL;

    (void)state;
    assert_int_equal(resolver_open(&cx, &settings, &r), ERR_CONFIG);
    assert_string_equal(cx.cause, "/nonexistent/anchor: No such file or directory");
    begin((struct resolver_settings){.servers = &server, .server_count = 1});
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        assert_int_equal(resolver_ask(&cx, resolver, str_from_c(names[i]), DNS_A, 1000, on_any, NULL),
                         ERR_BAD_VALUE);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_servers), cmocka_unit_test(test_bogus),
        cmocka_unit_test(test_signed),      cmocka_unit_test(test_try),
        cmocka_unit_test(test_system),      cmocka_unit_test(test_deadline_and_stop),
        cmocka_unit_test(test_many),        cmocka_unit_test(test_bad_input),
    };

    if (access(NSD, X_OK) != 0) {
        puts("skipped: there is no " NSD);
        return SKIPPED;
    }
    return cmocka_run_group_tests(tests, start_nsd, stop_nsd);
}
