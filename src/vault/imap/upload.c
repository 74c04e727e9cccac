#include "vault/imap/upload.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "rpc/parts.h"
#include "vault/accept/looks.h"
#include "vault/share.h"

#include <assert.h>

/* Bytes of messages, and of what they look like, that all sessions hold in memory. What a literal may need is taken when it
 * is announced and not as it comes: "+" says that it will be taken, and a client that hears NO after it sent fifty million
 * bytes for nothing. That whoever announces need not send costs nothing but their own share. */
static struct share_pool under_way = SHARE_POOL((size_t)256 * 1024 * 1024);

void upload_set_budget(size_t bytes)
{
    share_pool_set(&under_way, bytes);
}

enum err upload_begin(struct upload *u, const struct session *s, uint64_t size, bool is_message)
{
    size_t held = size < BODY_PIECE ? (size_t)size : BODY_PIECE;
    enum err e = share_take(&under_way, s->cx, s->who.account, held);

    if (e)
        return e;
    *u = (struct upload){.store = s->store,
                         .who = s->who.account,
                         .id = {fresh_id()},
                         .last = buf_make(BODY_PIECE),
                         .mime = mime_make(),
                         .reserved = held,
                         .is_message = is_message};
    return OK;
}

static enum err put_ahead(struct upload *u, struct cx *cx)
{
    scoped(txn_rollback) struct txn *t = txn_begin(u->store->engine, NULL, 0);
    struct ticket
        ticket; /* whoever waits for the message waits for this as well: it was written before */
    enum err e;

    txn_is_built_on(t, &u->opening);
    body_put_ahead(t, u->id, u->ahead, buf_str(&u->last));
    e = txn_commit(&t, cx, &ticket);
    if (e)
        return e;
    u->ahead++;
    buf_clear(&u->last);
    return OK;
}

static enum err flush_piece(struct upload *u, struct cx *cx)
{
    if (!u->digest)
        u->digest = digest_new();
    digest_feed(u->digest, buf_str(&u->last));
    if (u->is_message)
        mime_feed(&u->mime, buf_str(&u->last));
    return put_ahead(u, cx);
}

enum err upload_feed(struct upload *u, struct cx *cx, struct str bytes)
{
    enum err e = OK;

    while (bytes.n && !e) {
        size_t n = BODY_PIECE - u->last.n < bytes.n ? BODY_PIECE - u->last.n : bytes.n;

        if (!n) {
            e = flush_piece(u, cx);
            continue;
        }
        buf_add(&u->last, str_upto(bytes, n));
        bytes = str_from(bytes, n);
        u->size += n;
    }
    return e;
}

static void end_digest(struct upload *u)
{
    if (!u->digest) {
        digest_of(buf_str(&u->last), u->sha256);
        return;
    }
    digest_feed(u->digest, buf_str(&u->last));
    digest_end(u->digest, u->sha256);
}

static enum err look(struct upload *u, struct cx *cx)
{
    scoped(txn_rollback) struct txn *t = NULL;
    struct body_part *parts;

    mime_feed(&u->mime, buf_str(&u->last));
    mime_end(&u->mime);
    u->utf8_header = u->mime.utf8_own_header;
    parts = body_parts_of(cx->arena, u->mime.parts, u->mime.count);
    t = txn_begin(u->store->engine, NULL, 0);
    return looks_of_new(t, cx, u->id, u->ahead, buf_str(&u->last), parts, u->mime.count, &u->looks,
                        &u->facts);
}

/* What it looks like may take more than the message itself, and stays until the command has been carried out. */
static enum err reserve_looks(struct upload *u, struct cx *cx, size_t n)
{
    enum err e = share_take(&under_way, cx, u->who, n);

    if (!e)
        u->looks_reserved = n;
    return e;
}

enum err upload_end(struct upload *u, struct cx *cx)
{
    size_t before = arena_size(cx->arena);
    enum err e = OK;

    if (u->is_message) {
        e = look(u, cx);
        end_digest(u);
    }
    if (!e)
        e = reserve_looks(u, cx, arena_size(cx->arena) - before);
    mime_free(&u->mime);
    digest_free(&u->digest);
    return e;
}

