/* A power cut at the commit of each operation on mailboxes and messages. Either all of it happened or nothing did, and
 * `check` finds nothing; what was shown before is never taken back (UIDVALIDITY, UIDNEXT, modseq); the client was told
 * of a failure; and the operation can be done again. */
#include "vault/admin/test_world.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/scoped.h"
#include "vault/store/acl.h"
#include "vault/store/changes.h"
#include "vault/store/collect.h"
#include "vault/store/folders.h"
#include "vault/store/folders_edit.h"
#include "vault/store/messages.h"
#include "vault/store/metadata.h"
#include "vault/store/threads.h"

#include <stdlib.h>

#define OPERATION(name) static enum err name(struct world *w, struct ticket *t)
#define IN(account, id) ((struct mailbox_ref){account, {id}})
#define ALL (&(struct imap_set){.ranges = &(struct imap_range){1, UINT32_MAX - 1}, .count = 1})

OPERATION(set_flags)
{
    struct str keyword = S("$Work");
    struct flags_change c = {.how = FLAGS_ADD, .flags = {FLAG_SEEN | FLAG_DELETED, &keyword, 1}};
    struct flags_result r;

    return messages_set_flags(w->vault.store, &w->c.cx, IN(w->tom, 1), ALL, &c, &r, t);
}
OPERATION(copy)
{
    struct copied c;

    return messages_copy(w->vault.store, &w->c.cx, IN(w->tom, 1), ALL, IN(w->tom, 3), UINT64_MAX, &c,
                         t);
}
OPERATION(move)
{
    struct copied c;

    return messages_move(w->vault.store, &w->c.cx, IN(w->tom, 1), ALL, IN(w->tom, 3), UINT64_MAX, &c,
                         t);
}
OPERATION(copy_to_fred)
{
    struct copied c;

    return messages_copy(w->vault.store, &w->c.cx, IN(w->tom, 1), ALL, IN(w->fred, 1), UINT64_MAX, &c,
                         t);
}
OPERATION(move_to_fred)
{
    struct copied c;

    return messages_move(w->vault.store, &w->c.cx, IN(w->tom, 1), ALL, IN(w->fred, 3), UINT64_MAX, &c,
                         t);
}
OPERATION(expunge)
{
    struct removed r;

    return messages_remove(w->vault.store, &w->c.cx, IN(w->tom, 1), NULL, false, &r, t);
}
static struct new_message some_message(const struct cold_row *looks)
{
    struct new_message m = {.body = {.id = {fresh_id()}, .last = S("Subject: new\r\n\r\n"), .size = 16},
                            .looks = looks};

    digest_of(m.body.last, m.body.sha256);
    return m;
}
OPERATION(append)
{
    struct cold_row looks = {0};
    struct new_message v[20];
    struct added a;

    for (int i = 0; i < 20; i++)
        v[i] = some_message(&looks);
    return messages_append(w->vault.store, &w->c.cx, IN(w->tom, 1), v, 20, &a, t);
}
OPERATION(replace)
{
    struct cold_row looks = {0};
    struct new_message m = some_message(&looks);
    struct added a;
    enum err e = messages_replace(w->vault.store, &w->c.cx, IN(w->tom, 1), 2, IN(w->tom, 6), &m, &a, t);

    return e == ERR_GONE ? OK : e; /* the second time */
}
OPERATION(create)
{
    struct mailbox_id id;
    enum err e =
        folder_create(w->vault.store, &w->c.cx, w->tom, spelled_so(S("a/b/c")), ROLE_ALL, &id, t);

    return e == ERR_EXISTS ? OK : e;
}
OPERATION(delete)
{
    enum err e = folder_delete(w->vault.store, &w->c.cx, w->tom, (struct mailbox_id){2}, t);

    return e == ERR_NOT_FOUND ? OK : e;
}
OPERATION(rename_one)
{
    enum err e = folder_rename(w->vault.store, &w->c.cx, w->tom, (struct mailbox_id){3},
                               spelled_so(S("x/y")), t);

    return e == ERR_EXISTS ? OK : e;
}
OPERATION(rename_inbox)
{
    enum err e = folder_rename(w->vault.store, &w->c.cx, w->tom, INBOX, spelled_so(S("old/mail")), t);

    return e == ERR_EXISTS ? OK : e;
}
OPERATION(set_roles)
{
    const uint32_t roles = ROLE_TRASH;
    const struct metadata both[] = {{.entry = S("/private/specialuse"), .roles = &roles},
                                    {.entry = S("/private/comment"), .value = S("old")}};

    return metadata_set(w->vault.store, &w->c.cx, w->tom, (struct mailbox_id){3}, w->tom, both, 2, t);
}
OPERATION(subscribe)
{
    return folder_subscribe(w->vault.store, &w->c.cx, w->tom, S("anything"), true, t);
}
OPERATION(give_rights)
{
    return acl_set(w->vault.store, &w->c.cx, w->tom, INBOX, w->fred, false, ACL_ADD, 3, t);
}
OPERATION(annotate)
{
    struct metadata m = {.entry = S("/shared/comment"), .value = S("ours")};

    return metadata_set(w->vault.store, &w->c.cx, w->tom, INBOX, w->tom, &m, 1, t);
}
OPERATION(be_recent)
{
    uint32_t first;
    enum err e = mailbox_recent(w->vault.store, &w->c.cx, IN(w->tom, 1), true, &first);

    *t = engine_newest(w->vault.engine);
    return e;
}
/* Two letters with one id between them. */
OPERATION(thread)
{
    struct letter v[] = {{.body = w->first, .count = 2, .keys = {7, 9}},
                         {.body = w->second, .count = 1, .keys = {9}}};

    return threads_assign(w->vault.store, &w->c.cx, w->tom, v, 2, t);
}
OPERATION(collect_all)
{
    struct collected c;

    *t = engine_newest(w->vault.engine);
    return collect(w->vault.store, &w->c.cx, INT64_MAX, &c);
}

