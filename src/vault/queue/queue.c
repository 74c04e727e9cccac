/* One thread keeps the schedule: it sleeps until something is due, somebody asks for work, or the queue changed; then
 * it reads the index of due entries from durable state and hands them out.
 *
 * Leases are few (what gates have in hand), so they are a plain array. */
#include "vault/queue/queue.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/wait.h"
#include "rpc/frame.h"
#include "vault/caller.h"
#include "vault/vault.h"

#include <stdlib.h>

#define MOST_LEASES 1024
#define MOST_TAKERS 16 /* queue_take calls that wait; ours keeps one open */
#define MOST_PER_TAKE 64
#define ANSWER_ENOUGH (FRAME_LIMIT / 2) /* the last entry may be a quarter of it: calls.def */
#define MOST_LOOKED_AT 20000 /* due entries in one round: those of busy destinations are passed over */
#define PER_DESTINATION 20   /* leased at a time: a dead domain must not take every place */
#define LONGEST_SLEEP_MS 30000 /* a hint may be lost (engine.h) */
#define AGAIN_MS 1000          /* a delivery of our own failed, or there is more to look at */

struct lease {
    struct entry_id id;
    uint64_t holder;      /* the life of a gate, or 0: the vault itself */
    uint64_t destination; /* a hash: only for counting */
};

struct taker {
    struct later later;
    uint64_t gate;
    uint32_t most;
};

struct queue {
    struct vault *vault;
    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t came;
    struct lease leases[MOST_LEASES];
    size_t lease_count;
    struct taker takers[MOST_TAKERS];
    size_t taker_count;
    size_t unleasings; /* when_durable: they outlive queue_close(), and the last one frees */
    bool hinted, ending, closed;
    pthread_t thread;
    struct part_watch *watch;
    struct due_key
        look_from; /* the next round, if there were more due than one looks at; the thread's own */
};

/* ---- leases ---- */

static uint64_t hash_of(struct str s)
{
    uint64_t h = HASH_START;

    for (size_t i = 0; i < s.n; i++)
        h = hash_step(h, to_lower(s.p[i]));
    return h;
}

static struct lease *find_lease(struct queue *q, struct entry_id id)
{
    for (size_t i = 0; i < q->lease_count; i++)
        if (q->leases[i].id.body == id.body && q->leases[i].id.n == id.n)
            return &q->leases[i];
    return NULL;
}

static size_t leased_to(const struct queue *q, uint64_t destination)
{
    size_t n = 0;

    for (size_t i = 0; i < q->lease_count; i++)
        n += q->leases[i].destination == destination;
    return n;
}

bool queue_lease(struct queue *q, struct entry_id id, uint64_t holder, struct str destination)
{
    HOLD(&q->lock);

    if (q->lease_count == MOST_LEASES || find_lease(q, id))
        return false;
    q->leases[q->lease_count++] = (struct lease){id, holder, hash_of(destination)};
    return true;
}

static bool is_busy(struct queue *q, struct str destination)
{
    HOLD(&q->lock);
    return leased_to(q, hash_of(destination)) >= PER_DESTINATION;
}

bool queue_is_leased(struct queue *q, struct entry_id id)
{
    HOLD(&q->lock);
    return find_lease(q, id) != NULL;
}

bool queue_has_lease(struct queue *q, struct entry_id id, uint64_t holder)
{
    HOLD(&q->lock);
    const struct lease *l = find_lease(q, id);

    return l && l->holder == holder;
}

bool queue_take_over(struct queue *q, struct entry_id id, uint64_t holder)
{
    HOLD(&q->lock);
    struct lease *l = find_lease(q, id);

    if (!l || l->holder != holder)
        return false;
    l->holder = 0;
    return true;
}

static void drop_lease(struct queue *q, struct entry_id id)
{
    HOLD(&q->lock);
    struct lease *l = find_lease(q, id);

    if (l)
        *l = q->leases[--q->lease_count];
}

