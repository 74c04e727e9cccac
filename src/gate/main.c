/* posthorn-gate --mx|--users: everything that meets the network. Started by the supervisor with one end of a socket
 * pair as descriptor 3, over which it is told its settings and given its sockets (rpc/leash.def). */
#include "base/log.h"
#include "gate/answers.h"
#include "gate/dns.h"
#include "gate/gate.h"
#include "gate/leash.h"
#include "gate/outbound/outbound.h"
#include "gate/services.h"
#include "net/listen.h"
#include "rpc/frame.h"
#include "sandbox/sandbox.h"

#include <malloc.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define MOST_DESCRIPTORS                                                                               \
    200000 /* as many connections as one may want, and the pairs of those that are relayed */
/* Of --users: thousands of idle TLS sessions lie between what the threads need for a moment. */
#define MEMORY_ARENAS 2

struct gate gate;

static enum err read_files(struct cx *cx)
{
    const struct config *config = gate_settings()->config;
    enum err e;

    if (!gate.is_mx)
        return OK;
    e = dns_open(cx, config, &gate.resolver);
    return e ? e : outbound_open(cx, config, &gate.outbound);
}

/* What has to be read from files is read before; the first thread starts after. */
static enum err close_doors(struct cx *cx)
{
    struct sandbox spec = {.kind = SANDBOX_GATE, .user = getuid() == 0 ? "posthorn-gate" : NULL};
    struct sandbox_layers layers;
    char text[SANDBOX_TEXT_SIZE];
    enum err e;

    tzset();
    e = sandbox_enter(cx, &spec, &layers);
    if (e)
        return e;
    sandbox_describe(&layers, text);
    log_line(LOG_INFO, "sandbox", "%s", text);
    return OK;
}

static enum err open_parts(struct leash_start *s)
{
    const struct config *config = gate_settings()->config;
    struct loop_settings loop = {.threads_most = FRAME_CALLS_MOST};
    struct peers_limits limits = {.in_all = config->limits.connections,
                                  .per_address = config->limits.connections_per_address};
    enum err e;

    gate.peers = peers_new(&limits);
    gate.vault = rpc_client_new(s->fds[0], FRAME_CALLS_MOST);
    rpc_use(gate.vault);
    rpc_on_wait(pool_blocking_begin, pool_blocking_end);
    e = loop_open(&s->cx, &loop, &gate.loop);
    return e ? e : answers_start(&s->cx, gate.loop, gate.vault);
}

static const struct config *config_in_force(void)
{
    return gate_settings()->config;
}

static enum err start_outbound(struct cx *cx)
{
    struct outbound_parts parts = {gate.loop, gate.resolver, config_in_force};
    enum err e;

    if (!gate.is_mx)
        return OK;
    e = resolver_start(cx, gate.resolver, gate.loop);
    return e ? e : outbound_start(cx, gate.outbound, &parts);
}

static enum err start(struct leash_start *s)
{
    const struct room_start_request *q = &s->request;
    uint64_t descriptors;
    enum err e;

    if (s->fd_count != q->listeners_count + 1)
        return fail(&s->cx, ERR_BAD_CALL, "%zu descriptors came for %zu listeners", s->fd_count,
                    q->listeners_count);
    if (nofile_raise(&s->cx, MOST_DESCRIPTORS, &descriptors))
        log_line(LOG_WARNING, "descriptors", "cause=%s", log_value(str_from_c(s->cx.cause)));
    gate.tls = tls_current_new();
    e = gate_take_settings(&s->cx, &(struct settings_told){q->settings, q->settings_name,
                                                           q->certificates, q->certificates_count});
    if (e)
        return e;
    log_start(gate.is_mx ? "mx" : "users", gate_settings()->config->log_level);
    e = read_files(&s->cx);
    if (!e)
        e = close_doors(&s->cx);
    if (!e)
        e = open_parts(s);
    if (!e)
        e = start_outbound(&s->cx);
    if (!e)
        e = services_listen(&s->cx, q->listeners, q->listeners_count, s->fds + 1);
    return e ? e : leash_serve(&s->cx);
}

static void stop(void)
{
    answers_stop();
    outbound_close(&gate.outbound);
    resolver_close(&gate.resolver);
    loop_close(&gate.loop);
    rpc_client_free(gate.vault);
    peers_free(gate.peers);
    tls_current_free(gate.tls);
}

int main(int argc, char **argv)
{
    struct str room = argc == 2 ? str_from_c(argv[1]) : STR_NONE;
    struct leash_start s;
    enum err e;

    gate.is_mx = str_same(room, S("--mx"));
    if (!gate.is_mx)
        mallopt(M_ARENA_MAX, MEMORY_ARENAS);
    log_start(gate.is_mx ? "mx" : "users", LOG_INFO);
    if ((!gate.is_mx && !str_same(room, S("--users"))) || !leash_wait_start(&s)) {
        fputs("posthorn-gate is started by `posthorn serve`, not by hand\n", stderr);
        return 2;
    }
    e = start(&s);
    leash_started(&s, e);
    if (e)
        return 1;
    loop_run(gate.loop);
    stop();
    return 0;
}
