/* The header is gathered, read once, written once with its edits; then the filter is a pipe. */
#include "mail/submission.h"

#include "mail/message_id.h"

#define GATHER_STEP 4096

struct submission_filter submission_filter_make(const struct submission_fixes *fixes)
{
    return (struct submission_filter){
        .header = buf_make(SUBMISSION_HEADER_MAX),
        .mend = fixes != NULL,
        .fixes = fixes ? *fixes : (struct submission_fixes){STR_NONE, STR_NONE},
    };
}

void submission_filter_free(struct submission_filter *f)
{
    buf_free(&f->header);
}

/* The header's end, behind its empty line; 0: not yet. No byte is looked at twice, however small the pieces are. */
static size_t find_end(struct submission_filter *f)
{
    struct str text = buf_str(&f->header);
    size_t lf;

    while (str_find_char(str_from(text, f->searched), '\n', &lf)) {
        struct str line = str_upto(str_from(text, f->line), f->searched + lf - f->line);

        f->line = f->searched += lf + 1;
        if (line.n == 0 || str_same(line, S("\r")))
            return f->line;
    }
    f->searched = text.n;
    return 0;
}

static bool is_removed(struct str name)
{
    return str_same_nocase(name, S("Bcc")) || str_same_nocase(name, S("Resent-Bcc")) ||
           str_same_nocase(name, S("Return-Path"));
}

static void note_field(struct submission_filter *f, const struct header_field *field)
{
    struct str body = field->body;

    if (str_same_nocase(field->name, S("Received")))
        f->received_count++;
    else if (str_same_nocase(field->name, S("Message-ID")) && f->message_id.n == 0)
        take_message_id(&body, &f->message_id);
}

static void add_field(struct buf *out, const char *name, struct str body)
{
    buf_add_c(out, name);
    buf_add(out, S(": "));
    buf_add(out, body);
    buf_add(out, S("\r\n"));
}

static void add_missing(struct submission_filter *f, struct str header, struct buf *out)
{
    if (f->fixes.message_id.n && count_header_fields(header, S("Message-ID")) == 0) {
        add_field(out, "Message-ID", f->fixes.message_id);
        f->message_id = f->fixes.message_id;
    }
    if (f->fixes.date.n && count_header_fields(header, S("Date")) == 0)
        add_field(out, "Date", f->fixes.date);
}

/* No header at all: the first line is text. (The "From " of an mbox is none: fields follow it.) */
static bool begins_with_text(struct str header)
{
    struct header_field f;

    return take_header_field(&header, &f) && f.name.n == 0 && !str_starts(f.whole, S("From ")) &&
           !str_starts(f.whole, S(">From "));
}

static void mend_header(struct submission_filter *f, struct str header, struct buf *out)
{
    struct header_field field;
    struct str rest = header;
    bool line_open = false;

    if (begins_with_text(header)) {
        add_missing(f, STR_NONE, out);
        buf_add(out, S("\r\n"));
        buf_add(out, header);
        return;
    }
    while (take_header_field(&rest, &field))
        if (!is_removed(field.name)) {
            buf_add(out, field.whole);
            line_open = field.whole.p[field.whole.n - 1] != '\n';
        }
    if (line_open)
        buf_add(out, S("\r\n"));
    add_missing(f, header, out);
    buf_add(out, rest);
}

static void finish_header(struct submission_filter *f, struct buf *out)
{
    struct str header = buf_str(&f->header), rest = header;
    struct header_field field;

    while (take_header_field(&rest, &field))
        note_field(f, &field);
    f->header_done = true;
    if (!f->mend) {
        if (header.n && is_wsp(header.p[0])) /* no field begins so: all of it is text */
            buf_add(out, S("\r\n"));
        buf_add(out, header);
        return;
    }
    mend_header(f, header, out);
}

/* Only a little is taken at a time, lest a large piece be copied for the small header it begins with. */
static void gather(struct submission_filter *f, struct str *piece, struct buf *out)
{
    size_t room = f->header.limit - f->header.n, had = f->header.n, end;
    struct str some = str_upto(*piece, room < GATHER_STEP ? room : GATHER_STEP);

    buf_add(&f->header, some);
    end = find_end(f);
    *piece = str_from(*piece, end ? end - had : some.n);
    if (end) {
        f->header.n = end;
        finish_header(f, out);
    } else if (f->header.n == f->header.limit) {
        f->header_too_long = true;
    }
}

void submission_feed(struct submission_filter *f, struct str piece, struct buf *out)
{
    while (piece.n && !f->header_done && !f->header_too_long)
        gather(f, &piece, out);
    if (f->header_done)
        buf_add(out, piece);
}

void submission_end(struct submission_filter *f, struct buf *out)
{
    if (!f->header_done && !f->header_too_long)
        finish_header(f, out);
}

bool next_delivered_to(const struct submission_filter *f, size_t *at, struct str *address)
{
    struct str header = buf_str(&f->header), rest = str_from(header, *at);
    struct header_field field;

    while (take_header_field(&rest, &field))
        if (str_same_nocase(field.name, S("Delivered-To"))) {
            *at = header.n - rest.n;
            *address = str_trim(field.body);
            return true;
        }
    return false;
}
