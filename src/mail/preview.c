/* A little of one part is read, decoded, freed of markup, and its white space drawn together. */
#include "mail/preview.h"

#include "base/utf8.h"
#include "mail/charset.h"
#include "mail/content.h"
#include "mail/header.h"

#define TEXT_READ (4 * 1024) /* of text/plain: 200 characters, encoded, with much white space between */
#define HTML_READ (32 * 1024) /* of text/html, where style sheets come first */
#define LEAVES_TRIED 10       /* text comes first where it comes at all */

struct text_part {
    size_t index;
    bool html;
    struct buf charset;
    enum { IDENTITY, QUOTED_PRINTABLE, BASE64 } encoding;
};

static bool is_attachment(struct str header)
{
    struct header_field f;
    struct str token, params;

    return find_header_field(header, S("Content-Disposition"), &f) &&
           parse_content_token(f.body, &token, &params) && str_same_nocase(token, S("attachment"));
}

static void read_encoding(struct str header, struct text_part *t)
{
    struct header_field f;
    struct str token, params;

    t->encoding = IDENTITY;
    if (!find_header_field(header, S("Content-Transfer-Encoding"), &f) ||
        !parse_content_token(f.body, &token, &params))
        return;
    if (str_same_nocase(token, S("quoted-printable")))
        t->encoding = QUOTED_PRINTABLE;
    else if (str_same_nocase(token, S("base64")))
        t->encoding = BASE64;
}

/* What kind of text the part is; false: none to show. */
static bool read_kind(struct str header, struct text_part *t)
{
    struct content_type type = {S("text"), S("plain"), STR_NONE};
    struct header_field f;

    if (find_header_field(header, S("Content-Type"), &f))
        parse_content_type(f.body, &type);
    t->html = is_content_type(&type, S("text"), S("html"));
    if ((!t->html && !is_content_type(&type, S("text"), S("plain"))) || is_attachment(header))
        return false;
    find_param(type.params, S("charset"), &t->charset);
    read_encoding(header, t);
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
        struct text_part t = {.index = i, .charset = buf_make(100)};

        if (parts[i].kind != MIME_LEAF)
            continue;
        tried++;
        buf_clear(&header);
        good = mime_read_header(parts, i, source, &header);
        if (good && read_kind(buf_str(&header), &t) && !(*found && t.html)) {
            buf_free(&chosen->charset);
            *chosen = t;
            *found = true;
        } else {
            buf_free(&t.charset);
        }
    }
    buf_free(&header);
    return good;
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (is_digit(c))
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Generously, and of a beginning: RFC 2045 §6.8 tells to ignore what is not of the alphabet. */
static void decode_base64(struct buf *out, struct str in)
{
    uint32_t bits = 0;
    int have = 0;

    for (size_t i = 0; i < in.n && in.p[i] != '='; i++) {
        int v = base64_value(in.p[i]);

        if (v < 0)
            continue;
        bits = (bits << 6 | (uint32_t)v) & 0xffffff;
        have += 6;
        if (have >= 8) {
            have -= 8;
            buf_add_char(out, (char)(bits >> have));
        }
    }
}

static int hex_value(char c)
{
    c = to_lower(c);
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 2045 §6.7; a "=" that begins no escape stands for itself, as (note) there suggests. */
static void decode_quoted_printable(struct buf *out, struct str in)
{
    while (in.n) {
        if (take_text(&in, S("=\r\n")) || take_text(&in, S("=\n")))
            continue;
        if (in.p[0] == '=' && in.n >= 3 && hex_value(in.p[1]) >= 0 && hex_value(in.p[2]) >= 0) {
            buf_add_char(out, (char)(hex_value(in.p[1]) << 4 | hex_value(in.p[2])));
            in = str_from(in, 3);
        } else {
            buf_add_char(out, in.p[0]);
            in = str_from(in, 1);
        }
    }
}

static void decode(struct buf *out, const struct text_part *t, struct str raw)
{
    if (t->encoding == BASE64)
        decode_base64(out, raw);
    else if (t->encoding == QUOTED_PRINTABLE)
        decode_quoted_printable(out, raw);
    else
        buf_add(out, raw);
}

/* Elements whose content nobody sees. */
static const char *const hidden[] = {"style", "script", "head", "title"};
/* Elements that stand inside a line: their tags do not part words. */
static const char *const inside_line[] = {"a", "abbr",  "b",    "em",     "font", "i",
                                          "s", "small", "span", "strong", "u"};

static bool is_one_of(struct str name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_same_nocase(name, str_from_c(names[i])))
            return true;
    return false;
}

