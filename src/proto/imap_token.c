/* One table of character classes, and the rules above it. */
#include "proto/imap_token.h"

#include "base/codec.h"

struct imap_parse imap_parse_make(struct arena *arena, bool utf8_names)
{
    return (struct imap_parse){.arena = arena, .utf8_names = utf8_names};
}

bool imap_no(struct imap_parse *p, const char *code, const char *why)
{
    if (!p->why) {
        p->why = why;
        p->code = code;
    }
    return false;
}

bool imap_bad(struct imap_parse *p, const char *why)
{
    return imap_no(p, NULL, why);
}

/* ---- characters ---- */

#define ATOM 1    /* ATOM-CHAR = <any CHAR except atom-specials> */
#define ASTRING 2 /* ASTRING-CHAR = ATOM-CHAR / resp-specials */
#define LIST 4    /* list-char = ATOM-CHAR / list-wildcards / resp-specials */

static unsigned char class_of(char c)
{
    if (c <= ' ' || c >= 0x7f) /* char is signed where we build; bytes beyond 127 are no CHAR */
        return 0;
    switch (c) {
    case '(':
    case ')':
    case '{':
    case '"':
    case '\\':
        return 0;
    case '%':
    case '*':
        return LIST;
    case ']':
        return ASTRING | LIST;
    default:
        return ATOM | ASTRING | LIST;
    }
}

bool is_imap_atom_char(char c)
{
    return class_of(c) & ATOM;
}

bool is_imap_astring_char(char c)
{
    return class_of(c) & ASTRING;
}

static bool take_class(struct str *in, unsigned char class, struct str *out)
{
    size_t n = 0;

    while (n < in->n && (class_of(in->p[n]) & class))
        n++;
    if (n == 0)
        return false;
    *out = str_upto(*in, n);
    *in = str_from(*in, n);
    return true;
}

bool take_imap_tag(struct str *in, struct str *out)
{
    size_t n = 0;

    while (n < in->n && is_imap_astring_char(in->p[n]) && in->p[n] != '+')
        n++;
    if (n == 0)
        return false;
    *out = str_upto(*in, n);
    *in = str_from(*in, n);
    return true;
}

bool take_imap_sp(struct str *in)
{
    return take_char(in, ' ');
}

/* ---- words ---- */

bool take_imap_atom(struct str *in, struct str *out)
{
    return take_class(in, ATOM, out);
}

bool take_imap_word(struct str *in, struct str word)
{
    struct str s = *in;

    if (!take_text_nocase(&s, word) || (s.n && is_imap_atom_char(s.p[0])))
        return false;
    *in = s;
    return true;
}

bool take_imap_word_of(struct str *in, const struct imap_word *words, unsigned *value)
{
    struct str s = *in, atom;

    if (!take_imap_atom(&s, &atom))
        return false;
    for (; words->word; words++)
        if (str_same_nocase(atom, str_from_c(words->word))) {
            *value = words->value;
            *in = s;
            return true;
        }
    return false;
}

bool take_imap_nil(struct str *in)
{
    return take_imap_word(in, S("NIL"));
}

/* ---- strings ---- */

static struct str without_backslashes(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.n);
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\')
            i++;
        p[n++] = s.p[i];
    }
    return (struct str){p, n};
}

/* quoted = DQUOTE *QUOTED-CHAR DQUOTE */
static bool take_quoted(struct imap_parse *p, struct str *in, struct str *out)
{
    struct str s = *in, inside;
    bool escaped = false;
    size_t n = 0;

    if (!take_char(&s, '"'))
        return false;
    for (; n < s.n && s.p[n] != '"'; n++) {
        if (s.p[n] == '\r' || s.p[n] == '\n' || s.p[n] == '\0')
            return imap_bad(p, "a quoted string holds no line end and no NUL");
        if (s.p[n] != '\\')
            continue;
        escaped = true;
        if (++n == s.n || (s.p[n] != '"' && s.p[n] != '\\'))
            return imap_bad(p, "in a quoted string a backslash stands before \" or \\ only");
    }
    if (n == s.n)
        return imap_bad(p, "a quoted string has no end");
    inside = str_upto(s, n);
    if (!is_utf8(inside))
        return imap_bad(p, "a quoted string is not valid UTF-8");
    *out = escaped ? without_backslashes(p->arena, inside) : inside;
    *in = str_from(s, n + 1);
    return true;
}

/* "{" number64 ["+"] "}" CRLF, and so many bytes */
static bool take_literal_bytes(struct str *in, struct str *out)
{
    struct str s = *in;
    uint64_t n;

    if (!take_char(&s, '{') || !take_u64(&s, &n))
        return false;
    take_char(&s, '+');
    if (!take_text(&s, S("}\r\n")) || n > s.n)
        return false;
    *out = str_upto(s, (size_t)n);
    *in = str_from(s, (size_t)n);
    return true;
}

static bool take_literal(struct imap_parse *p, struct str *in, struct str *out)
{
    struct str s = *in, bytes;
    size_t at;

    if (!take_literal_bytes(&s, &bytes))
        return false;
    if (str_find_char(bytes, '\0', &at))
        return imap_bad(p, "a literal holds no NUL");
    *out = bytes;
    *in = s;
    return true;
}

