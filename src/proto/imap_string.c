/* quoted = DQUOTE *QUOTED-CHAR DQUOTE; literal = "{" number64 "}" CRLF *CHAR8   RFC 9051 §9 */
#include "proto/imap_string.h"

/* Lines of answers stay short enough for clients that read them into something fixed. */
#define QUOTED_MAX 1000

static bool is_quotable(struct str s, bool utf8)
{
    bool ascii = true;

    if (s.n > QUOTED_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] > 0x7f)
            ascii = false;
        else if (!is_printable(s.p[i]) && s.p[i] != '\t')
            return false;
    return ascii || (utf8 && is_utf8(s));
}

static void write_quoted(struct buf *out, struct str s)
{
    size_t n = 0;

    buf_add_char(out, '"');
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '"' || s.p[i] == '\\') {
            buf_add(out, str_from(str_upto(s, i), n));
            buf_add_char(out, '\\');
            n = i;
        }
    buf_add(out, str_from(s, n));
    buf_add_char(out, '"');
}

void imap_string_write_as(struct buf *out, struct str s, bool utf8)
{
    if (is_quotable(s, utf8)) {
        write_quoted(out, s);
        return;
    }
    buf_printf(out, "{%zu}\r\n", s.n);
    for (size_t i = 0; i < s.n; i++)
        buf_add_char(out, s.p[i] ? s.p[i] : ' ');
}

void imap_nstring_write_as(struct buf *out, struct str s, bool utf8)
{
    if (s.p)
        imap_string_write_as(out, s, utf8);
    else
        buf_add(out, S("NIL"));
}

void imap_string_write(struct buf *out, struct str s)
{
    imap_string_write_as(out, s, false);
}

void imap_nstring_write(struct buf *out, struct str s)
{
    imap_nstring_write_as(out, s, false);
}
