/* posthorn index: has the vault make an account's index anew, or every account's, and waits for it. */
#include "base/arena.h"
#include "control/operator.h"
#include "control/progress.h"

#include <stdio.h>

static const struct column columns[] = {{"address", "INDEX OF", TEXT},
                                        {"messages", "MESSAGES", NUMBER}};

/* One account. An account that went meanwhile is ERR_NOT_FOUND. */
static enum err index_one(struct operator* op, const char *doing, struct str address,
                          uint64_t *messages)
{
    struct index_request q = {.address = address, .anew = true};
    struct index_reply r = {0};
    struct progress progress;
    struct arena *call = arena_new(0);
    enum err e = OK;

    progress_begin(&progress, doing, 0);
    progress.counts = "messages";
    while (!e && !r.done) {
        struct cx cx = {.arena = call};

        r = (struct index_reply){0};
        e = vault_index(&cx, &q, &r);
        if (e)
            fail(&op->cx, e, "%s", cx.cause);
        q.anew = false;
        progress.total = r.goal;
        if (!e && !r.done)
            e = progress_add(&progress, &op->cx,
                             r.messages > progress.done ? r.messages - progress.done : 0);
        arena_reset(call);
    }
    progress_end(&progress);
    arena_free(call);
    *messages = r.goal;
    return e;
}

static json_t *index_object(struct str address, uint64_t messages)
{
    return json_pack("{s:o,s:I}", "address", json_text(address), "messages", (json_int_t)messages);
}

static enum err index_account(struct operator* op)
{
    struct str address = str_from_c(op->argv[0]);
    uint64_t messages;
    enum err e = index_one(op, "indexing", address, &messages);
    json_t *o;

    if (e)
        return e;
    o = index_object(address, messages);
    print_object(op, o, COLUMNS(columns));
    json_decref(o);
    return OK;
}

/* What fails for one account does not keep the others from theirs; it is said at once, and by the exit status. */
static enum err index_listed(struct operator* op, struct str address, json_t *rows, unsigned *failed)
{
    char doing[400];
    uint64_t messages;
    enum err e;

    snprintf(doing, sizeof(doing), "indexing %.*s", STR_ARG(address));
    e = index_one(op, doing, address, &messages);
    if (e == ERR_NOT_FOUND)
        return OK;
    if (e == ERR_STOPPING || e == ERR_VAULT_AWAY)
        return e;
    if (e) {
        fprintf(stderr, "posthorn: index %.*s: %s\n", STR_ARG(address), op->cx.cause);
        ++*failed;
    } else {
        json_array_append_new(rows, index_object(address, messages));
    }
    return OK;
}

static enum err index_every(struct operator* op, json_t *rows)
{
    struct account_list_request q = {0};
    struct account_list_reply r = {.more = true};
    unsigned failed = 0;
    enum err e = OK;

    while (!e && r.more) {
        r = (struct account_list_reply){0};
        e = vault_account_list(&op->cx, &q, &r);
        for (size_t i = 0; !e && i < r.accounts_count; i++) {
            q.after = r.accounts[i].address;
            e = index_listed(op, q.after, rows, &failed);
        }
    }
    if (!e && failed)
        e = fail(&op->cx, ERR_STORE, "%u of %zu accounts have no index", failed,
                 failed + json_array_size(rows));
    return e;
}

static enum err index_all(struct operator* op)
{
    json_t *rows = json_array();
    enum err e = index_every(op, rows);

    print_rows(op, rows, COLUMNS(columns)); /* also of those that were ready before it failed */
    json_decref(rows);
    return e;
}

enum err cmd_index(struct operator* op)
{
    bool all = operator_option(op, "--all") != NULL;
    enum err e;

    if (all == (op->argc > 0))
        return usage_error(op, "expected an ADDRESS or --all");
    e = vault_reach(op);
    if (e)
        return e;
    return all ? index_all(op) : index_account(op);
}
