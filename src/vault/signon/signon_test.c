/* Sign-on as a gate sees it, friendly or not, on a real store over the memory engine. */
#include "vault/signon/signon.h"

#include "base/arena.h"
#include "base/codec.h"
#include "config/config.h"
#include "vault/signon/password.h"
#include "vault/store/directory.h"
#include "vault/vault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <gsasl.h>
#include <pthread.h>

static _Thread_local struct cx cx;
static struct vault vault;
static struct config config = {.postmaster = {"postmaster@acompany.test", 24}, .scram = true};
static int64_t now_for_test = 1000;
static struct account_id fred;
static _Thread_local bool long_lane_was_used;

static int64_t test_clock(void)
{
    return now_for_test;
}

const struct config *settings(void)
{
    return &config;
}

enum err caller_go_long(struct caller *c)
{
    c->again_in_long_lane = true;
    return OK;
}

static struct caller caller_make(uint64_t gate)
{
    return (struct caller){.cx = cx, .vault = &vault, .room = USERS, .gate = gate, .lane = SHORT};
}

/* ---- a gate ---- */

struct way { /* by which somebody signs on */
    const char *mechanism, *client;
    bool tls;
    uint64_t gate;
    struct binding binding; /* of its TLS, if it has a type */
};

static const struct way home = {"PLAIN", "192.0.2.1", true, 1};

static enum err begin_with(const struct way *w, const struct str *said, struct signon_begin_reply *r)
{
    struct caller c = caller_make(w->gate);
    struct binding binding = w->binding;
    struct signon_begin_request q = {.protocol = PROTOCOL_POP3,
                                     .mechanism = str_from_c(w->mechanism),
                                     .client = str_from_c(w->client),
                                     .tls = w->tls,
                                     .bindings = &binding,
                                     .bindings_count = binding.type.n > 0,
                                     .has_said = said != NULL,
                                     .said = said ? *said : STR_NONE};
    enum err e;

    *r = (struct signon_begin_reply){0};
    e = serve_signon_begin(&c, &q, r);
    if (c.again_in_long_lane) {
        long_lane_was_used = true;
        c.again_in_long_lane = false;
        c.lane = LONG;
        e = serve_signon_begin(&c, &q, r);
        assert_false(c.again_in_long_lane);
    }
    return e;
}

static enum err begin(const struct way *w, uint64_t *id)
{
    struct signon_begin_reply r;
    enum err e = begin_with(w, NULL, &r);

    *id = r.signon;
    return e;
}

static enum err step(uint64_t gate, uint64_t id, struct str said, struct signon_step_reply *r)
{
    struct caller c = caller_make(gate);
    struct signon_step_request q = {.signon = id, .from_client = said};
    enum err e;

    *r = (struct signon_step_reply){0};
    e = serve_signon_step(&c, &q, r);
    if (c.again_in_long_lane) {
        long_lane_was_used = true;
        c.again_in_long_lane = false;
        c.lane = LONG;
        e = serve_signon_step(&c, &q, r);
        assert_false(c.again_in_long_lane);
    }
    return e;
}

static void end(uint64_t gate, struct handle handle)
{
    struct caller c = caller_make(gate);
    struct signon_end_request q = {.session = handle};
    struct signon_end_reply r;

    assert_int_equal(serve_signon_end(&c, &q, &r), OK);
}

/* One message holding the whole of it: PLAIN. In two calls or in one: it is the same. */
static enum err sign_on(const struct way *w, struct str said, struct handle *handle)
{
    static _Thread_local bool in_one;
    struct signon_begin_reply begun;
    struct signon_step_reply r;
    enum err e;

    in_one = !in_one;
    e = begin_with(w, in_one ? &said : NULL, &begun);
    *handle = begun.session;
    if (e || in_one) {
        assert_true(e || begun.state == SIGNON_DONE);
        return e;
    }
    e = step(w->gate, begun.signon, said, &r);
    *handle = r.session;
    return e;
}

/* ---- the store ---- */

static enum err set_password(struct account_id id, struct str password)
{
    struct credential_row row;
    struct ticket ticket;

