/* vault/peer.h: who is at the other end of a Unix socket, as the kernel tells it. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

/* Who may command the server: root, who started it, and the members of a group. */
struct operators {
    uid_t user;
    gid_t group; /* (gid_t)-1: there is none */
};

struct peer {
    uid_t uid;
    pid_t pid;
    bool is_operator;
};

/* False: the kernel does not know, or this is no such socket. Of a socket that was accepted it is who connected; of one
 * that was connected, who listens. */
bool peer_of(int fd, const struct operators *o, struct peer *out);
