#include "base/log.h"
#include "base/scoped.h"
#include "config/config.h"
#include "mail/address.h"
#include "vault/admin/admin.h"
#include "vault/attached.h"
#include "vault/signon/handles.h"
#include "vault/signon/password.h"
#include "vault/signon/weak.h"
#include "vault/store/directory.h"
#include "vault/store/email.h"
#include "vault/trace/trace.h"
#include "vault/vault.h"

enum err parse_typed_path(struct cx *cx, struct str text, struct path *out)
{
    struct mailbox m;

    if (!is_mailbox(text, ADDRESS_UTF8, &m))
        return fail(cx, ERR_BAD_ADDRESS, "%s is not a mail address", log_value(text));
    *out = (struct path){m.local_part, m.domain};
    return OK;
}

/* ---- domains ---- */

enum err serve_domain_add(struct caller *c, const struct domain_add_request *q,
                          struct domain_add_reply *r)
{
    (void)r;
    return domain_create(c->vault->store, &c->cx, q->domain, &c->ticket);
}

enum err serve_domain_remove(struct caller *c, const struct domain_remove_request *q,
                             struct domain_remove_reply *r)
{
    (void)r;
    return domain_delete(c->vault->store, &c->cx, q->domain, &c->ticket);
}

/* Pages of directory rows: those whose key is behind tag+after, until the first key with the next tag. */
static enum err scan_page(struct caller *c, struct view *v, char tag, struct str after,
                          struct scan **scan)
{
    const char next_tag = (char)(tag + 1);
    struct buf from = buf_make(512);
    enum err e;

    buf_add_char(&from, tag);
    buf_add(&from, after);
    if (after.n)
        buf_add_char(&from, '\0'); /* the least key behind it */
    e = view_scan(v, &c->cx, (struct part){PART_DIRECTORY, 0}, buf_str(&from),
                  (struct str){&next_tag, 1}, false, scan);
    buf_free(&from);
    return e;
}

enum err serve_domain_list(struct caller *c, const struct domain_list_request *q,
                           struct domain_list_reply *r)
{
    scoped(view_close) struct view *v = view_open(c->vault->engine);
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value;
    enum err e = v ? scan_page(c, v, 'D', q->after, &scan) : ERR_STORE;

    r->domains = arena_array(c->cx.arena, struct name, PAGE);
    while (!e && r->domains_count < PAGE && scan_next(scan, &key, &value))
        r->domains[r->domains_count++] = (struct name){str_copy(c->cx.arena, str_from(key, 1))};
    r->more = r->domains_count == PAGE;
    return e ? e : scan_error(scan, &c->cx);
}

/* ---- accounts ---- */

static enum err find(struct caller *c, struct view *v, struct str address, struct account_id *id,
                     struct account_row *row)
{
    bool found;
    enum err e = v ? directory_find_account(c->vault->store, v, &c->cx, address, id, row, &found)
                   : fail(&c->cx, ERR_STORE, "the store is closed");

    return !e && !found ? fail(&c->cx, ERR_NOT_FOUND, "there is no account %s", log_value(address)) : e;
}

static enum err find_id(struct caller *c, struct str address, struct account_id *id)
{
    scoped(view_close) struct view *v = view_open(c->vault->engine);
    struct account_row row;

    return find(c, v, address, id, &row);
}

/* RFC-GAP: RFC 9051 §11.7 wants (MUST) passwords refused that strangers try first: so it is by setting; else the operator, who
 * may have reasons, is told. */
static enum err make_credential(struct caller *c, struct str password, struct str address,
                                struct credential_row *out, struct str *weakness)
{
    const char *why = password_weakness(password, address);

    if (why && settings()->refuse_weak_passwords)
        return fail(&c->cx, ERR_BAD_VALUE, "%s", why);
    *weakness = why ? str_from_c(why) : STR_NONE;
    return password_make(&c->cx, password, settings()->scram, out);
}

