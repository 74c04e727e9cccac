/* The supervisor with stand-ins for its rooms (room_double.c): what it tells them, and what it does when they die. It
 * runs in a child, whose standard error tells the story line by line; nothing here waits but for lines. */
#include "base/arena.h"
#include "control/deaths.h"
#include "control/supervisor.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct server {
    char directory[64], config[128], rooms[128], data[128];
    char line[4096];
    FILE *story;
    uint16_t ports[3];
    pid_t pid;
    int notify; /* what systemd would hear */
    int64_t grace_ms;
};

/* Below those that the system gives to clients, so that nobody takes it meanwhile; never the same one twice. */
static uint16_t free_port(void)
{
    static unsigned next;

    for (int i = 0; i < 768; i++) {
        uint16_t port = (uint16_t)(32000 + ((unsigned)getpid() * 31 + next++) % 768);
        struct sockaddr_in a = {
            .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        bool is_free = bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0;

        close(fd);
        if (is_free)
            return port;
    }
    fail_msg("no port is free");
    abort();
}

static void write_config(struct server *s, const char *hostname, const char *more)
{
    FILE *f = fopen(s->config, "w");

    assert_non_null(f);
    fprintf(f, "hostname = \"%s\"\ndata-dir = \"%s\"\n%s\n", hostname, s->data, more);
    fclose(f);
}

/* Copied, since the supervisor may run as somebody who cannot enter the build directory. */
static void copy_room(const struct server *s, const char *name)
{
    char command[1024];

    snprintf(command, sizeof(command), "cp '%s' '%s/%s'", getenv("ROOM_DOUBLE"), s->rooms, name);
    assert_int_equal(system(command), 0);
}

static void listen_for_notes(struct server *s)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    snprintf(at.sun_path, sizeof(at.sun_path), "%s/notify", s->directory);
    s->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->notify, (struct sockaddr *)&at, sizeof(at)), 0);
    setenv("NOTIFY_SOCKET", at.sun_path, 1);
}

static int setup(void **state)
{
    struct server *s = must_alloc(sizeof(*s));

    snprintf(s->directory, sizeof(s->directory), "/tmp/posthorn-supervisor-XXXXXX");
    assert_non_null(mkdtemp(s->directory));
    snprintf(s->config, sizeof(s->config), "%s/posthorn.conf", s->directory);
    snprintf(s->rooms, sizeof(s->rooms), "%s/rooms", s->directory);
    snprintf(s->data, sizeof(s->data), "%s/data", s->directory);
    assert_int_equal(mkdir(s->rooms, 0755), 0);
    copy_room(s, "posthorn-vault");
    copy_room(s, "posthorn-gate");
    listen_for_notes(s);
    s->grace_ms = 300000; /* no room is killed because the machine is slow */
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct server *s = *state;
    char command[128];

    if (s->pid) {
        kill(s->pid, SIGKILL);
        waitpid(s->pid, NULL, 0);
    }
    if (s->story)
        fclose(s->story);
    close(s->notify);
    snprintf(command, sizeof(command), "rm -rf %s", s->directory);
    assert_int_equal(system(command), 0);
    free(s);
    return 0;
}

/* As root the supervisor would want the rooms' users, which this machine may not have. */
static void become_nobody(const struct server *s)
{
    char notify[128];

    snprintf(notify, sizeof(notify), "%s/notify", s->directory);
    if (geteuid() == 0 && (chown(s->directory, 65534, 65534) || chown(notify, 65534, 65534) ||
                           setgid(65534) || setuid(65534)))
        _exit(2);
}

static void start(struct server *s)
{
    int out[2];

    assert_int_equal(pipe(out), 0);
    s->pid = fork();
    if (s->pid == 0) {
        struct supervisor_options options = {s->config, s->rooms, s->grace_ms};
        struct cx cx = {.arena = arena_new(0)};
        enum err e;

        become_nobody(s);
        dup2(out[1], STDERR_FILENO);
        close(out[0]);
        close(out[1]);
        e = supervisor_run(&cx, &options);
        if (e)
            fprintf(stderr, "failed: %s\n", cx.cause);
        _exit(e ? 1 : 0);
    }
    close(out[1]);
    s->story = fdopen(out[0], "r");
}

