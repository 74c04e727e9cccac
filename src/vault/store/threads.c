/* Two kinds of rows. `thread`, of a letter: its thread, and the keys it was found by. `link`, of a key: the thread it
 * leads to, and how many letters have it; so it can go with the last of them, whatever else has become of their headers.
 * Neither ever leads elsewhere once it is written. */
#include "vault/store/threads.h"

#include "base/arena.h"
#include "base/hash.h"
#include "base/pack.h"
#include "base/scoped.h"
#include "base/sorted.h"

/* ---- a letter's keys ---- */

static uint64_t subject_number(struct str base_subject)
{
    uint64_t h = HASH_START;

    for (size_t i = 0; i < base_subject.n; i++)
        if (base_subject.p[i] != ' ')
            h = hash_step(h, base_subject.p[i]);
    return hash_mix(h);
}

struct letter letter_of(struct body_id body, const struct facts *f)
{
    struct letter l = {.body = body};
    size_t n = facts_reference_count(f->references), answered = facts_reference_count(f->answered);
    uint64_t subject = subject_number(f->base_subject);

    if (f->message_id)
        l.keys[l.count++] = hash_mix(f->message_id ^ subject);
    for (size_t i = 0; i < answered; i++)
        l.keys[l.count++] = hash_mix(facts_reference(f->answered, i) ^ subject);
    for (size_t i = 0; i < n; i++)
        if (i < LETTER_FIRST || n - i <= LETTER_LAST)
            l.keys[l.count++] = hash_mix(facts_reference(f->references, i) ^ subject);
    l.count = sort_u64_once(l.keys, l.count);
    return l;
}

static void keys_pack(struct buf *out, const struct letter *l)
{
    for (size_t i = 0; i < l->count; i++)
        pack_key_u64(out, l->keys[i]);
}

bool thread_keys(struct str packed, struct letter *out)
{
    struct unpack u = unpack_begin(packed);

    out->count = packed.n / sizeof(uint64_t);
    if (out->count > LETTER_KEYS_MAX)
        return false;
    for (size_t i = 0; i < out->count; i++) {
        out->keys[i] = unpack_key_u64(&u);
        if (i && out->keys[i] <= out->keys[i - 1])
            return false;
    }
    return unpack_done(&u);
}

/* ---- giving it a thread ---- */

/* A key's row that cannot be unpacked leads nowhere, and is written anew: not all threads of an account for one row's sake. */
static enum err find_key(struct txn *t, struct cx *cx, struct account_id account, uint64_t key,
                         struct link_row *row)
{
    bool found = false;
    enum err e = link_row_txn(t, cx, account, &(struct link_key){.key = key}, row, &found);

    if (e || !found)
        *row = (struct link_row){0};
    return e == ERR_DAMAGED ? OK : e;
}

/* Of a letter's keys; and the oldest thread that they lead to, 0: to none. The oldest is the lowest, for content ids grow
 * with the time. */
static enum err find_keys(struct txn *t, struct cx *cx, struct account_id account,
                          const struct letter *l, struct link_row rows[LETTER_KEYS_MAX],
                          uint64_t *thread)
{
    enum err e = OK;

    *thread = 0;
    for (size_t i = 0; i < l->count && !e; i++) {
        e = find_key(t, cx, account, l->keys[i], &rows[i]);
        if (rows[i].letters && (!*thread || rows[i].thread < *thread))
            *thread = rows[i].thread;
    }
    return e;
}

static void put_rows(struct txn *t, struct account_id account, const struct letter *l,
                     struct link_row rows[LETTER_KEYS_MAX], uint64_t thread)
{
    scoped(buf_free) struct buf packed = buf_make(sizeof(l->keys));

    for (size_t i = 0; i < l->count; i++) {
        if (!rows[i].letters++)
            rows[i].thread = thread;
        link_row_put(t, account, &(struct link_key){.key = l->keys[i]}, &rows[i]);
    }
    keys_pack(&packed, l);
    thread_row_put(t, account, &(struct thread_key){.body = l->body.v},
                   &(struct thread_row){.thread = thread, .keys = buf_str(&packed)});
}

