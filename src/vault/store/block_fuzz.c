/* Whatever a damaged row holds: it is refused, or unpacked into messages that pack and unpack to the same again. */
#include "vault/store/block.h"

#include "base/scoped.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    scoped(buf_free) struct buf b = buf_make(BUF_UNLIMITED);
    struct roster_entry v[BLOCK_UIDS], again[BLOCK_UIDS];
    size_t n, n_again;

    if (!entries_unpack((struct str){(const char *)data, size}, 64, v, &n))
        return 0;
    entries_pack(&b, 64, v, n);
    assert(entries_unpack(buf_str(&b), 64, again, &n_again) && n_again == n);
    for (size_t i = 0; i < n; i++) {
        assert(v[i].uid == again[i].uid && v[i].email.v == again[i].email.v);
        assert(v[i].body.v == again[i].body.v && v[i].modseq == again[i].modseq);
        assert(v[i].flags == again[i].flags && v[i].size == again[i].size);
        assert(v[i].internal_date == again[i].internal_date && v[i].save_date == again[i].save_date);
    }
    return 0;
}
