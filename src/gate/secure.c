#include "gate/secure.h"

#include "gate/gate.h"

void start_tls(struct conn *c)
{
    struct tls_server *server = tls_current_get(gate.tls);

    if (server)
        conn_start_tls(c, server);
    else
        conn_close(c);
    tls_server_drop(server);
}

static unsigned char keep(bool (*get)(const struct tls *t, struct buf *out), const struct tls *t,
                          char *out, size_t size)
{
    struct buf b = buf_make(size);
    size_t n = 0;

    if (get(t, &b) && !b.full) {
        n = b.n;
        memcpy(out, b.p, n);
    }
    buf_free(&b);
    return (unsigned char)n;
}

struct bindings bindings_of(const struct conn *c)
{
    const struct tls *t = conn_tls(c);
    struct bindings b = {0};

    b.exporter_size = keep(tls_exporter, t, b.exporter, sizeof(b.exporter));
    b.unique_size = keep(tls_unique, t, b.unique, sizeof(b.unique));
    return b;
}
