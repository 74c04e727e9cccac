/* The parts of the load generator that compute: what they say is what the figures rest on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "imap.h"
#include "letter.h"
#include "message.h"
#include "options.h"
#include "pop3.h"
#include "stats.h"

static void percentiles_are_exact(void **state)
{
    static const struct {
        size_t n; /* values 1..n */
        double percent;
        uint32_t want;
    } rows[] = {
        {0, 50, 0},    {1, 50, 1},     {1, 99, 1},      {2, 50, 1},      {4, 50, 2},
        {100, 99, 99}, {101, 99, 100}, {100, 100, 100}, {1000, 99, 990}, {3, 0, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sample s = {0};

        for (size_t v = rows[i].n; v; v--)
            sample_add(&s, (int64_t)v);
        sample_sort(&s);
        if (sample_percentile(&s, rows[i].percent) != rows[i].want)
            fail_msg("row %zu: %u", i, sample_percentile(&s, rows[i].percent));
        sample_free(&s);
    }
}

/* Exactly as long as asked, every line ended by CRLF and none beginning with a dot or longer than 998. */
static void messages_have_their_size(void **state)
{
    struct message_source *source = message_source_new();
    struct buf out = buf_make(BUF_UNLIMITED);

    (void)state;
    for (size_t size = 2048; size < 2048 + 200; size++) {
        struct str all, line;

        buf_clear(&out);
        message_add(source, &out, size, "load@sender.test", "user1@bench.test");
        all = buf_str(&out);
        assert_int_equal(all.n, size);
        while (take_until(&all, '\n', &line)) {
            assert_true(line.n >= 1 && line.n <= 999 && line.p[line.n - 1] == '\r');
            assert_true(line.p[0] != '.');
        }
        assert_int_equal(all.n, 0);
    }
    buf_clear(&out);
    message_add(source, &out, 10 << 20, "a@b.test",
                "c@d.test"); /* longer than the pool it is cut from */
    assert_int_equal(out.n, 10 << 20);
    buf_free(&out);
    message_source_free(source);
}

