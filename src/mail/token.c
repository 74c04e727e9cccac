/* Nothing here can fail for good: what is broken is read as far as it makes sense. */
#include "mail/token.h"

static bool is_space(char c)
{
    return is_wsp(c) || c == '\r' || c == '\n';
}

bool take_comment(struct str *in, struct buf *out)
{
    size_t depth = 1, i;

    if (in->n == 0 || in->p[0] != '(')
        return false;
    for (i = 1; i < in->n && depth; i++) {
        char c = in->p[i];

        depth += c == '(';
        depth -= c == ')';
        if (c == '\\' && i + 1 < in->n)
            c = in->p[++i];
        if (depth && out && c != '\r' && c != '\n')
            buf_add_char(out, c);
    }
    *in = str_from(*in, i);
    return true;
}

void skip_cfws(struct str *in)
{
    do
        while (in->n && is_space(in->p[0]))
            *in = str_from(*in, 1);
    while (take_comment(in, NULL));
}

bool take_quoted(struct str *in, struct buf *out)
{
    size_t i;

    if (in->n == 0 || in->p[0] != '"')
        return false;
    for (i = 1; i < in->n && in->p[i] != '"'; i++) {
        if (in->p[i] == '\\' && i + 1 < in->n)
            i++;
        if (in->p[i] != '\r' && in->p[i] != '\n')
            buf_add_char(out, in->p[i]);
    }
    *in = str_from(*in, i + 1);
    return true;
}

static bool is_mime_token(char c)
{
    return (unsigned char)c > ' ' && c != 0x7f && !strchr("()<>@,;:\\\"/[]?=", c);
}

bool take_mime_token(struct str *in, struct str *out)
{
    size_t n = 0;

    while (n < in->n && is_mime_token(in->p[n]))
        n++;
    if (n == 0)
        return false;
    *out = str_upto(*in, n);
    *in = str_from(*in, n);
    return true;
}
