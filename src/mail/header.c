/* Lines are found with memchr; a field goes on while the next line begins with white space. */
#include "mail/header.h"

/* The length of the first line of `in`, its line end included. */
static size_t line_length(struct str in)
{
    size_t lf;

    return str_find_char(in, '\n', &lf) ? lf + 1 : in.n;
}

static struct str without_line_end(struct str s)
{
    if (s.n && s.p[s.n - 1] == '\n')
        s.n--;
    if (s.n && s.p[s.n - 1] == '\r')
        s.n--;
    return s;
}

static bool at_empty_line(struct str in)
{
    return str_starts(in, S("\n")) || str_starts(in, S("\r\n"));
}

/* ftext = %d33-57 / %d59-126 (RFC 5322 §3.6.8); RFC 6532 does not widen it. White space before the colon is of
 * obsolete syntax (§4.5). */
static void divide(struct header_field *f)
{
    struct str s = without_line_end(f->whole);
    size_t n = 0, colon;

    f->name = STR_NONE;
    f->body = s;
    while (n < s.n && s.p[n] > ' ' && s.p[n] < 0x7f && s.p[n] != ':')
        n++;
    for (colon = n; colon < s.n && is_wsp(s.p[colon]);)
        colon++;
    if (n == 0 || colon == s.n || s.p[colon] != ':')
        return;
    f->name = str_upto(s, n);
    f->body = str_from(s, colon + 1);
}

bool take_header_field(struct str *in, struct header_field *out)
{
    size_t n;

    if (in->n == 0 || at_empty_line(*in))
        return false;
    n = line_length(*in);
    while (n < in->n && is_wsp(in->p[n]))
        n += line_length(str_from(*in, n));
    out->whole = str_upto(*in, n);
    divide(out);
    *in = str_from(*in, n);
    return true;
}

size_t header_length(struct str message)
{
    struct str rest = message;

    while (rest.n && !at_empty_line(rest))
        rest = str_from(rest, line_length(rest));
    return message.n - rest.n + (rest.n ? line_length(rest) : 0);
}

bool find_header_field(struct str header, struct str name, struct header_field *out)
{
    struct header_field f;

    while (take_header_field(&header, &f))
        if (str_same_nocase(f.name, name)) {
            *out = f;
            return true;
        }
    return false;
}

size_t count_header_fields(struct str header, struct str name)
{
    struct header_field f;
    size_t n = 0;

    while (take_header_field(&header, &f))
        n += str_same_nocase(f.name, name);
    return n;
}

/* Most names differ in this already. */
static bool may_be(struct str name, struct str wanted)
{
    return name.n == wanted.n && name.n && ((name.p[0] ^ wanted.p[0]) & ~0x20) == 0;
}

void find_header_fields(struct str header, const struct str *names, size_t count,
                        struct header_found *out)
{
    struct header_field f;

    memset(out, 0, count * sizeof(*out));
    while (take_header_field(&header, &f))
        for (size_t i = 0; i < count; i++)
            if (may_be(f.name, names[i]) && str_same_nocase(f.name, names[i]) && out[i].count++ == 0)
                out[i].body = f.body;
}

static bool is_space(char c)
{
    return is_wsp(c) || c == '\r' || c == '\n' || c == '\0';
}

void header_unfold(struct buf *out, struct str body)
{
    while (body.n && is_space(body.p[0]))
        body = str_from(body, 1);
    while (body.n && is_space(body.p[body.n - 1]))
        body.n--;
    while (body.n) {
        size_t n = 0;

        while (n < body.n && body.p[n] != '\n' && body.p[n] != '\r' && body.p[n] != '\0')
            n++;
        buf_add(out, str_upto(body, n));
        body = str_from(body, n);
        if (body.n && body.p[0] != '\n' && !(body.p[0] == '\r' && body.n > 1 && body.p[1] == '\n'))
            buf_add_char(out, ' ');
        body = str_from(body, 1);
    }
}
