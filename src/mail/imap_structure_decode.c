/* Strings are gone over one after the other, for what is inside a literal must not be taken for one. Most structures hold
 * nothing to decode, and are not gone over at all. */
#include "mail/imap_structure.h"

#include "mail/params.h"
#include "proto/imap_write.h"

/* A string without escapes, and how it is written. */
struct string {
    struct str whole, content;
};

static bool take_quoted_string(struct str *in, struct string *out)
{
    size_t n = 1;

    while (n < in->n && in->p[n] != '"')
        n += in->p[n] == '\\' ? 2 : 1;
    if (n >= in->n)
        return false;
    out->content = str_from(str_upto(*in, n), 1);
    out->whole = str_upto(*in, n + 1);
    *in = str_from(*in, n + 1);
    return true;
}

static bool take_literal(struct str *in, struct string *out)
{
    struct str s = *in;
    uint64_t n;

    if (!take_char(&s, '{') || !take_u64(&s, &n) || !take_text(&s, S("}\r\n")) || n > s.n)
        return false;
    out->content = str_upto(s, (size_t)n);
    s = str_from(s, (size_t)n);
    out->whole = str_upto(*in, in->n - s.n);
    *in = s;
    return true;
}

static bool take_string(struct str *in, struct string *out)
{
    return in->p[0] == '"' ? take_quoted_string(in, out) : in->p[0] == '{' && take_literal(in, out);
}

static void write_decoded(struct buf *out, struct str value)
{
    struct buf text = buf_make(value.n);

    percent_decode(&text, str_from(value, sizeof(PARAM_UTF8) - 1));
    imap_string_write_as(out, buf_str(&text), true);
    buf_free(&text);
}

static bool is_extended_name(struct str s)
{
    return s.n && s.p[s.n - 1] == '*';
}

void imap_structure_decode(struct buf *out, struct str structure)
{
    struct str before = STR_NONE; /* the string before this one, if only a space lies between */
    struct string s;
    size_t at;

    if (!str_find(structure, S(PARAM_UTF8), &at)) {
        buf_add(out, structure);
        return;
    }
    while (structure.n) {
        if (!take_string(&structure, &s)) {
            if (structure.p[0] != ' ')
                before = STR_NONE;
            buf_add_char(out, structure.p[0]);
            structure = str_from(structure, 1);
            continue;
        }
        if (is_extended_name(before) && str_starts(s.content, S(PARAM_UTF8)))
            write_decoded(out, s.content);
        else
            buf_add(out, s.whole);
        before = s.content;
    }
}
