#include "vault/store/reader.h"

#include "base/arena.h"
#include "vault/store/body.h"
#include "vault/store/trail.h"

#include <stdlib.h>

struct message_reader {
    struct account_id account;
    struct trail *cold, *facts, *pieces;
    struct buf key; /* of the row that is asked for */
};

struct message_reader *reader_open(struct view *v, struct account_id account, bool much)
{
    struct message_reader *r = must_alloc(sizeof(*r));

    *r = (struct message_reader){.account = account,
                                 .cold = trail_open(v, cold_part(account), much),
                                 .facts = trail_open(v, facts_part(account), much),
                                 .pieces = trail_open(v, piece_part(account), much),
                                 .key = buf_make(ENGINE_MAX_KEY)};
    return r;
}

void reader_close(struct message_reader **r)
{
    if (!*r)
        return;
    trail_close(&(*r)->cold);
    trail_close(&(*r)->facts);
    trail_close(&(*r)->pieces);
    buf_free(&(*r)->key);
    free(*r);
    *r = NULL;
}

enum err reader_cold(struct message_reader *r, struct cx *cx, struct body_id body, struct cold_row *row,
                     bool *found)
{
    struct str value;
    enum err e;

    buf_clear(&r->key);
    cold_key_pack(&r->key, &(struct cold_key){.body = body.v});
    e = trail_get(r->cold, cx, buf_str(&r->key), &value, found);
    if (e || !*found)
        return e;
    return cold_unpack(cx->arena, value, row)
               ? OK
               : fail(cx, ERR_DAMAGED, "a message's looks cannot be unpacked");
}

enum err reader_facts(struct message_reader *r, struct cx *cx, struct body_id body,
                      struct facts_row *row, bool *found)
{
    buf_clear(&r->key);
    facts_key_pack(&r->key, &(struct facts_key){.body = body.v});
    return trail_get(r->facts, cx, buf_str(&r->key), &row->raw, found);
}

enum err reader_piece(struct message_reader *r, struct cx *cx, const struct message *m, uint32_t n,
                      struct str *piece)
{
    struct str value = STR_NONE;
    bool found;
    enum err e;

    buf_clear(&r->key);
    piece_key_pack(&r->key, &(struct piece_key){.body = m->body.v, .n = n});
    e = trail_get(r->pieces, cx, buf_str(&r->key), &value, &found);
    if (!e)
        e = body_piece_check(cx, m->body, m->body_size, n, found, value);
    if (!e)
        *piece = value;
    return e;
}
