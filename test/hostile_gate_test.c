/* A real posthorn-vault, and a gate that was taken over: well-formed calls it has no right to, frames that are none, and
 * floods. It gets no session, no other account's mail, no relaying, and crashes nothing: after each attempt an honest
 * gate delivers a message. POSTHORN_BUILD names the directory of the programs. */
#include "base/arena.h"
#include "base/codec.h"
#include "base/scoped.h"
#include "control/layout.h"
#include "control/room.h"
#include "rpc/client.h"
#include "rpc/frame.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_S 300 /* with what is sure to come, however slow the machine is */

struct world {
    struct cx cx;
    struct room_process vault;
    struct config *config;
    char directory[64], text[1024];
    int mx, users; /* our ends of the first channels */
    struct rpc_client *postmaster;
};

static void must(struct world *w, enum err e)
{
    if (e)
        fail_msg("%s: %s", err_row(e)->name, w->cx.cause);
}

static void pair(int ends[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
}

/* Another life of a gate, as the supervisor would start one. */
static int new_gate(struct world *w, bool users)
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

static void start_vault(struct world *w)
{
    struct room_start_request q = {
        .settings = str_from_c(w->text), .settings_name = S("test"), .has_control = true};
    struct buf b = buf_make(65536);
    int control, out[2];

    must(w, layout_make(&w->cx, w->config));
    must(w, layout_control_socket(&w->cx, w->config, &control));
    must(w, room_spawn(&w->cx, &w->vault, getenv("POSTHORN_BUILD"), -1));
    pack_room_start_request(&b, &q);
    must(w, room_call(&w->vault, &w->cx, CALL_room_start, buf_str(&b), &control, 1));
    buf_free(&b);
    close(control);
    out[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un at;

    assert_true(unix_address(w->config->control_socket, &at));
    assert_int_equal(connect(out[0], (struct sockaddr *)&at, sizeof(at)), 0);
    w->postmaster = rpc_client_new(out[0], 1);
    w->mx = new_gate(w, false);
    w->users = new_gate(w, true);
}

static int set_up(void **state)
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
                                                            .password = S("geheim")},
                              &(struct account_add_reply){0}));
    *state = w;
    return 0;
}

static int tear_down(void **state)
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

/* ---- an honest gate still gets through ---- */

static uint64_t emails_of_tom(struct world *w)
{
    struct account_show_request q = {.address = S("tom@acompany.test")};
    struct account_show_reply r;

    rpc_use(w->postmaster);
    must(w, vault_account_show(&w->cx, &q, &r));
    return r.account.emails;
}

static enum err envelope(struct world *w, struct path to, struct handle session, struct body_id *id)
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

static enum err deliver(struct world *w, struct path to, struct body_id id)
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

static const struct path tom = {{"tom", 3}, {"acompany.test", 13}},
                         stranger = {{"x", 1}, {"other.test", 10}};

static void still_works(struct world *w)
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

/* ---- well-formed, without the right ---- */

static void test_no_relaying_and_no_session(void **state)
{
    struct world *w = *state;
    struct rpc_client *gate = rpc_client_new(w->mx, 4);
    struct body_id id = {0};
    struct handle guess = {random_u64(), random_u64()};

    w->mx = -1;
    rpc_use(gate);
    assert_int_equal(envelope(w, stranger, (struct handle){0}, &id), ERR_NO_RELAY);
    assert_int_equal(envelope(w, stranger, guess, &id), ERR_AUTH_NEEDED);
    must(w, envelope(w, tom, (struct handle){0}, &id));
    assert_int_equal(deliver(w, stranger, id), ERR_NO_RELAY);
    assert_int_equal(deliver(w, tom, (struct body_id){id.v + 1}), ERR_BAD_CALL);
    rpc_client_free(gate);
    still_works(w);
}

