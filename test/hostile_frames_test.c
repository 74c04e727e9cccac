/* A real posthorn-vault, and a gate that was taken over and sends what no gate would: frames that are none or never end,
 * floods, descriptors that nobody asked for, and more work than a lane can do. Nothing of it is fatal, nor keeps the mail
 * of an honest gate from coming in: hostile_gate.h. */
#include "hostile_gate.h"
#include "base/arena.h"
#include "base/scoped.h"
#include "rpc/frame.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_S 300 /* with what is sure to come, however slow the machine is */

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

static void expect_answer(int fd, enum call call)
{
    struct buf in = buf_make(FRAME_LIMIT + FRAME_HEADER);
    int fds[FRAME_FDS];
    struct str payload;
    struct frame f;
    size_t n = 0;
    bool bad;

    while (!frame_parse(buf_str(&in), &f, &payload, &bad)) {
        struct pollfd p = {.fd = fd, .events = POLLIN};

        assert_int_equal(poll(&p, 1, PATIENCE_S * 1000), 1);
        assert_int_equal(frame_receive(fd, &in, fds, &n), 1);
    }
    assert_int_equal(f.call, call);
    buf_free(&in);
}

/* As many channels as an honest gate opens all work, each with the beginning of a long frame in it; with one more that life
 * ends. */
static void test_no_more_channels_than_a_gate_needs(void **state)
{
    struct world *w = *state;
    struct frame begun = {.size = FRAME_LIMIT, .call = CALL_deliver};
    int ours[FRAME_CHANNELS_MOST + 1], ends[2];
    struct buf call = buf_make(1 << 20);

    put_envelope(&call, 1);
    for (size_t i = 1; i < FRAME_CHANNELS_MOST; i++) {
        pair(ends);
        announce(w->mx, i == 1 ? FRAME_OPEN : 0, ends[1]);
        close(ends[1]);
        ours[i] = ends[0];
        assert_true(frame_send(ours[i], buf_str(&call), NULL, 0));
        expect_answer(ours[i], CALL_envelope);
        assert_int_equal(send(ours[i], &begun, sizeof(begun), MSG_NOSIGNAL), sizeof(begun));
    }
    assert_true(frame_send(w->mx, buf_str(&call), NULL, 0)); /* the first is there, too */
    expect_answer(w->mx, CALL_envelope);
    pair(ends);
    announce(w->mx, 0, ends[1]);
    close(ends[1]);
    assert_true(ends_soon(w->mx));
    assert_true(ends_soon(ends[0]));
    close(ends[0]);
    for (size_t i = 1; i < FRAME_CHANNELS_MOST; i++)
        close(ours[i]);
    buf_free(&call);
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

/* The long lane is full of password hashes, of which three are computed at a time, and a message is delivered meanwhile.
 * True: before the last of them was done. */
static bool is_faster_than_the_long_lane(struct world *w)
{
    struct account_password_request q = {.address = S("tom@acompany.test"),
                                         .password = S("sehr geheim")};
    struct buf b = buf_make(1000), frame = buf_make(1000);
    int fd = dial(w->config->control_socket);
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
                                     .said = S("\0tom@acompany.test\0sehr geheim")};
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
        cmocka_unit_test_setup_teardown(test_random_payloads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_frame_that_never_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_gate_that_never_reads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_gate_that_never_reads_its_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_gate_that_goes_on_after_its_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_more_channels_than_a_gate_needs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_descriptors_that_nobody_asked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mail_does_not_wait_for_the_long_lane, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stopping_with_the_long_lane_at_work, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
