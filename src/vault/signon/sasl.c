#include "vault/signon/sasl.h"

#include "base/arena.h"
#include "base/codec.h"
#include "base/scoped.h"
#include "rpc/calls.h"
#include "vault/signon/password.h"

#include <gsasl.h>
#include <openssl/crypto.h>
#include <stdlib.h>

struct mechanism {
    struct str name;
    const char *gsasl;
    bool is_scram, is_bound, server_speaks_first, is_plain;
};

static const struct mechanism mechanisms[] = {
    {{"PLAIN", 5}, "PLAIN", false, false, false, true}, /* RFC 4616 */
    {{"LOGIN", 5}, "LOGIN", false, false, true, false}, /* never standardized, and everywhere */
    {{"SCRAM-SHA-256", 13}, "SCRAM-SHA-256", true, false, false, false}, /* RFC 5802, RFC 7677 */
    {{"SCRAM-SHA-256-PLUS", 18}, "SCRAM-SHA-256-PLUS", true, true, false, false},
};

/* RFC 9266 for TLS 1.3, RFC 5929 §3 before it. RFC-GAP: no tls-server-end-point (RFC 5929 §4), which libgsasl does not
 * know; a client that has only that one signs on without -PLUS. */
static const struct {
    struct str type;
    Gsasl_property property;
} binding_types[] = {
    {{"tls-exporter", 12}, GSASL_CB_TLS_EXPORTER},
    {{"tls-unique", 10}, GSASL_CB_TLS_UNIQUE},
};
#define BINDING_TYPES (sizeof(binding_types) / sizeof(*binding_types))

struct sasl {
    Gsasl *gsasl; /* never changed once it is open: safe from any thread */
};

struct exchange {
    const struct mechanism *mechanism;
    Gsasl *gsasl;
    Gsasl_session *session;           /* NULL: nothing had to be asked of the library yet */
    const struct exchange_asks *asks; /* during a step */
    bool begun, keys_given;
    struct buf said; /* of a PLAIN that did without the library, and the parts of it: */
    struct str authzid, name, password;
};

static const struct mechanism *mechanism_find(struct str name)
{
    for (size_t i = 0; i < sizeof(mechanisms) / sizeof(*mechanisms); i++)
        if (str_same(name, mechanisms[i].name))
            return &mechanisms[i];
    return NULL;
}

bool sasl_has(struct str mechanism)
{
    return mechanism_find(mechanism) != NULL;
}

bool sasl_is_scram(struct str mechanism)
{
    const struct mechanism *m = mechanism_find(mechanism);

    return m && m->is_scram;
}

bool sasl_is_bound(struct str mechanism)
{
    const struct mechanism *m = mechanism_find(mechanism);

    return m && m->is_bound;
}

bool sasl_knows_binding(struct str type)
{
    for (size_t i = 0; i < BINDING_TYPES; i++)
        if (str_same(type, binding_types[i].type))
            return true;
    return false;
}

/* ---- what libgsasl asks back ---- */

static void set_base64(Gsasl_session *session, Gsasl_property property, struct str bytes)
{
    struct buf b = buf_make(BUF_UNLIMITED);

    base64_encode(&b, bytes);
    gsasl_property_set_raw(session, property, b.p, b.n);
    buf_free(&b);
}

static int give_keys(struct exchange *x, Gsasl_property asked)
{
    struct scram_keys keys;
    char iterations[16];

    if (x->keys_given || !x->asks->keys(x->asks->arg, exchange_name(x), &keys))
        return GSASL_NO_CALLBACK;
    x->keys_given = true;
    snprintf(iterations, sizeof(iterations), "%u", keys.iterations);
    gsasl_property_set(x->session, GSASL_SCRAM_ITER, iterations);
    set_base64(x->session, GSASL_SCRAM_SALT, keys.salt);
    set_base64(x->session, GSASL_SCRAM_STOREDKEY, keys.stored_key);
    set_base64(x->session, GSASL_SCRAM_SERVERKEY, keys.server_key);
    return gsasl_property_fast(x->session, asked) ? GSASL_OK : GSASL_NO_CALLBACK;
}

/* A password is only noted here. Whether it is right takes rows and perhaps argon2, which must not be asked for in
 * the middle of a step: the step could not be taken again in another lane. */
static int answer(Gsasl *gsasl, Gsasl_session *session, Gsasl_property property)
{
    struct exchange *x = gsasl_session_hook_get(session);

    (void)gsasl;
    switch ((int)property) {
    case GSASL_VALIDATE_SIMPLE:
        return GSASL_OK;
    case GSASL_SCRAM_ITER:
    case GSASL_SCRAM_SALT:
    case GSASL_SCRAM_STOREDKEY:
    case GSASL_SCRAM_SERVERKEY:
        return give_keys(x, property);
    default: /* bindings among them: those that there are were set when it began */
        return GSASL_NO_CALLBACK;
    }
}

enum err sasl_open(struct cx *cx, struct sasl **out)
{
    Gsasl *gsasl;
    int result = gsasl_init(&gsasl);

    if (result != GSASL_OK)
        return fail(cx, ERR_SYSTEM, "libgsasl: %s", gsasl_strerror(result));
    gsasl_callback_set(gsasl, answer);
    *out = must_alloc(sizeof(**out));
    (*out)->gsasl = gsasl;
    return OK;
}

