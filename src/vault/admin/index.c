/* posthorn index: the account's index is made by the thread that follows accounts; this begins it, and tells how far it is. */
#include "base/scoped.h"
#include "vault/admin/admin.h"
#include "vault/search/search.h"
#include "vault/store/directory.h"
#include "vault/vault.h"

static enum err find_account(struct caller *c, struct str address, struct account_id *id)
{
    scoped(view_close) struct view *v = view_open(c->vault->engine);
    struct account_row row;
    bool found;
    enum err e = v ? directory_find_account(c->vault->store, v, &c->cx, address, id, &row, &found)
                   : fail(&c->cx, ERR_STORE, "the store is closed");

    if (!e && !found)
        return fail(&c->cx, ERR_NOT_FOUND, "there is no account %.*s", STR_ARG(address));
    return e;
}

enum err serve_index(struct caller *c, const struct index_request *q, struct index_reply *r)
{
    struct search_progress p;
    struct account_id id;
    enum err e = find_account(c, q->address, &id);

    if (!e && q->anew)
        search_rebuild(c->vault->search, id);
    if (!e)
        e = search_wait(c->vault->search, &c->cx, id, &p);
    if (!e)
        *r = (struct index_reply){.messages = p.messages, .goal = p.goal, .done = p.done};
    return e;
}