bool take_imap_literal8(struct imap_parse *p, struct str *in, struct str *out)
{
    struct str s = *in;

    (void)p;
    if (!take_char(&s, '~') || !take_literal_bytes(&s, out))
        return false;
    *in = s;
    return true;
}

bool take_imap_string(struct imap_parse *p, struct str *in, struct str *out)
{
    struct str s = *in;

    if (take_quoted(p, in, out) || take_literal(p, in, out))
        return true;
    if (!take_char(&s, '*') || !take_quoted(p, &s, out)) /* RFC 5738, which RFC 6855 replaces */
        return false;
    *in = s;
    return true;
}

bool take_imap_astring(struct imap_parse *p, struct str *in, struct str *out)
{
    return take_class(in, ASTRING, out) || take_imap_string(p, in, out);
}

bool take_imap_nstring(struct imap_parse *p, struct str *in, struct str *out)
{
    if (!take_imap_nil(in))
        return take_imap_string(p, in, out);
    *out = STR_NONE;
    return true;
}

bool take_imap_list_mailbox(struct imap_parse *p, struct str *in, struct str *out)
{
    struct str s = *in;

    if (take_char(&s, '*') && s.n && s.p[0] == '"') /* the obsolete form again, not a wildcard */
        return take_imap_string(p, in, out);
    return take_class(in, LIST, out) || take_imap_string(p, in, out);
}

static bool may_be_charset(struct str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!is_printable(name.p[i]))
            return false;
    return name.n > 0 && name.n <= IMAP_CHARSET_MAX;
}

bool take_imap_charset(struct imap_parse *p, struct str *in, struct str *out)
{
    struct str s = *in, name;

    if (!take_imap_astring(p, &s, &name))
        return false;
    if (!may_be_charset(name))
        return imap_no(p, "BADCHARSET", "this charset is not known here");
    *in = s;
    *out = name;
    return true;
}

/* ---- several of a kind ---- */

bool take_imap_several(struct imap_parse *p, struct str *in, imap_take_fn *take, size_t max,
                       const struct str **out, size_t *count)
{
    struct link {
        struct link *next;
        struct str one;
    } *first = NULL, **last = &first;
    struct str s = *in, *all;
    size_t n = 0;

    do {
        struct link *link = arena_alloc(p->arena, sizeof(*link));

        if (!take(p, &s, &link->one))
            return false;
        if (n++ == max)
            return imap_no(p, "LIMIT", "a list in this command is too long");
        *last = link;
        last = &link->next;
    } while (s.n > 1 && s.p[1] != ' ' && take_imap_sp(&s));
    all = arena_array(p->arena, struct str, n);
    for (size_t i = 0; i < n; i++, first = first->next)
        all[i] = first->one;
    *in = s;
    *out = all;
    *count = n;
    return true;
}

/* ---- marks of what went past: NUL, kind, index, size ---- */

#define BULK_MARK_SIZE 14

void imap_bulk_write(struct buf *out, const struct imap_bulk *bulk)
{
    char mark[BULK_MARK_SIZE] = {'\0', bulk->is_literal8 ? '8' : 'B'};

    memcpy(mark + 2, &bulk->index, 4);
    memcpy(mark + 6, &bulk->size, 8);
    buf_add(out, (struct str){mark, sizeof(mark)});
}

bool take_imap_bulk(struct str *in, struct imap_bulk *out)
{
    if (in->n < BULK_MARK_SIZE || in->p[0] != '\0')
        return false;
    out->is_literal8 = in->p[1] == '8';
    memcpy(&out->index, in->p + 2, 4);
    memcpy(&out->size, in->p + 6, 8);
    *in = str_from(*in, BULK_MARK_SIZE);
    return true;
}

/* ---- numbers ---- */

static bool take_number_upto(struct str *in, uint64_t least, uint64_t most, uint64_t *out)
{
    struct str s = *in;
    uint64_t v;

    if (!take_u64(&s, &v) || v < least || v > most)
        return false;
    if (least && in->p[0] == '0') /* nz-number = digit-nz *DIGIT */
        return false;
    *in = s;
    *out = v;
    return true;
}

bool take_imap_number(struct str *in, uint32_t *out)
{
    uint64_t v;

    if (!take_number_upto(in, 0, UINT32_MAX, &v))
        return false;
    *out = (uint32_t)v;
    return true;
}

bool take_imap_nz_number(struct str *in, uint32_t *out)
{
    uint64_t v;

    if (!take_number_upto(in, 1, UINT32_MAX, &v))
        return false;
    *out = (uint32_t)v;
    return true;
}

bool take_imap_number64(struct str *in, uint64_t *out)
{
    return take_number_upto(in, 0, INT64_MAX, out);
}

bool take_imap_nz_number64(struct str *in, uint64_t *out)
{
    return take_number_upto(in, 1, INT64_MAX, out);
}

/* ---- base 64 ---- */

bool take_imap_base64(struct imap_parse *p, struct str *in, struct str *out)
{
    size_t n = 0;
    struct buf b = buf_make(in->n);
    bool ok;

    while (n < in->n && in->p[n] != ' ')
        n++;
    ok = n && (str_same(str_upto(*in, n), S("=")) || base64_decode(&b, str_upto(*in, n)));
    if (ok) {
        *out = str_copy(p->arena, buf_str(&b));
        *in = str_from(*in, n);
    }
    buf_free(&b);
    return ok || imap_bad(p, "the base 64 is not valid");
}
