/* Any bytes end, and groups are well-formed. */
#include "mail/address_list.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct address_list l = address_list_make((struct str){(const char *)data, size});
    struct address_item item;
    bool in_group = false;
    size_t items = 0;

    while (take_address_item(&l, &item)) {
        assert(item.kind == ADDRESS_MAILBOX || in_group == (item.kind == ADDRESS_GROUP_END));
        if (item.kind != ADDRESS_MAILBOX)
            in_group = item.kind == ADDRESS_GROUP;
        assert(++items <= 2 * size + 1);
    }
    assert(!in_group && l.in.n == 0);
    address_list_free(&l);
    return 0;
}
