#include "gate/services.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/scoped.h"
#include "gate/gate.h"
#include "gate/signon/core.h"
#include "gate/signon/signon_conn.h"
#include "gate/smtp/smtp_conn.h"
#include "net/listener.h"

#include <stdlib.h>
#include <string.h>

#define SMTP_FULL "421 4.7.0 too many connections, try again later\r\n"
#define POP3_FULL "-ERR [SYS/TEMP] too many connections, try again later\r\n"
#define IMAP_FULL "* BYE [LIMIT] too many connections, try again later\r\n"

static const struct service services[] = {
    {"smtp", true, false, SMTP_MX, &smtp_conn_ops, SMTP_FULL},
    {"submission", false, false, SMTP_SUBMISSION, &smtp_conn_ops, SMTP_FULL},
    {"submissions", false, true, SMTP_SUBMISSION, &smtp_conn_ops,
     ""}, /* who waits for TLS cannot read it */
    {"local", false, false, SMTP_LOCAL, &smtp_conn_ops,
     SMTP_FULL}, /* a Unix socket, for posthorn sendmail */
    {"imap", false, false, 0, &signon_conn_ops, IMAP_FULL, &imap_core},
    {"imaps", false, true, 0, &signon_conn_ops, "", &imap_core},
    {"pop3", false, false, 0, &signon_conn_ops, POP3_FULL, &pop3_core},
    {"pop3s", false, true, 0, &signon_conn_ops, "", &pop3_core},
};

const struct service *service_find(bool is_mx, struct str name)
{
    for (size_t i = 0; i < sizeof(services) / sizeof(*services); i++)
        if (services[i].in_mx == is_mx && str_same(name, str_from_c(services[i].name)))
            return &services[i];
    return NULL;
}

enum err service_open(struct cx *cx, const struct service *s, int fd, struct watch_id *id)
{
    struct listener_settings settings = {
        .fd = fd,
        .peers = gate.peers,
        .over_limit = str_from_c(s->over_limit),
        .ops = s->ops,
        .state = (void *)(uintptr_t)s, /* never written through */
    };

    return listener_open(cx, gate.loop, &settings, id);
}

/* ---- what is listened on ---- */

#define MOST_LISTENERS 64 /* leash.def sends no more */

struct listening {
    const struct service *service;
    char *address;
    struct watch_id id;
};

static struct listening now[MOST_LISTENERS];
static size_t now_count;

static bool is_listened_on(const struct service *service, struct str address)
{
    for (size_t i = 0; i < now_count; i++)
        if (now[i].service == service && str_same(str_from_c(now[i].address), address))
            return true;
    return false;
}

static enum err listen_on(struct cx *cx, const struct service *service, struct str address, int *fd)
{
    struct listening l = {.service = service};
    enum err e;

    if (is_listened_on(service, address)) {
        close_fd(fd);
        return OK;
    }
    if (now_count == MOST_LISTENERS)
        return fail(cx, ERR_LIMIT, "more than %d sockets to listen on", MOST_LISTENERS);
    e = service_open(cx, service, *fd, &l.id);
    if (e)
        return e;
    *fd = -1;
    l.address = must_alloc(address.n + 1);
    memcpy(l.address, address.p, address.n);
    now[now_count++] = l;
    log_line(LOG_INFO, "listening", "service=%s address=%s", service->name, log_value(address));
    return OK;
}

static bool is_wanted(const struct listening *l, const struct listener *wanted, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_same(wanted[i].service, str_from_c(l->service->name)) &&
            str_same(wanted[i].address, str_from_c(l->address)))
            return true;
    return false;
}

static void close_others(const struct listener *wanted, size_t count)
{
    for (size_t i = now_count; i-- > 0;) {
        if (is_wanted(&now[i], wanted, count))
            continue;
        listener_close(gate.loop, now[i].id);
        log_line(LOG_INFO, "not-listening", "service=%s address=%s", now[i].service->name,
                 log_value(str_from_c(now[i].address)));
        free(now[i].address);
        now[i] = now[--now_count];
    }
}

enum err services_listen(struct cx *cx, const struct listener *wanted, size_t count, int *fds)
{
    enum err e = OK;

    close_others(wanted, count);
    for (size_t i = 0; !e && i < count; i++) {
        const struct service *service = service_find(gate.is_mx, wanted[i].service);

        e = service
                ? listen_on(cx, service, wanted[i].address, &fds[i])
                : fail(cx, ERR_CONFIG, "%.*s is not served by this gate", STR_ARG(wanted[i].service));
    }
    return e;
}
