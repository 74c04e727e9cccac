#include "vault/store/reading.h"

#include "base/arena.h"
#include "vault/store/body.h"

#include <inttypes.h>

static enum err read_piece(struct reading *r, uint32_t n)
{
    enum err e = OK;

    if (r->kept.p && r->kept_n == n)
        return OK;
    r->kept = STR_NONE;
    e = reader_piece(r->stored, r->cx, &r->m, n, &r->kept);
    r->kept_n = n;
    return e;
}

enum err reading_at(struct reading *r, uint64_t at, uint64_t n, struct str *bytes)
{
    enum err e;

    *bytes = STR_NONE;
    if (at < r->m.prefix.n) {
        *bytes = str_from(r->m.prefix, (size_t)at);
    } else if (at - r->m.prefix.n < r->m.body_size) {
        at -= r->m.prefix.n;
        e = read_piece(r, (uint32_t)(at / BODY_PIECE));
        if (e)
            return e;
        *bytes = str_from(r->kept, (size_t)(at % BODY_PIECE));
    }
    *bytes = str_upto(*bytes, n < bytes->n ? (size_t)n : bytes->n);
    return OK;
}

static bool read_body(void *ctx, uint64_t at, size_t n, struct buf *out)
{
    struct reading *r = ctx;
    struct str bytes;

    while (n && at < r->m.body_size) {
        r->failed = reading_at(r, r->m.prefix.n + at, n, &bytes);
        if (r->failed || !bytes.n)
            return false;
        buf_add(out, bytes);
        at += bytes.n;
        n -= bytes.n;
    }
    return true;
}

enum err reading_open(struct reading *r, struct message_reader *stored, struct cx *cx,
                      struct body_id body)
{
    bool found;
    enum err e;

    *r = (struct reading){
        .stored = stored, .cx = cx, .body = body, .source = {.read = read_body, .ctx = r}};
    e = reader_cold(stored, cx, body, &r->cold, &found);
    if (!e && !found)
        return fail(cx, ERR_GONE, "body %" PRIu64 " was removed", body.v);
    if (e)
        return e;
    r->m = (struct message){.prefix = r->cold.prefix,
                            .body = body,
                            .body_size = r->cold.body_size,
                            .pieces = body_pieces(r->cold.body_size)};
    r->count = r->cold.parts_count;
    r->parts = arena_array(cx->arena, struct mime_part, r->count);
    for (size_t k = 0; k < r->count; k++)
        r->parts[k] = (struct mime_part){.parent = r->cold.parts[k].parent,
                                         .start = r->cold.parts[k].start,
                                         .body = r->cold.parts[k].body,
                                         .end = r->cold.parts[k].end,
                                         .lines = r->cold.parts[k].lines,
                                         .kind = r->cold.parts[k].kind};
    return mime_check(r->parts, r->count, r->m.body_size)
               ? OK
               : fail(cx, ERR_DAMAGED, "body %" PRIu64 ": the part tree of a message does not fit it",
                      body.v);
}
