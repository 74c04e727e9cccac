/* net/tls_private.h: what tls.c, tls_conn.c and tls_tickets.c share. */
#pragma once
#include "net/tls.h"

#include <openssl/ssl.h>
#include <stdatomic.h>

struct tls_server {
    atomic_uint references;
    size_t count;
    SSL_CTX *ctx[]; /* one a pair; the first begins every handshake */
};

struct tls_client {
    SSL_CTX *ctx;
};

/* Session tickets (RFC 5077, RFC 8446 §4.6.1) by keys that live in this process only. */
void tls_use_tickets(SSL_CTX *ctx);

/* What OpenSSL complained about last in this thread, and forgets it. Never empty. */
void tls_trouble(char *out, size_t size);
