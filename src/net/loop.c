/* A watch can be touched from four sides: an event of a descriptor, the wheel, loop_wake() and loop_stop(). Its
 * slot puts them in a row. The slot's word holds what has happened and not yet been told (the WATCH_ bits) and
 * BUSY. Whoever sets a bit and finds BUSY clear has become the one who runs the watch; whoever finds it set goes
 * away, since the runner looks again before it lets go. So nobody ever waits for a watch, and nothing is lost.
 *
 * An event that the kernel has delivered cannot be called back, so a thread may come with news for a watch that
 * another thread has closed just now. Therefore slots are never given back to the system, only used again, and
 * their word carries a generation that is part of the watch's id: who comes too late does not fit and goes away.
 *
 * Descriptors are armed with EPOLLONESHOT. A watch lets go after it has armed them: an event that comes in
 * between sets its bit and leaves.
 *
 * Locks: `slots_lock` guards which slots are open, `wheel_lock` the wheel, `queue_lock` the queue. One of the first
 * two may be held when queue_lock is taken; otherwise none together. No system call under them, except memory, the
 * eventfd and switching the tick on or off. */
#include "net/loop.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/scoped.h"
#include "net/pool.h"
#include "net/wheel.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* A slot's word: generation (32 bits), BUSY and the WATCH_ bits. */
#define BUSY ((uint64_t)1 << 16)
#define BITS ((uint64_t)0xffffffff)
#define GENERATION(word) ((word) & ~BITS)
#define FIRST_GENERATION (BITS + 1)

/* An id, and what epoll keeps for us: generation (32 bits), index of the slot, and in the lowest bit which of the
 * two descriptors. Generations begin with 1, so our own descriptors can have small numbers. */
enum { KEY_TIMER, KEY_QUEUE, KEY_END, KEY_NONE };
#define KEY_SECOND ((uint64_t)1)
#define SLOTS_IN_CHUNK 1024u
#define MOST_CHUNKS 1024u /* a million watches */

struct slot {
    _Atomic uint64_t word;
    struct watch *watch;      /* the runner's, or, before watch_start(), the opener's */
    struct slot *next;        /* in the queue, or in the list of free ones */
    _Atomic int64_t deadline; /* written by the runner, read by the wheel */
    _Atomic int64_t due;      /* when the wheel looks at the deadline; written under wheel_lock */
    struct wheel_entry entry;
    uint32_t index;
};

struct loop {
    struct pool pool;
    int epoll, timer, event, end;

    pthread_mutex_t slots_lock;
    struct slot *chunks[MOST_CHUNKS]; /* grows only; an entry is written before its index gets around */
    uint32_t slot_count;
    struct slot *free_slots;
    _Atomic int64_t foreground; /* open watches that loop_run() waits for */

    pthread_mutex_t wheel_lock;
    struct wheel wheel;
    bool ticking;

    pthread_mutex_t queue_lock;
    struct slot *queue, **queue_end; /* claimed, to be run by the next thread */

    atomic_bool stopping, ending;
    _Atomic int64_t end_at;

    bool (*has_idle_work)(void *arg);
    void (*idle_work)(void *arg);
    void *idle_arg;
};

/* Of this thread: the loop it works for, and watches it has started and will run next. */
static _Thread_local struct loop *my_loop;
static _Thread_local struct slot *my_next, *my_last; /* the first and the last of them */
static _Thread_local bool my_idle_work;              /* is being done */

/* ---- slots */

static struct slot *slot_at(struct loop *l, uint32_t index)
{
    return &l->chunks[index / SLOTS_IN_CHUNK][index % SLOTS_IN_CHUNK];
}

static struct slot *slot_of(const struct watch *w)
{
    return slot_at(w->loop, (uint32_t)(w->id.v & BITS) >> 1);
}

/* Under slots_lock. */
static struct slot *slot_new(struct loop *l)
{
    struct slot *s;

    if (l->slot_count == MOST_CHUNKS * SLOTS_IN_CHUNK)
        return NULL;
    if (l->slot_count % SLOTS_IN_CHUNK == 0)
        l->chunks[l->slot_count / SLOTS_IN_CHUNK] = must_alloc(SLOTS_IN_CHUNK * sizeof(struct slot));
    s = slot_at(l, l->slot_count);
    s->index = l->slot_count++;
    atomic_store(&s->word, FIRST_GENERATION);
    return s;
}

