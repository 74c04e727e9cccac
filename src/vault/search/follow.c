/* The thread that follows: takes the account that is due longest, finds out what came to it since, reads that and puts it
 * into the index.
 *
 * What came is told by the change log, or, where that does not reach back far enough, by a list of everything. Whether a
 * content is in the index already the index knows, so being told too much is harmless, and what is read of a mailbox may be
 * newer than the log: a message that has gone from where the log saw it, because it was moved, is in the log once more. A
 * search trusts the index for a message only if its content is known and its email id is below the one that the account had
 * reached when it was last followed (index_reached). */
#include "vault/search/search_impl.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/scoped.h"
#include "base/sorted.h"
#include "base/wait.h"
#include "mail/casemap.h"
#include "mail/text.h"
#include "vault/engine/crc32c.h"
#include "vault/search/terms.h"
#include "vault/store/changes.h"
#include "vault/store/email.h"
#include "vault/store/folders.h"
#include "vault/store/mailbox.h"
#include "vault/store/reading.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define LINGER_MS 3000 /* after a change: others will follow */
#define LOOK_MS 10000
#define NO_ROOM_MS 60000
#define STORE_CLOSED_MS 5000
#define TEXT_MOST ((size_t)4 << 20) /* of a header or body; what is longer the index does not know */
#define COMMIT_BYTES ((size_t)4 << 20)
#define COMMIT_MOST 2000
#define TURN_MOST 50000 /* messages; then others have their turn */
#define VIEW_MOST 256   /* messages that are read through one view */
#define LOG_UNWRITTEN 10000
#define DEAD_FEW 100 /* contents: not worth making an index anew for */
#define NICE 10
/* While sessions are served, and so long after: of 20 ms one. It may be work of minutes then, which nobody waits for. */
#define QUIET_MS 500
#define GIVE_WAY_MS 19
#define WORK_MS 1

/* ---- what is to be indexed ---- */

struct contents {
    uint64_t *v;
    size_t n, room;
};

static void contents_free(struct contents *c)
{
    free(c->v);
}

static void contents_add(struct contents *c, struct body_id body)
{
    if (c->n == c->room) {
        c->room = c->room ? c->room * 2 : 256;
        c->v = must_realloc(c->v, c->room * sizeof(*c->v));
    }
    c->v[c->n++] = body.v;
}

/* One account's turn. */
struct turn {
    struct search *s;
    struct followed *f;
    struct cx cx;
    struct contents contents;
    struct index_reached since, reached;
    uint64_t emails; /* that the account has */
    struct view *v;
    struct message_reader *stored; /* reads through it */
    unsigned view_used;
    struct arena *own; /* of one message */
    struct buf header, text;
    size_t bytes, added, fresh; /* since the last commit; in this turn */
    int64_t works_until;        /* monotonic: till then it gives way to nobody */
};

static enum err open_view(struct turn *t)
{
    t->v = view_open(t->s->store->engine);
    t->view_used = 0;
    if (t->v)
        t->stored = reader_open(t->v, t->f->account, true);
    return t->v ? OK : fail(&t->cx, ERR_STORE, "the store is closed");
}

static void close_view(struct turn *t)
{
    reader_close(&t->stored);
    view_close(&t->v);
}

static enum err list_everything(struct turn *t)
{
    struct folder *folders;
    size_t count;
    enum err e = folder_list(t->v, &t->cx, t->f->account, &folders, &count);

    for (size_t k = 0; !e && k < count; k++) {
        struct listed *list = NULL;
        size_t n = 0, damaged;

        if (folders[k].no_select)
            continue;
        e = mailbox_list(t->v, &t->cx, t->f->account, folders[k].id, 0, &list, &n, &damaged);
        for (size_t i = 0; !e && i < n; i++)
            contents_add(&t->contents, list[i].body);
        free(list);
    }
    return e;
}

/* What the log says came: kept, for it is read through the view that the rosters must not meet. */
struct additions {
    struct turn *t;
    struct addition {
        struct mailbox_id mailbox;
        struct imap_set uids;
    } * v;
    size_t n, room;
};

static bool note_addition(void *arg, const struct change *c)
{
    struct additions *a = arg;

    if (c->kind != CHANGE_ADDED)
        return true;
    if (a->n == a->room) {
        a->room = a->room ? a->room * 2 : 64;
        a->v = must_realloc(a->v, a->room * sizeof(*a->v));
    }
    a->v[a->n++] = (struct addition){c->mailbox, imap_set_copy(a->t->cx.arena, &c->uids)};
    return true;
}

