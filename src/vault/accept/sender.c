#include "vault/accept/sender.h"

#include "base/log.h"
#include "config/config.h"
#include "mail/idna.h"
#include "net/sockaddr.h"
#include "vault/signon/handles.h"
#include "vault/trace/trace.h"
#include "vault/vault.h"

#include <inttypes.h>

static struct str domain_of(struct str address)
{
    size_t at;

    return str_rfind_char(address, '@', &at) ? str_from(address, at + 1) : STR_NONE;
}

static enum err find_signed_on(struct caller *c, struct view *v, const struct signed_on *who,
                               struct sender *out)
{
    struct account_row account;
    bool found;
    enum err e = directory_account(v, &c->cx, who->account, &account, &found);

    if (!e && !found)
        return fail(&c->cx, ERR_AUTH_NEEDED, "account %" PRIu64 " was removed", who->account.v);
    if (!e && account.suspended)
        return fail(&c->cx, ERR_SUSPENDED, "account %" PRIu64, who->account.v);
    if (e)
        return e;
    out->account = who->account;
    out->may_relay = out->inside = true;
    out->internal_only = account.internal_only;
    out->own_domain = domain_of(account.address);
    return OK;
}

static void find_local(struct caller *c, const struct signed_on *who, struct sender *out)
{
    if (!who->any_sender)
        out->login = str_copy(c->cx.arena, str_from_c(who->client));
    out->own_domain = domain_of(settings()->postmaster);
    out->may_relay = out->inside = true;
}

enum err sender_find(struct caller *c, struct view *v, struct handle session, struct str client,
                     struct sender *out)
{
    struct network address;
    struct signed_on who;

    *out = (struct sender){.client = client};
    if (session.hi || session.lo) {
        if (!handle_find(c->vault->handles, session, c->gate, &who))
            return fail(&c->cx, ERR_AUTH_NEEDED, "nobody is signed on by this handle");
        if (who.protocol != PROTOCOL_LOCAL)
            return find_signed_on(c, v, &who, out);
        find_local(c, &who, out);
        return OK;
    }
    if (parse_network(client, &address) && config_relaying_network(settings(), address.ip))
        out->may_relay = out->inside = true;
    return OK;
}

static bool is_same_name(struct cx *cx, const struct mailbox *name, const struct address_key *from)
{
    struct address_key key;

    return address_key(cx->arena, name, &key) && str_same(key.user, from->user) &&
           str_same(key.domain, from->domain);
}

/* The login and the account of that name in the postmaster's domain are taken for one person. */
static enum err check_login(struct vault *vault, struct view *v, struct cx *cx, const struct sender *s,
                            const struct path *from, bool *may)
{
    struct mailbox written = {from->local_part, from->domain}, here = {s->login, settings()->hostname},
                   there = {s->login, s->own_domain};
    struct address_key key;
    struct account_row account;
    struct account_id id;
    bool found;
    enum err e;

    *may = address_key(cx->arena, &written, &key) &&
           (is_same_name(cx, &here, &key) || is_same_name(cx, &there, &key));
    if (*may)
        return OK;
    e = directory_find_account(vault->store, v, cx,
                               path_text(cx, &(struct path){s->login, s->own_domain}), &id, &account,
                               &found);
    return e || !found || account.suspended ? e
                                            : directory_may_send_as(vault->store, v, cx, id, from, may);
}

enum err sender_check_reverse_path(struct vault *vault, struct view *v, struct cx *cx,
                                   const struct sender *s, const struct path *reverse_path)
{
    struct path from = sender_complete(s, reverse_path);
    bool may = true;
    enum err e = OK;

    if (s->account.v && from.local_part.n)
        e = directory_may_send_as(vault->store, v, cx, s->account, &from, &may);
    else if (s->login.n && from.local_part.n)
        e = check_login(vault, v, cx, s, &from, &may);
    if (!e && !may && s->login.n)
        return fail(cx, ERR_BAD_SENDER, "the login %s sends as %s@%s", log_value(s->login),
                    log_value(from.local_part), log_value(from.domain));
    if (!e && !may)
        return fail(cx, ERR_BAD_SENDER, "account %" PRIu64 " sends as %s@%s", s->account.v,
                    log_value(from.local_part), log_value(from.domain));
    return e;
}

struct path sender_complete(const struct sender *s, const struct path *p)
{
    struct path whole = *p;

    if (p->local_part.n && !p->domain.n && !str_same_nocase(p->local_part, S("postmaster")))
        whole.domain = s->own_domain;
    return whole;
}
