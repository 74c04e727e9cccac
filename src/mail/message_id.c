/* msg-id = "<" id-left "@" id-right ">", read loosely: what programs put there is often no address at all. */
#include "mail/message_id.h"

/* From "<" on: the length of a msg-id, or 0. */
static size_t id_length(struct str in)
{
    for (size_t n = 1; n < in.n && n < MESSAGE_ID_MAX; n++) {
        if (in.p[n] == '>')
            return n > 1 ? n + 1 : 0;
        if ((unsigned char)in.p[n] <= ' ' || in.p[n] == '<')
            return 0;
    }
    return 0;
}

bool take_message_id(struct str *in, struct str *out)
{
    struct str s = *in;
    size_t at, n;

    while (str_find_char(s, '<', &at)) {
        s = str_from(s, at);
        n = id_length(s);
        if (n) {
            *out = str_upto(s, n);
            *in = str_from(s, n);
            return true;
        }
        s = str_from(s, 1);
    }
    return false;
}

void message_id_write(struct buf *out, struct str unique, struct str host)
{
    buf_add_char(out, '<');
    buf_add(out, unique);
    buf_add_char(out, '@');
    buf_add(out, host);
    buf_add_char(out, '>');
}
