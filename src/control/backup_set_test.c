/* A manifest is read as it was written, and one that somebody else wrote names nothing outside of a data directory. */
#include "base/scoped.h"
#include "control/backup_set.h"

#include <inttypes.h>
#include <stdarg.h>

#include <setjmp.h>
#include <cmocka.h>

#define SUM "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEAD "posthorn-backup 1\nhostname mail.example.com\ntime 1764300000000\nstore-format 2\n"

static struct arena *arena;
static struct cx cx;

static enum err parse(struct str text, struct backup_set *s)
{
    *s = (struct backup_set){.arena = arena};
    cx = (struct cx){.arena = arena};
    return backup_set_parse(&cx, text, s);
}

/* With the check value that belongs to it: it is the lines that are judged. */
static enum err parse_sealed(struct str lines)
{
    scoped(sum_free) struct sum *sum = sum_new();
    scoped(buf_free) struct buf text = buf_make(lines.n + 1000);
    char hex[SHA256_HEX + 1];
    struct backup_set s;
    enum err e;

    sum_feed(sum, lines);
    sum_end(sum, hex);
    buf_add(&text, lines);
    buf_printf(&text, "end %s\n", hex);
    e = parse(buf_str(&text), &s);
    backup_set_free(&s);
    return e;
}

static void write_one(struct buf *text)
{
    struct backup_set s = {
        .arena = arena, .hostname = S("mail.example.com"), .time = 5, .store_format = 2};

    backup_set_add(&s, S("store/CURRENT"), 16, SUM);
    backup_set_add(&s, S("tls/key.pem"), 0, SUM);
    backup_set_write(&s, text);
    backup_set_free(&s);
}

static void test_as_it_was_written(void **state)
{
    scoped(buf_free) struct buf text = buf_make(10000);
    struct backup_set s;

    (void)state;
    write_one(&text);
    assert_int_equal(parse(buf_str(&text), &s), OK);
    assert_true(str_same(s.hostname, S("mail.example.com")));
    assert_int_equal(s.time, 5);
    assert_int_equal(s.store_format, 2);
    assert_int_equal(s.count, 2);
    assert_int_equal(backup_set_bytes(&s), 16);
    assert_int_equal(backup_set_find(&s, S("store/CURRENT"))->size, 16);
    assert_string_equal(backup_set_find(&s, S("tls/key.pem"))->sha256, SUM);
    assert_null(backup_set_find(&s, S("tls/cert.pem")));
    backup_set_free(&s);
}

static void test_cut_off_or_changed(void **state)
{
    scoped(buf_free) struct buf text = buf_make(10000);
    struct backup_set s;

    (void)state;
    write_one(&text);
    for (size_t n = 0; n < text.n; n++) {
        assert_int_equal(parse(str_upto(buf_str(&text), n), &s), ERR_DAMAGED);
        backup_set_free(&s);
    }
    for (size_t i = 0; i < text.n; i++) {
        text.p[i] ^= 1;
        assert_int_not_equal(parse(buf_str(&text), &s), OK);
        backup_set_free(&s);
        text.p[i] ^= 1;
    }
    buf_add_char(&text, '\n');
    assert_int_equal(parse(buf_str(&text), &s), ERR_DAMAGED);
    backup_set_free(&s);
}

static void test_hostile_lines(void **state)
{
    static const struct {
        struct str lines;
        enum err e;
        const char *why;
    } rows[] = {
        {{HEAD, sizeof(HEAD) - 1}, OK, "no file at all"},
#define FILE_LINE(name) {HEAD "file " SUM " 1 " name "\n", sizeof(HEAD "file " SUM " 1 " name "\n") - 1}
        {FILE_LINE("store/000012.sst"), OK, "a file"},
        {FILE_LINE("tls/cert.pem"), OK, "the certificate"},
        {FILE_LINE("store/../x"), ERR_DAMAGED, "a way out"},
        {FILE_LINE("store/.."), ERR_DAMAGED, "the directory above"},
        {FILE_LINE("store/."), ERR_DAMAGED, "the directory"},
        {FILE_LINE("store/.hidden"), ERR_DAMAGED, "a hidden one"},
        {FILE_LINE("store/"), ERR_DAMAGED, "no name"},
        {FILE_LINE("store/a/b"), ERR_DAMAGED, "a directory beneath"},
        {FILE_LINE("store/CURRENT\0x"), ERR_DAMAGED, "a NUL, which ends a path"},
        {FILE_LINE("store/a b"), ERR_DAMAGED, "a space"},
        {FILE_LINE("store/\x1b[2J"), ERR_DAMAGED, "what steers a terminal"},
        {FILE_LINE("store/\xc3\xa4"), ERR_DAMAGED, "beyond ASCII"},
        {FILE_LINE("/etc/passwd"), ERR_DAMAGED, "from the root"},
        {FILE_LINE("tls/../posthorn.conf"), ERR_DAMAGED, "another name of a file"},
        {FILE_LINE("tls/other.pem"), ERR_DAMAGED, "no certificate of ours"},
        {FILE_LINE(""), ERR_DAMAGED, "nothing"},
#undef FILE_LINE
#define LINE(text) {HEAD text "\n", sizeof(HEAD text "\n") - 1}
        {LINE("file " SUM " -1 store/a"), ERR_DAMAGED, "a negative size"},
        {LINE("file " SUM " 18446744073709551616 store/a"), ERR_DAMAGED, "a size of 65 bits"},
        {LINE("file " SUM " 9223372036854775808 store/a"), ERR_DAMAGED, "a size of 64 bits"},
        {LINE("file " SUM " 9223372036854775807 store/a\nfile " SUM " 1 store/b"), ERR_DAMAGED,
         "the sum"},
        {LINE("file ../../etc/passwd 1 store/a"), ERR_DAMAGED, "no check value"},
        {LINE("file 0" SUM " 1 store/a"), ERR_DAMAGED, "one that is too long"},
        {LINE("file ABCDEF6789abcdef0123456789abcdef0123456789abcdef0123456789abcdef 1 store/a"),
         ERR_DAMAGED, "in capitals"},
        {LINE("link " SUM " 1 store/a"), ERR_DAMAGED, "another word"},
#undef LINE
        {S("posthorn-backup 2\n"), ERR_CONFIG, "a newer format"},
        {S("posthorn-backup 1\nhostname \x1b[2J\ntime 1\nstore-format 2\n"), ERR_DAMAGED,
         "a terminal's host"},
        {S("posthorn-backup 1\nhostname \ntime 1\nstore-format 2\n"), ERR_DAMAGED, "no host"},
        {S("posthorn-backup 1\nhostname a\ntime x\nstore-format 2\n"), ERR_DAMAGED, "no time"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (parse_sealed(rows[i].lines) != rows[i].e)
            fail_msg("row %zu: %s", i, rows[i].why);
}

static int set_up(void **state)
{
    (void)state;
    arena = arena_new(0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_it_was_written),
        cmocka_unit_test(test_cut_off_or_changed),
        cmocka_unit_test(test_hostile_lines),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
