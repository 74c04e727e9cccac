/* The AUTHORIZATION state (RFC 1939 §4) with CAPA (RFC 2449), STLS (RFC 2595), AUTH (RFC 5034) and UTF8 (RFC 6856).
 * APOP is left out on purpose: it would need the password itself kept.
 *
 * Inside the state there are three things a line can be: a command, the answer to a challenge (while an exchange is
 * under way), or nobody's any more (once the core wants something else than input). */
#include "gate/signon/pop3.h"

#include "base/arena.h"
#include "base/codec.h"
#include "base/log.h"
#include "base/scoped.h"
#include "gate/signon/exchange.h"
#include "net/sockaddr.h"
#include "proto/lines.h"
#include "proto/pop3_capa.h"
#include "proto/sasl_line.h"
#include "proto/sasl_mechanisms.h"

#include <stdlib.h>

/* RFC 2449 §4 has 255 octets; names and passwords in UTF-8 may be longer (RFC 6856 §2.2). An answer to a challenge
 * is a line of SASL. */
#define COMMAND_LINE_MAX 1024
#define NAME_MAX_BYTES 512

struct pop3 {
    const struct pop3_settings *settings;
    struct buf *out;
    struct cx cx; /* its arena lasts for one line */
    struct lines lines;
    enum pop3_want want;
    struct exchange exchange;
    struct handle session; /* with POP3_ATTACH, until it is taken */
    bool is_loopback, tls, utf8, has_name;
    struct bindings bindings;
    unsigned mistakes;
    char client[ENDPOINT_TEXT_SIZE];
    char name[NAME_MAX_BYTES]; /* of USER, if has_name */
    size_t name_size;
};

/* ---- replies ---- */

static void say(struct pop3 *p, const char *text)
{
    buf_add_c(p->out, text);
    buf_add(p->out, S("\r\n"));
}

/* RFC 3206 §4: [AUTH] is about the name and the password, and a client may ask its user for others. What has nothing to
 * do with them has no code. */
static void say_error(struct pop3 *p, enum err e)
{
    const struct err_row *row = err_row(e);

    buf_printf(p->out, *row->pop3 ? "-ERR [%s] %s\r\n" : "-ERR %s%s\r\n", row->pop3, row->text);
}

static bool one_too_many(struct pop3 *p)
{
    if (++p->mistakes < p->settings->errors)
        return false;
    say_error(p, ERR_TOO_MANY_ERRORS);
    p->want = POP3_CLOSE;
    return true;
}

static void mistake(struct pop3 *p, const char *text)
{
    if (!one_too_many(p))
        say(p, text);
}

static void mistake_error(struct pop3 *p, enum err e)
{
    if (!one_too_many(p))
        say_error(p, e);
}

/* ---- what is offered ---- */

static bool offers_stls(const struct pop3 *p)
{
    return p->settings->has_certificate && !p->tls;
}

static bool offers_passwords(const struct pop3 *p)
{
    return p->tls || p->is_loopback || p->settings->allow_plaintext_auth;
}

static void cmd_capa(struct pop3 *p, struct str args)
{
    struct pop3_offer offer = {.stls = offers_stls(p),
                               .passwords = offers_passwords(p),
                               .scram = p->settings->scram,
                               .binding = bindings_any(&p->bindings)};

    (void)args;
    say(p, "+OK");
    pop3_capa_write(p->out, &offer);
}

/* ---- STLS, UTF8, QUIT ---- */

static void cmd_stls(struct pop3 *p, struct str args)
{
    (void)args;
    if (p->tls)
        mistake(p, "-ERR TLS is active already");
    else if (!offers_stls(p))
        mistake(p, "-ERR TLS is not to be had here");
    else if (p->utf8) /* RFC 6856 §2.1 */
        mistake(p, "-ERR say STLS before UTF8");
    else {
        say(p, "+OK begin TLS");
        p->has_name = false;
        p->want = POP3_TLS;
    }
}

static void cmd_utf8(struct pop3 *p, struct str args)
{
    (void)args;
    p->utf8 = true;
    say(p, "+OK");
}

static void cmd_quit(struct pop3 *p, struct str args)
{
    (void)args;
    say(p, "+OK bye");
    p->want = POP3_CLOSE;
}

/* ---- signing on ---- */

static struct exchange_with with(const struct pop3 *p, struct str mechanism)
{
    return (struct exchange_with){PROTOCOL_POP3, mechanism, str_from_c(p->client), p->tls,
                                  &p->bindings};
}

/* The vault logs each refusal; what goes wrong beside that is logged here. */
static void sign_on_failed(struct pop3 *p, enum err e)
{
    if (e != ERR_AUTH_FAILED && e != ERR_AUTH_BUSY && e != ERR_SUSPENDED)
        log_line(LOG_WARNING, "signon-broken", "address=%s service=pop3 error=%s cause=%s", p->client,
                 err_row(e)->name, log_value(str_from_c(p->cx.cause)));
    mistake_error(p, e);
}