/* ---- what must not go back ---- */

struct shown {
    struct account_figures figures;
    struct folder *folders;
    size_t n;
};

static void look(struct world *w, struct account_id account, struct shown *s)
{
    struct view *v = view_open(w->vault.engine);

    must(w, account_figures(v, &w->c.cx, account, &s->figures));
    must(w, folder_list(v, &w->c.cx, account, &s->folders, &s->n));
    view_close(&v);
}

static void must_not_go_back(const struct shown *before, const struct shown *after)
{
    assert_true(after->figures.modseq >= before->figures.modseq);
    for (size_t i = 0; i < before->n; i++)
        for (size_t k = 0; k < after->n; k++) {
            const struct folder *a = &before->folders[i], *b = &after->folders[k];

            if (a->id.v != b->id.v)
                continue;
            assert_true(b->uid_validity >= a->uid_validity);
            if (b->uid_validity == a->uid_validity) {
                assert_true(b->uid_next >= a->uid_next);
                assert_true(b->modseq >= a->modseq);
            }
        }
}

/* Modseqs count operations: it happened whole, or not at all. */
static void must_be_whole(const struct shown *before, const struct shown *after)
{
    assert_in_range(after->figures.modseq, before->figures.modseq, before->figures.modseq + 1);
}

/* ---- the cuts ---- */

struct operation {
    enum err (*run)(struct world *w, struct ticket *t);
    const char *name;
};

static void cut_at(const struct operation *o, bool keep)
{
    struct world *w;
    struct shown before, after, again;
    struct ticket t = {0};
    struct str said;
    enum err e;

    world_open((void **)&w);
    look(w, w->tom, &before);
    memory_engine_cut_power_at_commit(w->vault.engine, 1, keep);
    e = o->run(w, &t);
    assert_true(e || engine_wait(w->vault.engine, &w->c.cx, t)); /* nobody was told that it is done */
    engine_tend(w->vault.engine);
    assert_true(engine_is_open(w->vault.engine));
    look(w, w->tom, &after);
    must_not_go_back(&before, &after);
    must_be_whole(&before, &after);
    said = check_text(w);
    if (said.n)
        fail_msg("%s, kept %d:\n%.*s", o->name, keep, STR_ARG(said));
    durable(w, o->run(w, &t), t);
    look(w, w->tom, &again);
    must_not_go_back(&after, &again);
    said = check_text(w);
    if (said.n)
        fail_msg("%s, kept %d, again:\n%.*s", o->name, keep, STR_ARG(said));
    world_close((void **)&w);
}

static void test_power_cuts(void **state)
{
#define ROW(name)                                                                                      \
    {                                                                                                  \
        name, #name                                                                                    \
    }
    static const struct operation rows[] = {
        ROW(set_flags),  ROW(copy),         ROW(move),        ROW(copy_to_fred), ROW(move_to_fred),
        ROW(expunge),    ROW(append),       ROW(replace),     ROW(create),       ROW(delete),
        ROW(rename_one), ROW(rename_inbox), ROW(set_roles),   ROW(subscribe),    ROW(give_rights),
        ROW(annotate),   ROW(be_recent),    ROW(collect_all), ROW(thread),
    };
#undef ROW

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        for (int keep = 0; keep < 2; keep++)
            cut_at(&rows[i], keep);
}

/* All of them one after another, several times over: nothing that `check` could find fault with. */
static void test_one_after_another(void **state)
{
    static enum err (*const all[])(struct world * w, struct ticket * t) = {
        append,      thread,   set_flags, copy,       copy_to_fred, create,    move,   expunge,
        give_rights, annotate, append,    rename_one, rename_inbox, subscribe, append, move_to_fred,
        thread,      replace,  delete,    set_roles,  collect_all,  be_recent,
    };
    struct world *w = *state;

    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
            struct shown before, after;
            struct ticket t = {0};
            struct str said;

            look(w, w->tom, &before);
            durable(w, all[i](w, &t), t);
            look(w, w->tom, &after);
            must_not_go_back(&before, &after);
            said = check_text(w);
            if (said.n)
                fail_msg("round %d, operation %zu:\n%.*s", round, i, STR_ARG(said));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_power_cuts),
        cmocka_unit_test_setup_teardown(test_one_after_another, world_open, world_close),
    };

    log_start("power_test", LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
