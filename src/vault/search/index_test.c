#include "vault/search/index.h"

#include "base/arena.h"
#include "mail/casemap.h"
#include "vault/search/terms.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define STORE 4711

static char directory[] = "/tmp/posthorn-index-XXXXXX";
static char path[100];
static struct cx cx;
static struct index *x;

static int set_up(void **state)
{
    (void)state;
    cx.arena = arena_new(0);
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/1.idx", directory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    index_remove(path);
    arena_free(cx.arena);
    return rmdir(directory);
}

static void must(enum err e)
{
    if (e)
        fail_msg("%s: %s", err_row(e)->name, cx.cause);
}

static void open_new(void)
{
    index_remove(path);
    must(index_open(&cx, path, STORE, &x));
}

static void open_again(void)
{
    index_close(&x);
    must(index_open(&cx, path, STORE, &x));
}

static void add(uint64_t body, const char *header, const char *text)
{
    struct buf h = buf_make(BUF_UNLIMITED), t = buf_make(BUF_UNLIMITED);

    casemap(&h, str_from_c(header));
    casemap(&t, str_from_c(text));
    must(index_add(x, &cx, (struct body_id){body}, 0, buf_str(&h), buf_str(&t)));
    buf_free(&h);
    buf_free(&t);
}

static enum err ask(unsigned parts, const char *text)
{
    struct buf folded = buf_make(BUF_UNLIMITED), terms = buf_make(BUF_UNLIMITED);
    enum err e;

    casemap(&folded, str_from_c(text));
    assert_true(terms_of(&terms, buf_str(&folded)));
    e = index_ask(x, &cx, parts, buf_str(&terms));
    buf_free(&folded);
    buf_free(&terms);
    return e;
}

static bool is_hit(uint64_t body)
{
    return index_find(x, (struct body_id){body})->hit;
}

static void finds(void **state)
{
    static const struct {
        unsigned parts;
        const char *text;
        bool first, second;
    } rows[] = {
        {INDEX_BODY, "elephant", true, false},
        {INDEX_BODY, "lEPh", true, false}, /* in the middle, whatever the case */
        {INDEX_HEADER, "elephant", false, true},
        {INDEX_HEADER | INDEX_BODY, "elephant", true, true},
        {INDEX_BODY, "café", true, false},
        {INDEX_BODY, "ЖИРАФ", true, true},
        {INDEX_BODY, "日本語", false, true},
        {INDEX_BODY, "\"OR\" *", false, true},
        {INDEX_BODY, "crocodile", false, false},
    };

    (void)state;
    open_new();
    add(20, "Subject: garden\n", "An elephant in a CAFÉ, with a жираф.");
    add(10, "Subject: Elephants\n", "The Жираф, 日本語, and \"or\" * said nothing.");
    must(index_commit(x, &cx, (struct index_reached){5, 6}));
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        must(ask(rows[i].parts, rows[i].text));
        if (is_hit(20) != rows[i].first || is_hit(10) != rows[i].second)
            fail_msg("row %zu: %s", i, rows[i].text);
    }
    index_close(&x);
}

static void keeps_what_was_committed(void **state)
{
    (void)state;
    open_new();
    assert_int_equal(index_reached(x).modseq, 0);
    add(1, "", "elephant");
    must(index_commit(x, &cx, (struct index_reached){8, 9}));
    add(2, "", "elephant");
    assert_null(index_find(x, (struct body_id){2}));
    must(ask(INDEX_BODY, "elephant")); /* between, and it has no effect */
    open_again();
    assert_int_equal(index_count(x), 1);
    assert_int_equal(index_reached(x).modseq, 8);
    assert_int_equal(index_reached(x).email, 9);
    assert_null(index_find(x, (struct body_id){2}));
    add(2, "", "elephant");
    must(index_commit(x, &cx, (struct index_reached){10, 10}));
    open_again();
    must(ask(INDEX_BODY, "elephant"));
    assert_true(is_hit(1) && is_hit(2));
    index_close(&x);
}

static void the_same_content_again(void **state)
{
    (void)state;
    open_new();
    must(index_add(x, &cx, (struct body_id){3}, 1, S("FRED"), S("ELEPHANT")));
    must(index_add(x, &cx, (struct body_id){3}, 2, S("TOMMY"), S("ELEPHANT")));
    must(index_commit(x, &cx, (struct index_reached){1, 1}));
    assert_int_equal(index_count(x), 1);
    assert_int_equal(index_find(x, (struct body_id){3})->stamp, 2);
    must(ask(INDEX_HEADER, "tommy"));
    assert_true(is_hit(3));
    must(index_add(x, &cx, (struct body_id){3}, 5, S("WILMA"), S("ELEPHANT")));
    must(index_commit(x, &cx, (struct index_reached){1, 1}));
    open_again();
    assert_int_equal(index_find(x, (struct body_id){3})->stamp, 5);
    must(ask(INDEX_HEADER, "wilma"));
    assert_true(is_hit(3));
    index_close(&x);
}