void queue_unlease(struct queue *q, struct entry_id id)
{
    drop_lease(q, id);
    queue_hint(q);
}

/* After a failure of the store, views show what was durable before it, until the store is open again: which nobody can say
 * of results that came last. While one is open, the store is not opened again. */
bool queue_lease_due(struct queue *q, struct cx *cx, struct entry_id id, uint64_t holder,
                     struct entry_row *entry)
{
    struct engine *engine = q->vault->engine;
    scoped(view_close) struct view *v = NULL;
    bool found = false;

    if (!engine_is_open(engine) || !queue_lease(q, id, holder, entry->destination))
        return false;
    v = view_open(engine);
    if (v && engine_is_open(engine) && !entry_read(v, cx, id, entry, &found) && found && !entry->held &&
        entry->due <= (uint64_t)now_ms())
        return true;
    queue_unlease(q, id);
    return false;
}

struct unleasing {
    struct queue *queue;
    struct entry_id id;
};

static void free_queue(struct queue *q)
{
    pthread_cond_destroy(&q->came);
    pthread_mutex_destroy(&q->lock);
    free(q);
}

static bool was_the_last(struct queue *q)
{
    HOLD(&q->lock);
    return --q->unleasings == 0 && q->closed;
}

/* Only now is what the lines before told of this attempt true for good. */
static void unlease_done(void *arg, enum err e)
{
    struct unleasing *u = arg;
    char text[ID_TEXT_SIZE];

    entry_id_text(u->id, text);
    queue_unlease(u->queue, u->id);
    if (e) /* the entry is as it was, and will be due again */
        log_line(LOG_WARNING, "attempt-lost", "id=%s error=%s", text, err_row(e)->name);
    else
        log_line(LOG_INFO, "attempt-kept", "id=%s", text);
    if (was_the_last(u->queue))
        free_queue(u->queue);
    free(u);
}

static void note_unleasing(struct queue *q)
{
    HOLD(&q->lock);
    q->unleasings++;
}

void queue_unlease_when_durable(struct queue *q, struct entry_id id, struct ticket ticket)
{
    struct unleasing *u = must_alloc(sizeof(*u));

    *u = (struct unleasing){q, id};
    note_unleasing(q);
    engine_when_durable(q->vault->engine, ticket, unlease_done, u);
}

void queue_hint(struct queue *q)
{
    HOLD(&q->lock);

    q->hinted = true;
    pthread_cond_signal(&q->came);
}

void queue_gate_ended(struct queue *q, uint64_t gate)
{
    struct later gone[MOST_TAKERS];
    size_t n = 0;

    pthread_mutex_lock(&q->lock);
    for (size_t i = 0; i < q->lease_count;)
        if (q->leases[i].holder == gate)
            q->leases[i] = q->leases[--q->lease_count];
        else
            i++;
    for (size_t i = 0; i < q->taker_count;)
        if (q->takers[i].gate == gate) {
            gone[n++] = q->takers[i].later;
            q->takers[i] = q->takers[--q->taker_count];
        } else {
            i++;
        }
    q->hinted = true;
    pthread_cond_signal(&q->came);
    pthread_mutex_unlock(&q->lock);
    for (size_t i = 0; i < n; i++)
        later_answer(&gone[i], ERR_STOPPING, STR_NONE);
}

/* ---- one round of the schedule ---- */

struct round {
    struct queue *q;
    struct cx *cx;
    struct view *v;
    uint64_t gate; /* 0: nobody waits for work */
    uint32_t most;
    struct work *work;
    size_t work_count, work_bytes; /* packed */
    struct entry_id *local;
    size_t local_count;
    uint64_t next_due; /* the first that is not due yet; UINT64_MAX: none */
    bool unfinished;   /* not all of what is due was looked at */
};

#define MOST_LOCAL 64