static enum err list_addition(struct turn *t, const struct addition *a)
{
    struct roster *r = NULL;
    const struct roster_entry *entry;
    struct roster_walk w;
    enum err e = roster_get(t->s->store, &t->cx, t->f->account, a->mailbox, &r);

    if (e)
        return e == ERR_NOT_FOUND ? OK : e;
    w = roster_walk(r, &a->uids);
    while ((entry = roster_next(&w)))
        contents_add(&t->contents, entry->body);
    roster_drop(&r);
    return OK;
}

static enum err list_by_log(struct turn *t, bool *complete)
{
    struct additions a = {.t = t};
    uint64_t upto;
    enum err e =
        changes_since(t->v, &t->cx, t->f->account, t->since.modseq, note_addition, &a, &upto, complete);

    for (size_t k = 0; !e && *complete && k < a.n; k++)
        e = list_addition(t, &a.v[k]);
    free(a.v);
    return e;
}

static enum err list_contents(struct turn *t)
{
    bool complete = false;
    enum err e = t->since.modseq ? list_by_log(t, &complete) : OK;

    if (!e && !complete) {
        t->contents.n = 0;
        e = list_everything(t);
    }
    t->contents.n = sort_u64_once(t->contents.v, t->contents.n); /* as they lie on the disk */
    return e;
}

/* ---- reading one ---- */

static void add_folded(struct buf *out, struct casemap *fold, struct buf *room, struct str piece)
{
    buf_add(out, casemap_next(fold, piece, room));
}

static enum err read_part(struct reading *r, unsigned what, struct str before, struct buf *out)
{
    struct message_text text = message_text_make();
    scoped(buf_free) struct buf room = buf_make(BUF_UNLIMITED);
    struct casemap fold = {0};
    struct str piece;
    bool failed;

    buf_clear(out);
    message_text_begin(&text, r->parts, r->count, &r->source, what);
    add_folded(out, &fold, &room, before);
    while (!out->full && message_text_next(&text, &piece))
        add_folded(out, &fold, &room, piece);
    buf_add(out, casemap_end(&fold, &room));
    failed = text.failed;
    message_text_free(&text);
    terms_prepare(out);
    return failed ? r->failed : OK;
}

/* *found false: there is nothing that the index could be given; or it has it. */
static enum err read_content(struct turn *t, struct body_id body, uint32_t *stamp, bool *found)
{
    struct cx cx = {.arena = t->own};
    const struct index_known *known;
    struct reading r;
    enum err e = reading_open(&r, t->stored, &cx, body);

    *found = false;
    if (!e) {
        *stamp = crc32c_extend(0, r.m.prefix.p, r.m.prefix.n);
        known = index_find(t->f->x, body);
        if (known && known->stamp == *stamp)
            return OK;
        e = read_part(&r, TEXT_HEADER | TEXT_PARTS, r.m.prefix, &t->header);
    }
    if (!e)
        e = read_part(&r, TEXT_BODY, STR_NONE, &t->text);
    if (e)
        return e == ERR_GONE || e == ERR_DAMAGED ? OK : fail(&t->cx, e, "%s", cx.cause);
    *found = !t->header.full && !t->text.full;
    return OK;
}

/* ---- indexing ---- */

static enum err commit(struct turn *t, struct index_reached reached)
{
    enum err e;
    HOLD(&t->f->lock);

    e = index_commit(t->f->x, &t->cx, reached);
    t->bytes = t->fresh = 0;
    return e;
}

static enum err add_content(struct turn *t, struct body_id body)
{
    uint32_t stamp = 0;
    bool found;
    enum err e = read_content(t, body, &stamp, &found);

    if (e || !found)
        return e;
    {
        HOLD(&t->f->lock);
        e = index_add(t->f->x, &t->cx, body, stamp, buf_str(&t->header), buf_str(&t->text));
    }
    t->bytes += t->header.n + t->text.n;
    t->added++;
    t->fresh++;
    if (!e && (t->bytes >= COMMIT_BYTES || t->fresh >= COMMIT_MOST))
        e = commit(t, t->since);
    return e;
}

/* False: the vault ends, or `posthorn index` wants to begin anew. */
static bool tell_progress(struct turn *t, size_t done)
{
    HOLD(&t->s->lock);

    t->f->done = done;
    t->f->goal = t->contents.n;
    if (t->f->making && done % 256 == 0)
        pthread_cond_broadcast(&t->s->progressed);
    return !t->s->ending && !t->f->again;
}

