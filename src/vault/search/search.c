#include "vault/search/search_impl.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/wait.h"
#include "vault/search/terms.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAIT_MS 300
#define BACKOFF_MS 1000
#define BACKOFF_MOST_MS 3600000

const char *index_path(const struct search *s, struct account_id account, char out[INDEX_PATH_SIZE])
{
    snprintf(out, INDEX_PATH_SIZE, "%s/%" PRIu64 ".idx", s->directory, account.v);
    return out;
}

/* ---- accounts ---- */

static struct followed **bucket_of(struct search *s, struct account_id account)
{
    return &s->buckets[account.v % BUCKETS];
}

struct followed *followed_hold(struct search *s, struct account_id account)
{
    struct followed *f;
    HOLD(&s->lock);

    for (f = *bucket_of(s, account); f && f->account.v != account.v; f = f->next)
        ;
    if (!f) {
        f = must_alloc(sizeof(*f));
        f->s = s;
        f->account = account;
        pthread_mutex_init(&f->lock, NULL);
        f->next = *bucket_of(s, account);
        *bucket_of(s, account) = f;
        s->count++;
    }
    f->holders++;
    f->used = monotonic_ms();
    return f;
}

void followed_release(struct followed **f)
{
    HOLD(&(*f)->s->lock);

    (*f)->holders--;
    *f = NULL;
}

/* With the search's lock held. */
static void set_due(struct followed *f, int64_t when)
{
    if (f->due && f->due <= when)
        return;
    f->due = when;
    if (when < f->s->wakes)
        pthread_cond_signal(&f->s->due);
}

void followed_due(struct followed *f, int64_t when)
{
    HOLD(&f->s->lock);

    set_due(f, when);
}

enum err followed_open(struct followed *f, struct cx *cx, bool make)
{
    char path[INDEX_PATH_SIZE];
    enum err e;

    index_path(f->s, f->account, path);
    if (f->x || (!make && access(path, F_OK)))
        return OK;
    mkdir(f->s->directory, 0700); /* if there is none and that fails, so does the index, and says so */
    e = index_open(cx, path, f->s->identity, &f->x);
    if (e)
        return e;
    HOLD(&f->s->lock);
    f->is_open = true;
    f->s->open++;
    return OK;
}

void followed_close(struct followed *f)
{
    HOLD(&f->s->lock);

    f->s->open -= f->is_open;
    f->is_open = false;
    index_close(&f->x);
}

void followed_discard(struct followed *f, enum err e, const char *cause)
{
    char path[INDEX_PATH_SIZE];
    int64_t wait;

    if (!f->busy) {
        followed_close(f);
        index_remove(index_path(f->s, f->account, path));
    }
    log_line(LOG_WARNING, "index-discarded", "account=%" PRIu64 " error=%s cause=%s", f->account.v,
             err_row(e)->name, log_value(str_from_c(cause)));
    HOLD(&f->s->lock);
    wait = f->failures < 12 ? BACKOFF_MS << f->failures : BACKOFF_MOST_MS;
    f->failures++;
    f->failed = e;
    snprintf(f->cause, sizeof(f->cause), "%s", cause);
    f->wanted = true;
    f->again |= f->busy;
    f->due = 0;
    set_due(f, monotonic_ms() + (f->failures > 1 ? wait : 0));
}

/* ---- keeping few of them ---- */

/* The one that was used longest ago; NULL: none has to go. With the search's lock held. */
static struct followed *oldest(struct search *s, bool open)
{
    bool too_many = open ? s->open > OPEN_MOST : s->count > FOLLOWED_MOST;
    struct followed *found = NULL;

    for (size_t b = 0; b < BUCKETS; b++)
        for (struct followed *f = s->buckets[b]; f; f = f->next)
            if (!f->holders && !f->making && f->is_open == open && (!found || f->used < found->used))
                found = f;
    return found && (too_many || (open && found->used < monotonic_ms() - UNUSED_MS)) ? found : NULL;
}