/* The next line that has both texts in it. */
static const char *wait_line(struct server *s, const char *a, const char *b)
{
    while (fgets(s->line, sizeof(s->line), s->story))
        if (strstr(s->line, a) && strstr(s->line, b))
            return s->line;
    fail_msg("the story ended before \"%s … %s\"", a, b);
    return NULL;
}

/* "vault 123 start …": 123. */
static pid_t pid_in(const char *line)
{
    int pid = 0;

    assert_int_equal(sscanf(line, "%*s %d", &pid), 1);
    return pid;
}

static void wait_note(struct server *s, const char *expected)
{
    char text[100] = "";
    ssize_t n = recv(s->notify, text, sizeof(text) - 1, 0);

    assert_true(n > 0 && strstr(text, expected));
}

static int wait_end(struct server *s)
{
    int status;

    while (fgets(s->line, sizeof(s->line), s->story))
        ;
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    s->pid = 0;
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void write_usual_config(struct server *s, const char *hostname)
{
    char listen[256];

    s->ports[0] = free_port(), s->ports[1] = free_port(), s->ports[2] = free_port();
    snprintf(listen, sizeof(listen),
             "listen smtp { on = {\"127.0.0.1:%u\"} }\nlisten pop3 { on = {\"127.0.0.1:%u\", "
             "\"127.0.0.1:%u\"} }",
             s->ports[0], s->ports[1], s->ports[2]);
    write_config(s, hostname, listen);
}

struct pids {
    pid_t vault, mx, users;
};

/* They start in any order. */
static struct pids wait_all_started(struct server *s)
{
    struct pids p = {0};

    while (!p.vault || !p.mx || !p.users) {
        const char *line = wait_line(s, " start ", "good=1");

        if (!strncmp(line, "vault ", 6)) {
            assert_non_null(strstr(line, "fds=3 sockets=3 listeners=0 certificates=0 control=1"));
            p.vault = pid_in(line);
        } else if (!strncmp(line, "mx ", 3)) {
            assert_non_null(strstr(line, "fds=2 sockets=2 listeners=1 certificates=1 control=0"));
            p.mx = pid_in(line);
        } else {
            assert_non_null(strstr(line, "fds=4 sockets=4 listeners=3 certificates=1 control=0"));
            p.users = pid_in(line);
        }
    }
    return p;
}

static void test_start_and_stop(void **state)
{
    struct server *s = *state;
    char path[128];
    struct stat st;

    write_usual_config(s, "mail.test");
    start(s);
    wait_all_started(s);
    wait_note(s, "READY=1");
    snprintf(path, sizeof(path), "%s/data", s->directory);
    assert_true(stat(path, &st) == 0 && (st.st_mode & 0777) == 0711);
    snprintf(path, sizeof(path), "%s/data/store", s->directory);
    assert_true(stat(path, &st) == 0 && (st.st_mode & 0777) == 0700);
    snprintf(path, sizeof(path), "%s/data/tls/key.pem", s->directory);
    assert_true(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    snprintf(path, sizeof(path), "%s/data/control.sock", s->directory);
    assert_true(stat(path, &st) == 0 && S_ISSOCK(st.st_mode) && (st.st_mode & 07) == 0);
    kill(s->pid, SIGTERM);
    wait_note(s, "STOPPING=1");
    assert_int_equal(wait_end(s), 0);
    assert_int_not_equal(stat(path, &st), 0);
}

static void test_gates_stop_before_the_vault(void **state)
{
    struct server *s = *state;

    write_usual_config(s, "mail.test");
    start(s);
    wait_all_started(s);
    wait_note(s, "READY=1");
    kill(s->pid, SIGTERM);
    wait_line(s, "room_stop", "");
    assert_null(strstr(s->line, "vault"));
    wait_line(s, "room_stop", "");
    assert_null(strstr(s->line, "vault"));
    wait_line(s, "vault", "room_stop");
    assert_int_equal(wait_end(s), 0);
}

static void test_a_room_that_does_not_stop_is_killed(void **state)
{
    struct server *s = *state;

    s->grace_ms = 1; /* the double would stay for ever. The others may be killed as well */
    write_usual_config(s, "stubborn.test");
    start(s);
    wait_all_started(s);
    wait_note(s, "READY=1");
    kill(s->pid, SIGTERM);
    wait_line(s, "room-killed", "room=mx");
    wait_line(s, "room-ended room=mx", "killed by signal 9");
    assert_int_equal(wait_end(s), 0);
}

static void test_dead_gate(void **state)
{
    struct server *s = *state;
    struct pids before;

    write_usual_config(s, "mail.test");
    start(s);
    before = wait_all_started(s);
    wait_note(s, "READY=1");
    kill(before.mx, SIGKILL);
    wait_line(s, "room-died", "room=mx");
    assert_int_equal(pid_in(wait_line(s, "room_gate", "fds=1")), before.vault);
    kill(before.users, SIGKILL);
    wait_line(s, "room-died", "room=users");
    assert_int_equal(pid_in(wait_line(s, "room_gate", "fds=1")), before.vault);
    kill(s->pid, SIGTERM);
    assert_int_equal(wait_end(s), 0);
}

static void test_dead_vault(void **state)
{
    struct server *s = *state;
    struct pids before, after;

    write_usual_config(s, "mail.test");
    start(s);
    before = wait_all_started(s);
    wait_note(s, "READY=1");
    kill(before.vault, SIGKILL);
    wait_line(s, "room-died", "room=vault");
    after = wait_all_started(s);
    assert_true(after.vault != before.vault && after.mx != before.mx && after.users != before.users);
    kill(s->pid, SIGTERM);
    assert_int_equal(wait_end(s), 0);
}

static void test_reload(void **state)
{
    struct server *s = *state;

    write_usual_config(s, "mail.test");
    start(s);
    wait_all_started(s);
    wait_note(s, "READY=1");
    kill(s->pid, SIGHUP);
    wait_note(s, "RELOADING=1\nMONOTONIC_USEC=");
    wait_line(s, " info reloaded ", s->config);
    wait_note(s, "READY=1");
    write_config(s, "mail.test", "frob = 1");
    kill(s->pid, SIGHUP);
    assert_non_null(strstr(wait_line(s, "reload-failed", "frob"), ":3: "));
    wait_note(s, "RELOADING=1");
    wait_note(s, "READY=1");
    kill(s->pid, SIGTERM);
    assert_int_equal(wait_end(s), 0);
}

static void write_secret(const struct server *s, const char *text)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof(path), "%s/secret", s->directory);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(chmod(path, 0644), 0);
}

