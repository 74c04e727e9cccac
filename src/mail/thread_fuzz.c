/* Any messages give the tree that RFC 5256 gives by the letter. A message is four bytes (id, number of references and
 * whether it is an answer, subject, date), then its references, a byte each. */
#include "mail/thread.h"

#include "base/pack.h"
#include "mail/thread_naive.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST 60

static size_t read_items(struct arena *a, struct str in, struct thread_item items[MOST])
{
    size_t n = 0;

    for (; in.n >= 4 && n < MOST; n++) {
        struct buf references = buf_make(200);
        unsigned char c[4];

        memcpy(c, in.p, 4);
        in = str_from(in, 4);
        for (size_t i = c[1] / 2 % 16; i > 0 && in.n; i--, in = str_from(in, 1))
            pack_key_u64(&references, 1 + (unsigned char)in.p[0] % 31u); /* no reference is 0 */
        items[n] = (struct thread_item){.number = (uint32_t)n + 1,
                                        .is_reply = c[1] % 2,
                                        .date_ms = c[3] % 8,
                                        .base_subject = str_upto(S("abc"), c[2] % 4),
                                        .message_id = c[0] % 32,
                                        .references = str_copy(a, buf_str(&references))};
        buf_free(&references);
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf quick = buf_make(BUF_UNLIMITED), slow = buf_make(BUF_UNLIMITED);
    struct arena *a = arena_new(0);
    struct thread_item items[MOST];
    size_t n = read_items(a, (struct str){(const char *)data, size}, items);
    struct thread_tree tree;

    assert(thread_by_references(a, items, n, SIZE_MAX, &tree));
    thread_write(&quick, &tree);
    thread_naively(&slow, items, n);
    assert(str_same(buf_str(&quick), buf_str(&slow)));
    thread_by_subject(a, items, n, &tree);
    assert(tree.count == n);
    buf_free(&quick);
    buf_free(&slow);
    arena_free(a);
    return 0;
}