/* It is BUSY from the start: nobody but the opener runs it. */
static struct slot *slot_take(struct loop *l, struct watch *w)
{
    HOLD(&l->slots_lock);
    struct slot *s = l->free_slots;

    if (s)
        l->free_slots = s->next;
    else if (!(s = slot_new(l)))
        return NULL;
    atomic_fetch_or(&s->word, BUSY);
    atomic_store(&s->deadline, NO_DEADLINE);
    atomic_store(&s->due, NO_DEADLINE);
    s->watch = w;
    return s;
}

static void slot_give_back(struct loop *l, struct slot *s)
{
    HOLD(&l->slots_lock);
    uint64_t next = GENERATION(atomic_load(&s->word)) + FIRST_GENERATION;

    atomic_store(&s->word, next ? next : FIRST_GENERATION);
    s->watch = NULL;
    s->next = l->free_slots;
    l->free_slots = s;
}

/* True: the caller runs this watch now. */
static bool slot_claim(struct slot *s, uint64_t generation, unsigned what)
{
    uint64_t old = atomic_load(&s->word);

    do {
        if (GENERATION(old) != generation)
            return false;
    } while (!atomic_compare_exchange_weak(&s->word, &old, old | BUSY | what));
    return !(old & BUSY);
}

/* ---- the queue: watches that were claimed by somebody who does not run them */

