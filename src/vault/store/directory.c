/* Rows F, S, D, A, N and C of rows.def. Every change locks the directory part, so changes are one after another;
 * the count in directory_version() moves with each commit, and is all that `deliver` has to compare. */
#include "vault/store/directory.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/scoped.h"
#include "config/config.h"
#include "mail/idna.h"
#include "vault/store/folders_edit.h"
#include "vault/store/store_impl.h"

#include <inttypes.h>
#include <stdatomic.h>

#define DEEPEST_ALIAS 10

static const struct part directory_part = {PART_DIRECTORY, 0};

uint64_t directory_version(struct store *s)
{
    return atomic_load(&store_of(s)->directory_version);
}

/* Every change of the directory ends here. */
static enum err commit_directory(struct store *s, struct txn **t, struct cx *cx, struct ticket *ticket)
{
    enum err e = txn_commit(t, cx, ticket);

    atomic_fetch_add(&store_of(s)->directory_version, 1);
    return e;
}

/* ---- addresses as keys ---- */

static struct str key_text(struct cx *cx, struct str local_part, struct str domain)
{
    struct address_key key = {.local_part = local_part, .domain = domain};
    struct buf b = buf_make(1024);
    struct str s;

    address_key_write(&b, &key);
    s = str_copy(cx->arena, buf_str(&b));
    buf_free(&b);
    return s;
}

static bool path_key(struct cx *cx, const struct path *p, struct address_key *key)
{
    struct mailbox m = {.local_part = p->local_part, .domain = p->domain};

    return address_key(cx->arena, &m, key);
}

/* "fred@acompany.test" as somebody typed it; "@acompany.test" gives an empty local part. */
static enum err parse_typed(struct cx *cx, struct str text, struct address_key *key)
{
    struct mailbox m;

    if (take_char(&text, '@')) {
        *key = (struct address_key){0};
        if (!domain_to_ascii(cx->arena, text, &key->domain))
            return fail(cx, ERR_BAD_ADDRESS, "@%s is not a domain", log_value(text));
        return OK;
    }
    if (!is_mailbox(text, ADDRESS_UTF8, &m) || !address_key(cx->arena, &m, key))
        return fail(cx, ERR_BAD_ADDRESS, "%s is not a mail address", log_value(text));
    return OK;
}

static struct str typed_text(struct cx *cx, const struct address_key *key)
{
    struct buf b = buf_make(512);
    struct str s;

    if (key->local_part.n)
        return key_text(cx, key->local_part, key->domain);
    buf_add_char(&b, '@');
    buf_add(&b, key->domain);
    s = str_copy(cx->arena, buf_str(&b));
    buf_free(&b);
    return s;
}

/* ---- reading ---- */

enum err directory_is_ours(struct view *v, struct cx *cx, struct str domain, bool *ours)
{
    struct domain_row row;

    return domain_row_view(v, cx, NO_ACCOUNT, &(struct domain_key){.name = domain}, &row, ours);
}

static enum err find_address(struct view *v, struct cx *cx, struct str text, struct route_row *row,
                             bool *found)
{
    return route_row_view(v, cx, NO_ACCOUNT, &(struct route_key){.address = text}, row, found);
}

enum err directory_account(struct view *v, struct cx *cx, struct account_id id, struct account_row *row,
                           bool *found)
{
    return account_row_view(v, cx, NO_ACCOUNT, &(struct account_key){.account = id.v}, row, found);
}

/* A name without a domain: tried in each of our domains; two of them having it is as good as none. */
static enum err complete_name(struct view *v, struct cx *cx, struct str name, struct str *address,
                              bool *found)
{
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value;
    size_t hits = 0;
    enum err e = view_scan(v, cx, directory_part, S("D"), S("E"), false, &scan);

    while (!e && scan_next(scan, &key, &value)) {
        struct path p = {name, str_copy(cx->arena, str_from(key, 1))};
        struct address_key typed;
        struct route_row row;
        bool here = false;

        if (!path_key(cx, &p, &typed))
            break;
        e = find_address(v, cx, key_text(cx, typed.local_part, typed.domain), &row, &here);
        if (here) {
            *address = key_text(cx, typed.local_part, typed.domain);
            hits++;
        }
    }
    *found = hits == 1;
    return e ? e : scan_error(scan, cx);
}

