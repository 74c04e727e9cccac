#include "vault/store/store_impl.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/scoped.h"
#include "config/config.h"
#include "vault/store/body.h"
#include "vault/store/directory.h"
#include "vault/store/roster_impl.h"

#include <inttypes.h>
#include <stdlib.h>

struct str store_postmaster(struct store *s)
{
    return s->config()->postmaster;
}

static enum err refuse_others(struct cx *cx, const struct format_row *row)
{
    if (row->version == STORE_FORMAT)
        return OK;
    return fail(cx, ERR_CONFIG,
                "the store has format %" PRIu64
                ", this program knows %d: use the program that wrote it",
                row->version, STORE_FORMAT);
}

enum err store_check_format(struct view *v, struct cx *cx)
{
    struct format_row row;
    bool found;
    enum err e = format_row_view(v, cx, NO_ACCOUNT, &(struct format_key){0}, &row, &found);

    return e || !found ? OK : refuse_others(cx, &row);
}

static enum err open_format(struct store *s, struct cx *cx)
{
    scoped(txn_rollback) struct txn *t = txn_begin(s->engine, &(struct part){PART_DIRECTORY, 0}, 1);
    struct format_row row;
    struct ticket ticket;
    bool found;
    enum err e = format_row_txn(t, cx, NO_ACCOUNT, &(struct format_key){0}, &row, &found);

    if (e)
        return e;
    if (found)
        return refuse_others(cx, &row);
    row = (struct format_row){.version = STORE_FORMAT, .created = (uint64_t)now_ms()};
    format_row_put(t, NO_ACCOUNT, &(struct format_key){0}, &row);
    e = txn_commit(&t, cx, &ticket);
    return e ? e : engine_wait(s->engine, cx, ticket);
}

/* The greatest id among the keys of a part that begin with `tag` and the id. */
static enum err last_id(struct view *v, struct cx *cx, enum part_kind kind, struct str tag,
                        struct str after, uint64_t *id)
{
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value;
    enum err e = view_scan(v, cx, (struct part){kind, 0}, tag, after, true, &scan);

    *id = 0;
    if (e)
        return e;
    if (scan_next(scan, &key, &value)) {
        struct unpack u = unpack_begin(key);

        unpack_key_u8(&u);
        *id = unpack_key_u64(&u);
    }
    return scan_error(scan, cx);
}

/* Ids go on above every one that is stored, even if the clock was set back meanwhile. */
static enum err go_on_with_ids(struct store *s, struct cx *cx)
{
    scoped(view_close) struct view *v = view_open(s->engine);
    uint64_t last = 0;
    enum err e = v ? OK : fail(cx, ERR_STORE, "the store cannot be read");

    if (!e)
        e = last_id(v, cx, PART_REF, S("b"), S("c"), &last);
    fresh_id_after(last);
    if (!e)
        e = last_id(v, cx, PART_REF, S("d"), S("e"), &last);
    fresh_id_after(last);
    if (!e)
        e = last_id(v, cx, PART_QUEUE, S("q"), S("r"), &last);
    fresh_id_after(last);
    return e;
}

/* Does the postmaster's address lead anywhere? An address of somebody else's domain does, unless that domain is this
 * very host. */
static enum err postmaster_is_reached(struct store *s, struct cx *cx, const struct path *path,
                                      bool *ours)
{
    scoped(view_close) struct view *v = view_open(s->engine);
    struct destinations to = {0};
    enum err e;

    if (!v)
        return fail(cx, ERR_STORE, "the store cannot be read");
    e = directory_resolve(s, v, cx, path, &to);
    *ours = e == ERR_NO_SUCH_USER;
    if (!e && to.v[0].kind == TARGET_REMOTE && str_same_nocase(path->domain, s->config()->hostname))
        return fail(cx, ERR_NO_SUCH_USER, "nobody keeps mail for this host yet");
    return e;
}

enum err store_ensure_postmaster(struct store *s, struct cx *cx)
{
    struct str address = store_postmaster(s);
    struct new_account n = {.address = address, .name = S("Postmaster")};
    struct account_id id;
    struct ticket ticket;
    struct path path;
    bool ours = false;
    enum err e;
    size_t at;

    if (!str_rfind_char(address, '@', &at))
        return fail(cx, ERR_CONFIG, "the setting postmaster is not a mail address");
    path = (struct path){str_upto(address, at), str_from(address, at + 1)};
    e = postmaster_is_reached(s, cx, &path, &ours);
    if (e != ERR_NO_SUCH_USER)
        return e;
    e = ours ? OK : domain_create(s, cx, path.domain, &ticket);
    if (!e)
        e = account_create(s, cx, &n, &id, &ticket);
    if (e)
        return e == ERR_EXISTS ? OK : e; /* another thread was first */
    log_line(LOG_WARNING, "postmaster-made", "address=%s remedy=\"posthorn account password\"",
             log_value(address));
    return engine_wait(s->engine, cx, ticket);
}

enum err store_open(struct cx *cx, struct engine *engine, const struct config *(*config)(void),
                    struct store **out)
{
    struct store_private *p = must_alloc(sizeof(*p));
    struct store *s = &p->pub;
    size_t swept = 0;
    enum err e;

    *s = (struct store){.engine = engine, .config = config};
    p->rosters = roster_cache_new(ROSTER_BYTES);
    e = open_format(s, cx);
    if (!e)
        e = go_on_with_ids(s, cx);
    if (!e)
        e = body_sweep(s, cx, &swept);
    if (e) {
        store_close(s);
        return e;
    }
    if (swept)
        log_line(LOG_INFO, "bodies-swept", "count=%zu", swept);
    *out = s;
    return OK;
}

void store_close(struct store *s)
{
    roster_cache_free(store_of(s)->rosters);
    free(store_of(s));
}