static void refuses_what_is_not_its_own(void **state)
{
    int fd;

    (void)state;
    open_new();
    index_close(&x);
    assert_int_equal(index_open(&cx, path, STORE + 1, &x), ERR_DAMAGED);
    index_remove(path);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "This is no database, and long enough to be taken for one.", 57), 57);
    close(fd);
    assert_int_equal(index_open(&cx, path, STORE, &x), ERR_DAMAGED);
    assert_null(x);
}

static void fill(uint64_t from, uint64_t to)
{
    char text[200];

    for (uint64_t k = from; k < to; k++) {
        snprintf(text, sizeof(text), "message %llu has %llx and %llo, and an elephant",
                 (unsigned long long)k, (unsigned long long)k * 2654435761,
                 (unsigned long long)k * 40503);
        add(k, "Subject: numbers", text);
    }
}

/* Of every page one byte, one after the other: either that page is not read, and all is found, or it is noticed. */
static void any_wrong_byte_is_noticed(void **state)
{
    struct stat st;
    unsigned noticed = 0;
    int fd;

    (void)state;
    open_new();
    fill(1, 400);
    must(index_commit(x, &cx, (struct index_reached){1, 1}));
    index_close(&x);
    fd = open(path, O_RDWR);
    assert_false(fstat(fd, &st));
    assert_true(st.st_size > 20 * 4096);
    for (off_t at = 0; at < st.st_size; at += 4096 + 37) {
        char was, is;
        enum err e;

        assert_int_equal(pread(fd, &was, 1, at), 1);
        is = (char)(was ^ 0x10);
        assert_int_equal(pwrite(fd, &is, 1, at), 1);
        e = index_open(&cx, path, STORE, &x);
        if (!e) {
            assert_int_equal(index_count(x), 399);
            e = ask(INDEX_BODY, "elephant");
            for (uint64_t k = 1; !e && k < 400; k++)
                assert_true(is_hit(k));
            index_close(&x);
        }
        noticed += e == ERR_DAMAGED;
        assert_int_equal(pwrite(fd, &was, 1, at), 1);
    }
    close(fd);
    assert_true(noticed >= 3);
    must(index_open(&cx, path, STORE, &x));
    index_close(&x);
}

static void a_short_file_is_noticed(void **state)
{
    enum err e;

    (void)state;
    open_new();
    fill(1, 400);
    must(index_commit(x, &cx, (struct index_reached){1, 1}));
    index_close(&x);
    assert_false(truncate(path, 8 * 4096 + 100));
    e = index_open(&cx, path, STORE, &x);
    if (!e)
        e = ask(INDEX_BODY, "elephant");
    assert_int_equal(e, ERR_DAMAGED);
    index_close(&x);
}

/* A process that dies amid a commit, at whichever of its writes: what the commit before had is there. */
static void dies_amid_writing(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        pid_t child;
        int how, go[2];

        open_new();
        fill(1, 100);
        must(index_commit(x, &cx, (struct index_reached){1, 1}));
        index_close(&x);
        assert_false(pipe(go));
        child = fork();
        if (!child) {
            if (index_open(&cx, path, STORE, &x))
                _exit(1);
            for (uint64_t k = 100;; k += 50) {
                fill(k, k + 50);
                if (write(go[1], "x", 1) != 1 || index_commit(x, &cx, (struct index_reached){k, k}))
                    _exit(1);
            }
        }
        for (int k = 0; k <= round; k++) /* it is about to commit */
            assert_int_equal(read(go[0], &how, 1), 1);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &how, 0), child);
        assert_true(WIFSIGNALED(how));
        close(go[0]);
        close(go[1]);
        must(index_open(&cx, path, STORE, &x));
        assert_true(index_count(x) >= 99);
        must(ask(INDEX_BODY, "elephant"));
        for (uint64_t k = 1; k <= index_count(x); k++)
            assert_true(is_hit(k));
        index_close(&x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds),
        cmocka_unit_test(keeps_what_was_committed),
        cmocka_unit_test(the_same_content_again),
        cmocka_unit_test(refuses_what_is_not_its_own),
        cmocka_unit_test(any_wrong_byte_is_noticed),
        cmocka_unit_test(a_short_file_is_noticed),
        cmocka_unit_test(dies_amid_writing),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
