/* Where a destination's mail goes: the questions whose answers mx_plan.c turns into a plan. All addresses of all hosts
 * are asked for at once. */
#include "gate/outbound/delivery.h"

#include "base/codec.h"

#include <pthread.h>
#include <stdlib.h>

#define LOOKUP_MS ((int64_t)30 * 1000)

/* A name that cannot be asked for does not exist; a question that cannot be asked has no answer. */
static void ask(struct delivery *d, struct str name, enum dns_type type, dns_callback *callback,
                void *arg)
{
    struct cx cx = {.arena = d->arena};
    enum err e = resolver_ask(&cx, d->o->parts.resolver, name, type, LOOKUP_MS, callback, arg);

    if (e)
        callback(arg, &(struct dns_answer){.outcome = e == ERR_BAD_VALUE ? DNS_NXDOMAIN : DNS_FAILED,
                                           .trouble = cx.cause});
}

struct question {
    struct delivery *delivery;
    size_t host;
};

static uint16_t port_of(const struct delivery *d)
{
    return d->config->relay.given ? d->config->relay.host.port : d->config->queue.relay_port;
}

/* Mail for a smart host goes there, whoever that is. */
static void plan_targets(struct delivery *d)
{
    struct mx_self self = own_self(d->o, d->config, d->arena);

    mx_plan_targets(&d->plan, d->config->relay.given ? NULL : &self, port_of(d));
}

static void one_lookup_less(struct delivery *d)
{
    if (atomic_fetch_sub(&d->lookups, 1) > 1)
        return;
    plan_targets(d);
    delivery_planned(d);
}

static void have_addresses(void *arg, const struct dns_answer *answer)
{
    struct question *q = arg;
    struct delivery *d = q->delivery;

    pthread_mutex_lock(&d->lookup_lock);
    mx_plan_addresses(&d->plan, q->host, answer);
    pthread_mutex_unlock(&d->lookup_lock);
    free(q);
    one_lookup_less(d);
}

static void ask_for_addresses(struct delivery *d, size_t host, enum dns_type type)
{
    struct question *q = must_alloc(sizeof(*q));

    *q = (struct question){d, host};
    atomic_fetch_add(&d->lookups, 1);
    ask(d, d->plan.hosts[host].name, type, have_addresses, q);
}

static void ask_all_addresses(struct delivery *d)
{
    size_t count = d->plan.host_count;

    atomic_store(&d->lookups, 1); /* ours, so that nobody is done before all are asked */
    for (size_t i = 0; i < count; i++) {
        ask_for_addresses(d, i, DNS_A);
        if (d->config->outgoing.ipv6)
            ask_for_addresses(d, i, DNS_AAAA);
    }
    one_lookup_less(d);
}

static void have_mx(void *arg, const struct dns_answer *answer)
{
    struct delivery *d = arg;
    struct mx_self self = own_self(d->o, d->config, d->arena);

    mx_plan_hosts(&d->plan, answer, &self, random_u64());
    if (d->plan.outcome)
        delivery_planned(d);
    else
        ask_all_addresses(d);
}

void lookup_begin(struct delivery *d)
{
    const struct config *config = d->config;
    struct mx_self self = own_self(d->o, config, d->arena);
    bool has_relay = config->relay.given;
    struct str host = has_relay ? config->relay.host.host : d->destination;

    d->plan = (struct mx_plan){.arena = d->arena, .domain = host};
    if (mx_plan_literal(&d->plan, host, has_relay ? NULL : &self, port_of(d))) {
        delivery_planned(d);
    } else if (has_relay) {
        mx_plan_one_host(&d->plan, host);
        ask_all_addresses(d);
    } else {
        ask(d, host, DNS_MX, have_mx, d);
    }
}
