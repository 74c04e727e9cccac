/* libunbound works in a thread of its own and tells through a descriptor that answers are there; fetching them is
 * quick and done by whoever gets that event. Each question is a watch without a descriptor, so an answer, the
 * deadline and the end of the loop come to it one after the other, and its callback may block.
 *
 * A question that is given up is taken back with ub_cancel(). If libunbound says that it knows it no more, the
 * answer is on its way to us in another thread, and the question lives on until it is here.
 *
 * There may be two contexts: a plain one, and one that validates, which is used once the resolvers have proved to
 * bring signatures. */
#include "net/resolver.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/scoped.h"
#include "net/dns_answer.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unbound.h>
#include <unistd.h>

#define TYPE_DNSKEY 48
#define CLASS_IN 1
#define PROBE_TIMEOUT_MS 20000
#define PROBE_AGAIN_MS ((int64_t)10 * 60 * 1000)

/* The keys of the root zone, as IANA publishes them: KSK-2017 and KSK-2024. */
static const char *const root_anchors[] = {
    ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
    ". IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16",
};

struct context {
    struct watch watch; /* of the descriptor that tells of answers */
    struct ub_ctx *ub;  /* NULL: there is none */
};

struct query {
    struct watch watch;
    struct resolver *resolver;
    struct ub_ctx *ub;
    dns_callback *callback;
    void *arg;
    enum dns_type type;
    int async_id;
    const char *given_up; /* why; NULL: it was not */
    bool has_result;      /* this and the next two: under the resolver's lock */
    int error;
    struct ub_result *result;
    char name[]; /* what was asked */
};

struct resolver {
    struct context plain, validating;
    atomic_bool validates;
    bool has_told_no;    /* that it does not: the probe repeats itself, the log need not */
    char why[256];       /* it does or does not; if that is settled from the start */
    atomic_size_t count; /* questions under way */
    struct loop *loop;
    struct watch
        probe; /* asks for the root's keys now and then; started only if there are two contexts */
    pthread_mutex_t lock; /* guards results that arrive; held for a few lines */
};

/* ---- setting up */

/* What holds for every context. A server that was away is asked again after a minute, and "no such name" is
 * believed for five at most: mail is tried again anyway. Small caches: the queue asks, not a whole house. */
static const char *const options[][2] = {
    {"do-not-query-localhost:", "no"}, {"rrset-roundrobin:", "no"},        {"infra-host-ttl:", "60"},
    {"infra-keep-probing:", "yes"},    {"cache-max-negative-ttl:", "300"}, {"msg-cache-size:", "512k"},
    {"rrset-cache-size:", "1m"},       {"key-cache-size:", "256k"},        {"neg-cache-size:", "64k"},
};

/* With servers of the operator's own choice the zones that libunbound would answer by itself are theirs to answer. */
static const char *const open_options[][2] = {{"unblock-lan-zones:", "yes"},
                                              {"insecure-lan-zones:", "yes"}};
static const char *const open_zones[] = {"test.", "home.arpa."};

static int set_options(struct ub_ctx *ub, const char *const list[][2], size_t n)
{
    int e = 0;

    for (size_t i = 0; i < n && !e; i++)
        e = ub_ctx_set_option(ub, list[i][0], list[i][1]);
    return e;
}

static int set_forwards(struct ub_ctx *ub, const struct endpoint *servers, size_t n)
{
    char ip[ENDPOINT_TEXT_SIZE], text[ENDPOINT_TEXT_SIZE + 8];
    int e = 0;

    for (size_t i = 0; i < n && !e; i++) {
        endpoint_ip_text(&servers[i], ip);
        snprintf(text, sizeof(text), "%s@%u", ip, endpoint_port(&servers[i]));
        e = ub_ctx_set_fwd(ub, text);
    }
    return e;
}

