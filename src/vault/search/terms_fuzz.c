/* Whatever is looked for, and whatever stands around it: the index names the message. The first byte says how long the text
 * that is looked for is; it stands in the middle of the rest. */
#include "base/arena.h"
#include "mail/casemap.h"
#include "vault/search/index.h"
#include "vault/search/terms.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size}, needle, around;
    struct buf folded = buf_make(BUF_UNLIMITED), text = buf_make(BUF_UNLIMITED),
               terms = buf_make(BUF_UNLIMITED);
    struct cx cx = {.arena = arena_new(0)};
    struct index *x;

    if (size) {
        needle = str_upto(str_from(in, 1), data[0]);
        around = str_from(in, 1 + needle.n);
        casemap(&folded, needle);
        casemap(&text, str_upto(around, around.n / 2));
        buf_add(&text, buf_str(&folded));
        casemap(&text, str_from(around, around.n / 2));
        terms_prepare(&text);
        if (terms_of(&terms, buf_str(&folded))) {
            assert(!index_open(&cx, ":memory:", 1, &x));
            assert(!index_add(x, &cx, (struct body_id){7}, 0, STR_NONE, buf_str(&text)));
            assert(!index_commit(x, &cx, (struct index_reached){1, 1}));
            assert(!index_ask(x, &cx, INDEX_BODY, buf_str(&terms)));
            assert(index_find(x, (struct body_id){7})->hit);
            index_close(&x);
        }
    }
    buf_free(&folded);
    buf_free(&text);
    buf_free(&terms);
    arena_free(cx.arena);
    return 0;
}
