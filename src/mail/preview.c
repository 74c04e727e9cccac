/* A little of one part is read, decoded, freed of markup, and its white space drawn together, piece by piece until the
 * line is full. */
#include "mail/preview.h"

#include "base/utf8.h"
#include "mail/charset.h"
#include "mail/content.h"
#include "mail/header.h"
#include "mail/html.h"
#include "mail/transfer.h"

#define TEXT_READ (4 * 1024) /* of text/plain: 200 characters, encoded, with much white space between */
#define HTML_READ (32 * 1024) /* of text/html, where style sheets come first */
#define LEAVES_TRIED 10       /* text comes first where it comes at all */

struct text_part {
    size_t index;
    bool html;
    const struct charset *charset; /* NULL: not known */
    enum transfer_encoding encoding;
};

static bool is_attachment(struct str disposition)
{
    struct str token, params;

    return parse_content_token(disposition, &token, &params) && str_same_nocase(token, S("attachment"));
}

/* What kind of text the part is; false: none to show. */
static bool read_kind(struct str header, struct text_part *t)
{
    enum { TYPE, DISPOSITION, ENCODING, FIELDS };
    static const struct str names[FIELDS] = {S("Content-Type"), S("Content-Disposition"),
                                             S("Content-Transfer-Encoding")};
    struct content_type type = {S("text"), S("plain"), STR_NONE};
    struct header_found found[FIELDS];
    struct buf name = buf_make(100);

    find_header_fields(header, names, FIELDS, found);
    parse_content_type(found[TYPE].body, &type);
    t->html = is_content_type(&type, S("text"), S("html"));
    if ((!t->html && !is_content_type(&type, S("text"), S("plain"))) ||
        is_attachment(found[DISPOSITION].body))
        return false;
    find_param(type.params, S("charset"), &name);
    t->charset = charset_find(buf_str(&name));
    t->encoding = transfer_encoding_parse(found[ENCODING].body);
    buf_free(&name);
    return true;
}

/* Plain text wins over HTML, wherever it stands. */
static bool choose_part(const struct mime_part *parts, size_t count, const struct mime_source *source,
                        struct text_part *chosen, bool *found)
{
    struct buf room = buf_make(MIME_HEADER_READ_MAX);
    struct str header;
    size_t tried = 0;
    bool good = true;

    for (size_t i = 0; i < count && good && tried < LEAVES_TRIED && !(*found && !chosen->html); i++) {
        struct text_part t = {.index = i};

        if (parts[i].kind != MIME_LEAF)
            continue;
        tried++;
        good = mime_header(parts, i, source, &room, &header);
        if (good && read_kind(header, &t) && !(*found && t.html)) {
            *chosen = t;
            *found = true;
        }
    }
    buf_free(&room);
    return good;
}

/* White space, controls, and the invisible characters that newsletters fill their previews with. */
static bool is_blank(struct str character)
{
    static const char *const blanks[] = {"\xc2\xa0",     "\xc2\xad",     "\xe2\x80\x8b",
                                         "\xe2\x80\x8c", "\xe2\x80\x8d", "\xcd\x8f"};
    unsigned char c = (unsigned char)character.p[0];

    if (character.n == 1)
        return c <= ' ' || c == 0x7f;
    if (character.n == 2 && c == 0xc2 && (unsigned char)character.p[1] < 0xa0)
        return true;
    for (size_t i = 0; i < sizeof(blanks) / sizeof(*blanks); i++)
        if (str_same(character, str_from_c(blanks[i])))
            return true;
    return false;
}

/* The line as far as it is written. */
struct line {
    struct buf *out;
    size_t begin, characters;
    bool gap;
};

static bool is_full(const struct line *l)
{
    return l->characters >= PREVIEW_CHARACTERS;
}

static void close_gap(struct line *l)
{
    if (l->gap && ++l->characters < PREVIEW_CHARACTERS)
        buf_add_char(l->out, ' ');
    l->gap = false;
}