/* mx holds no user's session, and no gate is the postmaster; the row of each call says so. */
static void test_calls_of_other_rooms(void **state)
{
    static const enum call for_users[] = {CALL_signon_begin, CALL_signon_step, CALL_signon_end,
                                          CALL_attach, CALL_local_begin};
    static const enum call for_mx[] = {CALL_queue_take, CALL_queue_more, CALL_queue_piece,
                                       CALL_queue_done};
    static const enum call for_postmaster[] = {
        CALL_domain_add,  CALL_account_add, CALL_account_list, CALL_account_password, CALL_alias_add,
        CALL_queue_list,  CALL_trace,       CALL_check,        CALL_status,           CALL_room_stop,
        CALL_room_reload, CALL_room_start,  CALL_room_gate,    CALL_room_users};
    struct world *w = *state;
    struct rpc_client *mx = rpc_client_new(w->mx, 4), *users = rpc_client_new(w->users, 4);
    struct str reply;

    w->mx = w->users = -1;
    for (size_t i = 0; i < sizeof(for_users) / sizeof(*for_users); i++)
        assert_int_equal(rpc_call(mx, &w->cx, for_users[i], S(""), NULL, 0, &reply), ERR_BAD_CALL);
    for (size_t i = 0; i < sizeof(for_mx) / sizeof(*for_mx); i++)
        assert_int_equal(rpc_call(users, &w->cx, for_mx[i], S(""), NULL, 0, &reply), ERR_BAD_CALL);
    for (size_t i = 0; i < sizeof(for_postmaster) / sizeof(*for_postmaster); i++) {
        assert_int_equal(rpc_call(mx, &w->cx, for_postmaster[i], S(""), NULL, 0, &reply), ERR_BAD_CALL);
        assert_int_equal(rpc_call(users, &w->cx, for_postmaster[i], S(""), NULL, 0, &reply),
                         ERR_BAD_CALL);
        assert_int_equal(w->cx.cause[0], '\0'); /* a gate hears which error, never why */
    }
    rpc_client_free(mx);
    rpc_client_free(users);
    still_works(w);
}

/* A session belongs to the life of the gate that it was given to, and is attached once, with a stream. */
static struct handle sign_on(struct world *w, uint32_t protocol)
{
    struct signon_begin_request begin = {
        .protocol = protocol, .mechanism = S("PLAIN"), .client = S("198.51.100.1"), .tls = true};
    struct signon_begin_reply begun;
    struct signon_step_request step = {.from_client = S("\0tom@acompany.test\0geheim")};
    struct signon_step_reply done;

    must(w, vault_signon_begin(&w->cx, &begin, &begun));
    step.signon = begun.signon;
    must(w, vault_signon_step(&w->cx, &step, &done));
    assert_int_equal(done.state, SIGNON_DONE);
    return done.session;
}

static enum err attach_as(struct world *w, struct rpc_client *c, const struct attach_request *q, int fd)
{
    struct buf b = buf_make(1000);
    struct str reply;
    enum err e;

    pack_attach_request(&b, q);
    e = rpc_call(c, &w->cx, CALL_attach, buf_str(&b), &fd, 1, &reply);
    buf_free(&b);
    close(fd);
    return e;
}

static enum err attach(struct world *w, struct rpc_client *c, struct handle session, int fd)
{
    return attach_as(
        w, c, &(struct attach_request){.session = session, .protocol = PROTOCOL_POP3, .tls = true}, fd);
}

/* A session is of the protocol that it was made for, whatever the gate would like to make of it; and what the client
 * is answered first goes by its own tag, not by lines that somebody would like it to read. */
static void test_attach_is_of_one_protocol(void **state)
{
    static const struct {
        uint32_t made_for, attached_to;
        struct str tag;
    } rows[] = {
        {PROTOCOL_IMAP, PROTOCOL_POP3, {"", 0}},          {PROTOCOL_IMAP, PROTOCOL_IMAP, {"", 0}},
        {PROTOCOL_IMAP, PROTOCOL_IMAP, {"a OK\r\nb", 7}}, {PROTOCOL_IMAP, PROTOCOL_IMAP, {"*", 1}},
        {PROTOCOL_IMAP, PROTOCOL_IMAP, {"+", 1}},         {PROTOCOL_IMAP, PROTOCOL_IMAP, {"a\0b", 3}},
        {PROTOCOL_POP3, PROTOCOL_IMAP, {"a1", 2}},        {PROTOCOL_POP3, PROTOCOL_POP3, {"a1", 2}},
        {PROTOCOL_SMTP, PROTOCOL_IMAP, {"a1", 2}},        {PROTOCOL_SMTP, PROTOCOL_SMTP, {"", 0}},
        {PROTOCOL_IMAP, UINT32_MAX, {"a1", 2}},
    };
    struct world *w = *state;
    struct rpc_client *users = rpc_client_new(w->users, 4);
    int ends[2];

    w->users = -1;
    rpc_use(users);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct attach_request q = {.session = sign_on(w, rows[i].made_for),
                                   .protocol = rows[i].attached_to,
                                   .tls = true,
                                   .tag = rows[i].tag};

        pair(ends);
        assert_int_equal(attach_as(w, users, &q, ends[0]), ERR_BAD_CALL);
        close(ends[1]);
        pair(ends); /* and it has had its chance */
        q.protocol = rows[i].made_for;
        q.tag = rows[i].made_for == PROTOCOL_IMAP ? S("a1") : STR_NONE;
        assert_int_equal(attach_as(w, users, &q, ends[0]), ERR_AUTH_NEEDED);
        close(ends[1]);
    }
    rpc_client_free(users);
    still_works(w);
}

