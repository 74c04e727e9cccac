/* We are the supervisor here: we start the vault over its leash as control/ does, give it the far ends of the gates' channels
 * and keep the near ones, and on the control socket we are the postmaster. */
#include "hostile_gate.h"
#include "base/arena.h"
#include "base/scoped.h"
#include "control/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

void must(struct world *w, enum err e)
{
    if (e)
        fail_msg("%s: %s", err_row(e)->name, w->cx.cause);
}

void pair(int ends[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
}

int new_gate(struct world *w, bool users)
{
    struct room_gate_request q = {.users = users};
    struct buf b = buf_make(100);
    int ends[2];

    pair(ends);
    pack_room_gate_request(&b, &q);
    must(w, room_call(&w->vault, &w->cx, CALL_room_gate, buf_str(&b), &ends[1], 1));
    close(ends[1]);
    buf_free(&b);
    return ends[0];
}

int dial(struct str path)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un to;

    assert_true(unix_address(path, &to));
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static void start_vault(struct world *w)
{
    struct room_start_request q = {
        .settings = str_from_c(w->text), .settings_name = S("test"), .has_control = true};
    struct buf b = buf_make(65536);
    int control;

    must(w, layout_make(&w->cx, w->config));
    must(w, layout_control_socket(&w->cx, w->config, &control));
    must(w, room_spawn(&w->cx, &w->vault, getenv("POSTHORN_BUILD"), -1));
    pack_room_start_request(&b, &q);
    must(w, room_call(&w->vault, &w->cx, CALL_room_start, buf_str(&b), &control, 1));
    buf_free(&b);
    close(control);
    w->postmaster = rpc_client_new(dial(w->config->control_socket), 1);
    w->mx = new_gate(w, false);
    w->users = new_gate(w, true);
}

int set_up(void **state)
{
    struct world *w = must_alloc(sizeof(*w));

    w->cx.arena = arena_new(0);
    snprintf(w->directory, sizeof(w->directory), "/tmp/posthorn-hostile-XXXXXX");
    assert_non_null(mkdtemp(w->directory));
    assert_int_equal(chmod(w->directory, 0755), 0);
    snprintf(w->text, sizeof(w->text),
             "hostname = \"mail.acompany.test\"\npostmaster = \"postmaster@acompany.test\"\n"
             "data-dir = \"%s\"\nlimits { disk-reserve = \"1M\" message-size = \"1M\" }\n",
             w->directory);
    must(w, config_parse(&w->cx, str_from_c(w->text), "test", w->cx.arena, &w->config));
    w->vault = (struct room_process){.kind = ROOM_VAULT, .leash = -1};
    start_vault(w);
    rpc_use(w->postmaster);
    must(w, vault_domain_add(&w->cx, &(struct domain_add_request){.domain = S("acompany.test")},
                             &(struct domain_add_reply){0}));
    must(w, vault_account_add(&w->cx,
                              &(struct account_add_request){.address = S("tom@acompany.test"),
                                                            .password = S("sehr geheim")},
                              &(struct account_add_reply){0}));
    *state = w;
    return 0;
}

int tear_down(void **state)
{
    struct world *w = *state;
    char command[100];
    int status = -1;

    rpc_client_free(w->postmaster);
    close_fd(&w->mx);
    close_fd(&w->users);
    must(w, room_call(&w->vault, &w->cx, CALL_room_stop, S(""), NULL, 0));
    assert_int_equal(waitpid(w->vault.pid, &status, 0), w->vault.pid);
    assert_true(WIFEXITED(status) &&
                WEXITSTATUS(status) == 0); /* no sanitizer had a word to say either */
    room_reset(&w->vault);
    snprintf(command, sizeof(command), "rm -rf '%s'", w->directory);
    assert_int_equal(system(command), 0);
    arena_free(w->cx.arena);
    free(w);
    return 0;
}

static uint64_t emails_of_tom(struct world *w)
{
    struct account_show_request q = {.address = S("tom@acompany.test")};
    struct account_show_reply r;

    rpc_use(w->postmaster);
    must(w, vault_account_show(&w->cx, &q, &r));
    return r.account.used.messages;
}

enum err envelope(struct world *w, struct path to, struct handle session, struct body_id *id)
{
    struct rcpt rcpt = {.to = to};
    struct envelope_request q = {.session = session,
                                 .client = S("198.51.100.1"),
                                 .reverse_path = {S("a"), S("elsewhere.test")},
                                 .rcpts = &rcpt,
                                 .rcpts_count = 1};
    struct envelope_reply r;
    enum err e = vault_envelope(&w->cx, &q, &r);

    if (e)
        return e;
    *id = r.transaction;
    return r.mail ? r.mail : r.rcpts[0].answer;
}

enum err deliver(struct world *w, struct path to, struct body_id id)
{
    struct rcpt rcpt = {.to = to};
    struct body_part part = {.body = 2, .end = 7, .lines = 1};
    struct deliver_request q = {.transaction = id,
                                .client = S("198.51.100.1"),
                                .reverse_path = {S("a"), S("elsewhere.test")},
                                .rcpts = &rcpt,
                                .rcpts_count = 1,
                                .last = S("\r\nhi!\r\n"),
                                .parts = &part,
                                .parts_count = 1};

    return vault_deliver(&w->cx, &q, &(struct deliver_reply){0});
}

const struct path tom = {{"tom", 3}, {"acompany.test", 13}}, stranger = {{"x", 1}, {"other.test", 10}};

void still_works(struct world *w)
{
    uint64_t before = emails_of_tom(w);
    struct rpc_client *honest = rpc_client_new(new_gate(w, false), 4);
    struct body_id id;

    rpc_use(honest);
    must(w, envelope(w, tom, (struct handle){0}, &id));
    must(w, deliver(w, tom, id));
    rpc_client_free(honest);
    assert_int_equal(emails_of_tom(w), before + 1);
}

struct handle sign_on(struct world *w, uint32_t protocol)
{
    struct signon_begin_request begin = {
        .protocol = protocol, .mechanism = S("PLAIN"), .client = S("198.51.100.1"), .tls = true};
    struct signon_begin_reply begun;
    struct signon_step_request step = {.from_client = S("\0tom@acompany.test\0sehr geheim")};
    struct signon_step_reply done;

    must(w, vault_signon_begin(&w->cx, &begin, &begun));
    step.signon = begun.signon;
    must(w, vault_signon_step(&w->cx, &step, &done));
    assert_int_equal(done.state, SIGNON_DONE);
    return done.session;
}