    assert_int_equal(password_make(&cx, password, true, &row), OK);
    assert_int_equal(account_set_credential(vault.store, &cx, id, &row, &ticket), OK);
    return engine_wait(vault.engine, &cx, ticket);
}

static struct account_id add_account(struct str address, struct str password)
{
    struct credential_row row;
    struct new_account n = {.address = address, .credential = &row};
    struct ticket ticket;
    struct account_id id;

    if (password.n)
        assert_int_equal(password_make(&cx, password, true, &row), OK);
    else
        n.credential = NULL;
    assert_int_equal(account_create(vault.store, &cx, &n, &id, &ticket), OK);
    assert_int_equal(engine_wait(vault.engine, &cx, ticket), OK);
    return id;
}

static void suspend(struct account_id id, bool suspended)
{
    struct ticket ticket;

    assert_int_equal(account_change(vault.store, &cx, id,
                                    &(struct account_change){.suspended = &suspended}, &ticket),
                     OK);
    assert_int_equal(engine_wait(vault.engine, &cx, ticket), OK);
}

static int start(void **state)
{
    struct ticket ticket = {0};

    (void)state;
    assert_int_equal(engine_open_memory(&cx, &(struct engine_options){0}, &vault.engine), OK);
    assert_int_equal(store_open(&cx, vault.engine, settings, &vault.store), OK);
    assert_int_equal(domain_create(vault.store, &cx, S("acompany.test"), &ticket), OK);
    assert_int_equal(engine_wait(vault.engine, &cx, ticket), OK);
    fred = add_account(S("fred@acompany.test"), S("secret"));
    add_account(S("tom@acompany.test"), S("sesame"));
    add_account(S("nopass@acompany.test"), S(""));
    vault.handles = handles_new(100);
    assert_int_equal(signons_open(&cx, vault.store, vault.handles, test_clock, &vault.signons), OK);
    long_lane_was_used = false;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    signons_close(vault.signons);
    handles_free(vault.handles);
    store_close(vault.store);
    engine_close(vault.engine);
    config.scram = true;
    return 0;
}

/* ---- PLAIN and LOGIN ---- */

#define SAY(text)                                                                                      \
    {                                                                                                  \
        text, sizeof(text) - 1                                                                         \
    }

static const struct {
    struct str said;
    enum err expected;
    const char *why;
} plain[] = {
    {SAY("\0fred@acompany.test\0secret"), OK, "address and password"},
    {SAY("\0fred\0secret"), OK, "a bare name that one domain has"},
    {SAY("\0FRED@ACompany.Test\0secret"), OK, "any case"},
    {SAY("fred@acompany.test\0fred@acompany.test\0secret"), OK, "authzid is the account"},
    {SAY("fred\0fred@acompany.test\0secret"), OK, "however it is written"},
    {SAY("tom@acompany.test\0fred@acompany.test\0secret"), ERR_AUTHZ_FAILED, "somebody else's"},
    {SAY("nobody\0fred@acompany.test\0secret"), ERR_AUTHZ_FAILED, "nobody's"},
    {SAY("tom@acompany.test\0fred@acompany.test\0Secret"), ERR_AUTH_FAILED, "with a wrong password"},
    {SAY("\0fred@acompany.test\0Secret"), ERR_AUTH_FAILED, "wrong password"},
    {SAY("\0fred@acompany.test\0"), ERR_AUTH_FAILED, "empty password"},
    {SAY("\0nopass@acompany.test\0secret"), ERR_AUTH_FAILED, "an account without one"},
    {SAY("\0nobody@acompany.test\0secret"), ERR_AUTH_FAILED, "nobody"},
    {SAY("\0\0secret"), ERR_AUTH_FAILED, "no name"},
    {SAY("\0fred@acompany.test\0secret\0more"), ERR_AUTH_FAILED, "a NUL too many"},
    {SAY("fred@acompany.test"), ERR_AUTH_FAILED, "no NUL at all"},
    {SAY("\0\xff\0secret"), ERR_AUTH_FAILED, "no UTF-8"},
    {SAY("\0fred@acompany.test\0sec\xc2\xadret"), OK, "a soft hyphen, which SASLprep takes out"},
    {SAY("\0fr\xc2\xad"
         "ed@acompany.test\0secret"),
     OK, "and out of a name"},
    {SAY("\0fred@acompany.test\0secret\x7f"), ERR_AUTH_FAILED, "a control character"},
};