/* Bindings that a gate makes up bind to what it makes up; none of it signs anybody on without the password. */
static void test_made_up_bindings(void **state)
{
    struct binding bindings[5] = {{S("tls-exporter"), S("made up")}};
    struct signon_begin_request q = {.protocol = PROTOCOL_IMAP,
                                     .mechanism = S("SCRAM-SHA-256-PLUS"),
                                     .client = S("198.51.100.3"),
                                     .tls = true,
                                     .bindings = bindings,
                                     .bindings_count = 1,
                                     .has_said = true,
                                     .said = S("p=tls-exporter,,n=tom,r=abc")};
    struct world *w = *state;
    struct rpc_client *users = rpc_client_new(w->users, 4);
    struct signon_begin_reply r;
    struct signon_step_reply done;

    w->users = -1;
    rpc_use(users);
    must(w, vault_signon_begin(&w->cx, &q, &r));
    assert_int_equal(r.state, SIGNON_MORE);
    assert_int_equal(vault_signon_step(&w->cx,
                                       &(struct signon_step_request){
                                           .signon = r.signon, .from_client = S("c=,r=abc,p=AAAA")},
                                       &done),
                     ERR_AUTH_FAILED);
    q.bindings_count = 5; /* more than the call has room for */
    assert_int_equal(vault_signon_begin(&w->cx, &q, &r), ERR_BAD_CALL);
    q.bindings_count = 1;
    q.said = S("n,,n=tom,r=abc");
    assert_int_equal(vault_signon_begin(&w->cx, &q, &r), ERR_AUTH_FAILED);
    q.tls = false;
    assert_int_equal(vault_signon_begin(&w->cx, &q, &r), ERR_NO_MECHANISM);
    rpc_client_free(users);
    still_works(w);
}

static void test_attach_takes_only_its_own_stream(void **state)
{
    struct world *w = *state;
    struct rpc_client *users = rpc_client_new(w->users, 4),
                      *other = rpc_client_new(new_gate(w, true), 4);
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int udp = socket(AF_INET, SOCK_DGRAM, 0), listening = socket(AF_INET, SOCK_STREAM, 0), ends[2];
    struct handle session;

    w->users = -1;
    rpc_use(users);
    session = sign_on(w, PROTOCOL_POP3);
    assert_int_equal(bind(listening, (struct sockaddr *)&any, sizeof(any)), 0);
    assert_int_equal(listen(listening, 1), 0);
    assert_int_equal(attach(w, users, session, udp), ERR_BAD_CALL); /* could be pointed anywhere */
    assert_int_equal(attach(w, users, session, listening), ERR_BAD_CALL); /* could be accepted from */
    assert_int_equal(attach(w, users, session, open("/dev/null", O_RDWR)), ERR_BAD_CALL);
    pair(ends);
    assert_int_equal(attach(w, other, session, ends[0]), ERR_AUTH_NEEDED); /* another gate's session */
    close(ends[1]);
    pair(ends);
    assert_int_equal(attach(w, users, (struct handle){session.hi, session.lo ^ 1}, ends[0]),
                     ERR_AUTH_NEEDED);
    close(ends[1]);
    rpc_client_free(users);
    rpc_client_free(other);
    still_works(w);
}

