/* The last step of a restore: what is in the queue waits, goes or goes on, as was asked; each account is renewed once; and
 * the mark goes when all of it is done, not before. */
#include "vault/admin/test_world.h"

#include "base/scoped.h"
#include "vault/session.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* In a directory of its own with the mark in it, as a vault that renews is. */
static int open_marked(void **state)
{
    char path[] = "/tmp/restore_test.XXXXXX";
    int fd;

    if (!mkdtemp(path) || chdir(path))
        return -1;
    fd = open(RESTORE_MARK, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    close(fd);
    return fd < 0 ? -1 : world_open(state);
}

static int close_marked(void **state)
{
    char *path = getcwd(NULL, 0);

    unlink(RESTORE_MARK);
    if (!path || chdir("/") || rmdir(path))
        return -1;
    free(path);
    return world_close(state);
}

static bool is_marked(void)
{
    return access(RESTORE_MARK, F_OK) == 0;
}

/* All steps; what they came to. */
static struct restore_step_reply restore(struct world *w, uint32_t queue)
{
    struct restore_step_request q = {.queue = queue};
    struct restore_step_reply sum = {0};

    while (q.after_account != UINT64_MAX) {
        struct restore_step_reply r = {0};

        assert_true(is_marked());
        must(w, serve_restore_step(&w->c, &q, &r));
        sum.accounts += r.accounts;
        sum.mailboxes += r.mailboxes;
        sum.entries += r.entries;
        q.after_account = r.next_account;
    }
    return sum;
}

/* The one entry there was: is it there? */
static bool read_entry(struct world *w, struct entry_row *row)
{
    scoped(view_close) struct view *v = view_open(w->vault.engine);
    bool found;

    must(w, entry_read(v, &w->c.cx, (struct entry_id){w->queued.v, 1}, row, &found));
    return found;
}

static void test_held(void **state)
{
    struct world *w = *state;
    struct restore_step_reply r = restore(w, RESTORE_HOLD);
    struct entry_row row;

    assert_int_equal(r.accounts, 2);
    assert_int_equal(r.mailboxes, 12);
    assert_int_equal(r.entries, 1);
    assert_false(is_marked());
    assert_true(read_entry(w, &row));
    assert_true(row.held);
    assert_true(str_same(check_text(w), STR_NONE));
}

static void test_kept(void **state)
{
    struct world *w = *state;
    struct entry_row row;

    assert_int_equal(restore(w, RESTORE_KEEP).entries, 0);
    assert_true(read_entry(w, &row));
    assert_false(row.held);
    assert_true(str_same(check_text(w), STR_NONE));
}

static void test_dropped(void **state)
{
    struct world *w = *state;
    struct entry_row row;

    assert_int_equal(restore(w, RESTORE_DROP).entries, 1);
    assert_false(read_entry(w, &row));
    assert_true(str_same(check_text(w), STR_NONE));
}

static void test_nonsense(void **state)
{
    struct world *w = *state;

    for (uint32_t queue = 0; queue < 6; queue++) {
        struct restore_step_request q = {.queue = queue};
        struct restore_step_reply r = {0};

        if (queue >= RESTORE_KEEP && queue <= RESTORE_DROP)
            continue;
        assert_int_equal(serve_restore_step(&w->c, &q, &r), ERR_BAD_CALL);
        assert_true(is_marked());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_held, open_marked, close_marked),
        cmocka_unit_test_setup_teardown(test_kept, open_marked, close_marked),
        cmocka_unit_test_setup_teardown(test_dropped, open_marked, close_marked),
        cmocka_unit_test_setup_teardown(test_nonsense, open_marked, close_marked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
