#include "base/scoped.h"
#include "vault/admin/admin.h"
#include "vault/attached.h"
#include "vault/signon/handles.h"
#include "vault/store/store.h"
#include "vault/vault.h"

#define MOST_COUNTED 1000000 /* of a longer queue the length is "at least" */

/* Entries are in the order of their ids, so the first is the oldest: its id tells when. */
static enum err count_queue(struct caller *c, struct view *v, struct status_reply *r)
{
    scoped(scan_close) struct scan *scan = NULL;
    struct entry_key key;
    struct str k, value;
    enum err e = view_scan(v, &c->cx, entry_part(NO_ACCOUNT), S("q"), S("r"), false, &scan);

    while (!e && r->queue_length < MOST_COUNTED && scan_next(scan, &k, &value)) {
        if (!r->queue_length && entry_key_unpack(k, &key))
            r->queue_oldest = key.body >> 20;
        r->queue_length++;
    }
    return e ? e : scan_error(scan, &c->cx);
}

static enum err read_rows(struct caller *c, struct status_reply *r)
{
    scoped(view_close) struct view *v = view_open(c->vault->engine);
    struct backup_row backup;
    bool found;
    enum err e = v ? count_queue(c, v, r) : ERR_STORE;

    if (!e)
        e = backup_row_view(v, &c->cx, NO_ACCOUNT, &(struct backup_key){0}, &backup, &found);
    if (!e && found)
        r->last_backup = backup.time;
    return e;
}

enum err serve_status(struct caller *c, const struct status_request *q, struct status_reply *r)
{
    struct engine_figures f;

    (void)q;
    engine_figures(c->vault->engine, &f);
    *r = (struct status_reply){.up_since = (uint64_t)c->vault->started_ms,
                               .store_open = engine_is_open(c->vault->engine),
                               .disk_free = f.disk_free,
                               .disk_used = f.disk_used,
                               .has_room = engine_has_room(c->vault->engine),
                               .damaged = f.damaged,
                               .flushes = f.flushes,
                               .commits = f.commits,
                               .sessions = attached_count(),
                               .signed_on = handles_count(c->vault->handles),
                               .delivered = atomic_load(&c->vault->delivered)};
    return r->store_open ? read_rows(c, r) : OK;
}