static void test_wrong_passwords_give_nothing(void **state)
{
    struct world *w = *state;
    struct rpc_client *users = rpc_client_new(w->users, 4);
    struct signon_begin_request begin = {
        .protocol = PROTOCOL_POP3, .mechanism = S("PLAIN"), .client = S("198.51.100.2"), .tls = true};
    struct signon_begin_reply begun;
    struct signon_step_request step = {.from_client = S("\0tom@acompany.test\0wrong")};
    struct signon_step_reply done;
    enum err e;

    w->users = -1;
    rpc_use(users);
    must(w, vault_signon_begin(&w->cx, &begin, &begun));
    step.signon = begun.signon;
    assert_int_equal(vault_signon_step(&w->cx, &step, &done), ERR_AUTH_FAILED);
    e = vault_signon_step(&w->cx, &step, &done); /* it is over */
    assert_true(e != OK);
    step.signon = random_u64();
    e = vault_signon_step(&w->cx, &step, &done);
    assert_true(e != OK);
    rpc_client_free(users);
    still_works(w);
}

/* ---- users of this machine ---- */

#define NOBODY 65534

static enum err local_begin(struct world *w, struct rpc_client *c, int fd, struct handle *session)
{
    struct str reply;
    struct unpack u;
    struct local_begin_reply r;
    enum err e = rpc_call(c, &w->cx, CALL_local_begin, S(""), &fd, fd >= 0, &reply);

    close_fd(&fd);
    if (e)
        return e;
    u = unpack_begin(reply);
    unpack_local_begin_reply(w->cx.arena, &u, &r);
    assert_true(unpack_done(&u));
    *session = r.session;
    return OK;
}

static int dial(struct str path)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un to;

    assert_true(unix_address(path, &to));
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

/* Somebody connects to the local socket and stays a while; what the gate accepts. */
static int accept_from(struct world *w, int listening, uid_t uid, pid_t *who)
{
    int fd;

    *who = fork();
    if (*who == 0) {
        if (geteuid() == 0 && setuid(uid))
            _exit(1);
        fd = dial(w->config->submit_socket);
        pause();
        _exit(fd);
    }
    fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    while (fd < 0) { /* the supervisor's does not block */
        struct pollfd p = {.fd = listening, .events = POLLIN};

        poll(&p, 1, -1);
        fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    }
    return fd;
}

static void gone(pid_t who)
{
    kill(who, SIGKILL);
    waitpid(who, NULL, 0);
}

/* The ends from which root is seen, though root said nothing: of a connection to whatever root listens on. */
static void test_a_uid_cannot_be_claimed(void **state)
{
    struct world *w = *state;
    struct rpc_client *users = rpc_client_new(w->users, 4), *mx = rpc_client_new(w->mx, 4);
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(any);
    int listening, tcp = socket(AF_INET, SOCK_STREAM, 0), to_tcp = socket(AF_INET, SOCK_STREAM, 0),
                   ends[2];
    struct handle session;

    w->mx = w->users = -1;
    must(w, layout_submit_socket(&w->cx, w->config, &listening));
    assert_int_equal(bind(tcp, (struct sockaddr *)&any, sizeof(any)), 0);
    assert_int_equal(listen(tcp, 1), 0);
    assert_int_equal(getsockname(tcp, (struct sockaddr *)&any, &n), 0);
    assert_int_equal(connect(to_tcp, (struct sockaddr *)&any, sizeof(any)), 0);
    pair(ends);

    assert_int_equal(local_begin(w, users, -1, &session), ERR_BAD_CALL);
    assert_int_equal(local_begin(w, users, ends[0], &session), ERR_BAD_CALL);
    assert_int_equal(local_begin(w, users, to_tcp, &session), ERR_BAD_CALL);
    assert_int_equal(local_begin(w, users, dial(w->config->control_socket), &session), ERR_BAD_CALL);
    assert_int_equal(local_begin(w, users, dial(w->config->submit_socket), &session), ERR_BAD_CALL);
    assert_int_equal(local_begin(w, users, dup(listening), &session), ERR_BAD_CALL);
    assert_int_equal(local_begin(w, mx, dup(listening), &session), ERR_BAD_CALL);
    close(ends[1]);
    close(tcp);
    close(listening);
    rpc_client_free(users);
    rpc_client_free(mx);
    still_works(w);
}

static void tell_users(struct world *w)
{
    struct local_user nobody = {NOBODY, S("nobody")};
    struct room_users_request q = {.users = &nobody, .users_count = 1};
    struct buf b = buf_make(100);

    pack_room_users_request(&b, &q);
    must(w, room_call(&w->vault, &w->cx, CALL_room_users, buf_str(&b), NULL, 0));
    buf_free(&b);
}