enum err directory_find_account(struct store *s, struct view *v, struct cx *cx, struct str address,
                                struct account_id *id, struct account_row *row, bool *found)
{
    struct address_key key;
    struct route_row at;
    struct str text;
    size_t unused;
    enum err e;

    (void)s;
    *found = false;
    if (!str_find_char(address, '@', &unused)) {
        e = complete_name(v, cx, address, &text, found);
        if (e || !*found)
            return e;
    } else {
        if (parse_typed(cx, address, &key))
            return OK; /* what is no address is nobody's */
        text = typed_text(cx, &key);
    }
    e = find_address(v, cx, text, &at, found);
    if (e || !*found)
        return e;
    *found = at.account.v != 0;
    *id = at.account;
    return *found ? directory_account(v, cx, at.account, row, found) : OK;
}

enum err account_credential(struct view *v, struct cx *cx, struct account_id id,
                            struct credential_row *row, bool *found)
{
    return credential_row_view(v, cx, NO_ACCOUNT, &(struct credential_key){.account = id.v}, row,
                               found);
}

/* ---- where an address leads ---- */

static bool is_in(const struct destinations *out, const struct destination *d)
{
    for (size_t i = 0; i < out->n; i++) {
        const struct destination *o = &out->v[i];

        if (o->kind == d->kind && o->account.v == d->account.v &&
            (d->kind == TARGET_ACCOUNT || (str_same(o->remote.local_part, d->remote.local_part) &&
                                           str_same_nocase(o->remote.domain, d->remote.domain))))
            return true;
    }
    return false;
}

static enum err add_destination(struct cx *cx, struct destinations *out, const struct destination *d)
{
    if (is_in(out, d))
        return OK;
    if (out->n == MOST_DESTINATIONS)
        return fail(cx, ERR_LIMIT, "a message for more than %d destinations", MOST_DESTINATIONS);
    if (out->n == out->room) {
        struct destination *more =
            arena_array(cx->arena, struct destination, out->room ? out->room * 2 : 8);

        if (out->n)
            memcpy(more, out->v, out->n * sizeof(*more));
        out->room = out->room ? out->room * 2 : 8;
        out->v = more;
    }
    out->v[out->n++] = *d;
    return OK;
}

/* The row for an address: exactly, without its detail, the domain's catch-all; in that order. */
static enum err find_nearest(struct view *v, struct cx *cx, const struct address_key *key,
                             struct route_row *row, bool *found)
{
    enum err e = find_address(v, cx, key_text(cx, key->local_part, key->domain), row, found);

    if (!e && !*found && key->user.n && key->user.n != key->local_part.n)
        e = find_address(v, cx, key_text(cx, key->user, key->domain), row, found);
    if (!e && !*found) {
        struct address_key all = {.domain = key->domain};

        e = find_address(v, cx, typed_text(cx, &all), row, found);
    }
    return e;
}

struct walk {
    struct store *s;
    struct view *v;
    struct cx *cx;
    struct destinations *out;
    struct str
        on_the_way[DEEPEST_ALIAS]; /* aliases being followed: one that leads to itself ends there */
};

static enum err walk_to(struct walk *w, const struct path *to, unsigned depth);

static enum err walk_alias(struct walk *w, struct str name, const struct route_row *row, unsigned depth)
{
    enum err e = OK;

