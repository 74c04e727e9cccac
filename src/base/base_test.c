/* The lowest layer, each part by a table of inputs. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/hash.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/machine.h"
#include "base/pack.h"
#include "base/sorted.h"
#include "base/wait.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_utf8(void **state)
{
    static const struct {
        struct str in;
        bool good;
        const char *why;
    } rows[] = {
        {{"", 0}, true, "nothing"},
        {{"gr\xc3\xbc\xc3\x9f", 6}, true, "two letters"},
        {{"\xc0\x80", 2}, false, "overlong NUL"},
        {{"\xe0\x80\xaf", 3}, false, "overlong slash"},
        {{"\xed\xa0\x80", 3}, false, "surrogate"},
        {{"\xf4\x90\x80\x80", 4}, false, "beyond U+10FFFF"},
        {{"\xf0\x9f\x93\xaf", 4}, true, "a post horn"},
        {{"\xc3", 1}, false, "cut"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (is_utf8(rows[i].in) != rows[i].good)
            fail_msg("row %zu: %s", i, rows[i].why);
}

static void test_numbers(void **state)
{
    uint64_t v = 7;
    struct str in = S("18446744073709551615x");

    (void)state;
    assert_true(take_u64(&in, &v));
    assert_true(v == UINT64_MAX && in.n == 1);
    assert_false(parse_u64(S("18446744073709551616"), &v));
    assert_false(parse_u64(S(""), &v));
    assert_false(parse_u64(S("-1"), &v));
}

static void test_base64(void **state)
{
    static const struct {
        const char *plain, *coded;
    } rows[] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}};
    static const char *const bad[] = {"Zg=", "Zg", "Zh==", "Z===", "Zm9=", "Zm 9", "====", "Zg==Zg=="};
    struct buf b = buf_make(100);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        base64_encode(&b, str_from_c(rows[i].plain));
        assert_true(str_same(buf_str(&b), str_from_c(rows[i].coded)));
        buf_clear(&b);
        assert_true(base64_decode(&b, str_from_c(rows[i].coded)));
        assert_true(str_same(buf_str(&b), str_from_c(rows[i].plain)));
        buf_clear(&b);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        if (base64_decode(&b, str_from_c(bad[i])))
            fail_msg("accepted %s", bad[i]);
    buf_free(&b);
}

static void test_buf_limit_and_take(void **state)
{
    struct buf b = buf_make(10);

    (void)state;
    buf_add(&b, S("12345678"));
    buf_take(&b, 5);
    buf_add(&b, S("abcdefg"));
    assert_true(str_same(buf_str(&b), S("678abcdefg")) && !b.full);
    buf_add_char(&b, '!');
    assert_true(b.full && b.n == 10);
    buf_clear(&b);
    buf_printf(&b, "%d", 12);
    assert_true(str_same(buf_str(&b), S("12")));
    buf_free(&b);
}

static void test_buf_exchange(void **state)
{
    struct buf a = buf_make(10), b = buf_make(20);

    (void)state;
    buf_add(&a, S("12345678"));
    buf_take(&a, 5);
    buf_exchange(&a, &b);
    assert_true(str_same(buf_str(&b), S("678")));
    assert_int_equal(a.n, 0);
    buf_add(&a, S("12345678901"));
    assert_true(a.full); /* limits stay */
    buf_add(&b, S("12345678901234567"));
    assert_false(b.full);
    assert_int_equal(b.n, 20);
    buf_free(&a);
    buf_free(&b);
}

static void test_pack(void **state)
{
    static const uint64_t numbers[] = {0, 1, 127, 128, 300, UINT32_MAX, UINT64_MAX};
    struct buf b = buf_make(1000);
    struct unpack u;

    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        pack_u64(&b, numbers[i]);
    pack_bytes(&b, S("hello"));
    u = unpack_begin(buf_str(&b));
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        assert_true(unpack_u64(&u) == numbers[i]);
    assert_true(str_same(unpack_bytes(&u), S("hello")));
    assert_true(unpack_done(&u));

    u = unpack_begin(S("\x05"
                       "abc")); /* a length beyond the end */
    assert_int_equal(unpack_bytes(&u).n, 0);
    assert_false(unpack_done(&u));
    u = unpack_begin(S("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02")); /* more than 64 bits */
    unpack_u64(&u);
    assert_false(u.ok);
    buf_free(&b);
}

static void test_ids(void **state)
{
    char text[ID_TEXT_SIZE];
    struct entry_id id = {fresh_id(), 3}, again;
    uint64_t before = fresh_id();

    (void)state;
    entry_id_text(id, text);
    assert_true(parse_entry_id(str_from_c(text), &again));
    assert_true(again.body == id.body && again.n == 3);
    assert_true(fresh_id() > before);
    fresh_id_after(before + ((uint64_t)1 << 40));
    assert_true(fresh_id() > before + ((uint64_t)1 << 40)); /* the clock was set back */
    assert_false(parse_id(S("ZZZZZZZZZZZZZ"), &before));    /* more than 64 bits */
}