enum err serve_account_add(struct caller *c, const struct account_add_request *q,
                           struct account_add_reply *r)
{
    struct new_account n = {
        .address = q->address, .name = q->name, .limit = q->limit, .internal_only = q->internal_only};
    struct credential_row credential;
    struct account_id id;
    enum err e;

    if (q->password.n) {
        e = make_credential(c, q->password, q->address, &credential, &r->weakness);
        if (e)
            return e;
        n.credential = &credential;
    }
    return account_create(c->vault->store, &c->cx, &n, &id, &c->ticket);
}

static enum err describe(struct caller *c, struct view *v, struct account_id id,
                         const struct account_row *row, struct account_info *out)
{
    struct credential_row credential;
    struct state_row state = {0};
    bool found, has_password;
    enum err e = account_used(v, &c->cx, id, &state, &found);

    if (!e)
        e = account_credential(v, &c->cx, id, &credential, &has_password);
    if (e)
        return e;
    *out = (struct account_info){.id = id,
                                 .address = row->address,
                                 .name = row->name,
                                 .limit = row->limit,
                                 .used = state.used,
                                 .internal_only = row->internal_only,
                                 .suspended = row->suspended,
                                 .has_password = has_password,
                                 .created = row->created};
    return OK;
}

enum err serve_account_show(struct caller *c, const struct account_show_request *q,
                            struct account_show_reply *r)
{
    scoped(view_close) struct view *v = view_open(c->vault->engine);
    struct account_row row;
    struct account_id id;
    enum err e = find(c, v, q->address, &id, &row);

    return e ? e : describe(c, v, id, &row, &r->account);
}

/* In the order of their addresses, so a page begins behind the last one's. */
enum err serve_account_list(struct caller *c, const struct account_list_request *q,
                            struct account_list_reply *r)
{
    scoped(view_close) struct view *v = view_open(c->vault->engine);
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value;
    enum err e = v ? scan_page(c, v, 'A', q->after, &scan) : ERR_STORE;

    r->accounts = arena_array(c->cx.arena, struct account_info, PAGE);
    while (!e && r->accounts_count < PAGE && scan_next(scan, &key, &value)) {
        struct route_row route;
        struct account_row row;
        bool found;

        if (!route_unpack(c->cx.arena, value, &route) || !route.account.v)
            continue;
        e = directory_account(v, &c->cx, route.account, &row, &found);
        if (!e && found)
            e = describe(c, v, route.account, &row, &r->accounts[r->accounts_count++]);
    }
    r->more = r->accounts_count == PAGE;
    return e ? e : scan_error(scan, &c->cx);
}

static void end_sessions(struct caller *c, struct account_id id)
{
    handles_end_account(c->vault->handles, id);
    attached_end_account(id);
}

enum err serve_account_remove(struct caller *c, const struct account_remove_request *q,
                              struct account_remove_reply *r)
{
    struct account_id id;
    enum err e = find_id(c, q->address, &id);

    (void)r;
    if (!e)
        e = account_delete(c->vault->store, &c->cx, id, &c->ticket);
    if (!e)
        end_sessions(c, id);
    return e;
}

enum err serve_account_password(struct caller *c, const struct account_password_request *q,
                                struct account_password_reply *r)
{
    struct credential_row credential;
    struct account_id id;
    enum err e = find_id(c, q->address, &id);

    if (!e)
        e = make_credential(c, q->password, q->address, &credential, &r->weakness);
    return e ? e : account_set_credential(c->vault->store, &c->cx, id, &credential, &c->ticket);
}

enum err serve_account_change(struct caller *c, const struct account_change_request *q,
                              struct account_change_reply *r)
{
    struct account_change change = {.name = q->has_name ? &q->name : NULL,
                                    .most_bytes = q->has_bytes ? &q->limit.bytes : NULL,
                                    .most_messages = q->has_messages ? &q->limit.messages : NULL,
                                    .internal_only = q->has_internal_only ? &q->internal_only : NULL};
    struct account_id id;
    enum err e = find_id(c, q->address, &id);

    (void)r;
    return e ? e : account_change(c->vault->store, &c->cx, id, &change, &c->ticket);
}

