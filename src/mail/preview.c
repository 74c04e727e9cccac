/* A little of one part is read, decoded, freed of markup, and its white space drawn together. */
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

static bool is_attachment(struct str header)
{
    struct header_field f;
    struct str token, params;

    return find_header_field(header, S("Content-Disposition"), &f) &&
           parse_content_token(f.body, &token, &params) && str_same_nocase(token, S("attachment"));
}

/* What kind of text the part is; false: none to show. */
static bool read_kind(struct str header, struct text_part *t)
{
    struct content_type type = {S("text"), S("plain"), STR_NONE};
    struct buf name = buf_make(100);
    struct header_field f;

    if (find_header_field(header, S("Content-Type"), &f))
        parse_content_type(f.body, &type);
    t->html = is_content_type(&type, S("text"), S("html"));
    if ((!t->html && !is_content_type(&type, S("text"), S("plain"))) || is_attachment(header))
        return false;
    find_param(type.params, S("charset"), &name);
    t->charset = charset_find(buf_str(&name));
    t->encoding = transfer_encoding_of(header);
    buf_free(&name);
    return true;
}

/* Plain text wins over HTML, wherever it stands. */
static bool choose_part(const struct mime_part *parts, size_t count, const struct mime_source *source,
                        struct text_part *chosen, bool *found)
{
    struct buf header = buf_make(MIME_HEADER_READ_MAX);
    size_t tried = 0;
    bool good = true;

    for (size_t i = 0; i < count && good && tried < LEAVES_TRIED && !(*found && !chosen->html); i++) {
        struct text_part t = {.index = i};

        if (parts[i].kind != MIME_LEAF)
            continue;
        tried++;
        buf_clear(&header);
        good = mime_read_header(parts, i, source, &header);
        if (good && read_kind(buf_str(&header), &t) && !(*found && t.html)) {
            *chosen = t;
            *found = true;
        }
    }
    buf_free(&header);
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

static void write_line(struct buf *out, struct str text)
{
    bool gap = false;
    size_t characters = 0, begin = out->n;

    while (text.n && characters < PREVIEW_CHARACTERS) {
        size_t n = utf8_character_length(text);
        struct str c = str_upto(text, n);

        text = str_from(text, n ? n : 1);
        if (n == 0)
            continue;
        if (is_blank(c)) {
            gap = out->n > begin;
            continue;
        }
        if (gap && ++characters < PREVIEW_CHARACTERS)
            buf_add_char(out, ' ');
        if (characters++ < PREVIEW_CHARACTERS)
            buf_add(out, c);
        gap = false;
    }
}

/* Of a part that was not read to its end, what is cut off there is not shown. */
static void show(struct buf *out, const struct text_part *t, struct str raw, bool whole)
{
    struct charset_decoder charset = charset_begin(t->charset);
    struct transfer transfer = transfer_begin(t->encoding);
    struct buf bytes = buf_make(BUF_UNLIMITED), rest = buf_make(BUF_UNLIMITED),
               room = buf_make(BUF_UNLIMITED), text = buf_make(BUF_UNLIMITED),
               bare = buf_make(BUF_UNLIMITED); /* by HTML_READ */
    struct html html = html_begin();

    buf_add(&bytes, transfer_decode(&transfer, raw, &room));
    buf_add(&bytes, transfer_end(&transfer, &rest));
    buf_add(&text, charset_decode(&charset, buf_str(&bytes), &room));
    if (whole)
        buf_add(&text, charset_end(&charset, &room));
    if (t->html) {
        html_strip(&html, buf_str(&text), &bare);
        html_end(&html, &bare);
    }
    write_line(out, t->html ? buf_str(&bare) : buf_str(&text));
    buf_free(&bytes);
    buf_free(&rest);
    buf_free(&room);
    buf_free(&text);
    buf_free(&bare);
}

bool preview_write(struct buf *out, const struct mime_part *parts, size_t count,
                   const struct mime_source *source)
{
    struct text_part t = {.charset = NULL};
    struct buf raw = buf_make(HTML_READ);
    bool found = false, good = choose_part(parts, count, source, &t, &found);

    if (good && found && t.charset) {
        uint64_t size = parts[t.index].end - parts[t.index].body;
        size_t most = t.html ? HTML_READ : TEXT_READ;

        good = source->read(source->ctx, parts[t.index].body, size < most ? (size_t)size : most, &raw);
        if (good)
            show(out, &t, buf_str(&raw), size <= most);
    }
    buf_free(&raw);
    return good;
}