static int use_own_servers(struct ub_ctx *ub, const struct resolver_settings *s)
{
    int e = set_forwards(ub, s->servers, s->server_count);

    return e ? e : set_options(ub, open_options, sizeof(open_options) / sizeof(*open_options));
}

static int open_own_zones(struct ub_ctx *ub)
{
    int e = 0;

    for (size_t i = 0; i < sizeof(open_zones) / sizeof(*open_zones) && !e; i++)
        e = ub_ctx_zone_remove(ub, open_zones[i]);
    return e;
}

static int add_anchors(struct ub_ctx *ub, const struct resolver_settings *s)
{
    int e = 0;

    if (s->trust_anchor)
        return ub_ctx_add_ta_file(ub, s->trust_anchor);
    for (size_t i = 0; i < sizeof(root_anchors) / sizeof(*root_anchors) && !e; i++)
        e = ub_ctx_add_ta(ub, root_anchors[i]);
    return e;
}

static enum err fail_ub(struct cx *cx, const char *what, int e)
{
    return fail(cx, ERR_CONFIG, "%s: %s", what, ub_strerror(e));
}

/* libunbound reads a file late, or says little about one it cannot read. */
static enum err check_readable(struct cx *cx, const char *path)
{
    return !path || access(path, R_OK) == 0 ? OK
                                            : fail(cx, ERR_CONFIG, "%s: %s", path, strerror(errno));
}

static enum err use_system(struct cx *cx, struct ub_ctx *ub, const struct resolver_settings *s)
{
    const char *resolv_conf = s->resolv_conf ? s->resolv_conf : RESOLVER_RESOLV_CONF;
    const char *hosts = s->hosts ? s->hosts : RESOLVER_HOSTS;
    int e = ub_ctx_resolvconf(ub, resolv_conf);

    if (e)
        return fail_ub(cx, resolv_conf, e);
    if (access(hosts, R_OK) == 0 && (e = ub_ctx_hosts(ub, hosts)))
        return fail_ub(cx, hosts, e);
    return OK;
}

/* The first question makes libunbound read its files and build its tables: here, in this thread, and one that it
 * answers by itself. */
static enum err settle(struct cx *cx, struct ub_ctx *ub, bool own_servers)
{
    struct ub_result *result = NULL;
    int e = own_servers ? open_own_zones(ub) : 0;

    if (!e)
        e = ub_resolve(ub, "localhost.", DNS_A, CLASS_IN, &result);
    ub_resolve_free(result);
    return e ? fail_ub(cx, "resolver", e) : OK;
}

static enum err open_context(struct cx *cx, const struct resolver_settings *s, bool validates,
                             struct ub_ctx **out)
{
    struct ub_ctx *ub = *out = ub_ctx_create();
    enum err err;
    int e;

    if (!ub)
        return fail(cx, ERR_SYSTEM, "resolver: no memory");
    ub_ctx_debugout(ub, NULL);
    e = set_options(ub, options, sizeof(options) / sizeof(*options));
    if (!e)
        e = ub_ctx_set_option(ub, "module-config:", validates ? "validator iterator" : "iterator");
    if (!e && validates)
        e = add_anchors(ub, s);
    if (!e)
        e = ub_ctx_async(ub, 1);
    if (!e && s->server_count)
        e = use_own_servers(ub, s);
    if (e)
        return fail_ub(cx, "resolver", e);
    err = s->server_count ? OK : use_system(cx, ub, s);
    return err ? err : settle(cx, ub, s->server_count > 0);
}

/* True: the settings alone say whether answers are validated. */
static bool is_settled(const struct resolver_settings *s, bool *validates, char *why, size_t size)
{
    *validates = s->trust_anchor != NULL;
    if (s->trust_anchor)
        snprintf(why, size, "trust-anchor is %s", s->trust_anchor);
    else if (s->server_count)
        snprintf(why, size, "servers are set without a trust-anchor");
    return *validates || s->server_count;
}