/* How many printable ASCII characters are at the front, of which none is white. */
static size_t plain_length(struct str s)
{
    size_t n = 0;

    while (n < s.n && is_printable(s.p[n]) && s.p[n] != ' ')
        n++;
    return n;
}

static size_t write_plain(struct line *l, struct str run)
{
    close_gap(l);
    run = str_upto(run, is_full(l) ? 0 : PREVIEW_CHARACTERS - l->characters);
    buf_add(l->out, run);
    l->characters += run.n;
    return run.n;
}

static void write_character(struct line *l, struct str character)
{
    if (is_blank(character)) {
        l->gap = l->out->n > l->begin;
        return;
    }
    close_gap(l);
    if (l->characters++ < PREVIEW_CHARACTERS)
        buf_add(l->out, character);
}

static void write_text(struct line *l, struct str text)
{
    while (text.n && !is_full(l)) {
        size_t n = plain_length(text);

        if (n) {
            n = write_plain(l, str_upto(text, n));
        } else {
            n = utf8_character_length(text);
            if (n)
                write_character(l, str_upto(text, n));
            else
                n = 1;
        }
        text = str_from(text, n);
    }
}

/* What is made of the bytes on their way to the line. */
struct showing {
    const struct text_part *part;
    struct transfer transfer;
    struct charset_decoder charset;
    struct html html;
    struct buf bytes, text, bare; /* by AT_ONCE */
    struct line line;
};

#define AT_ONCE 1024 /* the line is full after a little: the rest need not be decoded */

static void show_text(struct showing *s, struct str text)
{
    if (s->part->html) {
        buf_clear(&s->bare);
        html_strip(&s->html, text, &s->bare);
        text = buf_str(&s->bare);
    }
    write_text(&s->line, text);
}

static void show_bytes(struct showing *s, struct str bytes)
{
    show_text(s, charset_decode(&s->charset, bytes, &s->text));
}

/* Of a part that was not read to its end, what is cut off there is not shown. */
static void show_end(struct showing *s, bool whole)
{
    show_bytes(s, transfer_end(&s->transfer, &s->bytes));
    if (whole)
        show_text(s, charset_end(&s->charset, &s->text));
    buf_clear(&s->bare);
    html_end(&s->html, &s->bare);
    write_text(&s->line, buf_str(&s->bare));
}

static void show(struct buf *out, const struct text_part *t, struct str raw, bool whole)
{
    struct showing s = {.part = t,
                        .transfer = transfer_begin(t->encoding),
                        .charset = charset_begin(t->charset),
                        .html = html_begin(),
                        .bytes = buf_make(BUF_UNLIMITED),
                        .text = buf_make(BUF_UNLIMITED),
                        .bare = buf_make(BUF_UNLIMITED),
                        .line = {.out = out, .begin = out->n}};

    for (; raw.n && !is_full(&s.line); raw = str_from(raw, AT_ONCE))
        show_bytes(&s, transfer_decode(&s.transfer, str_upto(raw, AT_ONCE), &s.bytes));
    show_end(&s, whole);
    buf_free(&s.bytes);
    buf_free(&s.text);
    buf_free(&s.bare);
}

bool preview_write(struct buf *out, const struct mime_part *parts, size_t count,
                   const struct mime_source *source)
{
    struct text_part t = {.charset = NULL};
    struct buf room = buf_make(HTML_READ);
    bool found = false, good = choose_part(parts, count, source, &t, &found);
    struct str raw;

    if (good && found && t.charset) {
        uint64_t size = parts[t.index].end - parts[t.index].body;
        size_t most = t.html ? HTML_READ : TEXT_READ;

        good = mime_bytes(source, parts[t.index].body, size < most ? size : most, &room, &raw);
        if (good)
            show(out, &t, raw, size <= most);
    }
    buf_free(&room);
    return good;
}
