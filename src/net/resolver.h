/* net/resolver.h: questions to the DNS that nobody waits for (libunbound).
 *
 * Two steps, since a sandbox closes between them: resolver_open() reads every file that is needed and starts no
 * thread; resolver_start() puts it to work on a loop. An answer comes to its callback in a thread of the loop,
 * which may block there. */
#pragma once
#include "base/err.h"
#include "net/loop.h"
#include "net/sockaddr.h"

#define RESOLVER_MOST_MX 64
#define RESOLVER_MOST_ADDRESSES 32
#define RESOLVER_MOST_QUERIES 1000 /* under way at once */

struct resolver;

#define RESOLVER_RESOLV_CONF "/etc/resolv.conf"
#define RESOLVER_HOSTS "/etc/hosts"

struct resolver_settings {
    const struct endpoint *servers; /* none: those of resolv_conf */
    size_t server_count;
    const char *trust_anchor; /* a file of DS or DNSKEY records; NULL: no validation with `servers` */
    const char *resolv_conf,
        *hosts; /* NULL: RESOLVER_RESOLV_CONF and RESOLVER_HOSTS; with `servers` neither is read */
};

enum err resolver_open(struct cx *cx, const struct resolver_settings *settings, struct resolver **out);
enum err resolver_start(struct cx *cx, struct resolver *r, struct loop *l);
void resolver_close(struct resolver **r); /* after loop_run(), before loop_close() */
/* Answers are validated with DNSSEC. Without `servers` the resolvers are asked for the signed keys of the root
 * after the start, and this turns true when they bring them. */
bool resolver_validates(const struct resolver *r);

/* Before any of this: would answers be validated with these settings? Asks as a started resolver does, and waits for the
 * answer, at most so long. */
struct dns_validation {
    bool validates;
    char why[256];
};
enum err resolver_try(struct cx *cx, const struct resolver_settings *settings, int64_t timeout_ms,
                      struct dns_validation *out);

enum dns_outcome {
    DNS_OK,
    DNS_NXDOMAIN, /* there is no such name */
    DNS_NODATA,   /* the name exists, but has no such record */
    DNS_FAILED,   /* SERVFAIL, no answer in time, too many questions: try later */
    DNS_BOGUS,    /* signatures are wrong: treat as DNS_FAILED, and say why */
};

struct dns_mx {
    uint16_t preference;
    struct str
        exchange; /* without the last dot; empty: null MX (RFC 7505), which the caller interprets */
};

/* Lives until the callback returns. At most RESOLVER_MOST_… records, the first ones. */
struct dns_answer {
    enum dns_outcome outcome;
    bool secure;         /* proven by DNSSEC: the data, or that there is none */
    const char *trouble; /* for the log if DNS_FAILED or DNS_BOGUS; never NULL */
    const struct dns_mx *mx;
    size_t mx_count;                  /* by preference; equal ones in the order of the answer */
    const struct endpoint *addresses; /* port 0 */
    size_t address_count;
    struct str canonical; /* the name at the end of the CNAME chain, or the one asked for */
    uint32_t ttl;
};

enum dns_type { DNS_A = 1, DNS_MX = 15, DNS_AAAA = 28 };
typedef void dns_callback(void *arg, const struct dns_answer *answer);

/* Any thread. The name is a domain in ASCII (A-labels), with or without the last dot; another one is
 * ERR_BAD_VALUE. After OK the callback is called exactly once, in a thread of the loop and not before the present
 * op has returned: with DNS_FAILED after timeout_ms, or when the loop stops. Else it is not called. */
enum err resolver_ask(struct cx *cx, struct resolver *r, struct str name, enum dns_type type,
                      int64_t timeout_ms, dns_callback *callback, void *arg);