enum err resolver_open(struct cx *cx, const struct resolver_settings *s, struct resolver **out)
{
    struct resolver *r = must_alloc(sizeof(*r));
    bool validates, settled = is_settled(s, &validates, r->why, sizeof(r->why));
    bool needs_plain = !validates, needs_validating = validates || !settled;
    enum err e = check_readable(cx, s->trust_anchor);

    pthread_mutex_init(&r->lock, NULL);
    if (!e && needs_plain)
        e = open_context(cx, s, false, &r->plain.ub);
    if (!e && needs_validating)
        e = open_context(cx, s, true, &r->validating.ub);
    atomic_store(&r->validates, validates);
    if (e)
        resolver_close(&r);
    else
        *out = r;
    return e;
}

bool resolver_validates(const struct resolver *r)
{
    return atomic_load(&r->validates);
}

/* ---- answers */

static const char *rcode_text(int rcode)
{
    static const char *const texts[] = {"no error", "FORMERR", "SERVFAIL",
                                        "NXDOMAIN", "NOTIMP",  "REFUSED"};

    return (size_t)rcode < sizeof(texts) / sizeof(*texts) ? texts[rcode] : "an unusual response code";
}

static enum dns_outcome outcome_of(const struct query *q, const char **trouble)
{
    const struct ub_result *result = q->result;

    if (q->given_up || !result) {
        *trouble = q->given_up ? q->given_up : ub_strerror(q->error);
        return DNS_FAILED;
    }
    if (result->bogus) {
        *trouble = result->why_bogus ? result->why_bogus : "DNSSEC validation failed";
        return DNS_BOGUS;
    }
    if (result->nxdomain)
        return DNS_NXDOMAIN;
    if (result->rcode == 0)
        return result->havedata ? DNS_OK : DNS_NODATA;
    *trouble = rcode_text(result->rcode);
    return DNS_FAILED;
}

static struct str canonical_name(const struct query *q, const struct ub_result *result)
{
    struct str name = str_from_c(result && result->canonname ? result->canonname : q->name);

    return name.n && name.p[name.n - 1] == '.' ? str_upto(name, name.n - 1) : name;
}

static void read_records(struct arena *a, const struct query *q, const struct ub_result *result,
                         struct dns_answer *out)
{
    struct dns_rdata in = {.count = 0};
    struct str *records;

    while (result->data[in.count])
        in.count++;
    records = arena_array(a, struct str, in.count);
    for (size_t i = 0; i < in.count; i++)
        records[i] = (struct str){result->data[i], (size_t)result->len[i]};
    in.records = records;
    if (dns_read_records(a, q->type, &in, out))
        return;
    out->outcome = DNS_FAILED;
    out->trouble = "no record that can be used";
}

static void call_back(struct query *q)
{
    struct arena *a = arena_new(0);
    const struct ub_result *result = q->result;
    struct dns_answer answer = {.trouble = "", .canonical = canonical_name(q, result)};

    answer.outcome = outcome_of(q, &answer.trouble);
    if (result) {
        answer.secure = result->secure;
        answer.ttl = result->ttl > 0 ? (uint32_t)result->ttl : 0;
    }
    if (answer.outcome == DNS_OK)
        read_records(a, q, result, &answer);
    q->callback(q->arg, &answer);
    arena_free(a);
}

/* By libunbound, in the thread that called ub_process(). */
static void on_result(void *arg, int error, struct ub_result *result)
{
    struct query *q = arg;
    struct resolver *r = q->resolver;
    struct watch_id id;

    pthread_mutex_lock(&r->lock);
    q->has_result = true;
    q->error = error;
    q->result = result;
    id = q->watch.id;
    pthread_mutex_unlock(&r->lock); /* from here on it may be gone */
    loop_wake(r->loop, id);
}

/* ---- questions */

static bool has_result(struct query *q)
{
    HOLD(&q->resolver->lock);
    return q->has_result;
}

static void query_free(struct query *q)
{
    atomic_fetch_sub(&q->resolver->count, 1);
    ub_resolve_free(q->result);
    free(q);
}

