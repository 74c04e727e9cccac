/* The vault is asked for as much work as there are free places, by one call that it answers when something is due. */
#include "gate/outbound/outbound.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/scoped.h"
#include "gate/answers.h"
#include "gate/outbound/delivery.h"

#include <ifaddrs.h>
#include <stdlib.h>

#define ASK_AGAIN_MS 5000 /* after an answer that was an error */
#define ROOTS_MAX ((size_t)4 * 1024 * 1024)
#define PASSWORD_FILE_MAX 4096
#define MOST_INTERFACES 256

struct taker {
    struct watch watch; /* the first member */
    struct outbound *o;
    struct awaited *call; /* queue_take: one at a time */
    int64_t not_before;   /* to ask again; monotonic */
};

/* ---- asking ---- */

static void ask(struct taker *t)
{
    struct queue_take_request q = {.most = OUTBOUND_MOST - atomic_load(&t->o->busy)};
    struct cx cx = {.arena = NULL};
    struct rpc_channel *ch;

    if (t->call || !q.most || monotonic_ms() < t->not_before ||
        answers_begin(&cx, CALL_queue_take, &ch))
        return;
    pack_queue_take_request(rpc_request(ch), &q);
    answers_ask(&cx, ch, NULL, 0, t->watch.id, &t->call);
}

static void begin_all(struct outbound *o, struct cx *cx, struct str payload)
{
    struct queue_take_reply r = {0};

    if (read_queue_take_reply(cx, payload, &r)) {
        log_line(LOG_ERROR, "queue-take", "cause=%s", log_value(str_from_c(cx->cause)));
        return;
    }
    for (size_t i = 0; i < r.entries_count; i++) {
        atomic_fetch_add(&o->busy, 1);
        delivery_begin(o, &r.entries[i]);
    }
}

static void take_answer(struct taker *t, struct cx *cx, enum err e, struct str payload)
{
    if (!e) {
        begin_all(t->o, cx, payload);
        return;
    }
    log_line(LOG_WARNING, "queue-take", "error=%s cause=%s", err_row(e)->name,
             log_value(str_from_c(cx->cause)));
    t->not_before = monotonic_ms() + ASK_AGAIN_MS;
    watch_set_deadline(&t->watch, t->not_before);
}

/* False: the vault has gone. */
static bool hear(struct taker *t)
{
    struct cx cx = {.arena = arena_new(0)};
    struct str payload;
    enum err e = OK;

    if (t->call && answers_look(&cx, &t->call, &e, &payload) && e != ERR_VAULT_AWAY)
        take_answer(t, &cx, e, payload);
    arena_free(cx.arena);
    return e != ERR_VAULT_AWAY;
}

static bool run(struct watch *w, unsigned what)
{
    struct taker *t = (struct taker *)w;
    bool goes_on = !loop_is_stopping(t->o->parts.loop);

    if (goes_on && !hear(t)) {
        log_line(LOG_WARNING, "vault-gone", "part=queue");
        goes_on = false;
    }
    if (!goes_on) {
        answers_forget(&t->call, NULL);
        watch_close(w);
        free(t);
        return false;
    }
    if (what & WATCH_DEADLINE)
        watch_set_deadline(w, t->not_before > monotonic_ms() ? t->not_before : NO_DEADLINE);
    ask(t);
    return true;
}

void place_is_free(struct outbound *o)
{
    atomic_fetch_sub(&o->busy, 1);
    loop_wake(o->parts.loop, o->taker_id);
}

/* ---- what is known before the sandbox closes ---- */

static struct str read_file(struct arena *arena, const char *path, size_t most)
{
    struct buf b = buf_make(most);
    FILE *f = fopen(path, "re");
    struct str s = STR_NONE;
    size_t n = 1;

    if (!f)
        return s;
    while (n && b.n < most) {
        size_t room = most - b.n < 65536 ? most - b.n : 65536;

        n = fread(buf_reserve(&b, room), 1, room, f);
        buf_grew(&b, n);
    }
    fclose(f);
    s = str_copy(arena, buf_str(&b));
    explicit_bzero(b.p, b.n);
    buf_free(&b);
    return s;
}

