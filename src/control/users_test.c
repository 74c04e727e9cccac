/* Who has a login, and how the supervisor hears of new ones. */
#include "base/arena.h"
#include "control/layout.h"
#include "control/users.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static void test_everybody_but_the_rooms(void **state)
{
    struct arena *arena = arena_new(0);
    struct room_users_request q;
    bool root = false;

    (void)state;
    users_list(arena, &q);
    for (size_t i = 0; i < q.users_count; i++) {
        root |= q.users[i].uid == 0 && str_same(q.users[i].name, S("root"));
        assert_false(str_same(q.users[i].name, S(VAULT_USER)) ||
                     str_same(q.users[i].name, S(GATE_USER)));
    }
    assert_true(root);
    arena_free(arena);
}

static void write_file(const char *directory, const char *name)
{
    char path[100];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
}

static void move_file(const char *directory, const char *from, const char *to)
{
    char old[100], new[100];

    snprintf(old, sizeof(old), "%s/%s", directory, from);
    snprintf(new, sizeof(new), "%s/%s", directory, to);
    assert_int_equal(rename(old, new), 0);
}

static void test_a_change_is_noticed(void **state)
{
    char directory[] = "/tmp/posthorn-users-XXXXXX", command[100];
    int watch;

    (void)state;
    assert_non_null(mkdtemp(directory));
    watch = users_watch(directory);
    assert_true(watch >= 0);
    assert_false(users_changed(watch));
    write_file(directory, "passwd+");
    assert_false(users_changed(watch));
    move_file(directory, "passwd+", "passwd"); /* as useradd does it */
    assert_true(users_changed(watch));
    assert_false(users_changed(watch));
    write_file(directory, "passwd"); /* as somebody with an editor may */
    assert_true(users_changed(watch));
    close(watch);
    assert_int_equal(users_watch("/nonexistent"), -1);
    snprintf(command, sizeof(command), "rm -r %s", directory);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everybody_but_the_rooms),
        cmocka_unit_test(test_a_change_is_noticed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
