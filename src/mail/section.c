/* A number leads from a multipart to one of its parts. A message that is no multipart has one part, which is its own body:
 * the same index, but no longer meant as a message. */
#include "mail/section.h"

#include "mail/content.h"
#include "mail/header.h"

/* BODYSTRUCTURE shows no part that cannot be asked for: one number a level, and a message's own body is a 1 as well. */
_Static_assert(IMAP_SECTION_DEPTH_MAX == MIME_DEPTH_MAX + 1, "as deep as the tree");

struct place {
    size_t part;
    /* The message or the message inside, with its RFC 5322 header; else a part of something. */
    bool is_message;
    /* The empty text that BODYSTRUCTURE shows in `part`, a multipart that has no parts. */
    bool is_nothing;
};

static bool find_child(const struct mime_part *parts, size_t count, size_t parent, uint32_t number,
                       size_t *out)
{
    for (size_t i = parent + 1; i < count && parts[i].end <= parts[parent].end; i++)
        if (parts[i].parent == parent && --number == 0)
            return *out = i, true;
    return false;
}

/* The message inside a part that is one. */
static bool enter_message(const struct mime_part *parts, size_t count, struct place *p)
{
    if (!p->is_message && parts[p->part].kind == MIME_MESSAGE && p->part + 1 < count)
        *p = (struct place){p->part + 1, true, false};
    return p->is_message;
}

static bool go_to(const struct mime_part *parts, size_t count, struct place *p, uint32_t number)
{
    size_t first;

    if (number == 0 || p->is_nothing)
        return false;
    enter_message(parts, count, p);
    if (parts[p->part].kind == MIME_MULTIPART) {
        p->is_message = false;
        p->is_nothing = number == 1 && !find_child(parts, count, p->part, 1, &first);
        return p->is_nothing || find_child(parts, count, p->part, number, &p->part);
    }
    if (!p->is_message || number != 1)
        return false;
    p->is_message = false;
    return true;
}

static bool find_place(const struct imap_section *s, const struct mime_part *parts, size_t count,
                       struct place *out)
{
    struct place p = {0, true, false};

    for (size_t i = 0; i < s->part_depth; i++)
        if (!go_to(parts, count, &p, s->part[i]))
            return false;
    *out = p;
    return true;
}

bool section_find(const struct imap_section *s, const struct mime_part *parts, size_t count,
                  uint64_t prefix, struct section_range *out)
{
    bool of_part = s->text == IMAP_SECTION_MIME || (s->text == IMAP_SECTION_ALL && s->part_depth),
         header, body;
    const struct mime_part *p;
    struct place place;
    uint64_t from, to;

    if (!find_place(s, parts, count, &place))
        return false;
    if (of_part ? s->part_depth == 0 : place.is_nothing || !enter_message(parts, count, &place))
        return false;
    p = &parts[place.part];
    if (place.is_nothing) {
        *out = (struct section_range){p->end + prefix, 0, place.part};
        return true;
    }
    header = s->text == IMAP_SECTION_ALL ? s->part_depth == 0 : s->text != IMAP_SECTION_TEXT;
    body = s->text == IMAP_SECTION_ALL || s->text == IMAP_SECTION_TEXT;
    from = header ? p->start : p->body;
    to = body ? p->end : p->body;
    if (!header || place.part) /* the message's own header begins with the prefix */
        from += prefix;
    *out = (struct section_range){from, to + prefix - from, place.part};
    return true;
}

bool section_find_binary(const struct imap_section *s, const struct mime_part *parts, size_t count,
                         uint64_t prefix, const struct mime_source *source, struct section_range *out,
                         enum transfer_encoding *encoding, bool *crlf, bool *failed)
{
    struct content_type type = {S("text"), S("plain"), STR_NONE};
    struct buf header = buf_make(MIME_HEADER_READ_MAX);
    struct header_field f;

    *failed = false;
    *encoding = TRANSFER_IDENTITY;
    *crlf = false;
    if (!section_find(s, parts, count, prefix, out))
        return false;
    if (s->part_depth && parts[out->part].kind == MIME_LEAF) {
        *failed = !mime_read_header(parts, out->part, source, &header);
        if (find_header_field(buf_str(&header), S("Content-Type"), &f))
            parse_content_type(f.body, &type);
        *encoding = transfer_encoding_of(buf_str(&header));
        *crlf = is_content_type(&type, S("text"), STR_NONE);
    }
    buf_free(&header);
    return !*failed;
}

