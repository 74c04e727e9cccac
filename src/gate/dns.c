#include "gate/dns.h"

#include "base/arena.h"

enum err dns_settings(struct cx *cx, const struct config *config, struct resolver_settings *out)
{
    size_t count = config->dns.servers.n;
    struct endpoint *servers = arena_array(cx->arena, struct endpoint, count);

    for (size_t i = 0; i < count; i++) {
        if (!parse_ip(config->dns.servers.v[i].host, &servers[i]))
            return fail(cx, ERR_CONFIG, "dns: %.*s is no address",
                        STR_ARG(config->dns.servers.v[i].host));
        endpoint_set_port(&servers[i], config->dns.servers.v[i].port);
    }
    *out = (struct resolver_settings){
        .servers = servers,
        .server_count = count,
        .trust_anchor = config->dns.trust_anchor.n ? config->dns.trust_anchor.p : NULL};
    return OK;
}

enum err dns_open(struct cx *cx, const struct config *config, struct resolver **out)
{
    struct resolver_settings settings;
    enum err e = dns_settings(cx, config, &settings);

    return e ? e : resolver_open(cx, &settings, out);
}
