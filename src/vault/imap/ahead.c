/* The stretches are a ring. Whoever has nothing else to do takes the next one that nobody has begun, the helper always and
 * the session while the first is not written yet: so neither waits for the other, but for the client. */
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

#define STRETCHES 3
/* Between the rows of one stretch and those of its next another hand's lie: the shorter stretches are, the more is read twice
 * at their ends. Longer ones do not stay in the processor's cache until they are sent. */
#define STRETCH_USUAL (4 * (size_t)SESSION_OUT)
#define STRETCH_LIMIT (STRETCH_USUAL + STRETCH_USUAL / 4)
#define RESPONSE_USUAL 512
#define LETTER_LIMIT (2 * (size_t)SESSION_OUT) /* a longer one is read bit by bit, by the session */
#define MESSAGES_MOST (STRETCH_USUAL / RESPONSE_USUAL) /* of a stretch */
#define RINGS_MOST 8  /* 15 MiB of what clients do not take; who comes later does without */
#define PATIENCE_MS 5 /* a client that takes nothing for so long is not waited for */
#define VIEW_MS 200 /* then it is read through another view: no old state of the store has to be kept */

struct stretch {
    struct fetch_mark upto; /* so far it has been written */
    size_t messages;        /* so many are to be told of */
    uint64_t end;           /* so many have been found then */
    bool written;           /* as far as can be */
    struct buf out;
};

struct hand {
    struct view *view; /* NULL: not begun */
    struct fetch_hand writes;
};

struct ahead {
    struct ahead_of of;
    bool reads_all; /* responses are as long as their messages */
    pthread_t thread;
    struct hand helper, own; /* own: the session's */
    atomic_bool given_up;

    pthread_mutex_t lock; /* guards what follows, but for stretches that somebody is writing */
    pthread_cond_t came, left;
    struct stretch stretches[STRETCHES];
    size_t first, count;
    struct fetch_mark at; /* behind the last one that was taken */
    bool over, works, own_works;
};

static atomic_int rings;
static struct spare_user writers = {.most = RINGS_MOST};

/* ---- stretches ---- */

/* BINARY.SIZE is not, short as it is: for it the part is decoded. */
static bool is_of_header(const struct imap_fetch_att *att)
{
    return att->att < IMAP_ATT_RFC822 || att->att == IMAP_ATT_RFC822_HEADER ||
           (att->att == IMAP_ATT_BODY_SECTION && att->section.text != IMAP_SECTION_ALL &&
            att->section.text != IMAP_SECTION_TEXT);
}

static bool reads_all(const struct imap_fetch *items)
{
    for (size_t n = 0; n < items->att_count; n++)
        if (!is_of_header(&items->atts[n]))
            return true;
    return false;
}

/* Until enough is expected to be said. */
static void measure(struct ahead *a, struct stretch *s)
{
    const struct roster_entry *entry;
    uint64_t expected = 0;

    while (s->messages < MESSAGES_MOST && expected < STRETCH_USUAL && !a->over) {
        a->over = !fetch_next(&a->at, &a->of.numbers, a->of.items->changed_since, &entry);
        if (a->over)
            return;
        a->at.told++;
        s->messages++;
        s->end = a->at.found;
        expected += RESPONSE_USUAL + (a->reads_all ? entry->size : 0);
    }
}

/* The next one, to be written by whom it is given to. NULL: there is no room, or nothing left to tell. */
static struct stretch *take_stretch(struct ahead *a)
{
    struct stretch *s = &a->stretches[(a->first + a->count) % STRETCHES];

    if (a->count == STRETCHES || a->over)
        return NULL;
    s->upto = a->at;
    s->messages = 0;
    s->written = false;
    measure(a, s);
    a->count += s->messages > 0;
    return s->messages ? s : NULL;
}

/* Nothing of it need be read to see that. */
static bool is_too_long(const struct ahead *a, const struct roster_entry *entry)
{
    return a->reads_all && entry->size > LETTER_LIMIT;
}

/* False: it cannot be told of here. Nothing has changed then. */
static bool write_next(const struct ahead *a, struct fetch_hand *h, struct stretch *s)
{
    struct fetch_mark next = s->upto;
    const struct roster_entry *entry;
    size_t had = s->out.n;
    uint32_t number = fetch_next(&next, &a->of.numbers, h->items->changed_since, &entry);

    arena_reset(h->cx.arena);
    if (!number || is_too_long(a, entry) || !fetch_whole_write(h, &s->out, number, entry)) {
        s->out.n = had;
        s->out.full = false;
        return false;
    }
    next.told++;
    s->upto = next;
    return true;
}

static bool hand_open(const struct ahead *a, struct hand *h)
{
    h->view = view_open(a->of.i->s->store->engine);
    if (!h->view)
        return false;
    h->writes = (struct fetch_hand){.i = a->of.i,
                                    .items = a->of.items,
                                    .stored = reader_open(h->view, a->of.account, true),
                                    .cx = {.arena = arena_new(0)}};
    reader_mends(h->writes.stored, LOOKS_PARSER, looks_of_stored);
    flag_text_begin(&h->writes.flags, a->of.roster);
    return true;
}

