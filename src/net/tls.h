/* net/tls.h: contexts for TLS, and what there is to ask about a connection that uses it (OpenSSL 3).
 *
 * TLS 1.2 is the least. A struct tls_server is a set of certificates that never changes; new certificates are a
 * new set, which new connections get, while old ones keep theirs: everybody holds a reference. Any thread. */
#pragma once
#include "base/buf.h"
#include "base/err.h"

struct tls_server;
struct tls_client;
struct tls; /* of one connection, see conn_tls() */

struct tls_pair {
    struct str chain; /* PEM: the server's certificate, then those that lead to the root */
    struct str key;   /* PEM */
};

/* The first pair is for who asks for no name or an unknown one; the others are chosen by SNI (RFC 6066 §3),
 * by the names in their certificates. The cause of a failure tells which pair and why. Bytes are copied. */
enum err tls_server_new(struct cx *cx, const struct tls_pair *pairs, size_t count,
                        struct tls_server **out);
struct tls_server *tls_server_hold(struct tls_server *s);
void tls_server_drop(struct tls_server *s); /* NULL is fine */
/* When the certificate of a pair ends, in seconds since 1970. */
int64_t tls_server_expires(const struct tls_server *s, size_t pair);

/* The set in use at present. */
struct tls_current;
struct tls_current *tls_current_new(void);
void tls_current_free(struct tls_current *t);
void tls_current_set(struct tls_current *t,
                     struct tls_server *s);                /* takes the caller's reference over */
struct tls_server *tls_current_get(struct tls_current *t); /* drop it; NULL if none was set */

/* For outgoing connections. `ca_pem` holds the roots that are trusted; empty: no certificate is. */
enum err tls_client_new(struct cx *cx, struct str ca_pem, struct tls_client **out);
void tls_client_free(struct tls_client *t); /* after the last connection */

/* Of a connection, after secured(). */
const char *tls_version(const struct tls *t); /* "TLSv1.3" */
const char *tls_cipher(const struct tls *t);  /* IANA's name: "TLS_AES_256_GCM_SHA384" */
int tls_cipher_bits(const struct tls *t);
bool tls_is_resumed(const struct tls *t);

enum tls_verdict { TLS_UNTRUSTED, TLS_OTHER_NAME, TLS_VERIFIED };
enum tls_verdict tls_verdict(const struct tls *t); /* of the server's certificate, in a client */
const char *tls_verdict_text(const struct tls *t); /* "self-signed certificate", for the log */

/* Channel bindings, for SCRAM …-PLUS. False: this connection has none of that type. */
bool tls_exporter(const struct tls *t, struct buf *out); /* RFC 9266; TLS 1.3, or 1.2 with RFC 7627 */
bool tls_server_end_point(const struct tls *t, struct buf *out); /* RFC 5929 §4 */
bool tls_unique(const struct tls *t, struct buf *out); /* RFC 5929 §3; TLS 1.2 with RFC 7627 only */
