#include "gate/outbound/mx_plan.h"

#include "rpc/calls.h"

#include <stdio.h>

static void decide(struct mx_plan *p, uint32_t outcome, const char *status, const char *text)
{
    struct buf b = buf_make(1024);

    buf_add(&b, str_upto(p->domain, 255));
    buf_add_char(&b, ' ');
    buf_add_c(&b, text);
    p->outcome = outcome;
    p->status = str_from_c(status);
    p->text = str_copy(p->arena, buf_str(&b));
    buf_free(&b);
}

static void decide_loop(struct mx_plan *p)
{
    decide(p, OUTCOME_FAILED, "5.4.6",
           "names this very server as its mail host, but is none of its domains");
}

static void decide_no_answer(struct mx_plan *p, struct str trouble)
{
    struct buf b = buf_make(512);

    buf_add_c(&b, "cannot be looked up at the moment");
    if (trouble.n) {
        buf_add_c(&b, ": ");
        buf_add(&b, str_upto(trouble, 300));
    }
    buf_add_char(&b, '\0');
    decide(p, OUTCOME_DEFERRED, "4.4.3", b.p);
    buf_free(&b);
}

/* ---- hosts ---- */

static void add_host(struct mx_plan *p, struct str name, uint32_t preference)
{
    p->hosts[p->host_count++] =
        (struct mx_host){.name = str_copy(p->arena, name), .preference = preference};
}

static uint64_t roll(uint64_t *seed) /* splitmix64 */
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* RFC 5321 §5.1: those of equal preference at random. Fisher and Yates, within each run of them. */
static void shuffle_equals(struct dns_mx *mx, size_t count, uint64_t seed)
{
    for (size_t begin = 0, end; begin < count; begin = end) {
        for (end = begin + 1; end < count && mx[end].preference == mx[begin].preference;)
            end++;
        for (size_t i = end - 1; i > begin; i--) {
            size_t other = begin + (size_t)(roll(&seed) % (i - begin + 1));
            struct dns_mx m = mx[i];

            mx[i] = mx[other];
            mx[other] = m;
        }
    }
}

/* Our own name in the list: it, and all that are not preferred to it, are left out (RFC 5321 §5.1). */
static size_t upto_ourselves(const struct dns_mx *mx, size_t count, const struct mx_self *self)
{
    for (size_t i = 0; self && i < count; i++)
        if (str_same_nocase(mx[i].exchange, self->hostname)) {
            while (i > 0 && mx[i - 1].preference == mx[i].preference)
                i--;
            return i;
        }
    return count;
}

static void choose_hosts(struct mx_plan *p, const struct dns_answer *answer, const struct mx_self *self,
                         uint64_t seed)
{
    struct dns_mx mx[RESOLVER_MOST_MX];
    size_t count = 0, kept;

    for (size_t i = 0; i < answer->mx_count && count < RESOLVER_MOST_MX; i++)
        if (answer->mx[i].exchange.n) /* RFC 7505 §3: a null MX beside others is a mistake */
            mx[count++] = answer->mx[i];
    if (!count) {
        decide(p, OUTCOME_FAILED, "5.1.10", "takes no mail: it has a null MX");
        return;
    }
    kept = upto_ourselves(mx, count, self);
    if (!kept) {
        decide_loop(p);
        return;
    }
    shuffle_equals(mx, kept, seed);
    for (size_t i = 0; i < kept && i < MX_MOST_HOSTS; i++)
        add_host(p, mx[i].exchange, mx[i].preference);
}

void mx_plan_hosts(struct mx_plan *p, const struct dns_answer *mx, const struct mx_self *self,
                   uint64_t seed)
{
    switch (mx->outcome) {
    case DNS_OK:
        p->has_mx = true;
        choose_hosts(p, mx, self, seed);
        break;
    case DNS_NODATA: /* RFC 5321 §5.1: an implicit MX */
        mx_plan_one_host(p, p->domain);
        break;
    case DNS_NXDOMAIN:
        decide(p, OUTCOME_FAILED, "5.1.2", "does not exist: there is no such domain");
        break;
    case DNS_FAILED:
    case DNS_BOGUS:
        decide_no_answer(p, str_from_c(mx->trouble));
        break;
    }
}

void mx_plan_one_host(struct mx_plan *p, struct str name)
{
    add_host(p, name, 0);
}

/* ---- addresses ---- */

static bool has_address(const struct mx_host *h, const struct endpoint *e)
{
    for (size_t i = 0; i < h->address_count; i++)
        if (endpoint_same_ip(&h->addresses[i], e))
            return true;
    return false;
}

