/* What the mx gate asks about an entry it has leased: its body, and how the attempt went. */
#include "base/log.h"
#include "base/scoped.h"
#include "vault/caller.h"
#include "vault/queue/queue.h"
#include "vault/store/body.h"
#include "vault/vault.h"

static enum err not_leased(struct caller *c, struct entry_id id)
{
    char text[ID_TEXT_SIZE];

    entry_id_text(id, text);
    return fail(&c->cx, ERR_DENIED, "the entry %s is not leased to this gate", text);
}

enum err serve_queue_piece(struct caller *c, const struct queue_piece_request *q,
                           struct queue_piece_reply *r)
{
    scoped(view_close) struct view *v = view_open(c->vault->engine);
    struct body_id body = {q->entry.body};
    struct body_row row;
    bool found;
    enum err e;

    if (!queue_has_lease(c->vault->queue, q->entry, c->gate))
        return not_leased(c, q->entry);
    if (!v)
        return fail(&c->cx, ERR_STORE, "the store is closed");
    e = body_find(v, &c->cx, body, &row, &found);
    if (!e && (!found || (q->n >= row.pieces && row.pieces)))
        return fail(&c->cx, ERR_GONE, "the body has no piece %u", q->n);
    if (e)
        return e;
    r->last = q->n + 1 >= row.pieces;
    return row.pieces ? body_piece(v, &c->cx, body, row.size, q->n, &r->piece) : OK;
}

enum err serve_queue_done(struct caller *c, const struct queue_done_request *q,
                          struct queue_done_reply *r)
{
    struct entry_row entry;
    bool found;
    enum err e;

    (void)r;
    if (!queue_take_over(c->vault->queue, q->entry, c->gate))
        return not_leased(c, q->entry);
    {
        scoped(view_close) struct view *v = view_open(c->vault->engine);

        e = v ? entry_read(v, &c->cx, q->entry, &entry, &found) : ERR_STORE;
    }
    if (!e && !found)
        e = fail(&c->cx, ERR_GONE, "the entry was removed");
    if (!e) {
        scoped(txn_rollback) struct txn *t = txn_begin(c->vault->engine, NULL, 0);
        struct attempt a = {
            .id = q->entry, .entry = &entry, .results = q->results, .results_count = q->results_count};

        e = queue_settle(c->vault, t, &c->cx, &a);
        if (!e)
            e = txn_commit(&t, &c->cx, &c->ticket);
    }
    if (e)
        queue_unlease(c->vault->queue, q->entry); /* it stays due: the attempt will be made again */
    else
        queue_unlease_when_durable(c->vault->queue, q->entry, c->ticket);
    return e;
}
