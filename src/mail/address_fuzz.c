/* A path that parses is written as a path that parses to the same; its key is its own key. */
#include "mail/idna.h"

#include "base/arena.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_key(struct arena *a, const struct mailbox *m)
{
    struct buf text = buf_make(BUF_UNLIMITED);
    struct address_key k, again;
    struct mailbox back;

    if (address_key(a, m, &k)) {
        address_key_write(&text, &k);
        /* Folding can lengthen a name beyond what SMTP takes; such a key only never matches. */
        if (is_mailbox(buf_str(&text), ADDRESS_UTF8 | ADDRESS_NO_DOMAIN, &back)) {
            assert(address_key(a, &back, &again));
            assert(str_same(k.local_part, again.local_part) && str_same(k.domain, again.domain));
        }
    }
    buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf text = buf_make(BUF_UNLIMITED);
    struct mailbox m, again;
    struct arena *a;
    struct str in;

    if (size == 0)
        return 0;
    a = arena_new(0);
    in = (struct str){(const char *)data + 1, size - 1};
    if (parse_reverse_path(&in, data[0] & 7, &m) && !mailbox_is_empty(&m)) {
        mailbox_write(&text, &m);
        assert(is_mailbox(buf_str(&text), data[0] & 7, &again));
        assert(str_same(m.local_part, again.local_part) && str_same(m.domain, again.domain));
        check_key(a, &m);
    }
    buf_free(&text);
    arena_free(a);
    return 0;
}
