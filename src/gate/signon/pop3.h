/* gate/signon/pop3.h: POP3 up to the sign-on: the AUTHORIZATION state of RFC 1939, as a core without a socket.
 *
 *     struct pop3 *p = pop3_new(&settings, S("192.0.2.1"), &out);
 *     pop3_greet(p);
 *     while (in.n && pop3_wants(p) == POP3_INPUT) {
 *         pop3_feed(p, &in);
 *         … write what `out` holds …
 *     }
 *     pop3_free(p);
 *
 * It is fed bytes cut anywhere and appends replies. When somebody has signed on it wants POP3_ATTACH: what it left of
 * the input belongs to the vault's side of the session, which also says the "+OK" to PASS or AUTH.
 *
 * It asks the vault in the plain way, so pop3_feed() and pop3_free() may wait. A session belongs to one thread at a
 * time. */
#pragma once
#include "gate/signon/bindings.h"

/* What the operator decides; stays as long as the sessions that were made with it. */
struct pop3_settings {
    struct str hostname;
    unsigned errors;           /* that many mistakes end the session */
    bool allow_plaintext_auth; /* passwords without TLS, also from other than loopback */
    bool has_certificate;      /* STLS is offered */
    bool scram;                /* and so is SCRAM: its keys are kept */
};

struct pop3;

/* `client` is copied: the peer's address as text. `out` stays the caller's and outlives the session. */
struct pop3 *pop3_new(const struct pop3_settings *settings, struct str client, struct buf *out);
void pop3_free(struct pop3 *p); /* a sign-on under way is given up; NULL is fine */

void pop3_greet(struct pop3 *p);
/* Takes bytes off the front of *in. What it leaves comes again, or goes to the vault. */
void pop3_feed(struct pop3 *p, struct str *in);

enum pop3_want {
    POP3_INPUT,
    POP3_TLS, /* write `out`, then shake hands, then pop3_secured(); what came before is lost (RFC 2595 §4) */
    POP3_ATTACH, /* write `out`, then hand the connection over with pop3_take_session() */
    POP3_CLOSE,  /* write `out`, then close */
};
enum pop3_want pop3_wants(const struct pop3 *p);

/* TLS has begun, be it by STLS or from the first byte. */
void pop3_secured(struct pop3 *p, const struct bindings *bindings);

/* With POP3_ATTACH, once. *modes: MODE_ bits for the call. From here on the handle is the caller's to end. */
struct handle pop3_take_session(struct pop3 *p, uint32_t *modes);
/* The vault would not take it: the client hears why, and the session closes. */
void pop3_refused(struct pop3 *p, enum err e);

#define POP3_IDLE_MS (10 * 60 * 1000) /* RFC 1939 §3; then the connection closes without a word */