/* What mx has read before its doors closed it cannot read again: another one takes its place, if it has changed. */
static void test_reload_renews_what_mx_has_read(void **state)
{
    struct server *s = *state;
    struct pids before;
    char more[512];

    s->ports[0] = free_port(), s->ports[1] = free_port();
    snprintf(more, sizeof(more),
             "listen smtp { on = {\"127.0.0.1:%u\"} }\nlisten pop3 { on = {\"127.0.0.1:%u\", "
             "\"[::1]:%u\"} }\n"
             "relay { host = \"isp.test:587\" user = \"fred\" password-file = \"%s/secret\" }",
             s->ports[0], s->ports[1], s->ports[1], s->directory);
    write_config(s, "mail.test", more);
    write_secret(s, "one");
    start(s);
    before = wait_all_started(s);
    wait_note(s, "READY=1");
    kill(s->pid, SIGHUP); /* nothing has changed */
    wait_line(s, " info reloaded ", s->config);
    write_secret(s, "two");
    kill(s->pid, SIGHUP);
    wait_line(s, "room-renewed", "room=mx"); /* the first that says so */
    assert_true(pid_in(wait_line(s, "mx ", " start good=1")) != before.mx);
    assert_int_equal(kill(before.vault, 0), 0); /* the others stay */
    assert_int_equal(kill(before.users, 0), 0);
    kill(s->pid, SIGTERM);
    assert_int_equal(wait_end(s), 0);
}

/* Who may write to the local socket is told to the vault alone. */
static void test_the_vault_hears_of_logins(void **state)
{
    struct server *s = *state;

    write_usual_config(s, "mail.test");
    start(s);
    assert_int_equal(strncmp(wait_line(s, " room_users ", ""), "vault ", 6), 0);
    wait_note(s, "READY=1");
    kill(s->pid, SIGHUP);
    assert_int_equal(strncmp(wait_line(s, " room_users ", ""), "vault ", 6), 0);
    kill(s->pid, SIGTERM);
    assert_int_equal(wait_end(s), 0);
}

