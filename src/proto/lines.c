/* A line end is looked for with memchr. Only a line that was cut is gathered, and never beyond its limit. */
#include "proto/lines.h"

#include <assert.h>

struct lines lines_make(size_t limit, enum line_end end)
{
    assert(limit >= 2);
    return (struct lines){.limit = limit, .end = end, .part = buf_make(limit)};
}

void lines_free(struct lines *l)
{
    buf_free(&l->part);
}

void lines_forget(struct lines *l)
{
    buf_clear(&l->part);
    l->given = l->skipping = l->cr = false;
}

struct str lines_waiting(const struct lines *l)
{
    return l->given ? STR_NONE : buf_str(&l->part);
}

/* How many bytes of `in` belong to this line, its end included; 0 if it does not end here. `cr`: the byte before
 * `in` is a CR. */
static size_t line_length(const struct lines *l, struct str in, bool cr)
{
    size_t from = 0, at;

    while (str_find_char(str_from(in, from), '\n', &at)) {
        at += from;
        if (l->end == LINE_END_LF || (at ? in.p[at - 1] == '\r' : cr))
            return at + 1;
        from = at + 1;
    }
    return 0;
}

static enum line_result skip(struct lines *l, struct str *in)
{
    size_t n = line_length(l, *in, l->cr);

    if (n == 0) {
        l->cr = in->n ? in->p[in->n - 1] == '\r' : l->cr;
        l->skipping = true;
        *in = str_from(*in, in->n);
        return LINE_NONE;
    }
    *in = str_from(*in, n);
    l->skipping = l->cr = false;
    return LINE_TOO_LONG;
}

static struct str without_end(struct str line)
{
    line.n--;
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    return line;
}

static bool ends_in_cr(const struct buf *b)
{
    return b->n && b->p[b->n - 1] == '\r';
}

/* The line is too long, or its end has not come: `n` bytes of it are at hand. */
static enum line_result gather(struct lines *l, struct str *in, size_t n)
{
    if (l->part.n + n > l->limit) {
        l->cr = ends_in_cr(&l->part);
        buf_clear(&l->part);
        return skip(l, in);
    }
    buf_add(&l->part, str_upto(*in, n));
    *in = str_from(*in, n);
    return LINE_TAKEN;
}

enum line_result take_line(struct lines *l, struct str *in, struct str *line)
{
    enum line_result r;
    size_t n;

    if (l->given)
        buf_clear(&l->part);
    l->given = false;
    if (in->n == 0)
        return LINE_NONE;
    if (l->skipping)
        return skip(l, in);
    n = line_length(l, *in, ends_in_cr(&l->part));
    if (n && l->part.n == 0 && n <= l->limit) {
        *line = without_end(str_upto(*in, n));
        *in = str_from(*in, n);
        return LINE_TAKEN;
    }
    r = gather(l, in, n ? n : in->n);
    if (r != LINE_TAKEN || n == 0)
        return r == LINE_TAKEN ? LINE_NONE : r;
    l->given = true;
    *line = without_end(buf_str(&l->part));
    return LINE_TAKEN;
}
