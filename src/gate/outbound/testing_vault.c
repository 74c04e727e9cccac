/* The stubs of rpc/client.h, without a vault behind them. */
#include "base/arena.h"
#include "base/scoped.h"
#include "gate/outbound/outbound.h"
#include "gate/outbound/testing.h"
#include "gate/answers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define MOST_ENTRIES 300
#define PATIENCE_S 300

static struct {
    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t came;
    struct arena *arena;
    struct work entries[MOST_ENTRIES];
    bool taken[MOST_ENTRIES];
    size_t count, done, most_asked, may_give;
    uint32_t asked; /* by a queue_take that waits; 0: none does */
    struct loop *loop;
    struct watch_id who; /* asked */
    struct buf request;  /* being packed */
    uint32_t pieces, lost_piece;
    size_t piece_size;
    char *lines[MOST_ENTRIES * 4];
    size_t line_count;
} vault = {.lock = PTHREAD_MUTEX_INITIALIZER, .came = PTHREAD_COND_INITIALIZER};

void fake_vault_open(struct loop *loop)
{
    vault.loop = loop;
    vault.arena = arena_new(0);
    vault.count = vault.done = vault.most_asked = vault.line_count = 0;
    vault.asked = vault.pieces = 0;
    vault.lost_piece = UINT32_MAX;
    vault.may_give = SIZE_MAX;
    memset(vault.taken, 0, sizeof(vault.taken));
}

void fake_vault_close(void)
{
    for (size_t i = 0; i < vault.line_count; i++)
        free(vault.lines[i]);
    arena_free(vault.arena);
}

static struct str take_word(struct str *s)
{
    struct str word;

    if (!take_until(s, ' ', &word)) {
        word = *s;
        *s = STR_NONE;
    }
    return word;
}

static struct path path_of(struct str s)
{
    struct path p = {0};
    size_t at;

    s = str_upto(str_from(s, 1), s.n - 2);
    if (str_rfind_char(s, '@', &at))
        p = (struct path){str_upto(s, at), str_from(s, at + 1)};
    return p;
}

void fake_vault_entry(const char *text)
{
    HOLD(&vault.lock);
    struct work *w = &vault.entries[vault.count++];
    struct str s = str_copy(vault.arena, str_from_c(text));
    uint64_t number = 0;

    assert_true(vault.count <= MOST_ENTRIES && parse_u64(take_word(&s), &number));
    *w = (struct work){.entry = {number, 1}, .destination = take_word(&s)};
    w->reverse_path = path_of(take_word(&s));
    w->rcpts = arena_array(vault.arena, struct work_rcpt, 10);
    while (s.n) {
        w->rcpts[w->rcpts_count] =
            (struct work_rcpt){(uint32_t)w->rcpts_count, path_of(take_word(&s)), 0, STR_NONE};
        w->rcpts_count++;
    }
}

void fake_vault_big_bodies(uint32_t pieces, size_t piece_size)
{
    HOLD(&vault.lock);
    vault.pieces = pieces;
    vault.piece_size = piece_size;
}

void fake_vault_loses_piece(uint32_t n)
{
    HOLD(&vault.lock);
    vault.lost_piece = n;
}

void fake_vault_hands_out(size_t most)
{
    HOLD(&vault.lock);
    vault.may_give = most;
}

size_t fake_vault_most_asked(void)
{
    HOLD(&vault.lock);
    return vault.most_asked;
}

/* ---- the open call ---- */

static bool anything_due(void)
{
    for (size_t i = 0; i < vault.count; i++)
        if (!vault.taken[i])
            return true;
    return false;
}

static void signal_if_due(void)
{
    if (vault.asked && vault.may_give && anything_due())
        loop_wake(vault.loop, vault.who);
}

void fake_vault_wake(void)
{
    HOLD(&vault.lock);
    signal_if_due();
}

struct awaited {
    char nothing;
};

static struct awaited the_call;

enum err answers_begin(struct cx *cx, enum call call, struct rpc_channel **ch)
{
    (void)cx;
    assert_true(call == CALL_queue_take);
    *ch = NULL;
    vault.request = buf_make(100);
    return OK;
}

struct buf *rpc_request(struct rpc_channel *ch)
{
    (void)ch;
    return &vault.request;
}

enum err answers_ask(struct cx *cx, struct rpc_channel *ch, const int *fds, size_t fd_count,
                     struct watch_id who, struct awaited **out)
{
    struct unpack u = unpack_begin(buf_str(&vault.request));
    struct queue_take_request q;