static void test_plain(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++) {
        struct handle handle;
        struct signed_on who;
        enum err e = sign_on(&home, plain[i].said, &handle);

        now_for_test += 20 * 60 * 1000; /* failures are forgotten */
        if (e != plain[i].expected)
            printf("row %zu (%s): %s\n", i, plain[i].why, err_row(e)->name);
        assert_int_equal(e, plain[i].expected);
        if (e)
            continue;
        assert_true(handle_find(vault.handles, handle, 1, &who));
        assert_int_equal(who.account.v, fred.v);
        assert_int_equal(who.protocol, PROTOCOL_POP3);
        assert_string_equal(who.client, "192.0.2.1");
        end(2, handle); /* of another gate: nothing happens */
        assert_true(handle_find(vault.handles, handle, 1, &who));
        end(1, handle);
        assert_false(handle_find(vault.handles, handle, 1, &who));
    }
    assert_int_equal(handles_count(vault.handles), 0);
}

static void test_plain_without_initial_response(void **state)
{
    struct signon_step_reply r;
    uint64_t id;

    (void)state;
    assert_int_equal(begin(&home, &id), OK);
    assert_int_equal(step(1, id, S(""), &r), OK);
    assert_int_equal(r.state, SIGNON_MORE);
    assert_int_equal(r.to_client.n, 0);
    assert_int_equal(step(1, id, S("\0fred\0secret"), &r), OK);
    assert_int_equal(r.state, SIGNON_DONE);
    assert_int_equal(step(1, id, S("\0fred\0secret"), &r), ERR_AUTH_CANCELLED); /* it is over */
}

/* What answers an empty challenge, and is empty, is no message of theirs (RFC 4616 §2, RFC 5802 §7). */
static void test_an_empty_answer(void **state)
{
    static const char *const names[] = {"PLAIN", "SCRAM-SHA-256"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct way w = home;
        struct signon_step_reply r;
        uint64_t id;

        w.mechanism = names[i];
        assert_int_equal(begin(&w, &id), OK);
        assert_int_equal(step(1, id, S(""), &r), OK);
        assert_int_equal(r.state, SIGNON_MORE);
        assert_int_equal(step(1, id, S(""), &r), ERR_AUTH_FAILED);
        assert_int_equal(step(1, id, S("\0fred\0secret"), &r), ERR_AUTH_CANCELLED); /* it is over */
    }
}

static void test_login(void **state)
{
    struct way w = home;
    struct signon_step_reply r;
    uint64_t id;

    (void)state;
    w.mechanism = "LOGIN";
    assert_int_equal(begin(&w, &id), OK);
    assert_int_equal(step(1, id, S(""), &r), OK);
    assert_true(str_starts(r.to_client, S("User")));
    assert_int_equal(step(1, id, S("fred"), &r), OK);
    assert_true(str_starts(r.to_client, S("Password")));
    assert_int_equal(step(1, id, S("secret"), &r), OK);
    assert_int_equal(r.state, SIGNON_DONE);
    assert_int_equal(begin(&w, &id), OK); /* with an initial response */
    assert_int_equal(step(1, id, S("fred"), &r), OK);
    assert_true(str_starts(r.to_client, S("Password")));
    assert_int_equal(step(1, id, S("secret\0x"), &r), ERR_AUTH_FAILED);
}

