/* Line by line, with memchr between. In a body only lines that begin with "--" are looked at, and in a header only
 * Content-Type and Content-Transfer-Encoding. A stack holds the parts that are open, the message first; all of their
 * boundaries are watched for, and one that comes closes everything above it. */
#include "mail/mime.h"

#include "base/arena.h"
#include "mail/content.h"

#include <assert.h>
#include <stdlib.h>

/* Of a line only its beginning is kept when it was cut: enough for any Content-Type that has been seen, and
 * boundaries are 70 octets (RFC 2046 §5.1.1). */
#define LINE_KEPT 4096
#define FIELD_KEPT 8192
#define BOUNDARY_LENGTH_MAX 500

enum { NO_FIELD, TYPE_FIELD, ENCODING_FIELD };

/* A part whose end has not come. */
struct mime_open {
    uint32_t part;
    uint32_t boundary_at,
        boundary_n;        /* in m->boundaries; 0 long: not a multipart, or past its last boundary */
    uint64_t lines_before; /* its body */
    uint64_t children_end;
    bool digest; /* RFC 2046 §5.1.5: its parts are messages unless they say otherwise */
};

struct mime mime_make(void)
{
    struct mime m = {.boundaries = buf_make(BUF_UNLIMITED), /* by depth and length */
                     .line = buf_make(LINE_KEPT),
                     .type = buf_make(FIELD_KEPT),
                     .encoding = buf_make(FIELD_KEPT)};

    mime_reset(&m);
    return m;
}

void mime_free(struct mime *m)
{
    free(m->parts);
    free(m->open);
    buf_free(&m->boundaries);
    buf_free(&m->line);
    buf_free(&m->type);
    buf_free(&m->encoding);
    *m = (struct mime){.in_header = false};
}

static struct mime_open *top(struct mime *m)
{
    return &m->open[m->depth - 1];
}

static void make_room(struct mime *m)
{
    if (m->count == m->room) {
        m->room = m->room ? m->room * 2 : 4;
        m->parts = must_realloc(m->parts, m->room * sizeof(*m->parts));
    }
    if (m->depth == m->open_room) {
        m->open_room = m->open_room ? m->open_room * 2 : 4;
        m->open = must_realloc(m->open, m->open_room * sizeof(*m->open));
    }
}

static bool has_room(struct mime *m)
{
    bool has = m->count < MIME_PARTS_MAX && m->depth <= MIME_DEPTH_MAX;

    m->is_cut |= !has;
    return has;
}

static void open_part(struct mime *m, uint64_t start)
{
    uint32_t index = (uint32_t)m->count;

    make_room(m);
    m->parts[m->count++] =
        (struct mime_part){.parent = m->depth ? top(m)->part : 0, .start = start, .body = start};
    m->open[m->depth++] = (struct mime_open){.part = index, .boundary_at = (uint32_t)m->boundaries.n};
    m->in_header = true;
    m->field = NO_FIELD;
    buf_clear(&m->type);
    buf_clear(&m->encoding);
}

void mime_reset(struct mime *m)
{
    m->count = m->depth = 0;
    m->line_start = m->line_length = m->line_count = 0;
    m->last_line_end = 0;
    m->last_line_empty = true;
    m->cr = m->utf8_header = m->utf8_own_header = m->is_cut = false;
    buf_clear(&m->boundaries);
    buf_clear(&m->line);
    open_part(m, 0);
}

/* Closes the innermost part. `lines`: how many of the message's lines lie before `end`, an open last one included. */
static void close_part(struct mime *m, uint64_t end, uint64_t lines)
{
    struct mime_open *o = top(m);
    struct mime_part *p = &m->parts[o->part];

    if (m->in_header) /* it never came to a body */
        p->body = end > p->start ? end : p->start;
    p->end = end > p->body ? end : p->body;
    if (p->end < o->children_end)
        p->end = o->children_end;
    if (p->end > end) /* the empty line in front of the boundary ended a header: it stays, and counts */
        lines = m->line_count;
    if (m->in_header)
        o->lines_before = lines;
    p->lines = lines > o->lines_before ? lines - o->lines_before : 0;
    m->boundaries.n = o->boundary_at;
    m->depth--;
    m->in_header = false;
    if (m->depth)
        top(m)->children_end = p->end;
}

/* The body is another message unless it is encoded (RFC 2046 §5.2.1 forbids that) or the tree is full. */
static bool holds_message(struct mime *m, const struct content_type *t)
{
    struct str encoding, rest;

    if (!is_content_type(t, S("message"), S("rfc822")) &&
        !is_content_type(t, S("message"), S("global")))
        return false;
    if (!has_room(m))
        return false;
    return !parse_content_token(buf_str(&m->encoding), &encoding, &rest) ||
           str_same_nocase(encoding, S("7bit")) || str_same_nocase(encoding, S("8bit")) ||
           str_same_nocase(encoding, S("binary"));
}

