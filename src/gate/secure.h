/* gate/secure.h: TLS on the connections of all services, with the certificates in force. */
#pragma once
#include "gate/signon/bindings.h"
#include "net/conn.h"

/* The handshake follows what is in conn_out(); without a certificate the connection closes. */
void start_tls(struct conn *c);
/* After secured(). */
struct bindings bindings_of(const struct conn *c);