/* The first step in the call that begins: what more there is goes on under the number it gave. */
static void test_begin_with_a_step(void **state)
{
    const struct str name = S("fred"), nothing = S("");
    struct way w = home;
    struct signon_begin_reply begun;
    struct signon_step_reply r;

    (void)state;
    w.mechanism = "LOGIN";
    assert_int_equal(begin_with(&w, &name, &begun), OK);
    assert_int_equal(begun.state, SIGNON_MORE);
    assert_true(str_starts(begun.to_client, S("Password")));
    assert_int_equal(step(1, begun.signon, S("secret"), &r), OK);
    assert_int_equal(r.state, SIGNON_DONE);
    assert_int_equal(begin_with(&home, &nothing, &begun), OK);
    assert_int_equal(begun.state, SIGNON_MORE);
    assert_int_equal(step(1, begun.signon, S("\0fred\0secret"), &r), OK);
    assert_int_equal(r.state, SIGNON_DONE);
}

/* ---- SCRAM, with libgsasl's client ---- */

struct scram_end {
    enum err e;
    unsigned steps;
    struct str first; /* what the server said first */
    bool client_is_content;
};

/* exporter, unique: what it takes the binding of its connection to be, in base 64; NULL: it knows of none. */
struct scram_client {
    const char *name, *password, *authzid, *mechanism, *exporter, *unique;
};

static struct scram_end scram_by(const struct way *way, const struct scram_client *by)
{
    struct way w = *way;
    struct scram_end out = {0};
    Gsasl *gsasl;
    Gsasl_session *client;
    struct signon_step_reply r = {0};
    uint64_t id;
    int result;

    w.mechanism = by->mechanism;
    gsasl_init(&gsasl);
    assert_int_equal(gsasl_client_start(gsasl, by->mechanism, &client), GSASL_OK);
    gsasl_property_set(client, GSASL_AUTHID, by->name);
    gsasl_property_set(client, GSASL_PASSWORD, by->password);
    gsasl_property_set(client, GSASL_AUTHZID, by->authzid);
    gsasl_property_set(client, GSASL_CB_TLS_EXPORTER, by->exporter);
    gsasl_property_set(client, GSASL_CB_TLS_UNIQUE, by->unique);
    out.e = begin(&w, &id);
    while (!out.e) {
        char *said = NULL;
        size_t n = 0;

        result = gsasl_step(client, r.to_client.p, r.to_client.n, &said, &n);
        assert_true(result == GSASL_OK || result == GSASL_NEEDS_MORE);
        out.client_is_content = result == GSASL_OK;
        if (r.state == SIGNON_DONE) {
            free(said);
            break;
        }
        out.e = step(1, id, (struct str){said, n}, &r);
        if (++out.steps == 1)
            out.first = r.to_client;
        free(said);
    }
    gsasl_finish(client);
    gsasl_done(gsasl);
    return out;
}

static struct scram_end scram(const char *name, const char *password, const char *authzid)
{
    return scram_by(&home,
                    &(struct scram_client){name, password, authzid, "SCRAM-SHA-256", NULL, NULL});
}

static void test_scram(void **state)
{
    struct scram_end got = scram("fred@acompany.test", "secret", NULL);

    (void)state;
    assert_int_equal(got.e, OK);
    assert_int_equal(got.steps, 2);
    assert_true(got.client_is_content); /* our signature convinced it */
    assert_false(long_lane_was_used);
    assert_int_equal(scram("fred", "secret", "fred@acompany.test").e, OK);
    assert_int_equal(scram("fred", "secret", "tom@acompany.test").e, ERR_AUTHZ_FAILED);
    assert_int_equal(scram("fred", "Secret", "tom@acompany.test").e, ERR_AUTH_FAILED);
    assert_int_equal(scram("fred", "Secret", NULL).e, ERR_AUTH_FAILED);
    config.scram = false;
    assert_int_equal(scram("fred", "secret", NULL).e, ERR_NO_MECHANISM);
}

#define EXPORTER "0123456789abcdef0123456789abcdef"
#define EXPORTER_64 "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
#define OTHER_64 "T1RIRVI1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
#define UNIQUE "0123456789ab"
#define UNIQUE_64 "MDEyMzQ1Njc4OWFi"
#define PLUS "SCRAM-SHA-256-PLUS"
#define BY_EXPORTER                                                                                    \
    {                                                                                                  \
        SAY("tls-exporter"), SAY(EXPORTER)                                                             \
    }

