/* gate/signon/core.h: a protocol up to the sign-on, as a core without a socket: POP3, IMAP.
 *
 *     struct core *c = pop3_core.make(&settings, S("192.0.2.1"), &out);
 *     pop3_core.greet(c);
 *     while (in.n && c->want == CORE_INPUT) {
 *         pop3_core.feed(c, &in);
 *         … write what `out` holds …
 *     }
 *     core_free(c);
 *
 * It is fed bytes cut anywhere and appends replies. When somebody has signed on it wants CORE_ATTACH: what it left of
 * the input belongs to the vault's side of the session, which also answers the command that signed on.
 *
 * It asks the vault in the plain way, so feed and core_free() may wait. A session belongs to one thread at a time. */
#pragma once
#include "base/buf.h"
#include "gate/signon/exchange.h"

/* What the operator decides; stays as long as the sessions that were made with it. */
struct signon_settings {
    struct str hostname;
    unsigned errors;           /* that many mistakes end the session */
    bool allow_plaintext_auth; /* passwords without TLS, also from other than loopback */
    bool has_certificate;      /* STARTTLS is offered */
    bool scram;                /* and so is SCRAM: its keys are kept */
};

enum core_want {
    CORE_INPUT,
    CORE_TLS, /* write `out`, then shake hands, then core_secured(); what came before is lost (RFC 2595 §4) */
    CORE_ATTACH, /* write `out`, then hand the connection over with core_take_session() */
    CORE_CLOSE,  /* write `out`, then close */
};

struct core;

struct core_ops {
    const char *name; /* of the service, for the log */
    uint32_t protocol;
    bool binds;      /* -PLUS is offered (exchange.h) */
    int64_t idle_ms; /* of silence; then say_bye() and the end */
    /* `client` is copied: the peer's address as text. `out` stays the caller's and outlives the session. */
    struct core *(*make)(const struct signon_settings *settings, struct str client, struct buf *out);
    void (*greet)(struct core *c);
    /* Takes bytes off the front of *in. What it leaves comes again, or goes to the vault. */
    void (*feed)(struct core *c, struct str *in);
    void (*forget_input)(struct core *c); /* what came before TLS is not read after it */
    /* For attach: MODE_ bits, and the tag, which lives as long as the core. */
    void (*describe)(const struct core *c, uint32_t *modes, struct str *tag);
    /* The last words before the connection closes: the session could not be handed over, nobody spoke for idle_ms, or
     * the server stops. A protocol may have none for some. */
    void (*say_bye)(struct buf *out, enum err e);
    void (*free)(struct core *c); /* what is its own; core_free() does the rest */
};

extern const struct core_ops pop3_core, imap_core;

void core_free(struct core *c); /* a sign-on under way is given up; NULL is fine */
/* TLS has begun, be it by STARTTLS or from the first byte. */
void core_secured(struct core *c, const struct bindings *bindings);
/* With CORE_ATTACH, once. From here on the handle is the caller's to end. */
struct handle core_take_session(struct core *c);

/* ---- for the protocols: the beginning of their own struct, and what all of them do ---- */

struct core {
    const struct core_ops *ops;
    const struct signon_settings *settings;
    struct buf *out;
    struct cx cx; /* its arena lasts for one command */
    enum core_want want;
    bool is_loopback, tls;
    unsigned mistakes;
    struct exchange exchange;
    struct handle session; /* with CORE_ATTACH, until it is taken */
    struct bindings bindings;
    char client[48];
};

void core_init(struct core *c, const struct core_ops *ops, const struct signon_settings *settings,
               struct str client, struct buf *out);

#define CORE_OUT_HIGH ((size_t)64 * 1024) /* whose peer does not read is not listened to */
bool core_may_go_on(const struct core *c);

bool core_offers_tls(const struct core *c);
bool core_offers_passwords(const struct core *c);
/* A mistake of the peer. True: it was one too many, the last words are said and the session closes. */
bool core_one_too_many(struct core *c);

/* Sign-ons, by a mechanism of sasl_mechanisms.h or with a name and a password. OK: core_signed_on() was called, or
 * *challenge (in the arena) goes to the client. An error is the protocol's to answer; what the vault has not logged is
 * logged. */
enum err core_begin(struct core *c, struct str mechanism, struct str said, struct str *challenge);
enum err core_step(struct core *c, struct str said, struct str *challenge);
enum err core_sign_on(struct core *c, struct str name, struct str password);
void core_give_up(struct core *c); /* the client did, or said what is no answer */

/* For scoped(): it may have held a password. */
void core_wipe(struct buf *b);
