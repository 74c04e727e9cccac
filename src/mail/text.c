/* From part to part: what is asked of its header, then what is asked of its body, each followed by a line feed. A body goes
 * through transfer encoding, charset and markup, of which each gives its input on where it has nothing to do. */
#include "mail/text.h"

#include "mail/content.h"
#include "mail/header.h"
#include "mail/words.h"

enum { AT_HEADER, AT_BODY, IN_BODY, AFTER_HEADER, AFTER_BODY };

#define ROOM BUF_UNLIMITED /* by TEXT_PIECE: three times of it for a charset, less for the others */

struct message_text message_text_make(void)
{
    return (struct message_text){.raw = buf_make(TEXT_HEADER_MAX),
                                 .bytes = buf_make(ROOM),
                                 .text = buf_make(ROOM),
                                 .bare = buf_make(ROOM)};
}

void message_text_begin(struct message_text *t, const struct mime_part *parts, size_t count,
                        const struct mime_source *source, unsigned what)
{
    transfer_end(&t->transfer, &t->bytes);
    t->failed = false;
    t->parts = parts;
    t->count = count;
    t->source = source;
    t->what = what;
    t->part = 0;
    t->state = AT_HEADER;
}

void message_text_free(struct message_text *t)
{
    transfer_end(&t->transfer, &t->bytes);
    buf_free(&t->raw);
    buf_free(&t->bytes);
    buf_free(&t->text);
    buf_free(&t->bare);
}

static bool read_raw(struct message_text *t, uint64_t at, uint64_t end, size_t most)
{
    buf_clear(&t->raw);
    if (at < end &&
        !t->source->read(t->source->ctx, at, end - at < most ? (size_t)(end - at) : most, &t->raw))
        t->failed = true;
    return !t->failed;
}

static bool read_header(struct message_text *t)
{
    const struct mime_part *p = &t->parts[t->part];

    return read_raw(t, p->start, p->body, TEXT_HEADER_MAX);
}

/* ---- headers ---- */

/* The header of a message inside is part of the body. */
static bool wants_header(const struct message_text *t)
{
    if (t->part == 0)
        return t->what & TEXT_HEADER;
    return t->what & (t->parts[t->parts[t->part].parent].kind == MIME_MESSAGE ? TEXT_BODY : TEXT_PARTS);
}

static void write_field(struct message_text *t, const struct header_field *f)
{
    buf_clear(&t->bytes);
    header_unfold(&t->bytes, f->body);
    if (f->name.n) {
        words_clean(&t->text, f->name);
        buf_add(&t->text, S(": "));
    }
    words_decode(&t->text, buf_str(&t->bytes));
    buf_add_char(&t->text, '\n');
}

static bool give_header(struct message_text *t, struct str *text)
{
    struct header_field f;
    struct str rest;

    t->state = AFTER_HEADER;
    if (!wants_header(t) || !read_header(t))
        return false;
    buf_clear(&t->text);
    rest = buf_str(&t->raw);
    while (take_header_field(&rest, &f))
        write_field(t, &f);
    *text = buf_str(&t->text);
    return true;
}

/* ---- bodies ---- */

/* Text, and what reports are made of (message/delivery-status and its kin). */
static bool is_text(struct message_text *t, struct str field)
{
    struct content_type type = {S("text"), S("plain"), STR_NONE};
    struct buf name = buf_make(100);
    const struct charset *set;

    parse_content_type(field, &type);
    if (!is_content_type(&type, S("text"), STR_NONE) && !is_content_type(&type, S("message"), STR_NONE))
        return false;
    find_param(type.params, S("charset"), &name);
    set = charset_find(buf_str(&name));
    t->charset = charset_begin(set ? set : charset_find(S("utf-8")));
    t->is_html = is_content_type(&type, S("text"), S("html"));
    t->html = html_begin();
    buf_free(&name);
    return true;
}

static bool begin_body(struct message_text *t)
{
    static const struct str names[] = {S("Content-Type"), S("Content-Transfer-Encoding")};
    const struct mime_part *p = &t->parts[t->part];
    struct header_found found[2];

    t->state = AFTER_BODY;
    if (!(t->what & TEXT_BODY) || p->kind != MIME_LEAF || !read_header(t))
        return false;
    find_header_fields(buf_str(&t->raw), names, 2, found);
    if (!is_text(t, found[0].body))
        return false;
    t->transfer = transfer_begin(transfer_encoding_parse(found[1].body));
    t->at = p->body;
    t->state = IN_BODY;
    return true;
}

static struct str without_markup(struct message_text *t, struct str text)
{
    if (!t->is_html)
        return text;
    buf_clear(&t->bare);
    html_strip(&t->html, text, &t->bare);
    return buf_str(&t->bare);
}

/* What each of them still holds. */
static struct str end_body(struct message_text *t)
{
    struct buf rest = buf_make(ROOM);
    struct str text;

    t->state = AFTER_BODY;
    buf_add(&rest, charset_decode(&t->charset, transfer_end(&t->transfer, &t->bytes), &t->text));
    buf_add(&rest, charset_end(&t->charset, &t->text));
    buf_clear(&t->text);
    buf_add(&t->text, buf_str(&rest));
    buf_free(&rest);
    text = without_markup(t, buf_str(&t->text));
    if (!t->is_html)
        return text;
    html_end(&t->html, &t->bare);
    return buf_str(&t->bare);
}

static struct str read_body(struct message_text *t)
{
    uint64_t end = t->parts[t->part].end;

    if (t->at >= end)
        return end_body(t);
    if (!read_raw(t, t->at, end, TEXT_PIECE))
        return STR_NONE;
    if (t->raw.n == 0) { /* the source has less than the tree says */
        t->at = end;
        return STR_NONE;
    }
    t->at += t->raw.n;
    return without_markup(t, charset_decode(&t->charset,
                                            transfer_decode(&t->transfer, buf_str(&t->raw), &t->bytes),
                                            &t->text));
}

bool message_text_next(struct message_text *t, struct str *text)
{
    while (!t->failed && t->part < t->count) {
        *text = STR_NONE;
        switch (t->state) {
        case AT_HEADER:
            if (!give_header(t, text))
                t->state = AT_BODY;
            break;
        case AFTER_HEADER:
            *text = S("\n");
            t->state = AT_BODY;
            break;
        case AT_BODY:
            if (begin_body(t))
                break;
            t->part++;
            t->state = AT_HEADER;
            break;
        case IN_BODY:
            *text = read_body(t);
            break;
        case AFTER_BODY:
            *text = S("\n");
            t->part++;
            t->state = AT_HEADER;
            break;
        }
        if (text->n && !t->failed)
            return true;
    }
    return false;
}
