/* A run is: whatever must not be measured, the meter, the work, the meter again, the figures. */
#include "runs.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "idle.h"
#include "imap.h"
#include "meter.h"
#include "pop3.h"
#include "smtp.h"
#include "stats.h"
#include "visible.h"

struct measure {
    struct meter before, after;
    int64_t began_us, ended_us;
    double own_cpu_s; /* the generator's, which shares the machine with the server */
};

static double own_cpu(void)
{
    struct rusage r;

    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static void measure_begin(const struct options *o, struct measure *m)
{
    meter_read(o, &m->before);
    m->own_cpu_s = own_cpu();
    m->began_us = monotonic_us();
}

static void measure_end(const struct options *o, struct measure *m)
{
    m->ended_us = monotonic_us();
    m->own_cpu_s = own_cpu() - m->own_cpu_s;
    meter_read(o, &m->after);
}

static double measure_seconds(const struct measure *m)
{
    return (double)(m->ended_us - m->began_us) / 1e6;
}

/* How much of the machine went to neither of the two: kernel threads that write for the server, and whoever
 * disturbs the measurement. */
static double others_percent(const struct measure *m)
{
    double busy = m->after.machine_busy_s - m->before.machine_busy_s;
    double ours = m->after.cpu_s - m->before.cpu_s + m->own_cpu_s;
    double all = measure_seconds(m) * (double)sysconf(_SC_NPROCESSORS_ONLN);

    return busy > ours ? 100 * (busy - ours) / all : 0;
}

/* What the server spent, per piece of work (a message, a sign-on). */
static void report_costs(const struct options *o, const struct measure *m, double pieces,
                         struct report *r)
{
    const struct meter *a = &m->before, *b = &m->after;

    if (pieces < 1)
        return;
    report_add(r, "load_cpu_ms_each", m->own_cpu_s * 1000 / pieces);
    if (o->pid_count) {
        report_add(r, "server_cpu_ms_each", (b->cpu_s - a->cpu_s) * 1000 / pieces);
        report_add(r, "server_written_kb_each", (b->written - a->written) / 1024 / pieces);
        report_add(r, "server_wakeups_each", (b->switches - a->switches) / pieces);
        report_add(r, "server_pss_mb", b->pss / 1048576);
        report_add(r, "server_processes", b->processes);
    }
    if (o->pid_count && measure_seconds(m) > 0.5) /* the kernel counts in ticks of 10 ms */
        report_add(r, "others_cpu_percent", others_percent(m));
    if (o->device_major) {
        report_add(r, "disk_flushes_each", (b->device_flushes - a->device_flushes) / pieces);
        report_add(r, "disk_written_kb_each", (b->device_written - a->device_written) / 1024 / pieces);
    }
}

static void report_sample(struct sample *s, const char *const names[3], struct report *r)
{
    static const double percents[] = {50, 99, 100};

    sample_sort(s);
    for (size_t i = 0; i < 3; i++)
        report_add(r, names[i], sample_percentile(s, percents[i]) / 1000.0);
}

static void report_smtp(const struct options *o, const struct measure *m, int64_t accepted_us,
                        struct smtp_run *run, struct report *r)
{
    static const char *const names[] = {"reply_p50_ms", "reply_p99_ms", "reply_max_ms"};
    double accepted_s = (double)(accepted_us - m->began_us) / 1e6;

    report_add(r, "messages_per_s", (double)run->accepted / measure_seconds(m));
    report_add(r, "deliveries_per_s", (double)run->deliveries / measure_seconds(m));
    report_add(r, "accepted_per_s", (double)run->accepted / accepted_s);
    report_add(r, "seconds_until_visible", measure_seconds(m));
    report_add(r, "seconds_until_accepted", accepted_s);
    report_sample(&run->replies, names, r);
    report_add(r, "messages_accepted", (double)run->accepted);
    report_add(r, "temporary_replies", (double)run->temporary);
    report_add(r, "rejected_replies", (double)run->rejected);
    report_add(r, "broken_connections", (double)run->broken);
    report_costs(o, m, (double)run->accepted, r);
}

void run_smtp(const struct options *o, struct report *report)
{
    int64_t deadline = monotonic_ms() + (int64_t)o->time_limit_ms, accepted_us;
    uint32_t *want = must_alloc(o->accounts * sizeof *want);
    struct smtp_run run = {0};
    struct measure m = {0};

    if (!o->wants_visible || visible_count(o, deadline, want, report)) {
        measure_begin(o, &m);
        smtp_run(o, deadline, &run, report);
        accepted_us = monotonic_us();
        for (uint64_t i = 0; i < o->accounts; i++)
            want[i] += run.expected[i];
        if (o->wants_visible)
            visible_wait(o, deadline, want, run.last_account, report);
        measure_end(o, &m);
        report_smtp(o, &m, accepted_us, &run, report);
        smtp_run_free(&run);
    }
    free(want);
}

/* Sessions that each begin anew until there is no more work: POP3's two commands, IMAP's script, or IMAP's sign-on and
 * log-out over and over. */

struct load {
    const struct options *o;
    struct report *report;
    const struct load_ops *ops;
    uint64_t taken, total, open; /* sessions begun, and to be, and those that run */
    double finished;
    struct sample took; /* from the connect to the end of the sign-on or of the download */
    enum pop3_job job;
    double messages, octets;    /* of POP3 */
    struct imap_script *script; /* of IMAP */
};

struct worker {
    union { /* first: a session is its worker */
        struct pop3 pop3;
        struct imap imap;
    };
    int64_t began_us;
};

struct load_ops {
    void (*init)(struct load *l, struct worker *w);
    void (*start)(struct load *l, struct worker *w, uint64_t account);
    void (*free)(struct worker *w);
};

static void take_work(struct load *l, struct worker *w)
{
    if (l->taken == l->total || l->report->failure[0]) {
        l->open--;
        return;
    }
    w->began_us = monotonic_us();
    l->ops->start(l, w, l->taken++ % l->o->accounts);
}

static void note_done(struct load *l, struct worker *w, const char *failure, int64_t until_us)
{
    if (failure[0]) {
        report_fail(l->report, "%s", failure);
    } else {
        l->finished++;
        sample_add(&l->took, until_us - w->began_us);
    }
    take_work(l, w);
}

static void load_run(struct load *l)
{
    struct worker *all = must_alloc(l->o->sessions * sizeof *all);
    int64_t deadline = monotonic_ms() + (int64_t)l->o->time_limit_ms;

    l->open = l->o->sessions;
    for (uint64_t i = 0; i < l->o->sessions; i++) {
        l->ops->init(l, &all[i]);
        take_work(l, &all[i]);
    }
    while (l->open && monotonic_ms() < deadline)
        wires_serve(deadline - monotonic_ms());
    if (l->open)
        report_fail(l->report, "not done in time");
    for (uint64_t i = 0; i < l->o->sessions; i++)
        l->ops->free(&all[i]);
    free(all);
}

static uint64_t load_total(const struct options *o)
{
    return o->count ? o->count : o->sessions;
}

static void run_signons(struct load *l)
{
    static const char *const names[] = {"sign_on_p50_ms", "sign_on_p99_ms", "sign_on_max_ms"};
    struct measure m = {0};

    measure_begin(l->o, &m);
    load_run(l);
    measure_end(l->o, &m);
    report_add(l->report, "sign_ons_per_s", l->finished / measure_seconds(&m));
    report_add(l->report, "sign_ons", l->finished);
    report_sample(&l->took, names, l->report);
    report_costs(l->o, &m, l->finished, l->report);
    sample_free(&l->took);
}

/* ---- POP3 ---- */

static void pop3_done(struct pop3 *p)
{
    struct load *l = p->owner;

    if (!p->failure[0]) {
        l->messages += (double)p->fetched;
        l->octets += (double)p->fetched_octets;
    }
    note_done(l, (struct worker *)p, p->failure,
              l->job == POP3_FETCH ? p->fetched_us : p->signed_on_us);
}

static void init_pop3(struct load *l, struct worker *w)
{
    pop3_init(&w->pop3, l->o);
    w->pop3.tls = true;
    w->pop3.done = pop3_done;
    w->pop3.owner = l;
}

static void start_pop3(struct load *l, struct worker *w, uint64_t account)
{
    pop3_start(&w->pop3, &l->o->to, l->job, account);
}

static void free_pop3(struct worker *w)
{
    pop3_free(&w->pop3);
}

static const struct load_ops pop3_ops = {init_pop3, start_pop3, free_pop3};

void run_pop3(const struct options *o, struct report *report)
{
    struct load l = {
        .o = o, .report = report, .ops = &pop3_ops, .job = POP3_FETCH, .total = load_total(o)};
    struct measure m = {0};

    measure_begin(o, &m);
    load_run(&l);
    measure_end(o, &m);
    report_add(report, "messages_per_s", l.messages / measure_seconds(&m));
    report_add(report, "mb_per_s", l.octets / 1048576 / measure_seconds(&m));
    report_add(report, "messages", l.messages);
    report_add(report, "downloads", l.finished);
    report_costs(o, &m, l.messages, report);
    sample_free(&l.took);
}

void run_signon(const struct options *o, struct report *report)
{
    run_signons(&(struct load){
        .o = o, .report = report, .ops = &pop3_ops, .job = POP3_SIGN_ON, .total = load_total(o)});
}

/* ---- IMAP ---- */

static void imap_done(struct imap *m)
{
    note_done(m->owner, (struct worker *)m, m->failure, m->signed_on_us);
}

static void init_imap(struct load *l, struct worker *w)
{
    imap_init(&w->imap, l->o);
    w->imap.script = l->script;
    w->imap.done = imap_done;
    w->imap.owner = l;
}

static void start_imap(struct load *l, struct worker *w, uint64_t account)
{
    imap_start(&w->imap, &l->o->to, account);
}

static void free_imap(struct worker *w)
{
    imap_free(&w->imap);
}

static const struct load_ops imap_ops = {init_imap, start_imap, free_imap};

static void report_step(struct imap_step *s, struct report *r)
{
    if (s->name[0] == '-')
        return;
    sample_sort(&s->took);
    if (s->batch)
        report_add(r, s->figure, s->seconds > 0 ? (double)s->times / s->seconds : 0);
    else
        report_add(r, s->figure, sample_percentile(&s->took, 50) / 1000.0);
    report_add(r, s->bytes, s->took.n ? s->octets / 1024 / (double)s->took.n : 0);
}

/* A file of our own making, so a size is all that is checked. False: said. */
static bool read_script(const char *name, struct buf *text)
{
    FILE *f = fopen(name, "r");
    size_t n;

    if (!f) {
        fprintf(stderr, "posthorn-bench: cannot open %s\n", name);
        return false;
    }
    while ((n = fread(buf_reserve(text, 4096), 1, 4096, f)) > 0)
        buf_grew(text, n);
    fclose(f);
    return true;
}

void run_imap(const struct options *o, struct report *report)
{
    static struct imap_script script; /* the report points to the names of its figures */
    struct buf text = buf_make(BUF_UNLIMITED);
    struct load l = {
        .o = o, .report = report, .ops = &imap_ops, .script = &script, .total = o->sessions};
    struct measure m = {0};
    uint64_t wrong;

    if (!o->script || !read_script(o->script, &text))
        report_fail(report, "imap needs --script FILE");
    else if (!imap_script_parse(buf_str(&text), l.script, &wrong))
        report_fail(report, "%s: line %d cannot be understood", o->script, (int)wrong);
    if (!report->failure[0]) {
        measure_begin(o, &m);
        load_run(&l);
        measure_end(o, &m);
        for (size_t i = 0; i < l.script->n; i++)
            report_step(&l.script->steps[i], report);
        report_costs(o, &m, 1, report);
    }
    imap_script_free(l.script);
    sample_free(&l.took);
    buf_free(&text);
}

void run_imap_signon(const struct options *o, struct report *report)
{
    struct imap_script none = {0};

    run_signons(&(struct load){
        .o = o, .report = report, .ops = &imap_ops, .script = &none, .total = load_total(o)});
}

/* Sessions that are opened one after the other, some at a time, and then do nothing. */

#define DIALING 50     /* at once: a backlog holds them */
#define WARM 100       /* not counted: what the server makes once, it makes for these */
#define SETTLE_MS 2000 /* until threads that have nothing to do any more have ended */

struct idle_load {
    const struct options *o;
    struct report *report;
    uint64_t begun, total, idle, failures, dialing;
    struct idler *all;
};

static void note_idle(struct idler *i)
{
    struct idle_load *l = i->owner;

    if (!i->failure[0]) {
        l->idle++;
        l->dialing--;
        return;
    }
    l->failures++;
    l->total = 0; /* no more of them */
    report_fail(l->report, "%s", i->failure);
}

/* Until so many are idle. */
static void open_idlers(struct idle_load *l, uint64_t upto, int64_t deadline)
{
    l->total = l->failures ? 0 : upto;
    while (l->idle < l->total && monotonic_ms() < deadline) {
        while (l->begun < l->total && l->dialing < DIALING) {
            struct idler *i = &l->all[l->begun];

            idler_init(i, l->o);
            i->done = note_idle;
            i->owner = l;
            l->dialing++;
            idler_start(i, l->begun++ % l->o->accounts);
        }
        wires_serve(100);
    }
    if (!l->failures && l->idle < upto)
        report_fail(l->report, "not all signed on in time");
}

static void wait_ms(int64_t ms)
{
    int64_t until = monotonic_ms() + ms;

    while (monotonic_ms() < until)
        wires_serve(until - monotonic_ms());
}

static void report_idle(const struct options *o, const struct measure *opening,
                        const struct measure *resting, struct report *r)
{
    double sessions = (double)o->sessions, seconds = measure_seconds(resting);

    report_add(r, "sessions", sessions);
    report_add(r, "sign_ons_per_s", sessions / measure_seconds(opening));
    if (!o->pid_count)
        return;
    report_add(r, "server_pss_kib_each", (resting->after.pss - opening->before.pss) / 1024 / sessions);
    report_add(r, "server_pss_mb", resting->after.pss / 1048576);
    report_add(r, "cpu_percent_at_rest",
               100 * (resting->after.cpu_s - resting->before.cpu_s) / seconds);
}

/* More sessions than descriptors are usual for. */
static void raise_descriptors(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_NOFILE, &r);
    }
}

void run_idle(const struct options *o, struct report *report)
{
    struct idle_load l = {
        .o = o, .report = report, .all = must_alloc((WARM + o->sessions) * sizeof *l.all)};
    int64_t deadline = monotonic_ms() + (int64_t)o->time_limit_ms;
    struct measure opening = {0}, resting = {0};

    raise_descriptors();
    open_idlers(&l, WARM, deadline);
    wait_ms(SETTLE_MS);
    measure_begin(o, &opening);
    open_idlers(&l, WARM + o->sessions, deadline);
    measure_end(o, &opening);
    if (!report->failure[0]) {
        wait_ms(SETTLE_MS);
        measure_begin(o, &resting);
        wait_ms((int64_t)o->rest_ms);
        measure_end(o, &resting);
        report_idle(o, &opening, &resting, report);
    }
    for (uint64_t i = 0; i < l.begun; i++)
        idler_free(&l.all[i]);
    free(l.all);
}
