/* The steps: the directory, then one account after another, then what they share. A call to `repair` does as much as fits
 * into half a second, so that the command line can show how far it is. */
#include "vault/admin/repair_impl.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/scoped.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST_TOLD 1000 /* in one answer; more are counted */
#define STEP_MS 500

struct repair *repair_open(struct engine *from, struct engine *to, struct str postmaster)
{
    struct repair *r = must_alloc(sizeof(*r));

    r->from = from;
    r->to = to;
    r->arena = arena_new(0);
    r->postmaster = str_copy(r->arena, postmaster);
    return r;
}

void repair_close(struct repair **r)
{
    if (!*r)
        return;
    txn_rollback(&(*r)->t);
    free((*r)->accounts);
    free((*r)->homes);
    marks_free(&(*r)->marks);
    arena_free((*r)->arena);
    free(*r);
    *r = NULL;
}

void tell(struct repair *r, enum check_kind kind, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (r->reply->found_count == MOST_TOLD) {
        r->reply->more++;
        return;
    }
    r->reply->found[r->reply->found_count++] =
        (struct disagreement){.kind = kind,
                              .address = str_copy(r->cx->arena, r->address),
                              .text = str_copy(r->cx->arena, str_from_c(text))};
}

/* ---- walking ---- */

struct looking {
    struct repair *r;
    const char *what;
    repair_look *look;
    void *arg;
};

static void look(void *arg, struct str key, struct str value)
{
    struct looking *l = arg;

    if (!l->r->failed)
        l->look(l->r, l->arg, key, value);
    arena_reset(l->r->row.arena);
}

static void lost(void *arg, const char *cause)
{
    struct looking *l = arg;

    tell(l->r, CHECK_UNREADABLE, "%s: %s", l->what, cause);
}

void repair_walk(struct repair *r, struct part part, struct str from, struct str to, const char *what,
                 repair_look *row, void *arg)
{
    struct looking l = {r, what, row, arg};

    rows_walk(r->v, part, from, to, &(struct walker){look, lost, &l});
}

void repair_references(struct repair *r, struct body_id body, repair_look *row, void *arg)
{
    scoped(buf_free) struct buf from = buf_make(32), to = buf_make(32);
    struct cx outer = r->row;

    ref_key_pack(&from, &(struct ref_key){.body = body.v, .part = r->account.v});
    ref_key_pack(&to, &(struct ref_key){.body = body.v, .part = r->account.v + 1});
    r->row = (struct cx){.arena = arena_new(0)}; /* this may happen inside of another walk */
    repair_walk(r, ref_part(NO_ACCOUNT), buf_str(&from), buf_str(&to), "a reference", row, arg);
    arena_free(r->row.arena);
    r->row = outer;
}

/* ---- steps ---- */

static void note_marks(struct repair *r, void *arg, struct str key, struct str value)
{
    (void)arg;
    (void)key;
    if (!marks_add(&r->marks, r->row.arena, value))
        tell(r, CHECK_UNREADABLE, "marks for the collector cannot be unpacked");
}

static void do_directory(struct repair *r)
{
    repair_walk(r, dead_part(NO_ACCOUNT), S("d"), S("e"), "marks for the collector", note_marks, NULL);
    marks_sort(&r->marks);
    repair_find_accounts(r);
    repair_directory(r);
    repair_commit(r);
}

static void do_accounts(struct repair *r)
{
    int64_t end = monotonic_ms() + STEP_MS;

    while (r->next < r->account_count && !r->failed && monotonic_ms() < end) {
        repair_account(r, &r->accounts[r->next++]);
        arena_reset(r->row.arena);
    }
}

enum { DIRECTORY, ACCOUNTS, KEPT, QUEUE, TRACE, DONE };

static void do_step(struct repair *r)
{
    static void (*const steps[])(struct repair * r) = {[DIRECTORY] = do_directory,
                                                       [ACCOUNTS] = do_accounts,
                                                       [KEPT] = repair_kept,
                                                       [QUEUE] = repair_queue,
                                                       [TRACE] = repair_trace};

    steps[r->step](r);
    if (r->step != ACCOUNTS || r->next == r->account_count)
        r->step++;
}

enum err repair_step(struct repair *r, struct cx *cx, struct repair_reply *reply)
{
    scoped(view_close) struct view *v = view_open(r->from);

    if (!v)
        return fail(cx, ERR_STORE, "the store is closed");
    if (store_check_format(v, cx))
        return ERR_CONFIG;
    r->cx = cx;
    r->reply = reply;
    r->v = v;
    r->row = (struct cx){.arena = arena_new(0)};
    reply->found = arena_array(cx->arena, struct disagreement, MOST_TOLD);
    if (r->step < DONE)
        do_step(r);
    arena_free(r->row.arena);
    if (!r->failed && r->step == DONE) {
        reply->done = true;
        r->failed = engine_wait(r->to, cx, engine_newest(r->to));
    }
    return r->failed;
}
