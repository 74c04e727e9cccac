/* Any bytes in any charset become the same UTF-8, wherever they are cut. The first line names the charset. */
#include "mail/charset.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode(struct buf *out, const struct charset *set, struct str in, size_t step)
{
    struct charset_decoder d = charset_begin(set);
    struct buf room = buf_make(BUF_UNLIMITED);

    for (; in.n; in = str_from(in, step))
        buf_add(out, charset_decode(&d, str_upto(in, step), &room));
    buf_add(out, charset_end(&d, &room));
    buf_free(&room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size}, name;
    struct buf whole = buf_make(BUF_UNLIMITED), cut = buf_make(BUF_UNLIMITED);
    const struct charset *set;

    if (!take_until(&in, '\n', &name) || !(set = charset_find(name)))
        return 0;
    decode(&whole, set, in, in.n ? in.n : 1);
    decode(&cut, set, in, 1 + in.n % 5);
    assert(is_utf8(buf_str(&whole)) && str_same(buf_str(&whole), buf_str(&cut)));
    buf_free(&whole);
    buf_free(&cut);
    return 0;
}
