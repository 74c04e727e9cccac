/* gate/smtp/client.h: SMTP towards another server (RFC 5321), without a socket.
 *
 * It is fed what the server says, cut anywhere, and appends commands to a buf. The driver does what
 * client_wants() tells: read on, do the TLS handshake, hand over a message or a stretch of its body, or hang up.
 * Several messages may go over one connection.
 *
 * Recipients are decided one by one, in client_rcpt.outcome. Who is still undecided when the message is over was
 * left without a verdict by this server; client_trouble() says why, and whether another host is worth trying.
 * No I/O, no clock; a struct belongs to one thread at a time. */
#pragma once
#include "rpc/calls.h"

struct client;

struct client_settings {
    struct str helo;           /* our name, or an address literal */
    struct str user, password; /* sign on with these, or not at all; empty: no sign-on */
    bool may_tls;              /* STARTTLS if it is offered */
    bool is_loopback;          /* a password may go without TLS */
};

/* RFC 3463 status, and the words: the server's own with its code first and lines divided by '\n', or ours. */
struct client_words {
    struct str status, reply;
    bool from_server; /* reply is what it said, verbatim */
};

#define CLIENT_REPLY_MAX 1024 /* of what a server says so much is kept */

struct client_rcpt {
    const struct work_rcpt *asked;
    uint32_t
        outcome; /* OUTCOME_…; 0: undecided. Those that are decided at the beginning are not sent */
    struct client_words words;
};

/* One message. Stays the caller's, and in place until the message is over. */
struct client_message {
    struct arena *arena; /* for what is kept of replies */
    struct path reverse_path;
    struct mail_params params; /* size: of the body */
    bool has_8bit;             /* the body, or params, say so: BODY=8BITMIME where it is offered */
    bool needs_smtputf8;       /* an address or a header field is not ASCII (RFC 6531 §3.2) */
    struct client_rcpt *rcpts;
    size_t rcpt_count;
    bool dot_sent; /* set by the client: from here on the server may have taken it (RFC 1047) */
};

enum client_want {
    CLIENT_INPUT, /* what the server says next, within client_timeout_ms() */
    CLIENT_TLS,   /* the handshake, now: then client_secured() */
    CLIENT_READY, /* client_send() or client_quit(). The message before is over */
    CLIENT_BODY,  /* client_body(), each time what was appended has been written */
    CLIENT_CLOSE, /* hang up. The message is over */
};

struct client *client_new(const struct client_settings *settings,
                          struct buf *out); /* both stay the caller's */
void client_free(struct client *c);         /* NULL is fine */

enum client_want client_wants(const struct client *c);
void client_feed(struct client *c, struct str *in);
void client_secured(struct client *c);
void client_send(struct client *c, struct client_message *m);
void client_body(struct client *c, struct str piece, bool last);
void client_quit(struct client *c);
/* The connection ended, or did not come about, or a deadline passed: ours is the word why. */
void client_lost(struct client *c, struct str status, struct str why);

/* How long to wait for what it waits for now (RFC 5321 §4.5.3.2). The time begins anew whenever client_step()
 * is another number. */
int64_t client_timeout_ms(const struct client *c);
uint64_t client_step(const struct client *c);

/* Some that are undecided may be sent once more over this connection: the server took a part of the recipients
 * and asked for the rest in another transaction (§4.5.3.1.10). */
bool client_wants_rest(const struct client *c);
/* The server takes another message in this session, as far as it said (RFC 9422 MAILMAX). */
bool client_may_send(const struct client *c);

/* Why somebody was left undecided. */
struct client_trouble {
    struct client_words words; /* lives as long as the client */
    uint32_t outcome; /* OUTCOME_FAILED: this server wants no mail at all; else OUTCOME_DEFERRED */
    bool try_next;    /* another host may do better */
};
const struct client_trouble *client_trouble(const struct client *c);
bool client_in_handshake(const struct client *c); /* the server agreed to TLS, and that is not done */
