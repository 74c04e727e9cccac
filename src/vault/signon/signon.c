/* A step goes through the exchange (sasl.c), and when that has ended in a claim or a proof, through the check: may
 * this be tried now (throttle.c), is the password right (cache.c, else password.c in the long lane), may the account
 * be used, and last, once the handle is given: is all that still so. */
#include "vault/signon/signon.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/scoped.h"
#include "config/config.h"
#include "net/sockaddr.h"
#include "vault/signon/cache.h"
#include "vault/signon/conversations.h"
#include "vault/signon/password.h"
#include "vault/signon/subject.h"
#include "vault/signon/throttle.h"
#include "vault/vault.h"

#include <inttypes.h>
#include <stdlib.h>

#define MOST_CONVERSATIONS 10000
#define MOST_STEPS 8             /* SCRAM and LOGIN take three */
#define MOST_ACCOUNTS_KEPT 65536 /* 48 bytes each, once used */
#define MOST_COUNTS 32768

struct signons {
    struct store *store;
    struct handles *handles;
    struct sasl *sasl;
    struct cache *cache;
    struct throttle *throttle;
    struct conversations *conversations;
    struct keyed secret;
};

enum err signons_open(struct cx *cx, struct store *store, struct handles *handles,
                      int64_t (*clock_ms)(void), struct signons **out)
{
    struct signons *s = must_alloc(sizeof(*s));
    enum err e = sasl_open(cx, &s->sasl);

    if (!e)
        e = store_secret(store, cx, &s->secret);
    if (e) {
        signons_close(s);
        return e;
    }
    s->store = store;
    s->handles = handles;
    s->cache = cache_new(MOST_ACCOUNTS_KEPT);
    s->throttle = throttle_new(MOST_COUNTS, clock_ms);
    s->conversations = conversations_new(MOST_CONVERSATIONS, clock_ms);
    keyed_digest(&s->secret, S(""), S("")); /* libcrypto reads its settings now */
    *out = s;
    return OK;
}

void signons_close(struct signons *s)
{
    if (!s)
        return;
    conversations_free(s->conversations);
    throttle_free(s->throttle);
    cache_free(s->cache);
    sasl_close(&s->sasl);
    free(s);
}

void signons_end_gate(struct signons *s, uint64_t gate)
{
    conversations_end_gate(s->conversations, gate);
}

/* ---- who asks ---- */

static const char *service_name(uint32_t protocol)
{
    static const char *const names[] = {NULL, "smtp", "pop3", "imap", "sieve", "http"};

    return protocol < sizeof(names) / sizeof(*names) ? names[protocol] : NULL;
}

/* The address in one spelling, and whom its limits count for. */
static bool note_client(struct conversation *v, struct str client)
{
    struct endpoint peer;
    char text[ENDPOINT_TEXT_SIZE];
    struct network network;

    if (!parse_ip(client, &peer))
        return false;
    endpoint_ip_text(&peer, text);
    network = network_of_peer(&peer);
    if (strlen(text) >= sizeof(v->client))
        return false;
    memcpy(v->client, text, strlen(text) + 1);
    memcpy(v->network, network.ip, sizeof(network.ip));
    v->network[sizeof(network.ip)] = (char)network.bits;
    return true;
}

/* The gate looks at this before it announces anything; a gate that does not is not obeyed. */
static bool may_send_passwords(const struct signons *s, const struct signon_begin_request *q)
{
    struct endpoint peer;

    return q->tls || s->store->config()->allow_plaintext_auth ||
           (parse_ip(q->client, &peer) && endpoint_is_loopback(&peer));
}

/* ---- a step ---- */

struct step {
    struct signons *s;
    struct caller *c;
    struct conversation *v;
    struct str said;  /* by the client */
    bool takes_long;  /* to be done again in the long lane */
    enum err trouble; /* the store could not be read for SCRAM */
    /* what comes of it: */
    uint32_t state;
    struct str to_client;
    struct handle session;
};

