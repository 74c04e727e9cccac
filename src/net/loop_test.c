/* The loop with real descriptors and threads: one runner at a time, nothing lost, deadlines, stopping. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/scoped.h"
#include "net/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static struct loop *loop;
static struct cx cx;

static void open_loop(unsigned most)
{
    struct loop_settings settings = {.threads_least = 2, .threads_most = most, .tick_ms = 5};

    assert_int_equal(loop_open(&cx, &settings, &loop), OK);
}

/* Sends back what it reads, and notices if two threads are in it at once. */
struct echo {
    struct watch watch;
    int fd;
    atomic_int inside;
    bool blocks;
    atomic_int *open;
};

static atomic_int open_echoes, collisions, blocked_now, blocked_most, blocked_wanted;

/* Lasts until as many as are wanted have been in it at once. */
static void pretend_call(void)
{
    int now = atomic_fetch_add(&blocked_now, 1) + 1, most = atomic_load(&blocked_most);

    while (now > most && !atomic_compare_exchange_weak(&blocked_most, &most, now))
        ;
    pool_blocking_begin();
    do
        usleep(1000);
    while (atomic_load(&blocked_most) < atomic_load(&blocked_wanted));
    pool_blocking_end();
    atomic_fetch_sub(&blocked_now, 1);
}

static bool echo_run(struct watch *w, unsigned what)
{
    struct echo *e = (struct echo *)w;
    ssize_t n = -1;

    if (atomic_fetch_add(&e->inside, 1) != 0)
        atomic_fetch_add(&collisions, 1);
    if (what & WATCH_READ)
        n = recv(e->fd, loop_scratch(), LOOP_SCRATCH_SIZE,
                 MSG_DONTWAIT); /* it may be told of one byte twice */
    if (n > 0 && e->blocks)
        pretend_call();
    if (n > 0)
        assert_int_equal(write(e->fd, loop_scratch(), (size_t)n), n);
    w->want = WATCH_READ;
    if (atomic_fetch_sub(&e->inside, 1) != 1)
        atomic_fetch_add(&collisions, 1);
    if (n != 0)
        return true;
    watch_close(w);
    close(e->fd);
    free(e);
    if (atomic_fetch_sub(&open_echoes, 1) == 1)
        loop_stop(loop, 0);
    return false;
}

#define ECHOES 24
#define ROUNDS 40

/* Peers that write and read in turn; every fourth byte somebody also wakes the watch from outside. */
static void *play_peers(void *arg)
{
    int *fds = arg;
    char c;

    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < ECHOES; i++)
            assert_int_equal(write(fds[i], "x", 1), 1);
        for (int i = 0; i < ECHOES; i++)
            assert_int_equal(read(fds[i], &c, 1), 1);
    }
    for (int i = 0; i < ECHOES; i++)
        close(fds[i]);
    return NULL;
}

static struct watch_id ids[ECHOES];

static void *play_wakers(void *arg)
{
    (void)arg;
    while (atomic_load(&open_echoes) > 0)
        for (int i = 0; i < ECHOES; i++)
            loop_wake(loop, ids[i]); /* also of those that are closed already */
    return NULL;
}