/* The sessions end when the change is durable: before that a new sign-on would still succeed. */
enum err serve_account_suspend(struct caller *c, const struct account_suspend_request *q,
                               struct account_suspend_reply *r)
{
    struct account_id id;
    enum err e = find_id(c, q->address, &id);

    (void)r;
    if (!e)
        e = account_change(c->vault->store, &c->cx, id,
                           &(struct account_change){.suspended = &q->suspended}, &c->ticket);
    if (!e)
        e = engine_wait(c->vault->engine, &c->cx, c->ticket);
    if (!e && q->suspended)
        end_sessions(c, id);
    return e;
}

/* ---- aliases ---- */

/* Of a domain of ours, but nobody there: most likely a mistake, or somebody who is still to come. */
static enum err find_unknown(struct caller *c, const struct alias_add_request *q,
                             const struct target *targets, struct alias_add_reply *r)
{
    scoped(view_close) struct view *v = view_open(c->vault->engine);
    enum err e = v ? OK : fail(&c->cx, ERR_STORE, "the store is closed");

    r->unknown = arena_array(c->cx.arena, struct name, q->targets_count);
    for (size_t i = 0; !e && i < q->targets_count; i++) {
        struct destinations leads_to = {0};

        e = directory_resolve(c->vault->store, v, &c->cx, &targets[i].to, &leads_to);
        if (e == ERR_NO_SUCH_USER) {
            r->unknown[r->unknown_count++] = q->targets[i];
            e = OK;
        }
    }
    return e;
}

enum err serve_alias_add(struct caller *c, const struct alias_add_request *q, struct alias_add_reply *r)
{
    struct target *targets = arena_array(c->cx.arena, struct target, q->targets_count);
    enum err e = q->targets_count ? OK : fail(&c->cx, ERR_BAD_VALUE, "an alias needs a target");

    for (size_t i = 0; !e && i < q->targets_count; i++)
        e = parse_typed_path(&c->cx, q->targets[i].text, &targets[i].to);
    if (!e)
        e = find_unknown(c, q, targets, r);
    return e ? e
             : alias_write(c->vault->store, &c->cx, q->change ? ALIAS_KNOWN : ALIAS_NEW, q->address,
                           targets, q->targets_count, &c->ticket);
}

enum err serve_alias_remove(struct caller *c, const struct alias_remove_request *q,
                            struct alias_remove_reply *r)
{
    (void)r;
    return alias_delete(c->vault->store, &c->cx, q->address, &c->ticket);
}

static struct alias_info describe_alias(struct cx *cx, struct str address,
                                        const struct route_row *route)
{
    struct alias_info a = {.address = str_copy(cx->arena, address),
                           .targets = arena_array(cx->arena, struct name, route->targets_count),
                           .targets_count = route->targets_count};

    for (size_t i = 0; i < route->targets_count; i++)
        a.targets[i].text = path_text(cx, &route->targets[i].to);
    return a;
}

enum err serve_alias_list(struct caller *c, const struct alias_list_request *q,
                          struct alias_list_reply *r)
{
    scoped(view_close) struct view *v = view_open(c->vault->engine);
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value;
    size_t bytes = 0;
    enum err e = v ? scan_page(c, v, 'A', q->after, &scan) : ERR_STORE;

    r->aliases = arena_array(c->cx.arena, struct alias_info, PAGE);
    while (!e && r->aliases_count < PAGE && bytes < PAGE_BYTES && scan_next(scan, &key, &value)) {
        struct str copy = str_copy(c->cx.arena, value);
        struct route_row route;

        if (!route_unpack(c->cx.arena, copy, &route) || route.account.v)
            continue;
        r->aliases[r->aliases_count++] = describe_alias(&c->cx, str_from(key, 1), &route);
        bytes += value.n + route.targets_count; /* as it is packed, nearly */
    }
    r->more = r->aliases_count == PAGE || bytes >= PAGE_BYTES;
    return e ? e : scan_error(scan, &c->cx);
}
