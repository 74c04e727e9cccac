#include "vault/store/folders_testing.h"

#include "vault/store/changes.h"

enum err try_create(const char *name, struct mailbox_id *id)
{
    struct ticket t;
    enum err e = folder_create(store, &cx, TOM, spelled_so(str_from_c(name)), 0, id, &t);

    if (!e)
        must(engine_wait(engine, &cx, t));
    return e;
}

struct mailbox_id make_folder(const char *name)
{
    struct mailbox_id id;

    must(try_create(name, &id));
    return id;
}

enum err find_in(struct account_id account, struct str name, struct folder *f)
{
    struct view *v = view_open(engine);
    enum err e = folder_find(v, &cx, account, name, f);

    view_close(&v);
    return e;
}

struct folder folder_named(const char *name)
{
    struct folder f;

    must(find_in(TOM, str_from_c(name), &f));
    return f;
}

bool folder_exists(const char *name)
{
    struct folder f;
    enum err e = find_in(TOM, str_from_c(name), &f);

    if (e)
        assert_int_equal(e, ERR_NOT_FOUND);
    return !e;
}

struct folder folder_by_id(struct mailbox_id id)
{
    struct view *v = view_open(engine);
    struct folder f;

    must(folder_of(v, &cx, TOM, id, &f));
    view_close(&v);
    return f;
}

enum err try_delete(const char *name)
{
    struct ticket t;
    enum err e = folder_delete(store, &cx, TOM, folder_named(name).id, &t);

    if (!e)
        must(engine_wait(engine, &cx, t));
    return e;
}

enum err try_rename(const char *from, const char *to)
{
    struct ticket t;
    enum err e = folder_rename(store, &cx, TOM, folder_named(from).id, spelled_so(str_from_c(to)), &t);

    if (!e)
        must(engine_wait(engine, &cx, t));
    return e;
}

enum err try_subscribe(struct str name, bool yes)
{
    struct ticket t;
    enum err e = folder_subscribe(store, &cx, TOM, name, yes, &t);

    if (!e)
        must(engine_wait(engine, &cx, t));
    return e;
}

static void assert_same(const struct folder *a, const struct folder *b)
{
    assert_int_equal(a->id.v, b->id.v);
    assert_int_equal(a->parent.v, b->parent.v);
    assert_true(str_same(a->name, b->name));
    assert_int_equal(a->roles, b->roles);
    assert_int_equal(a->no_select, b->no_select);
    assert_int_equal(a->has_children, b->has_children);
    assert_int_equal(a->subscribed, b->subscribed);
    assert_int_equal(a->uid_validity, b->uid_validity);
    assert_int_equal(a->uid_next, b->uid_next);
    assert_int_equal(a->modseq, b->modseq);
    assert_int_equal(a->exists, b->exists);
    assert_int_equal(a->unseen, b->unseen);
    assert_int_equal(a->deleted, b->deleted);
    assert_int_equal(a->first_recent, b->first_recent);
    assert_int_equal(a->bytes, b->bytes);
    assert_int_equal(a->deleted_bytes, b->deleted_bytes);
    assert_int_equal(a->damaged, b->damaged);
}

const char *tree_text(void)
{
    struct buf b = buf_make(100000);
    struct view *v = view_open(engine);
    struct account_figures figures;
    struct folder *list, one;
    const char *text;
    size_t n;

    must(folder_list(v, &cx, TOM, &list, &n));
    must(account_figures(v, &cx, TOM, &figures));
    assert_int_equal(n, figures.mailboxes);
    for (size_t i = 0; i < n; i++) {
        must(folder_of(v, &cx, TOM, list[i].id, &one));
        assert_same(&one, &list[i]);
        must(folder_find(v, &cx, TOM, list[i].name, &one));
        assert_same(&one, &list[i]);
        if (list[i].id.v > INBOX.v && list[i].id.v < INBOX.v + 6)
            continue;
        buf_printf(&b, list[i].no_select ? "%s(%.*s)" : "%s%.*s", b.n ? " " : "",
                   STR_ARG(list[i].name));
    }
    view_close(&v);
    text = str_to_c(cx.arena, buf_str(&b));
    buf_free(&b);
    return text;
}
