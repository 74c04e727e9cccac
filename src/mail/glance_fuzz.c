/* Of any message, what a glance says it does not hold is not found in its text either. The first byte says how much of the
 * input is the needle. */
#include "mail/glance_testing.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size}, needle;
    struct buf folded = buf_make(BUF_UNLIMITED);

    if (size == 0)
        return 0;
    needle = str_upto(str_from(in, 1), data[0] % 8);
    in = str_from(in, 1 + needle.n);
    casemap(&folded, needle);
    assert(!glance_misses(in, buf_str(&folded), TEXT_BODY));
    assert(!glance_misses(in, buf_str(&folded), TEXT_HEADER | TEXT_PARTS | TEXT_BODY));
    buf_free(&folded);
    return 0;
}
