/* gate/services.h: what a gate can serve. A new service is a row in services.c, and the ops of its connections. */
#pragma once
#include "net/conn.h"

struct core_ops;

struct service {
    const char *name;            /* as `listen NAME { … }` says it */
    bool in_mx;                  /* served by --mx, else by --users */
    bool tls_first;              /* TLS from the first byte */
    int role;                    /* what else the ops want to know: for SMTP an enum smtp_role */
    const struct conn_ops *ops;  /* opened() finds the service in conn_state() */
    const char *over_limit;      /* said, as a line, to who may not come in now */
    const struct core_ops *core; /* of signon_conn_ops: which protocol it is */
};

/* NULL: this gate serves nothing of that name. */
const struct service *service_find(bool is_mx, struct str name);

/* From now on connections to the listening socket are its. Takes fd over on success. */
enum err service_open(struct cx *cx, const struct service *s, int fd, struct watch_id *id);

/* At start and at SIGHUP: what is to be listened on from now on, in one thread at a time. What is new is opened, what
 * is not named any more is closed; whoever came in that way stays. Descriptors are taken over, and set to -1. */
struct listener;
enum err services_listen(struct cx *cx, const struct listener *wanted, size_t count, int *fds);