/* The line that fail2ban and its kin read: its form is a promise. */
static enum err refuse(struct step *p, enum err e, const char *reason)
{
    log_line(LOG_WARNING, "signon-failed", "address=%s service=%s name=%s reason=%s", p->v->client,
             service_name(p->v->protocol), log_value(exchange_name(p->v->exchange)), reason);
    return fail(&p->c->cx, e, "%s", reason);
}

static struct str network_of(const struct conversation *v)
{
    return (struct str){v->network, sizeof(v->network)};
}

/* The handle, and a last look: what was read may have changed while argon2 ran. Who suspends an account makes that
 * durable and then ends its handles, so either that ends this one or this look sees it. */
static enum err give_handle(struct step *p, struct account_id account, uint64_t version)
{
    struct signed_on who = {.account = account,
                            .gate = p->v->gate,
                            .protocol = p->v->protocol,
                            .tls = p->v->tls,
                            .bound = p->v->bound};
    struct handle handle;
    bool stands = false;
    enum err e;

    memcpy(who.client, p->v->client, sizeof(who.client));
    e = handle_give(p->s->handles, &p->c->cx, &who, &handle);
    if (e)
        return e;
    e = subject_stands(p->s->store, &p->c->cx, account, version, &stands);
    if (e || !stands) {
        handle_end(p->s->handles, handle);
        return e ? e : fail(&p->c->cx, ERR_AUTH_BUSY, "the account changed meanwhile");
    }
    log_line(LOG_INFO, "signed-on", "address=%s service=%s name=%s account=%" PRIu64 " tls=%d",
             p->v->client, service_name(p->v->protocol), log_value(exchange_name(p->v->exchange)),
             account.v, p->v->tls);
    p->state = SIGNON_DONE;
    p->session = handle;
    return OK;
}

/* RFC 4616 §2, RFC 5802 §5.1: somebody else's mailbox is not opened with one's own password. Who proved who he is may
 * hear that it is that (RFC 5530 §3), but not whether there is such a one. */
static enum err check_authzid(struct step *p, struct account_id account)
{
    struct str authzid = exchange_authzid(p->v->exchange);
    struct subject other;
    enum err e;

    if (!authzid.n)
        return OK;
    e = subject_find(p->s->store, &p->c->cx, authzid, &other);
    if (e)
        return e;
    return other.account.v == account.v ? OK : refuse(p, ERR_AUTHZ_FAILED, "wrong-authzid");
}

/* The password was right. */
static enum err admit(struct step *p, const struct subject *who)
{
    enum err e = check_authzid(p, who->account);

    if (e)
        return e;
    if (who->row.suspended)
        return refuse(p, ERR_SUSPENDED, "suspended");
    return give_handle(p, who->account, who->credential.version);
}

/* In the long lane, and after the same work for everybody: a name that is nobody's has no hash. */
static bool password_is_right(struct step *p, const struct subject *who, struct str password)
{
    if (cache_holds(p->s->cache, who->account, who->credential.version, password) && who->account.v)
        return true;
    if (p->c->lane != LONG) {
        p->takes_long = true;
        return false;
    }
    if (!password_is(who->credential.argon2, password) || !who->account.v)
        return false;
    cache_keep(p->s->cache, who->account, who->credential.version, password);
    return true;
}

static enum err try_password(struct step *p, struct str name, struct str password, struct attempt *a)
{
    struct subject who;
    enum err e = subject_find(p->s->store, &p->c->cx, name, &who);
    bool right;

    if (e)
        return e;
    right = password_is_right(p, &who, password);
    if (p->takes_long)
        return OK;
    throttle_leave(p->s->throttle, a, right ? ATTEMPT_RIGHT : ATTEMPT_FAILED);
    if (!right)
        return refuse(p, ERR_AUTH_FAILED, who.account.v ? "wrong-password" : "unknown-name");
    return admit(p, &who);
}