    (void)cx;
    (void)ch;
    (void)fds;
    assert_int_equal(fd_count, 0);
    unpack_queue_take_request(NULL, &u, &q);
    assert_true(unpack_done(&u) && q.most > 0);
    buf_free(&vault.request);
    HOLD(&vault.lock);
    assert_true(!vault.asked); /* one at a time */
    vault.asked = q.most;
    vault.who = who;
    vault.most_asked = q.most > vault.most_asked ? q.most : vault.most_asked;
    *out = &the_call;
    signal_if_due();
    return OK;
}

bool answers_look(struct cx *cx, struct awaited **a, enum err *e, struct str *payload)
{
    HOLD(&vault.lock);
    struct work some[OUTBOUND_MOST];
    struct queue_take_reply r = {.entries = some};
    struct buf b = buf_make(BUF_UNLIMITED);

    if (!vault.asked || !vault.may_give || !anything_due())
        return false;
    for (size_t i = 0;
         i < vault.count && r.entries_count < vault.asked && r.entries_count < vault.may_give; i++)
        if (!vault.taken[i]) {
            vault.taken[i] = true;
            some[r.entries_count++] = vault.entries[i];
        }
    vault.may_give -= r.entries_count;
    vault.asked = 0;
    pack_queue_take_reply(&b, &r);
    *payload = str_copy(cx->arena, buf_str(&b));
    buf_free(&b);
    *a = NULL;
    *e = OK;
    return true;
}

void answers_forget(struct awaited **a, void (*late)(struct cx *cx, enum err e, struct str payload))
{
    (void)late;
    *a = NULL;
}

/* ---- the other calls ---- */

enum err vault_queue_more(struct cx *cx, const struct queue_more_request *q, struct queue_more_reply *r)
{
    HOLD(&vault.lock);

    *r = (struct queue_more_reply){.entries = arena_array(cx->arena, struct work, 1)};
    for (size_t i = 0; i < vault.count && !r->entries_count; i++)
        if (!vault.taken[i] && str_same(vault.entries[i].destination, q->destination)) {
            vault.taken[i] = true;
            r->entries[r->entries_count++] = vault.entries[i];
        }
    return OK;
}

enum err vault_queue_piece(struct cx *cx, const struct queue_piece_request *q,
                           struct queue_piece_reply *r)
{
    HOLD(&vault.lock);
    char *p;

    cx->cause[0] = '\0';
    if (q->n == vault.lost_piece)
        return ERR_GONE;
    if (!vault.pieces) {
        *r = (struct queue_piece_reply){.piece = S("Subject: hi\r\n\r\nbody\r\n"), .last = true};
        return OK;
    }
    p = arena_alloc(cx->arena, vault.piece_size);
    memset(p, 'x', vault.piece_size);
    for (size_t i = 70; i + 1 < vault.piece_size; i += 72)
        memcpy(p + i, "\r\n", 2);
    *r = (struct queue_piece_reply){.piece = {p, vault.piece_size}, .last = q->n + 1 == vault.pieces};
    return OK;
}

enum err vault_queue_done(struct cx *cx, const struct queue_done_request *q, struct queue_done_reply *r)
{
    static const char *const names[] = {"none", "delivered", "relayed", "failed", "deferred"};
    HOLD(&vault.lock);

    (void)cx;
    (void)r;
    for (size_t i = 0; i < q->results_count; i++) {
        const struct result *one = &q->results[i];
        char *line = must_alloc(500);

        snprintf(line, 500, "%u.%u %s %.*s %.*s/%.*s\n", (unsigned)q->entry.body, one->n,
                 names[one->outcome], STR_ARG(one->status), STR_ARG(one->remote), STR_ARG(one->reply));
        assert_true(vault.line_count < sizeof(vault.lines) / sizeof(*vault.lines));
        vault.lines[vault.line_count++] = line;
    }
    vault.done++;
    pthread_cond_broadcast(&vault.came);
    return OK;
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void fake_vault_await(size_t done, struct buf *out)
{
    struct timespec until;
    HOLD(&vault.lock);

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    while (vault.done < done)
        if (pthread_cond_timedwait(&vault.came, &vault.lock, &until))
            break;
    qsort(vault.lines, vault.line_count, sizeof(*vault.lines), compare_lines);
    for (size_t i = 0; i < vault.line_count; i++)
        buf_add_c(out, vault.lines[i]);
    if (vault.done < done)
        buf_printf(out, "and %zu of %zu entries did not end\n", done - vault.done, done);
}