/* RFC 5802 §6: bound to this TLS connection and no other. */
static const struct {
    struct binding binding;
    struct scram_client client;
    enum err expected;
    const char *why;
} bound[] = {
    {BY_EXPORTER, {"fred", "secret", NULL, PLUS, EXPORTER_64, NULL}, OK, "RFC 9266"},
    {{SAY("tls-unique"), SAY(UNIQUE)}, {"fred", "secret", NULL, PLUS, NULL, UNIQUE_64}, OK, "TLS 1.2"},
    {BY_EXPORTER,
     {"fred", "secret", NULL, PLUS, OTHER_64, NULL},
     ERR_AUTH_FAILED,
     "of another connection"},
    {BY_EXPORTER, {"fred", "secret", NULL, PLUS, NULL, UNIQUE_64}, ERR_AUTH_FAILED, "of another type"},
    {BY_EXPORTER, {"fred", "wrong", NULL, PLUS, EXPORTER_64, NULL}, ERR_AUTH_FAILED, "wrong password"},
    {BY_EXPORTER, {"fred", "secret", NULL, "SCRAM-SHA-256", NULL, NULL}, OK, "n: it has none itself"},
    {{{NULL, 0}}, {"fred", "secret", NULL, PLUS, EXPORTER_64, NULL}, ERR_NO_MECHANISM, "there is none"},
    {{SAY("tls-exporter"), {NULL, 0}},
     {"fred", "secret", NULL, PLUS, EXPORTER_64, NULL},
     ERR_NO_MECHANISM,
     "an empty one"},
    {{SAY("tls-new"), SAY(EXPORTER)},
     {"fred", "secret", NULL, PLUS, EXPORTER_64, NULL},
     ERR_NO_MECHANISM,
     "one that we do not know"},
};

static void test_channel_binding(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bound) / sizeof(*bound); i++) {
        struct way w = home;
        struct scram_end got;

        w.binding = bound[i].binding;
        got = scram_by(&w, &bound[i].client);
        now_for_test += 20 * 60 * 1000;
        if (got.e != bound[i].expected)
            printf("row %zu (%s): %s\n", i, bound[i].why, err_row(got.e)->name);
        assert_int_equal(got.e, bound[i].expected);
        assert_int_equal(got.client_is_content, got.e == OK);
    }
}

/* Nobody in between can make a client believe that we have no -PLUS: it says "y" then. libgsasl's client would not. */
static void test_binding_hidden(void **state)
{
    const struct str first = S("y,,n=fred,r=rOprNGfwEbeRWgbNEkqO");
    struct way w = home;
    struct signon_begin_reply r;

    (void)state;
    w.mechanism = "SCRAM-SHA-256";
    assert_int_equal(begin_with(&w, &first, &r), OK); /* it is right */
    w.binding = (struct binding)BY_EXPORTER;
    assert_int_equal(begin_with(&w, &first, &r), ERR_AUTH_FAILED);
    w.mechanism = PLUS;
    assert_int_equal(begin_with(&w, &first, &r), ERR_AUTH_FAILED);
}

static size_t salt_of(struct str first, char out[64])
{
    size_t at, n;

    assert_true(str_find(first, S(",s="), &at));
    first = str_from(first, at + 3);
    assert_true(str_find(first, S(",i=65536"), &at));
    n = at < 64 ? at : 64;
    memcpy(out, first.p, n);
    return n;
}

/* Somebody who does not exist looks like somebody who does: each time, and after a restart. */
static void test_unknown_looks_the_same(void **state)
{
    struct scram_end got[4];
    char salt[4][64];
    size_t n[4];

    (void)state;
    got[0] = scram("ghost@acompany.test", "secret", NULL);
    got[1] = scram("Ghost@acompany.test", "other", NULL);
    got[2] = scram("fred@acompany.test", "Secret", NULL);
    now_for_test += 20 * 60 * 1000;
    signons_close(vault.signons);
    assert_int_equal(signons_open(&cx, vault.store, vault.handles, test_clock, &vault.signons), OK);
    got[3] = scram("ghost@acompany.test", "secret", NULL);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(got[i].e, ERR_AUTH_FAILED);
        assert_int_equal(got[i].steps, 2);
        n[i] = salt_of(got[i].first, salt[i]);
        assert_int_equal(n[i], n[0]);
    }
    assert_memory_equal(salt[0], salt[1], n[0]);
    assert_memory_equal(salt[0], salt[3], n[0]);
    assert_memory_not_equal(salt[0], salt[2], n[0]);
}

