/* The whole process table is read each time and the trees are followed in it: processes come and go, and a
 * server such as Postfix has hundreds in one run. */
#include "meter.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/scoped.h"

struct process {
    pid_t pid, parent;
    double ticks; /* its own and its dead children's */
    bool ours;
};

struct table {
    struct process *rows;
    size_t n, cap;
};

/* A whole /proc file; cut at the size of `out`. Empty when it cannot be read. */
static struct str read_proc(char *out, size_t size, const char *path)
{
    scoped(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, out, size);

    return (struct str){out, n > 0 ? (size_t)n : 0};
}

/* The number behind `label` in "label: 123 kB" lines. */
static double labelled(struct str file, struct str label)
{
    size_t at;
    uint64_t v;

    if (!str_find(file, label, &at))
        return 0;
    file = str_from(file, at + label.n);
    while (file.n && !is_digit(file.p[0]))
        file = str_from(file, 1);
    return take_u64(&file, &v) ? (double)v : 0;
}

/* The nth word, counted from 1, as a number; 0 if it is none. */
static double word(struct str line, size_t n)
{
    uint64_t v;

    for (;;) {
        while (line.n && (line.p[0] == ' ' || line.p[0] == '\n'))
            line = str_from(line, 1);
        if (n-- == 1)
            break;
        while (line.n && line.p[0] != ' ')
            line = str_from(line, 1);
        if (!line.n)
            return 0;
    }
    return take_u64(&line, &v) ? (double)v : 0;
}

/* proc(5): "pid (name) state ppid ..."; the name may hold anything, so it is left behind at its last ")". */
static void note_process(struct table *t, pid_t pid)
{
    char path[64], text[1024];
    struct str stat;
    size_t at;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    stat = read_proc(text, sizeof text, path);
    if (!str_rfind_char(stat, ')', &at))
        return;
    stat = str_from(stat, at + 2); /* its word 1 is field 3, state */
    if (t->n == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 256;
        t->rows = must_realloc(t->rows, t->cap * sizeof *t->rows);
    }
    t->rows[t->n++] = (struct process){
        .pid = pid,
        .parent = (pid_t)word(stat, 2),
        .ticks = word(stat, 12) + word(stat, 13) + word(stat, 14) + word(stat, 15),
    };
}

/* Calls `each` with every entry of a directory that is a number. */
static void each_number(const char *directory, void (*each)(void *, pid_t), void *with)
{
    DIR *d = opendir(directory);
    struct dirent *e;
    uint32_t n;

    while (d && (e = readdir(d)))
        if (parse_u32(str_from_c(e->d_name), &n))
            each(with, (pid_t)n);
    if (d)
        closedir(d);
}

static void note_entry(void *table, pid_t pid)
{
    note_process(table, pid);
}

static bool is_root(const struct options *o, pid_t pid)
{
    for (size_t i = 0; i < o->pid_count; i++)
        if (o->pids[i] == pid)
            return true;
    return false;
}

static bool parent_is_ours(const struct table *t, pid_t parent)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->rows[i].pid == parent)
            return t->rows[i].ours;
    return false;
}

/* Until nobody new is found: a child may stand before its parent in the table. */
static void mark_ours(struct table *t, const struct options *o)
{
    bool more = true;

    while (more) {
        more = false;
        for (size_t i = 0; i < t->n; i++) {
            struct process *p = &t->rows[i];

            if (!p->ours && (is_root(o, p->pid) || parent_is_ours(t, p->parent)))
                p->ours = more = true;
        }
    }
}

struct thread_sum {
    pid_t process;
    double switches;
};

static void add_thread(void *sum, pid_t thread)
{
    struct thread_sum *s = sum;
    char path[64], text[4096];

    snprintf(path, sizeof path, "/proc/%d/task/%d/status", (int)s->process, (int)thread);
    s->switches += labelled(read_proc(text, sizeof text, path), S("\nvoluntary_ctxt_switches:"));
}

static void add_process(struct meter *m, const struct process *p)
{
    struct thread_sum threads = {.process = p->pid};
    char path[64], text[4096];
    struct str io;

    m->processes++;
    m->cpu_s += p->ticks / (double)sysconf(_SC_CLK_TCK);
    snprintf(path, sizeof path, "/proc/%d/io", (int)p->pid);
    io = read_proc(text, sizeof text, path);
    m->written += labelled(io, S("\nwrite_bytes:"));
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)p->pid);
    m->pss += 1024 * labelled(read_proc(text, sizeof text, path), S("\nPss:"));
    snprintf(path, sizeof path, "/proc/%d/task", (int)p->pid);
    each_number(path, add_thread, &threads);
    m->switches += threads.switches;
}

/* Documentation/admin-guide/iostats.rst: major minor name, then the fields; field 7 is sectors written (of
 * 512 bytes), field 16 flush requests. */
static void add_device(struct meter *m, const struct options *o)
{
    char text[16384];
    struct str file = read_proc(text, sizeof text, "/proc/diskstats"), line;

    while (take_until(&file, '\n', &line))
        if (word(line, 1) == o->device_major && word(line, 2) == o->device_minor) {
            m->device_written = 512 * word(line, 10);
            m->device_flushes = word(line, 19);
        }
}

/* proc(5): "cpu user nice system idle iowait irq softirq steal ...", in ticks. */
static double machine_busy(void)
{
    static const size_t words[] = {2, 3, 4, 7, 8, 9};
    char text[512];
    struct str line = read_proc(text, sizeof text, "/proc/stat");
    double ticks = 0;

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        ticks += word(line, words[i]);
    return ticks / (double)sysconf(_SC_CLK_TCK);
}

void meter_read(const struct options *o, struct meter *out)
{
    struct table t = {0};

    *out = (struct meter){0};
    each_number("/proc", note_entry, &t);
    mark_ours(&t, o);
    for (size_t i = 0; i < t.n; i++)
        if (t.rows[i].ours)
            add_process(out, &t.rows[i]);
    if (o->device_major)
        add_device(out, o);
    out->machine_busy_s = machine_busy();
    free(t.rows);
}
