/* control/submit.h: handing a message to the gate's local socket: an SMTP client of the simplest kind. */
#pragma once
#include "base/buf.h"
#include "base/err.h"

struct submit_message {
    struct str sender; /* without a domain: the server's is added; empty: <> */
    bool null_sender;
    const struct str *recipients; /* as they stand between angle brackets */
    size_t recipient_count;
    struct str notify, ret, envid; /* DSN parameters (RFC 3461), as given; empty: none */
    struct str from_name;          /* for the From field, if the message has none */
    struct str message;            /* header and body; lines may end in LF */
};

/* Connects and hears the greeting. ERR_VAULT_AWAY: nobody is there. */
enum err submit_connect(struct cx *cx, const char *socket_path, int *fd);

/* All recipients or none: a refusal of one ends it before the body. *code is the reply that decided (0: the line went
 * dead), and cx->cause what the server said. */
enum err submit_send(struct cx *cx, int fd, const struct submit_message *m, int *code);