#define IS_ONE_OF(name, names) is_one_of(name, names, sizeof(names) / sizeof(*(names)))

static struct str tag_name(struct str tag)
{
    size_t n = 0;

    take_char(&tag, '/');
    while (n < tag.n && is_alnum(tag.p[n]))
        n++;
    return str_upto(tag, n);
}

/* To behind "</name>". */
static void skip_element(struct str *in, struct str name)
{
    struct str ignored;

    while (take_until(in, '<', &ignored))
        if (in->n && in->p[0] == '/' && str_same_nocase(tag_name(*in), name)) {
            if (take_until(in, '>', &ignored))
                return;
            break;
        }
    *in = str_from(*in, in->n);
}

static void skip_tag(struct buf *out, struct str *in)
{
    struct str tag, name;
    size_t end;

    if (take_text(in, S("<!--"))) {
        *in = str_from(*in, str_find(*in, S("-->"), &end) ? end + 3 : in->n);
        return;
    }
    *in = str_from(*in, 1);
    if (!take_until(in, '>', &tag)) {
        *in = str_from(*in, in->n);
        return;
    }
    name = tag_name(tag);
    if (tag.n && tag.p[0] != '/' && IS_ONE_OF(name, hidden))
        skip_element(in, name);
    if (!IS_ONE_OF(name, inside_line))
        buf_add_char(out, ' ');
}

/* The few references that mail is full of, and numbers. */
static bool take_reference(struct buf *out, struct str *in)
{
    static const struct {
        const char *name;
        uint32_t code_point;
    } rows[] = {{"amp", '&'},   {"lt", '<'},   {"gt", '>'},     {"quot", '"'},
                {"apos", '\''}, {"nbsp", ' '}, {"zwnj", 0x200c}};
    struct str s = *in, name;
    uint64_t v;

    if (!take_char(&s, '&') || !take_until(&s, ';', &name) || name.n > 10)
        return false;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (str_same(name, str_from_c(rows[i].name))) {
            utf8_write(out, rows[i].code_point);
            *in = s;
            return true;
        }
    if (!take_char(&name, '#') || !parse_u64(name, &v))
        return false;
    utf8_write(out, v > UINT32_MAX ? UINT32_MAX : (uint32_t)v);
    *in = s;
    return true;
}

static void strip_markup(struct buf *out, struct str in)
{
    while (in.n) {
        if (in.p[0] == '<') {
            skip_tag(out, &in);
        } else if (!take_reference(out, &in)) {
            buf_add_char(out, in.p[0]);
            in = str_from(in, 1);
        }
    }
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

/* The part's bytes became text; NULs and all. */
static void show(struct buf *out, const struct text_part *t, struct str raw)
{
    struct buf bytes = buf_make(HTML_READ), text = buf_make(BUF_UNLIMITED),
               bare = buf_make(BUF_UNLIMITED);

    decode(&bytes, t, raw);
    if (charset_to_utf8(&text, buf_str(&t->charset), buf_str(&bytes))) {
        if (t->html)
            strip_markup(&bare, buf_str(&text));
        write_line(out, t->html ? buf_str(&bare) : buf_str(&text));
    }
    buf_free(&bytes);
    buf_free(&text);
    buf_free(&bare);
}

bool preview_write(struct buf *out, const struct mime_part *parts, size_t count,
                   const struct mime_source *source)
{
    struct text_part t = {.charset = buf_make(0)};
    struct buf raw = buf_make(HTML_READ);
    bool found = false, good = choose_part(parts, count, source, &t, &found);

    if (good && found) {
        uint64_t size = parts[t.index].end - parts[t.index].body;
        size_t most = t.html ? HTML_READ : TEXT_READ;

        good = source->read(source->ctx, parts[t.index].body, size < most ? (size_t)size : most, &raw);
        show(out, &t, buf_str(&raw));
    }
    buf_free(&raw);
    buf_free(&t.charset);
    return good;
}
