/* RFC 5256 §3's criteria, one and several, and what is equal stays in the mailbox's order. */
#include "mail/sort.h"

#include "mail/order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct {
    const char *header;
    int64_t internal_ms;
    uint64_t size;
    unsigned relevancy;
} messages[] = {
    {"Subject: b\r\nFrom: Zoe <a@x>\r\nTo: d@x\r\nCc: b@x\r\nDate: 2 Jan 2020 00:00:00 +0000\r\n", 5,
     100, 3},
    {"Subject: Re: B\r\nFrom: B@x\r\nTo: =?utf-8?Q?=C3=A9ric?= <c@x>\r\nDate: 1 Jan 2020 23:00:00 "
     "-0200\r\n",
     4, 100, 9},
    {"Subject: a\r\nFrom: \"adam\" <c@x>\r\nDate: 1 Jan 2020 00:00:00 +0000\r\n", 3, 50, 3},
    {"From: C@y\r\nTo: Eric <b@x>\r\n", 2, 70, 0},
    {"Subject: averylongsubjectb\r\nFrom: d@x\r\nCc: a@x\r\nDate: junk\r\n", 1, 1, 1},
    {"Subject: [x] AVERYLONGSUBJECTA\r\nFrom: d@w\r\nCc: a@x\r\nDate: 1 Jan 2019 00:00:00 +0000\r\n", 0,
     2, 1},
};
#define COUNT (sizeof(messages) / sizeof(*messages))

static void sort_messages(const struct imap_sort_criterion *criteria, size_t count, bool with_keys,
                          uint32_t numbers[COUNT])
{
    struct arena *a = arena_new(0);
    struct sort s = sort_begin(a, criteria, count, COUNT);
    uint64_t columns[3][COUNT], keys[3];
    struct str packed[COUNT];
    struct facts f;

    for (size_t m = 0; m < COUNT; m++) {
        struct buf facts = buf_make(10000);

        facts_write(&facts, str_from_c(messages[m].header));
        packed[m] = str_copy(a, buf_str(&facts));
        buf_free(&facts);
    }
    for (size_t c = 0; c < count; c++)
        if (sort_needs_facts(&criteria[c], 1))
            sort_keys(criteria[c].key, packed, COUNT, columns[c]);
    for (size_t m = 0; m < COUNT; m++) {
        for (size_t c = 0; c < count; c++)
            keys[c] = columns[c][m];
        assert_true(facts_read(packed[m], &f));
        sort_add(&s, &(struct sort_message){.number = (uint32_t)m + 1,
                                            .facts = with_keys ? NULL : &f,
                                            .keys = with_keys ? keys : NULL,
                                            .internal_ms = messages[m].internal_ms,
                                            .size = messages[m].size,
                                            .relevancy = messages[m].relevancy});
    }
    sort_end(&s, numbers);
    arena_free(a);
}

static void test_criteria(void **state)
{
    static const struct {
        struct imap_sort_criterion criteria[3];
        size_t count;
        const char *order;
    } rows[] = {
        {{{IMAP_SORT_ARRIVAL, false}}, 1, "654321"},
        {{{IMAP_SORT_ARRIVAL, true}}, 1, "123456"},
        {{{IMAP_SORT_SIZE, false}}, 1, "563412"},
        {{{IMAP_SORT_SIZE, true}}, 1, "124365"},
        {{{IMAP_SORT_DATE, false}},
         1,
         "546312"}, /* junk and nothing: by internal date, in 1970; then 2019 */
        {{{IMAP_SORT_SUBJECT, false}}, 1, "436512"},
        {{{IMAP_SORT_SUBJECT, true}}, 1, "125634"},
        {{{IMAP_SORT_SUBJECT, false}, {IMAP_SORT_DATE, true}}, 2, "436521"},
        {{{IMAP_SORT_FROM, false}}, 1, "123456"},
        {{{IMAP_SORT_TO, false}}, 1, "356421"},
        {{{IMAP_SORT_CC, false}}, 1, "234561"},
        {{{IMAP_SORT_CC, true}, {IMAP_SORT_SIZE, false}}, 2, "156342"},
        {{{IMAP_SORT_DISPLAYFROM, false}}, 1, "324651"}, /* ADAM, B@X, C@Y, D@W, D@X, ZOE */
        {{{IMAP_SORT_DISPLAYTO, false}}, 1, "356142"},   /* none of three, D@X, ERIC, E´RIC */
        {{{IMAP_SORT_RELEVANCY, false}}, 1, "213564"},
        {{{IMAP_SORT_SIZE, true}, {IMAP_SORT_ARRIVAL, false}}, 2, "214365"},
        {{{IMAP_SORT_SIZE, false}}, 0, "123456"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        for (int with_keys = 0; with_keys < 2; with_keys++) {
            uint32_t numbers[COUNT];

            sort_messages(rows[i].criteria, rows[i].count, with_keys, numbers);
            for (size_t m = 0; m < COUNT; m++)
                if (numbers[m] != (uint32_t)(rows[i].order[m] - '0'))
                    fail_msg("row %zu, keys %d: %u %u %u %u %u %u, not %s", i, with_keys, numbers[0],
                             numbers[1], numbers[2], numbers[3], numbers[4], numbers[5], rows[i].order);
        }
}

static int compare_tens(const void *ctx, uint32_t a, uint32_t b)
{
    (void)ctx;
    return (int)(a / 10) - (int)(b / 10);
}

/* Of every length up to some hundred, against what is slow and surely right. */
static void test_order(void **state)
{
    struct order things[300], room[300], slow[300];
    uint64_t random = 1;

    (void)state;
    for (size_t n = 0; n < 300; n++) {
        for (size_t i = 0; i < n; i++) {
            random = random * 6364136223846793005 + 1442695040888963407;
            slow[i] = things[i] = (struct order){random >> (n % 2 ? 60 : 30), (uint32_t)(n - i)};
        }
        for (size_t i = 1; i < n; i++)
            for (size_t k = i; k > 0; k--) {
                struct order t = slow[k - 1];

                if (t.key < slow[k].key ||
                    (t.key == slow[k].key && compare_tens(NULL, t.index, slow[k].index) <= 0))
                    break;
                slow[k - 1] = slow[k];
                slow[k] = t;
            }
        order_sort(things, room, n, compare_tens, NULL);
        for (size_t i = 0; i < n; i++)
            assert_true(things[i].key == slow[i].key && things[i].index == slow[i].index);
    }
}

static void test_keys(void **state)
{
    (void)state;
    assert_true(order_key(-1) < order_key(0) && order_key(0) < order_key(1));
    assert_true(order_key(INT64_MIN) == 0 && order_key(INT64_MAX) == UINT64_MAX);
    assert_true(order_key_of_text(S("")) == 0 &&
                order_key_of_text(S("a")) < order_key_of_text(S("aa")));
    assert_true(order_key_of_text(S("abcdefgh")) == order_key_of_text(S("abcdefghi")));
    assert_true(order_key_of_text(S("\x7f")) < order_key_of_text(S("\x80")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_criteria),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
