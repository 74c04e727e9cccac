/* quoted = DQUOTE *QUOTED-CHAR DQUOTE; literal = "{" number64 "}" CRLF *CHAR8   RFC 9051 §9 */
#include "proto/imap_string.h"

/* Lines of answers stay short enough for clients that read them into something fixed. */
#define QUOTED_MAX 1000

static bool is_quotable(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_printable(s.p[i]) && s.p[i] != '\t')
            return false;
    return s.n <= QUOTED_MAX;
}

static void write_quoted(struct buf *out, struct str s)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            buf_add_char(out, '\\');
        buf_add_char(out, s.p[i]);
    }
    buf_add_char(out, '"');
}

void imap_string_write(struct buf *out, struct str s)
{
    if (is_quotable(s)) {
        write_quoted(out, s);
        return;
    }
    buf_printf(out, "{%zu}\r\n", s.n);
    for (size_t i = 0; i < s.n; i++)
        buf_add_char(out, s.p[i] ? s.p[i] : ' ');
}

void imap_nstring_write(struct buf *out, struct str s)
{
    if (s.p)
        imap_string_write(out, s);
    else
        buf_add(out, S("NIL"));
}