/* ---- BINARY ---- */

struct binary binary_begin(enum transfer_encoding encoding, bool crlf)
{
    return (struct binary){transfer_begin(encoding), crlf, false,
                           buf_make(BUF_UNLIMITED)}; /* by the piece */
}

/* A line feed gets the carriage return that it lacks. */
static struct str end_lines(struct binary *b, struct str bytes, struct buf *room)
{
    size_t at;

    if (!b->crlf || bytes.n == 0)
        return bytes;
    buf_clear(room);
    while (str_find_char(bytes, '\n', &at)) {
        buf_add(room, str_upto(bytes, at));
        if (at ? bytes.p[at - 1] != '\r' : !b->cr)
            buf_add_char(room, '\r');
        buf_add_char(room, '\n');
        bytes = str_from(bytes, at + 1);
        b->cr = false;
    }
    buf_add(room, bytes);
    if (bytes.n)
        b->cr = bytes.p[bytes.n - 1] == '\r';
    return buf_str(room);
}

struct str binary_next(struct binary *b, struct str piece, struct buf *room)
{
    return b->crlf ? end_lines(b, transfer_decode(&b->transfer, piece, &b->room), room)
                   : transfer_decode(&b->transfer, piece, room);
}

struct str binary_end(struct binary *b, struct buf *room)
{
    struct str rest = b->crlf ? end_lines(b, transfer_end(&b->transfer, &b->room), room)
                              : transfer_end(&b->transfer, room);

    buf_free(&b->room);
    return rest;
}

/* ---- HEADER.FIELDS ---- */

/* The beginning of a line may be a field's, or go on with the one before; then the rest of it is known. */
enum { LINE_BEGINS, IN_NAME, IN_LINE };

struct header_filter header_filter_begin(const struct imap_section *s)
{
    bool except = s->text == IMAP_SECTION_FIELDS_NOT;

    return (struct header_filter){
        .names = s->fields, .count = s->field_count, .except = except, .show = except};
}

static bool is_named(const struct header_filter *f, struct str name)
{
    for (size_t i = 0; i < f->count; i++)
        if (str_same_nocase(f->names[i], name))
            return true;
    return false;
}

/* What is gathered of a line tells what it is: read by the one who divides headers for everybody. */
static void decide(struct header_filter *f, struct buf *out)
{
    struct str line = {f->begun, f->begun_n}, rest = line;
    struct header_field field = {STR_NONE, STR_NONE, STR_NONE};
    bool is_field = take_header_field(&rest, &field); /* else it is the empty line */

    f->show = !is_field || (field.name.n && is_named(f, field.name)) != f->except;
    if (f->show)
        buf_add(out, line);
    f->begun_n = 0;
}

static void begin_line(struct header_filter *f, char c)
{
    f->state = is_wsp(c) ? IN_LINE : IN_NAME; /* a fold is shown if what it folds is */
}

static void gather(struct header_filter *f, struct str *piece, struct buf *out)
{
    char c = piece->p[0];

    f->begun[f->begun_n++] = c;
    *piece = str_from(*piece, 1);
    if (c != ':' && c != '\n' && f->begun_n < HEADER_FILTER_NAME)
        return;
    decide(f, out);
    f->state = c == '\n' ? LINE_BEGINS : IN_LINE;
}

static void pass_line(struct header_filter *f, struct str *piece, struct buf *out)
{
    size_t lf;
    bool ends = str_find_char(*piece, '\n', &lf);
    struct str text = ends ? str_upto(*piece, lf + 1) : *piece;

    if (f->show)
        buf_add(out, text);
    *piece = str_from(*piece, text.n);
    if (ends)
        f->state = LINE_BEGINS;
}

void header_filter_feed(struct header_filter *f, struct str piece, struct buf *out)
{
    while (piece.n) {
        if (f->state == LINE_BEGINS)
            begin_line(f, piece.p[0]);
        if (f->state == IN_NAME)
            gather(f, &piece, out);
        else
            pass_line(f, &piece, out);
    }
}

void header_filter_end(struct header_filter *f, struct buf *out)
{
    if (f->begun_n)
        decide(f, out);
}
