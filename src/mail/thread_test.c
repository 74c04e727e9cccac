/* RFC 5256 §3, rule by rule; then many small mailboxes against what follows the RFC to the letter; then large and hostile
 * ones. */
#include "mail/thread.h"

#include "base/pack.h"
#include "mail/thread_naive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define MOST 20

/* "a:bc Re:x@5": the id, references, subject and date of a message, of a letter each. No id: "-". */
static struct thread_item item_of(struct arena *a, struct str s, uint32_t number)
{
    struct thread_item item = {.number = number};
    struct buf references = buf_make(1000);
    uint64_t date = number;
    size_t n = 0;

    if (s.p[0] != '-')
        item.message_id = (uint64_t)s.p[0];
    for (n = 1; n < s.n && s.p[n] != ' '; n++)
        if (s.p[n] != ':')
            pack_key_u64(&references, (uint64_t)s.p[n]);
    s = str_from(s, n + 1);
    item.is_reply = take_text(&s, S("Re:"));
    item.base_subject = s;
    if (str_find_char(s, '@', &n)) {
        item.base_subject = str_upto(s, n);
        assert_true(parse_u64(str_from(s, n + 1), &date));
    }
    item.date_ms = (int64_t)date;
    item.references = str_copy(a, buf_str(&references));
    buf_free(&references);
    return item;
}

static size_t items_of(struct arena *a, const char *text, struct thread_item items[MOST])
{
    struct str s = str_from_c(text), one;
    size_t n = 0;

    while (s.n) {
        if (!take_until(&s, ',', &one)) {
            one = s;
            s = STR_NONE;
        }
        items[n] = item_of(a, one, (uint32_t)n + 1);
        n++;
    }
    return n;
}

static void test_references(void **state)
{
    static const struct {
        const char *in, *out, *why;
    } rows[] = {
        {"", "", "nothing"},
        {"a x", "(1)", "one"},
        {"a x,b y", "(1)(2)", "two"},
        {"a x,b:a Re:x,c:ab Re:x", "(1 2 3)", "a chain"},
        {"a x,b:a Re:x,c:a Re:x", "(1 (2)(3))", "two answers"},
        {"a x@9,b:a Re:x,c:a Re:x@1", "(1 (3)(2))", "in the order of their dates"},
        {"c:ab x,b:a x,a x", "(3 2 1)", "the wrong way round"},
        {"b:a x,c:a x", "((1)(2))", "their parent is missing: kept as a dummy"},
        {"b:a x", "(1)", "a dummy with one child goes"},
        {"d:abc x,e:abf y", "((1)(2))", "dummies under dummies go"},
        {"d:abc x,e:abc x,f:abc x", "((1)(2)(3))", "or their children come up"},
        {"a:b x,b:a x", "(2 1)", "no loop: the first link stays"},
        {"a:a x", "(1)", "not its own parent"},
        {"a x,a:b y,c:a z", "(1 3)(2)", "of two with the same id the first one has it"},
        {"- x,-:a y", "(1)(2)", "no ids"},
        {"c:ba x,a:b y,b:z w", "(3 2 1)", "adjacent references are linked"},
        {"x:abc s,y:bac t,a u,b:a v,c:b w", "(3 4 5 (1)(2))",
         "who has a parent keeps it, but for the last link"},
        {"a x,b Re:x", "(1 2)", "an answer without references"},
        {"a Re:x,b x", "(2 1)", "wherever it stands"},
        {"a x,b x", "((1)(2))", "the same subject, none an answer"},
        {"a Re:x,b Re:x", "((1)(2))", "both are"},
        {"a x,b x,c x", "((1)(2)(3))", "a third one"},
        {"a ,b ,c Re:", "(1)(2)(3)", "empty subjects say nothing"},
        {"b:a x,c:a x,d x", "((1)(2)(3))", "to a dummy"},
        {"d x,b:a x,c:a x", "((1)(2)(3))", "to a dummy that comes later"},
        {"b:a x,c:a x,e:d x,f:d x", "((1)(2)(3)(4))", "two dummies"},
        {"a x,b:a y,c y", "(1 2)(3)", "only the subject of the thread"},
        {"c x@5,b:a y@4,d:a x@3", "((3)(2)(1))", "a dummy is called after its first child"},
        {"a x@3,b y@2,c z@1", "(3)(2)(1)", "roots in the order of their dates"},
        {"a x@1,b x@1,c y@1", "((1)(2))(3)", "equal dates: the order of the mailbox"},
    };
    struct thread_item items[MOST];
    struct arena *a = arena_new(0);
    struct buf out = buf_make(10000);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        size_t n = items_of(a, rows[i].in, items);
        struct thread_tree tree;

        assert_true(thread_by_references(a, items, n, SIZE_MAX, &tree));
        thread_write(&out, &tree);
        if (!str_same(buf_str(&out), str_from_c(rows[i].out)))
            fail_msg("%s (%s): %.*s, not %s", rows[i].in, rows[i].why, STR_ARG(buf_str(&out)),
                     rows[i].out);
        buf_clear(&out);
        thread_naively(&out, items, n);
        if (!str_same(buf_str(&out), str_from_c(rows[i].out)))
            fail_msg("naively %s: %.*s", rows[i].in, STR_ARG(buf_str(&out)));
        buf_clear(&out);
        arena_reset(a);
    }
    buf_free(&out);
    arena_free(a);
}

