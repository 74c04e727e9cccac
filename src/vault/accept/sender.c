#include "vault/accept/sender.h"

#include "base/log.h"
#include "config/config.h"
#include "mail/idna.h"
#include "net/sockaddr.h"
#include "vault/signon/handles.h"
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

enum err sender_find(struct caller *c, struct view *v, struct handle session, struct str client,
                     struct sender *out)
{
    struct network address;
    struct signed_on who;

    *out = (struct sender){.client = client};
    if (session.hi || session.lo) {
        if (!handle_find(c->vault->handles, session, c->gate, &who))
            return fail(&c->cx, ERR_AUTH_NEEDED, "nobody is signed on by this handle");
        return find_signed_on(c, v, &who, out);
    }
    if (c->room == USERS &&
        str_starts(client, S("uid:"))) { /* the local socket: a user of this machine */
        client = S("127.0.0.1");
        out->own_domain = domain_of(settings()->postmaster);
    }
    if (parse_network(client, &address) && config_relaying_network(settings(), address.ip))
        out->may_relay = out->inside = true;
    return OK;
}

enum err sender_check_reverse_path(struct vault *vault, struct view *v, struct cx *cx,
                                   const struct sender *s, const struct path *reverse_path)
{
    struct path from = sender_complete(s, reverse_path);
    bool may = true;
    enum err e = OK;

    if (s->account.v && from.local_part.n)
        e = directory_may_send_as(vault->store, v, cx, s->account, &from, &may);
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
