/* gate/outbound/mx_plan.h: to which addresses a domain's mail may be brought, and in which order (RFC 5321 §5.1).
 *
 *     mx_plan_hosts(&plan, …)                      the answer to the question for MX
 *     mx_plan_addresses(&plan, host, …)            the answers for the addresses of each of plan.hosts
 *     mx_plan_targets(&plan, …)                    where to connect, in order
 *
 * After the first and the last of them plan.outcome may say that there is nothing to try. Pure: no questions, no
 * clock, and the dice come from the caller. What is kept lives in plan.arena. */
#pragma once
#include "base/arena.h"
#include "net/resolver.h"

/* Bounds what a domain's owner can make us do (RFC 5321 §5.1 asks for at least two addresses). */
#define MX_MOST_HOSTS 10
#define MX_MOST_ADDRESSES 10 /* of a host */

/* Who we are: mail must not be brought to ourselves, for it would go round. */
struct mx_self {
    struct str hostname;
    const struct endpoint *addresses; /* where we take mail, with the port */
    size_t address_count;
};

struct mx_host {
    struct str name;
    uint32_t preference;
    struct endpoint addresses[MX_MOST_ADDRESSES]; /* in the order of the answers */
    size_t address_count;
    bool lookup_failed; /* for some of its addresses: there may be more */
    char trouble[200];  /* why */
};

struct mx_target {
    struct str host; /* its name, or the literal */
    struct endpoint address;
};

struct mx_plan {
    struct arena *arena;
    struct str domain;
    uint32_t outcome; /* 0: go on; OUTCOME_FAILED, OUTCOME_DEFERRED: with these words */
    struct str status, text;
    bool has_mx; /* else the domain itself is its host, by its addresses */
    struct mx_host hosts[MX_MOST_HOSTS];
    size_t host_count;
    struct mx_target targets[MX_MOST_HOSTS * MX_MOST_ADDRESSES];
    size_t target_count;
};

/* self: NULL: nobody is. seed: for the order of equal preferences. */
void mx_plan_hosts(struct mx_plan *p, const struct dns_answer *mx, const struct mx_self *self,
                   uint64_t seed);
/* A smart host: the one host, without asking for MX. */
void mx_plan_one_host(struct mx_plan *p, struct str name);
/* An answer for A or AAAA; both may come, in any order. */
void mx_plan_addresses(struct mx_plan *p, size_t host, const struct dns_answer *answer);
void mx_plan_targets(struct mx_plan *p, const struct mx_self *self, uint16_t port);

/* "[192.0.2.1]", "[IPv6:2001:db8::1]" (RFC 5321 §4.1.3), or the bare address of a smart host: a plan of one target. */
bool mx_plan_literal(struct mx_plan *p, struct str s, const struct mx_self *self, uint16_t port);
