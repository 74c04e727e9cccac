/* All pieces first, then what they make up: each piece is compared with all others, of which there are not many. */
#include "mail/params.h"

#include "base/arena.h"
#include "mail/charset.h"

#include <stdlib.h>

#define NO_SECTION (-1)

/* parameter := regular-parameter / extended-parameter   RFC 2231 §7 */
struct piece {
    struct str whole, name; /* "title*0*" and "title" */
    int section;
    bool extended, used;
    size_t at, n; /* its value, in the text */
};

/* *DIGIT, without leading zeros; three are enough. */
static bool parse_section(struct str s, int *out)
{
    uint64_t v;

    if (s.n == 0 || s.n > 3 || (s.n > 1 && s.p[0] == '0') || !parse_u64(s, &v))
        return false;
    *out = (int)v;
    return true;
}

static void read_name(struct piece *p)
{
    struct str rest, name = p->whole;
    size_t star;

    p->name = p->whole;
    p->section = NO_SECTION;
    if (!str_find_char(name, '*', &star) || star == 0)
        return;
    rest = str_from(name, star + 1);
    p->extended = rest.n == 0 || rest.p[rest.n - 1] == '*';
    if (rest.n && p->extended)
        rest.n--;
    if ((rest.n || str_from(name, star + 1).n) && !parse_section(rest, &p->section))
        p->extended = false; /* "a*b" is a name like others */
    else
        p->name = str_upto(name, star);
}

static size_t most_pieces(struct str text)
{
    return text.n / 3 < PARAM_PIECES_MAX ? text.n / 3 + 1
                                         : PARAM_PIECES_MAX; /* ";a=" is the shortest */
}

static size_t read_pieces(struct str text, struct piece *pieces, struct buf *values)
{
    struct buf value = buf_make(BUF_UNLIMITED); /* by the field */
    struct str name;
    size_t n = 0, most = most_pieces(text);

    while (n < most && take_param(&text, &name, &value)) {
        pieces[n] = (struct piece){.whole = name, .at = values->n, .n = value.n};
        read_name(&pieces[n++]);
        buf_add(values, buf_str(&value));
    }
    buf_free(&value);
    return n;
}

static struct piece *find_section(struct piece *pieces, size_t n, struct str name, int section)
{
    for (size_t i = 0; i < n; i++)
        if (pieces[i].section == section && !pieces[i].used && str_same_nocase(pieces[i].name, name))
            return &pieces[i];
    return NULL;
}

void percent_decode(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        int high = s.p[i] == '%' && i + 2 < s.n ? hex_value(s.p[i + 1]) : -1;
        int low = high < 0 ? -1 : hex_value(s.p[i + 2]);

        if (low >= 0)
            i += 2;
        buf_add_char(out, low < 0 ? s.p[i] : (char)((unsigned)high << 4 | (unsigned)low));
    }
}

/* attribute-char (RFC 2231 §7), of which these are enough. */
void percent_encode(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (is_alnum(c) || c == '-' || c == '.' || c == '_')
            buf_add_char(out, c);
        else
            buf_printf(out, "%%%02X", (unsigned char)c);
    }
}

/* charset "'" language "'", in front of the first piece. */
static struct str take_charset(struct str *value)
{
    struct str s = *value, charset, language;

    if (!take_until(&s, '\'', &charset) || !take_until(&s, '\'', &language))
        return STR_NONE;
    *value = s;
    return charset;
}

/* The pieces that follow the first one, in order: their bytes. *charset: its name, if it is told. */
static bool gather(struct buf *text, struct piece *pieces, size_t n, struct piece *first,
                   struct buf *bytes, struct str *charset)
{
    bool extended = false;

    for (struct piece *p = first; p; p = find_section(pieces, n, first->name, p->section + 1)) {
        struct str value = {text->p + p->at, p->n};

        p->used = true;
        if (p == first && p->extended)
            *charset = take_charset(&value);
        extended = extended || p->extended;
        if (p->extended)
            percent_decode(bytes, value);
        else
            buf_add(bytes, value);
        if (p->section == NO_SECTION)
            break;
    }
    return extended;
}

/* The joined value is appended to the text, in which those of the pieces stand already. */
static void join(struct buf *text, struct piece *pieces, size_t n, struct piece *first,
                 struct param *out)
{
    struct buf bytes = buf_make(BUF_UNLIMITED), value = buf_make(BUF_UNLIMITED); /* by the field */
    struct str charset = STR_NONE;
    bool extended = gather(text, pieces, n, first, &bytes, &charset);

    if (!extended)
        buf_add(&value, buf_str(&bytes));
    else if (!charset_to_utf8(&value, charset, buf_str(&bytes)))
        charset_to_utf8(&value, S("utf-8"), buf_str(&bytes));
    buf_add(text, buf_str(&value));
    *out = (struct param){first->name, {NULL, value.n}, extended};
    buf_free(&bytes);
    buf_free(&value);
}

struct params params_read(struct str text)
{
    struct piece *pieces = must_alloc(most_pieces(text) * sizeof(*pieces));
    struct params p = {.text = buf_make(BUF_UNLIMITED)}; /* by the field */
    size_t n = read_pieces(text, pieces, &p.text), *places = must_alloc((n + 1) * sizeof(*places));

    p.items = must_alloc((n + 1) * sizeof(*p.items));
    for (size_t i = 0; i < n; i++) {
        struct piece *piece = &pieces[i];

        if (piece->used)
            continue;
        if (piece->section > 0) { /* its first one is missing, or comes later */
            if (find_section(pieces, n, piece->name, 0))
                continue;
            p.items[p.count] = (struct param){piece->whole, {NULL, piece->n}, false};
            places[p.count++] = piece->at;
        } else {
            places[p.count] = p.text.n;
            join(&p.text, pieces, n, piece, &p.items[p.count++]);
        }
    }
    for (size_t i = 0; i < p.count; i++)
        p.items[i].value.p = p.text.p + places[i];
    free(places);
    free(pieces);
    return p;
}

void params_free(struct params *p)
{
    free(p->items);
    buf_free(&p->text);
    *p = (struct params){.count = 0};
}
