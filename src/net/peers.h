/* net/peers.h: how many connections there are, in all and from each address.
 *
 * An address is an IPv4 address or an IPv6 /64. Any thread; a lock is held for a few lines. */
#pragma once
#include "net/sockaddr.h"

struct peers;

struct peers_limits {
    size_t in_all;
    size_t per_address;
    bool loopback_is_free; /* per_address does not hold for loopback; in_all does */
};

struct peers *peers_new(const struct peers_limits *limits);
void peers_free(struct peers *p);
/* From now on; whoever is there stays. */
void peers_set_limits(struct peers *p, const struct peers_limits *limits);

/* True: counted, and peers_leave() must follow. */
bool peers_enter(struct peers *p, const struct endpoint *peer);
void peers_leave(struct peers *p, const struct endpoint *peer);
size_t peers_count(struct peers *p); /* in all */
