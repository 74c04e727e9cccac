#include "vault/accept/local.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/scoped.h"
#include "config/config.h"
#include "sandbox/sandbox.h"
#include "vault/signon/handles.h"
#include "vault/vault.h"

#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

/* ---- the logins ---- */

struct local_users {
    pthread_mutex_t lock; /* guards what follows */
    struct arena *arena;
    struct local_user *v;
    size_t n;
};

struct local_users *local_users_new(void)
{
    struct local_users *u = must_alloc(sizeof(*u));

    pthread_mutex_init(&u->lock, NULL);
    return u;
}

void local_users_free(struct local_users *u)
{
    if (!u)
        return;
    arena_free(u->arena);
    pthread_mutex_destroy(&u->lock);
    free(u);
}

void local_users_set(struct local_users *u, const struct local_user *v, size_t n)
{
    struct arena *arena = arena_new(0);
    struct local_user *copy = arena_array(arena, struct local_user, n);

    for (size_t i = 0; i < n; i++)
        copy[i] = (struct local_user){v[i].uid, str_copy(arena, v[i].name)};
    HOLD(&u->lock);
    arena_free(u->arena);
    u->arena = arena;
    u->v = copy;
    u->n = n;
}

bool local_users_find(struct local_users *u, struct arena *arena, uint32_t uid, struct str *login)
{
    HOLD(&u->lock);

    for (size_t i = 0; i < u->n; i++)
        if (u->v[i].uid == uid) {
            *login = str_copy(arena, u->v[i].name);
            return true;
        }
    return false;
}

/* ---- who connected ---- */

/* A socket that was accepted bears the name of the one that listens, which only the supervisor could give. */
static bool came_to(int fd, struct str path)
{
    struct sockaddr_un name = {0};
    socklen_t n = sizeof(name);

    return getsockname(fd, (struct sockaddr *)&name, &n) == 0 && name.sun_family == AF_UNIX &&
           n >= offsetof(struct sockaddr_un, sun_path) + path.n && path.n <= sizeof(name.sun_path) &&
           memcmp(name.sun_path, path.p, path.n) == 0 &&
           (path.n == sizeof(name.sun_path) || name.sun_path[path.n] == '\0');
}

enum err serve_local_begin(struct caller *c, const struct local_begin_request *q,
                           struct local_begin_reply *r)
{
    struct signed_on who = {.gate = c->gate, .protocol = PROTOCOL_LOCAL};
    struct str login = STR_NONE;
    struct peer peer;

    (void)q;
    if (c->fd_count != 1 || !is_connected_stream(c->fds[0]) ||
        !came_to(c->fds[0], settings()->submit_socket) ||
        !peer_of(c->fds[0], &c->vault->operators, &peer))
        return fail(&c->cx, ERR_BAD_CALL, "no connection to the local socket came along");
    who.any_sender = peer.is_operator;
    if (!local_users_find(c->vault->local_users, c->cx.arena, peer.uid, &login) && !peer.is_operator)
        return fail(&c->cx, ERR_DENIED, "no login of this machine has the uid %u", peer.uid);
    if (login.n >= sizeof(who.client))
        return fail(&c->cx, ERR_DENIED, "the login of uid %u is too long", peer.uid);
    if (login.n)
        memcpy(who.client, login.p, login.n);
    return handle_give(c->vault->handles, &c->cx, &who, &r->session);
}