static void test_durations_and_sizes(void **state)
{
    int64_t ms;
    uint64_t bytes;

    (void)state;
    assert_true(parse_duration(S("5d"), &ms) && ms == 5 * 86400000LL);
    assert_true(parse_duration(S("90"), &ms) && ms == 90000);
    assert_false(parse_duration(S("5w"), &ms));
    assert_false(parse_duration(S("99999999999999999d"), &ms));
    assert_true(parse_size(S("50M"), &bytes) && bytes == 50 * 1024 * 1024);
    assert_false(parse_size(S("M"), &bytes));
}

static void test_log_value_cannot_forge(void **state)
{
    (void)state;
    assert_string_equal(log_value(S("plain@x.test")), "plain@x.test");
    assert_string_equal(log_value(S("a\nb=\"c\"")), "\"a\\x0ab=\\\"c\\\"\"");
    assert_string_equal(log_value(S("")), "\"\"");
}

static void test_arena(void **state)
{
    struct arena *a = arena_new(0);
    char *p;

    (void)state;
    for (int round = 0; round < 3; round++) {
        for (size_t n = 1; n < 100000; n = n * 3 + 1) {
            p = arena_alloc(a, n);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(p[i], 0);
            memset(p, 0x5a, n);
        }
        arena_reset(a);
        assert_int_equal(arena_size(a), 0);
    }
    arena_free(a);
}

/* Wherever the byte stands: eight are looked at together. */
static void test_is_ascii(void **state)
{
    char bytes[20];

    (void)state;
    for (size_t n = 0; n <= sizeof(bytes); n++) {
        memset(bytes, 'x', sizeof(bytes));
        assert_true(is_ascii((struct str){bytes, n}));
        for (size_t at = 0; at < sizeof(bytes); at++) {
            bytes[at] = '\x80';
            assert_int_equal(is_ascii((struct str){bytes, n}), at >= n);
            bytes[at] = '\x7f';
        }
    }
}

static void test_sorted_once(void **state)
{
    uint64_t v[] = {UINT64_MAX, 3, 1, 3, 0, UINT64_MAX, 1}, one = 5;
    static const uint64_t once[] = {0, 1, 3, UINT64_MAX};

    (void)state;
    assert_int_equal(sort_u64_once(v, sizeof(v) / sizeof(*v)), 4);
    assert_memory_equal(v, once, sizeof(once));
    assert_int_equal(sort_u64_once(&one, 1), 1);
    assert_int_equal(sort_u64_once(NULL, 0), 0);
}

/* Rows are kept under these. */
static void test_hashes_stay_what_they_are(void **state)
{
    (void)state;
    assert_true(hash_step(HASH_START, 'a') == UINT64_C(0xaf63dc4c8601ec8c)); /* as FNV's authors say */
    assert_true(hash_bytes(S("")) == UINT64_C(0xefd01f60ba992926) &&
                hash_bytes(S("foobar")) == UINT64_C(0x2c22194922d1672b));
}

static void test_waiting_until(void **state)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t c;

    (void)state;
    cond_init_monotonic(&c);
    pthread_mutex_lock(&lock);
    for (int64_t until = monotonic_ms() - 1; until < monotonic_ms() + 2; until += 3) {
        while (cond_wait_until(&c, &lock, until)) /* woken for nothing */
            ;
        assert_true(monotonic_ms() >= until);
    }
    pthread_mutex_unlock(&lock);
    pthread_cond_destroy(&c);
}

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[200];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "we");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

/* The least of the groups' limits, this one's and those above it. */
static void test_memory(void **state)
{
    static const struct {
        const char *groups, *top, *slice, *service;
        uint64_t memory; /* 0: the machine's */
    } rows[] = {
        {"0::/a.slice/b.service\n", "max\n", "max\n", "max\n", 0},
        {"0::/a.slice/b.service\n", "max\n", "max\n", "1048576\n", 1048576},
        {"0::/a.slice/b.service\n", "max\n", "4096\n", "1048576\n", 4096},
        {"0::/\n", "524288\n", "4096\n", "4096\n", 524288}, /* in a container */
        {"4:memory:/x\n0::/a.slice\n", "max\n", "4096\n", "1\n", 4096},
        {"", "8192\n", "1\n", "1\n", 8192},
        {"0::/gone\n", "", "1\n", "1\n", 0},
    };
    char dir[] = "/tmp/base-test-XXXXXX", path[100], command[100];

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/a.slice", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/a.slice/b.service", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        uint64_t memory = rows[i].memory ? rows[i].memory : machine_memory_by("/nowhere", "/nowhere");

        write_file(dir, "groups", rows[i].groups);
        write_file(dir, "memory.max", rows[i].top);
        write_file(dir, "a.slice/memory.max", rows[i].slice);
        write_file(dir, "a.slice/b.service/memory.max", rows[i].service);
        snprintf(path, sizeof(path), "%s/groups", dir);
        assert_int_equal(machine_memory_by(path, dir), memory);
    }
    assert_true(machine_memory() > 0);
    snprintf(command, sizeof(command), "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_ascii),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_buf_limit_and_take),
        cmocka_unit_test(test_buf_exchange),
        cmocka_unit_test(test_pack),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_sorted_once),
        cmocka_unit_test(test_hashes_stay_what_they_are),
        cmocka_unit_test(test_waiting_until),
        cmocka_unit_test(test_durations_and_sizes),
        cmocka_unit_test(test_log_value_cannot_forge),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