/* What libunbound may still deliver must find the question alive. */
static bool give_up(struct query *q, const char *why)
{
    if (ub_cancel(q->ub, q->async_id) != 0)
        return false;
    q->given_up = why;
    return true;
}

static bool query_run(struct watch *w, unsigned what)
{
    struct query *q = (struct query *)w;
    bool over = has_result(q);

    if (!over && what & WATCH_STOP)
        over = give_up(q, "this server is stopping");
    else if (!over && what & WATCH_DEADLINE)
        over = give_up(q, "no answer in time");
    if (!over)
        return true;
    watch_close(w);
    call_back(q);
    query_free(q);
    return false;
}

static struct query *query_new(struct resolver *r, struct str name)
{
    struct query *q = must_alloc(sizeof(*q) + name.n + 1);

    q->watch = watch_make(query_run, -1);
    q->resolver = r;
    q->ub = resolver_validates(r) ? r->validating.ub : r->plain.ub;
    for (size_t i = 0; i < name.n; i++)
        q->name[i] = to_lower(name.p[i]);
    atomic_fetch_add(&r->count, 1);
    return q;
}

static enum err query_ask(struct cx *cx, struct query *q, int type, int64_t timeout_ms)
{
    enum err e = watch_open(cx, q->resolver->loop, &q->watch);
    int error;

    if (e) {
        query_free(q);
        return e;
    }
    watch_set_deadline(&q->watch, monotonic_ms() + timeout_ms);
    error = ub_resolve_async(q->ub, q->name, type, CLASS_IN, q, on_result, &q->async_id);
    if (error == 0) {
        watch_start(&q->watch, 0);
        return OK;
    }
    watch_close(&q->watch);
    e = fail(cx, error == UB_SYNTAX ? ERR_BAD_VALUE : ERR_BUSY, "%s: %s", q->name, ub_strerror(error));
    query_free(q);
    return e;
}

enum err resolver_ask(struct cx *cx, struct resolver *r, struct str name, enum dns_type type,
                      int64_t timeout_ms, dns_callback *callback, void *arg)
{
    struct query *q;

    if (!is_host_name(name))
        return fail(cx, ERR_BAD_VALUE, "not a domain: %s", log_value(name));
    if (atomic_load(&r->count) >= RESOLVER_MOST_QUERIES)
        return fail(cx, ERR_BUSY, "%d questions to the DNS at once", RESOLVER_MOST_QUERIES);
    q = query_new(r, name);
    q->callback = callback;
    q->arg = arg;
    q->type = type;
    return query_ask(cx, q, type, timeout_ms);
}

/* ---- do the resolvers bring signatures? */

static const char *probe_text(bool secure, const char *trouble)
{
    if (secure)
        return "the resolvers bring the signed keys of the root";
    return *trouble ? trouble : "the resolvers bring no signatures";
}

static void log_validation(bool validates, const char *why)
{
    log_line(LOG_INFO, "dnssec", "validates=%s why=%s", validates ? "yes" : "no",
             log_value(str_from_c(why)));
}

static void on_probe(void *arg, const struct dns_answer *answer)
{
    struct resolver *r = arg;

    if (answer->secure)
        atomic_store(&r->validates, true);
    if (answer->secure || !r->has_told_no)
        log_validation(answer->secure, probe_text(answer->secure, answer->trouble));
    r->has_told_no = !answer->secure;
}

/* The type is none of ours, so the records are not read; only `secure` counts. */
static void ask_for_root_keys(struct resolver *r)
{
    struct query *q = query_new(r, S("."));
    struct cx cx = {0};

    q->ub = r->validating.ub;
    q->callback = on_probe;
    q->arg = r;
    query_ask(&cx, q, TYPE_DNSKEY, PROBE_TIMEOUT_MS);
}