static void forget(struct followed *f)
{
    part_watch_close(&f->watch);
    followed_close(f);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

static bool close_oldest(struct search *s)
{
    struct followed *f;

    {
        HOLD(&s->lock);
        f = oldest(s, true);
        if (!f)
            return false;
        f->holders++;
    }
    pthread_mutex_lock(&f->lock);
    followed_close(f);
    pthread_mutex_unlock(&f->lock);
    followed_release(&f);
    return true;
}

static bool forget_oldest(struct search *s)
{
    struct followed *f, **at;

    {
        HOLD(&s->lock);
        f = oldest(s, false);
        if (!f)
            return false;
        for (at = bucket_of(s, f->account); *at != f; at = &(*at)->next)
            ;
        *at = f->next;
        s->count--;
    }
    forget(f);
    return true;
}

void search_tidy(struct search *s)
{
    while (close_oldest(s))
        ;
    while (forget_oldest(s))
        ;
}

/* ---- the whole ---- */

/* Of the store: when it was made. */
static uint64_t identity_of(struct store *store)
{
    scoped(view_close) struct view *v = view_open(store->engine);
    struct cx cx = {.arena = arena_new(0)};
    struct format_row row = {0};
    bool found = false;

    if (v)
        format_row_view(v, &cx, NO_ACCOUNT, &(struct format_key){0}, &row, &found);
    arena_free(cx.arena);
    return row.created;
}

struct search *search_open(struct store *store, const char *directory)
{
    struct search *s = must_alloc(sizeof(*s));

    s->store = store;
    s->directory = directory;
    s->identity = identity_of(store);
    s->wakes = INT64_MAX;
    pthread_mutex_init(&s->lock, NULL);
    cond_init_monotonic(&s->due);
    cond_init_monotonic(&s->progressed);
    if (pthread_create(&s->thread, NULL, follow_main, s)) {
        log_line(LOG_ERROR, "no-thread", "for=index");
        abort();
    }
    return s;
}

void search_close(struct search **sp)
{
    struct search *s = *sp;

    if (!s)
        return;
    {
        HOLD(&s->lock);
        s->ending = true;
        pthread_cond_signal(&s->due);
        pthread_cond_broadcast(&s->progressed);
    }
    pthread_join(s->thread, NULL);
    for (size_t b = 0; b < BUCKETS; b++)
        while (s->buckets[b]) {
            struct followed *f = s->buckets[b];

            s->buckets[b] = f->next;
            forget(f);
        }
    pthread_cond_destroy(&s->due);
    pthread_cond_destroy(&s->progressed);
    pthread_mutex_destroy(&s->lock);
    free(s);
    *sp = NULL;
}

/* ---- asking ---- */

/* Messages and contents both lie, mostly, in the order of bodies' ids: so the next one is tried first. */
static const struct index_known *find_next(const struct index *x, const struct index_known **last,
                                           const struct index_known *end, struct body_id body)
{
    const struct index_known *k = *last;

    if (k && ++k < end && k->body == body.v)
        *last = k;
    else if ((k = index_find(x, body)))
        *last = k;
    return k && k->body == body.v ? k : NULL;
}

static uint64_t *bits_of(struct arena *a, struct index *x, const struct roster *r, uint32_t *unreached)
{
    struct roster_walk w = roster_walk(r, NULL);
    uint64_t *bits = arena_array(a, uint64_t, roster_counts(r)->exists / 64 + 1);
    uint64_t email = index_reached(x).email;
    size_t n;
    const struct index_known *known = index_known(x, &n), *last = NULL;
    const struct roster_entry *entry;

    *unreached = 0;
    while ((entry = roster_next(&w))) {
        const struct index_known *k = find_next(x, &last, known + n, entry->body);
        bool reached = k && entry->email.v < email;

        *unreached += !reached;
        if (!reached || k->hit)
            bits[(w.number - 1) / 64] |= UINT64_C(1) << ((w.number - 1) % 64);
    }
    return bits;
}

/* With f->lock held. NULL: there is no index, or it is of no use. */
static uint64_t *ask(struct followed *f, struct arena *a, const struct roster *r, unsigned parts,
                     struct str terms, uint32_t *unreached)
{
    struct cx cx = {.arena = a};
    enum err e = followed_open(f, &cx, false);

    *unreached = roster_counts(r)->exists;
    if (!e && !f->x)
        return NULL;
    if (!e)
        e = index_ask(f->x, &cx, parts, terms);
    if (!e)
        return bits_of(a, f->x, r, unreached);
    followed_discard(f, e, cx.cause);
    *unreached = 0; /* it is due already, or waits after a failure */
    return NULL;
}

static bool has_too_many(struct search *s)
{
    HOLD(&s->lock);

    return s->open > OPEN_MOST || s->count > FOLLOWED_MOST;
}

const uint64_t *search_candidates(struct search *s, struct arena *a, struct account_id account,
                                  const struct roster *r, unsigned parts, struct str folded)
{
    scoped(buf_free) struct buf terms = buf_make(BUF_UNLIMITED);
    uint64_t *bits;
    uint32_t unreached;
    struct followed *f;

    if (!roster_counts(r)->exists || !terms_of(&terms, folded))
        return NULL;
    f = followed_hold(s, account);
    pthread_mutex_lock(&f->lock);
    bits = ask(f, a, r, parts, buf_str(&terms), &unreached);
    pthread_mutex_unlock(&f->lock);
    if (unreached && (bits || unreached >= SEARCH_WORTH)) {
        HOLD(&s->lock);
        f->wanted = true;
        if (!f->failures)
            set_due(f, monotonic_ms());
    }
    followed_release(&f);
    if (has_too_many(s))
        search_tidy(s);
    return bits;
}

void search_note_work(struct search *s, int64_t now)
{
    if (s)
        atomic_store_explicit(&s->worked, now, memory_order_relaxed);
}

/* ---- by hand ---- */

void search_rebuild(struct search *s, struct account_id account)
{
    struct followed *f = followed_hold(s, account);

    {
        HOLD(&s->lock);
        f->wanted = f->again = f->making = true;
        f->failures = 0;
        f->failed = OK;
        f->done = f->goal = 0;
        f->due = 0;
        set_due(f, 1); /* before all others */
    }
    followed_release(&f);
}

enum err search_wait(struct search *s, struct cx *cx, struct account_id account,
                     struct search_progress *out)
{
    scoped(followed_release) struct followed *f = followed_hold(s, account);
    int64_t until = monotonic_ms() + WAIT_MS;
    uint64_t done;
    HOLD(&s->lock);

    done = f->done;
    while (f->making && !f->failed && !s->ending && f->done == done &&
           cond_wait_until(&s->progressed, &s->lock, until))
        ;
    *out = (struct search_progress){.messages = f->done, .goal = f->goal, .done = !f->making};
    if (s->ending && f->making)
        return fail(cx, ERR_STOPPING, "the server stops");
    return f->failed ? fail(cx, f->failed, "%s", f->cause) : OK;
}
