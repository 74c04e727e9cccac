/* Each step passes over the bytes once, sixteen or more at a time. */
#include "mail/glance.h"

#include "base/utf8.h"
#include "mail/casemap.h"
#include "mail/charset.h"
#include "mail/content.h"
#include "mail/header.h"
#include "mail/text.h"

#define WORD_MOST                                                                                      \
    32 /* any part of a word will do, and a long one could be compared in vain again and again */
#define FIELDS_MOST 32

enum kind { NO_FIELD, TEXT_TYPE, OTHER_TYPE, ENCODED };

struct fields {
    struct str raw;
    size_t count;
    struct {
        size_t at;
        enum kind kind;
    } all[FIELDS_MOST];
    bool html, inside; /* there may be: a text of that type, a message inside */
    bool strange;      /* … a charset or more fields than are looked at */
};

struct unfolded glance_word(struct str needle)
{
    struct str longest = STR_NONE;

    for (size_t i = 0, n; i < needle.n; i += n + 1) {
        for (n = 0; i + n < needle.n && is_alnum(needle.p[i + n]);)
            n++;
        if (n > longest.n)
            longest = (struct str){needle.p + i, n};
    }
    return longest.n ? unfolded_make(str_upto(longest, WORD_MOST)) : (struct unfolded){STR_NONE, 0, 0};
}

/* ---- what parts are ---- */

/* Most texts say one of these, and nothing follows from it. */
static bool is_usual_text(struct fields *f, struct str field)
{
    static const struct str rest[] = {S("; charset=utf-8"), S("; charset=\"utf-8\""),
                                      S("; charset=us-ascii"), S("; charset=\"us-ascii\"")};
    bool html = take_text_nocase(&field, S(" text/html"));

    if (!html && !take_text_nocase(&field, S(" text/plain")))
        return false;
    for (size_t i = 0; i < sizeof(rest) / sizeof(*rest); i++)
        if (str_same_nocase(field, rest[i]))
            return f->html |= html, true;
    return false;
}

static enum kind look_at_type(struct fields *f, struct str field)
{
    struct content_type type = {S("text"), S("plain"), STR_NONE};
    struct buf name = buf_make(100); /* as text.c */
    const struct charset *set;

    if (is_usual_text(f, field))
        return TEXT_TYPE;
    parse_content_type(field, &type);
    f->inside |= is_content_type(&type, S("message"), STR_NONE) ||
                 is_content_type(&type, S("multipart"), S("digest"));
    if (!is_content_type(&type, S("text"), STR_NONE) && !is_content_type(&type, S("message"), STR_NONE))
        return OTHER_TYPE;
    f->html |= is_content_type(&type, S("text"), S("html"));
    find_param(type.params, S("charset"), &name);
    set = charset_find(buf_str(&name));
    f->strange |= set && !charset_keeps_ascii(set);
    buf_free(&name);
    return TEXT_TYPE;
}

static enum kind look_at_encoding(struct str field)
{
    enum transfer_encoding encoding = transfer_encoding_parse(field);

    return encoding == TRANSFER_BASE64 || encoding == TRANSFER_QUOTED_PRINTABLE ? ENCODED : NO_FIELD;
}

/* What begins here, be it at the beginning of a line or not. */
static enum kind look_at_field(struct fields *f, size_t at)
{
    struct str rest = str_from(f->raw, at);
    struct header_field field;

    take_header_field(&rest, &field);
    if (str_same_nocase(field.name, S("Content-Type")))
        return look_at_type(f, field.body);
    if (str_same_nocase(field.name, S("Content-Transfer-Encoding")))
        return look_at_encoding(field.body);
    return NO_FIELD;
}

static struct fields find_fields(struct str raw)
{
    static const struct unfolded begin = {S("CONTENT-T"), 0, 7}; /* of both names */
    struct fields f = {.raw = raw};
    size_t from = 0, at;

    for (; !f.strange && find_unfolded(str_from(raw, from), &begin, &at); from += at + begin.needle.n) {
        enum kind kind = look_at_field(&f, from + at);

        if (kind == NO_FIELD)
            continue;
        f.strange |= f.count == FIELDS_MOST;
        if (f.strange)
            break;
        f.all[f.count].at = from + at;
        f.all[f.count++].kind = kind;
    }
    return f;
}

/* ---- encoded parts ---- */

