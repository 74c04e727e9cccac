#include "control/listeners.h"

#include "base/arena.h"
#include "base/scoped.h"
#include "net/listen.h"

#include <stdio.h>

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

enum err listeners_open(struct cx *cx, const struct config *config, struct arena *arena,
                        struct listeners *out)
{
    enum err e = list_wanted(cx, config, arena, out);

    for (size_t i = 0; i < MOST_LISTENERS; i++)
        out->fds[i] = -1;
    for (size_t i = 0; !e && i < out->count; i++)
        e = listen_open(cx, out->told[i].address, &out->fds[i]);
    if (e)
        listeners_close(out);
    return e;
}

void listeners_close(struct listeners *l)
{
    for (size_t i = 0; i < l->count; i++)
        close_fd(&l->fds[i]);
    l->count = 0;
}

void listeners_add_local(struct listeners *l, struct str path, int *fd)
{
    l->fds[l->count] = *fd;
    *fd = -1;
    l->for_users[l->count] = true;
    l->told[l->count++] = (struct listener){S("local"), path};
}

bool listeners_fit(const struct listeners *l, const struct config *config)
{
    struct arena *arena = arena_new(0);
    struct cx cx = {.arena = arena};
    struct listeners wanted;
    bool same = list_wanted(&cx, config, arena, &wanted) == OK && wanted.count + 1 == l->count;

    for (size_t i = 0; same && i < wanted.count; i++) /* the local socket stands last */
        same = str_same(wanted.told[i].address, l->told[i].address) &&
               str_same(wanted.told[i].service, l->told[i].service);
    arena_free(arena);
    return same;
}
