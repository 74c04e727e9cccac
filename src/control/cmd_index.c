/* posthorn index: has the vault make an account's index anew, and waits for it. */
#include "base/arena.h"
#include "control/operator.h"
#include "control/progress.h"

static enum err wait_for_it(struct operator* op, struct index_reply *last)
{
    struct index_request q = {.address = str_from_c(op->argv[0]), .anew = true};
    struct progress progress;
    struct arena *call = arena_new(0);
    enum err e = OK;

    progress_begin(&progress, "indexing", 0);
    progress.counts = "messages";
    while (!e && !last->done) {
        struct cx cx = {.arena = call};

        *last = (struct index_reply){0};
        e = vault_index(&cx, &q, last);
        if (e)
            fail(&op->cx, e, "%s", cx.cause);
        q.anew = false;
        progress.total = last->goal;
        if (!e && !last->done)
            e = progress_add(&progress, &op->cx,
                             last->messages > progress.done ? last->messages - progress.done : 0);
        arena_reset(call);
    }
    progress_end(&progress);
    arena_free(call);
    return e;
}

enum err cmd_index(struct operator* op)
{
    static const struct column columns[] = {{"address", "index of", TEXT},
                                            {"messages", "messages", NUMBER}};
    struct index_reply r = {0};
    enum err e = vault_reach(op);
    json_t *o;

    if (!e)
        e = wait_for_it(op, &r);
    if (e)
        return e;
    o = json_pack("{s:s,s:I}", "address", op->argv[0], "messages", (json_int_t)r.goal);
    print_object(op, o, COLUMNS(columns));
    json_decref(o);
    return OK;
}
