/* The call `repair`: where the new store lies, and that there is one repair at a time. The vault can write beneath its own
 * directory only, so the new store is made there, and whoever asked takes it from there. */
#include "vault/admin/repair.h"

#include "base/scoped.h"
#include "config/config.h"
#include "vault/admin/admin.h"
#include "vault/vault.h"

#include <pthread.h>

static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER; /* guards vault.repair and vault.repaired */

static bool is_plain_name(struct str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!(name.p[i] >= 'a' && name.p[i] <= 'z'))
            return false;
    return name.n > 0 && name.n <= 32;
}

static enum err begin(struct caller *c, struct str name)
{
    struct vault *v = c->vault;
    struct engine_options options = {.path = str_to_c(c->cx.arena, name)};
    enum err e;

    if (!is_plain_name(name))
        return fail(&c->cx, ERR_BAD_CALL, "not a name for a new store");
    e = engine_open_rocksdb(&c->cx, &options, &v->repaired);
    if (!e)
        v->repair = repair_open(v->engine, v->repaired, settings()->postmaster);
    return e;
}

static void end(struct vault *v)
{
    repair_close(&v->repair);
    engine_close(v->repaired);
    v->repaired = NULL;
}

enum err serve_repair(struct caller *c, const struct repair_request *q, struct repair_reply *r)
{
    enum err e = OK;
    HOLD(&one);

    if (!c->vault->repair)
        e = begin(c, q->name);
    if (!e)
        e = repair_step(c->vault->repair, &c->cx, r);
    if (e || r->done)
        end(c->vault);
    return e;
}

void repair_end(struct vault *v)
{
    HOLD(&one);
    end(v);
}