    for (unsigned i = 0; i < depth; i++)
        if (str_same(w->on_the_way[i], name))
            return OK;
    if (depth == DEEPEST_ALIAS)
        return fail(w->cx, ERR_LIMIT, "alias %s is nested more than %d deep", log_value(name),
                    DEEPEST_ALIAS);
    w->on_the_way[depth] = name;
    for (size_t i = 0; i < row->targets_count && !e; i++) {
        e = walk_to(w, &row->targets[i].to, depth + 1);
        if (e == ERR_NO_SUCH_USER) { /* one member who left must not cost the others their mail */
            log_line(LOG_WARNING, "alias-target-unknown", "alias=%s cause=%s", log_value(name),
                     log_value(str_from_c(w->cx->cause)));
            e = OK;
        }
    }
    return e;
}

/* RFC 5321 §4.5.1: who has no mailbox of that name sends it to the configured postmaster. */
static bool is_postmaster(const struct address_key *key)
{
    return str_same(key->user, S("postmaster"));
}

static enum err walk_to_postmaster(struct walk *w, unsigned depth)
{
    struct str address = store_postmaster(w->s);
    struct path to;
    size_t at;

    if (!str_rfind_char(address, '@', &at))
        return fail(w->cx, ERR_NO_SUCH_USER, "the setting postmaster has no domain");
    to = (struct path){str_upto(address, at), str_from(address, at + 1)};
    return walk_to(w, &to, depth);
}

static enum err walk_to(struct walk *w, const struct path *to, unsigned depth)
{
    struct destination d = {.kind = TARGET_REMOTE, .remote = *to};
    struct address_key key;
    struct route_row row = {0};
    bool found = false;
    enum err e;

    if (!to->domain.n && str_same_nocase(to->local_part, S("postmaster")))
        return walk_to_postmaster(w, depth);
    if (!to->domain.n) /* nobody else's name goes without one: no other server could be asked */
        return fail(w->cx, ERR_NO_SUCH_USER, "%s has no domain", log_value(to->local_part));
    if (!path_key(w->cx, to, &key))
        return fail(w->cx, ERR_BAD_ADDRESS, "%s@%s", log_value(to->local_part), log_value(to->domain));
    e = directory_is_ours(w->v, w->cx, key.domain, &found);
    if (e)
        return e;
    if (!found)
        return add_destination(w->cx, w->out, &d);
    e = find_nearest(w->v, w->cx, &key, &row, &found);
    if (e)
        return e;
    if (!found && is_postmaster(&key) && !str_same(typed_text(w->cx, &key), store_postmaster(w->s)))
        return walk_to_postmaster(w, depth);
    if (!found)
        return fail(w->cx, ERR_NO_SUCH_USER, "%s@%s", log_value(to->local_part), log_value(to->domain));
    if (!row.account.v)
        return walk_alias(w, typed_text(w->cx, &key), &row, depth);
    d = (struct destination){.kind = TARGET_ACCOUNT, .account = row.account, .delivered_to = *to};
    return add_destination(w->cx, w->out, &d);
}

enum err directory_resolve(struct store *s, struct view *v, struct cx *cx, const struct path *to,
                           struct destinations *out)
{
    struct walk w = {.s = s, .v = v, .cx = cx, .out = out};
    size_t before = out->n;
    enum err e = walk_to(&w, to, 0);

    if (!e &&
        out->n == before) /* an alias whose members have all gone, or who were all reached already */
        return before ? OK
                      : fail(cx, ERR_NO_SUCH_USER, "%s leads to nobody", log_value(to->local_part));
    return e;
}

enum err directory_may_send_as(struct store *s, struct view *v, struct cx *cx, struct account_id id,
                               const struct path *from, bool *may)
{
    struct destinations to = {0};
    struct account_row account;
    struct address_key key;
    bool found, ours;
    enum err e = directory_account(v, cx, id, &account, &found);

    *may = false;
    if (e || !found || !path_key(cx, from, &key))
        return e;
    if (str_same(account.address, key_text(cx, key.user, key.domain)))
        return *may = true, OK;
    e = directory_is_ours(v, cx, key.domain, &ours);
    if (e || !ours)
        return e;
    e = directory_resolve(s, v, cx, from, &to);
    for (size_t i = 0; !e && i < to.n; i++)
        *may |= to.v[i].kind == TARGET_ACCOUNT && to.v[i].account.v == id.v;
    return e == ERR_NO_SUCH_USER ? OK : e;
}