static enum err check_claim(struct step *p)
{
    struct str name, password;
    struct attempt a;
    enum err e;

    if (!user_name_prepare(&p->c->cx, exchange_name(p->v->exchange), &name) ||
        !password_prepare(&p->c->cx, exchange_password(p->v->exchange), &password))
        return refuse(p, ERR_AUTH_FAILED, "no-such-text");
    if (!throttle_enter(p->s->throttle, canonical_name(&p->c->cx, name), network_of(p->v), &a))
        return refuse(p, ERR_AUTH_BUSY, "throttled");
    e = try_password(p, name, password, &a);
    throttle_leave(p->s->throttle, &a, ATTEMPT_GIVEN_UP); /* if it did not come to a verdict */
    return e;
}

/* SCRAM: which keys belong to the name. The conversation notes whose they are. */
static bool find_keys(void *arg, struct str name, struct scram_keys *out)
{
    struct step *p = arg;
    struct subject who = {0};

    if (!user_name_prepare(&p->c->cx, name, &name))
        return false;
    p->trouble = subject_find(p->s->store, &p->c->cx, name, &who);
    if (p->trouble)
        return false;
    *out = subject_scram_keys(&p->c->cx, &p->s->secret, &who, name);
    p->v->account = who.account;
    p->v->version = who.credential.version;
    return true;
}

static enum err admit_proven(struct step *p, struct str name)
{
    struct subject who;
    enum err e = subject_find(p->s->store, &p->c->cx, name, &who);

    if (e)
        return e;
    if (who.account.v != p->v->account.v || who.credential.version != p->v->version || !who.account.v)
        return refuse(p, ERR_AUTH_FAILED, "wrong-proof");
    return admit(p, &who);
}

/* The step of SCRAM that decides. */
static enum err check_proof(struct step *p, const struct exchange_asks *asks, struct buf *out)
{
    struct str name;
    struct attempt a;
    bool proven;

    if (!user_name_prepare(&p->c->cx, exchange_name(p->v->exchange), &name))
        return refuse(p, ERR_AUTH_FAILED, "no-such-text");
    if (!throttle_enter(p->s->throttle, canonical_name(&p->c->cx, name), network_of(p->v), &a))
        return refuse(p, ERR_AUTH_BUSY, "throttled");
    proven = exchange_step(p->v->exchange, asks, p->said, out) == EXCHANGE_PROVEN;
    throttle_leave(p->s->throttle, &a, proven ? ATTEMPT_RIGHT : ATTEMPT_FAILED);
    return proven ? admit_proven(p, name) : refuse(p, ERR_AUTH_FAILED, "wrong-proof");
}

static enum err go_on(struct step *p, struct buf *out)
{
    const struct exchange_asks asks = {find_keys, p};

    if (p->v->claimed) /* the exchange is over; this is the same step, in the long lane */
        return check_claim(p);
    if (exchange_awaits_proof(p->v->exchange))
        return check_proof(p, &asks, out);
    switch (exchange_step(p->v->exchange, &asks, p->said, out)) {
    case EXCHANGE_MORE:
        p->state = SIGNON_MORE;
        return OK;
    case EXCHANGE_CLAIMED:
        p->v->claimed = true;
        return check_claim(p);
    case EXCHANGE_PROVEN:
    case EXCHANGE_REFUSED:
        break;
    }
    return p->trouble ? p->trouble : refuse(p, ERR_AUTH_FAILED, "malformed");
}

static enum err take_step(struct step *p)
{
    scoped(buf_free) struct buf out = buf_make(SASL_INPUT_MAX);
    enum err e;

    if (p->said.n > SASL_INPUT_MAX || ++p->v->steps > MOST_STEPS)
        return refuse(p, ERR_AUTH_FAILED, "malformed");
    e = go_on(p, &out);
    p->to_client = str_copy(p->c->cx.arena, buf_str(&out));
    return e;
}

