#include "control/listeners.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "control/layout.h"
#include "net/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static struct str address_text(struct arena *arena, const struct config_endpoint *e)
{
    size_t at, room = e->host.n + 16;
    char *text = arena_alloc(arena, room);
    bool v6 = str_find_char(e->host, ':', &at);

    snprintf(text, room, v6 ? "[%s]:%u" : "%s:%u", e->host.p, e->port);
    return str_from_c(text);
}

/* What should be listened on, in order; *count is at most MOST_LISTENERS. */
static enum err list_wanted(struct cx *cx, const struct config *config, struct arena *arena,
                            struct listeners *out)
{
    out->count = 0;
    for (size_t i = 0; i < config->listen_count; i++) {
        const struct config_listen *l = &config->listen[i];

        for (size_t k = 0; k < l->on.n; k++) {
            if (out->count == MOST_LISTENERS - 1) /* one is for the local socket */
                return fail(cx, ERR_CONFIG, "more than %d addresses to listen on", MOST_LISTENERS - 1);
            out->for_users[out->count] = l->service != SERVICE_SMTP;
            out->told[out->count++] = (struct listener){str_from_c(config_service_name(l->service)),
                                                        address_text(arena, &l->on.v[k])};
        }
    }
    return OK;
}

/* A copy of the socket that is there, or a new one. */
static enum err open_one(struct cx *cx, const struct config *config, const struct listeners *before,
                         struct str address, bool is_local, int *fd)
{
    for (size_t i = 0; before && i < before->count; i++)
        if (str_same(before->told[i].address, address)) {
            *fd = fcntl(before->fds[i], F_DUPFD_CLOEXEC, 0);
            return *fd < 0 ? fail(cx, ERR_SYSTEM, "%.*s: %s", STR_ARG(address), strerror(errno)) : OK;
        }
    return is_local ? layout_submit_socket(cx, config, fd) : listen_open(cx, address, fd);
}

static void add_local(const struct config *config, struct arena *arena, struct listeners *l)
{
    l->for_users[l->count] = true;
    l->told[l->count++] = (struct listener){S("local"), str_copy(arena, config->submit_socket)};
}

enum err listeners_open(struct cx *cx, const struct config *config, struct arena *arena,
                        const struct listeners *before, struct listeners *out)
{
    struct listeners l;
    enum err e = list_wanted(cx, config, arena, &l);

    for (size_t i = 0; i < MOST_LISTENERS; i++)
        l.fds[i] = -1;
    if (!e)
        add_local(config, arena, &l);
    for (size_t i = 0; !e && i < l.count; i++)
        e = open_one(cx, config, before, l.told[i].address, i + 1 == l.count, &l.fds[i]);
    if (e)
        listeners_close(&l);
    else
        *out = l;
    return e;
}

void listeners_close(struct listeners *l)
{
    for (size_t i = 0; i < l->count; i++)
        close_fd(&l->fds[i]);
    l->count = 0;
}