static void signed_on(struct pop3 *p)
{
    p->session = exchange_take(&p->exchange);
    p->want = POP3_ATTACH;
}

/* It may have been a password. */
static void wipe(struct buf *b)
{
    if (b->p)
        explicit_bzero(b->p, b->n);
    buf_free(b);
}

/* The name is only noted: whether there is such an account is nobody's business (RFC 1939 §13). */
static void cmd_user(struct pop3 *p, struct str name)
{
    p->has_name = false;
    if (!offers_passwords(p))
        mistake_error(p, ERR_TLS_NEEDED);
    else if (name.n > sizeof(p->name))
        mistake(p, "-ERR this name is too long");
    else {
        memcpy(p->name, name.p, name.n);
        p->name_size = name.n;
        p->has_name = true;
        say(p, "+OK");
    }
}

/* PASS is PLAIN (RFC 4616) by another name. Its argument is the rest of the line, blanks and all (RFC 1939 §7). */
static void cmd_pass(struct pop3 *p, struct str password)
{
    struct exchange_with plain = with(p, S("PLAIN"));
    scoped(wipe) struct buf said = buf_make(NAME_MAX_BYTES + COMMAND_LINE_MAX);
    struct str challenge;
    enum err e;

    if (!p->has_name) {
        mistake(p, "-ERR say USER first");
        return;
    }
    p->has_name = false; /* "immediately after a successful USER" */
    buf_add_char(&said, '\0');
    buf_add(&said, (struct str){p->name, p->name_size});
    buf_add_char(&said, '\0');
    buf_add(&said, password);
    e = exchange_begin(&p->exchange, &p->cx, &plain, buf_str(&said), &challenge);
    if (!e && !exchange_is_done(&p->exchange)) { /* PLAIN takes one step */
        exchange_give_up(&p->exchange, &p->cx);
        e = ERR_AUTH_FAILED;
    }
    if (e)
        sign_on_failed(p, e);
    else
        signed_on(p);
}

static void challenge_with(struct pop3 *p, struct str bytes)
{
    buf_add(p->out, S("+ "));
    base64_encode(p->out, bytes);
    buf_add(p->out, S("\r\n"));
}

static void after_step(struct pop3 *p, enum err e, struct str challenge)
{
    if (e)
        sign_on_failed(p, e);
    else if (exchange_is_done(&p->exchange))
        signed_on(p);
    else
        challenge_with(p, challenge);
}

/* RFC 5034 §4: "*" gives up; what is no base 64 ends it as well. False: that is what it was. */
static bool is_answer(struct pop3 *p, enum sasl_line what)
{
    if (what == SASL_BYTES)
        return true;
    exchange_give_up(&p->exchange, &p->cx);
    if (what == SASL_CANCEL)
        mistake_error(p, ERR_AUTH_CANCELLED);
    else
        mistake(p, "-ERR this is no base 64");
    return false;
}

static void take_answer(struct pop3 *p, struct str line)
{
    scoped(wipe) struct buf said = buf_make(SASL_LINE_MAX);
    struct str challenge = STR_NONE;
    enum err e;

    if (!is_answer(p, sasl_answer(&said, line)))
        return;
    e = exchange_step(&p->exchange, &p->cx, buf_str(&said), &challenge);
    after_step(p, e, challenge);
}

static void begin_exchange(struct pop3 *p, struct str mechanism, struct str initial)
{
    scoped(wipe) struct buf said = buf_make(SASL_LINE_MAX);
    struct exchange_with how = with(p, mechanism);
    struct str challenge = STR_NONE;
    enum err e;

    if (initial.n && !is_answer(p, sasl_initial(&said, initial)))
        return;
    e = exchange_begin(&p->exchange, &p->cx, &how, buf_str(&said), &challenge);
    after_step(p, e, challenge);
}

/* AUTH mechanism [initial-response] (RFC 5034 §4). */
static void cmd_auth(struct pop3 *p, struct str args)
{
    struct sasl_offer offer = {.scram = p->settings->scram, .binding = bindings_any(&p->bindings)};
    struct str word = args, initial = args, mechanism;

    if (!take_until(&initial, ' ', &word))
        initial = STR_NONE;
    mechanism = sasl_offered(&offer, word);
    if (!mechanism.n)
        mistake_error(p, ERR_NO_MECHANISM);
    else if (!offers_passwords(p))
        mistake_error(p, ERR_TLS_NEEDED);
    else
        begin_exchange(p, mechanism, initial);
}

/* ---- lines ---- */

enum argument { NONE, WHOLE, LATER }; /* LATER: a command of the TRANSACTION state */