static void work_from(struct cx *cx, struct entry_id id, const struct entry_row *e, struct work *out)
{
    *out = (struct work){.entry = id,
                         .destination = e->destination,
                         .reverse_path = e->reverse_path,
                         .params = e->params,
                         .attempts = e->attempts,
                         .by_hand = e->by_hand,
                         .rcpts = arena_array(cx->arena, struct work_rcpt, e->rcpts_count)};
    out->params.size = e->size;
    for (size_t i = 0; i < e->rcpts_count && out->rcpts_count < 1000; i++)
        if (e->rcpts[i].state == RCPT_WAITING)
            out->rcpts[out->rcpts_count++] = (struct work_rcpt){.n = (uint32_t)i,
                                                                .to = e->rcpts[i].to,
                                                                .notify = e->rcpts[i].notify,
                                                                .orcpt = e->rcpts[i].orcpt};
}

/* An answer that is too long is not sent, and nobody would ever hear what was leased for it. */
static void count_bytes(struct round *r)
{
    struct buf b = buf_make(BUF_UNLIMITED);

    pack_work(&b, &r->work[r->work_count - 1]);
    r->work_bytes += b.n;
    if (r->work_bytes >= ANSWER_ENOUGH)
        r->most = (uint32_t)r->work_count; /* the rest comes with the next one */
    buf_free(&b);
}

static void consider(struct round *r, struct entry_id id)
{
    struct entry_row entry;
    bool found;

    if (queue_is_leased(r->q, id))
        return;
    if (entry_read(r->v, r->cx, id, &entry, &found)) {
        char text[ID_TEXT_SIZE];

        entry_id_text(id, text);
        log_line(LOG_ERROR, "queue-entry", "id=%s cause=%s remedy=\"posthorn check\"", text,
                 log_value(str_from_c(r->cx->cause)));
        return;
    }
    if (!found || entry.held)
        return;
    if (!entry.destination.n) {
        if (r->local_count < MOST_LOCAL && queue_lease_due(r->q, r->cx, id, 0, &entry))
            r->local[r->local_count++] = id;
    } else if (r->gate && r->work_count < r->most && !is_busy(r->q, entry.destination) &&
               queue_lease_due(r->q, r->cx, id, r->gate, &entry)) {
        work_from(r->cx, id, &entry, &r->work[r->work_count++]);
        count_bytes(r);
    }
}

/* A block that cannot be read costs the entries in it, not all that come later. False: the end, or scan_error() tells. */
static bool next_of_index(struct scan *scan, struct cx *cx, struct due_key *key)
{
    struct str k, value;

    for (;;) {
        while (scan_next(scan, &k, &value))
            if (due_key_unpack(k, key))
                return true;
        if (scan_error(scan, cx) != ERR_DAMAGED)
            return false;
        log_line(LOG_ERROR, "queue-schedule", "cause=%s remedy=\"posthorn check\"",
                 log_value(str_from_c(cx->cause)));
        if (!scan_past_damage(scan))
            return false;
    }
}

/* A round goes on where the one before stopped: else as many entries as it looks at, whose destination takes none, would
 * keep everybody's mail behind them waiting. */
static enum err open_index(struct round *r, struct scan **scan)
{
    scoped(buf_free) struct buf from = buf_make(64);

    due_key_pack(&from, &r->q->look_from);
    r->unfinished = r->q->look_from.due > 0;
    r->q->look_from = (struct due_key){0};
    return view_scan(r->v, r->cx, due_part(NO_ACCOUNT), buf_str(&from), S("e"), false, scan);
}

static enum err look_at_index(struct round *r)
{
    scoped(scan_close) struct scan *scan = NULL;
    uint64_t now = (uint64_t)now_ms();
    struct due_key key;
    enum err e = open_index(r, &scan);