/* ---- argon2 is computed for whom, and for whom not ---- */

static void test_cached(void **state)
{
    struct handle handle;

    (void)state;
    assert_int_equal(sign_on(&home, S("\0fred\0secret"), &handle), OK);
    assert_true(long_lane_was_used);
    long_lane_was_used = false;
    assert_int_equal(sign_on(&home, S("\0fred@acompany.test\0secret"), &handle), OK);
    assert_false(long_lane_was_used);
    assert_int_equal(sign_on(&home, S("\0fred\0wrong"), &handle), ERR_AUTH_FAILED);
    assert_true(long_lane_was_used);
    long_lane_was_used = false;
    assert_int_equal(sign_on(&home, S("\0ghost\0wrong"), &handle), ERR_AUTH_FAILED);
    assert_true(long_lane_was_used); /* the same work */
    set_password(fred, S("changed"));
    assert_int_equal(sign_on(&home, S("\0fred\0secret"), &handle), ERR_AUTH_FAILED);
    assert_int_equal(sign_on(&home, S("\0fred\0changed"), &handle), OK);
}

static void test_suspended(void **state)
{
    struct handle handle;

    (void)state;
    suspend(fred, true);
    assert_int_equal(sign_on(&home, S("\0fred\0wrong"), &handle), ERR_AUTH_FAILED); /* tells nothing */
    assert_int_equal(sign_on(&home, S("\0fred\0secret"), &handle), ERR_SUSPENDED);
    assert_int_equal(sign_on(&home, S("\0fred\0secret"), &handle),
                     ERR_SUSPENDED); /* now from the cache */
    assert_int_equal(scram("fred", "secret", NULL).e, ERR_SUSPENDED);
    assert_int_equal(handles_count(vault.handles), 0);
    suspend(fred, false);
    assert_int_equal(sign_on(&home, S("\0fred\0secret"), &handle), OK);
}

/* ---- guessing ---- */

