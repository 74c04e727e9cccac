/* Whose descriptors are whose, whatever comes in one read. */
#include "rpc/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void send_call(int to, uint16_t call, const int *fds, size_t fd_count)
{
    struct buf out = buf_make(100);
    size_t begun = frame_begin(&out, call, 0, call);

    buf_add(&out, S("payload"));
    frame_end(&out, begun);
    frame_carries(&out, begun, fd_count);
    assert_true(frame_send(to, buf_str(&out), fds, fd_count));
    buf_free(&out);
}

static ino_t inode_of(int fd)
{
    struct stat st;

    assert_int_equal(fstat(fd, &st), 0);
    return st.st_ino;
}

/* All is there before the first read: the kernel gives a frame together with the next one's descriptors. */
static void test_descriptors_of_later_frames(void **state)
{
    static const struct {
        uint16_t call;
        size_t first, count; /* of the pipes */
    } sent[] = {{1, 0, 0}, {2, 0, 1}, {3, 0, 0}, {4, 0, 0}, {5, 1, 2}, {6, 3, 1}, {7, 0, 0}};
    size_t n = sizeof(sent) / sizeof(*sent), at = 0, count = 0;
    int pair[2], pipes[4], fds[FRAME_FDS], own[FRAME_FDS];
    struct buf in = buf_make(FRAME_LIMIT);

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(pipe(pipes + 2), 0);
    for (size_t i = 0; i < n; i++)
        send_call(pair[0], sent[i].call, pipes + sent[i].first, sent[i].count);
    close(pair[0]);
    while (frame_receive(pair[1], &in, fds, &count) > 0) {
        struct str payload;
        struct frame f;
        bool bad;

        for (; frame_parse(buf_str(&in), &f, &payload, &bad); at++) {
            assert_true(at < n);
            assert_int_equal(f.call, sent[at].call);
            assert_int_equal(frame_take_fds(&f, fds, &count, own), sent[at].count);
            for (size_t k = 0; k < sent[at].count; k++) {
                assert_int_equal(inode_of(own[k]), inode_of(pipes[sent[at].first + k]));
                close(own[k]);
            }
            buf_take(&in, frame_size(&f));
        }
    }
    assert_int_equal(at, n);
    assert_int_equal(count, 0);
    for (size_t i = 0; i < 4; i++)
        close(pipes[i]);
    close(pair[1]);
    buf_free(&in);
}

/* A buffer that once held a long frame has more room than it may use: the beginning of the next one is no reason to ask for
 * all of it. */
static void test_a_cut_behind_a_long_frame(void **state)
{
    struct buf in = buf_make(FRAME_LIMIT + FRAME_HEADER + 65536), out = buf_make(1000);
    size_t begun = frame_begin(&out, 1, 0, 1), count = 0;
    int pair[2], fds[FRAME_FDS];
    struct str payload;
    struct frame f;
    bool bad;

    (void)state;
    frame_end(&out, begun);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_non_null(buf_reserve(&in, in.limit));
    buf_add(&in, str_upto(buf_str(&out), 10));
    assert_true(frame_send(pair[0], str_from(buf_str(&out), 10), NULL, 0));
    assert_int_equal(frame_receive(pair[1], &in, fds, &count), 1);
    assert_true(frame_parse(buf_str(&in), &f, &payload, &bad));
    assert_int_equal(f.call, 1);
    close(pair[0]);
    close(pair[1]);
    buf_free(&in);
    buf_free(&out);
}

/* It says that more come than do. */
static void test_a_lie(void **state)
{
    int fds[FRAME_FDS] = {11, 12}, own[FRAME_FDS];
    size_t count = 2;

    (void)state;
    assert_int_equal(frame_take_fds(&(struct frame){.fds = UINT8_MAX}, fds, &count, own), 2);
    assert_int_equal(own[1], 12);
    assert_int_equal(count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_descriptors_of_later_frames),
        cmocka_unit_test(test_a_lie),
        cmocka_unit_test(test_a_cut_behind_a_long_frame),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
