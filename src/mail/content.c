/* content := "Content-Type" ":" type "/" subtype *(";" parameter)   RFC 2045 §5.1 */
#include "mail/content.h"

bool parse_content_type(struct str in, struct content_type *out)
{
    struct content_type t;

    skip_cfws(&in);
    if (!take_mime_token(&in, &t.type))
        return false;
    skip_cfws(&in);
    if (!take_char(&in, '/'))
        return false;
    skip_cfws(&in);
    if (!take_mime_token(&in, &t.subtype))
        return false;
    t.params = in;
    *out = t;
    return true;
}

bool parse_content_token(struct str in, struct str *token, struct str *params)
{
    skip_cfws(&in);
    if (!take_mime_token(&in, token))
        return false;
    *params = in;
    return true;
}

/* An unquoted value runs to the next ";" or white space: programs leave out the quotes that "/" or "=" would need,
 * Lotus Notes for boundaries among them. */
static void take_bare_value(struct str *in, struct buf *value)
{
    size_t n = 0;

    while (n < in->n && (unsigned char)in->p[n] > ' ' && in->p[n] != ';')
        n++;
    buf_add(value, str_upto(*in, n));
    *in = str_from(*in, n);
}

/* parameter := attribute "=" value */
static bool parse_param(struct str *in, struct str *name, struct buf *value)
{
    struct str s = *in;

    buf_clear(value);
    skip_cfws(&s);
    if (!take_mime_token(&s, name))
        return false;
    skip_cfws(&s);
    if (!take_char(&s, '='))
        return false;
    skip_cfws(&s);
    if (!take_quoted(&s, value))
        take_bare_value(&s, value);
    *in = s;
    return true;
}

/* To behind the next ";" that stands in no quotes and no comment. */
static bool skip_to_param(struct str *in)
{
    struct buf ignored = buf_make(0);

    while (in->n) {
        if (take_char(in, ';'))
            return true;
        if (!take_comment(in, NULL) && !take_quoted(in, &ignored))
            *in = str_from(*in, 1);
    }
    return false;
}

bool take_param(struct str *in, struct str *name, struct buf *value)
{
    while (skip_to_param(in))
        if (parse_param(in, name, value))
            return true;
    return false;
}

bool find_param(struct str params, struct str name, struct buf *value)
{
    struct str n;

    while (take_param(&params, &n, value))
        if (str_same_nocase(n, name))
            return true;
    buf_clear(value);
    return false;
}

bool is_content_type(const struct content_type *t, struct str type, struct str subtype)
{
    return str_same_nocase(t->type, type) && (subtype.n == 0 || str_same_nocase(t->subtype, subtype));
}