void sasl_close(struct sasl **s)
{
    if (!*s)
        return;
    gsasl_done((*s)->gsasl);
    free(*s);
    *s = NULL;
}

/* ---- an exchange ---- */

static void set_binding(Gsasl_session *session, const struct binding *b)
{
    for (size_t i = 0; i < BINDING_TYPES; i++)
        if (b->value.n && str_same(b->type, binding_types[i].type))
            set_base64(session, binding_types[i].property, b->value);
}

static int start_session(struct exchange *x)
{
    int result = gsasl_server_start(x->gsasl, x->mechanism->gsasl, &x->session);

    if (result == GSASL_OK)
        gsasl_session_hook_set(x->session, x);
    else
        x->session = NULL;
    return result;
}

enum err exchange_begin(struct cx *cx, struct sasl *s, struct str mechanism,
                        const struct binding *bindings, size_t count, struct exchange **out)
{
    const struct mechanism *m = mechanism_find(mechanism);
    struct exchange *x;
    int result;

    if (!m)
        return fail(cx, ERR_NO_MECHANISM, "a mechanism of %zu bytes", mechanism.n);
    x = must_alloc(sizeof(*x));
    x->mechanism = m;
    x->gsasl = s->gsasl;
    x->said = buf_make(SASL_INPUT_MAX);
    result = m->is_plain ? GSASL_OK : start_session(x);
    if (result != GSASL_OK) {
        free(x);
        return fail(cx, ERR_SYSTEM, "libgsasl, %s: %s", m->gsasl, gsasl_strerror(result));
    }
    for (size_t i = 0; i < count && m->is_scram; i++)
        set_binding(x->session, &bindings[i]);
    *out = x;
    return OK;
}

static void end_session(struct exchange *x)
{
    const char *password = gsasl_property_fast(x->session, GSASL_PASSWORD);

    if (password) /* libgsasl frees its copy as it is */
        OPENSSL_cleanse((void *)(uintptr_t)password, strlen(password));
    gsasl_finish(x->session);
}

void exchange_end(struct exchange **at)
{
    struct exchange *x = *at;

    if (!x)
        return;
    if (x->session)
        end_session(x);
    if (x->said.n)
        OPENSSL_cleanse(x->said.p, x->said.n);
    buf_free(&x->said);
    free(x);
    *at = NULL;
}

/* message = [authzid] UTF8NUL authcid UTF8NUL passwd (RFC 4616 §2). Nearly all that is ever said is printable ASCII, of
 * which the library makes copies after it has looked for what there is of Unicode in it.
 * False: it is for the library to take, or to refuse. */
static bool take_plain(struct exchange *x, struct str in)
{
    struct str authzid, name;

    if (!x->mechanism->is_plain || x->said.n)
        return false;
    buf_add(&x->said, in);
    in = buf_str(&x->said);
    if (!take_until(&in, '\0', &authzid) || !take_until(&in, '\0', &name) || !name.n || !in.n ||
        !is_prepared_already(authzid) || !is_prepared_already(name) || !is_prepared_already(in)) {
        OPENSSL_cleanse(x->said.p, x->said.n);
        buf_clear(&x->said);
        return false;
    }
    x->authzid = authzid;
    x->name = name;
    x->password = in;
    return true;
}

static int take_step(struct exchange *x, struct str in, struct buf *out)
{
    char *said = NULL;
    size_t n = 0;
    int result = x->session ? GSASL_OK : start_session(x);

    if (result == GSASL_OK)
        result = gsasl_step(x->session, in.n ? in.p : "", in.n, &said, &n);
    if (n)
        buf_add(out, (struct str){said, n});
    free(said);
    return result;
}

enum exchange_state exchange_step(struct exchange *x, const struct exchange_asks *asks, struct str in,
                                  struct buf *out)
{
    int result;

    if (in.n > SASL_INPUT_MAX)
        return EXCHANGE_REFUSED;
    if (in.n && take_plain(x, in))
        return EXCHANGE_CLAIMED;
    x->asks = asks;
    if (!x->begun && x->mechanism->server_speaks_first && in.n) {
        /* LOGIN with an initial response, which many clients send: it answers the challenge we had not sent yet */
        take_step(x, S(""), out);
        buf_clear(out);
    }
    if (x->begun && !x->mechanism->server_speaks_first && !in.n) /* libgsasl would ask again */
        return EXCHANGE_REFUSED;
    x->begun = true;
    result = take_step(x, in, out);
    x->asks = NULL;
    if (result == GSASL_NEEDS_MORE)
        return EXCHANGE_MORE;
    if (result != GSASL_OK)
        return EXCHANGE_REFUSED;
    return x->mechanism->is_scram ? EXCHANGE_PROVEN : EXCHANGE_CLAIMED;
}

static struct str property(const struct exchange *x, Gsasl_property p)
{
    return x->session ? str_from_c(gsasl_property_fast(x->session, p)) : STR_NONE;
}

struct str exchange_name(const struct exchange *x)
{
    return x->said.n ? x->name : property(x, GSASL_AUTHID);
}

struct str exchange_authzid(const struct exchange *x)
{
    return x->said.n ? x->authzid : property(x, GSASL_AUTHZID);
}

struct str exchange_password(const struct exchange *x)
{
    return x->said.n ? x->password : property(x, GSASL_PASSWORD);
}

bool exchange_awaits_proof(const struct exchange *x)
{
    return x->mechanism->is_scram && x->keys_given;
}