/* Nothing is held meanwhile that others wait for. */
static void give_way(struct turn *t)
{
    int64_t now = monotonic_ms();
    struct search *s = t->s;

    if (now < t->works_until || now - atomic_load(&s->worked) >= QUIET_MS)
        return;
    {
        HOLD(&s->lock);
        while (!s->ending && !t->f->making && cond_wait_until(&s->due, &s->lock, now + GIVE_WAY_MS))
            ;
    }
    t->works_until = monotonic_ms() + WORK_MS;
}

static enum err add_contents(struct turn *t, bool *through)
{
    size_t k = 0;
    enum err e = OK;

    while (!e && k < t->contents.n && t->added < TURN_MOST && tell_progress(t, k)) {
        give_way(t);
        if (++t->view_used > VIEW_MOST) { /* so that no old state of the store has to be kept */
            close_view(t);
            e = open_view(t);
        }
        if (!e)
            e = add_content(t, (struct body_id){t->contents.v[k++]});
        arena_reset(t->own);
    }
    *through = k == t->contents.n;
    return e;
}

/* ---- a turn ---- */

static void changed(void *arg)
{
    followed_due(arg, monotonic_ms() + LINGER_MS);
}

/* Is it to be made, if it is missing? Is it to be thrown away first? */
static bool take_orders(struct followed *f, bool *wanted)
{
    bool again;
    HOLD(&f->s->lock);

    again = f->again;
    *wanted = f->wanted;
    f->again = false;
    return again;
}

static enum err open_index(struct turn *t)
{
    struct followed *f = t->f;
    char path[INDEX_PATH_SIZE];
    bool wanted;
    enum err e;
    HOLD(&f->lock);

    if (take_orders(f, &wanted)) {
        followed_close(f);
        index_remove(index_path(t->s, f->account, path));
        f->modseq = 0;
    }
    e = followed_open(f, &t->cx, wanted);
    if (!e && f->x) {
        f->busy = true;
        t->since = index_reached(f->x);
        if (t->since.modseq && f->modseq > t->since.modseq)
            t->since.modseq = f->modseq;
    }
    return e;
}

/* *gone: the account is no more, and neither shall its index be. */
static enum err look_at_account(struct turn *t, bool *gone)
{
    struct state_row state;
    bool found = false;
    enum err e = open_view(t);

    if (!e)
        e = account_used(t->v, &t->cx, t->f->account, &state, &found);
    *gone = !e && !found;
    if (e || !found)
        return e;
    t->reached = (struct index_reached){.modseq = state.modseq, .email = state.next_email};
    t->emails = state.used.messages;
    return OK;
}

static void want_none(struct followed *f)
{
    HOLD(&f->s->lock);

    f->wanted = f->again = false;
}

static void remove_index(struct turn *t)
{
    char path[INDEX_PATH_SIZE];
    HOLD(&t->f->lock);

    followed_close(t->f);
    index_remove(index_path(t->s, t->f->account, path));
}

/* Most of it is of messages that are gone. Making it anew is the way to be rid of them: a table that keeps no texts can delete
 * a row only for who brings the row's text along. Each message that is read again for it stands against one that has gone
 * since the index was made, so this costs no more than indexing did. */
static bool is_mostly_dead(const struct turn *t)
{
    return index_count(t->f->x) > 2 * t->emails + DEAD_FEW;
}

static enum err index_account(struct turn *t, bool *through)
{
    bool write;
    enum err e = list_contents(t);

    if (!index_count(t->f->x))
        log_line(LOG_INFO, "index-begun", "account=%" PRIu64, t->f->account.v);
    if (!e)
        e = add_contents(t, through);
    if (e || !*through)
        return e ? e : commit(t, t->since);
    write = t->added || t->reached.email != t->since.email ||
            t->reached.modseq > index_reached(t->f->x).modseq + LOG_UNWRITTEN;
    if (write)
        e = commit(t, t->reached);
    if (!e)
        t->f->modseq = t->reached.modseq;
    if (!e && !t->since.email)
        log_line(LOG_INFO, "index-made", "account=%" PRIu64 " messages=%zu", t->f->account.v,
                 index_count(t->f->x));
    return e;
}

/* Only this thread opens what is to be written, and nobody closes an index that is held. */
static enum err run(struct turn *t, bool *through)
{
    bool gone;
    enum err e;