static void queue_ring(struct loop *l)
{
    uint64_t one = 1;

    while (write(l->event, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

static void queue_add(struct loop *l, struct slot *s)
{
    HOLD(&l->queue_lock);
    s->next = NULL;
    if (!l->queue)
        queue_ring(l);
    *l->queue_end = s;
    l->queue_end = &s->next;
}

static void arm_own(struct loop *l, int fd, uint64_t key)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLONESHOT, .data.u64 = key};

    epoll_ctl(l->epoll, EPOLL_CTL_MOD, fd, &ev);
}

/* The bell is silenced only when the queue is empty: else the next thread takes the next one at once. */
static struct slot *queue_take(struct loop *l)
{
    HOLD(&l->queue_lock);
    struct slot *s = l->queue;
    uint64_t count;

    if (s) {
        l->queue = s->next;
        s->next = NULL;
    }
    if (!l->queue) {
        l->queue_end = &l->queue;
        if (read(l->event, &count, sizeof(count)) < 0)
            assert(errno == EAGAIN || errno == EINTR);
    }
    arm_own(l, l->event, KEY_QUEUE);
    return s;
}

/* ---- running a watch */

static uint32_t events_for(unsigned want, unsigned read_bit, unsigned write_bit)
{
    return (want & read_bit ? (uint32_t)EPOLLIN : 0) | (want & write_bit ? (uint32_t)EPOLLOUT : 0);
}

static void arm(struct watch *w, size_t i)
{
    uint32_t events =
        events_for(w->want, i ? WATCH_READ_2 : WATCH_READ, i ? WATCH_WRITE_2 : WATCH_WRITE);
    struct epoll_event ev = {.events = events | EPOLLONESHOT,
                             .data.u64 = w->id.v | (i ? KEY_SECOND : 0)};
    uint8_t bit = (uint8_t)(1 << i);

    if (!events || w->fd[i] < 0)
        return;
    if (epoll_ctl(w->loop->epoll, w->added & bit ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, w->fd[i], &ev) == 0)
        w->added |= bit;
    else
        log_line(LOG_ERROR, "epoll", "error=%s", log_value(str_from_c(strerror(errno))));
}

/* The caller has claimed it. */
static void slot_run(struct loop *l, struct slot *s)
{
    struct watch *w = s->watch;
    uint64_t word;

    do {
        uint64_t old = atomic_fetch_and(&s->word, ~BITS | BUSY);

        if (!w->run(w, (unsigned)(old & BITS & ~BUSY)))
            return;
        if (w->again) {
            w->again = false;
            queue_add(l, s);
            return;
        }
        arm(w, 0);
        arm(w, 1);
        word = GENERATION(old) | BUSY;
    } while (!atomic_compare_exchange_strong(&s->word, &word, word & ~BUSY));
}

/* As soon as this thread has let go of what it does now. */
static void start_next(struct slot *s)
{
    s->next = NULL;
    if (my_next)
        my_last->next = s;
    else
        my_next = s;
    my_last = s;
}

static struct slot *take_started(void)
{
    struct slot *s = my_next;

    my_next = s->next;
    return s;
}

static void run_started(struct loop *l)
{
    while (my_next)
        slot_run(l, take_started());
}

/* This thread will not come to them soon. */
static void leave_started(void *arg)
{
    while (my_next)
        queue_add(arg, take_started());
}

/* ---- watches */

struct watch watch_make(bool (*run)(struct watch *w, unsigned what), int fd)
{
    return (struct watch){.run = run, .fd = {fd, -1}};
}

static void check_all_closed(struct loop *l)
{
    uint64_t one = 1;

    if (!atomic_load(&l->stopping) || atomic_load(&l->foreground) > 0)
        return;
    while (write(l->end, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

static void forget_foreground(const struct watch *w, struct loop *l)
{
    if (!w->background && atomic_fetch_sub(&l->foreground, 1) == 1)
        check_all_closed(l);
}

enum err watch_open(struct cx *cx, struct loop *l, struct watch *w)
{
    struct slot *s;

    if (!w->background)
        atomic_fetch_add(&l->foreground,
                         1); /* first: then loop_stop() sees it, or we see that it was called */
    if (atomic_load(&l->stopping)) {
        forget_foreground(w, l);
        return fail(cx, ERR_STOPPING, "the loop is stopping");
    }
    s = slot_take(l, w);
    if (!s) {
        forget_foreground(w, l);
        return fail(cx, ERR_TOO_MANY_CONNS, "a million connections");
    }
    w->loop = l;
    w->id.v = GENERATION(atomic_load(&s->word)) | (uint64_t)s->index << 1;
    w->added = 0;
    return OK;
}

void watch_start(struct watch *w, unsigned what)
{
    struct slot *s = slot_of(w);

    if (atomic_load(&w->loop->stopping)) /* loop_stop() may have come before we were open */
        what |= WATCH_STOP;
    atomic_fetch_or(&s->word, what);
    if (my_loop != w->loop) {
        queue_add(w->loop, s);
        return;
    }
    start_next(s);
}

static void drop_descriptor(struct watch *w, size_t i)
{
    if (w->added & (1 << i))
        epoll_ctl(w->loop->epoll, EPOLL_CTL_DEL, w->fd[i], NULL);
    w->added &= (uint8_t) ~(1 << i);
    w->fd[i] = -1;
}

static void tick_switch(struct loop *l, bool on)
{
    int64_t ms = on ? l->wheel.tick_ms : 0;
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    struct itimerspec spec = {t, t};

    timerfd_settime(l->timer, 0, &spec, NULL);
    l->ticking = on;
}

void watch_close(struct watch *w)
{
    struct loop *l = w->loop;
    struct slot *s = slot_of(w);

    drop_descriptor(w, 0);
    drop_descriptor(w, 1);
    if (atomic_load(&s->due) != NO_DEADLINE) {
        HOLD(&l->wheel_lock);
        wheel_remove(&l->wheel, &s->entry);
        if (l->wheel.count == 0 && !atomic_load(&l->stopping))
            tick_switch(l, false);
    }
    slot_give_back(l, s);
    forget_foreground(w, l);
}

void watch_set_second(struct watch *w, int fd)
{
    drop_descriptor(w, 1);
    w->fd[1] = fd;
}

/* ---- deadlines: the wheel looks at a slot at `due` or a little later, never later than its deadline plus a
 * tick. Moving a deadline on leaves `due` where it is: the wheel finds that it is early and puts it again. Only
 * one that comes before `due` has to take the lock. Both sides write theirs and then read the other's, in one
 * total order, so one of them sees what the other did. */

static void put_in_wheel(struct loop *l, struct slot *s)
{
    int64_t deadline;

    do {
        deadline = atomic_load(&s->deadline);
        atomic_store(&s->due, wheel_put(&l->wheel, &s->entry, deadline));
    } while (atomic_load(&s->deadline) < deadline);
}

void watch_set_deadline(struct watch *w, int64_t at_ms)
{
    struct slot *s = slot_of(w);
    struct loop *l = w->loop;

    atomic_store(&s->deadline, at_ms);
    if (at_ms >= atomic_load(&s->due))
        return;
    HOLD(&l->wheel_lock);
    put_in_wheel(l, s);
    if (!l->ticking)
        tick_switch(l, true);
}

/* A slot in the wheel is open, and nobody can close it without wheel_lock, which is held here. */
static void look_at_deadline(struct loop *l, struct slot *s, int64_t now)
{
    int64_t deadline = atomic_load(&s->deadline);
    bool passed =
        deadline <= now && atomic_compare_exchange_strong(&s->deadline, &deadline, NO_DEADLINE);

    put_in_wheel(l, s); /* it is told once, and what the runner has set meanwhile stays */
    if (passed && slot_claim(s, GENERATION(atomic_load(&s->word)), WATCH_DEADLINE))
        queue_add(l, s);
}

static void wake_all(struct loop *l, unsigned what)
{
    uint32_t count;

    pthread_mutex_lock(&l->slots_lock);
    count = l->slot_count;
    pthread_mutex_unlock(&l->slots_lock);
    for (uint32_t i = 0; i < count; i++) {
        struct slot *s = slot_at(l, i);
        HOLD(&l->slots_lock); /* a free slot stays free */

        if (s->watch && slot_claim(s, GENERATION(atomic_load(&s->word)), what))
            queue_add(l, s);
    }
}

static void tick(struct loop *l)
{
    int64_t now = monotonic_ms();
    struct slot *s;
    struct wheel_entry *e;
    uint64_t count;

    if (read(l->timer, &count, sizeof(count)) < 0)
        assert(errno == EAGAIN || errno == EINTR || errno == ECANCELED);
    pthread_mutex_lock(&l->wheel_lock);
    while ((e = wheel_take(&l->wheel, now))) {
        s = (struct slot *)((char *)e - offsetof(struct slot, entry));
        look_at_deadline(l, s, now);
    }
    pthread_mutex_unlock(&l->wheel_lock);
    arm_own(l, l->timer, KEY_TIMER);
    if (now >= atomic_load(&l->end_at) && !atomic_exchange(&l->ending, true))
        wake_all(l, WATCH_STOP);
}

/* ---- a thread of the pool */

static void take_event(struct loop *l, const struct epoll_event *ev)
{
    uint64_t key = ev->data.u64;
    bool second = key & KEY_SECOND, broken = ev->events & (EPOLLERR | EPOLLHUP);
    struct slot *s = slot_at(l, (uint32_t)(key & BITS) >> 1);
    unsigned what = 0;

    if (broken || ev->events & EPOLLIN)
        what |= second ? WATCH_READ_2 : WATCH_READ;
    if (broken || ev->events & EPOLLOUT)
        what |= second ? WATCH_WRITE_2 : WATCH_WRITE;
    if (slot_claim(s, GENERATION(key), what))
        slot_run(l, s);
}

/* What idle work has woken: the thread that did it goes on with that itself, as waking another takes longer. Unless there
 * is more such work, which only this thread knows of: then others have to be woken. */
static void idle_work(struct loop *l)
{
    my_idle_work = true;
    l->idle_work(l->idle_arg);
    my_idle_work = false;
    if (my_next && l->has_idle_work(l->idle_arg))
        leave_started(l);
}

/* Idle work is done only when no event is ready, and then the thread looks again. */
static int next_event(struct loop *l, struct epoll_event *ev)
{
    while (!my_next && l->has_idle_work && l->has_idle_work(l->idle_arg)) {
        int n = epoll_wait(l->epoll, ev, 1, 0);

        if (n)
            return n;
        idle_work(l);
    }
    if (my_next) {
        ev->data.u64 = KEY_NONE;
        return 1;
    }
    return epoll_wait(l->epoll, ev, 1, pool_has_surplus(&l->pool) ? POOL_LINGER_MS : -1);
}

/* One event at a time: what follows from it may block, and a second one would wait with it. */
static bool turn(struct loop *l)
{
    struct epoll_event ev;
    struct slot *s;
    int n = next_event(l, &ev);

    if (n == 0)
        return !pool_let_go(&l->pool);
    if (n < 0) {
        assert(errno == EINTR);
        return true;
    }
    if (ev.data.u64 == KEY_END)
        return false;
    if (ev.data.u64 == KEY_TIMER)
        tick(l);
    else if (ev.data.u64 == KEY_QUEUE && (s = queue_take(l)))
        slot_run(l, s);
    else if (ev.data.u64 > KEY_NONE)
        take_event(l, &ev);
    run_started(l);
    return true;
}

static void thread_body(void *arg)
{
    struct loop *l = arg;

    my_loop = l;
    while (turn(l))
        ;
    my_loop = NULL;
}

/* ---- the loop */

static bool add_own(struct loop *l, int fd, uint64_t key, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.u64 = key};

    return fd >= 0 && epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev) == 0;
}

enum err loop_open(struct cx *cx, const struct loop_settings *settings, struct loop **out)
{
    struct loop *l = must_alloc(sizeof(*l));
    unsigned least = settings->threads_least ? settings->threads_least : 2;
    unsigned most = settings->threads_most ? settings->threads_most : POOL_MOST;

    pool_init(&l->pool, least < most ? least : most, most, thread_body, l);
    l->pool.blocks = leave_started;
    pthread_mutex_init(&l->slots_lock, NULL);
    pthread_mutex_init(&l->wheel_lock, NULL);
    pthread_mutex_init(&l->queue_lock, NULL);
    wheel_init(&l->wheel, settings->tick_ms ? settings->tick_ms : 100, monotonic_ms());
    l->queue_end = &l->queue;
    l->has_idle_work = settings->has_idle_work;
    l->idle_work = settings->idle_work;
    l->idle_arg = settings->idle_arg;
    atomic_store(&l->end_at, NO_DEADLINE);
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    l->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    l->end = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    *out = l;
    if (add_own(l, l->timer, KEY_TIMER, EPOLLIN | EPOLLONESHOT) &&
        add_own(l, l->event, KEY_QUEUE, EPOLLIN | EPOLLONESHOT) && add_own(l, l->end, KEY_END, EPOLLIN))
        return OK;
    loop_close(out);
    return fail(cx, ERR_SYSTEM, "event loop: %s", strerror(errno));
}

void loop_close(struct loop **out)
{
    struct loop *l = *out;

    *out = NULL;
    if (!l)
        return;
    assert(atomic_load(&l->foreground) == 0);
    for (size_t i = 0; i < MOST_CHUNKS && l->chunks[i]; i++)
        free(l->chunks[i]);
    close_fd(&l->epoll);
    close_fd(&l->timer);
    close_fd(&l->event);
    close_fd(&l->end);
    pool_destroy(&l->pool);
    pthread_mutex_destroy(&l->slots_lock);
    pthread_mutex_destroy(&l->wheel_lock);
    pthread_mutex_destroy(&l->queue_lock);
    free(l);
}

void loop_run(struct loop *l)
{
    signal(SIGPIPE, SIG_IGN);
    pool_run(&l->pool);
}

void loop_stop(struct loop *l, int64_t grace_ms)
{
    atomic_store(&l->end_at, monotonic_ms() + grace_ms);
    if (atomic_exchange(&l->stopping, true))
        return;
    pthread_mutex_lock(&l->wheel_lock);
    tick_switch(l, true);
    pthread_mutex_unlock(&l->wheel_lock);
    wake_all(l, WATCH_STOP);
    check_all_closed(l);
}

bool loop_is_stopping(const struct loop *l)
{
    return atomic_load(&l->stopping);
}

bool loop_is_ending(const struct loop *l)
{
    return atomic_load(&l->ending);
}

char *loop_scratch(void)
{
    char *p = pool_scratch();

    assert(p);
    return p;
}

static struct slot *claim_woken(struct loop *l, struct watch_id id)
{
    struct slot *s = id.v ? slot_at(l, (uint32_t)(id.v & BITS) >> 1) : NULL;

    return s && slot_claim(s, GENERATION(id.v), WATCH_WOKEN) ? s : NULL;
}

void loop_wake(struct loop *l, struct watch_id id)
{
    struct slot *s = claim_woken(l, id);

    if (s && my_idle_work && my_loop == l && !my_next)
        start_next(s);
    else if (s)
        queue_add(l, s);
}

void loop_wake_here(struct loop *l, struct watch_id id)
{
    struct slot *s = claim_woken(l, id);

    if (s && my_loop == l)
        start_next(s);
    else if (s)
        queue_add(l, s);
}