static void run_echoes(bool block, unsigned most)
{
    int fds[ECHOES];
    pthread_t peers, wakers;

    open_loop(most);
    atomic_store(&open_echoes, ECHOES);
    for (int i = 0; i < ECHOES; i++) {
        struct echo *e = must_alloc(sizeof(*e));
        int pair[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        e->watch = watch_make(echo_run, pair[0]);
        e->fd = pair[0];
        e->blocks = block;
        fds[i] = pair[1];
        assert_int_equal(watch_open(&cx, loop, &e->watch), OK);
        ids[i] = e->watch.id;
        watch_start(&e->watch, 0);
    }
    pthread_create(&peers, NULL, play_peers, fds);
    pthread_create(&wakers, NULL, play_wakers, NULL);
    loop_run(loop);
    pthread_join(peers, NULL);
    pthread_join(wakers, NULL);
    loop_close(&loop);
    assert_int_equal(atomic_load(&collisions), 0);
}

static void test_one_thread_at_a_time(void **state)
{
    (void)state;
    run_echoes(false, 8);
}

/* Two threads are the least; more than that can only be blocked at once if the pool has grown. */
static void test_pool_grows_when_blocked(void **state)
{
    (void)state;
    atomic_store(&blocked_most, 0);
    atomic_store(&blocked_wanted, 3);
    run_echoes(true, 16);
    assert_true(atomic_load(&blocked_most) <= 16);
}

/* With one thread less than connections, the rest waits and is served after all. */
static void test_pool_has_a_most(void **state)
{
    (void)state;
    atomic_store(&blocked_most, 0);
    atomic_store(&blocked_wanted, 0);
    run_echoes(true, 3);
    assert_true(atomic_load(&blocked_most) <= 3);
}

/* ---- deadlines */

struct alarm {
    struct watch watch;
    int64_t due, rang;
    int moves;
};

static atomic_int ringing;

static bool alarm_run(struct watch *w, unsigned what)
{
    struct alarm *a = (struct alarm *)w;

    if (!(what & WATCH_DEADLINE) || monotonic_ms() < a->due) {
        if (a->moves-- > 0) { /* there and back: to a later one, then to an earlier one */
            watch_set_deadline(w, a->due + 100000);
            w->again = true;
        }
        watch_set_deadline(w, a->due);
        return true;
    }
    a->rang = monotonic_ms();
    watch_close(w);
    if (atomic_fetch_sub(&ringing, 1) == 1)
        loop_stop(loop, 1000000);
    return false;
}

static void test_deadlines(void **state)
{
    static struct alarm alarms[200];
    int64_t now = monotonic_ms();

    (void)state;
    open_loop(4);
    atomic_store(&ringing, 200);
    for (int i = 0; i < 200; i++) {
        alarms[i] =
            (struct alarm){.watch = watch_make(alarm_run, -1), .due = now + i % 50, .moves = i % 4};
        assert_int_equal(watch_open(&cx, loop, &alarms[i].watch), OK);
        watch_start(&alarms[i].watch, 0);
    }
    loop_run(loop);
    loop_close(&loop);
    for (int i = 0; i < 200; i++)
        assert_true(alarms[i].rang >= alarms[i].due);
}

/* ---- idle work */

static struct sleeper {
    struct watch watch;
    bool ran;
    pthread_t first, by; /* who ran it first, and when it was woken: at once, it may be */
} sleepers[3];

static atomic_int asleep, idle_left;
static pthread_t idled;

static bool sleeper_run(struct watch *w, unsigned what)
{
    struct sleeper *s = (struct sleeper *)w;

    if (!s->ran)
        s->first = pthread_self();
    s->ran = true;
    if (!(what & WATCH_WOKEN))
        return true;
    s->by = pthread_self();
    watch_close(w);
    if (atomic_fetch_sub(&asleep, 1) == 1)
        loop_stop(loop, 1000000);
    return false;
}

static bool has_idle_work(void *arg)
{
    (void)arg;
    return atomic_load(&idle_left) > 0;
}

/* The first piece wakes all; any further one does nothing. */
static void wake_sleepers(void *arg)
{
    int most = *(int *)arg;

    if (atomic_fetch_sub(&idle_left, 1) != most)
        return;
    idled = pthread_self();
    for (size_t i = 0; i < 3; i++)
        loop_wake(loop, sleepers[i].watch.id);
}

static void idle_works(int pieces)
{
    struct loop_settings settings = {.threads_most = 1,
                                     .has_idle_work = has_idle_work,
                                     .idle_work = wake_sleepers,
                                     .idle_arg = &pieces};

    if (pieces == 1) /* others that could take it */
        settings.threads_least = settings.threads_most = 4;
    assert_int_equal(loop_open(&cx, &settings, &loop), OK);
    atomic_store(&asleep, 3);
    atomic_store(&idle_left, pieces);
    for (size_t i = 0; i < 3; i++) {
        sleepers[i] = (struct sleeper){.watch = watch_make(sleeper_run, -1)};
        assert_int_equal(watch_open(&cx, loop, &sleepers[i].watch), OK);
        watch_start(&sleepers[i].watch, 0);
    }
    loop_run(loop);
    loop_close(&loop);
}

/* Whoever did it goes on with the first watch that it woke. If there is more of it, that comes first. */
static void test_idle_work(void **state)
{
    (void)state;
    idle_works(1);
    assert_true(pthread_equal(sleepers[0].by,
                              idled) || /* it may not have been let go of yet, or been started */
                pthread_equal(sleepers[0].by, sleepers[0].first));
    idle_works(3);
    assert_int_equal(atomic_load(&asleep), 0);
}

/* ---- stopping */

struct stubborn {
    struct watch watch;
    bool
        ends_grace; /* when it is told for the first time, so that no machine is too slow to tell it twice */
    int told;
};

static bool stubborn_run(struct watch *w, unsigned what)
{
    struct stubborn *s = (struct stubborn *)w;

    if (what & WATCH_STOP && s->told++ == 0 && s->ends_grace) {
        loop_stop(loop, 0);
        return true; /* even if the loop is ending by now: it has to be told once more */
    }
    if (!loop_is_ending(loop))
        return true;
    watch_close(w);
    return false;
}

static void *stop_soon(void *arg)
{
    (void)arg;
    loop_stop(loop, 1000000);
    return NULL;
}

static void test_stop_tells_twice_and_waits(void **state)
{
    struct stubborn a = {.watch = watch_make(stubborn_run, -1)}, b = a, late = a;
    pthread_t t;

    (void)state;
    open_loop(4);
    a.ends_grace = true;
    b.watch.background = true;
    assert_int_equal(watch_open(&cx, loop, &a.watch), OK);
    assert_int_equal(watch_open(&cx, loop, &b.watch), OK);
    watch_start(&a.watch, 0);
    watch_start(&b.watch, 0);
    pthread_create(&t, NULL, stop_soon, NULL);
    loop_run(loop);
    pthread_join(t, NULL);
    assert_int_equal(a.told, 2);
    assert_int_equal(watch_open(&cx, loop, &late.watch), ERR_STOPPING);
    loop_wake(loop, a.watch.id); /* long gone */
    loop_close(&loop);
}

static void test_stop_with_nothing_open(void **state)
{
    (void)state;
    open_loop(4);
    loop_stop(loop, 0);
    loop_run(loop);
    loop_close(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_thread_at_a_time),
        cmocka_unit_test(test_pool_grows_when_blocked),
        cmocka_unit_test(test_pool_has_a_most),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_idle_work),
        cmocka_unit_test(test_stop_tells_twice_and_waits),
        cmocka_unit_test(test_stop_with_nothing_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