/* A multipart without a boundary is a leaf: nothing could divide it. */
static bool begin_multipart(struct mime *m, const struct content_type *t)
{
    struct buf boundary = buf_make(BOUNDARY_LENGTH_MAX);
    bool good = has_room(m) && find_param(t->params, S("boundary"), &boundary) && !boundary.full;
    struct str b = buf_str(&boundary);

    while (b.n && is_wsp(b.p[b.n - 1])) /* RFC 2046 §5.1.1: it does not end in white space */
        b.n--;
    good = good && b.n > 0;
    if (good) {
        top(m)->boundary_n = (uint32_t)b.n;
        top(m)->digest = is_content_type(t, S("multipart"), S("digest"));
        buf_add(&m->boundaries, b);
    }
    buf_free(&boundary);
    return good;
}

/* The empty line: what the part is decides what is looked for in its body, which begins at `body`. */
static void end_header(struct mime *m, uint64_t body)
{
    struct mime_part *p = &m->parts[top(m)->part];
    struct content_type t = {S("text"), S("plain"), STR_NONE};

    if (m->depth > 1 && m->open[m->depth - 2].digest)
        t = (struct content_type){S("message"), S("rfc822"), STR_NONE};
    parse_content_type(buf_str(&m->type), &t);
    p->body = body;
    top(m)->lines_before = m->line_count;
    m->in_header = false;
    if (holds_message(m, &t)) {
        p->kind = MIME_MESSAGE;
        open_part(m, body);
    } else if (is_content_type(&t, S("multipart"), STR_NONE) && begin_multipart(m, &t)) {
        p->kind = MIME_MULTIPART;
    }
}

static bool take_field_name(struct str *text, struct str name)
{
    struct str s = *text;

    if (!take_text_nocase(&s, name))
        return false;
    while (s.n && is_wsp(s.p[0]))
        s = str_from(s, 1);
    if (!take_char(&s, ':'))
        return false;
    *text = s;
    return true;
}

static struct buf *field_buf(struct mime *m)
{
    return m->field == TYPE_FIELD ? &m->type : m->field == ENCODING_FIELD ? &m->encoding : NULL;
}

/* The first field of a name counts, with its folds; the space says that it has been there. */
static void begin_field(struct mime *m, struct str *text)
{
    m->field = NO_FIELD;
    if (to_lower(text->p[0]) != 'c') /* most are passed over at this */
        return;
    if (m->type.n == 0 && take_field_name(text, S("Content-Type")))
        m->field = TYPE_FIELD;
    else if (m->encoding.n == 0 && take_field_name(text, S("Content-Transfer-Encoding")))
        m->field = ENCODING_FIELD;
    if (m->field != NO_FIELD)
        buf_add_char(field_buf(m), ' ');
}

static void header_line(struct mime *m, struct str text)
{
    if (!is_wsp(text.p[0]))
        begin_field(m, &text);
    if (m->field != NO_FIELD)
        buf_add(field_buf(m), text);
}

/* dash-boundary transport-padding: which open part's, from the innermost on; -1: none. */
static int find_boundary(const struct mime *m, struct str text, bool *last)
{
    for (size_t i = m->depth; i-- > 0;) {
        const struct mime_open *o = &m->open[i];
        struct str b = {m->boundaries.p + o->boundary_at, o->boundary_n}, rest = text;

        if (b.n == 0 || !take_text(&rest, b))
            continue;
        *last = take_text(&rest, S("--"));
        if (str_trim(rest).n == 0)
            return (int)i;
    }
    return -1;
}

/* A boundary of the part at `level`: all above it end before the line end in front of this line. */
static void cross_boundary(struct mime *m, size_t level, bool last, uint64_t next_line)
{
    uint64_t end = m->line_start - m->last_line_end;
    uint64_t lines = m->line_count - (m->last_line_end > 0 && m->last_line_empty);

    while (m->depth > level + 1)
        close_part(m, end, lines);
    if (last)
        top(m)->boundary_n = 0;
    else if (has_room(m))
        open_part(m, next_line);
}

/* One line, or its kept beginning; `text` is without its end. */
static void pass_text(struct mime *m, struct str text, uint64_t next_line)
{
    bool last;
    int level = -1;

    if (m->boundaries.n && text.n > 2 && text.p[0] == '-' && text.p[1] == '-')
        level = find_boundary(m, str_from(text, 2), &last);
    if (level >= 0)
        cross_boundary(m, (size_t)level, last, next_line);
    m->line_count++;
    if (level >= 0 || !m->in_header)
        return;
    if (text.n == 0)
        end_header(m, next_line);
    else
        header_line(m, text);
}

