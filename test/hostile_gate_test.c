/* A real posthorn-vault, and a gate that was taken over and makes well-formed calls that it has no right to. It gets no
 * session, no other account's mail, no relaying and no other user's name: hostile_gate.h. */
#include "hostile_gate.h"
#include "base/codec.h"
#include "base/scoped.h"
#include "control/layout.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- without the right ---- */

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

/* A session belongs to the life of the gate that it was given to, and is attached once, with a stream. */
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
