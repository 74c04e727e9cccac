#include "gate/services.h"

#include "gate/gate.h"
#include "gate/signon/core.h"
#include "gate/signon/signon_conn.h"
#include "gate/smtp/smtp_conn.h"
#include "net/listener.h"

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

enum err service_open(struct cx *cx, const struct service *s, int fd)
{
    struct listener_settings settings = {
        .fd = fd,
        .peers = gate.peers,
        .over_limit = str_from_c(s->over_limit),
        .ops = s->ops,
        .state = (void *)(uintptr_t)s, /* never written through */
    };

    return listener_open(cx, gate.loop, &settings);
}