static enum err put_letter(struct txn *t, struct cx *cx, struct account_id account,
                           const struct letter *l)
{
    struct link_row rows[LETTER_KEYS_MAX];
    uint64_t thread;
    enum err e = find_keys(t, cx, account, l, rows, &thread);

    if (!e)
        put_rows(t, account, l, rows, thread ? thread : l->body.v);
    return e;
}

enum err thread_bring(struct txn *t, struct cx *cx, struct account_id from, struct body_id body,
                      struct account_id to, struct body_id body_there)
{
    struct link_row rows[LETTER_KEYS_MAX];
    struct thread_row row;
    struct letter l = {.body = body_there};
    uint64_t another;
    bool there, found = false;
    enum err e = thread_row_txn(t, cx, to, &(struct thread_key){.body = body_there.v}, &row, &there);

    if (!e && !there)
        e = thread_row_txn(t, cx, from, &(struct thread_key){.body = body.v}, &row, &found);
    if (e || !found || !thread_keys(row.keys, &l))
        return e == ERR_DAMAGED ? OK : e;
    e = find_keys(t, cx, to, &l, rows, &another);
    if (!e)
        put_rows(t, to, &l, rows, row.thread);
    return e;
}

/* Another session may have been quicker, and the collector: rows of a letter that it has dealt with would stay for ever. */
static enum err wants_thread(struct txn *t, struct cx *cx, struct account_id account,
                             struct body_id body, bool *wants)
{
    struct thread_row thread;
    struct cold_row cold;
    bool found, there = false;
    enum err e = thread_row_txn(t, cx, account, &(struct thread_key){.body = body.v}, &thread, &found);

    if (!e && !found)
        e = cold_row_txn(t, cx, account, &(struct cold_key){.body = body.v}, &cold, &there);
    *wants = !e && !found && there;
    return e == ERR_DAMAGED ? OK : e;
}

enum err threads_assign(struct store *s, struct cx *cx, struct account_id account,
                        const struct letter *letters, size_t n, struct ticket *ticket)
{
    scoped(txn_rollback) struct txn *t =
        txn_begin(s->engine, &(struct part){PART_ACCOUNT, account.v}, 1);
    struct arena *room = arena_new(0); /* of one letter */
    struct cx own = {.arena = room};
    enum err e = OK;

    for (size_t i = 0; i < n && !e; i++) {
        bool wants;

        e = wants_thread(t, &own, account, letters[i].body, &wants);
        if (!e && wants)
            e = put_letter(t, &own, account, &letters[i]);
        if (e)
            e = fail(cx, e, "%s", own.cause);
        arena_reset(room);
    }
    arena_free(room);
    return e ? e : txn_commit(&t, cx, ticket);
}

/* ---- and taking it away ---- */

static enum err leave_key(struct txn *t, struct cx *cx, struct account_id account, uint64_t key)
{
    struct link_key k = {.key = key};
    struct link_row row;
    enum err e = find_key(t, cx, account, key, &row);

    if (e || !row.letters)
        return e;
    if (--row.letters)
        link_row_put(t, account, &k, &row);
    else
        link_row_delete(t, account, &k);
    return OK;
}

enum err thread_forget(struct txn *t, struct cx *cx, struct account_id account, struct body_id body)
{
    struct thread_key key = {.body = body.v};
    struct thread_row row;
    struct letter l;
    bool found;
    enum err e = thread_row_txn(t, cx, account, &key, &row, &found);

    if ((e && e != ERR_DAMAGED) || (!e && !found))
        return e;
    if (e || !thread_keys(row.keys, &l))
        l.count = 0; /* nobody knows what it was found by; `check` will name that */
    for (e = OK; l.count && !e; l.count--)
        e = leave_key(t, cx, account, l.keys[l.count - 1]);
    thread_row_delete(t, account, &key);
    return e;
}
