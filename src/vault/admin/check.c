/* posthorn check: reads the whole store and names what disagrees or cannot be read. One call looks at a few accounts,
 * the last one at what they share, so the command line can show how far it is; each call uses one view, so it sees one
 * moment and disturbs nobody. */
#include "vault/admin/check_impl.h"

#include "base/scoped.h"
#include "vault/admin/admin.h"
#include "vault/vault.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define MOST_FOUND 1000 /* told in one answer; more are counted */
#define ACCOUNTS_A_CALL 50

void found(struct check *k, enum check_kind kind, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (k->r->found_count == MOST_FOUND) {
        k->r->more++;
        return;
    }
    k->r->found[k->r->found_count++] =
        (struct disagreement){.kind = kind,
                              .address = str_copy(k->c->cx.arena, k->address),
                              .text = str_copy(k->c->cx.arena, str_from_c(text))};
}

/* ---- walking ---- */

struct looking {
    struct check *k;
    const char *what;
    check_look *look;
    void *arg;
};

static void look(void *arg, struct str key, struct str value)
{
    struct looking *l = arg;

    l->look(l->k, l->arg, key, value);
    arena_reset(l->k->row.arena);
}

static void lost(void *arg, const char *cause)
{
    struct looking *l = arg;

    found(l->k, CHECK_UNREADABLE, "%s: %s", l->what, cause);
}

void check_walk(struct check *k, struct part part, struct str from, struct str to, const char *what,
                check_look *row, void *arg)
{
    struct looking l = {k, what, row, arg};
    struct cx outer = k->row;

    k->row = (struct cx){.arena = arena_new(0)}; /* a look may itself walk */
    rows_walk(k->v, part, from, to, &(struct walker){look, lost, &l});
    arena_free(k->row.arena);
    k->row = outer;
}

/* ---- questions that several ask ---- */

bool row_exists(struct check *k, struct part part, const struct buf *key, const char *what)
{
    struct str value;
    bool there = false;
    enum err e = view_get(k->v, &k->row, part, buf_str(key), &value, &there);

    if (e)
        found(k, CHECK_UNREADABLE, "%s: %s", what, k->row.cause);
    return e || there;
}

static void look_at_marks(struct check *k, void *arg, struct str key, struct str value)
{
    (void)arg;
    (void)key;
    if (!marks_add(&k->marks, k->row.arena, value))
        found(k, CHECK_UNREADABLE, "marks for the collector cannot be unpacked");
}

static void read_marks(struct check *k)
{
    check_walk(k, dead_part(NO_ACCOUNT), S("d"), S("e"), "marks for the collector", look_at_marks,
               NULL);
    marks_sort(&k->marks);
}

bool has_reference(struct check *k, struct body_id body, uint64_t part, uint64_t owner)
{
    scoped(buf_free) struct buf key = buf_make(64);

    ref_key_pack(&key, &(struct ref_key){.body = body.v, .part = part, .owner = owner});
    return row_exists(k, ref_part(NO_ACCOUNT), &key, "a reference");
}

bool has_mark(struct check *k, struct body_id body, uint64_t part, uint64_t owner)
{
    return marks_have(&k->marks, body, part, owner);
}

void check_body_of(struct check *k, const char *who, struct body_id id, uint64_t size)
{
    struct body_row body;
    char text[ID_TEXT_SIZE];
    bool there;

    id_text(id.v, text);
    if (body_find(k->v, &k->row, id, &body, &there))
        found(k, CHECK_UNREADABLE, "message %s: %s", text, k->row.cause);
    else if (!there)
        found(k, CHECK_BODY, "%s: its message %s is missing", who, text);
    else if (body.size != size)
        found(k, CHECK_BODY, "%s: %" PRIu64 " bytes, message %s has %" PRIu64, who, size, text,
              body.size);
}

/* ---- the call ---- */

static enum err look_at_accounts(struct check *k, uint64_t *after, bool *more)
{
    enum err e = OK;

    *more = true;
    while (!e && *more && k->r->accounts < ACCOUNTS_A_CALL && k->r->found_count < MOST_FOUND) {
        e = view_next_account(k->v, &k->c->cx, *after, &k->account.v, more);
        if (!e && *more) {
            *after = k->account.v;
            check_account(k);
        }
    }
    return e;
}

static void look_at_what_they_share(struct check *k)
{
    k->account = NO_ACCOUNT;
    k->address = STR_NONE;
    check_directory(k);
    k->address = STR_NONE;
    check_bodies(k);
    check_queue_and_trace(k);
}

enum err serve_check(struct caller *c, const struct check_request *q, struct check_reply *r)
{
    scoped(view_close) struct view *v = view_open(c->vault->engine);
    struct check k = {.c = c, .v = v, .r = r, .row = {.arena = arena_new(0)}};
    bool more = false;
    enum err e = v ? OK : fail(&c->cx, ERR_STORE, "the store is closed");

    r->found = arena_array(c->cx.arena, struct disagreement, MOST_FOUND);
    r->next_account = q->after_account;
    if (!e)
        e = store_check_format(v, &c->cx);
    if (!e)
        read_marks(&k);
    if (!e)
        e = look_at_accounts(&k, &r->next_account, &more);
    if (!e && !more) {
        r->next_account = UINT64_MAX;
        look_at_what_they_share(&k);
    }
    marks_free(&k.marks);
    arena_free(k.row.arena);
    return e;
}
