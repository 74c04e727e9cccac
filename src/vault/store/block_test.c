/* Blocks and tails: what is packed comes back, whatever it is; what is no block is refused; and how many bytes the usual
 * message takes. */
#include "vault/store/block.h"

#include "base/codec.h"
#include "base/scoped.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static uint64_t seed = 1;

static uint64_t some(void) /* xorshift64*: the same numbers in every run */
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return seed * 0x2545f4914f6cdd1du;
}

/* Of any length in bits. */
static uint64_t some_length(void)
{
    return some() >> (some() % 64);
}

static size_t some_messages(uint32_t first, struct roster_entry *v)
{
    size_t n = 0;

    for (unsigned i = 0; i < BLOCK_UIDS; i++)
        if (some() % 4 && first + i)
            v[n++] = (struct roster_entry){.uid = first + i,
                                           .email.v = some_length() | 1,
                                           .body.v = some_length() | 1,
                                           .modseq = some_length(),
                                           .flags = some_length(),
                                           .size = some_length(),
                                           .internal_date = (int64_t)some(),
                                           .save_date = (int64_t)some_length()};
    return n;
}

static void must_be_same(const struct roster_entry *a, const struct roster_entry *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(a[i].uid, b[i].uid);
        assert_int_equal(a[i].email.v, b[i].email.v);
        assert_int_equal(a[i].body.v, b[i].body.v);
        assert_int_equal(a[i].modseq, b[i].modseq);
        assert_int_equal(a[i].flags, b[i].flags);
        assert_int_equal(a[i].size, b[i].size);
        assert_int_equal(a[i].internal_date, b[i].internal_date);
        assert_int_equal(a[i].save_date, b[i].save_date);
    }
}

static void test_what_is_packed_comes_back(void **state)
{
    (void)state;
    for (int round = 0; round < 2000; round++) {
        scoped(buf_free) struct buf b = buf_make(BUF_UNLIMITED);
        uint32_t first = round % 2 ? 0 : (uint32_t)(some() % (UINT32_MAX / BLOCK_UIDS)) * BLOCK_UIDS;
        struct roster_entry in[BLOCK_UIDS], out[BLOCK_UIDS];
        size_t n = some_messages(first, in), got = 0;

        entries_pack(&b, first, in, n);
        assert_true(entries_unpack(buf_str(&b), first, out, &got));
        assert_int_equal(got, n);
        must_be_same(in, out, n);
        for (size_t cut = 0; cut < b.n; cut += 1 + cut / 20)
            assert_false(entries_unpack(str_upto(buf_str(&b), cut), first, out, &got));
        buf_add(&b, S("x"));
        assert_false(entries_unpack(buf_str(&b), first, out, &got));
    }
}

static void test_tails(void **state)
{
    struct arena *a = arena_new(0);
    struct roster_entry in[BLOCK_UIDS] = {0}, out[BLOCK_UIDS];
    size_t n;

    (void)state;
    assert_true(tail_unpack(STR_NONE, out, &n));
    assert_int_equal(n, 0);
    for (size_t i = 0; i < TAIL_MOST + 1; i++)
        in[i] = (struct roster_entry){.uid = 100 + 7 * (uint32_t)i, .email.v = 1 + i, .body.v = 5};
    assert_true(tail_fits(in, TAIL_MOST));
    assert_false(tail_fits(in, TAIL_MOST + 1));
    assert_true(tail_unpack(tail_pack(a, in, TAIL_MOST), out, &n));
    assert_int_equal(n, TAIL_MOST);
    must_be_same(in, out, n);
    in[1].uid = 163;
    assert_true(tail_fits(in, 2));
    in[1].uid = 164;
    assert_false(tail_fits(in, 2));
    arena_free(a);
}

static void test_nonsense_is_refused(void **state)
{
    /* the bytes in hex, of a block from UID `first`, why not (the first row is one) */
    static const struct {
        const char *bytes;
        uint32_t first;
        const char *why;
    } rows[] = {
        {"0000000000000001ff010000000000000005010000050000000000", 64, ""},
        {"", 64, "nothing at all"},
        {"0000000000000000ff010000000000000005010000050000000000", 64, "no message"},
        {"0000000000000001ff010000000000000005010000050000000000", 0, "UID 0"},
        {"0000000000000001ff000000000000000005010000050000000000", 64, "email 0"},
        {"0000000000000001ff010000000000000000010000000000000000", 64, "body 0"},
        {"8000000000000000ff010000000000000005010000050000000000", UINT32_MAX - 63, "UID 4294967295"},
        {"0000000000000001ff01000000000000000501000005000000000000", 64, "a byte too many"},
        {"0000000000000001ff0100000000000000050100000500000000", 64, "a column too few"},
        {"0000000000000001ff0100000000000000050100000500000000ffffffffffffffffffff", 64,
         "a number beyond 64 bits"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        scoped(buf_free) struct buf b = buf_make(1000);
        struct roster_entry v[BLOCK_UIDS];
        size_t n;

        assert_true(hex_decode(&b, str_from_c(rows[i].bytes)));
        if (entries_unpack(buf_str(&b), rows[i].first, v, &n) != (rows[i].why[0] == '\0'))
            fail_msg("row %zu: %s", i, rows[i].why);
    }
}

/* Mail as it comes: what a delivery writes is what this is about (rows.def, counts and block). */
static void test_usual_mail_is_small(void **state)
{
    struct roster_entry v[BLOCK_UIDS];
    scoped(buf_free) struct buf b = buf_make(BUF_UNLIMITED);

    (void)state;
    for (uint32_t i = 0; i < BLOCK_UIDS; i++) {
        uint64_t when = 1790000000000 + (uint64_t)i * 3600000 + some() % 3600000;

        v[i] = (struct roster_entry){.uid = 6400 + i,
                                     .email.v = 7000 + i,
                                     .body.v = when << 20,
                                     .modseq = 9000 + 2 * i,
                                     .flags = FLAG_SEEN,
                                     .size = 2000 + some() % 100000,
                                     .internal_date = (int64_t)when + 3,
                                     .save_date = (int64_t)when + 3};
    }
    entries_pack(&b, 6400, v, BLOCK_UIDS);
    assert_in_range(b.n, 1, 12 * BLOCK_UIDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_packed_comes_back),
        cmocka_unit_test(test_tails),
        cmocka_unit_test(test_nonsense_is_refused),
        cmocka_unit_test(test_usual_mail_is_small),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