/* ---- changing ---- */

/* An address that is to be added: of a domain of ours, and free. */
static enum err check_new_address(struct txn *t, struct cx *cx, struct str typed, struct str *text)
{
    struct address_key key;
    struct route_row row;
    struct domain_row domain;
    bool found;
    enum err e = parse_typed(cx, typed, &key);

    if (!e)
        e = domain_row_txn(t, cx, NO_ACCOUNT, &(struct domain_key){.name = key.domain}, &domain,
                           &found);
    if (!e && !found)
        return fail(cx, ERR_NO_SUCH_DOMAIN, "the domain %.*s is not one of ours: add it first",
                    STR_ARG(key.domain));
    if (e)
        return e;
    *text = typed_text(cx, &key);
    e = route_row_txn(t, cx, NO_ACCOUNT, &(struct route_key){.address = *text}, &row, &found);
    if (!e && found)
        return fail(cx, ERR_EXISTS, "%.*s exists already: it is an %s", STR_ARG(*text),
                    row.account.v ? "account" : "alias");
    return e;
}

/* In a transaction of its own: a part can only be locked by who knows its id. One that comes to nothing afterwards
 * is lost, which is no harm. */
static enum err take_account_id(struct store *s, struct cx *cx, struct account_id *id)
{
    scoped(txn_rollback) struct txn *t = txn_begin(s->engine, &directory_part, 1);
    struct sequence_row row = {.next_account = 1};
    struct ticket ticket;
    bool found;
    enum err e = sequence_row_txn(t, cx, NO_ACCOUNT, &(struct sequence_key){0}, &row, &found);

    if (e)
        return e;
    *id = (struct account_id){row.next_account++};
    sequence_row_put(t, NO_ACCOUNT, &(struct sequence_key){0}, &row);
    return txn_commit(&t, cx, &ticket);
}

static enum err account_create_in(struct txn *t, struct cx *cx, const struct new_account *n,
                                  struct account_id id)
{
    struct account_row row = {.name = n->name,
                              .limit = n->limit,
                              .internal_only = n->internal_only,
                              .created = (uint64_t)now_ms()};
    enum err e;

    if (str_starts(n->address, S("@")))
        return fail(cx, ERR_BAD_ADDRESS, "%.*s is a catch-all: make it an alias", STR_ARG(n->address));
    e = check_new_address(t, cx, n->address, &row.address);
    if (e)
        return e;
    account_row_put(t, NO_ACCOUNT, &(struct account_key){.account = id.v}, &row);
    route_row_put(t, NO_ACCOUNT, &(struct route_key){.address = row.address},
                  &(struct route_row){.account = id});
    if (n->credential) {
        struct credential_row credential = *n->credential;

        credential.version = 1;
        credential_row_put(t, NO_ACCOUNT, &(struct credential_key){.account = id.v}, &credential);
    }
    return OK;
}

enum err account_create(struct store *s, struct cx *cx, const struct new_account *n,
                        struct account_id *id, struct ticket *ticket)
{
    scoped(txn_rollback) struct txn *t = NULL;
    struct part parts[] = {directory_part, {PART_ACCOUNT, 0}};
    struct account_id fresh;
    enum err e = take_account_id(s, cx, &fresh);

    if (e)
        return e;
    parts[1].id = fresh.v;
    t = txn_begin(s->engine, parts, 2);
    e = account_create_in(t, cx, n, fresh);
    if (e)
        return e;
    folders_begin(t, fresh, (uint32_t)(now_ms() / 1000));
    *id = fresh;
    return commit_directory(s, &t, cx, ticket);
}