static const struct command {
    const char *name;
    enum argument argument;
    void (*run)(struct pop3 *p, struct str args);
} commands[] = {
    {"USER", WHOLE, cmd_user}, /* RFC 1939 §7 */
    {"PASS", WHOLE, cmd_pass}, /* RFC 1939 §7 */
    {"QUIT", NONE, cmd_quit},  /* RFC 1939 §4 */
    {"CAPA", NONE, cmd_capa},  /* RFC 2449 §5 */
    {"STLS", NONE, cmd_stls},  /* RFC 2595 §4 */
    {"AUTH", WHOLE, cmd_auth}, /* RFC 5034 §4 */
    {"UTF8", NONE, cmd_utf8},  /* RFC 6856 §2.1 */
    {"STAT", LATER, NULL},     {"LIST", LATER, NULL}, {"RETR", LATER, NULL}, {"DELE", LATER, NULL},
    {"NOOP", LATER, NULL},     {"RSET", LATER, NULL}, {"TOP", LATER, NULL},  {"UIDL", LATER, NULL},
};

static const struct command *command_find(struct str name)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
        if (str_same_nocase(name, str_from_c(commands[i].name)))
            return &commands[i];
    return NULL;
}

static void run_command(struct pop3 *p, struct str line)
{
    struct str name = line, args = line;
    const struct command *c;

    if (!take_until(&args, ' ', &name))
        args = STR_NONE;
    c = command_find(name);
    if (!c)
        mistake(p, "-ERR there is no such command");
    else if (c->argument == LATER)
        mistake(p, "-ERR sign on first");
    else if ((c->argument == NONE) != (str_trim(args).n == 0))
        mistake(p, c->argument == NONE ? "-ERR this command takes no argument"
                                       : "-ERR an argument is missing");
    else
        c->run(p, args);
}

static void line_too_long(struct pop3 *p)
{
    exchange_give_up(&p->exchange, &p->cx);
    p->has_name = false;
    mistake(p, "-ERR this line is too long");
}

static void run_line(struct pop3 *p, struct str line)
{
    if (p->exchange.under_way)
        take_answer(p, line);
    else if (line.n + 2 > COMMAND_LINE_MAX)
        line_too_long(p);
    else
        run_command(p, line);
}

#define OUT_HIGH ((size_t)64 * 1024) /* whose peer does not read is not listened to */

void pop3_feed(struct pop3 *p, struct str *in)
{
    enum line_result r;
    struct str line;

    while (p->want == POP3_INPUT && p->out->n <= OUT_HIGH &&
           (r = take_line(&p->lines, in, &line)) != LINE_NONE) {
        if (r == LINE_TOO_LONG)
            line_too_long(p);
        else
            run_line(p, line);
        arena_reset(p->cx.arena);
    }
}

/* ---- the session ---- */

struct pop3 *pop3_new(const struct pop3_settings *settings, struct str client, struct buf *out)
{
    struct pop3 *p = must_alloc(sizeof(*p));
    struct endpoint peer;

    p->settings = settings;
    p->out = out;
    p->cx.arena = arena_new(0);
    p->lines = lines_make(SASL_LINE_MAX, LINE_END_LF);
    p->is_loopback = parse_ip(client, &peer) && endpoint_is_loopback(&peer);
    client = str_upto(client, sizeof(p->client) - 1);
    memcpy(p->client, client.p, client.n);
    return p;
}

void pop3_free(struct pop3 *p)
{
    if (!p)
        return;
    exchange_give_up(&p->exchange, &p->cx);
    if (p->want == POP3_ATTACH &&
        (p->session.hi || p->session.lo)) { /* the client went before it was handed over */
        struct signon_end_request q = {.session = p->session};
        struct signon_end_reply r;

        vault_signon_end(&p->cx, &q, &r);
    }
    explicit_bzero(p->name, sizeof(p->name));
    lines_free(&p->lines);
    arena_free(p->cx.arena);
    free(p);
}

/* Without angle brackets, which would offer APOP (RFC 1939 §7). */
void pop3_greet(struct pop3 *p)
{
    buf_printf(p->out, "+OK %.*s POP3 ready\r\n", STR_ARG(p->settings->hostname));
}

enum pop3_want pop3_wants(const struct pop3 *p)
{
    return p->want;
}

void pop3_secured(struct pop3 *p, const struct bindings *bindings)
{
    lines_forget(&p->lines);
    p->tls = true;
    p->bindings = *bindings;
    p->want = POP3_INPUT;
}

struct handle pop3_take_session(struct pop3 *p, uint32_t *modes)
{
    struct handle session = p->session;

    *modes = p->utf8 ? MODE_UTF8 : 0;
    p->session = (struct handle){0};
    return session;
}

void pop3_refused(struct pop3 *p, enum err e)
{
    say_error(p, e);
    p->want = POP3_CLOSE;
}