static void note_characters(struct mime *m, struct str some)
{
    if (!m->in_header || is_ascii(some))
        return;
    m->utf8_header = true;
    m->utf8_own_header |= m->count == 1;
}

static void keep(struct mime *m, struct str some)
{
    note_characters(m, some);
    buf_add(&m->line, str_upto(some, m->line.limit - m->line.n));
    if (some.n)
        m->cr = some.p[some.n - 1] == '\r';
    m->line_length += some.n;
}

/* The rest of a line, up to its LF; the beginning may have been kept. */
static void pass_line(struct mime *m, struct str rest)
{
    struct str text = rest;
    bool whole;

    if (m->line_length || m->line.n) {
        keep(m, rest);
        text = buf_str(&m->line);
    } else {
        note_characters(m, rest);
        m->cr = rest.n && rest.p[rest.n - 1] == '\r';
        m->line_length = rest.n;
    }
    whole = text.n == m->line_length;
    if (whole && m->cr)
        text.n--;
    pass_text(m, text, m->line_start + m->line_length + 1);
    m->line_start += m->line_length + 1;
    m->last_line_end = 1 + m->cr;
    m->last_line_empty = text.n == 0;
    m->line_length = 0;
    m->cr = false;
    buf_clear(&m->line);
}

/* Nothing is looked for any more: only lines are counted. */
static void skim(struct mime *m, struct str piece)
{
    size_t lf;

    while (str_find_char(piece, '\n', &lf)) {
        m->line_count++;
        m->line_start += m->line_length + lf + 1;
        m->line_length = 0;
        piece = str_from(piece, lf + 1);
    }
    m->line_length += piece.n;
}

void mime_feed(struct mime *m, struct str piece)
{
    size_t lf;

    while (piece.n && (m->in_header || m->boundaries.n)) {
        if (!str_find_char(piece, '\n', &lf)) {
            keep(m, piece);
            return;
        }
        pass_line(m, str_upto(piece, lf));
        piece = str_from(piece, lf + 1);
    }
    skim(m, piece);
}

void mime_end(struct mime *m)
{
    uint64_t size = m->line_start + m->line_length;
    struct str text = buf_str(&m->line);

    if (m->line_length && (m->in_header || m->boundaries.n)) {
        if (m->cr && text.n == m->line_length)
            text.n--;
        pass_text(m, text, size);
    } else {
        m->line_count += m->line_length > 0;
    }
    while (m->depth)
        close_part(m, size, m->line_count);
}

/* Part i stands right behind its parent, or behind a part that is closed: its parent is then on the way up. */
static bool parent_is_open(const struct mime_part *parts, size_t i)
{
    size_t above = i - 1;

    while (above != parts[i].parent && above != 0)
        above = parts[above].parent;
    return above == parts[i].parent;
}

/* What has been seen of the children of each part, and how deep it lies. */
struct check {
    uint64_t children_end[MIME_PARTS_MAX];
    unsigned char depth[MIME_PARTS_MAX];
};

static bool check_place(const struct mime_part *parts, size_t i, struct check *c)
{
    const struct mime_part *p = &parts[i], *parent = &parts[p->parent];

    if (p->parent >= i || !parent_is_open(parts, i) || c->depth[p->parent] == MIME_DEPTH_MAX)
        return false;
    if (parent->kind == MIME_LEAF || p->start < c->children_end[p->parent] || p->end > parent->end)
        return false;
    if (parent->kind == MIME_MESSAGE && (p->parent != i - 1 || p->start != parent->body))
        return false;
    c->children_end[p->parent] = p->end;
    c->depth[i] = (unsigned char)(c->depth[p->parent] + 1);
    return true;
}

bool mime_check(const struct mime_part *parts, size_t count, uint64_t size)
{
    struct check c;

    if (count == 0 || count > MIME_PARTS_MAX || parts[0].parent != 0 || parts[0].start != 0 ||
        parts[0].end != size)
        return false;
    c.depth[0] = 0;
    for (size_t i = 0; i < count; i++) {
        const struct mime_part *p = &parts[i];

        if (p->start > p->body || p->body > p->end || p->lines > p->end - p->body ||
            p->kind > MIME_MESSAGE)
            return false;
        if (i > 0 && !check_place(parts, i, &c))
            return false;
        if (p->kind == MIME_MESSAGE && (i + 1 == count || parts[i + 1].parent != i))
            return false;
        c.children_end[i] = p->body;
    }
    return true;
}
