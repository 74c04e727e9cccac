/* One wrong byte, of any block, is among those that explain the checksum, and each of those does explain it. */
#include "vault/engine/wrong_byte.h"

#include "base/codec.h"
#include "vault/engine/crc32c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define MOST 5000

static void finds_the_byte(char *bytes, size_t n, size_t at, uint8_t by)
{
    uint32_t crc = crc32c_extend(0, bytes, n);
    struct wrong_byte w;
    bool found = false;

    bytes[at] ^= (char)by;
    wrong_byte_search(&w, (struct str){bytes, n}, crc);
    while (wrong_byte_next(&w)) {
        bytes[w.at] ^= (char)w.by;
        assert_int_equal(crc32c_extend(0, bytes, n), crc);
        bytes[w.at] ^= (char)w.by;
        found |= w.at == at && w.by == by;
    }
    assert_true(found);
    bytes[at] ^= (char)by;
}

static void test_every_byte(void **state)
{
    static const size_t sizes[] = {1, 2, 3, 4, 5, 53, 1000, MOST};
    static char bytes[MOST];

    (void)state;
    random_bytes(bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
        for (size_t at = 0; at < sizes[i]; at += 1 + sizes[i] / 60) {
            finds_the_byte(bytes, sizes[i], at, 1);
            finds_the_byte(bytes, sizes[i], at, 0x55);
            finds_the_byte(bytes, sizes[i], at, 0xff);
        }
}

static void test_nothing_to_find(void **state)
{
    struct str block = S("a block that is as it was");
    struct wrong_byte w;

    (void)state;
    wrong_byte_search(&w, block, crc32c_extend(0, block.p, block.n));
    assert_false(wrong_byte_next(&w));
    wrong_byte_search(&w, STR_NONE, 1);
    assert_false(wrong_byte_next(&w));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_byte),
                                       cmocka_unit_test(test_nothing_to_find)};

    crc32c_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