static enum err envelope_as(struct world *w, struct path from, struct path to, struct handle session)
{
    struct rcpt rcpt = {.to = to};
    struct envelope_request q = {.session = session,
                                 .client = S("uid:0"),
                                 .reverse_path = from,
                                 .rcpts = &rcpt,
                                 .rcpts_count = 1};
    struct envelope_reply r;
    enum err e = vault_envelope(&w->cx, &q, &r);

    return e ? e : r.mail ? r.mail : r.rcpts[0].answer;
}

/* While somebody is connected a gate can act for him, in this life, and in no one else's name. */
static void test_a_user_is_who_the_kernel_says(void **state)
{
    static const struct path himself = {{"nobody", 6}, {"acompany.test", 13}};
    struct world *w = *state;
    struct rpc_client *users = rpc_client_new(w->users, 4),
                      *other = rpc_client_new(new_gate(w, true), 4);
    struct handle session;
    int listening, ends[2];
    pid_t who;

    w->users = -1;
    if (geteuid() != 0) { /* all that connect are one user then, and that is the operator */
        rpc_client_free(users);
        rpc_client_free(other);
        skip();
    }
    must(w, layout_submit_socket(&w->cx, w->config, &listening));
    assert_int_equal(local_begin(w, users, accept_from(w, listening, NOBODY, &who), &session),
                     ERR_DENIED);
    gone(who); /* that uid has no login */
    tell_users(w);
    must(w, local_begin(w, users, accept_from(w, listening, NOBODY, &who), &session));
    rpc_use(users);
    must(w, envelope_as(w, himself, stranger, session));
    assert_int_equal(envelope_as(w, tom, stranger, session), ERR_BAD_SENDER);
    rpc_use(other);
    assert_int_equal(envelope_as(w, himself, stranger, session), ERR_AUTH_NEEDED);
    pair(ends);
    assert_int_equal(attach(w, users, session, ends[0]), ERR_BAD_CALL); /* it opens no mailbox */
    close(ends[1]);
    gone(who);

    must(w, local_begin(w, users, accept_from(w, listening, 0, &who), &session));
    rpc_use(users);
    must(w, envelope_as(w, tom, stranger, session));
    gone(who);
    close(listening);
    rpc_client_free(users);
    rpc_client_free(other);
    still_works(w);
}

/* ---- malformed ---- */

/* Frames of every call with random payloads, from all rooms' channels: some are refused, none is fatal. */
static void test_random_payloads(void **state)
{
    struct world *w = *state;
    struct rpc_client *gates[] = {rpc_client_new(w->mx, 4), rpc_client_new(w->users, 4)};
    char bytes[300];
    struct str reply;

    w->mx = w->users = -1;
    srand(42);
    for (int round = 0; round < 2000; round++)
        for (size_t g = 0; g < 2; g++) {
            unsigned call = (unsigned)rand() % (CALL_COUNT + 3);
            size_t n = (size_t)rand() % sizeof(bytes);

            if (call == CALL_none || call == CALL_attach || call == CALL_queue_take)
                continue; /* those that are answered later, or never */
            for (size_t i = 0; i < n; i++)
                bytes[i] = (char)(rand() % (round % 2 ? 256 : 4)); /* small numbers parse more often */
            rpc_call(gates[g], &w->cx, (enum call)call, (struct str){bytes, n}, NULL, 0, &reply);
            arena_reset(w->cx.arena);
        }
    rpc_client_free(gates[0]);
    rpc_client_free(gates[1]);
    must(w, config_parse(&w->cx, str_from_c(w->text), "test", w->cx.arena,
                         &w->config)); /* was in the arena */
    still_works(w);
}

static bool ends_soon(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char byte[4096];
    ssize_t n;

    do {
        if (poll(&p, 1, PATIENCE_S * 1000) <= 0)
            return false;
        n = recv(fd, byte, sizeof(byte), 0);
    } while (n > 0);
    return true;
}

static void test_a_frame_that_never_ends(void **state)
{
    struct world *w = *state;
    struct frame f = {.size = UINT32_MAX, .call = CALL_deliver};

    assert_int_equal(send(w->mx, &f, sizeof(f), MSG_NOSIGNAL), sizeof(f));
    assert_true(ends_soon(w->mx));
    still_works(w);
}