static void test_subjects(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"", ""},
        {"a x,b y,c Re:x", "(1 3)(2)"},
        {"a x,b x,c x,d y", "(1 (2)(3))(4)"},
        {"a x@9,b y@5,c Re:x@1", "(3 1)(2)"},
        {"a x@2,b y@1", "(2)(1)"},
        {"a ,b ", "(1 2)"},
    };
    struct thread_item items[MOST];
    struct arena *a = arena_new(0);
    struct buf out = buf_make(1000);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct thread_tree tree;

        thread_by_subject(a, items, items_of(a, rows[i].in, items), &tree);
        thread_write(&out, &tree);
        if (!str_same(buf_str(&out), str_from_c(rows[i].out)))
            fail_msg("%s: %.*s", rows[i].in, STR_ARG(buf_str(&out)));
        buf_clear(&out);
    }
    buf_free(&out);
    arena_free(a);
}

static void test_writing(void **state)
{
    /* RFC 5256 §4's example, and one with a missing parent. */
    static const struct thread_node nodes[] = {{2, 0, 0},  {3, 0, 1}, {6, 1, 2},  {4, 2, 1}, {23, 3, 0},
                                               {44, 2, 1}, {7, 3, 1}, {96, 4, 0}, {0, 0, 2}, {3, 1, 0},
                                               {5, 1, 1},  {8, 2, 2}, {9, 3, 0},  {10, 3, 0}};
    struct thread_node copy[sizeof(nodes) / sizeof(*nodes)];
    struct thread_tree tree = {copy, sizeof(nodes) / sizeof(*nodes)};
    struct buf out = buf_make(1000);

    (void)state;
    memcpy(copy, nodes, sizeof(nodes));
    thread_write(&out, &tree);
    assert_true(str_same(buf_str(&out), S("(2)(3 6 (4 23)(44 7 96))((3)(5 8 (9)(10)))")));
    buf_free(&out);
}

static uint64_t seed = 1;

static size_t below(size_t n)
{
    seed = seed * 6364136223846793005 + 1442695040888963407;
    return (size_t)((seed >> 33) % n);
}

static void test_random(void **state)
{
    static const struct str subjects[] = {S(""), S("x"), S("y"), S("z")};
    struct buf quick = buf_make(10000), slow = buf_make(10000);
    struct arena *a = arena_new(0);
    struct thread_item items[MOST];

    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t n = below(MOST + 1), ids = 1 + below(15);
        struct thread_tree tree;

        for (size_t i = 0; i < n; i++) {
            struct buf references = buf_make(100);

            for (size_t r = below(4); r > 0; r--)
                pack_key_u64(&references, 1 + below(ids));
            items[i] = (struct thread_item){(uint32_t)i + 1,   below(2),
                                            (int64_t)below(5), subjects[below(4)],
                                            below(ids + 1),    str_copy(a, buf_str(&references))};
            buf_free(&references);
        }
        assert_true(thread_by_references(a, items, n, SIZE_MAX, &tree));
        thread_write(&quick, &tree);
        thread_naively(&slow, items, n);
        if (!str_same(buf_str(&quick), buf_str(&slow)))
            fail_msg("round %d: %.*s, not %.*s", round, STR_ARG(buf_str(&quick)),
                     STR_ARG(buf_str(&slow)));
        buf_clear(&quick);
        buf_clear(&slow);
        arena_reset(a);
    }
    buf_free(&quick);
    buf_free(&slow);
    arena_free(a);
}

#define MANY 100000

static void test_many(void **state)
{
    struct arena *a = arena_new(0);
    struct thread_item *items = arena_array(a, struct thread_item, MANY);
    struct buf out = buf_make(10000000), references = buf_make(1000);
    struct thread_tree tree;

    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        for (uint32_t i = 0; i < MANY; i++) {
            buf_clear(&references);
            if (kind == 0 && i) /* one chain */
                pack_key_u64(&references, i);
            if (kind == 1) /* the wrong way round */
                pack_key_u64(&references, i + 2);
            for (size_t r = 0; kind == 2 && r < 20; r++) /* strange ones */
                pack_key_u64(&references, 1 + below(MANY));
            for (size_t r = 0; kind == 3 && r < 20; r++) /* long ones, each turning others' round */
                pack_key_u64(&references, 1 + (i % 2 ? i + r : 2 * MANY - i - r) % 1000);
            items[i] = (struct thread_item){i + 1,  true,  (int64_t)below(1000),
                                            S("x"), i + 1, str_copy(a, buf_str(&references))};
        }
        assert_true(thread_by_references(a, items, MANY, SIZE_MAX, &tree));
        assert_true(tree.count >= MANY && tree.count <= 2 * MANY);
        thread_write(&out, &tree);
        assert_false(out.full);
        buf_clear(&out);
        thread_by_subject(a, items, MANY, &tree);
        assert_int_equal(tree.count, MANY);
    }
    buf_free(&out);
    buf_free(&references);
    arena_free(a);
}

/* Two messages, and two that nobody has seen. */
static void test_no_more_than_allowed(void **state)
{
    struct thread_item items[MOST];
    struct arena *a = arena_new(0);
    size_t n = items_of(a, "b:a x,d:c y", items);
    struct thread_tree tree = {.count = 77};

    (void)state;
    for (size_t most = 0; most < 4; most++) {
        assert_false(thread_by_references(a, items, n, most, &tree));
        assert_int_equal(tree.count, 77);
    }
    assert_true(thread_by_references(a, items, n, 4, &tree));
    assert_int_equal(tree.count, 2);
    assert_true(thread_by_references(a, items, 0, 0, &tree));
    assert_int_equal(tree.count, 0);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_references), cmocka_unit_test(test_subjects),
        cmocka_unit_test(test_writing),    cmocka_unit_test(test_random),
        cmocka_unit_test(test_many),       cmocka_unit_test(test_no_more_than_allowed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
