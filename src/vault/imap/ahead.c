/* The pieces are a ring: the thread fills what is free, the session empties what is full. */
#include "vault/imap/ahead.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/scoped.h"
#include "base/wait.h"
#include "vault/accept/looks.h"
#include "vault/spare.h"
#include "vault/store/reader.h"

#include <stdatomic.h>
#include <stdlib.h>

#define PIECES 4
#define PIECE_MOST ((size_t)256 * 1024) /* the last response of a piece may make it so long */
#define RINGS_MOST 16 /* 16 MiB of what clients do not take; who comes later does without */
#define PATIENCE_MS 5 /* a client that takes nothing for so long is not waited for */
#define VIEW_MS 200   /* then it reads through another view: no old state of the store has to be kept */

struct piece {
    struct buf out;
    struct fetch_mark upto;
};

struct ahead {
    struct ahead_of of;
    pthread_t thread;
    struct fetch_mark at; /* the thread's: so far it has come */
    struct flag_text flags;
    struct message_reader *stored;
    struct cx cx; /* of one message */

    pthread_mutex_t
        lock; /* guards what follows, but for the bytes of a piece, which are whose turn it is */
    pthread_cond_t came, left;
    struct piece pieces[PIECES];
    size_t first, count;
    bool works, given_up, stuck;
};

static atomic_int rings;
static struct spare_user writers = {.most = RINGS_MOST};

/* ---- the thread ---- */

/* False: it cannot be told of here. Of the mark nothing has changed then, nor of what was written. */
static bool write_next(struct ahead *a, struct buf *out, bool *over)
{
    const struct imap_fetch *items = a->of.items;
    struct fetch_mark next = a->at;
    const struct roster_entry *entry;
    struct cold_row cold = {0};
    size_t had = out->n;
    bool found = true;
    uint32_t number = fetch_next(&next, &a->of.numbers, items->changed_since, &entry);

    *over = !number;
    arena_reset(a->cx.arena);
    if (number && items->items & FETCH_COLD &&
        (reader_looks(a->stored, &a->cx, entry->body, &cold, &found) || !found))
        return false;
    if (number && !fetch_kept_write(a->of.i, &a->flags, out, items, number, entry, &cold)) {
        out->n = had;
        out->full = false;
        return false;
    }
    next.told += number != 0;
    a->at = next;
    return true;
}

/* False: that was all it can do. */
static bool write_piece(struct ahead *a, struct piece *p)
{
    bool over = false, goes_on = true;

    while (goes_on && !over && p->out.n < SESSION_OUT)
        goes_on = write_next(a, &p->out, &over);
    p->upto = a->at;
    return goes_on && !over;
}

/* NULL: nobody wants one. */
static struct piece *free_piece(struct ahead *a)
{
    int64_t until = monotonic_ms() + PATIENCE_MS;
    HOLD(&a->lock);

    while (!a->given_up && a->count == PIECES && cond_wait_until(&a->left, &a->lock, until))
        ;
    if (a->given_up || a->count == PIECES)
        return NULL;
    return &a->pieces[(a->first + a->count) % PIECES];
}

static void tell(struct ahead *a, bool piece, bool works, bool stuck)
{
    HOLD(&a->lock);

    a->count += piece;
    a->works = works;
    a->stuck |= stuck;
    pthread_cond_signal(&a->came);
}

static void write_pieces(struct ahead *a)
{
    int64_t ends = monotonic_ms() + VIEW_MS;
    struct piece *p;
    bool goes_on = true;

    while (goes_on && monotonic_ms() < ends && (p = free_piece(a))) {
        goes_on = write_piece(a, p);
        tell(a, true, true, !goes_on);
    }
}

static void *go_ahead(void *arg)
{
    struct ahead *a = arg;
    struct view *v = view_open(a->of.i->s->store->engine);

    if (v) {
        a->stored = reader_open(v, a->of.account, true);
        reader_mends(a->stored, LOOKS_PARSER, looks_of_stored);
        write_pieces(a);
        reader_close(&a->stored);
        view_close(&v);
    }
    spare_give_back(&writers, 1);
    tell(a, false, false, !v);
    return NULL;
}

/* ---- the session ---- */

static void forget(struct ahead *a)
{
    for (size_t n = 0; n < PIECES; n++)
        buf_free(&a->pieces[n].out);
    pthread_cond_destroy(&a->came);
    pthread_cond_destroy(&a->left);
    pthread_mutex_destroy(&a->lock);
    arena_free(a->cx.arena);
    free(a);
    atomic_fetch_sub(&rings, 1);
}

static struct ahead *make(const struct ahead_of *of, const struct fetch_mark *from)
{
    struct ahead *a = must_alloc(sizeof(*a));

    *a = (struct ahead){.of = *of, .at = *from, .works = true, .cx = {.arena = arena_new(0)}};
    flag_text_begin(&a->flags, of->roster);
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->came, NULL);
    cond_init_monotonic(&a->left);
    for (size_t n = 0; n < PIECES; n++)
        a->pieces[n].out = buf_make(PIECE_MOST);
    return a;
}

static bool may_start(void)
{
    if (atomic_fetch_add(&rings, 1) < RINGS_MOST && spare_take(&writers, 1))
        return true;
    atomic_fetch_sub(&rings, 1);
    return false;
}

struct ahead *ahead_start(const struct ahead_of *of, const struct fetch_mark *from)
{
    struct ahead *a;

    if (!may_start())
        return NULL;
    a = make(of, from);
    if (pthread_create(&a->thread, NULL, go_ahead, a) == 0)
        return a;
    spare_give_back(&writers, 1);
    forget(a);
    return NULL;
}

bool ahead_take(struct ahead *a, struct buf *out, struct fetch_mark *upto)
{
    struct piece *p = &a->pieces[a->first];
    HOLD(&a->lock);

    while (!a->count && a->works)
        pthread_cond_wait(&a->came, &a->lock);
    if (!a->count)
        return false;
    if (out->n)
        buf_add(out, buf_str(&p->out));
    else
        buf_exchange(out, &p->out);
    buf_clear(&p->out);
    *upto = p->upto;
    a->first = (a->first + 1) % PIECES;
    a->count--;
    pthread_cond_signal(&a->left);
    return true;
}

bool ahead_is_stuck(const struct ahead *a)
{
    return a->stuck; /* of a thread that is at its end */
}

void ahead_free(struct ahead **a)
{
    if (!*a)
        return;
    pthread_mutex_lock(&(*a)->lock);
    (*a)->given_up = true;
    pthread_cond_signal(&(*a)->left);
    pthread_mutex_unlock(&(*a)->lock);
    pthread_join((*a)->thread, NULL);
    forget(*a);
    *a = NULL;
}
