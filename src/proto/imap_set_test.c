/* Sets as they are written, and put in order. */
#include "proto/imap_set.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct arena *arena;

static int begin(void **state)
{
    (void)state;
    arena = arena_new(0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

typedef bool take_fn(struct imap_parse *, struct str *, struct imap_set *);

static void test_parse(void **state)
{
    static const struct {
        take_fn *take;
        const char *in, *out, *rest; /* out NULL: refused */
    } rows[] = {
        {take_imap_set, "2,4:7,9,12:* FLAGS", "2,4:7,9,12:*", " FLAGS"}, /* RFC 9051 §9 */
        {take_imap_set, "*:4,5:7", "*:4,5:7", ""},
        {take_imap_set, "*", "*", ""},
        {take_imap_set, "4:2)", "4:2", ")"},
        {take_imap_set, "$", "$", ""},
        {take_imap_set, "$)", "$", ")"},
        {take_imap_set, "$1", NULL, NULL},
        {take_imap_set, "4294967295", "4294967295", ""},
        {take_imap_set, "4294967296", NULL, NULL},
        {take_imap_set, "0", NULL, NULL},
        {take_imap_set, "01", NULL, NULL},
        {take_imap_set, "1:", NULL, NULL},
        {take_imap_set, "1,", NULL, NULL},
        {take_imap_set, "1,,2", NULL, NULL},
        {take_imap_set, "1,$", NULL, NULL},
        {take_imap_set, ",1", NULL, NULL},
        {take_imap_set, "1:2:3", "1:2", ":3"},
        {take_imap_set, "", NULL, NULL},
        {take_imap_uid_set, "41:43,7,9:8", "7:9,41:43", ""},
        {take_imap_uid_set, "1:*", NULL, NULL},
        {take_imap_uid_set, "$", NULL, NULL},
        {take_imap_ordered_set, "1,2,3:5 x", "1,2,3:5", " x"},
        {take_imap_ordered_set, "1,1", NULL, NULL},
        {take_imap_ordered_set, "2:1", NULL, NULL},
        {take_imap_ordered_set, "5,4", NULL, NULL},
        {take_imap_ordered_set, "*", NULL, NULL},
    };
    struct buf b = buf_make(100);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct imap_parse p = imap_parse_make(arena, false);
        struct str in = str_from_c(rows[i].in);
        struct imap_set set;
        bool ok = rows[i].take(&p, &in, &set);

        buf_clear(&b);
        if (ok)
            imap_set_write(&b, &set);
        if (ok != (rows[i].out != NULL) || (ok && !str_same(buf_str(&b), str_from_c(rows[i].out))) ||
            (ok && !str_same(in, str_from_c(rows[i].rest))))
            fail_msg("row %zu %s: got %.*s", i, rows[i].in, STR_ARG(buf_str(&b)));
    }
    buf_free(&b);
}

static void test_resolve(void **state)
{
    static const struct {
        const char *in;
        uint32_t max;
        bool clip;
        const char *out;
        uint64_t size;
    } rows[] = {
        {"2,4:7,9,12:*", 15, true, "2,4:7,9,12:15", 10}, /* RFC 9051 §9 */
        {"*:4,5:7", 10, true, "4:10", 7},                /* likewise */
        {"3291:*", 100, true, "100", 1},                 /* likewise: always the last */
        {"1:3,7", 10, true, "1:3,7", 4},
        {"5,4,3,2,1", 10, true, "1:5", 5},
        {"1:5,3:4,2", 10, true, "1:5", 5},
        {"8:20", 10, true, "8:10", 3},
        {"11", 10, true, "", 0},
        {"11", 10, false, "11", 1},
        {"1:*", 0, true, "", 0},
        {"*", 0, true, "", 0},
        {"1:*,5", 0, true, "", 0},
        {"4294967295,1:*", UINT32_MAX, true, "1:4294967295", UINT32_MAX},
        {"4294967294,4294967295", 0, false, "4294967294:4294967295", 2},
    };
    struct buf b = buf_make(100);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct imap_parse p = imap_parse_make(arena, false);
        struct str in = str_from_c(rows[i].in);
        struct imap_set set, resolved;

        assert_true(take_imap_set(&p, &in, &set));
        resolved = imap_set_resolve(arena, &set, rows[i].max, rows[i].clip);
        buf_clear(&b);
        imap_set_write(&b, &resolved);
        if (!str_same(buf_str(&b), str_from_c(rows[i].out)) || imap_set_size(&resolved) != rows[i].size)
            fail_msg("%s: got %.*s", rows[i].in, STR_ARG(buf_str(&b)));
        for (uint32_t n = 1; n <= rows[i].max && n < 30; n++) {
            bool found = false;

            for (size_t k = 0; k < resolved.count; k++)
                found |= n >= resolved.ranges[k].first && n <= resolved.ranges[k].last;
            assert_int_equal(imap_set_has(&resolved, n), found);
        }
    }
    buf_free(&b);
}

static void test_in_order_is_not_copied(void **state)
{
    static const struct imap_range ranges[] = {{1, 3}, {7, 7}};
    struct imap_set set = {.ranges = ranges, .count = 2}, got;

    (void)state;
    got = imap_set_resolve(arena, &set, 7, true);
    assert_ptr_equal(got.ranges, ranges);
    got = imap_set_resolve(arena, &set, 6, true);
    assert_int_equal(got.count, 1);
    assert_int_equal(imap_set_highest(&set), 7);
    assert_false(imap_set_is_star(&set));
}

static void test_walk_and_build(void **state)
{
    static const uint32_t numbers[] = {1, 2, 3, 7, 9, 10, UINT32_MAX - 1, UINT32_MAX};
    struct imap_set_builder b = {0};
    struct buf built = buf_make(100), written = buf_make(100);
    struct imap_set set;
    uint32_t n;
    size_t i = 0;

    (void)state;
    for (size_t k = 0; k < 8; k++)
        imap_set_add(&b, numbers[k]);
    imap_set_add(&b, UINT32_MAX);
    set = imap_set_built(&b);
    for (struct imap_set_walk w = {&set}; imap_set_next(&w, &n); i++)
        assert_int_equal(n, numbers[i]);
    assert_int_equal(i, 8);
    imap_set_write(&built, &set);
    imap_numbers_write(&written, numbers, 8);
    assert_true(str_same(buf_str(&built), S("1:3,7,9:10,4294967294:4294967295")));
    assert_true(str_same(buf_str(&written), buf_str(&built)));
    imap_set_builder_free(&b);
    imap_set_add_range(&b, 5, 9);
    imap_set_add_range(&b, 6, 7);
    set = imap_set_built(&b);
    assert_int_equal(imap_set_size(&set), 5);
    imap_set_builder_free(&b);
    buf_free(&built);
    buf_free(&written);
}

static void test_too_many_ranges(void **state)
{
    struct imap_parse p = imap_parse_make(arena, false);
    struct buf b = buf_make(BUF_UNLIMITED);
    struct imap_set set;
    struct str in;

    (void)state;
    for (size_t i = 0; i < IMAP_SET_RANGES_MAX; i++)
        buf_add(&b, S("1,"));
    buf_add(&b, S("1"));
    in = buf_str(&b);
    assert_false(take_imap_set(&p, &in, &set));
    assert_string_equal(p.code, "LIMIT");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_resolve),
        cmocka_unit_test(test_in_order_is_not_copied),
        cmocka_unit_test(test_walk_and_build),
        cmocka_unit_test(test_too_many_ranges),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