/* An envelope with a hundred recipients: its answer is long. */
static void put_envelope(struct buf *frame, uint64_t id)
{
    struct rcpt rcpts[100];
    struct envelope_request q = {.client = S("198.51.100.1"), .rcpts = rcpts, .rcpts_count = 100};
    size_t begun = frame_begin(frame, CALL_envelope, 0, id);

    for (int i = 0; i < 100; i++)
        rcpts[i] = (struct rcpt){.to = tom};
    pack_envelope_request(frame, &q);
    frame_end(frame, begun);
}

/* Until it is not taken any more, for as long as the patience, or `most` bytes are sent. */
static size_t send_without_end(int fd, uint64_t id, size_t most, int patience_s)
{
    struct timeval patience = {.tv_sec = patience_s};
    struct buf frame = buf_make(1 << 20);
    size_t sent = 0;
    ssize_t n;

    put_envelope(&frame, id);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    while (sent < most && (n = send(fd, frame.p, frame.n, MSG_NOSIGNAL)) == (ssize_t)frame.n)
        sent += frame.n;
    buf_free(&frame);
    return sent;
}

/* Asks without end and never reads: the channel goes, not the vault's memory or one of its threads. */
static void test_a_gate_that_never_reads(void **state)
{
    struct world *w = *state;

    assert_true(send_without_end(w->mx, 1, 200u << 20, 5) < 200u << 20);
    still_works(w);
}

static void announce(int first, uint64_t id, int end)
{
    struct buf hello = buf_make(100);

    frame_end(&hello, frame_begin(&hello, CALL_none, 0, id));
    frame_carries(&hello, 0, 1);
    assert_true(frame_send(first, buf_str(&hello), &end, 1));
    buf_free(&hello);
}

/* The same with open calls: before there is a channel to answer on, on one that is not read and then closed, and on others
 * that take its place. */
static void test_a_gate_that_never_reads_its_answers(void **state)
{
    struct world *w = *state;
    int ends[2];

    send_without_end(w->mx, FRAME_OPEN | 1, 1 << 20, PATIENCE_S);
    for (int i = 0; i < 3; i++) {
        pair(ends);
        announce(w->mx, FRAME_OPEN, ends[1]);
        close(ends[1]);
        send_without_end(w->mx, FRAME_OPEN | 7, 4 << 20, PATIENCE_S);
        close(ends[0]);
    }
    still_works(w);
}

/* Of tom's, for somebody elsewhere: it waits in the queue. */
static void send_outside(struct world *w)
{
    struct rpc_client *users = rpc_client_new(w->users, 4);
    struct rcpt rcpt = {.to = stranger};
    struct envelope_request q = {
        .client = S("198.51.100.1"), .reverse_path = tom, .rcpts = &rcpt, .rcpts_count = 1};
    struct body_part part = {.body = 2, .end = 7, .lines = 1};
    struct deliver_request d = {.client = q.client,
                                .reverse_path = tom,
                                .rcpts = &rcpt,
                                .rcpts_count = 1,
                                .last = S("\r\nhi!\r\n"),
                                .parts = &part,
                                .parts_count = 1};
    struct envelope_reply r;

    w->users = -1;
    rpc_use(users);
    q.session = d.session = sign_on(w, PROTOCOL_SMTP);
    must(w, vault_envelope(&w->cx, &q, &r));
    d.transaction = r.transaction;
    must(w, vault_deliver(&w->cx, &d, &(struct deliver_reply){0}));
    rpc_client_free(users);
}

/* It closes its first channel and goes on calling: a lease that it got would be nobody's, and never come back. */
static void test_a_gate_that_goes_on_after_its_end(void **state)
{
    struct world *w = *state;
    struct queue_more_request q = {.destination = stranger.domain};
    struct queue_more_reply r;
    struct buf frame = buf_make(1000);
    struct rpc_client *honest;
    size_t begun;
    int ends[2];

    send_outside(w);
    pair(ends);
    announce(w->mx, 0, ends[1]);
    close(ends[1]);
    begun = frame_begin(&frame, CALL_queue_more, 0, 1);
    pack_queue_more_request(&frame, &q);
    frame_end(&frame, begun);
    shutdown(w->mx, SHUT_WR);
    assert_true(ends_soon(w->mx));
    send(ends[0], frame.p, frame.n, MSG_NOSIGNAL);
    assert_true(ends_soon(ends[0]));
    close(ends[0]);
    buf_free(&frame);

    honest = rpc_client_new(new_gate(w, false), 4);
    rpc_use(honest);
    must(w, vault_queue_more(&w->cx, &q, &r));
    assert_int_equal(r.entries_count, 1);
    rpc_client_free(honest);
    still_works(w);
}

