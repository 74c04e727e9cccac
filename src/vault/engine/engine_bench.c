/* How many deliveries the engine takes: a measurement, not a test.
 *
 *   engine_bench [sessions=50] [workers=8] [messages=50000] [size=10240] [linger=0] [manual=1] [memory=0] [dir=…]
 *
 * Sessions that each wait for their answer before they send again, and workers as the vault has them: a worker
 * takes a session that is ready, commits a delivery (body, reference, mailbox rows, change log), leaves a
 * callback, and flushes when no session is ready. It reports what issue and house count: flushes, CPU and bytes
 * written a message, and the time from request to "durable". */
#include "vault/engine/engine.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/pack.h"
#include "base/scoped.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define ACCOUNTS 100
#define MAX_SESSIONS 1000

static uint64_t setting_sessions = 50, setting_workers = 8, setting_messages = 50000,
                setting_size = 10240, setting_linger = 0, setting_manual = 1, setting_memory = 0;
static const char *setting_dir = "/tmp/engine-bench";

struct session {
    struct session *next;
    int64_t asked_us;
};

static struct {
    pthread_mutex_t m;
    pthread_cond_t ready_cond;
    struct session *ready, **ready_end;
    uint64_t begun, done;
    uint32_t *latency_us;
    struct engine *engine;
} run = {.m = PTHREAD_MUTEX_INITIALIZER, .ready_cond = PTHREAD_COND_INITIALIZER};

static void make_ready(struct session *s)
{
    s->next = NULL;
    s->asked_us = monotonic_us();
    *run.ready_end = s;
    run.ready_end = &s->next;
    pthread_cond_signal(&run.ready_cond);
}

/* Answered: it sends the next one at once. */
static void answered(void *arg, enum err e)
{
    struct session *s = arg;
    HOLD(&run.m);

    if (e)
        abort();
    run.latency_us[run.done++] = (uint32_t)(monotonic_us() - s->asked_us);
    make_ready(s);
    if (run.done == setting_messages)
        pthread_cond_broadcast(&run.ready_cond);
}

/* NULL: nobody is ready (without `wait`), or all is done. */
static struct session *take_ready(bool wait, uint64_t *n)
{
    struct session *s;
    HOLD(&run.m);

    while (wait && !run.ready && run.done < setting_messages)
        pthread_cond_wait(&run.ready_cond, &run.m);
    s = run.ready;
    if (!s || run.begun == setting_messages)
        return NULL;
    run.ready = s->next;
    if (!run.ready)
        run.ready_end = &run.ready;
    *n = run.begun++;
    return s;
}

static void put_row(struct txn *t, struct part part, char tag, uint64_t id, struct str value)
{
    struct buf key = buf_make(32);

    pack_key_u8(&key, (uint8_t)tag);
    pack_key_u64(&key, id);
    txn_put(t, part, buf_str(&key), value);
    buf_free(&key);
}

static void get_row(struct txn *t, struct cx *cx, struct part part, const char *key)
{
    struct str value;
    bool found;

    if (txn_get(t, cx, part, str_from_c(key), &value, &found))
        abort();
}

/* What one delivery writes, in number and size of rows as the store's layout has it. */
static void deliver(struct cx *cx, struct str body, uint64_t n, struct session *s)
{
    struct part account = {PART_ACCOUNT, 1 + n * 7919 % ACCOUNTS};
    struct txn *t = txn_begin(run.engine, &account, 1);
    uint64_t id = fresh_id();
    struct ticket ticket;

    get_row(t, cx, account, "s");
    get_row(t, cx, account, "b");
    put_row(t, (struct part){PART_BODY, 0}, 'p', id, body);
    put_row(t, (struct part){PART_REF, 0}, 'b', id, str_upto(body, 40));
    put_row(t, (struct part){PART_REF, 0}, 'r', id, str_upto(body, 8));
    put_row(t, (struct part){PART_TRACE, 0}, 't', id, str_upto(body, 150));
    txn_put(t, account, S("s"), str_upto(body, 40));
    txn_put(t, account, S("b"), str_upto(body, 50));
    put_row(t, account, 'u', n, str_upto(body, 40));
    put_row(t, account, 'e', n, str_upto(body, 700));
    put_row(t, account, 'c', n, str_upto(body, 20));
    if (txn_commit(&t, cx, &ticket))
        abort();
    engine_when_durable(run.engine, ticket, answered, s);
}

/* Half random, half text: mail compresses about so. */
static struct str random_body(struct arena *a)
{
    char *p = arena_alloc(a, setting_size + 1);

    memset(p, 'x', setting_size);
    for (size_t i = 0; i < setting_size; i += 64)
        random_bytes(p + i, setting_size - i < 32 ? setting_size - i : 32);
    return (struct str){p, setting_size};
}

