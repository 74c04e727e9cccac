#include "control/address_list.h"

#include "mail/token.h"

/* A quoted string, quotes and all: it may be a local part. */
static void take_quoted_raw(struct str *in, struct buf *out)
{
    size_t i = 1;

    while (i < in->n && in->p[i] != '"')
        i += in->p[i] == '\\' && i + 1 < in->n ? 2 : 1;
    i = i < in->n ? i + 1 : in->n;
    buf_add(out, str_upto(*in, i));
    *in = str_from(*in, i);
}

/* What is inside of <…>: the phrase before it is forgotten. */
static void take_angle(struct str *in, struct buf *out)
{
    buf_clear(out);
    while (in->n && in->p[0] != '>') {
        skip_cfws(in);
        if (in->n && in->p[0] == '"') {
            take_quoted_raw(in, out);
        } else if (in->n && in->p[0] != '>') {
            buf_add_char(out, in->p[0]);
            *in = str_from(*in, 1);
        }
    }
    take_char(in, '>');
}

/* Up to the comma that ends this member of the list, or the end; a group's name and its semicolon are no member. */
static void take_member(struct str *in, struct buf *out)
{
    bool angle = false;

    for (skip_cfws(in); in->n; skip_cfws(in)) {
        char c = in->p[0];

        if (c == '"' && !angle) {
            take_quoted_raw(in, out);
            continue;
        }
        *in = str_from(*in, 1);
        if (c == ',' || c == ';')
            return;
        if (c == '<') {
            take_angle(in, out);
            angle = true;
        } else if (c == ':') {
            buf_clear(out);
        } else if (!angle) {
            buf_add_char(out, c);
        }
    }
}

bool take_listed_address(struct str *in, struct buf *out)
{
    struct buf member = buf_make(1024);

    while (in->n && member.n == 0)
        take_member(in, &member);
    buf_add(out, buf_str(&member));
    buf_free(&member);
    return out->n > 0;
}