static void unreserve(struct upload *u, size_t *reserved)
{
    share_give_back(&under_way, u->who, *reserved);
    *reserved = 0;
}

enum err upload_put_away(struct upload *u, struct cx *cx)
{
    enum err e = u->last.n ? put_ahead(u, cx) : OK;

    if (!e) {
        buf_free(&u->last);
        unreserve(u, &u->reserved);
    }
    return e;
}

enum err uploads_put_ahead(struct upload **v, size_t n, struct cx *cx)
{
    scoped(txn_rollback) struct txn *t = txn_begin(v[0]->store->engine, NULL, 0);
    struct body_id bodies[BODIES_TOGETHER];
    struct str pieces[BODIES_TOGETHER];
    struct ticket ticket; /* as in put_ahead() */
    enum err e;

    assert(n <= BODIES_TOGETHER);
    for (size_t i = 0; i < n; i++) {
        txn_is_built_on(t, &v[i]->opening);
        bodies[i] = v[i]->id;
        pieces[i] = buf_str(&v[i]->last);
    }
    bodies_put_ahead(t, bodies, pieces, n);
    e = txn_commit(&t, cx, &ticket);
    for (size_t i = 0; i < n && !e; i++)
        v[i]->mark = bodies[0].v;
    return e;
}

/* Of those that went ahead in one opening of the store, from *at on. */
static void take_some_back(struct upload **v, size_t n, size_t *at, struct cx *cx)
{
    scoped(txn_rollback) struct txn *t = txn_begin(v[*at]->store->engine, NULL, 0);
    uint64_t opening = v[*at]->opening;
    struct ticket ticket;

    txn_rests_on(t, opening);
    for (; *at < n && v[*at]->opening == opening; ++*at)
        if (v[*at]->mark && !v[*at]->taken)
            bodies_forget(t, &v[*at]->id, 1);
    txn_commit(&t, cx, &ticket); /* if that fails, the next start sweeps them */
}

void uploads_take_back(struct upload **v, size_t n, struct cx *cx)
{
    for (size_t at = 0; at < n;)
        take_some_back(v, n, &at, cx);
}

uint32_t upload_pieces(const struct upload *u)
{
    return u->ahead + (u->last.n > 0);
}

enum err upload_piece(struct upload *u, struct cx *cx, uint32_t n, struct str *piece)
{
    scoped(txn_rollback) struct txn *t = NULL;
    struct piece_row row;
    bool found;
    enum err e;

    if (n == u->ahead) {
        *piece = buf_str(&u->last);
        return OK;
    }
    t = txn_begin(u->store->engine, NULL, 0);
    e = piece_row_txn(t, cx, NO_ACCOUNT, &(struct piece_key){.body = u->id.v, .n = n}, &row, &found);
    if (!e && !found)
        return fail(cx, ERR_DAMAGED, "piece %u that went ahead is not there", n);
    *piece = row.raw;
    return e;
}

struct new_body upload_body(const struct upload *u)
{
    struct new_body b = {.id = u->id,
                         .ahead = u->ahead,
                         .opening = u->opening,
                         .last = buf_str(&u->last),
                         .size = u->size};

    memcpy(b.sha256, u->sha256, SHA256_SIZE);
    if (u->mark) {
        b.mark = u->mark;
        b.ahead = 1;
        b.last = STR_NONE;
    }
    return b;
}

void upload_forget(struct upload *u, struct cx *cx)
{
    if (u->ahead && !u->taken) {
        scoped(txn_rollback) struct txn *t = txn_begin(u->store->engine, NULL, 0);
        struct ticket ticket;

        txn_rests_on(t, u->opening);
        body_forget(t, u->id, u->ahead);
        txn_commit(&t, cx, &ticket); /* if that fails, the next start sweeps them */
    }
    unreserve(u, &u->reserved);
    unreserve(u, &u->looks_reserved);
    mime_free(&u->mime);
    digest_free(&u->digest);
    buf_free(&u->last);
}