static void *work(void *arg)
{
    struct cx cx = {.arena = arena_new(0)};
    struct arena *own = arena_new(0);
    struct str body = random_body(own);
    struct session *s;
    uint64_t n;

    (void)arg;
    while ((s = take_ready(true, &n))) {
        do {
            deliver(&cx, body, n, s);
            arena_reset(cx.arena);
        } while ((s = take_ready(false, &n)));
        engine_flush(run.engine);
    }
    arena_free(own);
    arena_free(cx.arena);
    return NULL;
}

static void take_settings(int argc, char **argv)
{
    static const struct {
        const char *name;
        uint64_t *value;
    } rows[] = {{"sessions=", &setting_sessions}, {"workers=", &setting_workers},
                {"messages=", &setting_messages}, {"size=", &setting_size},
                {"linger=", &setting_linger},     {"manual=", &setting_manual},
                {"memory=", &setting_memory}};

    for (int i = 1; i < argc; i++) {
        struct str s = str_from_c(argv[i]);

        if (take_text(&s, S("dir=")))
            setting_dir = s.p;
        for (size_t k = 0; k < sizeof(rows) / sizeof(*rows); k++)
            if (str_starts(s, str_from_c(rows[k].name)) &&
                !parse_u64(str_from(s, strlen(rows[k].name)), rows[k].value))
                exit(2);
    }
    if (setting_sessions > MAX_SESSIONS)
        setting_sessions = MAX_SESSIONS;
}

/* A number from a file of "name: value" lines, such as /proc/self/io. */
static uint64_t number_in(const char *path, const char *name)
{
    FILE *f = fopen(path, "re");
    char line[200];
    uint64_t value = 0;

    while (f && fgets(line, sizeof(line), f))
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtoull(line + strlen(name) + 1, NULL, 10);
    if (f)
        fclose(f);
    return value;
}

static double cpu_ms(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static void report(int64_t us, double cpu, uint64_t written)
{
    double n = (double)setting_messages;
    struct engine_figures f;
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    engine_figures(run.engine, &f);
    qsort(run.latency_us, setting_messages, sizeof(uint32_t), compare_u32);
    printf("sessions=%-4llu workers=%-3llu linger=%-4llu manual=%llu  %7.0f msg/s  p50 %5u us  p99 %6u "
           "us  max %6u us  "
           "flushes/msg %.3f  cpu/msg %.3f ms  switches/msg %.2f  written/msg %.0f  PSS %llu KiB  "
           "disk/msg %.0f\n",
           (unsigned long long)setting_sessions, (unsigned long long)setting_workers,
           (unsigned long long)setting_linger, (unsigned long long)setting_manual, n * 1e6 / (double)us,
           run.latency_us[setting_messages / 2], run.latency_us[setting_messages * 99 / 100],
           run.latency_us[setting_messages - 1], (double)f.flushes / n, cpu / n,
           (double)(u.ru_nvcsw + u.ru_nivcsw) / n, (double)written / n,
           (unsigned long long)number_in("/proc/self/smaps_rollup", "Pss:"), (double)f.disk_used / n);
}

static void run_workers(void)
{
    pthread_t *threads = must_alloc(setting_workers * sizeof(*threads));
    struct session *sessions = must_alloc(setting_sessions * sizeof(*sessions));

    run.ready_end = &run.ready;
    for (size_t i = 0; i < setting_sessions; i++)
        make_ready(&sessions[i]);
    for (size_t i = 0; i < setting_workers; i++)
        pthread_create(&threads[i], NULL, work, NULL);
    for (size_t i = 0; i < setting_workers; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    free(sessions);
}

int main(int argc, char **argv)
{
    struct cx cx = {.arena = NULL};
    struct engine_options options;
    uint64_t written;
    int64_t began;
    double cpu;

    take_settings(argc, argv);
    options = (struct engine_options){.path = setting_dir,
                                      .memory = setting_memory,
                                      .linger_us = (uint32_t)setting_linger,
                                      .keep_wal_in_process = setting_manual != 0};
    if (engine_open_rocksdb(&cx, &options, &run.engine)) {
        fprintf(stderr, "engine_bench: %s\n", cx.cause);
        return 1;
    }
    run.latency_us = must_alloc(setting_messages * sizeof(uint32_t));
    printf("PSS at start %llu KiB\n", (unsigned long long)number_in("/proc/self/smaps_rollup", "Pss:"));
    written = number_in("/proc/self/io", "write_bytes");
    began = monotonic_us();
    cpu = cpu_ms();
    run_workers();
    report(monotonic_us() - began, cpu_ms() - cpu, number_in("/proc/self/io", "write_bytes") - written);
    engine_close(run.engine);
    free(run.latency_us);
    return 0;
}
