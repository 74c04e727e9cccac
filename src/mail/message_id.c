/* msg-id = "<" id-left "@" id-right ">", read loosely: what programs put there is often no address at all. */
#include "mail/message_id.h"

#include "base/hash.h"

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

/* Who makes two ids of one number gains what writing the other's id would give as well. */
uint64_t message_id_number(struct str id)
{
    uint64_t h = HASH_START;

    for (size_t i = 0; i < id.n; i++) {
        if (id.p[i] == '"')
            continue;
        if (id.p[i] == '\\' && i + 1 < id.n) /* quoted-pair: the character itself */
            i++;
        h = hash_step(h, id.p[i]);
    }
    h = hash_mix(h);
    return h ? h : 1;
}

void message_id_write(struct buf *out, struct str unique, struct str host)
{
    buf_add_char(out, '<');
    buf_add(out, unique);
    buf_add_char(out, '@');
    buf_add(out, host);
    buf_add_char(out, '>');
}