static enum err read_account(struct txn *t, struct cx *cx, struct account_id id,
                             struct account_row *row)
{
    bool found;
    enum err e =
        account_row_txn(t, cx, NO_ACCOUNT, &(struct account_key){.account = id.v}, row, &found);

    return !e && !found ? fail(cx, ERR_NOT_FOUND, "account %" PRIu64 " was removed", id.v) : e;
}

/* Its emails keep their references until the collector has taken them: each is marked in the same transaction. */
enum err account_delete(struct store *s, struct cx *cx, struct account_id id, struct ticket *ticket)
{
    const struct part parts[] = {directory_part, {PART_ACCOUNT, id.v}};
    scoped(txn_rollback) struct txn *t = txn_begin(s->engine, parts, 2);
    struct account_row row;
    enum err e = read_account(t, cx, id, &row);

    if (!e)
        e = account_drop_references(t, cx, id);
    if (e)
        return e;
    route_row_delete(t, NO_ACCOUNT, &(struct route_key){.address = row.address});
    account_row_delete(t, NO_ACCOUNT, &(struct account_key){.account = id.v});
    credential_row_delete(t, NO_ACCOUNT, &(struct credential_key){.account = id.v});
    txn_delete_range(t, parts[1], S(""), S("\xff")); /* every tag is below */
    return commit_directory(s, &t, cx, ticket);
}

enum err account_change(struct store *s, struct cx *cx, struct account_id id,
                        const struct account_change *change, struct ticket *ticket)
{
    scoped(txn_rollback) struct txn *t = txn_begin(s->engine, &directory_part, 1);
    struct account_row row;
    enum err e = read_account(t, cx, id, &row);

    if (e)
        return e;
    row.name = change->name ? *change->name : row.name;
    row.limit.bytes = change->most_bytes ? *change->most_bytes : row.limit.bytes;
    row.limit.messages = change->most_messages ? *change->most_messages : row.limit.messages;
    row.suspended = change->suspended ? *change->suspended : row.suspended;
    row.internal_only = change->internal_only ? *change->internal_only : row.internal_only;
    account_row_put(t, NO_ACCOUNT, &(struct account_key){.account = id.v}, &row);
    return commit_directory(s, &t, cx, ticket);
}

enum err account_set_credential(struct store *s, struct cx *cx, struct account_id id,
                                const struct credential_row *row, struct ticket *ticket)
{
    scoped(txn_rollback) struct txn *t = txn_begin(s->engine, &directory_part, 1);
    struct credential_key key = {.account = id.v};
    struct credential_row before = {0}, after = *row;
    struct account_row account;
    bool found;
    enum err e = read_account(t, cx, id, &account);

    if (!e)
        e = credential_row_txn(t, cx, NO_ACCOUNT, &key, &before, &found);
    if (e)
        return e;
    after.version = before.version + 1;
    credential_row_put(t, NO_ACCOUNT, &key, &after);
    return commit_directory(s, &t, cx, ticket);
}

/* No top-level domain is a number (RFC 3696 §2), but the last part of 192.0.2.1 is: mail for it would never come. */
static bool ends_in_number(struct str name)
{
    uint64_t number;
    size_t at;

    return str_rfind_char(name, '.', &at) && parse_u64(str_from(name, at + 1), &number);
}

enum err domain_create(struct store *s, struct cx *cx, struct str domain, struct ticket *ticket)
{
    scoped(txn_rollback) struct txn *t = txn_begin(s->engine, &directory_part, 1);
    struct domain_row row = {.created = (uint64_t)now_ms()}, before;
    struct str name;
    bool found;
    enum err e;

    if (!is_domain(domain, ADDRESS_UTF8) || !domain_to_ascii(cx->arena, domain, &name))
        return fail(cx, ERR_BAD_ADDRESS, "%s is not a domain name", log_value(domain));
    if (ends_in_number(name))
        return fail(cx, ERR_BAD_ADDRESS, "%s is an address, not a domain name", log_value(domain));
    e = domain_row_txn(t, cx, NO_ACCOUNT, &(struct domain_key){.name = name}, &before, &found);
    if (!e && found)
        return fail(cx, ERR_EXISTS, "the domain %.*s exists already", STR_ARG(name));
    if (e)
        return e;
    domain_row_put(t, NO_ACCOUNT, &(struct domain_key){.name = name}, &row);
    return commit_directory(s, &t, cx, ticket);
}