    for (size_t i = 0; !e && next_of_index(scan, r->cx, &key); i++) {
        if (key.due > now) {
            r->next_due = key.due;
            return OK;
        }
        if (r->local_count == MOST_LOCAL && (!r->gate || r->work_count == r->most))
            return OK;
        if (i == MOST_LOOKED_AT) {
            r->q->look_from = key;
            r->unfinished = true;
            return OK;
        }
        consider(r, (struct entry_id){key.body, key.n});
    }
    return e ? e : scan_error(scan, r->cx);
}

/* False: another time, for it would not go better at once. */
static bool deliver_local(struct queue *q, struct entry_id id)
{
    struct cx cx = {.arena = arena_new(0)};
    struct ticket ticket = {0};
    enum err e = queue_deliver_local(q->vault, &cx, id, &ticket);
    char text[ID_TEXT_SIZE];

    if (!e)
        e = engine_wait(q->vault->engine, &cx, ticket);
    entry_id_text(id, text);
    if (e)
        log_line(LOG_WARNING, "local-delivery", "id=%s error=%s cause=%s", text, err_row(e)->name,
                 log_value(str_from_c(cx.cause)));
    arena_free(cx.arena);
    drop_lease(q, id);
    return !e;
}

/* Takes the call that waits longest; it comes back if there is nothing to give. */
static bool take_taker(struct queue *q, struct taker *t)
{
    HOLD(&q->lock);

    if (!q->taker_count)
        return false;
    *t = q->takers[0];
    memmove(&q->takers[0], &q->takers[1], --q->taker_count * sizeof(*t));
    return true;
}

static void put_back(struct queue *q, struct taker *t)
{
    bool refused;

    {
        HOLD(&q->lock);
        refused = q->taker_count == MOST_TAKERS || q->ending || !later_is_heard(&t->later);
        if (!refused)
            q->takers[q->taker_count++] = *t;
    }
    if (refused)
        later_answer(&t->later, ERR_STOPPING, STR_NONE);
}

/* A gate that ended meanwhile has not been found among the takers, and gives nothing back. */
static void answer_taker(struct taker *t, const struct round *r)
{
    bool is_heard = later_is_heard(&t->later);
    struct queue_take_reply reply = {.entries = r->work, .entries_count = r->work_count};
    struct buf b = buf_make(BUF_UNLIMITED);

    pack_queue_take_reply(&b, &reply);
    later_answer(&t->later, OK, buf_str(&b));
    buf_free(&b);
    if (!is_heard)
        queue_gate_ended(r->q, t->gate);
}

/* The time until the schedule must look again. */
static int64_t run_round(struct queue *q)
{
    struct cx cx = {.arena = arena_new(0)};
    struct taker taker = {0};
    bool has_taker = take_taker(q, &taker), failed = false;
    struct round r = {.q = q,
                      .cx = &cx,
                      .gate = has_taker ? taker.gate : 0,
                      .most = has_taker ? taker.most : 0,
                      .work = arena_array(cx.arena, struct work, MOST_PER_TAKE),
                      .local = arena_array(cx.arena, struct entry_id, MOST_LOCAL),
                      .next_due = UINT64_MAX};
    int64_t sleep_ms = LONGEST_SLEEP_MS, until;

    r.v = view_open(q->vault->engine);
    if (r.v && look_at_index(&r))
        log_line(LOG_ERROR, "queue-schedule", "cause=%s", log_value(str_from_c(cx.cause)));
    if (has_taker && r.work_count)
        answer_taker(&taker, &r);
    else if (has_taker)
        put_back(q, &taker);
    view_close(&r.v);
    for (size_t i = 0; i < r.local_count; i++)
        failed |= !deliver_local(q, r.local[i]);
    if (failed || r.unfinished)
        sleep_ms = AGAIN_MS;
    if (r.local_count == MOST_LOCAL && !failed) /* there may be more */
        queue_hint(q);
    if (r.next_due != UINT64_MAX) {
        until = (int64_t)r.next_due - now_ms();
        sleep_ms = until < 1 ? 1 : until < sleep_ms ? until : sleep_ms;
    }
    arena_free(cx.arena);
    return sleep_ms;
}

