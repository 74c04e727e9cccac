#include "vault/engine/test_support.h"

#include "base/arena.h"
#include "base/scoped.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void test_dir_make(struct test_dir *d)
{
    const char *base = getenv("TMPDIR");

    snprintf(d->path, sizeof(d->path), "%s/engine-test-XXXXXX", base && *base ? base : "/tmp");
    assert_non_null(mkdtemp(d->path));
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

void test_dir_remove(struct test_dir *d)
{
    nftw(d->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void put_c(struct txn *t, struct part part, const char *key, const char *value)
{
    txn_put(t, part, str_from_c(key), str_from_c(value));
}

const char *view_text(struct engine *e, struct cx *cx, struct part part, const char *key)
{
    scoped(view_close) struct view *v = view_open(e);
    struct str value;
    bool found;
    enum err err;

    if (!v)
        return "closed";
    err = view_get(v, cx, part, str_from_c(key), &value, &found);
    if (err)
        return err_row(err)->name;
    return found ? str_to_c(cx->arena, value) : "-";
}

const char *scan_text(struct scan **s, struct cx *cx)
{
    struct buf out = buf_make(100000);
    struct str key, value, text;
    enum err err;

    while (scan_next(*s, &key, &value))
        buf_printf(&out, "%s%.*s=%.*s", out.n ? " " : "", STR_ARG(key), STR_ARG(value));
    err = scan_error(*s, cx);
    if (err)
        buf_printf(&out, "%s%s", out.n ? " " : "", err_row(err)->name);
    scan_close(s);
    text = str_copy(cx->arena, buf_str(&out));
    buf_free(&out);
    return str_to_c(cx->arena, text);
}

const char *view_scan_text(struct engine *e, struct cx *cx, struct part part, const char *from,
                           const char *to, bool backwards)
{
    scoped(view_close) struct view *v = view_open(e);
    struct scan *s;

    assert_non_null(v);
    assert_int_equal(view_scan(v, cx, part, str_from_c(from), str_from_c(to), backwards, &s), OK);
    return scan_text(&s, cx);
}

struct ticket commit_one(struct engine *e, struct cx *cx, struct part part, const char *key,
                         const char *value)
{
    bool lockable = part.kind == PART_ACCOUNT || part.kind == PART_DIRECTORY;
    struct txn *t = txn_begin(e, &part, lockable ? 1 : 0);
    struct ticket ticket;

    put_c(t, part, key, value);
    assert_int_equal(txn_commit(&t, cx, &ticket), OK);
    assert_null(t);
    return ticket;
}

void commit_durably(struct engine *e, struct cx *cx, struct part part, const char *key,
                    const char *value)
{
    assert_int_equal(engine_wait(e, cx, commit_one(e, cx, part, key, value)), OK);
}