    *through = true;
    if (!t->f->watch) /* before the account is looked at, so that nothing is missed */
        t->f->watch = part_watch_open(t->s->store->engine, (struct part){PART_ACCOUNT, t->f->account.v},
                                      changed, t->f);
    e = look_at_account(t, &gone);
    if (e)
        return e;
    if (gone) {
        remove_index(t);
        want_none(t->f);
        return OK;
    }
    e = open_index(t);
    if (e || !t->f->x)
        return e;
    if (is_mostly_dead(t)) {
        HOLD(&t->s->lock);
        t->f->again = t->f->wanted = true;
        *through = false;
        return OK;
    }
    return index_account(t, through);
}

static void settle(struct turn *t, enum err e, bool through)
{
    struct followed *f = t->f;

    {
        HOLD(&f->lock);
        f->busy = false;
        if (e == ERR_DAMAGED || e == ERR_NO_SPACE)
            followed_discard(f, e, t->cx.cause);
    }
    HOLD(&t->s->lock);
    if (!e && through && !f->again) {
        f->failures = 0;
        f->failed = OK;
        f->making = false;
        f->done = f->goal;
    }
    if (e != ERR_DAMAGED && e != ERR_NO_SPACE && (e || !through || f->again))
        f->due = e ? monotonic_ms() + STORE_CLOSED_MS : monotonic_ms();
    pthread_cond_broadcast(&t->s->progressed);
}

static void take_turn(struct search *s, struct followed *f)
{
    struct turn t = {.s = s,
                     .f = f,
                     .cx = {.arena = arena_new(0)},
                     .own = arena_new(0),
                     .header = buf_make(TEXT_MOST),
                     .text = buf_make(TEXT_MOST)};
    bool through = true;
    enum err e;

    if (!engine_has_room(s->store->engine)) {
        followed_due(f, monotonic_ms() + NO_ROOM_MS);
    } else {
        e = run(&t, &through);
        close_view(&t);
        settle(&t, e, through);
    }
    contents_free(&t.contents);
    buf_free(&t.header);
    buf_free(&t.text);
    arena_free(t.own);
    arena_free(t.cx.arena);
}

/* ---- the thread ---- */

/* Indexes of former days: followed from now on. What came meanwhile they will reach with the next change, or when they
 * are asked. */
static void find_indexes(struct search *s)
{
    DIR *d = opendir(s->directory);
    struct dirent *entry;
    size_t n = 0;

    while (d && n < FOLLOWED_MOST && (entry = readdir(d))) {
        struct str name = str_from_c(entry->d_name);
        struct followed *f;
        uint64_t id;
        size_t dot;

        if (!str_find_char(name, '.', &dot) || !str_same(str_from(name, dot), S(".idx")) ||
            !parse_u64(str_upto(name, dot), &id))
            continue;
        n++;
        f = followed_hold(s, (struct account_id){id});
        followed_due(f, monotonic_ms() + LINGER_MS);
        followed_release(&f);
    }
    if (d)
        closedir(d);
}

/* The account that is due longest, held. NULL: none is; then *next is when one will be. */
static struct followed *take_due(struct search *s, int64_t *next)
{
    struct followed *found = NULL;
    int64_t now = monotonic_ms();

    *next = now + LOOK_MS;
    for (size_t b = 0; b < BUCKETS; b++)
        for (struct followed *f = s->buckets[b]; f; f = f->next)
            if (f->due && f->due < *next) {
                *next = f->due;
                found = f;
            }
    if (!found || found->due > now)
        return NULL;
    found->due = 0;
    found->holders++;
    return found;
}

/* False: the vault ends. */
static bool wait_for_due(struct search *s, struct followed **f)
{
    int64_t next;
    HOLD(&s->lock);

    *f = NULL;
    if (s->ending)
        return false;
    *f = take_due(s, &next);
    if (*f)
        return true;
    s->wakes = next;
    cond_wait_until(&s->due, &s->lock, next);
    s->wakes = INT64_MIN;
    return !s->ending;
}

void *follow_main(void *arg)
{
    struct search *s = arg;
    struct followed *f;

    setpriority(PRIO_PROCESS, 0, NICE); /* of this thread: after everything that somebody waits for */
    find_indexes(s);
    while (wait_for_due(s, &f)) {
        if (f) {
            take_turn(s, f);
            followed_release(&f);
        }
        search_tidy(s);
    }
    return NULL;
}
