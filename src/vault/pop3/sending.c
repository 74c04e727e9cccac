#include "vault/pop3/sending.h"

#include "base/arena.h"
#include "vault/pop3/surrogate.h"

size_t header_part(struct header_walk *w, struct str s)
{
    size_t n = 0, line;

    while (!w->ended && n < s.n) {
        struct str rest = str_from(s, n);

        if (!str_find_char(rest, '\n', &line)) {
            w->in_line = true;
            return s.n;
        }
        w->ended = !w->in_line && (line == 0 || (line == 1 && rest.p[0] == '\r'));
        w->in_line = false;
        n += line + 1;
    }
    return n;
}

enum err message_check(struct view *v, struct cx *cx, const struct message *m)
{
    struct cx own = {.arena = arena_new(0)};
    struct str piece;
    enum err e = OK;

    for (uint32_t i = 0; i < m->pieces && !e; i++) {
        e = message_piece(v, &own, m, i, &piece);
        arena_reset(own.arena);
    }
    arena_free(own.arena);
    return e ? fail(cx, e, "%s", own.cause) : OK;
}

/* The first `*lines` lines of s. */
static struct str first_lines(struct str s, uint64_t *lines)
{
    size_t n = 0, at;

    while (*lines && n < s.n) {
        if (!str_find_char(str_from(s, n), '\n', &at))
            return s;
        n += at + 1;
        --*lines;
    }
    return str_upto(s, n);
}

void sending_add(struct sending *g, struct buf *out, struct str bytes)
{
    size_t head = header_part(&g->header, bytes);
    struct str header = str_upto(bytes, head), body = str_from(bytes, head);

    if (g->as_it_is || is_ascii(header)) {
        stuff_body(&g->stuffing, out, header);
    } else {
        struct buf surrogate = buf_make(SURROGATE_MAX(header.n));

        surrogate_write(&surrogate, header);
        stuff_body(&g->stuffing, out, buf_str(&surrogate));
        buf_free(&surrogate);
    }
    stuff_body(&g->stuffing, out, g->whole ? body : first_lines(body, &g->lines));
}

static bool is_done(const struct sending *g)
{
    return g->next == g->message.pieces || (!g->whole && g->header.ended && g->lines == 0);
}

enum err sending_next(struct sending *g, struct view *v, struct cx *cx, struct buf *out, bool *done)
{
    struct str piece;
    enum err e = OK;

    if (!is_done(g))
        e = message_piece(v, cx, &g->message, g->next, &piece);
    if (e)
        return e;
    if (!is_done(g)) {
        g->next++;
        sending_add(g, out, piece);
    }
    *done = is_done(g);
    if (*done)
        stuff_end(&g->stuffing, out);
    return OK;
}
