/* posthorn check, and check --repair: asks the vault again and again until it has seen everything, and shows what it
 * found. */
#include "base/arena.h"
#include "base/scoped.h"
#include "control/operator.h"
#include "control/renewal.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CHECK_DONE UINT64_MAX /* as next_account: there is no other account */

static const struct column columns[] = {{"address", "ACCOUNT", TEXT}, {"text", "WHAT DISAGREES", TEXT}};

struct figures {
    unsigned long long accounts, emails, bodies, entries;
    unsigned long long more; /* found beyond those that are named */
};

static void add_disagreements(json_t *rows, const struct disagreement *found, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        json_t *o = json_object();

        json_object_set_new(o, "address", json_text(found[i].address));
        json_object_set_new(o, "text", json_text(found[i].text));
        json_array_append_new(rows, o);
    }
}

/* How far it is, for who watches; the line is cleared at the end. */
static void show_progress(const struct figures *f, bool done)
{
    if (!isatty(STDERR_FILENO))
        return;
    fprintf(stderr, "\r\033[K");
    if (!done)
        fprintf(stderr, "%llu accounts, %llu emails, %llu messages …", f->accounts, f->emails,
                f->bodies);
    fflush(stderr);
}

/* What a call leaves in the arena is taken up in `rows` and then given back. */
static enum err check_on(struct operator* op, struct arena *arena, struct check_reply *r,
                         struct figures *f, json_t *rows)
{
    struct cx cx = {.arena = arena};
    struct check_request q = {.after_account = r->next_account};
    enum err e;

    *r = (struct check_reply){0};
    e = vault_check(&cx, &q, r);
    if (e)
        return fail(&op->cx, e, "%s", cx.cause);
    add_disagreements(rows, r->found, r->found_count);
    f->accounts += r->accounts, f->emails += r->emails, f->bodies += r->bodies, f->more += r->more;
    return OK;
}

static enum err repair_on(struct operator* op, struct arena *arena, struct repair_reply *r,
                          struct figures *f, json_t *rows)
{
    struct cx cx = {.arena = arena};
    struct repair_request q = {.name = S(RENEWAL_NAME)};
    enum err e;

    *r = (struct repair_reply){0};
    e = vault_repair(&cx, &q, r);
    if (e)
        return fail(&op->cx, e, "%s", cx.cause);
    add_disagreements(rows, r->found, r->found_count);
    f->accounts += r->accounts, f->emails += r->emails, f->bodies += r->bodies, f->more += r->more;
    f->entries += r->entries;
    return OK;
}

static enum err check(struct operator* op, struct arena *arena, json_t *rows)
{
    struct check_reply r = {0};
    struct figures f = {0};
    enum err e = vault_examine(op, false);

    while (!e && r.next_account != CHECK_DONE) {
        e = check_on(op, arena, &r, &f, rows);
        arena_reset(arena);
        show_progress(&f, r.next_account == CHECK_DONE);
    }
    if (e)
        return e;
    print_rows(op, rows, COLUMNS(columns));
    if (!op->json)
        printf("%llu accounts, %llu emails, %llu bodies read\n", f.accounts, f.emails, f.bodies);
    if (json_array_size(rows))
        return fail(&op->cx, ERR_DAMAGED, "%llu disagreements",
                    (unsigned long long)json_array_size(rows) + f.more);
    return OK;
}

static void print_repaired(struct operator* op, const char *directory, const struct figures *f,
                           json_t *rows)
{
    static const struct column told[] = {{"address", "ACCOUNT", TEXT},
                                         {"text", "WHAT WAS LEFT OUT OR MADE ANEW", TEXT}};
    json_t *o;

    if (!op->json) {
        print_rows(op, rows, COLUMNS(told));
        if (f->more)
            printf("… and %llu more\n", f->more);
        printf("%llu accounts, %llu emails, %llu bodies and %llu queue entries written to %s: set "
               "data-dir = \"%s\" "
               "to serve from it\n",
               f->accounts, f->emails, f->bodies, f->entries, directory, directory);
        return;
    }
    o = json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:O}", "data_dir", directory, "accounts",
                  (json_int_t)f->accounts, "emails", (json_int_t)f->emails, "bodies",
                  (json_int_t)f->bodies, "entries", (json_int_t)f->entries, "more", (json_int_t)f->more,
                  "told", rows);
    print_object(op, o, NULL, 0);
    json_decref(o);
}

static enum err repair_into(struct operator* op, struct arena *arena, const char *directory,
                            json_t *rows)
{
    struct repair_reply r = {0};
    struct figures f = {0};
    enum err e = vault_examine(op, true);

    if (!e)
        e = renewal_begin(&op->cx, op->settings.config, directory);
    while (!e && !r.done) {
        e = repair_on(op, arena, &r, &f, rows);
        arena_reset(arena);
        show_progress(&f, r.done);
    }
    if (!e && !f.accounts && json_array_size(rows))
        e = fail(&op->cx, ERR_DAMAGED, "of no account could anything be read: %s",
                 json_string_value(json_object_get(json_array_get(rows, 0), "text")));
    vault_leave(op); /* it has let go of both stores */
    if (!e)
        e = renewal_finish(&op->cx, op->settings.config, directory);
    else
        renewal_abandon(op->settings.config);
    if (!e)
        print_repaired(op, directory, &f, rows);
    return e;
}

/* As the configuration will want it: from / on. */
static char *whole_path(struct operator* op, const char *typed)
{
    char *here = typed[0] == '/' ? NULL : getcwd(NULL, 0);
    scoped(buf_free) struct buf path = buf_make(BUF_UNLIMITED);

    if (here)
        buf_printf(&path, "%s/", here);
    buf_add_c(&path, typed);
    free(here);
    return str_to_c(op->cx.arena, buf_str(&path));
}

enum err cmd_check(struct operator* op)
{
    const char *directory = operator_option(op, "--repair");
    struct arena *arena = arena_new(0);
    json_t *rows = json_array();
    enum err e;

    e = directory ? repair_into(op, arena, whole_path(op, directory), rows) : check(op, arena, rows);
    json_decref(rows);
    arena_free(arena);
    return e;
}
