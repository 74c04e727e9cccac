/* Folding gives UTF-8, the same wherever a text is cut; the finder finds
 * what memmem() finds. The first line is the needle. */
#include "mail/casemap.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool find(struct buf *folded, struct str text, struct str needle, size_t step)
{
    struct buf room = buf_make(BUF_UNLIMITED);
    struct finder f = finder_make(needle);
    struct casemap c = {0};
    bool found = false;

    for (; text.n; text = str_from(text, step)) {
        struct str s = casemap_next(&c, str_upto(text, step), &room);

        buf_add(folded, s);
        found = finder_feed(&f, s);
    }
    buf_add(folded, casemap_end(&c, &room));
    found = finder_feed(&f, buf_str(&room));
    buf_free(&room);
    finder_free(&f);
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size}, first;
    struct buf needle = buf_make(BUF_UNLIMITED), whole = buf_make(BUF_UNLIMITED),
               cut = buf_make(BUF_UNLIMITED);
    bool found;

    if (!take_until(&in, '\n', &first))
        return 0;
    casemap(&needle, first);
    casemap(&whole, in);
    found = find(&cut, in, buf_str(&needle), 1 + size % 50);
    assert(is_utf8(buf_str(&whole)) && str_same(buf_str(&whole), buf_str(&cut)));
    assert(found == (needle.n == 0 || (whole.n && memmem(whole.p, whole.n, needle.p, needle.n))));
    buf_free(&needle);
    buf_free(&whole);
    buf_free(&cut);
    return 0;
}