static bool probe_run(struct watch *w, unsigned what)
{
    struct resolver *r = (struct resolver *)((char *)w - offsetof(struct resolver, probe));

    if (what & WATCH_STOP || resolver_validates(r)) {
        watch_close(w);
        return false;
    }
    ask_for_root_keys(r);
    watch_set_deadline(w, monotonic_ms() + PROBE_AGAIN_MS);
    return true;
}

/* ---- at work */

static bool context_run(struct watch *w, unsigned what)
{
    struct context *c = (struct context *)w;

    if (what & WATCH_READ)
        ub_process(c->ub); /* calls on_result() */
    w->want = WATCH_READ;
    return true;
}

static enum err start_context(struct cx *cx, struct resolver *r, struct context *c)
{
    enum err e;

    if (!c->ub)
        return OK;
    c->watch = watch_make(context_run, ub_fd(c->ub));
    c->watch.background = true;
    e = watch_open(cx, r->loop, &c->watch);
    if (!e)
        watch_start(&c->watch, WATCH_READ);
    return e;
}

enum err resolver_start(struct cx *cx, struct resolver *r, struct loop *l)
{
    enum err e;

    r->loop = l;
    e = start_context(cx, r, &r->plain);
    if (!e)
        e = start_context(cx, r, &r->validating);
    if (e)
        return e;
    if (resolver_validates(r) || !r->validating.ub) {
        log_validation(resolver_validates(r), r->why);
        return OK;
    }
    r->probe = watch_make(probe_run, -1);
    e = watch_open(cx, l, &r->probe);
    if (!e)
        watch_start(&r->probe, 0);
    return e;
}

static void close_context(struct context *c)
{
    if (c->watch.loop)
        watch_close(&c->watch);
    if (c->ub)
        ub_ctx_delete(c->ub);
}

void resolver_close(struct resolver **out)
{
    struct resolver *r = *out;

    *out = NULL;
    if (!r)
        return;
    close_context(&r->plain);
    close_context(&r->validating);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

/* ---- trying */

struct trial {
    bool has_answer;
    struct dns_validation *out;
};

static void on_trial(void *arg, int error, struct ub_result *result)
{
    struct trial *t = arg;
    const char *trouble = result && result->why_bogus ? result->why_bogus : "";

    t->has_answer = true;
    if (error || !result)
        trouble = ub_strerror(error);
    else if (result->rcode && !*trouble)
        trouble = rcode_text(result->rcode);
    t->out->validates = result && result->secure;
    snprintf(t->out->why, sizeof(t->out->why), "%s", probe_text(t->out->validates, trouble));
    ub_resolve_free(result);
}

static int try_root(struct ub_ctx *ub, int64_t until_ms, struct trial *t)
{
    struct pollfd p = {.fd = ub_fd(ub), .events = POLLIN};
    int64_t left;
    int e = ub_resolve_async(ub, ".", TYPE_DNSKEY, CLASS_IN, t, on_trial, NULL);

    snprintf(t->out->why, sizeof(t->out->why), "no resolver answers in time");
    while (!e && !t->has_answer && (left = until_ms - monotonic_ms()) > 0)
        if (poll(&p, 1, (int)left) > 0)
            e = ub_process(ub);
    return e;
}

enum err resolver_try(struct cx *cx, const struct resolver_settings *s, int64_t timeout_ms,
                      struct dns_validation *out)
{
    struct trial trial = {.out = out};
    struct ub_ctx *ub = NULL;
    bool settled;
    enum err e = check_readable(cx, s->trust_anchor);
    int error = 0;

    *out = (struct dns_validation){.validates = false};
    settled = is_settled(s, &out->validates, out->why, sizeof(out->why));
    if (!e)
        e = open_context(cx, s, out->validates || !settled, &ub);
    if (!e && !settled)
        error = try_root(ub, monotonic_ms() + timeout_ms, &trial);
    if (ub)
        ub_ctx_delete(ub);
    return error ? fail_ub(cx, "resolver", error) : e;
}