/* Half of the room for each family, so that neither takes it all. */
void mx_plan_addresses(struct mx_plan *p, size_t host, const struct dns_answer *answer)
{
    struct mx_host *h = &p->hosts[host];
    size_t added = 0;

    if (answer->outcome == DNS_FAILED || answer->outcome == DNS_BOGUS) {
        h->lookup_failed = true;
        snprintf(h->trouble, sizeof(h->trouble), "%s", answer->trouble);
    }
    for (size_t i = 0; answer->outcome == DNS_OK && i < answer->address_count; i++)
        if (added < MX_MOST_ADDRESSES / 2 && h->address_count < MX_MOST_ADDRESSES &&
            !has_address(h, &answer->addresses[i])) {
            h->addresses[h->address_count++] = answer->addresses[i];
            added++;
        }
}

/* ---- targets ---- */

static bool is_ourselves(const struct mx_self *self, const struct endpoint *e, uint16_t port)
{
    for (size_t i = 0; self && i < self->address_count; i++)
        if (endpoint_same_ip(&self->addresses[i], e) && endpoint_port(&self->addresses[i]) == port)
            return true;
    return false;
}

static bool host_is_ourselves(const struct mx_self *self, const struct mx_host *h, uint16_t port)
{
    for (size_t i = 0; i < h->address_count; i++)
        if (is_ourselves(self, &h->addresses[i], port))
            return true;
    return false;
}

/* The same rule as upto_ourselves(), for a host that is us by its address. */
static size_t hosts_before_ourselves(const struct mx_plan *p, const struct mx_self *self, uint16_t port)
{
    size_t kept = p->host_count;

    for (size_t i = 0; i < p->host_count; i++)
        if (host_is_ourselves(self, &p->hosts[i], port)) {
            while (i > 0 && p->hosts[i - 1].preference == p->hosts[i].preference)
                i--;
            kept = i;
            break;
        }
    return kept;
}

static const struct endpoint *nth_of_family(const struct mx_host *h, bool v6, size_t n)
{
    for (size_t i = 0; i < h->address_count; i++)
        if (endpoint_is_v6(&h->addresses[i]) == v6 && n-- == 0)
            return &h->addresses[i];
    return NULL;
}

static void add_target(struct mx_plan *p, struct str host, const struct endpoint *e, uint16_t port)
{
    struct mx_target *t = &p->targets[p->target_count++];

    *t = (struct mx_target){host, *e};
    endpoint_set_port(&t->address, port);
}

/* IPv6 and IPv4 by turns: when one of them leads nowhere from here, it costs every second attempt at most. */
static void add_targets(struct mx_plan *p, const struct mx_host *h, uint16_t port)
{
    for (size_t n = 0; n < h->address_count; n++) {
        const struct endpoint *v6 = nth_of_family(h, true, n), *v4 = nth_of_family(h, false, n);

        if (v6)
            add_target(p, h->name, v6, port);
        if (v4)
            add_target(p, h->name, v4, port);
    }
}

static const struct mx_host *find_failed_lookup(const struct mx_plan *p)
{
    for (size_t i = 0; i < p->host_count; i++)
        if (p->hosts[i].lookup_failed)
            return &p->hosts[i];
    return NULL;
}

static void decide_no_addresses(struct mx_plan *p, const struct mx_host *h)
{
    struct buf b = buf_make(512);

    buf_printf(&b, "no address of %.*s%s%s", STR_ARG(str_upto(h->name, 255)), *h->trouble ? ": " : "",
               h->trouble);
    decide_no_answer(p, buf_str(&b));
    buf_free(&b);
}

void mx_plan_targets(struct mx_plan *p, const struct mx_self *self, uint16_t port)
{
    size_t kept = hosts_before_ourselves(p, self, port);
    const struct mx_host *failed = find_failed_lookup(p);

    for (size_t i = 0; i < kept; i++)
        add_targets(p, &p->hosts[i], port);
    if (p->target_count)
        return;
    if (failed)
        decide_no_addresses(p, failed);
    else if (kept < p->host_count)
        decide_loop(p);
    else if (p->has_mx)
        decide(p, OUTCOME_FAILED, "5.4.4", "cannot be reached: none of its mail hosts has an address");
    else
        decide(p, OUTCOME_FAILED, "5.1.2", "takes no mail: it has neither a mail host nor an address");
}

bool mx_plan_literal(struct mx_plan *p, struct str s, const struct mx_self *self, uint16_t port)
{
    struct str inside = s;
    struct endpoint e;

    if (take_char(&inside, '[') && inside.n && inside.p[inside.n - 1] == ']') {
        inside.n--;
        take_text_nocase(&inside, S("IPv6:"));
    }
    if (!parse_ip(inside, &e))
        return false;
    if (is_ourselves(self, &e, port))
        decide_loop(p);
    else
        add_target(p, str_copy(p->arena, s), &e, port);
    return true;
}