static void hand_close(struct hand *h)
{
    if (!h->view)
        return;
    reader_close(&h->writes.stored);
    arena_free(h->writes.cx.arena);
    view_close(&h->view);
}

static void write_stretch(const struct ahead *a, struct hand *h, struct stretch *s)
{
    size_t left = s->messages;

    if (!h->view && !hand_open(a, h))
        return;
    buf_reserve(&s->out, STRETCH_LIMIT); /* at once, not bit by bit */
    while (left && !atomic_load(&a->given_up) && write_next(a, &h->writes, s))
        left--;
}

/* ---- the helper ---- */

/* NULL: nobody wants one. */
static struct stretch *next_stretch(struct ahead *a)
{
    int64_t until = monotonic_ms() + PATIENCE_MS;
    HOLD(&a->lock);

    while (!atomic_load(&a->given_up) && a->count == STRETCHES &&
           cond_wait_until(&a->left, &a->lock, until))
        ;
    return atomic_load(&a->given_up) ? NULL : take_stretch(a);
}

static void is_written(struct ahead *a, struct stretch *s)
{
    HOLD(&a->lock);

    s->written = true;
    pthread_cond_signal(&a->came);
}

/* What the session had opened is not held while its client takes nothing. */
static void end_helper(struct ahead *a)
{
    HOLD(&a->lock);

    a->works = false;
    if (!a->own_works)
        hand_close(&a->own);
    pthread_cond_signal(&a->came);
}

static void *help(void *arg)
{
    struct ahead *a = arg;
    int64_t ends = monotonic_ms() + VIEW_MS;
    struct stretch *s;

    while (monotonic_ms() < ends && (s = next_stretch(a))) {
        write_stretch(a, &a->helper, s);
        is_written(a, s);
    }
    hand_close(&a->helper);
    spare_give_back(&writers, 1);
    end_helper(a);
    return NULL;
}

/* ---- the session ---- */

static void forget(struct ahead *a)
{
    for (size_t n = 0; n < STRETCHES; n++)
        buf_free(&a->stretches[n].out);
    pthread_cond_destroy(&a->came);
    pthread_cond_destroy(&a->left);
    pthread_mutex_destroy(&a->lock);
    free(a);
    atomic_fetch_sub(&rings, 1);
}

static struct ahead *make(const struct ahead_of *of, const struct fetch_mark *from)
{
    struct ahead *a = must_alloc(sizeof(*a));

    *a = (struct ahead){.of = *of, .reads_all = reads_all(of->items), .at = *from, .works = true};
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->came, NULL);
    cond_init_monotonic(&a->left);
    for (size_t n = 0; n < STRETCHES; n++)
        a->stretches[n].out = buf_make(STRETCH_LIMIT);
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
    if (pthread_create(&a->thread, NULL, help, a) == 0)
        return a;
    spare_give_back(&writers, 1);
    forget(a);
    return NULL;
}

/* The lock is held by the caller, but not meanwhile. */
static void write_own(struct ahead *a, struct stretch *s)
{
    a->own_works = true;
    pthread_mutex_unlock(&a->lock);
    write_stretch(a, &a->own, s);
    pthread_mutex_lock(&a->lock);
    a->own_works = false;
    s->written = true;
    if (!a->works)
        hand_close(&a->own);
}

/* Until the first stretch is written. False: there is none. */
static bool have_first(struct ahead *a)
{
    struct stretch *s;

    while (!a->count || !a->stretches[a->first].written) {
        s = a->works ? take_stretch(a) : NULL;
        if (s)
            write_own(a, s);
        else if (!a->count)
            return false;
        else
            pthread_cond_wait(&a->came, &a->lock);
    }
    return true;
}

bool ahead_take(struct ahead *a, struct buf *out, struct fetch_mark *upto, uint64_t *alone_until)
{
    struct stretch *s;
    HOLD(&a->lock);

    if (!have_first(a))
        return false;
    s = &a->stretches[a->first];
    if (out->n)
        buf_add(out, buf_str(&s->out));
    else
        buf_exchange(out, &s->out);
    buf_clear(&s->out);
    *upto = s->upto;
    *alone_until = s->end;
    a->first = (a->first + 1) % STRETCHES;
    a->count--;
    pthread_cond_signal(&a->left);
    return true;
}

void ahead_free(struct ahead **a)
{
    if (!*a)
        return;
    pthread_mutex_lock(&(*a)->lock);
    atomic_store(&(*a)->given_up, true);
    pthread_cond_signal(&(*a)->left);
    pthread_mutex_unlock(&(*a)->lock);
    pthread_join((*a)->thread, NULL);
    forget(*a);
    *a = NULL;
}
