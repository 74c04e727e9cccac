#include "vault/peer.h"

#include <sys/socket.h>

#define MOST_GROUPS 1024

static bool is_in_group(int fd, const struct ucred *peer, gid_t group)
{
    gid_t groups[MOST_GROUPS];
    socklen_t size = sizeof(groups);

    if (group == (gid_t)-1)
        return false;
    if (peer->gid == group)
        return true;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size))
        return false;
    for (size_t i = 0; i < size / sizeof(*groups); i++)
        if (groups[i] == group)
            return true;
    return false;
}

bool peer_of(int fd, const struct operators *o, struct peer *out)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    /* A socket of another family answers as well, with nobody: uid -1. */
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) || peer.uid == (uid_t)-1)
        return false;
    out->uid = peer.uid;
    out->pid = peer.pid;
    out->is_operator = peer.uid == 0 || peer.uid == o->user || is_in_group(fd, &peer, o->group);
    return true;
}
