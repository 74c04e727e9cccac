#include "vault/store/mailbox.h"

#include "vault/store/block.h"
#include "vault/store/body.h"

#include <inttypes.h>
#include <stdlib.h>

enum err mailbox_state(struct view *v, struct cx *cx, struct account_id account,
                       struct mailbox_id mailbox, struct mailbox_row *row, struct counts_row *counts)
{
    bool found;
    enum err e =
        mailbox_row_view(v, cx, account, &(struct mailbox_key){.mailbox = mailbox.v}, row, &found);

    if (!e && found)
        e = counts_row_view(v, cx, account, &(struct counts_key){.mailbox = mailbox.v}, counts, &found);
    return !e && !found ? fail(cx, ERR_NOT_FOUND, "account %" PRIu64 " has no mailbox %" PRIu64,
                               account.v, mailbox.v)
                        : e;
}

/* ---- listing ---- */

struct list_builder {
    struct listed *v;
    size_t n, room, most;
    bool more;
};

static void list_add(void *arg, const struct roster_entry *v, size_t n)
{
    struct list_builder *b = arg;

    b->more |= n > b->most - b->n;
    if (b->more)
        return;
    while (b->room - b->n < n) {
        b->room = b->room ? b->room * 2 : 64;
        b->v = must_realloc(b->v, b->room * sizeof(*b->v));
    }
    for (size_t i = 0; i < n; i++)
        b->v[b->n++] = (struct listed){.body = v[i].body, .size = v[i].size, .uid = v[i].uid};
}

enum err mailbox_list(struct view *v, struct cx *cx, struct account_id account,
                      struct mailbox_id mailbox, size_t most, struct listed **list, size_t *n,
                      size_t *damaged)
{
    struct list_builder b = {.most = most ? most : SIZE_MAX};
    struct block_reader r = {
        .v = v, .cx = cx, .account = account, .mailbox = mailbox, .look = list_add, .arg = &b};
    struct counts_row counts;
    struct mailbox_row row;
    enum err e = mailbox_state(v, cx, account, mailbox, &row, &counts);

    r.tail = counts.tail;
    if (!e)
        e = blocks_read(&r, 0, UINT32_MAX);
    if (!e && b.more)
        e = fail(cx, ERR_LIMIT, "account %" PRIu64 ": more than %zu messages", account.v, b.most);
    if (e) {
        free(b.v);
        return e;
    }
    *list = b.v;
    *n = b.n;
    *damaged = r.damaged;
    return OK;
}

/* ---- reading ---- */

enum err message_find(struct view *v, struct cx *cx, struct account_id account, struct body_id body,
                      struct message *out)
{
    struct cold_row row;
    char text[ID_TEXT_SIZE];
    bool found;
    enum err e = cold_row_view(v, cx, account, &(struct cold_key){.body = body.v}, &row, &found);

    id_text(body.v, text);
    if (!e && !found)
        return fail(cx, ERR_GONE, "account %" PRIu64 ": message %s was removed", account.v, text);
    if (e)
        return e;
    *out = (struct message){.prefix = row.prefix,
                            .body = body,
                            .body_size = row.body_size,
                            .pieces = body_pieces(row.body_size)};
    return OK;
}

enum err message_piece(struct view *v, struct cx *cx, const struct message *m, uint32_t n,
                       struct str *piece)
{
    return body_piece(v, cx, m->body, m->body_size, n, piece);
}
