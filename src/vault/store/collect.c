/* For each row of rows.def's `dead`: under the account's lock its references go, with the cold row of a message that no
 * email of the account has any more, and the body when nobody else refers to it. None can come meanwhile: only who holds
 * the lock of a part that has a reference makes another one. */
#include "vault/store/collect.h"

#include "base/scoped.h"
#include "vault/store/body.h"
#include "vault/store/threads.h"

#define ROUND 1000

struct dead {
    struct dead_key key;
    struct dead_row row;
};

/* The rows that are old enough, from durable state. */
static enum err find_dead(struct store *s, struct cx *cx, int64_t before_ms, struct dead *dead,
                          size_t *n, bool *more)
{
    scoped(view_close) struct view *v = view_open(s->engine);
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value;
    size_t references = 0;
    enum err e;

    *n = 0;
    if (!v)
        return fail(cx, ERR_STORE, "the store is closed");
    e = view_scan(v, cx, dead_part(NO_ACCOUNT), S("d"), S("e"), false, &scan);
    if (e)
        return e;
    while (references < ROUND && scan_next(scan, &key, &value)) {
        struct dead *d = &dead[*n];

        if (dead_key_unpack(key, &d->key) &&
            dead_unpack(cx->arena, str_copy(cx->arena, value), &d->row) && d->row.part < LEFT_PART &&
            (int64_t)d->row.time <= before_ms) {
            references += 1 + d->row.items_count;
            ++*n;
        }
    }
    *more = references >= ROUND;
    e = scan_error(scan, cx);
    scan_close(&scan); /* before the view */
    return e;
}

/* Does anybody refer to the body; only of `part`, if part_only? *left: other things are said of it as well (LEFT_PART). */
static enum err has_references(struct txn *t, struct cx *cx, uint64_t body, bool part_only,
                               uint64_t part, bool *any, bool *left)
{
    scoped(buf_free) struct buf from = buf_make(32), to = buf_make(32);
    scoped(scan_close) struct scan *scan = NULL;
    struct ref_key first = {.body = body, .part = part_only ? part : 0};
    struct ref_key end = {.body = part_only ? body : body + 1, .part = part_only ? part + 1 : 0};
    struct ref_key ref;
    struct str key, value;
    enum err e;

    *any = *left = false;
    ref_key_pack(&from, &first);
    ref_key_pack(&to, &end);
    e = txn_scan(t, cx, ref_part(NO_ACCOUNT), buf_str(&from), buf_str(&to), false, &scan);
    if (e)
        return e;
    while (!*any && scan_next(scan, &key, &value)) {
        *any = !ref_key_unpack(key, &ref) || ref.part != LEFT_PART;
        *left |= !*any;
    }
    return scan_error(scan, cx);
}

static void drop_left(struct txn *t, uint64_t body)
{
    scoped(buf_free) struct buf from = buf_make(32), to = buf_make(32);

    ref_key_pack(&from, &(struct ref_key){.body = body, .part = LEFT_PART});
    ref_key_pack(&to, &(struct ref_key){.body = body, .part = LEFT_PART + 1});
    txn_delete_range(t, ref_part(NO_ACCOUNT), buf_str(&from), buf_str(&to));
}

/* If nobody refers to it any more; then the same with the one that it had its bytes from. */
static enum err drop_body(struct txn *t, struct cx *cx, struct body_id body, struct collected *out)
{
    enum err e = OK;

    while (!e && body.v) {
        struct body_id held = {0};
        bool any, left;

        e = has_references(t, cx, body.v, false, 0, &any, &left);
        if (!e && !any && left)
            drop_left(t, body.v);
        if (!e && !any)
            e = body_delete(t, cx, body, &out->bodies, &out->bytes, &held);
        body = held;
    }
    return e;
}

/* What cannot be read is kept, rather than take a body that somebody needs; `check` will name it. */
static enum err drop(struct txn *t, struct cx *cx, uint64_t part, const struct dropped *item,
                     struct collected *out)
{
    bool any = true, left;
    enum err e = OK;

    ref_row_delete(t, NO_ACCOUNT,
                   &(struct ref_key){.body = item->body.v, .part = part, .owner = item->owner});
    if (part != QUEUE_PART)
        e = has_references(t, cx, item->body.v, true, part, &any, &left);
    if (!e && !any) {
        cold_row_delete(t, (struct account_id){part}, &(struct cold_key){.body = item->body.v});
        facts_row_delete(t, (struct account_id){part}, &(struct facts_key){.body = item->body.v});
        e = thread_forget(t, cx, (struct account_id){part}, item->body);
    }
    if (!e)
        e = drop_body(t, cx, item->body, out);
    return e == ERR_DAMAGED ? OK : e;
}

static enum err drop_row(struct store *s, struct cx *cx, const struct dead *d, struct collected *out)
{
    struct part part = {PART_ACCOUNT, d->row.part};
    scoped(txn_rollback) struct txn *t = txn_begin(s->engine, &part, d->row.part != QUEUE_PART);
    struct ticket ticket;
    enum err e = OK;

    for (size_t i = 0; i < d->row.items_count && !e; i++)
        e = drop(t, cx, d->row.part, &d->row.items[i], out);
    if (e)
        return e;
    dead_row_delete(t, NO_ACCOUNT, &d->key);
    return txn_commit(&t, cx, &ticket);
}

enum err collect(struct store *s, struct cx *cx, int64_t before_ms, struct collected *out)
{
    struct dead *dead = arena_array(cx->arena, struct dead, ROUND + 1);
    enum err e;
    size_t n;

    *out = (struct collected){0};
    e = find_dead(s, cx, before_ms, dead, &n, &out->more);
    for (size_t i = 0; i < n && !e; i++) {
        e = drop_row(s, cx, &dead[i], out);
        out->references += dead[i].row.items_count;
    }
    return e ? e : engine_wait(s->engine, cx, engine_newest(s->engine));
}