/* What is in the way, and a part of what is said. */
static void test_refusals(void **state)
{
    static const struct {
        const char *hostname, *more, *said;
    } rows[] = {
        {"refuse.test", "listen smtp { on = {\"127.0.0.1:%u\"} }",
         "failed: the double does not want to"},
        {"mail.test", "", "nothing to serve"},
        {"mail.test", "listen smtp { on = {\"127.0.0.1:%u\"} }\nfrob = 1",
         ":4: unknown setting \"frob\""},
        {"mail.test", "listen smtp { on = {\"203.0.113.1:%u\"} }", "203.0.113.1:"},
        {"mail.test",
         "listen smtp { on = {\"127.0.0.1:%u\"} }\ntls { certificate = \"/none.pem\" key = \"/k\" }",
         "/none.pem: No such file"},
        {"mail.test",
         "listen smtp { on = {\"127.0.0.1:%u\"} }\ntls { certificate = \"/etc/passwd\" key = "
         "\"/etc/passwd\" }",
         "/etc/passwd: expected a certificate"},
        {"mail.test", "listen smtp { on = {\"127.0.0.1:%u\"} }\ncontrol-socket = \"/nowhere/control\"",
         "/nowhere/control: No such file"},
    };
    struct server *s = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const char *port = strstr(rows[i].more, "%u");
        char more[300];

        snprintf(more, sizeof(more), "%.*s%u%s", port ? (int)(port - rows[i].more) : 0, rows[i].more,
                 port ? free_port() : 0, port ? port + 2 : "");
        write_config(s, rows[i].hostname, port ? more : "");
        start(s);
        wait_line(s, rows[i].said, "failed: ");
        assert_int_equal(wait_end(s), 1);
        fclose(s->story);
        s->story = NULL;
    }
}

/* The second server on the same data, and a port that is taken. */
static void test_two_servers(void **state)
{
    struct server *s = *state;
    struct server second = *s;
    char busy[32], listen[100];

    write_usual_config(s, "mail.test");
    start(s);
    wait_all_started(s);
    wait_note(s, "READY=1");
    second.story = NULL;
    start(&second);
    wait_line(&second, "failed: ", "another server is running on this data directory");
    assert_int_equal(wait_end(&second), 1);
    fclose(second.story);
    snprintf(second.config, sizeof(second.config), "%s/second.conf", s->directory);
    snprintf(second.data, sizeof(second.data), "%s/other/data", s->directory);
    snprintf(busy, sizeof(busy), "127.0.0.1:%u: ", s->ports[0]);
    snprintf(listen, sizeof(listen), "listen smtp { on = {\"127.0.0.1:%u\"} }", s->ports[0]);
    write_config(&second, "mail.test", listen);
    start(&second);
    wait_line(&second, "failed: ", busy);
    assert_int_equal(wait_end(&second), 1);
    fclose(second.story);
    kill(s->pid, SIGTERM);
    assert_int_equal(wait_end(s), 0);
}

static void test_deaths(void **state)
{
    static const struct {
        int64_t at_s, pause_s;
        const char *why;
    } rows[] = {
        {0, 0, "the first"},
        {1, 0, "second"},
        {2, 0, "third"},
        {3, 0, "fourth"},
        {4, 0, "fifth"},
        {5, 1, "more than five in a minute"},
        {7, 2, "and it goes on"},
        {10, 4, "doubling"},
        {15, 8, ""},
        {24, 16, ""},
        {41, 32, ""},
        {74, 60, "up to a minute"},
        {135, 60, "and no further, the pause itself is no quiet minute"},
        {400, 0, "a quiet minute"},
        {401, 0, "and counting anew"},
        {500, 0, "old ones do not count"},
    };
    struct deaths d = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (deaths_note(&d, rows[i].at_s * 1000) != rows[i].pause_s * 1000)
            fail_msg("row %zu: %s", i, rows[i].why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deaths),
        cmocka_unit_test_setup_teardown(test_start_and_stop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gates_stop_before_the_vault, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_room_that_does_not_stop_is_killed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dead_gate, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dead_vault, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reload, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reload_renews_what_mx_has_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_vault_hears_of_logins, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_servers, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
