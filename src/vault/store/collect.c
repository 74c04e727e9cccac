/* For each mark of rows.def's `dead`: under the account's lock the reference goes, with the cold row of an email that
 * is in no mailbox any more. Then, if no reference is left, the body. Both steps may be repeated after a crash. */
#include "vault/store/collect.h"

#include "base/scoped.h"
#include "vault/store/body.h"

#define ROUND 1000

struct mark {
    struct dead_key key;
};

/* The marks that are old enough, from durable state. */
static enum err find_marks(struct store *s, struct cx *cx, int64_t before_ms, struct mark *marks,
                           size_t *n, bool *more)
{
    scoped(view_close) struct view *v = view_open(s->engine);
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value;
    struct dead_row row;
    enum err e;

    *n = 0;
    *more = false;
    if (!v)
        return fail(cx, ERR_STORE, "the store is closed");
    e = view_scan(v, cx, dead_part(NO_ACCOUNT), S("d"), S("e"), false, &scan);
    if (e)
        return e;
    while (*n < ROUND && scan_next(scan, &key, &value))
        if (dead_key_unpack(key, &marks[*n].key) && dead_unpack(cx->arena, value, &row) &&
            (int64_t)row.time <= before_ms)
            ++*n;
    *more = *n == ROUND;
    e = scan_error(scan, cx);
    scan_close(&scan); /* before the view */
    return e;
}

static enum err drop_reference(struct store *s, struct cx *cx, const struct dead_key *mark)
{
    struct part part = {PART_ACCOUNT, mark->part};
    scoped(txn_rollback) struct txn *t = txn_begin(s->engine, &part, mark->part != QUEUE_PART);
    struct account_id account = {mark->part};
    struct cold_key cold_key = {.email = mark->owner};
    struct cold_row cold;
    struct ticket ticket;
    bool found = false;
    enum err e = OK;

    if (mark->part != QUEUE_PART)
        e = cold_row_txn(t, cx, account, &cold_key, &cold, &found);
    if (e && e != ERR_DAMAGED)
        return e;
    if (e == ERR_DAMAGED || (found && !cold.memberships_count))
        cold_row_delete(t, account, &cold_key);
    else if (found)
        return OK; /* an email that came back to life keeps everything, also the mark, which `check` will name */
    ref_row_delete(t, NO_ACCOUNT,
                   &(struct ref_key){.body = mark->body, .part = mark->part, .owner = mark->owner});
    dead_row_delete(t, NO_ACCOUNT, mark);
    return txn_commit(&t, cx, &ticket);
}

static enum err has_references(struct txn *t, struct cx *cx, uint64_t body, bool *any)
{
    scoped(buf_free) struct buf from = buf_make(32), to = buf_make(32);
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value;
    enum err e;

    ref_key_pack(&from, &(struct ref_key){.body = body});
    ref_key_pack(&to, &(struct ref_key){.body = body + 1});
    e = txn_scan(t, cx, ref_part(NO_ACCOUNT), buf_str(&from), buf_str(&to), false, &scan);
    if (e)
        return e;
    *any = scan_next(scan, &key, &value);
    return scan_error(scan, cx);
}

/* Not found: an earlier mark of the same round took it. */
static enum err delete_if_unreferred(struct store *s, struct cx *cx, uint64_t id, struct collected *out)
{
    scoped(txn_rollback) struct txn *t = txn_begin(s->engine, NULL, 0);
    struct body_row row = {0};
    struct ticket ticket;
    bool any, found;
    enum err e = has_references(t, cx, id, &any);

    if (!e && !any)
        e = body_row_txn(t, cx, NO_ACCOUNT, &(struct body_key){.body = id}, &row, &found);
    if (e || any || !found)
        return e;
    for (uint32_t n = 0; n < row.pieces; n++)
        piece_row_delete(t, NO_ACCOUNT, &(struct piece_key){.body = id, .n = n});
    body_row_delete(t, NO_ACCOUNT, &(struct body_key){.body = id});
    out->bodies++;
    out->bytes += row.size;
    return txn_commit(&t, cx, &ticket);
}

enum err collect(struct store *s, struct cx *cx, int64_t before_ms, struct collected *out)
{
    struct mark *marks = arena_array(cx->arena, struct mark, ROUND);
    enum err e;
    size_t n;

    *out = (struct collected){0};
    e = find_marks(s, cx, before_ms, marks, &n, &out->more);
    for (size_t i = 0; i < n && !e; i++) {
        e = drop_reference(s, cx, &marks[i].key);
        if (!e)
            e = delete_if_unreferred(s, cx, marks[i].key.body, out);
        out->references++;
    }
    return e ? e : engine_wait(s->engine, cx, engine_newest(s->engine));
}