static enum err check_domain_is_empty(struct txn *t, struct cx *cx, struct str domain)
{
    scoped(scan_close) struct scan *scan = NULL;
    struct str key, value;
    enum err e = txn_scan(t, cx, directory_part, S("A"), S("B"), false, &scan);
    size_t at;

    if (e)
        return e;
    while (scan_next(scan, &key, &value))
        if (str_rfind_char(key, '@', &at) && str_same(str_from(key, at + 1), domain))
            return fail(cx, ERR_EXISTS,
                        "%.*s is still there: remove the domain's accounts and aliases first",
                        STR_ARG(str_from(key, 1)));
    return scan_error(scan, cx);
}

enum err domain_delete(struct store *s, struct cx *cx, struct str domain, struct ticket *ticket)
{
    scoped(txn_rollback) struct txn *t = txn_begin(s->engine, &directory_part, 1);
    struct domain_row row;
    struct str name;
    bool found = false;
    enum err e = OK;

    if (domain_to_ascii(cx->arena, domain, &name))
        e = domain_row_txn(t, cx, NO_ACCOUNT, &(struct domain_key){.name = name}, &row, &found);
    if (!e && !found)
        return fail(cx, ERR_NO_SUCH_DOMAIN, "%s is not one of our domains", log_value(domain));
    if (!e)
        e = check_domain_is_empty(t, cx, name);
    if (e)
        return e;
    domain_row_delete(t, NO_ACCOUNT, &(struct domain_key){.name = name});
    return commit_directory(s, &t, cx, ticket);
}

static void put_alias(struct txn *t, struct cx *cx, struct str address, const struct target *targets,
                      size_t n)
{
    struct route_row row = {.targets = arena_array(cx->arena, struct target, n), .targets_count = n};

    if (n)
        memcpy(row.targets, targets, n * sizeof(*targets));
    route_row_put(t, NO_ACCOUNT, &(struct route_key){.address = address}, &row);
}

/* By what was typed. */
static enum err find_alias(struct txn *t, struct cx *cx, struct str typed, struct str *address)
{
    struct address_key key;
    struct route_row row;
    bool found;
    enum err e = parse_typed(cx, typed, &key);

    if (e)
        return e;
    *address = typed_text(cx, &key);
    e = route_row_txn(t, cx, NO_ACCOUNT, &(struct route_key){.address = *address}, &row, &found);
    if (!e && (!found || row.account.v))
        return fail(cx, ERR_NOT_FOUND, "there is no alias %.*s", STR_ARG(*address));
    return e;
}

enum err alias_write(struct store *s, struct cx *cx, enum alias_kind kind, struct str address,
                     const struct target *targets, size_t n, struct ticket *ticket)
{
    scoped(txn_rollback) struct txn *t = txn_begin(s->engine, &directory_part, 1);
    struct str text;
    enum err e = kind == ALIAS_NEW ? check_new_address(t, cx, address, &text)
                                   : find_alias(t, cx, address, &text);

    if (e)
        return e;
    put_alias(t, cx, text, targets, n);
    return commit_directory(s, &t, cx, ticket);
}

enum err alias_delete(struct store *s, struct cx *cx, struct str address, struct ticket *ticket)
{
    scoped(txn_rollback) struct txn *t = txn_begin(s->engine, &directory_part, 1);
    struct str text;
    enum err e = find_alias(t, cx, address, &text);

    if (e)
        return e;
    route_row_delete(t, NO_ACCOUNT, &(struct route_key){.address = text});
    return commit_directory(s, &t, cx, ticket);
}
