/* A step function for each way of encoding; here is what carries it over pieces that are cut anywhere, and what takes one
 * byte a character. Text that is ASCII or good UTF-8 is given back without a copy. */
#include "mail/charset.h"

#include "mail/charset_step.h"

/* Each byte becomes three at most, and a step may write 8. */
#define GROWTH 3
#define SPARE (CHARSET_CUT_MAX * GROWTH + 8)
#define AT_ONCE (16 * 1024) /* for charset_to_utf8() */

static size_t utf8_step(struct charset_decoder *d, const unsigned char *p, size_t n, char **out)
{
    struct str in = {(const char *)p, n};
    size_t length = utf8_character_length(in);

    (void)d;
    if (length) {
        memcpy(*out, p, length);
        *out += length;
        return length;
    }
    length = utf8_broken_length(in);
    if (length)
        charset_put(out, UTF8_REPLACEMENT);
    return length;
}

static size_t table_step(struct charset_decoder *d, const unsigned char *p, size_t n, char **out)
{
    (void)n;
    charset_put(out, p[0] < 0x80 ? p[0] : charset_found(d->set->table[p[0] - 0x80]));
    return 1;
}

static const struct charset charsets[] = {
#define CHARSET(name, step, table, flags, names) {name, step, table, flags, names},
#include "mail/charsets.def"
#undef CHARSET
};

#define NAME_MAX_LENGTH 50

/* As names are compared: in lower case, without what people spell differently. */
static struct str simplify(struct str name, char room[NAME_MAX_LENGTH])
{
    size_t n = 0;

    for (size_t i = 0; i < name.n; i++) {
        char c = to_lower(name.p[i]);

        if (c == '-' || c == '_' || c == ':' || c == ' ' || c == '.')
            continue;
        if (n == NAME_MAX_LENGTH)
            return STR_NONE;
        room[n++] = c;
    }
    return (struct str){room, n};
}

static bool is_named(const struct charset *set, struct str name)
{
    struct str names = str_from_c(set->names), one;
    char room[NAME_MAX_LENGTH];

    if (str_same(simplify(str_from_c(set->name), room), name))
        return true;
    while (names.n) {
        if (!take_until(&names, ' ', &one)) {
            one = names;
            names = STR_NONE;
        }
        if (str_same(one, name))
            return true;
    }
    return false;
}

const struct charset *charset_find(struct str name)
{
    char room[NAME_MAX_LENGTH];
    struct str simple = simplify(name.n ? name : S("us-ascii"), room);

    for (size_t i = 0; i < sizeof(charsets) / sizeof(*charsets); i++)
        if (is_named(&charsets[i], simple))
            return &charsets[i];
    return NULL;
}

const struct charset *charset_at(size_t n)
{
    return n < sizeof(charsets) / sizeof(*charsets) ? &charsets[n] : NULL;
}

struct str charset_name(const struct charset *set)
{
    return str_from_c(set->name);
}

bool charset_keeps_ascii(const struct charset *set)
{
    return set->flags & ASCII_INSIDE;
}

struct charset_decoder charset_begin(const struct charset *set)
{
    return (struct charset_decoder){.set = set};
}

/* Nothing has to be done to a piece that is text already. */
static bool is_text(const struct charset_decoder *d, struct str piece)
{
    if (d->cut_n || !(d->set->flags & ASCII_INSIDE))
        return false;
    return d->set->step == utf8_step ? is_utf8(piece) : is_ascii(piece);
}

static void drop_cut(struct charset_decoder *d, size_t n)
{
    d->cut_n -= (unsigned char)n;
    memmove(d->cut, d->cut + n, d->cut_n);
}

/* The character that was cut off, byte by byte until it is whole. */
static void finish_cut(struct charset_decoder *d, struct str *piece, char **out)
{
    while (d->cut_n && piece->n) {
        size_t n;

        d->cut[d->cut_n++] = (unsigned char)piece->p[0];
        *piece = str_from(*piece, 1);
        while (d->cut_n && (n = d->set->step(d, d->cut, d->cut_n, out)) > 0)
            drop_cut(d, n);
    }
}

struct str charset_decode(struct charset_decoder *d, struct str piece, struct buf *room)
{
    char *begin, *out;

    if (is_text(d, piece))
        return piece;
    buf_clear(room);
    begin = out = buf_reserve(room, piece.n * GROWTH + SPARE);
    if (!begin)
        return STR_NONE;
    finish_cut(d, &piece, &out);
    while (piece.n) {
        size_t n = piece.p[0] >= 0 && (d->set->flags & ASCII_INSIDE) ? ascii_length(piece) : 0;

        if (n) {
            memcpy(out, piece.p, n);
            out += n;
        } else {
            n = d->set->step(d, (const unsigned char *)piece.p, piece.n, &out);
        }
        if (n == 0) {
            memcpy(d->cut, piece.p, piece.n);
            d->cut_n = (unsigned char)piece.n;
            break;
        }
        piece = str_from(piece, n);
    }
    buf_grew(room, (size_t)(out - begin));
    return buf_str(room);
}

struct str charset_end(struct charset_decoder *d, struct buf *room)
{
    char rest[4], *out = rest;

    if (d->cut_n)
        charset_put(&out, UTF8_REPLACEMENT);
    else if (d->set->step == utf7_step)
        utf7_leave(d, &out);
    buf_clear(room);
    buf_add(room, (struct str){rest, (size_t)(out - rest)});
    *d = charset_begin(d->set);
    return buf_str(room);
}

bool charset_to_utf8(struct buf *out, struct str charset, struct str bytes)
{
    const struct charset *set = charset_find(charset);
    struct charset_decoder d = charset_begin(set);
    struct buf room = buf_make(BUF_UNLIMITED); /* by AT_ONCE */

    if (!set)
        return false;
    for (; bytes.n; bytes = str_from(bytes, AT_ONCE))
        buf_add(out, charset_decode(&d, str_upto(bytes, AT_ONCE), &room));
    buf_add(out, charset_end(&d, &room));
    buf_free(&room);
    return true;
}
