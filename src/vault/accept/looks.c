#include "vault/accept/looks.h"

#include "base/scoped.h"
#include "mail/mime.h"

static void parts_from_mime(struct cx *cx, const struct mime *m, struct cold_row *looks)
{
    looks->parts = arena_array(cx->arena, struct body_part, m->count);
    looks->parts_count = m->count;
    for (size_t i = 0; i < m->count; i++)
        looks->parts[i] = (struct body_part){.parent = m->parts[i].parent,
                                             .start = m->parts[i].start,
                                             .body = m->parts[i].body,
                                             .end = m->parts[i].end,
                                             .lines = m->parts[i].lines,
                                             .kind = m->parts[i].kind};
}

static bool are_possible(struct cx *cx, const struct body_part *parts, size_t n, uint64_t size)
{
    struct mime_part *m = arena_array(cx->arena, struct mime_part, n);

    for (size_t i = 0; i < n; i++)
        m[i] = (struct mime_part){.parent = parts[i].parent,
                                  .start = parts[i].start,
                                  .body = parts[i].body,
                                  .end = parts[i].end,
                                  .lines = parts[i].lines,
                                  .kind = parts[i].kind};
    return mime_check(m, n, size);
}

enum err looks_of_new(struct txn *t, struct cx *cx, struct body_id id, uint32_t ahead, struct str last,
                      const struct body_part *parts, size_t parts_count, struct cold_row *looks)
{
    uint64_t size = (uint64_t)ahead * BODY_PIECE + last.n;

    (void)t;
    (void)id;
    if (!are_possible(cx, parts, parts_count, size))
        return fail(cx, ERR_BAD_CALL, "a part tree that no message of %llu bytes has", (unsigned long long)size);
    *looks = (struct cold_row){.parser = LOOKS_PARSER, .parts_count = parts_count};
    looks->parts = arena_array(cx->arena, struct body_part, parts_count);
    if (parts_count)
        memcpy(looks->parts, parts, parts_count * sizeof(*parts));
    return OK;
}

enum err looks_of_stored(struct view *v, struct cx *cx, struct body_id id, uint64_t size, struct cold_row *looks)
{
    scoped(mime_free) struct mime m = mime_make();

    for (uint32_t n = 0; n < body_pieces(size); n++) {
        struct str piece;
        enum err e = body_piece(v, cx, id, size, n, &piece);

        if (e)
            return e;
        mime_feed(&m, piece);
    }
    mime_end(&m);
    *looks = (struct cold_row){.parser = LOOKS_PARSER};
    parts_from_mime(cx, &m, looks);
    return OK;
}
