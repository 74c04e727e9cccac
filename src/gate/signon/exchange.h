/* gate/signon/exchange.h: a sign-on that the vault holds, as the protocols of line and challenge see it.
 *
 * The bytes are the mechanism's own: base 64, "+" and "*" are the protocol's. The functions wait for the vault. One
 * thread at a time. */
#pragma once
#include "gate/signon/bindings.h"

struct exchange {
    bool under_way; /* begun, and neither refused nor given up nor taken */
    bool proven;    /* the handle is there */
    bool
        owes_empty; /* … but the mechanism's last word went out as a challenge: an empty answer is due */
    uint64_t signon;       /* the vault's number for it */
    struct handle session; /* if proven */
};

struct exchange_with {
    uint32_t protocol;
    struct str mechanism, client;
    bool tls;
    /* What the connection's TLS is bound by, where -PLUS is offered: IMAP alone. Programs that know nothing but
     * tls-unique take -PLUS when they are offered it, over TLS 1.3 as well, where that does not exist, and give up when it
     * fails (mutt with Cyrus SASL); IMAP's go on with another mechanism. */
    const struct bindings *bindings;
};

/* `said` is the initial response, empty if there was none. OK: either it is proven and not owing, or *challenge (in
 * cx->arena) goes to the client. An error: it is over. */
enum err exchange_begin(struct exchange *x, struct cx *cx, const struct exchange_with *with,
                        struct str said, struct str *challenge);
/* Likewise with the client's next bytes. ERR_BAD_VALUE: an empty answer was due. */
enum err exchange_step(struct exchange *x, struct cx *cx, struct str said, struct str *challenge);
static inline bool exchange_owes_empty(const struct exchange *x)
{
    return x->owes_empty;
}
static inline bool exchange_is_done(const struct exchange *x)
{
    return x->proven && !x->owes_empty;
}

/* The handle, for who goes on with it. */
struct handle exchange_take(struct exchange *x);
/* The client gave up, or has gone: the vault forgets it. No harm if nothing is under way. */
void exchange_give_up(struct exchange *x, struct cx *cx);