static enum err read_password(struct cx *cx, struct outbound *o, const struct config *config)
{
    struct str line, text;

    if (!config->relay.user.n)
        return OK;
    text = read_file(o->arena, config->relay.password_file.p, PASSWORD_FILE_MAX);
    if (!take_until(&text, '\n', &line))
        line = text;
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    if (!line.n)
        return fail(cx, ERR_CONFIG, "relay: no password can be read from %.*s",
                    STR_ARG(config->relay.password_file));
    o->relay_password = line;
    return OK;
}

static bool is_wildcard(struct str host)
{
    return str_same(host, S("0.0.0.0")) || str_same(host, S("::"));
}

static void find_interfaces(struct outbound *o)
{
    struct ifaddrs *all = NULL;

    o->interfaces = arena_array(o->arena, struct endpoint, MOST_INTERFACES);
    if (getifaddrs(&all) < 0)
        return;
    for (const struct ifaddrs *i = all; i && o->interface_count < MOST_INTERFACES; i = i->ifa_next) {
        int family = i->ifa_addr ? i->ifa_addr->sa_family : AF_UNSPEC;

        if (family == AF_INET || family == AF_INET6)
            memcpy(&o->interfaces[o->interface_count++], i->ifa_addr,
                   family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
    }
    freeifaddrs(all);
}

static void add_listening(const struct outbound *o, const struct config_endpoint *on,
                          struct endpoint *own, size_t *count)
{
    struct endpoint e;

    if (!parse_ip(on->host, &e))
        return;
    if (!is_wildcard(on->host))
        own[(*count)++] = e;
    for (size_t i = 0; is_wildcard(on->host) && i < o->interface_count; i++)
        if (endpoint_is_v6(&o->interfaces[i]) == endpoint_is_v6(&e))
            own[(*count)++] = o->interfaces[i];
}

struct mx_self own_self(const struct outbound *o, const struct config *config, struct arena *arena)
{
    const struct config_listen *listen = config_listen_find(config, SERVICE_SMTP);
    size_t most = listen ? listen->on.n * (o->interface_count + 1) : 0, count = 0;
    struct endpoint *own = arena_array(arena, struct endpoint, most);

    for (size_t i = 0; listen && i < listen->on.n; i++) {
        size_t before = count;

        add_listening(o, &listen->on.v[i], own, &count);
        for (; before < count; before++)
            endpoint_set_port(&own[before], listen->on.v[i].port);
    }
    return (struct mx_self){config->hostname, own, count};
}

enum err outbound_open(struct cx *cx, const struct config *config, struct outbound **out)
{
    struct outbound *o = must_alloc(sizeof(*o));
    struct arena *roots = arena_new(0);
    enum err e;

    o->arena = arena_new(0);
    o->unreachable = unreachable_new();
    find_interfaces(o);
    e = read_password(cx, o, config);
    if (!e)
        e = tls_client_new(cx, read_file(roots, OUTBOUND_ROOTS_FILE, ROOTS_MAX), &o->tls);
    arena_free(roots);
    if (e)
        outbound_close(&o);
    else
        *out = o;
    return e;
}

/* ---- start and end ---- */

enum err outbound_start(struct cx *cx, struct outbound *o, const struct outbound_parts *parts)
{
    struct taker *t = must_alloc(sizeof(*t));
    enum err e;

    o->parts = *parts;
    *t = (struct taker){.watch = watch_make(run, -1), .o = o};
    e = watch_open(cx, parts->loop, &t->watch);
    if (e) {
        free(t);
        return e;
    }
    o->taker_id = t->watch.id;
    watch_start(&t->watch, WATCH_WOKEN);
    return OK;
}

void outbound_close(struct outbound **out)
{
    struct outbound *o = *out;

    if (!o)
        return;
    *out = NULL;
    tls_client_free(o->tls);
    unreachable_free(o->unreachable);
    if (o->relay_password.n) /* in our own arena */
        explicit_bzero((char *)(uintptr_t)o->relay_password.p, o->relay_password.n);
    arena_free(o->arena);
    free(o);
}