static void test_throttled(void **state)
{
    const struct way away = {"PLAIN", "2001:db8::1", true, 1},
                     neighbour = {"PLAIN", "2001:db8::2", true, 1},
                     far = {"PLAIN", "198.51.100.7", true, 1};
    struct handle handle;

    (void)state;
    assert_int_equal(sign_on(&home, S("\0fred\0secret"), &handle), OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(sign_on(&away, S("\0fred\0guess"), &handle), ERR_AUTH_FAILED);
    long_lane_was_used = false;
    assert_int_equal(sign_on(&away, S("\0fred\0secret"), &handle), ERR_AUTH_BUSY);
    assert_int_equal(sign_on(&neighbour, S("\0tom\0sesame"), &handle),
                     ERR_AUTH_BUSY); /* the same /64 */
    assert_int_equal(sign_on(&far, S("\0FRED@acompany.test\0secret"), &handle),
                     OK); /* spelled otherwise … */
    assert_false(long_lane_was_used);
    assert_int_equal(sign_on(&home, S("\0fred\0secret"), &handle),
                     OK); /* a known address is not locked out */
    for (int i = 0; i < 3; i++)
        sign_on(&away, S("\0fred\0secret"), &handle);
    now_for_test += 1000;
    assert_int_equal(sign_on(&away, S("\0fred\0secret"), &handle), OK);
}

static void test_unknown_is_throttled_alike(void **state)
{
    static const char *const names[] = {"\0tom@acompany.test\0x", "\0ghost@acompany.test\0x"};
    static const size_t sizes[] = {20, 22};
    char client[32];
    enum err got[2][6];

    (void)state;
    for (size_t n = 0; n < 2; n++) {
        for (size_t i = 0; i < 6; i++) {
            struct way w = {"PLAIN", client, true, 1};
            struct handle handle;

            snprintf(client, sizeof(client), "198.51.%zu.%zu", n, i);
            got[n][i] = sign_on(&w, (struct str){names[n], sizes[n]}, &handle);
        }
    }
    assert_memory_equal(got[0], got[1], sizeof(got[0]));
    assert_int_equal(got[0][2], ERR_AUTH_FAILED);
    assert_int_equal(got[0][3], ERR_AUTH_BUSY);
}

/* ---- a gate that means harm ---- */

static const struct {
    const char *mechanism, *client;
    bool tls;
    uint32_t protocol;
    enum err expected;
    const char *why;
} begins[] = {
    {"PLAIN", "192.0.2.1", true, PROTOCOL_POP3, OK, "as usual"},
    {"PLAIN", "::ffff:192.0.2.1", true, PROTOCOL_SMTP, OK, "mapped"},
    {"PLAIN", "127.0.0.1", false, PROTOCOL_POP3, OK, "loopback needs no TLS"},
    {"PLAIN", "192.0.2.1", false, PROTOCOL_POP3, ERR_TLS_NEEDED, "others do"},
    {"SCRAM-SHA-256", "192.0.2.1", false, PROTOCOL_POP3, ERR_TLS_NEEDED, "for SCRAM too"},
    {"PLAIN", "", true, PROTOCOL_POP3, ERR_BAD_CALL, "no address"},
    {"PLAIN", "mail.example", true, PROTOCOL_POP3, ERR_BAD_CALL, "a name"},
    {"PLAIN", "192.0.2.1", true, 0, ERR_BAD_CALL, "no protocol"},
    {"PLAIN", "192.0.2.1", true, 77, ERR_BAD_CALL, "none of ours"},
    {"ANONYMOUS", "192.0.2.1", true, PROTOCOL_POP3, ERR_NO_MECHANISM, "libgsasl would"},
    {"EXTERNAL", "192.0.2.1", true, PROTOCOL_POP3, ERR_NO_MECHANISM, "this too"},
    {"plain", "192.0.2.1", true, PROTOCOL_POP3, ERR_NO_MECHANISM, "the gate makes capitals of it"},
    {"", "192.0.2.1", true, PROTOCOL_POP3, ERR_NO_MECHANISM, "none"},
};

static void test_begin(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(begins) / sizeof(*begins); i++) {
        struct caller c = caller_make(1);
        struct signon_begin_request q = {.protocol = begins[i].protocol,
                                         .mechanism = str_from_c(begins[i].mechanism),
                                         .client = str_from_c(begins[i].client),
                                         .tls = begins[i].tls};
        struct signon_begin_reply r;
        enum err e = serve_signon_begin(&c, &q, &r);

        if (e != begins[i].expected)
            printf("row %zu (%s): %s\n", i, begins[i].why, err_row(e)->name);
        assert_int_equal(e, begins[i].expected);
    }
}

static void test_foreign_and_finished(void **state)
{
    struct caller c = caller_make(1);
    struct signon_cancel_reply none;
    struct signon_step_reply r;
    uint64_t id;

    (void)state;
    assert_int_equal(step(1, 0, S(""), &r), ERR_AUTH_CANCELLED);
    assert_int_equal(step(1, 12345, S(""), &r), ERR_AUTH_CANCELLED);
    assert_int_equal(begin(&home, &id), OK);
    assert_int_equal(step(2, id, S("\0fred\0secret"), &r), ERR_AUTH_CANCELLED); /* another gate's */
    assert_int_equal(step(1, id, S("nonsense"), &r), ERR_AUTH_FAILED);
    assert_int_equal(step(1, id, S("\0fred\0secret"), &r),
                     ERR_AUTH_CANCELLED); /* one refusal ends it */
    assert_int_equal(begin(&home, &id), OK);
    assert_int_equal(serve_signon_cancel(&c, &(struct signon_cancel_request){.signon = id}, &none), OK);
    assert_int_equal(serve_signon_cancel(&c, &(struct signon_cancel_request){.signon = id}, &none), OK);
    assert_int_equal(step(1, id, S("\0fred\0secret"), &r), ERR_AUTH_CANCELLED);
    assert_int_equal(begin(&home, &id), OK);
    signons_end_gate(vault.signons, 1);
    assert_int_equal(step(1, id, S("\0fred\0secret"), &r), ERR_AUTH_CANCELLED);
    assert_int_equal(handles_count(vault.handles), 0);
}