static void sleep_until_hint(struct queue *q, int64_t ms)
{
    int64_t until = monotonic_ms() + ms;
    HOLD(&q->lock);

    while (!q->hinted && !q->ending && cond_wait_until(&q->came, &q->lock, until))
        ;
    q->hinted = false;
}

static bool is_ending(struct queue *q)
{
    HOLD(&q->lock);
    return q->ending;
}

static void *schedule(void *arg)
{
    struct queue *q = arg;

    while (!is_ending(q))
        sleep_until_hint(q, run_round(q));
    return NULL;
}

/* ---- opening and closing ---- */

static void part_changed(void *arg)
{
    queue_hint(arg);
}

struct queue *queue_open(struct vault *v)
{
    struct queue *q = must_alloc(sizeof(*q));

    q->vault = v;
    pthread_mutex_init(&q->lock, NULL);
    cond_init_monotonic(&q->came);
    q->watch = part_watch_open(v->engine, (struct part){PART_QUEUE, 0}, part_changed, q);
    if (pthread_create(&q->thread, NULL, schedule, q)) {
        log_line(LOG_ERROR, "no-thread", "for=queue");
        abort();
    }
    return q;
}

static bool is_unused(struct queue *q)
{
    HOLD(&q->lock);
    q->closed = true;
    return q->unleasings == 0;
}

void queue_close(struct queue *q)
{
    if (!q)
        return;
    {
        HOLD(&q->lock);
        q->ending = true;
        pthread_cond_signal(&q->came);
    }
    pthread_join(q->thread, NULL);
    part_watch_close(&q->watch);
    for (size_t i = 0; i < q->taker_count; i++)
        later_answer(&q->takers[i].later, ERR_STOPPING, STR_NONE);
    if (is_unused(q))
        free_queue(q);
}

/* ---- what the mx gate calls ---- */

enum err serve_queue_take(struct caller *c, const struct queue_take_request *q,
                          struct queue_take_reply *r)
{
    struct queue *queue = c->vault->queue;
    struct taker taker = {.gate = c->gate, .most = q->most < MOST_PER_TAKE ? q->most : MOST_PER_TAKE};

    (void)r;
    if (!taker.most)
        return fail(&c->cx, ERR_BAD_CALL, "nothing is asked for");
    {
        HOLD(&queue->lock);
        if (queue->taker_count == MOST_TAKERS)
            return fail(&c->cx, ERR_LIMIT, "%d calls wait for work already", MOST_TAKERS);
        caller_answer_later(c, &taker.later);
        queue->takers[queue->taker_count++] = taker;
        queue->hinted = true;
        pthread_cond_signal(&queue->came);
    }
    return OK;
}

/* The first due entry for a destination, found by the same index. */
enum err serve_queue_more(struct caller *c, const struct queue_more_request *q,
                          struct queue_more_reply *r)
{
    scoped(view_close) struct view *v = view_open(c->vault->engine);
    scoped(scan_close) struct scan *scan = NULL;
    struct due_key key;
    enum err e =
        v ? view_scan(v, &c->cx, due_part(NO_ACCOUNT), S("d"), S("e"), false, &scan) : ERR_STORE;

    r->entries = arena_array(c->cx.arena, struct work, 1);
    for (int i = 0; !e && i < 1000 && !r->entries_count && next_of_index(scan, &c->cx, &key); i++) {
        struct entry_row entry;
        bool found;

        if (key.due > (uint64_t)now_ms())
            break;
        struct entry_id id = {key.body, key.n};

        if (!entry_read(v, &c->cx, id, &entry, &found) && found && !entry.held &&
            str_same_nocase(entry.destination, q->destination) && entry.destination.n &&
            queue_lease_due(c->vault->queue, &c->cx, id, c->gate, &entry))
            work_from(&c->cx, id, &entry, &r->entries[r->entries_count++]);
    }
    return e;
}
