/* vault/signon/sasl.h: the exchanges of SASL mechanisms, by libgsasl's server half.
 *
 * An exchange takes what the client said, step by step, and ends in a claim (a name and a password, which somebody
 * has to check) or in a proof (SCRAM: libgsasl checked it against the keys it was given), or is refused. It knows
 * nothing of accounts.
 *
 * sasl_open() once, early; then any thread, one at a time per exchange. */
#pragma once
#include "base/buf.h"
#include "base/err.h"

struct binding; /* rpc/calls.h */

#define SASL_INPUT_MAX 8192 /* of one step, decoded; RFC 4954 §4 allows lines of 12,288 */

struct sasl;
enum err sasl_open(struct cx *cx, struct sasl **out);
void sasl_close(struct sasl **s);

/* What SCRAM needs to know about a name: RFC 5802 §3, as bytes. For a name that is nobody's, made-up ones. */
struct scram_keys {
    uint32_t iterations;
    struct str salt, stored_key, server_key;
};

struct exchange_asks {
    bool (*keys)(void *arg, struct str name, struct scram_keys *out); /* false: it cannot be told now */
    void *arg;
};

enum exchange_state {
    EXCHANGE_MORE,    /* `out` is a challenge, perhaps empty */
    EXCHANGE_CLAIMED, /* name and password are known */
    EXCHANGE_PROVEN,  /* the client knows the password of that name; `out` is the proof that we do */
    EXCHANGE_REFUSED, /* a wrong proof, or bytes that the mechanism does not know */
};

struct exchange;
bool sasl_has(struct str mechanism); /* in capitals, as RFC 4422 §3.1 has it */
bool sasl_is_scram(struct str mechanism);
bool sasl_is_bound(struct str mechanism); /* -PLUS: of use only where there is a channel binding */
bool sasl_knows_binding(struct str type);
/* Bindings of other types are passed over. */
enum err exchange_begin(struct cx *cx, struct sasl *s, struct str mechanism,
                        const struct binding *bindings, size_t count, struct exchange **out);
void exchange_end(struct exchange **x);
/* The first `in` is the initial response; empty if there is none, and the first challenge is asked for. */
enum exchange_state exchange_step(struct exchange *x, const struct exchange_asks *asks, struct str in,
                                  struct buf *out);

/* As far as they are known; until exchange_end(). */
struct str exchange_name(const struct exchange *x);
struct str exchange_authzid(const struct exchange *x);
struct str exchange_password(const struct exchange *x);
bool exchange_awaits_proof(const struct exchange *x); /* SCRAM: the next step decides */
