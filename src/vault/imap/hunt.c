/* Whoever is through with its messages takes the next few, and fewer towards the end, so that all are through at about the
 * same time. Few enough that a turn ends when it should, and so many that each thread's reader has something to go along. */
#include "vault/accept/looks.h"
#include "vault/imap/hunt.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "vault/spare.h"

#define TAKEN_AT_ONCE 512
#define TAKEN_LEAST 32
#define TAKEN_BYTES ((uint64_t)1024 * 1024) /* a message more, at most */
#define HELPERS_MOST 3

struct shared {
    const struct hunt *h;
    size_t threads;
    pthread_mutex_t lock; /* guards what follows */
    size_t taken;
    enum err e;
};

static struct spare_user hunters = {.most = HELPERS_MOST};

static size_t most_at_once(const struct shared *s)
{
    size_t most = s->taken ? (s->h->n - s->taken) / (2 * s->threads) : 0;

    return most > TAKEN_AT_ONCE ? TAKEN_AT_ONCE : most < TAKEN_LEAST ? TAKEN_LEAST : most;
}

/* Some that nobody has asked of yet: *n is 0 when it is over. */
static struct hunted *take(struct shared *s, size_t *n)
{
    const struct hunt *h = s->h;
    uint64_t bytes = 0;
    HOLD(&s->lock);
    struct hunted *first = h->all + s->taken;
    size_t most = most_at_once(s);

    *n = 0;
    if (s->e || (s->taken && imap_clock_ms() >= h->ends))
        return first;
    while (s->taken < h->n && *n < most && bytes < TAKEN_BYTES) {
        bytes += first[*n].entry->size;
        ++*n;
        s->taken++;
    }
    return first;
}

static enum err ask_of(const struct hunt *h, struct asker *asker, struct hunted *x)
{
    struct asked a = asked_make(x->entry, asker);
    enum err e = match_ask(h->match, &a, &x->fits);

    x->fuzzy_count = a.fuzzy_count;
    x->fuzzy_sum = a.fuzzy_sum;
    asked_end(&a);
    return e;
}

/* False: it is over. */
static bool take_some(struct shared *s, struct asker *asker)
{
    enum err e = OK;
    size_t n;
    struct hunted *x = take(s, &n);

    for (size_t i = 0; i < n && !e; i++)
        e = ask_of(s->h, asker, &x[i]);
    if (e) {
        HOLD(&s->lock);
        s->e = e;
    }
    return n && !e;
}

static void *help(void *arg)
{
    struct shared *s = arg;
    struct view *v = view_open(s->h->engine);
    scoped(reader_close) struct message_reader *stored = NULL;
    struct asker asker;

    if (!v)
        return NULL; /* the store is down; the others will hear of it */
    stored = reader_open(v, s->h->account, true);
    reader_mends(stored, LOOKS_PARSER, looks_of_stored);
    asker = asker_make(stored, NULL);
    while (take_some(s, &asker))
        continue;
    asker_free(&asker);
    reader_close(&stored);
    view_close(&v);
    return NULL;
}

enum err hunt(const struct hunt *h, struct asker *asker, size_t *done)
{
    long helpers = spare_take(&hunters, (long)(h->n / TAKEN_AT_ONCE) - 1), started = 0;
    struct shared s = {.h = h, .threads = (size_t)helpers + 1, .lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t threads[HELPERS_MOST];

    /* Whoever handed this turn over is asleep after the first few. A thread that is begun before would be put on this
     * processor, the other seeming busy, and begin at the kernel's next tick. */
    if (helpers)
        take_some(&s, asker);
    while (started < helpers && pthread_create(&threads[started], NULL, help, &s) == 0)
        started++;
    while (take_some(&s, asker))
        continue;
    for (long i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    spare_give_back(&hunters, helpers);
    *done = s.taken;
    return s.e;
}
