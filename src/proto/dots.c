/* Every byte of mail passes here, so lines are not looked at byte by byte: memchr finds their ends, and only the
 * two bytes around an end matter. The state is what those bytes were when the input was cut between them. */
#include "proto/dots.h"

/* Where the next byte stands. LINE_START is 0: a body begins there. */
enum {
    LINE_START,  /* after CRLF */
    IN_LINE,     /* anywhere else */
    AFTER_CR,    /* the last byte was a CR, already handed out */
    AFTER_DOT,   /* CRLF . : the dot is gone, whatever follows (§4.5.2) */
    AFTER_DOT_CR /* CRLF . CR : the CR is held back, for it may belong to the end */
};

/* Text without an LF, up to the end of what is at hand or to the LF. */
static void note_line(struct dots *d, struct str text)
{
    const char *cr = text.n ? memchr(text.p, '\r', text.n) : NULL;

    if (cr && cr != text.p + text.n - 1)
        d->bare_cr = true;
}

/* One line, or what there is of it: moves the state. Gives its length in `in`, which is not empty. */
static size_t pass_line(struct dots *d, struct str in)
{
    const char *lf = memchr(in.p, '\n', in.n);
    size_t n = lf ? (size_t)(lf - in.p) : in.n;
    bool cr = n ? in.p[n - 1] == '\r' : d->at == AFTER_CR;

    note_line(d, str_upto(in, n));
    if (n && d->at == AFTER_CR)
        d->bare_cr = true;
    if (!lf) {
        d->at = cr ? AFTER_CR : IN_LINE;
        return n;
    }
    if (!cr)
        d->bare_lf = true;
    d->at = cr ? LINE_START : IN_LINE;
    return n + 1;
}

static void note_nul(struct dots *d, struct str piece)
{
    if (piece.n && memchr(piece.p, '\0', piece.n))
        d->nul = true;
}

void note_body(struct dots *d, struct str piece)
{
    note_nul(d, piece);
    while (piece.n)
        piece = str_from(piece, pass_line(d, piece));
}

void body_done(struct dots *d)
{
    if (d->at == AFTER_CR)
        d->bare_cr = true;
}

/* The bytes around a dot at the start of a line. True: *piece is a CR that turned out to belong to the body. */
static bool pass_dot(struct dots *d, struct str *in, struct str *piece)
{
    if (d->at == LINE_START) {
        d->at = take_char(in, '.') ? AFTER_DOT : IN_LINE;
        return false;
    }
    if (d->at == AFTER_DOT) {
        d->at = take_char(in, '\r') ? AFTER_DOT_CR : IN_LINE;
        return false;
    }
    if (take_char(in, '\n')) {
        d->ended = true;
        return false;
    }
    *piece = S("\r");
    d->at = AFTER_CR;
    return true;
}

static bool around_dot(const struct dots *d)
{
    return d->at == LINE_START || d->at == AFTER_DOT || d->at == AFTER_DOT_CR;
}

bool take_body(struct dots *d, struct str *in, struct str *piece)
{
    struct str rest;

    while (in->n && !d->ended && around_dot(d))
        if (pass_dot(d, in, piece))
            return true;
    if (in->n == 0 || d->ended)
        return false;
    rest = *in;
    do
        rest = str_from(rest, pass_line(d, rest));
    while (rest.n && !(d->at == LINE_START && rest.p[0] == '.'));
    *piece = str_upto(*in, in->n - rest.n);
    *in = rest;
    note_nul(d, *piece);
    return true;
}

/* A run without CR or LF inside, except that it may end in CRLF: goes out as it is. The rest is repaired. */
static size_t plain_run(struct str in, bool *line_ended)
{
    const char *lf = memchr(in.p, '\n', in.n);
    size_t n = lf ? (size_t)(lf - in.p) : in.n;
    const char *cr = n ? memchr(in.p, '\r', n) : NULL;

    *line_ended = lf && n && cr == lf - 1;
    if (*line_ended)
        return n + 1;
    return cr ? (size_t)(cr - in.p) : n;
}

/* A CR or LF that is not seen to be part of a CRLF. */
static void stuff_line_end(struct stuffing *w, struct buf *out, struct str *in)
{
    if (take_char(in, '\r')) {
        if (w->at == AFTER_CR)
            buf_add(out, S("\r\n"));
        w->at = AFTER_CR;
        return;
    }
    take_char(in, '\n');
    buf_add(out, S("\r\n"));
    w->at = LINE_START;
}

/* The CR that was held back, unless the LF that belongs to it comes now. */
static void settle_cr(struct stuffing *w, struct buf *out, struct str in)
{
    if (w->at != AFTER_CR || in.p[0] == '\n' || in.p[0] == '\r')
        return;
    buf_add(out, S("\r\n"));
    w->at = LINE_START;
}

/* As many whole lines as need nothing done to them leave in one piece. */
static void stuff_lines(struct stuffing *w, struct buf *out, struct str *in)
{
    struct str rest = *in;
    bool ended = true;

    while (rest.n && ended && (w->at != LINE_START || rest.p[0] != '.' || rest.p == in->p)) {
        size_t n = plain_run(rest, &ended);

        if (n)
            w->at = ended ? LINE_START : IN_LINE;
        rest = str_from(rest, n);
    }
    buf_add(out, str_upto(*in, in->n - rest.n));
    *in = rest;
}

void stuff_body(struct stuffing *w, struct buf *out, struct str piece)
{
    while (piece.n) {
        settle_cr(w, out, piece);
        if (w->at == LINE_START && piece.p[0] == '.')
            buf_add_char(out, '.');
        if (w->at != AFTER_CR)
            stuff_lines(w, out, &piece);
        if (piece.n && (piece.p[0] == '\r' || piece.p[0] == '\n'))
            stuff_line_end(w, out, &piece);
    }
}

void stuff_end(struct stuffing *w, struct buf *out)
{
    if (w->at != LINE_START)
        buf_add(out, S("\r\n"));
    buf_add(out, S(".\r\n"));
    w->at = LINE_START;
}
