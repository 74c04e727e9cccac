/* Every comparison is done on 16 bytes, IPv4 in its mapped form (RFC 4291 §2.5.5.2), so that one address has one
 * spelling. */
#include "net/sockaddr.h"

#include <arpa/inet.h>
#include <stdio.h>

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct endpoint endpoint_v4(const void *ip4, uint16_t port)
{
    struct endpoint e = {.v4 = {.sin_family = AF_INET, .sin_port = htons(port)}};

    memcpy(&e.v4.sin_addr, ip4, 4);
    return e;
}

struct endpoint endpoint_v6(const void *ip6, uint16_t port)
{
    struct endpoint e = {.v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)}};

    memcpy(&e.v6.sin6_addr, ip6, 16);
    return e;
}

static void ip_bytes(const struct endpoint *e, uint8_t out[16])
{
    if (e->any.sa_family == AF_INET6) {
        memcpy(out, &e->v6.sin6_addr, 16);
        return;
    }
    memcpy(out, mapped_prefix, 12);
    memcpy(out + 12, &e->v4.sin_addr, 4);
}

bool parse_ip(struct str s, struct endpoint *out)
{
    char text[INET6_ADDRSTRLEN];
    uint8_t ip[16];

    if (s.n == 0 || s.n >= sizeof(text) || memchr(s.p, 0, s.n))
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    if (inet_pton(AF_INET, text, ip) == 1)
        *out = endpoint_v4(ip, 0);
    else if (inet_pton(AF_INET6, text, ip) == 1)
        *out = endpoint_v6(ip, 0);
    else
        return false;
    return true;
}

/* host [ (":" / "@") port ]; an IPv6 address before ":" stands in brackets. */
static bool split_port(struct str s, struct str *host, struct str *port)
{
    struct str rest = s;
    size_t at;

    if (take_char(&rest, '[')) {
        if (!take_until(&rest, ']', host))
            return false;
        *port = rest;
        return rest.n == 0 || take_char(port, ':') || take_char(port, '@');
    }
    *host = s;
    *port = STR_NONE;
    if (!str_rfind_char(s, '@', &at) && (!str_rfind_char(s, ':', &at) || memchr(s.p, ':', at)))
        return true; /* an IPv6 address without a port */
    *host = str_upto(s, at);
    *port = str_from(s, at + 1);
    return port->n > 0;
}

bool parse_endpoint(struct str s, uint16_t default_port, struct endpoint *out)
{
    struct str host, port_text;
    struct endpoint e;
    uint32_t port = default_port;

    if (!split_port(s, &host, &port_text) || !parse_ip(host, &e))
        return false;
    if (port_text.n && !parse_u32(port_text, &port))
        return false;
    if (port == 0 || port > UINT16_MAX)
        return false;
    endpoint_set_port(&e, (uint16_t)port);
    *out = e;
    return true;
}

socklen_t endpoint_size(const struct endpoint *e)
{
    return e->any.sa_family == AF_INET6 ? sizeof(e->v6) : sizeof(e->v4);
}

uint16_t endpoint_port(const struct endpoint *e)
{
    return ntohs(e->any.sa_family == AF_INET6 ? e->v6.sin6_port : e->v4.sin_port);
}

void endpoint_set_port(struct endpoint *e, uint16_t port)
{
    if (e->any.sa_family == AF_INET6)
        e->v6.sin6_port = htons(port);
    else
        e->v4.sin_port = htons(port);
}

bool endpoint_is_v6(const struct endpoint *e)
{
    return e->any.sa_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&e->v6.sin6_addr);
}

bool endpoint_is_loopback(const struct endpoint *e)
{
    static const struct network v4 = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127}, 96 + 8};

    if (e->any.sa_family != AF_INET && e->any.sa_family != AF_INET6)
        return false;
    return network_has(&v4, e) ||
           (e->any.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&e->v6.sin6_addr));
}

bool endpoint_same_ip(const struct endpoint *a, const struct endpoint *b)
{
    uint8_t x[16], y[16];

    ip_bytes(a, x);
    ip_bytes(b, y);
    return memcmp(x, y, 16) == 0;
}

struct endpoint endpoint_unmapped(const struct endpoint *e)
{
    if (e->any.sa_family != AF_INET6 || endpoint_is_v6(e))
        return *e;
    return endpoint_v4(&e->v6.sin6_addr.s6_addr[12], endpoint_port(e));
}

void endpoint_ip_text(const struct endpoint *e, char out[ENDPOINT_TEXT_SIZE])
{
    struct endpoint plain = endpoint_unmapped(e);

    if (plain.any.sa_family == AF_INET6)
        inet_ntop(AF_INET6, &plain.v6.sin6_addr, out, ENDPOINT_TEXT_SIZE);
    else if (plain.any.sa_family == AF_INET)
        inet_ntop(AF_INET, &plain.v4.sin_addr, out, ENDPOINT_TEXT_SIZE);
    else
        snprintf(out, ENDPOINT_TEXT_SIZE, "local"); /* a socket pair has no address */
}

void endpoint_text(const struct endpoint *e, char out[ENDPOINT_TEXT_SIZE])
{
    char ip[INET6_ADDRSTRLEN + 1];
    char text[ENDPOINT_TEXT_SIZE];

    endpoint_ip_text(e, text);
    snprintf(ip, sizeof(ip), "%.*s", INET6_ADDRSTRLEN, text);
    snprintf(out, ENDPOINT_TEXT_SIZE, endpoint_is_v6(e) ? "[%s]:%u" : "%s:%u", ip, endpoint_port(e));
}

void endpoint_literal(const struct endpoint *e, char out[ENDPOINT_TEXT_SIZE])
{
    char text[ENDPOINT_TEXT_SIZE];

    endpoint_ip_text(e, text);
    snprintf(out, ENDPOINT_TEXT_SIZE, endpoint_is_v6(e) ? "[IPv6:%.*s]" : "[%.*s]", INET6_ADDRSTRLEN,
             text);
}

static void clear_behind(uint8_t ip[16], unsigned bits)
{
    for (unsigned i = bits; i < 128; i++)
        ip[i / 8] &= (uint8_t) ~(0x80 >> (i % 8));
}

static bool parse_prefix_bits(struct str s, bool v4, uint8_t *out)
{
    uint32_t bits;

    if (!parse_u32(s, &bits) || bits > (v4 ? 32u : 128u))
        return false;
    *out = (uint8_t)(bits + (v4 ? 96 : 0));
    return true;
}

bool parse_network(struct str s, struct network *out)
{
    struct network n = {.bits = 128};
    struct str rest = s, ip;
    struct endpoint e;
    uint8_t cleared[16];
    bool has_bits = take_until(&rest, '/', &ip);

    if (!parse_ip(has_bits ? ip : s, &e))
        return false;
    if (has_bits && !parse_prefix_bits(rest, e.any.sa_family == AF_INET, &n.bits))
        return false;
    ip_bytes(&e, n.ip);
    memcpy(cleared, n.ip, 16);
    clear_behind(cleared, n.bits);
    if (memcmp(cleared, n.ip, 16) != 0)
        return false;
    *out = n;
    return true;
}

bool network_has(const struct network *n, const struct endpoint *e)
{
    uint8_t ip[16];

    ip_bytes(e, ip);
    clear_behind(ip, n->bits);
    return memcmp(ip, n->ip, 16) == 0;
}

struct network network_of_peer(const struct endpoint *e)
{
    struct network n = {.bits = endpoint_is_v6(e) ? 64 : 128};

    ip_bytes(e, n.ip);
    clear_behind(n.ip, n.bits);
    return n;
}
