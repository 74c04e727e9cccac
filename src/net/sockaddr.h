/* net/sockaddr.h: addresses with a port, as people, the kernel and mail headers write them; and networks.
 *
 * An endpoint is an IPv4 or IPv6 address and a port. An IPv4-mapped IPv6 address is the same as the IPv4 one
 * everywhere here. Pure functions, no I/O, safe from any thread. */
#pragma once
#include "base/str.h"

#include <netinet/in.h>
#include <sys/socket.h>

struct endpoint {
    union {
        struct sockaddr any; /* any.sa_family tells which; AF_UNSPEC: none */
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    };
};

/* "192.0.2.1:25", "[2001:db8::1]:25", "127.0.0.1@5353", "::1@53"; without a port only if default_port is not 0. */
bool parse_endpoint(struct str s, uint16_t default_port, struct endpoint *out);
bool parse_ip(struct str s, struct endpoint *out); /* "192.0.2.1", "2001:db8::1"; the port is 0 */
struct endpoint endpoint_v4(const void *ip4,
                            uint16_t port); /* 4 bytes in network order, as in an A record */
struct endpoint endpoint_v6(const void *ip6, uint16_t port); /* 16 bytes */

socklen_t endpoint_size(const struct endpoint *e); /* for bind, connect */
uint16_t endpoint_port(const struct endpoint *e);
void endpoint_set_port(struct endpoint *e, uint16_t port);
bool endpoint_is_v6(const struct endpoint *e); /* false for a mapped address */
bool endpoint_is_loopback(const struct endpoint *e);
bool endpoint_same_ip(const struct endpoint *a, const struct endpoint *b); /* ports do not matter */
struct endpoint endpoint_unmapped(const struct endpoint *e); /* ::ffff:192.0.2.1 is 192.0.2.1 */

#define ENDPOINT_TEXT_SIZE 64
void endpoint_text(const struct endpoint *e,
                   char out[ENDPOINT_TEXT_SIZE]); /* 192.0.2.1:25, [2001:db8::1]:25 */
void endpoint_ip_text(const struct endpoint *e,
                      char out[ENDPOINT_TEXT_SIZE]); /* 192.0.2.1, 2001:db8::1 */
/* The address literal of RFC 5321 §4.1.3: [192.0.2.1], [IPv6:2001:db8::1]. */
void endpoint_literal(const struct endpoint *e, char out[ENDPOINT_TEXT_SIZE]);

/* A network, as 16 bytes and a number of bits; IPv4 is kept in its mapped form. */
struct network {
    uint8_t ip[16];
    uint8_t bits;
};

/* "192.168.0.0/16", "fd00::/8", "192.0.2.1" (one address). Bits behind the prefix must be zero. */
bool parse_network(struct str s, struct network *out);
bool network_has(const struct network *n, const struct endpoint *e);
/* Whom a limit "per address" means: an IPv4 address, or the /64 that one IPv6 customer holds. */
struct network network_of_peer(const struct endpoint *e);
