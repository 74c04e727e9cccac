#include "vault/compression.h"

#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include <cmocka.h>

/* Through one and out of the other, cut at `cut` bytes, with a rest after each piece if `resting`. */
static void there_and_back(size_t cut, bool resting)
{
    struct compression *a = compression_new(), *b = compression_new();
    struct buf said = buf_make(BUF_UNLIMITED), heard = buf_make(BUF_UNLIMITED),
               wire = buf_make(BUF_UNLIMITED);
    struct str in;

    for (int i = 0; i < 3000; i++) {
        size_t before = said.n;

        buf_printf(&said, "* %d FETCH (FLAGS (\\Seen) UID %d)\r\n", i, i * 7);
        compression_write(a, &wire, str_from(buf_str(&said), before));
        if (resting)
            compression_rest(a);
    }
    assert_true(resting || wire.n < said.n);
    in = buf_str(&wire);
    while (in.n) {
        struct str piece = str_upto(in, cut);

        in = str_from(in, piece.n);
        do {
            assert_true(compression_read(b, &piece));
            buf_add(&heard, buf_str(compression_plain(b)));
            buf_clear(compression_plain(b));
        } while (piece.n);
    }
    assert_true(str_same(buf_str(&said), buf_str(&heard)));
    buf_free(&said);
    buf_free(&heard);
    buf_free(&wire);
    compression_free(&a);
    compression_free(&b);
}

static void test_there_and_back(void **state)
{
    (void)state;
    there_and_back(SIZE_MAX, false);
    there_and_back(SIZE_MAX, true);
    there_and_back(1, false);
    there_and_back(37, true);
}

/* RFC 1951: a thousand to one. It comes in portions, and only as fast as it is used. */
static void test_bomb(void **state)
{
    struct compression *a = compression_new(), *b = compression_new();
    struct buf wire = buf_make(BUF_UNLIMITED), zeros = buf_make(BUF_UNLIMITED);
    size_t total = 0;
    struct str in;

    (void)state;
    memset(buf_reserve(&zeros, 10 << 20), 0, 10 << 20);
    buf_grew(&zeros, 10 << 20);
    compression_write(a, &wire, buf_str(&zeros));
    in = buf_str(&wire);
    for (int i = 0; i < 100; i++)
        assert_true(compression_read(b, &in));
    assert_int_equal(compression_plain(b)->n, COMPRESSION_PLAIN);
    assert_true(in.n > 0);
    while (in.n || compression_plain(b)->n) {
        total += compression_plain(b)->n;
        buf_clear(compression_plain(b));
        assert_true(compression_read(b, &in));
    }
    assert_int_equal(total, 10 << 20);
    buf_free(&wire);
    buf_free(&zeros);
    compression_free(&a);
    compression_free(&b);
}

static void test_no_deflate(void **state)
{
    struct compression *c = compression_new();
    struct str in = S("a1 NOOP\r\n");
    bool good = true;

    (void)state;
    while (good && in.n)
        good = compression_read(c, &in);
    assert_false(good);
    compression_free(&c);
}

/* The client's last block may be followed by something that is not compressed. */
static void test_end(void **state)
{
    struct compression *a = compression_new(), *b = compression_new();
    struct buf wire = buf_make(1000);
    struct str in;

    (void)state;
    compression_write(a, &wire, S("a UNAUTHENTICATE\r\n"));
    buf_add(&wire, S("b NOOP\r\n"));
    in = buf_str(&wire);
    assert_false(wire.full);
    while (compression_plain(b)->n < 18) {
        assert_true(in.n > 0);
        assert_true(compression_read(b, &in));
    }
    assert_true(compression_end(b, &in));
    assert_true(str_same(in, S("b NOOP\r\n")));
    buf_free(&wire);
    compression_free(&a);
    compression_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_bomb),
        cmocka_unit_test(test_no_deflate),
        cmocka_unit_test(test_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