/* Each text is fed whole, then cut at each place, then byte by byte. */
static void pop3_texts_end_at_the_dot_line(void **state)
{
    static const struct {
        const char *text;
        uint64_t octets;
        const char *left;
    } rows[] = {
        {".\r\n", 0, ""},
        {"a\r\n.\r\n", 3, ""},
        {"a\r\n.\r\n+OK\r\n", 3, "+OK\r\n"},
        {"a.\r\n.\r\n", 4, ""}, /* a dot at the end of a line is text */
        {"..\r\n.\r\n", 4, ""}, /* stuffed */
        {"a\r\n..b\r\n...\r\n.\r\n.\r\n", 13, ".\r\n"},
        {"\r\n\r\n.\r\n", 4, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct str text = str_from_c(rows[i].text);

        for (size_t cut = 0; cut <= text.n + 1; cut++) {
            struct buf in = buf_make(BUF_UNLIMITED);
            bool after_line = true, ended = false;
            uint64_t octets = 0;

            for (size_t at = 0; at < text.n;) {
                size_t n = cut > text.n ? 1 : at < cut ? cut - at : text.n - at;

                buf_add(&in, str_upto(str_from(text, at), n));
                if (!ended)
                    ended = pop3_take_text(&in, &after_line, &octets);
                at += n;
            }
            if (!ended || octets != rows[i].octets || !str_same(buf_str(&in), str_from_c(rows[i].left)))
                fail_msg("row %zu cut %zu: ended %d octets %d", i, cut, ended, (int)octets);
            buf_free(&in);
        }
    }
}

/* Splits at spaces, in place, behind a program's name. */
static int split(char *text, char **args, int most)
{
    static char name[] = "posthorn-bench";
    int n = 0;

    for (args[n++] = name; text && n < most; n++)
        args[n] = strsep(&text, " ");
    return n;
}

static void options_are_checked(void **state)
{
    static const struct {
        const char *args;
        bool good;
    } rows[] = {
        {"smtp --to 127.0.0.1:25 --address a@b.test", true},
        {"smtp --to 127.0.0.1:25 --address a%d@b.test --accounts 3 --recipients 3 --bdat --tls start",
         true},
        {"smtp --to 127.0.0.1:25", false},
        {"smtp --to 127.0.0.1 --address a@b.test", false},
        {"smtp --to 127.0.0.1:99999 --address a@b.test", false},
        {"smtp --to h:25 --address a@b.test", false},
        {"smtp --to 127.0.0.1:25 --address a@b.test --accounts 2", false}, /* one address for two */
        {"smtp --to 127.0.0.1:25 --address a%d@b.test --accounts 2 --recipients 3", false},
        {"smtp --to 127.0.0.1:25 --address a@b.test --size 1", false},
        {"smtp --to 127.0.0.1:25 --address a@b.test --size", false},
        {"smtp --to 127.0.0.1:25 --address a@b.test --tls maybe", false},
        {"signon --to 127.0.0.1:25 --address a@b.test --bdat", false}, /* another command's */
        {"telnet", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct options o;
        char text[256], *args[32];

        snprintf(text, sizeof text, "%s", rows[i].args);
        if (options_parse(split(text, args, 32), args, &o) != rows[i].good)
            fail_msg("row %zu: %s", i, rows[i].args);
    }
}

static void patterns_number_from_one(void **state)
{
    char text[] = "signon --to 127.0.0.1:1 --address user%d@bench.test", *args[8], out[MAX_ADDRESS];
    struct options o;

    (void)state;
    assert_true(options_parse(split(text, args, 8), args, &o));
    pattern_write(&o.address, 0, out);
    assert_string_equal(out, "user1@bench.test");
    pattern_write(&o.address, 99, out);
    assert_string_equal(out, "user100@bench.test");
}

static void replies_end_with_their_tag(void **state)
{
    static const struct {
        const char *in;
        bool whole;
        const char *line; /* NULL: not yet */
    } rows[] = {
        {"b7 OK done\r\n", true, "OK done"},
        {"* 1 FETCH (FLAGS ())\r\nb7 OK [X] done\r\n", true, "OK [X] done"},
        {"* 1 FETCH (FLAGS ())\r\nb7 OK done", true, NULL},
        {"* 1 FETCH (FLAGS ())\r\n", true, NULL},
        {"b77 OK done\r\n", true, NULL},
        {"b7 OK done\r\n", false,
         NULL}, /* its begin was thrown away: this may be the end of anything */
        {"text\r\nb7 NO sorry\r\n", false, "NO sorry"},
        {"b7 OK done\r\n* BYE\r\n", true, NULL},
        {"\r\n", true, NULL},
        {"", true, NULL},
    };
    struct str line;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool got = imap_take_reply(str_from_c(rows[i].in), S("b7"), rows[i].whole, &line);

        if (got != (rows[i].line != NULL) || (got && !str_same(line, str_from_c(rows[i].line))))
            fail_msg("row %zu", i);
    }
}

static void scripts_are_steps(void **state)
{
    struct imap_script s;
    uint64_t wrong;

    (void)state;
    assert_true(imap_script_parse(
        S("# what\nselect 20 SELECT INBOX\n\nfill 1000 !APPEND 100 INBOX\n- 1 CREATE x"), &s, &wrong));
    assert_int_equal(s.n, 3);
    assert_int_equal(s.steps[0].times, 20);
    assert_true(str_same(s.steps[0].command, S("SELECT INBOX")));
    assert_string_equal(s.steps[0].figure, "select_ms");
    assert_int_equal(s.steps[1].batch, 100);
    assert_true(str_same(s.steps[1].command, S("INBOX")));
    assert_string_equal(s.steps[1].figure, "fill_per_s");
    assert_string_equal(s.steps[2].name, "-");
    assert_false(imap_script_parse(S("a 1 NOOP\nb 0 NOOP\n"), &s, &wrong));
    assert_int_equal(wrong, 2);
    assert_false(imap_script_parse(S("a 1 !APPEND 0 INBOX\n"), &s, &wrong));
    assert_false(imap_script_parse(S("a 1\n"), &s, &wrong));
}

/* The same for every server, and fit to be sent as they are. */
static void letters_are_the_same_each_time(void **state)
{
    struct buf a = buf_make(BUF_UNLIMITED), b = buf_make(BUF_UNLIMITED);
    size_t at, rare = 0;

    (void)state;
    for (uint64_t n = 9000; n < 11000; n++) {
        struct str all, line;

        buf_clear(&a);
        buf_clear(&b);
        letter_add(&a, n);
        letter_add(&b, n);
        assert_true(str_same(buf_str(&a), buf_str(&b)));
        rare += str_find(buf_str(&a), S(LETTER_RARE), &at);
        all = buf_str(&a);
        while (take_until(&all, '\n', &line))
            assert_true(line.n >= 1 && line.n <= 999 && line.p[line.n - 1] == '\r');
        assert_int_equal(all.n, 0);
    }
    assert_int_equal(rare, 1);
    buf_free(&a);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_end_with_their_tag),
        cmocka_unit_test(scripts_are_steps),
        cmocka_unit_test(letters_are_the_same_each_time),
        cmocka_unit_test(percentiles_are_exact),
        cmocka_unit_test(messages_have_their_size),
        cmocka_unit_test(pop3_texts_end_at_the_dot_line),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(patterns_number_from_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
