/* That RocksDB calls our function, and that it makes no difference but in time. */
#include "vault/engine/crc32c.h"
#include "vault/engine/test_support.h"

#include "base/arena.h"
#include "base/codec.h"

#include <dlfcn.h>

#ifdef __x86_64__
typedef uint32_t extend(uint32_t crc, const char *bytes, size_t n);

static void known_values(void **state)
{
    static const char zeros[32]; /* RFC 3720 §B.4 */

    (void)state;
    assert_int_equal(crc32c_extend(0, zeros, 32), 0x8a9136aa);
    assert_int_equal(crc32c_extend(0, "123456789", 9), 0xe3069283);
    assert_int_equal(crc32c_extend(0, NULL, 0), 0);
}

static void same_as_the_librarys(void **state)
{
    extend *librarys = (extend *)dlsym(RTLD_NEXT, CRC32C_LIBRARY_NAME);
    static char bytes[20000];

    (void)state;
    assert_non_null(librarys);
    assert_true(librarys != crc32c_extend);
    random_bytes(bytes, sizeof(bytes));
    for (size_t n = 0; n < sizeof(bytes) - 8; n += n < 4000 ? 1 : 61)
        assert_int_equal(crc32c_extend((uint32_t)n, bytes + n % 8, n),
                         librarys((uint32_t)n, bytes + n % 8, n));
}

static void the_library_calls_it(void **state)
{
    struct cx cx = {.arena = arena_new(0)};
    struct test_dir dir;
    struct engine *e;

    (void)state;
    test_dir_make(&dir);
    assert_int_equal(engine_open_rocksdb(&cx, &(struct engine_options){.path = dir.path}, &e), OK);
    assert_ptr_equal((extend *)dlsym(RTLD_DEFAULT, CRC32C_LIBRARY_NAME), crc32c_extend);
    engine_close(e);
    test_dir_remove(&dir);
    arena_free(cx.arena);
}
#endif

int main(void)
{
    crc32c_start();
#ifdef __x86_64__
    const struct CMUnitTest tests[] = {cmocka_unit_test(known_values),
                                       cmocka_unit_test(same_as_the_librarys),
                                       cmocka_unit_test(the_library_calls_it)};

    return cmocka_run_group_tests(tests, NULL, NULL);
#endif
    return 0;
}
