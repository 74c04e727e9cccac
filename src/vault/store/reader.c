#include "vault/store/reader.h"

#include "base/arena.h"
#include "vault/store/body.h"
#include "vault/store/trail.h"

#include <stdlib.h>

struct message_reader {
    struct view *view;
    struct account_id account;
    uint32_t parser;
    enum err (*make)(struct view *v, struct cx *cx, struct body_id id, uint64_t size,
                     struct cold_row *looks, struct str *facts); /* NULL: nothing is mended */
    struct trail *cold, *facts, *threads, *pieces;
    struct buf key; /* of the row that is asked for */
};

struct message_reader *reader_open(struct view *v, struct account_id account, bool much)
{
    struct message_reader *r = must_alloc(sizeof(*r));

    *r = (struct message_reader){.view = v,
                                 .account = account,
                                 .cold = trail_open(v, cold_part(account), much),
                                 .facts = trail_open(v, facts_part(account), much),
                                 .threads = trail_open(v, thread_part(account), much),
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
    trail_close(&(*r)->threads);
    trail_close(&(*r)->pieces);
    buf_free(&(*r)->key);
    free(*r);
    *r = NULL;
}

void reader_mends(struct message_reader *r, uint32_t parser,
                  enum err (*make)(struct view *v, struct cx *cx, struct body_id id, uint64_t size,
                                   struct cold_row *looks, struct str *facts))
{
    r->parser = parser;
    r->make = make;
}

/* had: *row is there, and what does not come from the body stays. */
static enum err make_anew(struct message_reader *r, struct cx *cx, struct body_id body, bool had,
                          struct cold_row *row)
{
    struct body_row kept = {.size = row->body_size};
    struct cold_row looks;
    struct str facts;
    bool found = true;
    enum err e = OK;

    if (!had)
        e = body_row_view(r->view, cx, NO_ACCOUNT, &(struct body_key){.body = body.v}, &kept, &found);
    if (!e && !found)
        e = fail(cx, ERR_DAMAGED, "a message's looks cannot be read, nor its size");
    if (!e)
        e = r->make(r->view, cx, body, kept.size, &looks, &facts);
    if (e)
        return e;
    looks.body_size = kept.size;
    looks.prefix = had ? row->prefix : STR_NONE;
    looks.received = had ? row->received : 0;
    looks.first_mailbox = row->first_mailbox;
    looks.first_uid = row->first_uid;
    looks.origin = row->origin;
    looks.letter = row->letter;
    *row = looks;
    return OK;
}

static enum err read_cold(struct message_reader *r, struct cx *cx, struct body_id body, bool parts,
                          struct cold_row *row, bool *found)
{
    struct str value;
    enum err e;

    buf_clear(&r->key);
    cold_key_pack(&r->key, &(struct cold_key){.body = body.v});
    e = trail_get(r->cold, cx, buf_str(&r->key), &value, found);
    if (e || !*found)
        return e;
    return cold_unpack(parts ? cx->arena : NULL, value, row)
               ? OK
               : fail(cx, ERR_DAMAGED, "a message's looks cannot be unpacked");
}

static enum err find_cold(struct message_reader *r, struct cx *cx, struct body_id body, bool parts,
                          struct cold_row *row, bool *found)
{
    struct cold_row was = {0};
    enum err e = read_cold(r, cx, body, parts, &was, found);
    bool had = !e && *found;

    if (r->make && (e == ERR_DAMAGED || (had && was.parser < r->parser))) {
        if (!had)
            was = (struct cold_row){0};
        e = make_anew(r, cx, body, had, &was);
        *found = !e;
    }
    if (!e && *found)
        *row = was;
    return e;
}

enum err reader_cold(struct message_reader *r, struct cx *cx, struct body_id body, struct cold_row *row,
                     bool *found)
{
    return find_cold(r, cx, body, true, row, found);
}

enum err reader_looks(struct message_reader *r, struct cx *cx, struct body_id body,
                      struct cold_row *row, bool *found)
{
    return find_cold(r, cx, body, false, row, found);
}

enum err reader_facts(struct message_reader *r, struct cx *cx, struct body_id body,
                      struct facts_row *row, bool *found)
{
    buf_clear(&r->key);
    facts_key_pack(&r->key, &(struct facts_key){.body = body.v});
    return trail_get(r->facts, cx, buf_str(&r->key), &row->raw, found);
}

static enum err read_own_piece(struct message_reader *r, struct cx *cx, struct body_id body, uint32_t n,
                               struct str *piece, bool *found)
{
    buf_clear(&r->key);
    piece_key_pack(&r->key, &(struct piece_key){.body = body.v, .n = n});
    return trail_get(r->pieces, cx, buf_str(&r->key), piece, found);
}

static enum err read_piece(struct message_reader *r, struct cx *cx, struct body_id body, uint32_t n,
                           struct str *piece, bool *found)
{
    struct body_id home = body;
    enum err e = read_own_piece(r, cx, body, n, piece, found);

    if (!e && !*found)
        e = body_home(r->view, cx, body, &home);
    return !e && home.v != body.v ? read_own_piece(r, cx, home, n, piece, found) : e;
}

enum err reader_first_piece(struct message_reader *r, struct cx *cx, struct body_id body,
                            struct str *piece, bool *found)
{
    return read_piece(r, cx, body, 0, piece, found);
}

enum err reader_thread(struct message_reader *r, struct cx *cx, struct body_id body, uint64_t *thread,
                       bool *found)
{
    struct thread_row row;
    struct str value;
    enum err e;

    buf_clear(&r->key);
    thread_key_pack(&r->key, &(struct thread_key){.body = body.v});
    e = trail_get(r->threads, cx, buf_str(&r->key), &value, found);
    if (!e && *found && !thread_unpack(cx->arena, value, &row))
        e = fail(cx, ERR_DAMAGED, "a message's thread cannot be unpacked");
    if (!e && *found)
        *thread = row.thread;
    return e;
}

enum err reader_twins(struct message_reader *r, struct cx *cx, struct body_id content, struct buf *out)
{
    return letter_twins(r->view, cx, content, out);
}

enum err reader_piece(struct message_reader *r, struct cx *cx, const struct message *m, uint32_t n,
                      struct str *piece)
{
    struct str value = STR_NONE;
    bool found;
    enum err e = read_piece(r, cx, m->body, n, &value, &found);

    if (!e)
        e = body_piece_check(cx, m->body, m->body_size, n, found, value);
    if (!e)
        *piece = value;
    return e;
}