enum err serve_signon_step(struct caller *c, const struct signon_step_request *q,
                           struct signon_step_reply *r)
{
    struct signons *s = c->vault->signons;
    struct step p = {.s = s, .c = c, .said = q->from_client};
    enum err e;

    p.v = conversation_take(s->conversations, q->signon, c->gate);
    if (!p.v)
        return fail(&c->cx, ERR_AUTH_CANCELLED, "there is no sign-on %" PRIu64 " under way", q->signon);
    e = take_step(&p);
    if (!e && (p.takes_long || p.state == SIGNON_MORE))
        conversation_give_back(s->conversations, p.v);
    else
        conversation_end(s->conversations, p.v);
    if (p.takes_long)
        return caller_go_long(c);
    *r = (struct signon_step_reply){.state = p.state, .to_client = p.to_client, .session = p.session};
    return e;
}

/* ---- begin ---- */

/* The first step, before there is anything to keep. In the long lane all of it is done once more. */
static enum err take_first_step(struct caller *c, struct conversation *v, struct str said,
                                struct signon_begin_reply *r, bool *goes_on)
{
    struct step p = {.s = c->vault->signons, .c = c, .v = v, .said = said};
    enum err e = take_step(&p);

    *goes_on = !e && !p.takes_long && p.state == SIGNON_MORE;
    if (p.takes_long)
        return caller_go_long(c);
    *r = (struct signon_begin_reply){.state = p.state, .to_client = p.to_client, .session = p.session};
    return e;
}

static bool has_binding(const struct signon_begin_request *q)
{
    for (size_t i = 0; i < q->bindings_count; i++)
        if (q->tls && q->bindings[i].value.n && sasl_knows_binding(q->bindings[i].type))
            return true;
    return false;
}

static bool is_offered(const struct signons *s, const struct conversation *v, struct str mechanism)
{
    return sasl_has(mechanism) && (!sasl_is_scram(mechanism) || s->store->config()->scram) &&
           (!sasl_is_bound(mechanism) || v->bound);
}

enum err serve_signon_begin(struct caller *c, const struct signon_begin_request *q,
                            struct signon_begin_reply *r)
{
    struct signons *s = c->vault->signons;
    struct conversation v = {
        .gate = c->gate, .protocol = q->protocol, .tls = q->tls, .bound = has_binding(q)};
    bool goes_on = true;
    enum err e;

    if (!service_name(q->protocol) || !note_client(&v, q->client))
        return fail(&c->cx, ERR_BAD_CALL, "protocol %u, client %s", q->protocol, log_value(q->client));
    if (!is_offered(s, &v, q->mechanism))
        return fail(&c->cx, ERR_NO_MECHANISM, "%s", log_value(q->mechanism));
    if (!may_send_passwords(s, q))
        return fail(&c->cx, ERR_TLS_NEEDED, "%s without TLS", log_value(q->mechanism));
    e = exchange_begin(&c->cx, s->sasl, q->mechanism, q->bindings, q->bindings_count, &v.exchange);
    if (!e && q->has_said)
        e = take_first_step(c, &v, q->said, r, &goes_on);
    if (!e && goes_on)
        e = conversation_begin(s->conversations, &c->cx, &v, &r->signon);
    if (e || !goes_on)
        exchange_end(&v.exchange);
    return e;
}

/* ---- the end ---- */

enum err serve_signon_cancel(struct caller *c, const struct signon_cancel_request *q,
                             struct signon_cancel_reply *r)
{
    struct conversations *all = c->vault->signons->conversations;
    struct conversation *v = conversation_take(all, q->signon, c->gate);

    (void)r;
    if (v)
        conversation_end(all, v);
    return OK;
}

enum err serve_signon_end(struct caller *c, const struct signon_end_request *q,
                          struct signon_end_reply *r)
{
    struct signed_on who;

    (void)r;
    if (handle_find(c->vault->handles, q->session, c->gate, &who))
        handle_end(c->vault->handles, q->session);
    return OK;
}
