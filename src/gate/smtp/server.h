/* gate/smtp/server.h: the SMTP server (RFC 5321, RFC 6409) as a core without a socket.
 *
 *     struct smtp *s = smtp_new(&settings, SMTP_MX, S("192.0.2.1"), &out);
 *     smtp_greet(s);
 *     while (in.n && smtp_wants(s) == SMTP_INPUT) {
 *         smtp_feed(s, &in);
 *         while (smtp_wants(s) == SMTP_ANSWER && !smtp_await(s, me))
 *             … until `me` is woken …
 *         … write what `out` holds …
 *     }
 *     smtp_free(s);
 *
 * It is fed bytes cut anywhere, appends replies to `out`, and asks the vault. For the two answers that every
 * message needs, of its envelope and of its end, no thread waits: see smtp_await(). All else is asked in the plain way,
 * so smtp_feed(), smtp_free() and smtp_stop() may wait. A session belongs to one thread at a time. While it is idle it holds a few hundred bytes; a transaction has memory of its own. */
#pragma once
#include "base/ids.h"
#include "base/buf.h"
#include "base/err.h"
#include "net/loop.h"

/* The same protocol, three sorts of peers. */
enum smtp_role {
    SMTP_MX,         /* port 25: mail for our domains from anyone */
    SMTP_SUBMISSION, /* ports 587 and 465: our users, after sign-on */
    SMTP_LOCAL,      /* the local socket: users of this machine, known by their uid */
};

/* What the operator decides; stays as long as the sessions that were made with it. */
struct smtp_settings {
    struct str hostname;
    uint64_t message_size;     /* SIZE (RFC 1870) */
    size_t recipients;         /* the most of one message; RFC 9422's RCPTMAX */
    unsigned errors;           /* that many mistakes end the session */
    unsigned idle_commands;    /* and so do that many that lead nowhere, without a message between */
    bool allow_plaintext_auth; /* AUTH without TLS, also from other than loopback */
    bool has_certificate;      /* STARTTLS is offered */
    bool scram;                /* and so is SCRAM: its keys are kept */
    struct str local_domain;   /* SMTP_LOCAL: what completes a bare name */
};

struct smtp;

/* `client` is copied: the peer's address as text, "192.0.2.1", "2001:db8::1", or for SMTP_LOCAL what the vault
 * knows a local user by. `out` stays the caller's and outlives the session. */
struct smtp *smtp_new(const struct smtp_settings *settings, enum smtp_role role, struct str client,
                      struct buf *out);
void smtp_free(
    struct smtp *s); /* whatever was under way is given up, as RFC 5321 §4.1.1.10 says; NULL is fine */

/* SMTP_LOCAL, before the greeting: who has connected. */
void smtp_identify(struct smtp *s, const struct handle *session);
void smtp_greet(struct smtp *s);
/* In its place: this peer is not served, now or ever, as the error's row says. */
void smtp_refuse(struct smtp *s, enum err e);

/* Takes bytes off the front of *in and answers them. It may leave some: where a reply has to be on its way before
 * the next command is looked at (RFC 2920 §3.2 rule 5), and when `out` holds more than SMTP_OUT_HIGH. Write, and
 * call again. */
#define SMTP_OUT_HIGH ((size_t)64 * 1024)
void smtp_feed(struct smtp *s, struct str *in);

/* True if the peer has got on since this was asked the last time: it ended a line, or brought another SMTP_BODY_STEP of a
 * body. Who only sends a byte now and then does not. */
#define SMTP_BODY_STEP ((uint64_t)64 * 1024)
bool smtp_has_moved(struct smtp *s);

enum smtp_want {
    SMTP_INPUT,
    SMTP_ANSWER, /* the vault's: smtp_await(), and feed nothing meanwhile */
    SMTP_TLS, /* write `out`, then shake hands, then smtp_secured(); what came before is lost (RFC 3207 §4.2) */
    SMTP_CLOSE, /* write `out`, then close */
};
enum smtp_want smtp_wants(const struct smtp *s);

/* Where an answer is wanted: asks for it, which may wait a moment, but not until it comes; `who` is woken then. Called
 * again, it looks. True: the answer was there, and the reply is in `out`. Else call it when woken. */
bool smtp_await(struct smtp *s, struct watch_id who);

/* TLS has begun, be it by STARTTLS or from the first byte. The names are copied: "TLSv1.3", and the cipher's. */
void smtp_secured(struct smtp *s, struct str version, struct str cipher);

void smtp_time_out(struct smtp *s); /* 421: the peer was silent too long (RFC 5321 §4.5.3.2.7) */
void smtp_stop(
    struct smtp *s); /* the server is closing: at once if nothing is under way, else after that */

/* All bodies under way in this process may take so much memory together; beyond it the next hear 452 4.3.1. Set
 * before the first session. */
void smtp_set_body_budget(size_t bytes);