static void test_too_much(void **state)
{
    char *huge = calloc(1, 100000);
    struct signon_step_reply r;
    uint64_t id, first;
    unsigned steps = 0;
    enum err e;

    (void)state;
    assert_int_equal(begin(&home, &id), OK);
    assert_int_equal(step(1, id, (struct str){huge, 100000}, &r), ERR_AUTH_FAILED);
    assert_int_equal(begin(&home, &id), OK);
    while ((e = step(1, id, S(""), &r)) == OK) /* PLAIN would ask for ever */
        assert_true(++steps < 20);
    assert_int_equal(e, ERR_AUTH_FAILED);
    assert_int_equal(begin(&home, &first), OK);
    while ((e = begin(&home, &id)) == OK)
        ;
    assert_int_equal(e, ERR_AUTH_BUSY);
    assert_int_equal(step(1, first, S("\0fred\0secret"), &r), OK); /* those under way go on */
    assert_int_equal(begin(&home, &id), OK);
    now_for_test += 3 * 60 * 1000;
    assert_int_equal(begin(&home, &id), OK); /* idle ones have gone */
    assert_int_equal(step(1, id - 1, S("\0fred\0secret"), &r), ERR_AUTH_CANCELLED);
    free(huge);
}

/* ---- from several threads, one of which goes away in the middle ---- */

#define THREADS 4
#define ROUNDS 50

/* Returns how many did not go as expected: cmocka's assertions are for the main thread. */
static void *sign_on_often(void *arg)
{
    struct way w = {"PLAIN", "192.0.2.1", true, 1 + (uint64_t)(uintptr_t)arg};
    struct handle handle;
    struct signon_step_reply r;
    uintptr_t wrong = 0;
    uint64_t id;

    cx.arena = arena_new(0);
    for (int i = 0; i < ROUNDS; i++) {
        wrong += sign_on(&w, S("\0fred\0secret"), &handle) != OK;
        end(w.gate, handle);
        wrong += begin(&w, &id) != OK;
        wrong += step(w.gate, id, S(""), &r) != OK;
        if (i % 10 == 0)
            signons_end_gate(vault.signons, w.gate);
        wrong += (step(w.gate, id, S("\0fred\0secret"), &r) != OK) != (i % 10 == 0);
        end(w.gate, r.session);
        arena_reset(cx.arena);
    }
    arena_free(cx.arena);
    return (void *)wrong;
}

static void test_threads(void **state)
{
    pthread_t threads[THREADS];

    (void)state;
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sign_on_often, (void *)i), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *wrong;

        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    assert_int_equal(handles_count(vault.handles), 0);
}

#define SIGNON_TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SIGNON_TEST(test_plain),
        SIGNON_TEST(test_plain_without_initial_response),
        SIGNON_TEST(test_an_empty_answer),
        SIGNON_TEST(test_login),
        SIGNON_TEST(test_begin_with_a_step),
        SIGNON_TEST(test_scram),
        SIGNON_TEST(test_channel_binding),
        SIGNON_TEST(test_binding_hidden),
        SIGNON_TEST(test_unknown_looks_the_same),
        SIGNON_TEST(test_cached),
        SIGNON_TEST(test_suspended),
        SIGNON_TEST(test_throttled),
        SIGNON_TEST(test_unknown_is_throttled_alike),
        SIGNON_TEST(test_begin),
        SIGNON_TEST(test_foreign_and_finished),
        SIGNON_TEST(test_too_much),
        SIGNON_TEST(test_threads),
    };

    cx.arena = arena_new(0);
    log_start("test", LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