/* What stands between two places: an empty line, which ends a header, or one that may be a boundary, which begins one. */
enum { EMPTY_LINE = 1, BOUNDARY = 2 };

static unsigned between(struct str raw, size_t from, size_t to)
{
    struct str before = str_upto(raw, to);
    unsigned found = 0;
    size_t lf;

    for (; found != (EMPTY_LINE | BOUNDARY) && str_find_char(str_from(before, from), '\n', &lf);) {
        struct str line = str_from(raw, from += lf + 1);

        if (str_starts(line, S("\n")) || str_starts(line, S("\r\n")))
            found |= EMPTY_LINE;
        if (str_starts(line, S("--")))
            found |= BOUNDARY;
    }
    return found;
}

/* One field more of the lines around an encoding. False: it may be of a text. */
static bool take_type(const struct fields *f, size_t i, unsigned parted, bool *sure)
{
    size_t at = f->all[i].at;

    *sure |= f->all[i].kind == OTHER_TYPE && !parted && (at == 0 || f->raw.p[at - 1] == '\n');
    return f->all[i].kind != TEXT_TYPE;
}

/* Of the types in the lines around it, up to empty ones, the first that is in the header counts. So all of them have to be
 * of no text, and one sure to be in the header: with no line between the two where another could begin. */
static bool is_of_no_text(const struct fields *f, const unsigned *parted, size_t encoded)
{
    bool sure = false;
    unsigned p = 0;

    for (size_t i = encoded; i-- > 0 && !((p |= parted[i]) & EMPTY_LINE);)
        if (!take_type(f, i, p, &sure))
            return false;
    p = 0;
    for (size_t i = encoded; i + 1 < f->count && !((p |= parted[i]) & EMPTY_LINE); i++)
        if (!take_type(f, i + 1, p, &sure))
            return false;
    return sure;
}

static bool has_encoded_text(const struct fields *f)
{
    unsigned parted[FIELDS_MOST]; /* each from the next; found out when it is asked for */
    bool asked = false;

    for (size_t i = 0; i < f->count; i++) {
        if (f->all[i].kind != ENCODED)
            continue;
        for (size_t k = 0; !asked && k + 1 < f->count; k++)
            parted[k] = between(f->raw, f->all[k].at, f->all[k + 1].at);
        asked = true;
        if (!is_of_no_text(f, parted, i))
            return true;
    }
    return false;
}

/* ---- markup ---- */

/* The bytes before `at` begin the word. */
static bool is_begun(struct str raw, size_t at, struct str word)
{
    for (size_t n = 1; n < word.n && n <= at; n++)
        if (to_upper(raw.p[at - 1]) == word.p[n - 1] &&
            str_same_nocase((struct str){raw.p + at - n, n}, str_upto(word, n)))
            return true;
    return false;
}

/* Behind "&": what may be a reference, unless to one of those characters that are no letters and digits. */
static bool is_strange_reference(struct str s)
{
    static const struct str plain[] = {S("nbsp"), S("amp"),  S("lt"),  S("gt"),
                                       S("quot"), S("apos"), S("#39"), S("#160")};
    size_t n = 0;

    while (n < s.n && (is_alnum(s.p[n]) || s.p[n] == '#'))
        n++;
    if (n == s.n || s.p[n] != ';')
        return false;
    for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++)
        if (str_same(str_upto(s, n), plain[i]))
            return false;
    return true;
}

static bool is_parted_by(struct str raw, char mark, struct str word)
{
    size_t from = 0, n;

    for (; str_find_char(str_from(raw, from), mark, &n); from += n + 1)
        if (is_begun(raw, from + n, word) ||
            (mark == '&' && is_strange_reference(str_from(raw, from + n + 1))))
            return true;
    return false;
}

bool glance(struct str raw, const struct unfolded *word, unsigned what)
{
    struct fields f;
    size_t at;

    if (!is_ascii(raw) || find_unfolded(raw, word, &at))
        return true;
    f = find_fields(raw);
    if (f.strange || has_encoded_text(&f))
        return true;
    if ((f.inside || what & (TEXT_HEADER | TEXT_PARTS)) && find_bytes(raw, S("=?"), &at))
        return true;
    return f.html && (is_parted_by(raw, '<', word->needle) || is_parted_by(raw, '&', word->needle));
}