static void test_descriptors_that_nobody_asked_for(void **state)
{
    struct world *w = *state;
    struct rpc_client *gate = rpc_client_new(w->mx, 4);
    int fds[FRAME_FDS];
    struct str reply;

    w->mx = -1;
    for (size_t i = 0; i < FRAME_FDS; i++)
        fds[i] = open("/dev/null", O_RDONLY);
    for (int round = 0; round < 1000; round++) /* 80,000 in all: more than the vault may have open */
        rpc_call(gate, &w->cx, CALL_envelope_end, S("\1"), fds, FRAME_FDS, &reply);
    for (size_t i = 0; i < FRAME_FDS; i++)
        close(fds[i]);
    rpc_client_free(gate);
    still_works(w);
}

/* ---- lanes ---- */

#define LONG_CALLS 40

static int connect_control(struct world *w)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un at;

    assert_true(unix_address(w->config->control_socket, &at));
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

/* The long lane is full of password hashes, of which three are computed at a time, and a message is delivered meanwhile.
 * True: before the last of them was done. */
static bool is_faster_than_the_long_lane(struct world *w)
{
    struct account_password_request q = {.address = S("tom@acompany.test"), .password = S("geheim")};
    struct buf b = buf_make(1000), frame = buf_make(1000);
    int fd = connect_control(w);
    size_t begun = frame_begin(&frame, CALL_account_password, 0, 1), answered = 0;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    bool is_faster;
    char bytes[4096];

    pack_account_password_request(&b, &q);
    buf_add(&frame, buf_str(&b));
    frame_end(&frame, begun);
    for (int i = 0; i < LONG_CALLS; i++)
        assert_int_equal(send(fd, frame.p, frame.n, MSG_NOSIGNAL), frame.n);
    still_works(w);
    while (poll(&p, 1, 0) == 1 && answered < LONG_CALLS * FRAME_HEADER) {
        ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

        assert_true(n > 0);
        answered += (size_t)n; /* each answer is a header and nothing else */
    }
    is_faster = answered < LONG_CALLS * FRAME_HEADER;
    close(fd);
    buf_free(&b);
    buf_free(&frame);
    return is_faster;
}

/* A machine that lets the test stand still makes it late, but not every time. */
static void test_mail_does_not_wait_for_the_long_lane(void **state)
{
    int late = 0;

    while (!is_faster_than_the_long_lane(*state))
        assert_true(++late < 10);
}

/* The gate goes while passwords are computed for it, and then the vault is told to stop. What comes of it, a session or two,
 * is nobody's. */
static void test_stopping_with_the_long_lane_at_work(void **state)
{
    struct world *w = *state;
    struct signon_begin_request q = {.protocol = PROTOCOL_IMAP,
                                     .mechanism = S("PLAIN"),
                                     .client = S("198.51.100.1"),
                                     .tls = true,
                                     .has_said = true,
                                     .said = S("\0tom@acompany.test\0geheim")};
    struct buf frame = buf_make(1000);
    size_t begun = frame_begin(&frame, CALL_signon_begin, 0, 1);

    pack_signon_begin_request(&frame, &q);
    frame_end(&frame, begun);
    for (int i = 0; i < LONG_CALLS; i++)
        assert_int_equal(send(w->users, frame.p, frame.n, MSG_NOSIGNAL), frame.n);
    buf_free(&frame);
    close_fd(&w->users); /* tear_down() stops the vault, and sees how it ends */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_no_relaying_and_no_session, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_calls_of_other_rooms, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_attach_takes_only_its_own_stream, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_attach_is_of_one_protocol, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_made_up_bindings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_passwords_give_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_uid_cannot_be_claimed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_user_is_who_the_kernel_says, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_random_payloads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_frame_that_never_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_gate_that_never_reads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_gate_that_never_reads_its_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_gate_that_goes_on_after_its_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_descriptors_that_nobody_asked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mail_does_not_wait_for_the_long_lane, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stopping_with_the_long_lane_at_work, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
